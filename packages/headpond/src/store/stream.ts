import { BLOCK_BYTES_MAX, byteAt, type Handle, type Heap, NONE } from '../memory/heap.ts'
import * as listpack from '../memory/listpack.ts'
import { Text } from '../memory/text.ts'
import { ConsumerGroup } from './consumer-group.ts'
import type { Database } from './database.ts'
import { IdTable } from './id-table.ts'
import { encoding, kindOf, type } from './record.ts'
import type { Store } from './store.ts'
import { StreamId } from './stream-id.ts'
import type { NodeWatcher, Structure } from './structures.ts'
import type { TypeOperations } from './types.ts'

/**
 * Streams: entries in the order of their ids, in nodes of some hundred entries. A node is a listpack in Redis's own
 * layout (t_stream.c), found by the id of its first entry, the master id, in a table of nodes:
 *
 *   master    | live count | deleted count | field count | field | ... | 0 |
 *   entry     | flags | ms | seq | [field count] | [field] | value | ... | elements before this one |
 *
 * ms and seq are differences to the master id. An entry whose fields are the master's has the flag SAME_FIELDS and only
 * its values. A deleted entry stays as a tombstone, with the flag DELETED, until its node has no live entry.
 *
 * The record of a stream holds its index in `store.structures`, however small it is.
 */
const STREAM = kindOf(type.STREAM, encoding.STREAM)
const INDEX_BYTES = 4

const FLAG_DELETED = 1
const FLAG_SAME_FIELDS = 2
/** The flags, ms and seq, which are in every entry. */
const ENTRY_HEAD_ELEMENTS = 3

/** Words of a node in the table: its block, or NONE and the index of its large value. */
const NODE_HANDLE = 0
const NODE_LARGE = 1
const NODE_WORDS = 2

/** What a node can be at most, whatever the settings say; and what an entry may hold. */
export const NODE_BYTES_MAX = 2 ** 30
const NODE_BYTES_MIN = 64
/** Streams with fewer nodes and pending entries are freed at once; others in the background. */
const FREED_AT_ONCE = 64

export const streamOperations: TypeOperations = {
  inlineBytes: () => INDEX_BYTES,
  release(store, handle) {
    const stream = streamOf(store, handle)
    store.structures.free(store.records.valueWord(handle, 0))
    dispose(store, stream)
  },
  cloneReferred(store, handle) {
    store.records.setValueWord(handle, 0, store.structures.add(streamOf(store, handle).clone()))
  },
  encodingName: () => 'stream',
  referredBytes: (store, handle) => streamOf(store, handle).sizeBytes,
  digest(store, handle, digest) {
    const cursor = new StreamCursor()
    cursor.open(streamOf(store, handle), StreamId.min(), StreamId.max(), false)
    while (cursor.next()) {
      digest.append(Buffer.from(cursor.id.toString().replace('-', '.')))
      for (let left = cursor.fieldCount; left > 0; left--) {
        cursor.nextPair()
        digest.append(cursor.field.copy())
        digest.append(cursor.value.copy())
      }
    }
  },
}

function dispose(store: Store, stream: Stream): void {
  if (stream.watcher !== null) return stream.watcher.outlive(() => dispose(store, stream))
  if (stream.partCount <= FREED_AT_ONCE) {
    stream.dismantle(FREED_AT_ONCE)
    return
  }
  store.lazyFree.add({
    get leftCount() {
      return stream.partCount
    },
    freeSome: () => stream.dismantle(FREED_AT_ONCE),
  })
}

/** The stream of a record of that type. */
export function streamOf(store: Store, handle: Handle): Stream {
  return store.structures.of<Stream>(store.records, handle)
}

/** Makes an empty stream in place of whatever the key held. */
export function createStream(database: Database, key: Uint8Array, keyStart: number, keyEnd: number): Stream {
  const stream = new Stream(database.store.heap)
  putStream(database, key, keyStart, keyEnd, 0, stream)
  return stream
}

/** Stores a stream in place of whatever the key held. */
export function putStream(
  database: Database,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  expireAtMs: number,
  stream: Stream,
): Handle {
  const handle = database.put(key, keyStart, keyEnd, STREAM, INDEX_BYTES, INDEX_BYTES, expireAtMs)
  database.records.setValueWord(handle, 0, database.store.structures.add(stream))
  return handle
}

/** When a node gives way to the next one; 0: never. */
export interface StreamLimits {
  readonly streamNodeMaxBytes: number
  readonly streamNodeMaxEntries: number
}

/** Which entries to trim: all but the last `maxLength`, or those before `minId`. */
export interface Trimming {
  readonly maxLength: number | null
  readonly minId: StreamId | null
  /** Removes whole nodes only. */
  readonly isApproximate: boolean
  /** The most entries to remove; 0: any number. */
  readonly limit: number
}

export class Stream implements Structure {
  readonly heap: Heap
  /** The nodes by their master ids. */
  readonly nodes: IdTable
  /** Live entries. */
  length = 0
  /** Entries ever added: what groups measure their lag with. */
  entriesAdded = 0
  /** The largest id ever. */
  readonly lastId = new StreamId()
  /** Of the first live entry; 0-0 when there is none. */
  readonly firstId = new StreamId()
  /** The largest id that XDEL took out. */
  readonly maxDeletedId = new StreamId()
  /** Made with the first group: most streams of an application that has very many have none. */
  #groups: Map<string, ConsumerGroup> | null = null

  watcher: NodeWatcher | null = null

  /** The node that `#openNode` turned to. */
  #u8: Uint8Array
  #at = 0
  /** What the latest full node took: a good guess at what the next one will take. */
  #fullNodeBytes = 0

  constructor(heap: Heap, nodes = new IdTable(heap, NODE_WORDS)) {
    this.heap = heap
    this.nodes = nodes
    this.#u8 = heap.arenaOf(NONE).u8
  }

  /** By name, a character for each byte. */
  get groups(): ReadonlyMap<string, ConsumerGroup> {
    return this.#groups ?? NO_GROUPS
  }

  get sizeBytes(): number {
    const { nodes, heap } = this
    let sizeBytes = nodes.sizeBytes
    for (let has = nodes.toFirst(); has; has = nodes.next()) {
      const handle = nodes.word(NODE_HANDLE)
      sizeBytes += handle === NONE ? heap.large.get(nodes.word(NODE_LARGE)).length : heap.blockBytes(handle)
    }
    for (const group of this.groups.values()) sizeBytes += group.sizeBytes
    return sizeBytes
  }

  /** Nodes and pending entries: how much there is to free. */
  get partCount(): number {
    let count = this.nodes.count
    for (const group of this.groups.values()) count += group.partCount
    return count
  }

  // ---- Nodes ----

  /** Turns to the node at the table's cursor. */
  #openNode(): void {
    const handle = this.nodes.word(NODE_HANDLE)
    if (handle === NONE) {
      this.#u8 = this.heap.large.get(this.nodes.word(NODE_LARGE))
      this.#at = 0
    } else {
      this.#u8 = this.heap.arenaOf(handle).u8
      this.#at = byteAt(handle)
    }
  }

  /** Shows the node at the table's cursor. */
  showNode(visit: (u8: Uint8Array, at: number) => void): void {
    this.showNodeOf(this.nodes.word(NODE_HANDLE), this.nodes.word(NODE_LARGE), visit)
  }

  /** Shows a node by its two words. The bytes are valid during the call. */
  showNodeOf(handle: Handle, large: number, visit: (u8: Uint8Array, at: number) => void): void {
    if (handle === NONE) visit(this.heap.large.get(large), 0)
    else visit(this.heap.arenaOf(handle).u8, byteAt(handle))
  }

  /** What a watcher is told of a node. */
  static partOf(handle: Handle, large: number): number {
    return handle === NONE ? -1 - large : handle
  }

  /** To be called before the bytes of the node at the table's cursor change or move. */
  #changing(): void {
    if (this.watcher === null) return
    this.watcher.changing(Stream.partOf(this.nodes.word(NODE_HANDLE), this.nodes.word(NODE_LARGE)))
  }

  /** Adds a node behind all others: a listpack of the layout above. Counts are for the caller to keep. */
  appendNode(masterId: StreamId, bytes: Uint8Array): void {
    this.nodes.insert(masterId)
    this.#allocateNode(bytes.length)
    this.#openNode()
    this.#u8.set(bytes, this.#at)
  }

  /** Gives the node at the table's cursor memory; what it had is not freed. */
  #allocateNode(sizeBytes: number): void {
    const isLarge = sizeBytes > BLOCK_BYTES_MAX
    this.nodes.setWord(NODE_HANDLE, isLarge ? NONE : this.heap.allocate(sizeBytes))
    this.nodes.setWord(NODE_LARGE, isLarge ? this.heap.large.allocate(sizeBytes) : 0)
  }

  #freeNode(handle: Handle, large: number): void {
    if (handle === NONE) this.heap.large.free(large)
    else this.heap.free(handle)
  }

  get #nodeRoom(): number {
    const handle = this.nodes.word(NODE_HANDLE)
    return handle === NONE ? this.#u8.length : this.heap.blockBytes(handle)
  }

  /** Moves the open node to memory of another size. */
  #resizeNode(sizeBytes: number): void {
    this.#changing()
    const from = this.#u8
    const fromAt = this.#at
    const handle = this.nodes.word(NODE_HANDLE)
    const large = this.nodes.word(NODE_LARGE)
    this.#allocateNode(sizeBytes)
    this.#openNode()
    this.#u8.set(from.subarray(fromAt, fromAt + listpack.totalBytes(from, fromAt)), this.#at)
    this.#freeNode(handle, large)
  }

  #removeNode(): void {
    this.#changing()
    this.#freeNode(this.nodes.word(NODE_HANDLE), this.nodes.word(NODE_LARGE))
    this.nodes.remove()
  }

  // ---- Adding ----

  /**
   * Becomes the id that an entry added now gets: the time, or the one after the last id. False when there is none left.
   */
  nextId(id: StreamId, nowMs: number): boolean {
    id.setNumbers(nowMs, 0)
    if (id.msHigh > this.lastId.msHigh || (id.msHigh === this.lastId.msHigh && id.msLow > this.lastId.msLow))
      return true
    return id.set(this.lastId).increment()
  }

  /**
   * Adds an entry whose id is above the last one. Its fields and values, one after the other, are places in `bytes`:
   * start and end of each, from places[firstPlace] on.
   * hot: once for each XADD.
   */
  append(
    id: StreamId,
    bytes: Uint8Array,
    places: Int32Array,
    firstPlace: number,
    fieldCount: number,
    limits: StreamLimits,
  ): void {
    const bytesMax = nodeBytesMax(limits)
    const placeEnd = firstPlace + fieldCount * 4
    let textBytes = 0
    for (let place = firstPlace; place < placeEnd; place += 2) textBytes += places[place + 1] - places[place]
    if (!this.#openTail(textBytes, bytesMax, limits.streamNodeMaxEntries)) {
      this.#addNode(id, bytes, places, firstPlace, fieldCount, bytesMax)
    }
    this.#changing()
    const masterId = this.nodes.readId(master)
    const liveAt = this.#at + listpack.HEADER_BYTES
    const isSame = this.#hasMasterFields(liveAt, bytes, places, firstPlace, fieldCount)
    const firstText = isSame ? firstPlace + 2 : firstPlace
    const textStep = isSame ? 4 : 2

    const hasSmallIds = (id.msHigh | masterId.msHigh | id.seqHigh | masterId.seqHigh) >>> 21 === 0
    let msDifference = id.ms - masterId.ms
    let seqDifference = id.seqHigh * 2 ** 32 + id.seqLow - (masterId.seqHigh * 2 ** 32 + masterId.seqLow)
    let bigMs: Buffer | null = null
    let bigSeq: Buffer | null = null
    if (!hasSmallIds) {
      bigMs = Buffer.from(String(BigInt.asIntN(64, id.bigMs - masterId.bigMs)))
      bigSeq = Buffer.from(String(BigInt.asIntN(64, id.bigSeq - masterId.bigSeq)))
      msDifference = 0
      seqDifference = 0
    }

    const elementCount = ENTRY_HEAD_ELEMENTS + (isSame ? fieldCount : fieldCount * 2 + 1)
    const usedBytes = listpack.totalBytes(this.#u8, this.#at)
    if (usedBytes + textBytes + (elementCount + 1) * listpack.ELEMENT_OVERHEAD_BYTES_MAX > this.#nodeRoom) {
      let entryBytes = isSame ? 0 : listpack.integerEntryBytes(fieldCount)
      for (let place = firstText; place < placeEnd; place += textStep) {
        entryBytes += listpack.entryBytes(bytes, places[place], places[place + 1])
      }
      entryBytes += listpack.integerEntryBytes(elementCount)
      // Flags take two bytes; differences as text no less than as numbers; the count may become one byte longer.
      entryBytes += 2 + 1
      entryBytes += bigMs === null ? listpack.integerEntryBytes(msDifference) : bigMs.length + 2
      entryBytes += bigSeq === null ? listpack.integerEntryBytes(seqDifference) : bigSeq.length + 2
      const neededBytes = usedBytes + entryBytes
      if (neededBytes > this.#nodeRoom) this.#resizeNode(Math.max(neededBytes, Math.min(neededBytes * 2, bytesMax)))
    }

    const u8 = this.#u8
    const at = this.#at
    let to = listpack.writeIntegerElement(u8, listpack.endOf(u8, at), isSame ? FLAG_SAME_FIELDS : 0)
    if (bigMs === null || bigSeq === null) {
      to = listpack.writeIntegerElement(u8, to, msDifference)
      to = listpack.writeIntegerElement(u8, to, seqDifference)
    } else {
      to = listpack.writeElement(u8, to, bigMs, 0, bigMs.length)
      to = listpack.writeElement(u8, to, bigSeq, 0, bigSeq.length)
    }
    if (!isSame) to = listpack.writeIntegerElement(u8, to, fieldCount)
    for (let place = firstText; place < placeEnd; place += textStep) {
      to = listpack.writeElement(u8, to, bytes, places[place], places[place + 1])
    }
    to = listpack.writeIntegerElement(u8, to, elementCount)
    listpack.close(u8, at, to, elementCount + 1)
    const live = at + listpack.HEADER_BYTES
    listpack.replaceInteger(u8, at, live, listpack.integer(u8, live) + 1)

    this.length++
    this.entriesAdded++
    this.lastId.set(id)
    if (this.length === 1) this.firstId.set(id)
  }

  /** Turns to the last node; false when there is none, or when it is full and a new one must follow. */
  #openTail(textBytes: number, bytesMax: number, entriesMax: number): boolean {
    if (!this.nodes.toLast()) return false
    this.#openNode()
    const u8 = this.#u8
    const sizeBytes = listpack.totalBytes(u8, this.#at)
    if (sizeBytes + textBytes < bytesMax) {
      if (entriesMax === 0) return true
      const live = this.#at + listpack.HEADER_BYTES
      const entryCount = listpack.integer(u8, live) + listpack.integer(u8, listpack.next(u8, live))
      if (entryCount < entriesMax) return true
    }
    this.#fullNodeBytes = sizeBytes
    // It will not grow any more.
    if (this.#nodeRoom - sizeBytes >= NODE_BYTES_MIN) this.#resizeNode(sizeBytes)
    return false
  }

  /** Adds a node without entries, whose master is an entry that is to follow. */
  #addNode(
    id: StreamId,
    bytes: Uint8Array,
    places: Int32Array,
    firstPlace: number,
    fieldCount: number,
    bytesMax: number,
  ): void {
    let sizeBytes = listpack.EMPTY_BYTES + 6 + listpack.integerEntryBytes(fieldCount)
    let entryBytes = 0
    for (let index = 0; index < fieldCount; index++) {
      const place = firstPlace + index * 4
      sizeBytes += listpack.entryBytes(bytes, places[place], places[place + 1])
      entryBytes += places[place + 3] - places[place + 2]
    }
    const wishedBytes = Math.max(NODE_BYTES_MIN, sizeBytes + entryBytes * 2 + 32, this.#fullNodeBytes)
    this.nodes.insert(id)
    this.#allocateNode(Math.max(sizeBytes, Math.min(wishedBytes, bytesMax)))
    this.#openNode()
    const u8 = this.#u8
    const at = this.#at
    listpack.initialize(u8, at)
    listpack.appendInteger(u8, at, 0)
    listpack.appendInteger(u8, at, 0)
    listpack.appendInteger(u8, at, fieldCount)
    for (let index = 0; index < fieldCount; index++) {
      const place = firstPlace + index * 4
      listpack.append(u8, at, bytes, places[place], places[place + 1])
    }
    listpack.appendInteger(u8, at, 0)
  }

  #hasMasterFields(
    liveAt: number,
    bytes: Uint8Array,
    places: Int32Array,
    firstPlace: number,
    fieldCount: number,
  ): boolean {
    const u8 = this.#u8
    const fieldCountAt = listpack.next(u8, listpack.next(u8, liveAt))
    if (listpack.integer(u8, fieldCountAt) !== fieldCount) return false
    let fieldAt = fieldCountAt
    for (let index = 0; index < fieldCount; index++) {
      fieldAt = listpack.next(u8, fieldAt)
      const place = firstPlace + index * 4
      if (!listpack.equals(u8, fieldAt, bytes, places[place], places[place + 1])) return false
    }
    return true
  }

  // ---- Finding ----

  /** Whether there is a live entry with this id. */
  has(id: StreamId): boolean {
    walker.open(this, id, id, false)
    return walker.next()
  }

  /** Becomes the id of the first or last live entry; false, staying as it is, when there is none. */
  edgeId(id: StreamId, isLast: boolean): boolean {
    walker.open(this, MIN, MAX, isLast)
    if (!walker.next()) return false
    id.set(walker.id)
    return true
  }

  // ---- Removing ----

  /** Deletes an entry; false when there is none with this id. */
  delete(id: StreamId): boolean {
    walker.open(this, id, id, false)
    if (!walker.next()) return false
    this.nodes.find(walker.masterId)
    this.#openNode()
    this.length--
    const live = this.#at + listpack.HEADER_BYTES
    const liveCount = listpack.integer(this.#u8, live)
    if (liveCount === 1) {
      this.#removeNode()
    } else {
      this.#changing()
      listpack.replaceInteger(this.#u8, this.#at, walker.flagsAt, walker.flags | FLAG_DELETED)
      this.#countDeleted(liveCount, 1)
    }
    if (id.compare(this.maxDeletedId) > 0) this.maxDeletedId.set(id)
    if (this.length === 0) this.firstId.setNumbers(0, 0)
    else if (id.compare(this.firstId) === 0) this.edgeId(this.firstId, false)
    return true
  }

  /** Notes that entries of the open node were marked as deleted. */
  #countDeleted(liveCount: number, deletedNow: number): void {
    // The second number may become longer before the first becomes shorter.
    const roomBytes = listpack.totalBytes(this.#u8, this.#at) + 4
    if (roomBytes > this.#nodeRoom) this.#resizeNode(roomBytes)
    const u8 = this.#u8
    const live = this.#at + listpack.HEADER_BYTES
    listpack.replaceInteger(u8, this.#at, live, liveCount - deletedNow)
    const deleted = listpack.next(u8, live)
    listpack.replaceInteger(u8, this.#at, deleted, listpack.integer(u8, deleted) + deletedNow)
  }

  /** Removes entries from the front. Returns how many. O(nodes removed), and a part of one more. */
  trim({ maxLength, minId, isApproximate, limit }: Trimming): number {
    const { nodes } = this
    let removedCount = 0
    while (nodes.toFirst()) {
      if (maxLength !== null && this.length <= maxLength) break
      this.#openNode()
      const liveCount = listpack.integer(this.#u8, this.#at + listpack.HEADER_BYTES)
      if (limit > 0 && removedCount + liveCount > limit) break
      const isWhole =
        minId !== null ? this.#lastIdOfNode().compare(minId) < 0 : this.length - liveCount >= (maxLength ?? 0)
      if (isWhole) {
        this.#removeNode()
        this.length -= liveCount
        removedCount += liveCount
        continue
      }
      if (!isApproximate) removedCount += this.#trimNode(liveCount, maxLength, minId)
      break
    }
    if (this.length === 0) this.firstId.setNumbers(0, 0)
    else if (removedCount > 0) this.edgeId(this.firstId, false)
    return removedCount
  }

  /** The id of the last entry of the open node, deleted or not. */
  #lastIdOfNode(): StreamId {
    const u8 = this.#u8
    let entry = listpack.last(u8, this.#at)
    for (let left = listpack.integer(u8, entry); left > 0; left--) entry = listpack.previous(u8, this.#at, entry)
    return readEntryId(u8, entry, this.nodes.readId(master), edge)
  }

  /** Marks entries at the front of the open node as deleted. Returns how many. */
  #trimNode(liveCount: number, maxLength: number | null, minId: StreamId | null): number {
    let deletedCount = 0
    this.#changing()
    walker.open(this, MIN, MAX, false)
    while (walker.next()) {
      if (minId !== null ? walker.id.compare(minId) >= 0 : this.length <= (maxLength ?? 0)) break
      listpack.replaceInteger(this.#u8, this.#at, walker.flagsAt, walker.flags | FLAG_DELETED)
      this.length--
      deletedCount++
    }
    this.nodes.toFirst()
    this.#openNode()
    if (deletedCount > 0) this.#countDeleted(liveCount, deletedCount)
    return deletedCount
  }

  // ---- Groups and what they have read ----

  /** How many entries were added up to this one, from the first ever; UNKNOWN when deletions have made that unclear. */
  entriesAddedUpTo(id: StreamId): number {
    if (this.entriesAdded === 0) return 0
    if (this.length === 0 && id.compare(this.lastId) <= 0) return this.entriesAdded
    const toLast = id.compare(this.lastId)
    if (toLast === 0) return this.entriesAdded
    if (toLast > 0) return UNKNOWN
    if (this.maxDeletedId.isZero || this.maxDeletedId.compare(this.firstId) < 0) {
      const toFirst = id.compare(this.firstId)
      if (toFirst < 0) return this.entriesAdded - this.length
      if (toFirst === 0) return this.entriesAdded - this.length + 1
    }
    return UNKNOWN
  }

  /** Whether an entry from `start` on was deleted: then entries cannot be counted by their number. */
  hasTombstonesFrom(start: StreamId): boolean {
    if (this.length === 0 || this.maxDeletedId.isZero) return false
    if (this.firstId.compare(this.maxDeletedId) > 0) return false
    return start.compare(this.maxDeletedId) <= 0
  }

  /** How many entries a group has not read, below 0 when its counter was set too high; null when that is unclear. */
  lag(group: ConsumerGroup): number | null {
    if (this.entriesAdded === 0) return 0
    if (group.entriesRead !== UNKNOWN && !this.hasTombstonesFrom(group.lastId)) {
      return this.entriesAdded - group.entriesRead
    }
    const entriesRead = this.entriesAddedUpTo(group.lastId)
    return entriesRead === UNKNOWN ? null : this.entriesAdded - entriesRead
  }

  /** Notes that an entry was delivered to a group, if it is news. */
  advanceGroup(group: ConsumerGroup, id: StreamId): void {
    if (id.compare(group.lastId) <= 0) return
    if (group.entriesRead !== UNKNOWN && !this.hasTombstonesFrom(id)) group.entriesRead++
    else if (this.entriesAdded > 0) group.entriesRead = this.entriesAddedUpTo(id)
    group.lastId.set(id)
  }

  /** Makes a group; null when there is one of that name. */
  createGroup(name: string, lastId: StreamId, entriesRead: number): ConsumerGroup | null {
    if (this.groups.has(name)) return null
    const group = new ConsumerGroup(this.heap, name)
    group.lastId.set(lastId)
    group.entriesRead = entriesRead
    this.#groups ??= new Map()
    this.#groups.set(name, group)
    return group
  }

  /** Takes a group out; false when there is none of that name. */
  destroyGroup(store: Store, name: string): boolean {
    const group = this.#groups?.get(name)
    if (group === undefined) return false
    this.#groups!.delete(name)
    let isDone = !group.dismantle(FREED_AT_ONCE)
    store.lazyFree.add({
      get leftCount() {
        return isDone ? 0 : group.partCount
      },
      freeSome: () => {
        isDone = !group.dismantle(FREED_AT_ONCE)
      },
    })
    return true
  }

  // ---- The whole ----

  /** A copy that shares nothing. O(size). */
  clone(): Stream {
    const copy = new Stream(this.heap, this.nodes.clone())
    const { nodes } = this
    for (let has = nodes.toFirst() && copy.nodes.toFirst(); has; has = nodes.next() && copy.nodes.next()) {
      this.#openNode()
      const sizeBytes = listpack.totalBytes(this.#u8, this.#at)
      copy.#allocateNode(sizeBytes)
      copy.#openNode()
      copy.#u8.set(this.#u8.subarray(this.#at, this.#at + sizeBytes), copy.#at)
    }
    copy.length = this.length
    copy.entriesAdded = this.entriesAdded
    copy.lastId.set(this.lastId)
    copy.firstId.set(this.firstId)
    copy.maxDeletedId.set(this.maxDeletedId)
    if (this.#groups !== null) {
      copy.#groups = new Map()
      for (const [name, group] of this.#groups) copy.#groups.set(name, group.clone())
    }
    return copy
  }

  /** Frees up to `partsMax` nodes or chunks of pending entries of a stream that nobody can reach any more. */
  dismantle(partsMax: number): void {
    const { nodes } = this
    let left = partsMax
    while (left > 0 && nodes.toLast()) {
      this.#removeNode()
      left--
    }
    for (const [name, group] of this.groups) {
      if (left <= 0) return
      left--
      if (!group.dismantle(left)) this.#groups!.delete(name)
    }
  }
}

/** A number of entries that cannot be told. */
export const UNKNOWN = -1

function nodeBytesMax({ streamNodeMaxBytes }: StreamLimits): number {
  return streamNodeMaxBytes === 0 ? NODE_BYTES_MAX : Math.min(streamNodeMaxBytes, NODE_BYTES_MAX)
}

/** The id of the entry whose flags stand at `entry`. */
function readEntryId(u8: Uint8Array, entry: number, masterId: StreamId, id: StreamId): StreamId {
  const msAt = listpack.next(u8, entry)
  const seqAt = listpack.next(u8, msAt)
  const ms = listpack.integer(u8, msAt)
  const seq = listpack.integer(u8, seqAt)
  if (!Number.isNaN(ms + seq)) return id.setSum(masterId, ms, seq)
  return id.setBigSum(masterId, listpack.bigInteger(u8, msAt)!, listpack.bigInteger(u8, seqAt)!)
}

/**
 * Walks over the live entries of a stream between two ids, both included, in either direction. The stream must not
 * change meanwhile, but for entries being marked as deleted. Reused, it allocates nothing.
 */
export class StreamCursor {
  /** Of the current entry. */
  readonly id = new StreamId()
  fieldCount = 0
  flags = 0
  flagsAt = 0
  /** Of the pair that `nextPair` has read. */
  readonly field = new Text()
  readonly value = new Text()
  /** Of the current node. */
  readonly masterId = new StreamId()

  #stream: Stream | null = null
  readonly #start = new StreamId()
  readonly #end = new StreamId()
  #isReverse = false
  #u8 = EMPTY
  #at = 0
  #masterFieldsAt = 0
  #masterFieldCount = 0
  #isInNode = false
  /** Where the next entry to visit begins; in reverse its last element. NONE: in another node. */
  #entry = listpack.NONE
  /** In the current entry: the element to read next, and how many there are before the last one. */
  #elementAt = 0
  #elementsLeft = 0
  #masterFieldAt = 0

  open(stream: Stream, start: StreamId, end: StreamId, isReverse: boolean): void {
    this.#stream = stream
    this.#start.set(start)
    this.#end.set(end)
    this.#isReverse = isReverse
    this.#isInNode = false
    this.#entry = listpack.NONE
    this.#elementsLeft = 0
  }

  /** Goes to the next live entry; false when there is none. */
  next(): boolean {
    if (this.#isInNode && !this.#isReverse) this.#skipRest()
    for (;;) {
      if (this.#entry === listpack.NONE && !this.#toNextNode()) return false
      if (this.#isReverse) this.#toEntryBefore()
      else this.#readEntry(this.#entry)
      const isBefore = this.id.compare(this.#start) < 0
      const isBehind = this.id.compare(this.#end) > 0
      if (this.#isReverse ? isBefore : isBehind) {
        this.#isInNode = false
        this.#entry = listpack.NONE
        this.#stream = null
        return false
      }
      if (!isBefore && !isBehind && (this.flags & FLAG_DELETED) === 0) return true
      if (!this.#isReverse) this.#skipRest()
    }
  }

  /** Reads the next field of the current entry with its value; there are `fieldCount`. */
  nextPair(): void {
    const u8 = this.#u8
    if ((this.flags & FLAG_SAME_FIELDS) !== 0) {
      listpack.locate(u8, this.#masterFieldAt, this.field)
      this.#masterFieldAt = listpack.next(u8, this.#masterFieldAt)
    } else {
      listpack.locate(u8, this.#elementAt, this.field)
      this.#elementAt = listpack.next(u8, this.#elementAt)
      this.#elementsLeft--
    }
    listpack.locate(u8, this.#elementAt, this.value)
    this.#elementAt = listpack.next(u8, this.#elementAt)
    this.#elementsLeft--
  }

  /** Goes behind the current entry. */
  #skipRest(): void {
    let at = this.#elementAt
    for (let left = this.#elementsLeft; left > 0; left--) at = listpack.next(this.#u8, at)
    this.#elementsLeft = 0
    this.#entry = listpack.next(this.#u8, at)
  }

  #toNextNode(): boolean {
    const stream = this.#stream
    if (stream === null) return false
    const { nodes } = stream
    let has: boolean
    if (!this.#isInNode) has = nodes.seekFloor(this.#isReverse ? this.#end : this.#start) || this.#toFirstAfter(nodes)
    else has = nodes.find(this.masterId) && (this.#isReverse ? nodes.previous() : nodes.next())
    if (!has) {
      this.#stream = null
      return false
    }
    this.#isInNode = true
    nodes.readId(this.masterId)
    stream.showNode((u8, at) => {
      this.#u8 = u8
      this.#at = at
    })
    const u8 = this.#u8
    const countAt = listpack.next(u8, listpack.next(u8, listpack.first(u8, this.#at)))
    this.#masterFieldCount = listpack.integer(u8, countAt)
    this.#masterFieldsAt = listpack.next(u8, countAt)
    if (this.#isReverse) {
      this.#entry = listpack.last(u8, this.#at)
    } else {
      let entry = this.#masterFieldsAt
      for (let left = this.#masterFieldCount; left > 0; left--) entry = listpack.next(u8, entry)
      this.#entry = listpack.next(u8, entry)
    }
    return true
  }

  /** Every node lies behind the start: a walk forward begins with the first. */
  #toFirstAfter(nodes: IdTable): boolean {
    return !this.#isReverse && nodes.toFirst()
  }

  /** In reverse: reads the entry whose last element is at `#entry`, and leaves `#entry` at the last of the one before. */
  #toEntryBefore(): void {
    const u8 = this.#u8
    let at = this.#entry
    for (let left = listpack.integer(u8, at); left > 0; left--) at = listpack.previous(u8, this.#at, at)
    this.#readEntry(at)
    const before = listpack.previous(u8, this.#at, at)
    // The master ends with 0, every entry with a larger number.
    this.#entry = listpack.integer(u8, before) === 0 ? listpack.NONE : before
  }

  #readEntry(entry: number): void {
    const u8 = this.#u8
    this.flagsAt = entry
    this.flags = listpack.integer(u8, entry)
    readEntryId(u8, entry, this.masterId, this.id)
    let at = listpack.next(u8, listpack.next(u8, listpack.next(u8, entry)))
    if ((this.flags & FLAG_SAME_FIELDS) !== 0) {
      this.fieldCount = this.#masterFieldCount
      this.#elementsLeft = this.fieldCount
      this.#masterFieldAt = this.#masterFieldsAt
    } else {
      this.fieldCount = listpack.integer(u8, at)
      this.#elementsLeft = this.fieldCount * 2
      at = listpack.next(u8, at)
    }
    this.#elementAt = at
  }
}

const EMPTY: Uint8Array = new Uint8Array(0)
const MIN = StreamId.min()
const MAX = StreamId.max()
/** For what streams look up themselves. */
const walker = new StreamCursor()
const edge = new StreamId()
/** The master id of the node that is looked at. */
const master = new StreamId()
const NO_GROUPS: ReadonlyMap<string, ConsumerGroup> = new Map()

/**
 * Whether bytes are a node in the layout above, with at least one entry: what comes from outside is read only after
 * this. Returns the number of live entries, or NaN. O(n).
 */
export function checkNode(bytes: Uint8Array): number {
  if (!listpack.isValid(bytes, 0, bytes.length)) return Number.NaN
  let at = listpack.first(bytes, 0)
  /** The integer at `at`, a count; NaN when there is none. Steps over it. */
  const count = (): number => {
    if (at === listpack.NONE) return Number.NaN
    const value = listpack.integer(bytes, at)
    at = listpack.next(bytes, at)
    return value >= 0 ? value : Number.NaN
  }
  const skip = (elementCount: number): boolean => {
    for (let left = elementCount; left > 0; left--) {
      if (at === listpack.NONE) return false
      at = listpack.next(bytes, at)
    }
    return true
  }
  const isDifference = (): boolean => {
    if (at === listpack.NONE || listpack.isString(bytes, at)) return false
    at = listpack.next(bytes, at)
    return true
  }
  const liveCount = count()
  const deletedCount = count()
  const masterFieldCount = count()
  if (Number.isNaN(liveCount + deletedCount + masterFieldCount) || !skip(masterFieldCount)) return Number.NaN
  if (count() !== 0 || liveCount + deletedCount === 0) return Number.NaN
  let liveSeen = 0
  for (let left = liveCount + deletedCount; left > 0; left--) {
    const flags = count()
    if (Number.isNaN(flags) || !isDifference() || !isDifference()) return Number.NaN
    const isSame = (flags & FLAG_SAME_FIELDS) !== 0
    const fieldCount = isSame ? masterFieldCount : count()
    if (Number.isNaN(fieldCount) || !skip(isSame ? fieldCount : fieldCount * 2)) return Number.NaN
    if (count() !== ENTRY_HEAD_ELEMENTS + (isSame ? fieldCount : fieldCount * 2 + 1)) return Number.NaN
    if ((flags & FLAG_DELETED) === 0) liveSeen++
  }
  return at === listpack.NONE && liveSeen === liveCount ? liveCount : Number.NaN
}
