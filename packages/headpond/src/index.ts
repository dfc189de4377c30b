/** The public door of the package: what an embedding program may use. */
export { HEADPOND_VERSION } from './server/version.ts'
