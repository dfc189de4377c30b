/**
 * The frame of an RDB file: what stands around the values. Source: Redis's `rdb.h` and `rdb.c`, up to version 8.
 *
 *   | REDIS | version: 4 digits | part | part | ... | EOF | crc |
 *      5            9                                 1     8, little-endian; 0: not computed
 *
 * A part is a type of RDB_TYPE with key and value, or one of these opcodes:
 *
 *   AUX              name, text                      what the writer says of itself
 *   SELECT_DB        length                          the database of all keys that follow
 *   RESIZE_DB        length, length                  how many keys it has, and how many of them expire
 *   EXPIRE_MS        8 bytes, little-endian          of the next key, in milliseconds since 1970
 *   EXPIRE_SECONDS   4 bytes, little-endian          the same in seconds (up to Redis 2.4)
 *   IDLE             length                          of the next key: seconds without access
 *   FREQUENCY        1 byte                          of the next key: the LFU counter
 *   FUNCTION         text                            a library of functions
 *   FUNCTION_PRE     -                               the same in release candidates of 7.0: nobody reads it any more
 *   MODULE_AUX       id, fields                      of a module, see module-fields.ts
 *   SLOT_INFO        length, length, length          of a cluster slot: number, keys, keys that expire
 */
export const RDB_MAGIC = 'REDIS'
export const RDB_HEADER_BYTES = 9

export const OPCODE = {
  SLOT_INFO: 244,
  FUNCTION: 245,
  FUNCTION_PRE: 246,
  MODULE_AUX: 247,
  IDLE: 248,
  FREQUENCY: 249,
  AUX: 250,
  RESIZE_DB: 251,
  EXPIRE_MS: 252,
  EXPIRE_SECONDS: 253,
  SELECT_DB: 254,
  EOF: 255,
} as const

/** The version that Redis 7.4 writes: the first with expiries of hash fields. */
export const RDB_VERSION_FIELD_EXPIRY = 12
