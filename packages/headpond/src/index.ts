/** The public door of the package: what an embedding program may use. */
export { ConfigError } from './config/config-error.ts'
export type { ServerLog } from './config/server-log.ts'
export type { KafkaCall } from './kafka/call-log.ts'
export type { KafkaFaultTarget } from './kafka/faults.ts'
export { DataDirectoryError } from './persistence/data-directory-error.ts'
export type { Call } from './resp/call-log.ts'
export { type PushMessage, ReplyError, type ReplyValue } from './resp/decoder.ts'
export type { CommandFaultTarget } from './resp/faults.ts'
export { type CreateServerOptions, createServer, type HeadpondServer } from './server/create-server.ts'
export type {
  EmbeddedKafka,
  GroupCondition,
  GroupOffset,
  KafkaGroup,
  KafkaHeaders,
  KafkaMessage,
  KafkaRecord,
  ProducedRecord,
  RecordsOptions,
} from './server/embedded-kafka.ts'
export type { FaultHandle, FaultMatch, ServerFaults } from './server/faults.ts'
export type { KafkaConfigValue, KafkaOptions, KafkaTopicOptions } from './server/kafka-options.ts'
export type { Argument, LocalClient } from './server/local-client.ts'
export type { SeedOptions, SeedValue } from './server/seed.ts'
export type { StoreImage } from './server/store-image.ts'
export { HEADPOND_VERSION } from './server/version.ts'
