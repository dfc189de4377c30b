/**
 * The byte that says what a value in an RDB file or DUMP payload is and how it is laid out. A new layout of an old type
 * gets a new number, so a type of Redis has several. Source: Redis's `rdb.h`, up to version 8; 6 and 8 are not in use.
 *
 * Each type that we read or write has its file in `objects/`.
 */
export const RDB_TYPE = {
  STRING: 0,
  LIST: 1,
  SET: 2,
  ZSET: 3,
  HASH: 4,
  ZSET_2: 5,
  MODULE_2: 7,
  HASH_ZIPMAP: 9,
  LIST_ZIPLIST: 10,
  SET_INTSET: 11,
  ZSET_ZIPLIST: 12,
  HASH_ZIPLIST: 13,
  LIST_QUICKLIST: 14,
  STREAM_LISTPACKS: 15,
  HASH_LISTPACK: 16,
  ZSET_LISTPACK: 17,
  LIST_QUICKLIST_2: 18,
  STREAM_LISTPACKS_2: 19,
  SET_LISTPACK: 20,
  STREAM_LISTPACKS_3: 21,
  HASH_METADATA: 24,
  HASH_LISTPACK_EX: 25,
} as const

const readable = new Set<number>(Object.values(RDB_TYPE))

/** Types that there are, but that nobody reads without their module, or outside of release candidates. */
const OTHER_TYPES: Readonly<Record<number, string>> = {
  6: 'a value of a module in the form of release candidates of Redis 4.0',
  22: 'a hash with expiring fields in the form of release candidates of Redis 7.4',
  23: 'a hash with expiring fields in the form of release candidates of Redis 7.4',
}

/** Why values of a type cannot be read; undefined when they can. */
export function unreadableReason(rdbType: number): string | undefined {
  if (readable.has(rdbType)) return undefined
  return OTHER_TYPES[rdbType] ?? `unknown opcode or type of value ${rdbType}`
}
