/** Where a server tells its operator what it does. The levels are those of `loglevel`. */
export interface ServerLog {
  info(message: string): void
  warn(message: string): void
  error(details: object, message: string): void
}
