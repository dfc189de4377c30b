import { decimalLength, isCanonicalInteger, parseBigInteger, parseInteger, writeInteger } from '../bytes/integer.ts'
import type { Text } from './text.ts'

/**
 * Listpacks: short sequences of byte strings packed into one run of bytes, in Redis's own format (listpack.c), so that a
 * packed value can be dumped, restored and saved without touching its elements.
 *
 *   | totalBytes u32 | count u16 | entry | entry | ... | 0xff |        little-endian
 *
 *   entry    | encoding and content | backlen |
 *
 *   0xxxxxxx                          integer, 0 to 127
 *   10xxxxxx content                  string of up to 63 bytes
 *   110xxxxx xxxxxxxx                 integer of 13 bits, signed
 *   1110xxxx xxxxxxxx content         string of up to 4095 bytes
 *   11110000 length u32 content       longer string
 *   11110001 .. 11110100              integer of 16, 24, 32, 64 bits, little-endian, signed
 *
 * backlen is the size of what stands before it, in groups of seven bits, the lowest group last, so that it can be read
 * from behind: every byte but the first one has its highest bit set.
 *
 * What is a canonical integer is always stored as one; to readers it is text like everything else. count saturates at
 * 65535, which means: count yourself.
 *
 * A listpack lies in `u8` at `at`; an entry is named by where it begins in `u8`, NONE (-1) standing for none. Editing
 * happens in place: the caller sees to it that `u8` has room behind the listpack (`entryBytes` tells how much an element
 * takes), and that the bytes given do not lie within what moves.
 *
 * Use as a namespace: `import * as listpack from '../memory/listpack.ts'`.
 */

export const HEADER_BYTES = 6
/** An empty listpack: header and end. */
export const EMPTY_BYTES = HEADER_BYTES + 1
export const NONE = -1

const COUNT_AT = 4
const COUNT_UNKNOWN = 0xffff
const END = 0xff

const STRING_32 = 0xf0
const INTEGER_16 = 0xf1
const INTEGER_24 = 0xf2
const INTEGER_32 = 0xf3
const INTEGER_64 = 0xf4

const DIGIT_9 = 0x39
const MINUS = 0x2d

// ---- Reading ----

/** Size of the whole listpack. */
export function totalBytes(u8: Uint8Array, at: number): number {
  return readUint32(u8, at)
}

/** How many elements there are. O(1), O(n) from 65535 on. */
export function count(u8: Uint8Array, at: number): number {
  const noted = u8[at + COUNT_AT] | (u8[at + COUNT_AT + 1] << 8)
  if (noted !== COUNT_UNKNOWN) return noted
  let counted = 0
  for (let entry = at + HEADER_BYTES; u8[entry] !== END; entry = behind(u8, entry)) counted++
  return counted
}

export function first(u8: Uint8Array, at: number): number {
  const entry = at + HEADER_BYTES
  return u8[entry] === END ? NONE : entry
}

export function last(u8: Uint8Array, at: number): number {
  return previous(u8, at, endOf(u8, at))
}

// hot: for each element of a walk.
export function next(u8: Uint8Array, entry: number): number {
  const following = behind(u8, entry)
  return u8[following] === END ? NONE : following
}

/** Whether nothing follows: for a position that `behind` returned. */
export function isEnd(u8: Uint8Array, position: number): boolean {
  return u8[position] === END
}

/** The element before `entry`, which may also be the end (`endOf`). */
export function previous(u8: Uint8Array, at: number, entry: number): number {
  if (entry === at + HEADER_BYTES) return NONE
  let size = 0
  let shift = 1
  let byteAt = entry - 1
  for (; ; byteAt--) {
    size += (u8[byteAt] & 127) * shift
    if (u8[byteAt] < 128) break
    shift *= 128
  }
  return byteAt - size
}

/** Where the end byte stands: what `insert` takes for appending. */
export function endOf(u8: Uint8Array, at: number): number {
  return at + readUint32(u8, at) - 1
}

/** The element with this index, counted from the last one as -1 when negative. O(distance from the nearer end). */
export function seek(u8: Uint8Array, at: number, index: number): number {
  const noted = u8[at + COUNT_AT] | (u8[at + COUNT_AT + 1] << 8)
  let forward = index >= 0
  let steps = forward ? index : -index - 1
  if (noted !== COUNT_UNKNOWN) {
    if (steps >= noted) return NONE
    if (steps > noted / 2) {
      steps = noted - 1 - steps
      forward = !forward
    }
  }
  let entry = forward ? first(u8, at) : last(u8, at)
  while (steps-- > 0 && entry !== NONE) entry = forward ? next(u8, entry) : previous(u8, at, entry)
  return entry
}

// hot: for each element of a walk.
export function isString(u8: Uint8Array, entry: number): boolean {
  const marker = u8[entry]
  return (marker & 0xc0) === 0x80 || (marker & 0xf0) === 0xe0 || marker === STRING_32
}

/**
 * Where the bytes of a string of up to 63 end, which begin one behind `entry`; the next element begins one behind their end.
 * NONE for every other element, and for the end of the listpack. hot: for each element of a walk.
 */
export function shortStringEnd(u8: Uint8Array, entry: number): number {
  const marker = u8[entry]
  return (marker & 0xc0) === 0x80 ? entry + 1 + (marker & 63) : NONE
}

/** Where the bytes of a string element begin. For strings only. */
export function stringStart(u8: Uint8Array, entry: number): number {
  const marker = u8[entry]
  return entry + ((marker & 0xc0) === 0x80 ? 1 : marker === STRING_32 ? 5 : 2)
}

/** The length of a string element. For strings only. */
export function stringLength(u8: Uint8Array, entry: number): number {
  const marker = u8[entry]
  if ((marker & 0xc0) === 0x80) return marker & 63
  if (marker === STRING_32) return readUint32(u8, entry + 1)
  return ((marker & 15) << 8) | u8[entry + 1]
}

/**
 * The value of an integer element; NaN for a string, and for what is beyond `Number.MAX_SAFE_INTEGER` (then ask
 * `bigInteger`).
 */
export function integer(u8: Uint8Array, entry: number): number {
  const marker = u8[entry]
  if (marker < 128) return marker
  if ((marker & 0xe0) === 0xc0) return ((((marker & 31) << 8) | u8[entry + 1]) << 19) >> 19
  if (marker === INTEGER_16) return ((u8[entry + 1] | (u8[entry + 2] << 8)) << 16) >> 16
  if (marker === INTEGER_24) return ((u8[entry + 1] | (u8[entry + 2] << 8) | (u8[entry + 3] << 16)) << 8) >> 8
  if (marker === INTEGER_32) return readUint32(u8, entry + 1) | 0
  if (marker === INTEGER_64) {
    const value = (readUint32(u8, entry + 5) | 0) * 2 ** 32 + readUint32(u8, entry + 1)
    return Number.isSafeInteger(value) ? value : Number.NaN
  }
  return Number.NaN
}

/** The value of an integer element of any size, undefined for a string. Allocates. */
export function bigInteger(u8: Uint8Array, entry: number): bigint | undefined {
  const value = integer(u8, entry)
  if (!Number.isNaN(value)) return BigInt(value)
  if (u8[entry] !== INTEGER_64) return undefined
  return (BigInt(readUint32(u8, entry + 5) | 0) << 32n) | BigInt(readUint32(u8, entry + 1))
}

/** The length of an element as text, as clients see it. */
export function textLength(u8: Uint8Array, entry: number): number {
  if (isString(u8, entry)) return stringLength(u8, entry)
  const value = integer(u8, entry)
  return Number.isNaN(value) ? String(bigInteger(u8, entry)).length : decimalLength(value)
}

/** Writes an element as text to `target` at `to`, and returns the position behind it. */
export function writeText(u8: Uint8Array, entry: number, target: Uint8Array, to: number): number {
  if (isString(u8, entry)) {
    const start = stringStart(u8, entry)
    const length = stringLength(u8, entry)
    if (length < 64) for (let i = 0; i < length; i++) target[to + i] = u8[start + i]
    else target.set(u8.subarray(start, start + length), to)
    return to + length
  }
  const value = integer(u8, entry)
  if (!Number.isNaN(value)) return writeInteger(target, to, value)
  const digits = String(bigInteger(u8, entry))
  for (let i = 0; i < digits.length; i++) target[to + i] = digits.charCodeAt(i)
  return to + digits.length
}

/** An element as text, in bytes of its own. Allocates. */
export function text(u8: Uint8Array, entry: number): Buffer {
  const bytes = Buffer.allocUnsafe(textLength(u8, entry))
  writeText(u8, entry, bytes, 0)
  return bytes
}

/** Tells where the text of an element lies. Allocates nothing, but for integers beyond 2^53. */
export function locate(u8: Uint8Array, entry: number, found: Text): void {
  const marker = u8[entry]
  if ((marker & 0xc0) === 0x80) {
    found.set(u8, entry + 1, entry + 1 + (marker & 63))
    return
  }
  if (isString(u8, entry)) {
    const start = stringStart(u8, entry)
    found.set(u8, start, start + stringLength(u8, entry))
    return
  }
  const value = integer(u8, entry)
  if (Number.isNaN(value)) found.setBigInteger(bigInteger(u8, entry)!)
  else found.setInteger(value)
}

/**
 * The first element from `entry` on whose text is bytes[start, end), or NONE. After each element compared, `skip`
 * elements are passed over: 1 for pairs. O(n).
 * hot: once for each field of a small hash.
 */
export function find(
  u8: Uint8Array,
  entry: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  skip: number,
): number {
  if (entry === NONE) return NONE
  const length = end - start
  const isNumber = mayBeInteger(bytes, start, end) && isCanonicalInteger(bytes, start, end)
  const wanted = isNumber ? parseInteger(bytes, start, end) : Number.NaN
  let at = entry
  for (;;) {
    const marker = u8[at]
    if (marker === END) return NONE
    if ((marker & 0xc0) === 0x80) {
      // The common case first, without a call: a short string.
      const size = marker & 63
      if (size === length) {
        let i = 0
        while (i < length && u8[at + 1 + i] === bytes[start + i]) i++
        if (i === length) return at
      }
      at += size + 2
    } else {
      if (entryEquals(u8, at, bytes, start, end, wanted, isNumber)) return at
      at = behind(u8, at)
    }
    for (let skipped = 0; skipped < skip; skipped++) {
      const passed = u8[at]
      if (passed === END) return NONE
      at = (passed & 0xc0) === 0x80 ? at + (passed & 63) + 2 : behind(u8, at)
    }
  }
}

/** Whether the text of an element is bytes[start, end). */
export function equals(u8: Uint8Array, entry: number, bytes: Uint8Array, start: number, end: number): boolean {
  if (isString(u8, entry)) return entryEquals(u8, entry, bytes, start, end, Number.NaN, false)
  if (!mayBeInteger(bytes, start, end) || !isCanonicalInteger(bytes, start, end)) return false
  return entryEquals(u8, entry, bytes, start, end, parseInteger(bytes, start, end), true)
}

function entryEquals(
  u8: Uint8Array,
  entry: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  wanted: number,
  isNumber: boolean,
): boolean {
  if (isString(u8, entry)) {
    const length = stringLength(u8, entry)
    if (length !== end - start) return false
    const from = stringStart(u8, entry)
    for (let i = 0; i < length; i++) {
      if (u8[from + i] !== bytes[start + i]) return false
    }
    return true
  }
  if (!isNumber) return false
  if (!Number.isNaN(wanted)) return integer(u8, entry) === wanted
  return u8[entry] === INTEGER_64 && bigInteger(u8, entry) === parseBigInteger(bytes, start, end)
}

// ---- Editing ----

/** Writes an empty listpack of EMPTY_BYTES. */
export function initialize(u8: Uint8Array, at: number): void {
  writeUint32(u8, at, EMPTY_BYTES)
  u8[at + COUNT_AT] = 0
  u8[at + COUNT_AT + 1] = 0
  u8[at + HEADER_BYTES] = END
}

/** What an element with the text bytes[start, end) takes in a listpack. */
export function entryBytes(bytes: Uint8Array, start: number, end: number): number {
  const size = contentBytes(bytes, start, end)
  return size + backlenBytes(size)
}

/** What the integer element `value` (a safe integer) takes in a listpack. */
export function integerEntryBytes(value: number): number {
  return integerBytes(value) + 1
}

/** What an element takes in its listpack. */
export function bytesOf(u8: Uint8Array, entry: number): number {
  return behind(u8, entry) - entry
}

/** Inserts the text bytes[start, end) before `entry` (or before the end: `endOf`). O(bytes behind it). */
export function insert(u8: Uint8Array, at: number, entry: number, bytes: Uint8Array, start: number, end: number): void {
  insertOf(u8, at, entry, entryBytes(bytes, start, end), bytes, start, end)
}

/**
 * Adds an element of `sizeBytes`, as `entryBytes` tells, before all others by moving the listpack's beginning: there must
 * be so much room before `at`, where it begins no more. O(1). hot: once for each LPUSH.
 */
export function prependOf(
  u8: Uint8Array,
  at: number,
  sizeBytes: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const moved = moveHeader(u8, at, -sizeBytes)
  encode(u8, moved + HEADER_BYTES, bytes, start, end)
  addCount(u8, moved, 1)
}

/**
 * Removes the first element by moving the listpack's beginning behind it; returns by how much. O(1). hot: once for each
 * LPOP.
 */
export function removeFirst(u8: Uint8Array, at: number): number {
  const first = at + HEADER_BYTES
  const sizeBytes = behind(u8, first) - first
  addCount(u8, moveHeader(u8, at, sizeBytes), -1)
  return sizeBytes
}

/** Lets a listpack begin so many bytes further on, less what lies between. */
function moveHeader(u8: Uint8Array, at: number, bytes: number): number {
  const size = readUint32(u8, at)
  const low = u8[at + COUNT_AT]
  const high = u8[at + COUNT_AT + 1]
  const moved = at + bytes
  writeUint32(u8, moved, size - bytes)
  u8[moved + COUNT_AT] = low
  u8[moved + COUNT_AT + 1] = high
  return moved
}

/** As `insert`, for who has asked for the element's `entryBytes` already. hot: once for each RPUSH. */
export function insertOf(
  u8: Uint8Array,
  at: number,
  entry: number,
  sizeBytes: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  open(u8, at, entry, 0, sizeBytes)
  encode(u8, entry, bytes, start, end)
  addCount(u8, at, 1)
}

export function append(u8: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): void {
  insert(u8, at, endOf(u8, at), bytes, start, end)
}

/** Inserts a safe integer before `entry`. */
export function insertInteger(u8: Uint8Array, at: number, entry: number, value: number): void {
  open(u8, at, entry, 0, integerEntryBytes(value))
  encodeInteger(u8, entry, value)
  addCount(u8, at, 1)
}

export function appendInteger(u8: Uint8Array, at: number, value: number): void {
  insertInteger(u8, at, endOf(u8, at), value)
}

/** Puts the text bytes[start, end) in the place of an element. O(bytes behind it), O(1) when the size stays. */
export function replace(
  u8: Uint8Array,
  at: number,
  entry: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  open(u8, at, entry, bytesOf(u8, entry), entryBytes(bytes, start, end))
  encode(u8, entry, bytes, start, end)
}

/** Puts a safe integer in the place of an element. */
export function replaceInteger(u8: Uint8Array, at: number, entry: number, value: number): void {
  open(u8, at, entry, bytesOf(u8, entry), integerEntryBytes(value))
  encodeInteger(u8, entry, value)
}

/** Takes out up to `removeCount` elements from `entry` on. What followed them is now at `entry`. */
export function remove(u8: Uint8Array, at: number, entry: number, removeCount: number): void {
  let to = entry
  let removed = 0
  while (removed < removeCount && u8[to] !== END) {
    to = behind(u8, to)
    removed++
  }
  open(u8, at, entry, to - entry, 0)
  addCount(u8, at, -removed)
}

/** Removes up to `countMax` elements equal to bytes[start, end) from a  Returns how many. O(n). */
export function removeEqual(
  u8: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  countMax: number,
  fromTail: boolean,
): number {
  let removedCount = 0
  if (!fromTail) {
    let entry = find(u8, first(u8, at), bytes, start, end, 0)
    while (entry !== NONE) {
      remove(u8, at, entry, 1)
      if (++removedCount === countMax || entry === endOf(u8, at)) break
      entry = find(u8, entry, bytes, start, end, 0)
    }
    return removedCount
  }
  let entry = last(u8, at)
  while (entry !== NONE && removedCount < countMax) {
    const before = previous(u8, at, entry)
    if (equals(u8, entry, bytes, start, end)) {
      remove(u8, at, entry, 1)
      removedCount++
    }
    entry = before
  }
  return removedCount
}

/** Appends the encoded elements in other[start, end), which are `elementCount`. */
export function appendEncoded(
  u8: Uint8Array,
  at: number,
  other: Uint8Array,
  start: number,
  end: number,
  elementCount: number,
): void {
  const entry = endOf(u8, at)
  open(u8, at, entry, 0, end - start)
  u8.set(other.subarray(start, end), entry)
  addCount(u8, at, elementCount)
}

/** Appends all elements of another listpack. O(size of the other). */
export function concatenate(u8: Uint8Array, at: number, other: Uint8Array, otherAt: number): void {
  const end = endOf(u8, at)
  const otherEnd = endOf(other, otherAt)
  const addedCount = count(other, otherAt)
  u8.set(other.subarray(otherAt + HEADER_BYTES, otherEnd + 1), end)
  writeUint32(u8, at, end - at + otherEnd + 1 - otherAt - HEADER_BYTES)
  addCount(u8, at, addedCount)
}

// Many elements at once: each is written behind the one before, the first one at `endOf`, and `close` makes them part of
// the listpack, which must not be read between. Nothing is moved, and the header is written once.

/** What an element with a text of this size takes at most. */
export const ELEMENT_OVERHEAD_BYTES_MAX = 11

/** Writes an element, and returns the place behind it. hot: several times for each XADD. */
export function writeElement(u8: Uint8Array, to: number, bytes: Uint8Array, start: number, end: number): number {
  return encode(u8, to, bytes, start, end)
}

/** The same for a safe integer. */
export function writeIntegerElement(u8: Uint8Array, to: number, value: number): number {
  return encodeInteger(u8, to, value)
}

/** Ends a listpack behind the `addedCount` elements that were written. */
export function close(u8: Uint8Array, at: number, end: number, addedCount: number): void {
  u8[end] = END
  writeUint32(u8, at, end + 1 - at)
  addCount(u8, at, addedCount)
}

/** Replaces `oldBytes` at `where` by `newBytes` of room, moving what lies behind, and notes the new size. */
function open(u8: Uint8Array, at: number, where: number, oldBytes: number, newBytes: number): void {
  if (oldBytes === newBytes) return
  const size = readUint32(u8, at)
  const tail = where + oldBytes
  const tailEnd = at + size
  // At the end there is one byte to move; elsewhere the native move pays for itself.
  if (tailEnd - tail === 1) u8[where + newBytes] = END
  else u8.copyWithin(where + newBytes, tail, tailEnd)
  writeUint32(u8, at, size + newBytes - oldBytes)
}

function addCount(u8: Uint8Array, at: number, difference: number): void {
  const noted = u8[at + COUNT_AT] | (u8[at + COUNT_AT + 1] << 8)
  if (noted === COUNT_UNKNOWN) return
  const sum = Math.min(noted + difference, COUNT_UNKNOWN)
  u8[at + COUNT_AT] = sum
  u8[at + COUNT_AT + 1] = sum >>> 8
}

// ---- The encoding of one element ----

/** The position behind an element: the next one, or the end. */
export function behind(u8: Uint8Array, entry: number): number {
  const marker = u8[entry]
  let size = 1
  if (marker < 128) return entry + 2
  if ((marker & 0xc0) === 0x80) size = 1 + (marker & 63)
  else if ((marker & 0xe0) === 0xc0) size = 2
  else if ((marker & 0xf0) === 0xe0) size = 2 + (((marker & 15) << 8) | u8[entry + 1])
  else if (marker === STRING_32) size = 5 + readUint32(u8, entry + 1)
  else if (marker === INTEGER_16) size = 3
  else if (marker === INTEGER_24) size = 4
  else if (marker === INTEGER_32) size = 5
  else if (marker === INTEGER_64) size = 9
  return entry + size + backlenBytes(size)
}

/** Size of an element without its backlen. */
function contentBytes(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (mayBeInteger(bytes, start, end)) {
    const value = parseInteger(bytes, start, end)
    if (!Number.isNaN(value)) return integerBytes(value)
    if (isCanonicalInteger(bytes, start, end)) return 9
  }
  return length < 64 ? 1 + length : length < 4096 ? 2 + length : 5 + length
}

function integerBytes(value: number): number {
  if (value >= 0 && value <= 127) return 1
  if (value >= -4096 && value <= 4095) return 2
  if (value >= -0x8000 && value <= 0x7fff) return 3
  if (value >= -0x800000 && value <= 0x7fffff) return 4
  return value === (value | 0) ? 5 : 9
}

/** Writes an element, and returns the place behind it. */
function encode(u8: Uint8Array, entry: number, bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (mayBeInteger(bytes, start, end)) {
    const value = parseInteger(bytes, start, end)
    if (!Number.isNaN(value)) return encodeInteger(u8, entry, value)
    const big = parseBigInteger(bytes, start, end)
    if (big !== undefined) {
      encodeBigInteger(u8, entry, big)
      return entry + 10
    }
  }
  let to = entry
  if (length < 64) {
    u8[to++] = 0x80 | length
  } else if (length < 4096) {
    u8[to++] = 0xe0 | (length >>> 8)
    u8[to++] = length
  } else {
    u8[to++] = STRING_32
    writeUint32(u8, to, length)
    to += 4
  }
  if (length < 64) for (let i = start; i < end; i++) u8[to++] = bytes[i]
  else {
    u8.set(bytes.subarray(start, end), to)
    to += length
  }
  return writeBacklen(u8, to, to - entry)
}

function encodeInteger(u8: Uint8Array, entry: number, value: number): number {
  const size = integerBytes(value)
  if (size === 1) {
    u8[entry] = value
  } else if (size === 2) {
    u8[entry] = 0xc0 | ((value >> 8) & 31)
    u8[entry + 1] = value
  } else if (size === 9) {
    u8[entry] = INTEGER_64
    writeUint32(u8, entry + 1, value >>> 0)
    writeUint32(u8, entry + 5, Math.floor(value / 2 ** 32))
  } else {
    u8[entry] = INTEGER_16 + size - 3
    for (let i = 1; i < size; i++) u8[entry + i] = value >> (8 * (i - 1))
  }
  u8[entry + size] = size
  return entry + size + 1
}

function encodeBigInteger(u8: Uint8Array, entry: number, value: bigint): void {
  u8[entry] = INTEGER_64
  writeUint32(u8, entry + 1, Number(BigInt.asUintN(32, value)))
  writeUint32(u8, entry + 5, Number(BigInt.asUintN(32, value >> 32n)))
  u8[entry + 9] = 9
}

/** The limits leave out the largest value of each size, as Redis's do. */
function backlenBytes(size: number): number {
  return size <= 127 ? 1 : size < 16383 ? 2 : size < 2097151 ? 3 : size < 268435455 ? 4 : 5
}

/** Returns the place behind it. */
function writeBacklen(u8: Uint8Array, to: number, size: number): number {
  if (size <= 127) {
    u8[to] = size
    return to + 1
  }
  const bytes = backlenBytes(size)
  let rest = size
  for (let i = bytes - 1; i > 0; i--) {
    u8[to + i] = (rest & 127) | 128
    rest = Math.floor(rest / 128)
  }
  u8[to] = rest
  return to + bytes
}

/** Cheap, and false for almost everything that is no integer. */
function mayBeInteger(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start
  if (length === 0 || length > 20) return false
  const leading = bytes[start]
  return leading <= DIGIT_9 && (leading > 0x2f || leading === MINUS) && bytes[end - 1] <= DIGIT_9
}

// ---- Listpacks from elsewhere ----

/**
 * Whether bytes[start, end) is a listpack throughout: sizes, backlens, count and end. What comes from outside (RESTORE,
 * files) is read only after this. O(n).
 */
export function isValid(bytes: Uint8Array, start: number, end: number): boolean {
  const size = end - start
  if (size < EMPTY_BYTES || readUint32(bytes, start) !== size || bytes[end - 1] !== END) return false
  let counted = 0
  let entry = start + HEADER_BYTES
  while (bytes[entry] !== END) {
    const headerEnd = entry + (bytes[entry] === STRING_32 ? 5 : (bytes[entry] & 0xf0) === 0xe0 ? 2 : 1)
    if (headerEnd >= end || bytes[entry] > INTEGER_64) return false
    const following = behind(bytes, entry)
    if (following >= end) return false
    if (previous(bytes, start, following) !== entry) return false
    entry = following
    counted++
  }
  const noted = bytes[start + COUNT_AT] | (bytes[start + COUNT_AT + 1] << 8)
  return entry === end - 1 && (noted === COUNT_UNKNOWN || noted === counted)
}

function readUint32(u8: Uint8Array, at: number): number {
  return (u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24)) >>> 0
}

function writeUint32(u8: Uint8Array, at: number, value: number): void {
  u8[at] = value
  u8[at + 1] = value >>> 8
  u8[at + 2] = value >>> 16
  u8[at + 3] = value >>> 24
}
