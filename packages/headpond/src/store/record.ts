import { copyBytes } from '../bytes/copy.ts'
import { BLOCK_BYTES_MAX, byteAt, type Handle, type Heap, wordAt } from '../memory/heap.ts'

/**
 * How a key and its value lie in memory: one block of the heap, so that a lookup touches one place.
 *
 *   0        1       2          4          8           12
 *   | kind   | flags | keySize  | access   | valueSize | [expireAtMs: low, high | expirySlot] | [item] | key | pad | value
 *
 *   kind       type in the lower four bits, encoding in the upper four
 *   access     what eviction knows of the key: a clock or a counter (24 bits), see eviction
 *   valueSize  bytes of the value as the client sees them for strings; of the packed form for packed types
 *   expiry     three words that are there only with the flag HAS_EXPIRY
 *   item       four words that are there only with the flag HAS_ITEM, see store/item.ts
 *   value      begins on a multiple of four: the bytes themselves, or words such as handles (see `encoding`)
 *
 * A key longer than KEY_INLINE_BYTES_MAX lies in a large value; the record then holds its index and size.
 * A 16-byte key with a 20-byte value takes a block of 48 bytes, 64 with an expiry.
 */
export const HEADER_BYTES = 12
export const EXPIRY_BYTES = 12
export const ITEM_BYTES = 16
export const KEY_INLINE_BYTES_MAX = 8192

const ACCESS_WORD = 1
const VALUE_SIZE_WORD = 2
const EXPIRE_LOW_WORD = 3
const EXPIRE_HIGH_WORD = 4
const EXPIRY_SLOT_WORD = 5
const LONG_KEY_BYTES = 8

export const flag = {
  HAS_EXPIRY: 1,
  LONG_KEY: 2,
  /** A hash with fields that expire, entered in the database's index of those. */
  HAS_FIELD_EXPIRY: 4,
  /** A string with what memcached keeps beside a value. */
  HAS_ITEM: 8,
} as const

/** The flags that decide how much stands in front of the key. */
const LAYOUT_FLAGS = flag.HAS_EXPIRY | flag.HAS_ITEM
const LAYOUT_BITS = LAYOUT_FLAGS << 8

/**
 * The upper four bits of the flags are the record's epoch: the number, modulo 16, of the latest snapshot that needs
 * nothing more of it, because it was saved for it or is younger. See store/snapshot-guard.ts.
 */
const EPOCH_SHIFT = 4
const EPOCH_MASK = 0xf0
export const EPOCH_COUNT = 16

export const type = {
  STRING: 0,
  LIST: 1,
  SET: 2,
  SORTED_SET: 3,
  HASH: 4,
  /** Redis has one number for the types of all modules; there is one such type here. */
  BLOOM_FILTER: 5,
  STREAM: 6,
} as const

/** The word that TYPE answers, by type number. */
export const TYPE_NAMES = ['string', 'list', 'set', 'zset', 'hash', 'MBbloom--', 'stream'] as const

export const encoding = {
  /** A string's bytes, in the record. Whether OBJECT ENCODING calls it int, embstr or raw follows from them. */
  INLINE: 0,
  /** The same, for a string that was changed in place: Redis calls those raw, whatever they hold. */
  INLINE_RAW: 1,
  /** A string in a large value: the record holds its index. */
  LARGE: 2,
  /** As INLINE, for a result that Redis keeps as text even where it reads as an integer (INCRBYFLOAT). */
  INLINE_TEXT: 3,
  /** A listpack in the record: the small form of lists, hashes, sets and sorted sets. */
  LISTPACK: 4,
  /** A list in a Quicklist; as in every large form, the record holds its index in `store.structures`. */
  QUICKLIST: 5,
  /** A hash as a listpack of triples, each field with its expiry; three words for the expiry index come first. */
  LISTPACK_EXPIRING: 6,
  /** A hash in a FieldTable; behind its index the record has three words for the expiry index. */
  FIELD_TABLE: 7,
  /** A sorted set in a dict and an ordered tree. */
  ORDERED_TREE: 8,
  /** A set of integers as an intset in the record. */
  INTSET: 9,
  /** A set in a MemberTable. */
  MEMBER_TABLE: 10,
  /** A Stream, however small. */
  STREAM: 11,
  /** A BloomFilter, however small. */
  BLOOM_LAYERS: 12,
} as const

export function kindOf(typeNumber: number, encodingNumber: number): number {
  return typeNumber | (encodingNumber << 4)
}

/** No expiry; a real one is never 0, since a moment that has passed deletes the key at once. */
export const NEVER = 0

/** Reads and writes the fields of records. Every method is O(1) unless it says otherwise, and allocates nothing. */
export class Records {
  readonly heap: Heap
  /** The current epoch, which new records get, where it stands among the flags. */
  #epochBits = 0

  constructor(heap: Heap) {
    this.heap = heap
  }

  type(handle: Handle): number {
    return this.heap.arenaOf(handle).u8[byteAt(handle)] & 15
  }

  encoding(handle: Handle): number {
    return this.heap.arenaOf(handle).u8[byteAt(handle)] >>> 4
  }

  kind(handle: Handle): number {
    return this.heap.arenaOf(handle).u8[byteAt(handle)]
  }

  setKind(handle: Handle, kind: number): void {
    this.heap.arenaOf(handle).u8[byteAt(handle)] = kind
  }

  access(handle: Handle): number {
    return this.heap.arenaOf(handle).u32[wordAt(handle) + ACCESS_WORD]
  }

  setAccess(handle: Handle, access: number): void {
    this.heap.arenaOf(handle).u32[wordAt(handle) + ACCESS_WORD] = access
  }

  valueSize(handle: Handle): number {
    return this.heap.arenaOf(handle).u32[wordAt(handle) + VALUE_SIZE_WORD]
  }

  setValueSize(handle: Handle, sizeBytes: number): void {
    this.heap.arenaOf(handle).u32[wordAt(handle) + VALUE_SIZE_WORD] = sizeBytes
  }

  hasExpiry(handle: Handle): boolean {
    return (this.heap.arenaOf(handle).u8[byteAt(handle) + 1] & flag.HAS_EXPIRY) !== 0
  }

  hasItem(handle: Handle): boolean {
    return (this.heap.arenaOf(handle).u8[byteAt(handle) + 1] & flag.HAS_ITEM) !== 0
  }

  /** HAS_EXPIRY and HAS_ITEM, as far as they are set. */
  layout(handle: Handle): number {
    return this.heap.arenaOf(handle).u8[byteAt(handle) + 1] & LAYOUT_FLAGS
  }

  /** Where the words of an item begin in the arena's `u32`, for a record that has them. */
  itemAt(handle: Handle): number {
    return wordAt(handle) + (HEADER_BYTES + (this.hasExpiry(handle) ? EXPIRY_BYTES : 0)) / 4
  }

  /** When the key expires, in milliseconds since 1970, or NEVER. */
  expireAtMs(handle: Handle): number {
    const words = this.heap.arenaOf(handle).u32
    const word = wordAt(handle)
    if ((words[word] & (flag.HAS_EXPIRY << 8)) === 0) return NEVER
    return words[word + EXPIRE_HIGH_WORD] * 2 ** 32 + words[word + EXPIRE_LOW_WORD]
  }

  /** For a record that has an expiry already. */
  setExpireAtMs(handle: Handle, expireAtMs: number): void {
    const words = this.heap.arenaOf(handle).u32
    const word = wordAt(handle)
    words[word + EXPIRE_LOW_WORD] = expireAtMs >>> 0
    words[word + EXPIRE_HIGH_WORD] = Math.floor(expireAtMs / 2 ** 32)
  }

  hasFieldExpiry(handle: Handle): boolean {
    return (this.heap.arenaOf(handle).u8[byteAt(handle) + 1] & flag.HAS_FIELD_EXPIRY) !== 0
  }

  setFieldExpiryFlag(handle: Handle, isSet: boolean): void {
    const { u8 } = this.heap.arenaOf(handle)
    if (isSet) u8[byteAt(handle) + 1] |= flag.HAS_FIELD_EXPIRY
    else u8[byteAt(handle) + 1] &= ~flag.HAS_FIELD_EXPIRY
  }

  /** The number of the latest snapshot, modulo EPOCH_COUNT. */
  get epoch(): number {
    return this.#epochBits >>> EPOCH_SHIFT
  }

  set epoch(epoch: number) {
    this.#epochBits = (epoch % EPOCH_COUNT) << EPOCH_SHIFT
  }

  /** Whether the latest snapshot needs nothing more of a record. */
  isOfEpoch(handle: Handle): boolean {
    return (this.heap.arenaOf(handle).u8[byteAt(handle) + 1] & EPOCH_MASK) === this.#epochBits
  }

  /** Notes that the latest snapshot needs nothing more of a record. */
  setEpoch(handle: Handle): void {
    const { u8 } = this.heap.arenaOf(handle)
    const at = byteAt(handle) + 1
    u8[at] = (u8[at] & ~EPOCH_MASK) | this.#epochBits
  }

  expirySlot(handle: Handle): number {
    return this.heap.arenaOf(handle).u32[wordAt(handle) + EXPIRY_SLOT_WORD]
  }

  setExpirySlot(handle: Handle, slot: number): void {
    this.heap.arenaOf(handle).u32[wordAt(handle) + EXPIRY_SLOT_WORD] = slot
  }

  /** Where the value begins in the arena's `u8`: on a multiple of four. */
  valueAt(handle: Handle): number {
    const word0 = this.heap.arenaOf(handle).u32[wordAt(handle)]
    return byteAt(handle) + ((headBytes(word0) + (word0 >>> 16) + 3) & ~3)
  }

  /** A word of the value, for encodings that keep numbers or handles there. */
  valueWord(handle: Handle, index: number): number {
    return this.heap.arenaOf(handle).u32[(this.valueAt(handle) >>> 2) + index]
  }

  setValueWord(handle: Handle, index: number, word: number): void {
    this.heap.arenaOf(handle).u32[(this.valueAt(handle) >>> 2) + index] = word
  }

  keySize(handle: Handle): number {
    const words = this.heap.arenaOf(handle).u32
    const word = wordAt(handle)
    if ((words[word] & (flag.LONG_KEY << 8)) === 0) return words[word] >>> 16
    return words[this.#keyAt(handle) / 4 + 1]
  }

  /** The array that holds the key; it begins there at `keyStart`. */
  keyBytes(handle: Handle): Uint8Array {
    const arena = this.heap.arenaOf(handle)
    if ((arena.u32[wordAt(handle)] & (flag.LONG_KEY << 8)) === 0) return arena.u8
    return this.heap.large.get(arena.u32[this.#keyAt(handle) / 4])
  }

  keyStart(handle: Handle): number {
    const arena = this.heap.arenaOf(handle)
    return (arena.u32[wordAt(handle)] & (flag.LONG_KEY << 8)) === 0 ? this.#keyAt(handle) : 0
  }

  /** A copy of the key. O(key size). */
  keyCopy(handle: Handle): Buffer {
    const start = this.keyStart(handle)
    return Buffer.from(this.keyBytes(handle).subarray(start, start + this.keySize(handle)))
  }

  // hot: once for each lookup that finds its hash.
  keyEquals(handle: Handle, bytes: Uint8Array, start: number, end: number): boolean {
    const arena = this.heap.arenaOf(handle)
    const word0 = arena.u32[wordAt(handle)]
    if ((word0 & (flag.LONG_KEY << 8)) !== 0) return this.#longKeyEquals(handle, bytes, start, end)
    if (word0 >>> 16 !== end - start) return false
    const stored = arena.u8
    let at = byteAt(handle) + headBytes(word0)
    for (let index = start; index < end; index++) {
      if (stored[at++] !== bytes[index]) return false
    }
    return true
  }

  /** Writes the fields and the key of a new record; value, expiry and item are still undefined. O(key size). */
  initialize(
    handle: Handle,
    kind: number,
    layout: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    valueSize: number,
  ): void {
    const arena = this.heap.arenaOf(handle)
    const word = wordAt(handle)
    const keySize = end - start
    const at = byteAt(handle) + headBytes(layout << 8)
    let flags = this.#epochBits | layout
    let inlineSize = keySize
    if (keySize <= KEY_INLINE_BYTES_MAX) {
      copyBytes(bytes, start, end, arena.u8, at)
    } else {
      flags |= flag.LONG_KEY
      inlineSize = LONG_KEY_BYTES
      arena.u32[at / 4] = this.heap.large.add(new Uint8Array(bytes.subarray(start, end)))
      arena.u32[at / 4 + 1] = keySize
    }
    arena.u32[word] = kind | (flags << 8) | (inlineSize << 16)
    arena.u32[word + VALUE_SIZE_WORD] = valueSize
  }

  /** Frees a long key. What the value refers to is the type's to free. */
  releaseKey(handle: Handle): void {
    const arena = this.heap.arenaOf(handle)
    if ((arena.u32[wordAt(handle)] & (flag.LONG_KEY << 8)) !== 0) {
      this.heap.large.free(arena.u32[this.#keyAt(handle) / 4])
    }
  }

  #keyAt(handle: Handle): number {
    return byteAt(handle) + headBytes(this.heap.arenaOf(handle).u32[wordAt(handle)])
  }

  #longKeyEquals(handle: Handle, bytes: Uint8Array, start: number, end: number): boolean {
    const arena = this.heap.arenaOf(handle)
    const at = this.#keyAt(handle) / 4
    if (arena.u32[at + 1] !== end - start) return false
    return Buffer.compare(this.heap.large.get(arena.u32[at]), bytes.subarray(start, end)) === 0
  }
}

/** From the record's start to its key, given its first word. hot: several times for each command. */
function headBytes(word0: number): number {
  if ((word0 & LAYOUT_BITS) === 0) return HEADER_BYTES
  return (
    HEADER_BYTES +
    ((word0 & (flag.HAS_EXPIRY << 8)) === 0 ? 0 : EXPIRY_BYTES) +
    ((word0 & (flag.HAS_ITEM << 8)) === 0 ? 0 : ITEM_BYTES)
  )
}

/**
 * What a record takes before rounding to a block size, its value being `inlineSizeBytes` in the record.
 * @param layout HAS_EXPIRY and HAS_ITEM
 */
export function recordBytes(keySize: number, layout: number, inlineSizeBytes: number): number {
  const inlineKeySize = keySize <= KEY_INLINE_BYTES_MAX ? keySize : LONG_KEY_BYTES
  return ((headBytes(layout << 8) + inlineKeySize + 3) & ~3) + inlineSizeBytes
}

/**
 * The most bytes that a value can take in its record. It leaves room for the longest key, an expiry and an item, whatever
 * the record has: so a value that fits goes on to fit when RENAME, COPY or MOVE gives it another key.
 */
export const INLINE_BYTES_MAX = BLOCK_BYTES_MAX - recordBytes(KEY_INLINE_BYTES_MAX, LAYOUT_FLAGS, 0)
