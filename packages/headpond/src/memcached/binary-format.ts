/** The numbers of the binary protocol. */

export const FIRST_BYTE = 0x80
export const RESPONSE_BYTE = 0x81

export const opcode = {
  GET: 0x00,
  SET: 0x01,
  ADD: 0x02,
  REPLACE: 0x03,
  DELETE: 0x04,
  INCREMENT: 0x05,
  DECREMENT: 0x06,
  QUIT: 0x07,
  FLUSH: 0x08,
  GETQ: 0x09,
  NOOP: 0x0a,
  VERSION: 0x0b,
  GETK: 0x0c,
  GETKQ: 0x0d,
  APPEND: 0x0e,
  PREPEND: 0x0f,
  STAT: 0x10,
  SETQ: 0x11,
  ADDQ: 0x12,
  REPLACEQ: 0x13,
  DELETEQ: 0x14,
  INCREMENTQ: 0x15,
  DECREMENTQ: 0x16,
  QUITQ: 0x17,
  FLUSHQ: 0x18,
  APPENDQ: 0x19,
  PREPENDQ: 0x1a,
  TOUCH: 0x1c,
  GAT: 0x1d,
  GATQ: 0x1e,
  SASL_LIST_MECHS: 0x20,
  SASL_AUTH: 0x21,
  SASL_STEP: 0x22,
  GATK: 0x23,
  GATKQ: 0x24,
} as const

export const status = {
  SUCCESS: 0x00,
  KEY_NOT_FOUND: 0x01,
  KEY_EXISTS: 0x02,
  TOO_LARGE: 0x03,
  INVALID_ARGUMENTS: 0x04,
  NOT_STORED: 0x05,
  NON_NUMERIC: 0x06,
  AUTH_ERROR: 0x20,
  UNKNOWN_COMMAND: 0x81,
  OUT_OF_MEMORY: 0x82,
  /** "Internal error" in the protocol: the key holds a value that is no string. */
  WRONG_TYPE: 0x84,
} as const

/** What memcached says beside each of them. */
export const statusText: Readonly<Record<number, Buffer>> = {
  [status.KEY_NOT_FOUND]: Buffer.from('Not found'),
  [status.KEY_EXISTS]: Buffer.from('Data exists for key.'),
  [status.TOO_LARGE]: Buffer.from('Too large.'),
  [status.INVALID_ARGUMENTS]: Buffer.from('Invalid arguments'),
  [status.NOT_STORED]: Buffer.from('Not stored.'),
  [status.NON_NUMERIC]: Buffer.from('Non-numeric server-side value for incr or decr'),
  [status.AUTH_ERROR]: Buffer.from('Auth failure.'),
  [status.UNKNOWN_COMMAND]: Buffer.from('Unknown command'),
  [status.OUT_OF_MEMORY]: Buffer.from('Out of memory allocating item'),
  [status.WRONG_TYPE]: Buffer.from('Key holds a value that is no string'),
}
