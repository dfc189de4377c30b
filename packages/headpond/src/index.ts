/** The public door of the package: what an embedding program may use. */
export { ConfigError } from './config/config-error.ts'
export { ReplyError, type ReplyValue } from './resp/decoder.ts'
export { type CreateServerOptions, createServer, type HeadpondServer } from './server/create-server.ts'
export type { Argument, LocalClient } from './server/local-client.ts'
export { HEADPOND_VERSION } from './server/version.ts'
