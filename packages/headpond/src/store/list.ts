import { copyBytes } from '../bytes/copy.ts'
import type { Handle } from '../memory/heap.ts'
import { ListCursor } from '../memory/list-cursor.ts'
import * as listpack from '../memory/listpack.ts'
import { NodeLimit } from '../memory/node-limit.ts'
import { type NodeVisitor, Quicklist } from '../memory/quicklist.ts'
import type { Database } from './database.ts'
import { encoding, INLINE_BYTES_MAX, kindOf, type } from './record.ts'
import type { Store } from './store.ts'
import type { TypeOperations } from './types.ts'

/**
 * Lists: a listpack in the record while it fits one node of a quicklist, a Quicklist from there on. When a long list
 * has shrunk to a single node that is at most half full, it goes back into the record (Redis 7.2's rules).
 *
 * Functions that may move the record return its handle. Announcing changes, and deleting a list that has become empty,
 * is for the caller. Bytes given must not lie in the heap's arenas, since those of the list move.
 */
const LISTPACK = kindOf(type.LIST, encoding.LISTPACK)
const QUICKLIST = kindOf(type.LIST, encoding.QUICKLIST)
const INDEX_BYTES = 4

/** Lists of so many nodes are freed at once; longer ones in the background. */
const NODES_FREED_AT_ONCE = 64

export const listOperations: TypeOperations = {
  inlineBytes(store, handle) {
    return store.records.valueSize(handle)
  },
  release(store, handle) {
    if (!isLong(store, handle)) return
    const quicklist = quicklistOf(store, handle)
    store.structures.free(store.records.valueWord(handle, 0))
    dispose(store, quicklist)
  },
  cloneReferred(store, handle) {
    if (!isLong(store, handle)) return
    store.records.setValueWord(handle, 0, store.structures.add(quicklistOf(store, handle).clone()))
  },
  // A list that is packed in its record has the name of a quicklist of one node, which it is to Redis 7.0.
  encodingName() {
    return 'quicklist'
  },
  referredBytes(store, handle) {
    return isLong(store, handle) ? quicklistOf(store, handle).sizeBytes : 0
  },
  digest(store, handle, digest) {
    const cursor = new ListCursor()
    openList(cursor, store, handle)
    for (let has = cursor.toIndex(0); has; has = cursor.next()) digest.append(cursor.toBytes())
  },
}

function dispose(store: Store, quicklist: Quicklist): void {
  if (quicklist.watcher !== null) return quicklist.watcher.outlive(() => dispose(store, quicklist))
  if (quicklist.nodeCount <= NODES_FREED_AT_ONCE) return quicklist.dismantle(NODES_FREED_AT_ONCE)
  store.lazyFree.add({
    get leftCount() {
      return quicklist.count
    },
    freeSome: () => quicklist.dismantle(NODES_FREED_AT_ONCE),
  })
}

function isLong(store: Store, handle: Handle): boolean {
  return store.records.encoding(handle) === encoding.QUICKLIST
}

/** The large form of a list of more than one part. */
export function quicklistOf(store: Store, handle: Handle): Quicklist {
  return store.structures.of<Quicklist>(store.records, handle)
}

/** The setting changes rarely, and everyone who has the same can use the same limit. */
let latestLimit = { maxListpackSize: -2, limit: new NodeLimit(-2) }
function nodeLimit(store: Store): NodeLimit {
  const maxListpackSize = store.packedLimits.listMaxListpackSize
  if (latestLimit.maxListpackSize !== maxListpackSize) {
    latestLimit = { maxListpackSize, limit: new NodeLimit(maxListpackSize) }
  }
  return latestLimit.limit
}

// ---- Reading ----

/** O(1). */
export function listLength(store: Store, handle: Handle): number {
  if (isLong(store, handle)) return quicklistOf(store, handle).count
  return listpack.count(store.heap.arenaOf(handle).u8, store.records.valueAt(handle))
}

/** Directs a cursor to a list: then `toIndex` finds an element. */
export function openList(cursor: ListCursor, store: Store, handle: Handle): void {
  if (isLong(store, handle)) cursor.openQuicklist(quicklistOf(store, handle))
  else cursor.openListpack(store.heap.arenaOf(handle).u8, store.records.valueAt(handle))
}

/** Calls `visit` with the parts of a list from the head on: each a listpack, or one element. */
export function eachListNode(store: Store, handle: Handle, visit: NodeVisitor): void {
  if (isLong(store, handle)) return quicklistOf(store, handle).eachNode(visit)
  const at = store.records.valueAt(handle)
  visit(false, store.heap.arenaOf(handle).u8, at, at + store.records.valueSize(handle))
}

/** How many parts `eachListNode` shows. */
export function listNodeCount(store: Store, handle: Handle): number {
  return isLong(store, handle) ? quicklistOf(store, handle).nodeCount : 1
}

// ---- Making ----

/** Makes an empty list in place of whatever the key held; elements must follow at once. */
export function createList(
  database: Database,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  expireAtMs: number,
): Handle {
  const size = listpack.EMPTY_BYTES
  const handle = database.put(key, keyStart, keyEnd, LISTPACK, size, size, expireAtMs)
  listpack.initialize(database.store.heap.arenaOf(handle).u8, database.records.valueAt(handle))
  return handle
}

/** A part of a list: a listpack, or one element. */
export interface ListNode {
  readonly isPlain: boolean
  readonly bytes: Uint8Array
}

/** Puts a list together from its head on, before a key gets it. */
export class ListBuilder {
  readonly #quicklist: Quicklist

  constructor(store: Store) {
    this.#quicklist = newQuicklist(store)
  }

  get count(): number {
    return this.#quicklist.count
  }

  appendNode({ isPlain, bytes }: ListNode): void {
    if (isPlain) this.#quicklist.appendPlain(bytes, 0, bytes.length)
    else this.#quicklist.appendListpack(bytes, 0)
  }

  append(element: Uint8Array): void {
    this.#quicklist.push(true, element, 0, element.length)
  }

  /** Gives the list, of one element at least, to a key, in place of whatever that held. */
  storeAs(database: Database, key: Uint8Array, keyStart: number, keyEnd: number, expireAtMs: number): Handle {
    return putQuicklist(database, key, keyStart, keyEnd, expireAtMs, this.#quicklist)
  }
}

/** Makes a list of whole parts, at least one, in place of whatever the key held. O(size). */
export function createListOfNodes(
  database: Database,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  expireAtMs: number,
  nodes: readonly ListNode[],
): Handle {
  const list = new ListBuilder(database.store)
  for (const node of nodes) list.appendNode(node)
  return list.storeAs(database, key, keyStart, keyEnd, expireAtMs)
}

/** Makes a list of elements, at least one, in place of whatever the key held. O(n). */
export function createListOf(
  database: Database,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  expireAtMs: number,
  elements: readonly Uint8Array[],
): Handle {
  const list = new ListBuilder(database.store)
  for (const element of elements) list.append(element)
  return list.storeAs(database, key, keyStart, keyEnd, expireAtMs)
}

function newQuicklist(store: Store): Quicklist {
  return new Quicklist(store.heap, nodeLimit(store))
}

function putQuicklist(
  database: Database,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  expireAtMs: number,
  quicklist: Quicklist,
): Handle {
  const handle = database.put(key, keyStart, keyEnd, QUICKLIST, INDEX_BYTES, INDEX_BYTES, expireAtMs)
  database.records.setValueWord(handle, 0, database.store.structures.add(quicklist))
  return toListpackIf(database, handle, 1)
}

// ---- Adding ----

/**
 * Makes a list ready to take `addedCount` elements of `addedBytes` together: one that would become too large for its
 * record gets its large form.
 */
export function prepareToAdd(database: Database, handle: Handle, addedBytes: number, addedCount: number): Handle {
  const { store } = database
  if (isLong(store, handle)) return handle
  const sizeBytes = store.records.valueSize(handle) + addedBytes
  const isLarge = nodeLimit(store).isExceededBy(sizeBytes, listLength(store, handle) + addedCount)
  // In its record an element takes up to eleven bytes more.
  return isLarge || sizeBytes + addedCount * 11 > INLINE_BYTES_MAX ? toQuicklist(database, handle) : handle
}

/**
 * Adds elements at an end, one after the other: those that begin and end in `bytes` where `places` says, from the pair
 * at `firstPlace` up to that at `endPlace`. hot: once for each LPUSH or RPUSH.
 */
export function pushElements(
  database: Database,
  handle: Handle,
  atTail: boolean,
  bytes: Uint8Array,
  places: Int32Array,
  firstPlace: number,
  endPlace: number,
): Handle {
  const { store } = database
  let target = handle
  if (!isLong(store, target)) {
    let addedBytes = 0
    for (let place = firstPlace; place < endPlace; place++) addedBytes += places[place * 2 + 1] - places[place * 2]
    target = prepareToAdd(database, target, addedBytes, endPlace - firstPlace)
    if (!isLong(store, target)) {
      for (let place = firstPlace; place < endPlace; place++) {
        target = pushPacked(database, target, atTail, bytes, places[place * 2], places[place * 2 + 1])
      }
      return target
    }
  }
  const quicklist = quicklistOf(store, target)
  for (let place = firstPlace; place < endPlace; place++) {
    quicklist.push(atTail, bytes, places[place * 2], places[place * 2 + 1])
  }
  return target
}

/** Adds an element at an end. */
export function pushElement(database: Database, handle: Handle, atTail: boolean, element: Uint8Array): Handle {
  const target = prepareToAdd(database, handle, element.length, 1)
  if (!isLong(database.store, target)) return pushPacked(database, target, atTail, element, 0, element.length)
  quicklistOf(database.store, target).push(atTail, element, 0, element.length)
  return target
}

function pushPacked(
  database: Database,
  handle: Handle,
  atTail: boolean,
  bytes: Uint8Array,
  start: number,
  end: number,
): Handle {
  const offset = atTail ? database.records.valueSize(handle) - 1 : listpack.HEADER_BYTES
  return insertPacked(database, handle, offset, bytes, start, end)
}

/** Inserts an element beside the one that the cursor stands on, into a list that was prepared for it. */
export function insertElement(
  database: Database,
  handle: Handle,
  cursor: ListCursor,
  isAfter: boolean,
  bytes: Uint8Array,
  start: number,
  end: number,
): Handle {
  const { store } = database
  if (isLong(store, handle)) {
    quicklistOf(store, handle).insert(cursor, isAfter, bytes, start, end)
    return handle
  }
  return insertPacked(database, handle, isAfter ? cursor.offsetBehind : cursor.offset, bytes, start, end)
}

/** Puts an element in the place of the one that the cursor stands on, in a list that was prepared for it. */
export function replaceElement(
  database: Database,
  handle: Handle,
  cursor: ListCursor,
  bytes: Uint8Array,
  start: number,
  end: number,
): Handle {
  const { store } = database
  if (isLong(store, handle)) {
    quicklistOf(store, handle).replace(cursor, bytes, start, end)
    return toListpackIf(database, handle, 2)
  }
  const { offset } = cursor
  const oldBytes = cursor.offsetBehind - offset
  const sizeBytes = store.records.valueSize(handle) + listpack.entryBytes(bytes, start, end) - oldBytes
  const roomy = sizeBytes > store.records.valueSize(handle) ? database.resize(handle, sizeBytes) : handle
  const at = store.records.valueAt(roomy)
  listpack.replace(store.heap.arenaOf(roomy).u8, at, at + offset, bytes, start, end)
  return fitRecord(database, roomy)
}

function insertPacked(
  database: Database,
  handle: Handle,
  offset: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): Handle {
  const { records, store } = database
  const entryBytes = listpack.entryBytes(bytes, start, end)
  const sizeBytes = records.valueSize(handle) + entryBytes
  const roomy = database.resize(handle, sizeBytes)
  records.setValueSize(roomy, sizeBytes)
  const at = records.valueAt(roomy)
  listpack.insertOf(store.heap.arenaOf(roomy).u8, at, at + offset, entryBytes, bytes, start, end)
  return roomy
}

// ---- Removing ----

/** Removes the element at an end. hot: once for each LPOP or RPOP. */
export function removeEndElement(database: Database, handle: Handle, atTail: boolean): Handle {
  const { store } = database
  if (isLong(store, handle)) {
    const quicklist = quicklistOf(store, handle)
    quicklist.removeEnd(atTail)
    return quicklist.nodeCount === 1 ? toListpackIf(database, handle, 2) : handle
  }
  const { u8 } = store.heap.arenaOf(handle)
  const at = store.records.valueAt(handle)
  listpack.remove(u8, at, atTail ? listpack.last(u8, at) : at + listpack.HEADER_BYTES, 1)
  return fitRecord(database, handle)
}

/** Removes `count` elements from an index on, all of which exist. */
export function removeElements(database: Database, handle: Handle, index: number, count: number): Handle {
  if (count === 0) return handle
  const { store } = database
  if (isLong(store, handle)) {
    quicklistOf(store, handle).removeRange(index, count)
    return toListpackIf(database, handle, 2)
  }
  const { u8 } = store.heap.arenaOf(handle)
  const at = store.records.valueAt(handle)
  listpack.remove(u8, at, listpack.seek(u8, at, index), count)
  return fitRecord(database, handle)
}

/**
 * Removes up to `countMax` elements equal to bytes[start, end), from either end on. Returns how many, and the list's handle.
 * O(n).
 */
export function removeEqualElements(
  database: Database,
  handle: Handle,
  bytes: Uint8Array,
  start: number,
  end: number,
  countMax: number,
  fromTail: boolean,
): { removedCount: number; handle: Handle } {
  const { store } = database
  if (isLong(store, handle)) {
    const removedCount = quicklistOf(store, handle).removeEqual(bytes, start, end, countMax, fromTail)
    return { removedCount, handle: removedCount > 0 ? toListpackIf(database, handle, 2) : handle }
  }
  const at = store.records.valueAt(handle)
  const removedCount = listpack.removeEqual(store.heap.arenaOf(handle).u8, at, bytes, start, end, countMax, fromTail)
  return { removedCount, handle: removedCount > 0 ? fitRecord(database, handle) : handle }
}

// ---- From one form to the other ----

/** Notes the size of the listpack in a record, which has become smaller, or as large as there is room. */
function fitRecord(database: Database, handle: Handle): Handle {
  const { records, store } = database
  const sizeBytes = listpack.totalBytes(store.heap.arenaOf(handle).u8, records.valueAt(handle))
  records.setValueSize(handle, sizeBytes)
  return database.resize(handle, sizeBytes)
}

function toQuicklist(database: Database, handle: Handle): Handle {
  const { records, store } = database
  const quicklist = newQuicklist(store)
  quicklist.appendListpack(store.heap.arenaOf(handle).u8, records.valueAt(handle))
  records.setKind(handle, QUICKLIST)
  records.setValueSize(handle, INDEX_BYTES)
  const small = database.resize(handle, INDEX_BYTES)
  records.setValueWord(small, 0, store.structures.add(quicklist))
  return small
}

const onlyNode = new ListCursor()

/** Moves a list back into its record when it is one node that is full to one part in `part` at most. */
function toListpackIf(database: Database, handle: Handle, part: number): Handle {
  const { records, store } = database
  const quicklist = quicklistOf(store, handle)
  if (!quicklist.isOneListpack) return handle
  quicklist.enter(onlyNode, 0)
  const from = onlyNode.bytes
  const fromAt = onlyNode.at
  const sizeBytes = listpack.totalBytes(from, fromAt)
  const limit = nodeLimit(store)
  // A limit of elements says nothing about bytes, as in Redis: there the number alone decides.
  const bytesMax = limit.count === Number.POSITIVE_INFINITY ? Math.floor(limit.bytes / part) : INLINE_BYTES_MAX
  if (sizeBytes > Math.min(bytesMax, INLINE_BYTES_MAX)) return handle
  if (quicklist.count > Math.floor(limit.count / part)) return handle

  const index = records.valueWord(handle, 0)
  const roomy = database.resize(handle, sizeBytes)
  records.setKind(roomy, LISTPACK)
  records.setValueSize(roomy, sizeBytes)
  copyBytes(from, fromAt, fromAt + sizeBytes, store.heap.arenaOf(roomy).u8, records.valueAt(roomy))
  store.structures.free(index)
  quicklist.dismantle(1)
  return roomy
}
