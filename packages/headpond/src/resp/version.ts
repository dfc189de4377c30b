/** The version of Redis that clients take us for: they choose by it which commands and options to use. */
export const REDIS_VERSION = '7.4.0'
