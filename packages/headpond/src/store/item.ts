import type { Handle } from '../memory/heap.ts'
import type { Database } from './database.ts'
import { ITEM_BYTES, type Records } from './record.ts'

/**
 * What memcached keeps with a string beside its value, in four words of its record:
 *
 *   | clientFlags | cas: low | state: 12 bits, cas: high 20 bits | usedAt |
 *
 *   clientFlags  32 bits that mean something to clients only
 *   cas          a number that no earlier state of any item had; 0 while none has been given
 *   usedAt       seconds since 1970 of the last access by memcached's commands
 *
 * Whatever memcached's commands store has them; a string of RESP's gets them when one of memcached's commands needs a
 * place for its number or its state. Every command that is about to change a string in another way passes by
 * `Database.write`, which takes the number and the state away: so a `cas` never succeeds on a string that has changed
 * meanwhile. The client flags stay, as they do in memcached when something is appended.
 */
export const itemState = {
  /** Marked as out of date (`md I`), to be given out until someone has a newer one. */
  STALE: 1 << 20,
  /** A client was told to fetch a newer one. */
  TOKEN_SENT: 1 << 21,
  /** Given out since it was stored. */
  FETCHED: 1 << 22,
  /** Its key was given in base64. */
  BINARY_KEY: 1 << 23,
} as const

const CAS_LOW = 1
const CAS_HIGH = 2
const USED_AT = 3
const CAS_HIGH_MASK = (1 << 20) - 1

/** Fills the words of a new item. hot: once for each `set`. */
export function startItem(
  records: Records,
  handle: Handle,
  clientFlags: number,
  cas: number,
  nowSeconds: number,
): void {
  const words = records.heap.arenaOf(handle).u32
  const at = records.itemAt(handle)
  words[at] = clientFlags
  words[at + CAS_LOW] = cas >>> 0
  words[at + CAS_HIGH] = Math.floor(cas / 2 ** 32)
  words[at + USED_AT] = nowSeconds
}

/** The value is about to change: its number and its state are those of a value that is no more. */
export function renewItem(records: Records, handle: Handle): void {
  const words = records.heap.arenaOf(handle).u32
  const at = records.itemAt(handle)
  words[at + CAS_LOW] = 0
  words[at + CAS_HIGH] &= itemState.BINARY_KEY
}

export function copyItem(records: Records, from: Handle, to: Handle): void {
  const source = records.heap.arenaOf(from).u32
  const target = records.heap.arenaOf(to).u32
  const fromAt = records.itemAt(from)
  const toAt = records.itemAt(to)
  for (let word = 0; word < ITEM_BYTES / 4; word++) target[toAt + word] = source[fromAt + word]
}

export function clientFlags(records: Records, handle: Handle): number {
  return records.hasItem(handle) ? records.heap.arenaOf(handle).u32[records.itemAt(handle)] : 0
}

/** For a record that is an item. */
export function setClientFlags(records: Records, handle: Handle, flags: number): void {
  records.heap.arenaOf(handle).u32[records.itemAt(handle)] = flags
}

/** Gives a string client flags. Returns its handle, which is another when it had to move. */
export function giveClientFlags(database: Database, handle: Handle, flags: number): Handle {
  const { records } = database
  const item = records.hasItem(handle) ? handle : database.addItem(handle)
  setClientFlags(records, item, flags)
  return item
}

/** The bits of `itemState` that are set. */
export function stateOf(records: Records, handle: Handle): number {
  if (!records.hasItem(handle)) return 0
  return records.heap.arenaOf(handle).u32[records.itemAt(handle) + CAS_HIGH] & ~CAS_HIGH_MASK
}

/** For a record that is an item. */
export function setState(records: Records, handle: Handle, bits: number): void {
  const words = records.heap.arenaOf(handle).u32
  const at = records.itemAt(handle) + CAS_HIGH
  words[at] = (words[at] & CAS_HIGH_MASK) | bits
}

/** When one of memcached's commands used an item last, in seconds since 1970. For a record that is an item. */
export function usedAtSeconds(records: Records, handle: Handle): number {
  return records.heap.arenaOf(handle).u32[records.itemAt(handle) + USED_AT]
}

/** Notes that an item was given out. hot: once for each `get` that hits. */
export function markFetched(records: Records, handle: Handle, nowSeconds: number): void {
  const words = records.heap.arenaOf(handle).u32
  const at = records.itemAt(handle)
  words[at + CAS_HIGH] |= itemState.FETCHED
  words[at + USED_AT] = nowSeconds
}

/** The number of an item's present state, or 0 when it has none yet. For a record that is an item. */
export function casOf(records: Records, handle: Handle): number {
  const words = records.heap.arenaOf(handle).u32
  const at = records.itemAt(handle)
  return (words[at + CAS_HIGH] & CAS_HIGH_MASK) * 2 ** 32 + words[at + CAS_LOW]
}

/** For a record that is an item; `cas` is a safe integer below 2^52. */
export function setCas(records: Records, handle: Handle, cas: number): void {
  const words = records.heap.arenaOf(handle).u32
  const at = records.itemAt(handle)
  words[at + CAS_LOW] = cas >>> 0
  words[at + CAS_HIGH] = (words[at + CAS_HIGH] & ~CAS_HIGH_MASK) | Math.floor(cas / 2 ** 32)
}

/** Makes a string an item with a number, if it is not one yet. Returns its handle, which is another when it had to move. */
export function ensureItem(database: Database, handle: Handle): Handle {
  const { records, store } = database
  const item = records.hasItem(handle) ? handle : database.addItem(handle)
  if (casOf(records, item) === 0) setCas(records, item, store.nextCas())
  return item
}
