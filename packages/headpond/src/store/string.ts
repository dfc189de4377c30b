import { copyBytes } from '../bytes/copy.ts'
import { decimalLength, isCanonicalInteger, writeInteger } from '../bytes/integer.ts'
import { type Handle, NONE } from '../memory/heap.ts'
import { ownCopy } from '../memory/spare-buffers.ts'
import type { Database } from './database.ts'
import { clientFlags, setClientFlags } from './item.ts'
import { encoding, INLINE_BYTES_MAX, kindOf, NEVER, type as types } from './record.ts'
import type { Store } from './store.ts'
import type { TypeOperations } from './types.ts'

/**
 * Strings: bytes in the record up to INLINE_BYTES_MAX, beyond that a buffer of their own, which may have room behind the
 * value. `valueSize` of the record is the string's length in both cases.
 *
 * A large buffer may be on its way to a socket. What lies behind the length it had then may still be written; to write
 * before it, ask for `writableArray`, which copies such a buffer first.
 */

/** The length of a string is kept in 32 bits. */
export const STRING_BYTES_MAX = 2 ** 32 - 1

/** Redis embeds strings up to this size in the object itself, and says so in OBJECT ENCODING. */
const EMBSTR_BYTES_MAX = 44
/** Below this size a growing buffer doubles. */
const DOUBLING_BYTES_MAX = 2 ** 20

const INLINE_STRING = kindOf(types.STRING, encoding.INLINE)
const RAW_STRING = kindOf(types.STRING, encoding.INLINE_RAW)
const TEXT_STRING = kindOf(types.STRING, encoding.INLINE_TEXT)
const LARGE_STRING = kindOf(types.STRING, encoding.LARGE)

export const stringOperations: TypeOperations = {
  inlineBytes(store, handle) {
    return isLarge(store, handle) ? 4 : store.records.valueSize(handle)
  },
  release(store, handle) {
    if (isLarge(store, handle)) store.heap.large.free(store.records.valueWord(handle, 0))
  },
  cloneReferred(store, handle) {
    if (!isLarge(store, handle)) return
    const original = store.heap.large.get(store.records.valueWord(handle, 0))
    const copy = ownCopy(original, 0, store.records.valueSize(handle))
    store.records.setValueWord(handle, 0, store.heap.large.add(copy))
  },
  encodingName(store, handle) {
    const code = store.records.encoding(handle)
    if (code === encoding.LARGE || code === encoding.INLINE_RAW) return 'raw'
    const { start, end, bytes } = stringBytes(store, handle)
    if (code === encoding.INLINE && isCanonicalInteger(bytes, start, end)) return 'int'
    return end - start <= EMBSTR_BYTES_MAX ? 'embstr' : 'raw'
  },
  referredBytes(store, handle) {
    if (!isLarge(store, handle)) return 0
    return store.heap.large.get(store.records.valueWord(handle, 0)).length
  },
  digest(store, handle, digest) {
    const { bytes, start, end } = stringBytes(store, handle)
    digest.append(bytes.subarray(start, end))
  },
}

// ---- Reading ----

/** Where a string's bytes are. Allocates the answer: for commands off the hot path. Valid until the next write. */
export function stringBytes(store: Store, handle: Handle): { bytes: Uint8Array; start: number; end: number } {
  const start = stringStart(store, handle)
  return { bytes: stringArray(store, handle), start, end: start + store.records.valueSize(handle) }
}

/** The array that holds a string; it begins there at `stringStart`. Valid until the next write. */
export function stringArray(store: Store, handle: Handle): Uint8Array {
  if (isLarge(store, handle)) return store.heap.large.get(store.records.valueWord(handle, 0))
  return store.heap.arenaOf(handle).u8
}

export function stringStart(store: Store, handle: Handle): number {
  return isLarge(store, handle) ? 0 : store.records.valueAt(handle)
}

/**
 * The bytes of a string longer than `sizeBytes`, for a reader that keeps them for a while: they stay as they are, whatever
 * becomes of the string. Null when it is not so long, or in the record.
 */
export function lendLargeString(store: Store, handle: Handle, sizeBytes: number): Uint8Array | null {
  const valueSize = store.records.valueSize(handle)
  if (valueSize <= sizeBytes || !isLarge(store, handle)) return null
  return store.heap.large.lend(store.records.valueWord(handle, 0)).subarray(0, valueSize)
}

function isLarge(store: Store, handle: Handle): boolean {
  return store.records.encoding(handle) === encoding.LARGE
}

// ---- Changing in place: the caller has looked the key up with `Database.write`, and announces the change ----

/** As `stringArray`, to write anywhere in the string. O(1); O(string size) when a socket still holds the buffer. */
export function writableArray(store: Store, handle: Handle): Uint8Array {
  if (isLarge(store, handle)) return store.heap.large.writable(store.records.valueWord(handle, 0))
  return store.heap.arenaOf(handle).u8
}

/**
 * Writes bytes[start, end) into a string from `at` on, with zeros in any gap before it. Returns the string's handle,
 * which is another when the record had to move. O(bytes written) on average, see `growString`.
 */
export function writeIntoString(
  database: Database,
  handle: Handle,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): Handle {
  const { store } = database
  const isAppended = at >= store.records.valueSize(handle)
  const grown = growString(database, handle, at + end - start)
  const target = isAppended ? stringArray(store, grown) : writableArray(store, grown)
  copyBytes(bytes, start, end, target, stringStart(store, grown) + at)
  return grown
}

/**
 * Makes a string at least `sizeBytes` long by zeros at its end, to be changed in place: OBJECT ENCODING calls it raw
 * from now on. Returns its handle, which is another when the record had to move.
 *
 * O(added bytes), averaged over repeated growth: blocks of the heap grow by an eighth at least, a large buffer by its
 * whole size up to 1 MB, and by an eighth of it (1 MB at least) from there on. Redis adds 1 MB at a time, since
 * its allocator can move pages instead of copying; here, room that is not written to costs no memory.
 */
export function growString(database: Database, handle: Handle, sizeBytes: number): Handle {
  const { store, records } = database
  const oldSize = records.valueSize(handle)
  const newSize = Math.max(oldSize, sizeBytes)
  if (isLarge(store, handle)) {
    if (newSize > oldSize) growLarge(store, handle, oldSize, newSize)
    return handle
  }
  if (newSize > INLINE_BYTES_MAX) return moveToLarge(database, handle, newSize)
  let grown = handle
  if (newSize > oldSize) {
    grown = database.resize(handle, newSize)
    const at = records.valueAt(grown)
    store.heap.arenaOf(grown).u8.fill(0, at + oldSize, at + newSize)
    records.setValueSize(grown, newSize)
  }
  records.setKind(grown, RAW_STRING)
  return grown
}

function growLarge(store: Store, handle: Handle, oldSize: number, newSize: number): void {
  const index = store.records.valueWord(handle, 0)
  const buffer = store.heap.large.get(index)
  if (newSize <= buffer.length) buffer.fill(0, oldSize, newSize)
  else store.heap.large.replace(index, grownCopy(buffer, 0, oldSize, newSize))
  store.records.setValueSize(handle, newSize)
}

function moveToLarge(database: Database, handle: Handle, newSize: number): Handle {
  const { store, records } = database
  const { bytes, start, end } = stringBytes(store, handle)
  const index = store.heap.large.add(grownCopy(bytes, start, end, newSize))
  const moved = database.resize(handle, 4)
  records.setKind(moved, LARGE_STRING)
  records.setValueSize(moved, newSize)
  records.setValueWord(moved, 0, index)
  return moved
}

/** A zeroed buffer for `newSize` bytes and more to come, that begins with bytes[start, end). */
function grownCopy(bytes: Uint8Array, start: number, end: number, newSize: number): Uint8Array {
  const spareBytes = newSize < DOUBLING_BYTES_MAX ? newSize : Math.max(DOUBLING_BYTES_MAX, (end - start) / 8)
  const grown = Buffer.alloc(Math.min(newSize + Math.floor(spareBytes), STRING_BYTES_MAX))
  copyBytes(bytes, start, end, grown, 0)
  return grown
}

// ---- Numbers ----

/**
 * Writes a safe integer in the place of an inline string's value; the key keeps its expiry. O(1).
 * hot: once for each INCR.
 */
export function setInteger(database: Database, handle: Handle, value: number): void {
  const records = database.records
  const size = decimalLength(value)
  let target = handle
  if (size !== records.valueSize(handle)) {
    target = database.resize(handle, size)
    records.setValueSize(target, size)
  }
  records.setKind(target, INLINE_STRING)
  writeInteger(database.store.heap.arenaOf(target).u8, records.valueAt(target), value)
}

/** Makes the key bytes[start, end), which does not exist, with a safe integer as its value. Expected O(1). */
export function createInteger(database: Database, bytes: Uint8Array, start: number, end: number, value: number): void {
  const size = decimalLength(value)
  const handle = database.put(bytes, start, end, INLINE_STRING, size, size, NEVER)
  writeInteger(database.store.heap.arenaOf(handle).u8, database.records.valueAt(handle), value)
}

/**
 * Stores a number, written in ASCII, in place of whatever the key held. `isInteger` decides whether OBJECT ENCODING may
 * call it int: Redis does for INCRBY, never for INCRBYFLOAT. The text is shorter than what a record holds.
 */
export function putNumberText(
  database: Database,
  bytes: Uint8Array,
  start: number,
  end: number,
  text: string,
  isInteger: boolean,
  expireAtMs: number,
): void {
  const { records } = database
  const existing = database.peek(bytes, start, end)
  const flags = existing === NONE ? 0 : clientFlags(records, existing)
  const kind = isInteger ? INLINE_STRING : TEXT_STRING
  const handle = database.put(bytes, start, end, kind, text.length, text.length, expireAtMs)
  const array = database.store.heap.arenaOf(handle).u8
  const at = records.valueAt(handle)
  for (let index = 0; index < text.length; index++) array[at + index] = text.charCodeAt(index)
  // A number that is counted on is the same item of memcached's.
  if (flags !== 0) setClientFlags(records, database.addItem(handle), flags)
}
