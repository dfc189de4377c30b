import type { Request } from './request.ts'

/** The errors that clients of Redis match on, to the letter (Redis 7: server.c, shared.*, and the commands' own). */
export const errors = {
  SYNTAX: 'ERR syntax error',
  WRONG_TYPE: 'WRONGTYPE Operation against a key holding the wrong kind of value',
  NO_KEY: 'ERR no such key',
  NOT_AN_INTEGER: 'ERR value is not an integer or out of range',
  NOT_A_FLOAT: 'ERR value is not a valid float',
  OUT_OF_RANGE: 'ERR index out of range',
  NEGATIVE: 'ERR value is out of range, must be positive',
  OVERFLOW: 'ERR increment or decrement would overflow',
  NAN_OR_INFINITY: 'ERR increment would produce NaN or Infinity',
  STRING_TOO_LARGE: 'ERR string exceeds maximum allowed size (proto-max-bulk-len)',
  OUT_OF_MEMORY: "OOM command not allowed when used memory > 'maxmemory'.",
  NO_AUTH: 'NOAUTH Authentication required.',
  EXEC_ABORTED: 'EXECABORT Transaction discarded because of previous errors.',
  SAME_OBJECT: 'ERR source and destination objects are the same',
  DB_INDEX: 'ERR DB index is out of range',
  INVALID_CURSOR: 'ERR invalid cursor',
  BUSY_KEY: 'BUSYKEY Target key name already exists.',
  /** What commands answer whose reason is in the log. */
  UNSPECIFIED: 'ERR',
  NOTHING_ON_DISK: 'ERR This server keeps nothing on disk',
  TIMEOUT_NOT_A_FLOAT: 'ERR timeout is not a float or out of range',
  TIMEOUT_NEGATIVE: 'ERR timeout is negative',
  TIMEOUT_OUT_OF_RANGE: 'ERR timeout is out of range',
} as const

export function wrongArity(commandName: string): string {
  return `ERR wrong number of arguments for '${commandName}' command`
}

/** For arguments that none of a subcommand's forms has. `given` is the subcommand as the client wrote it. */
export function wrongSubcommandForm(container: string, given: string): string {
  return `ERR unknown subcommand or wrong number of arguments for '${given.slice(0, 128)}'. Try ${container} HELP.`
}

/** A character for each byte: the error quotes what the client sent as it was. */
export function unknownCommand(request: Request): string {
  // As Redis cuts it: 128 bytes of the name, then of all arguments together, and each at its first NUL.
  let shown = ''
  for (let index = 1; index < request.count && shown.length < 128; index++) {
    shown += `'${request.quoted(index, 128 - shown.length)}' `
  }
  return `ERR unknown command '${request.quoted(0, 128)}', with args beginning with: ${shown}`
}

/** `given` is the subcommand as the client wrote it, a character for each byte. */
export function unknownSubcommand(container: string, given: string): string {
  return `ERR unknown subcommand '${given.slice(0, 128)}'. Try ${container.toUpperCase()} HELP.`
}
