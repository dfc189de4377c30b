/**
 * A stream value: written as redis-server 7.0 reads it, read in every layout.
 *
 *   STREAM_LISTPACKS    count, each node: master id as a string of 16 bytes, a listpack as a string
 *                       length, last id
 *                       count, each group: name, last id
 *                         count, each pending entry: id in 16 bytes, delivery time, delivery count
 *                         count, each consumer: name, seen time, count, ids of what is pending for it
 *   STREAM_LISTPACKS_2  behind the stream's last id: first id, largest deleted id, entries added; behind a group's:
 *                       entries read
 *   STREAM_LISTPACKS_3  behind a consumer's seen time: active time
 *
 * Ids are two lengths where nothing else is said; in bytes they are big-endian. Times are 64 bits, little-endian. The
 * layout that we write has no place for the active time: it is taken to be the seen time when it is read back.
 */

import { GrowingBuffer } from '../../../bytes/growing-buffer.ts'
import type { Handle } from '../../../memory/heap.ts'
import * as listpack from '../../../memory/listpack.ts'
import { byName, type ConsumerGroup, NEVER_ACTIVE } from '../../../store/consumer-group.ts'
import type { IdTable } from '../../../store/id-table.ts'
import type { Store } from '../../../store/store.ts'
import { checkNode, putStream, Stream, streamOf, UNKNOWN } from '../../../store/stream.ts'
import { StreamId } from '../../../store/stream-id.ts'
import type { RdbReader, RdbWriter } from '../encoding.ts'
import { RDB_TYPE } from '../object-type.ts'
import { RdbError } from '../rdb-error.ts'
import { NodeParts } from './node-parts.ts'
import { ELEMENTS_PER_PART, type ObjectFormat, type ObjectReader, type PutObject } from './object-format.ts'
import { finishParts, type ValueParts } from './value-parts.ts'

/** Nodes are 4 KB, most of them: what takes longest is to compress them. */
const NODES_PER_PART = 8
/** Writing so many pending entries takes a few milliseconds at most. */
const PENDING_WATCHED_MAX = 4096
/** Words of an id, with which a row of the table of nodes begins. */
const STREAM_ID_WORDS = 4

const ID_BYTES = 16
const UINT64_MAX = 2n ** 64n - 1n

// ---- Writing ----

export const streamFormat: ObjectFormat = {
  rdbType: () => RDB_TYPE.STREAM_LISTPACKS_2,
  write: writeStream,
}

function writeStream(writer: RdbWriter, store: Store, handle: Handle): ValueParts | null {
  const stream = streamOf(store, handle)
  writer.writeLength(stream.nodes.count)
  const parts = new StreamParts(writer, stream)
  if (stream.nodes.count > NODES_PER_PART || pendingCount(stream) > ELEMENTS_PER_PART) return parts
  finishParts(parts)
  return null
}

function pendingCount(stream: Stream): number {
  let count = 0
  for (const group of stream.groups.values()) count += group.pending.count
  return count
}

class StreamParts extends NodeParts {
  readonly #stream: Stream
  /** The nodes: id, handle, large. */
  readonly #rows: Uint32Array
  readonly #rowWords: number
  readonly #id = new StreamId()
  /** What follows the nodes: as it was when the stream began to be watched, or as it is. */
  #rest: Uint8Array | Generator<undefined, undefined> | null = null

  constructor(writer: RdbWriter, stream: Stream) {
    super(writer, stream, stream.nodes.count)
    this.#stream = stream
    this.#rows = stream.nodes.copyRows()
    this.#rowWords = this.#rows.length / Math.max(stream.nodes.count, 1)
  }

  /** Whoever reads in a group changes what follows the nodes: where much is pending, that cannot be set aside. */
  override watch(): boolean {
    if (pendingCount(this.#stream) > PENDING_WATCHED_MAX) return false
    const rest = this.writer.into(new GrowingBuffer())
    const parts = writeRest(() => rest, this.#stream)
    while (!parts.next().done) {}
    this.#rest = rest.buffer.toBytes()
    return super.watch()
  }

  writeNext(): boolean {
    if (this.writeNodes(NODES_PER_PART)) return true
    if (this.#rest instanceof Uint8Array) {
      this.writer.writeBytes(this.#rest)
      return false
    }
    this.#rest ??= writeRest(() => this.writer, this.#stream)
    return !this.#rest.next().done
  }

  protected partAt(node: number): number {
    const at = node * this.#rowWords + STREAM_ID_WORDS
    return Stream.partOf(this.#rows[at], this.#rows[at + 1])
  }

  protected show(node: number, visit: (bytes: Uint8Array, start: number, end: number) => void): void {
    const at = node * this.#rowWords + STREAM_ID_WORDS
    this.#stream.showNodeOf(this.#rows[at], this.#rows[at + 1], (u8, start) =>
      visit(u8, start, start + listpack.totalBytes(u8, start)),
    )
  }

  protected write(node: number, bytes: Uint8Array, start: number, end: number): void {
    const rows = this.#rows
    const at = node * this.#rowWords
    this.writer.writeString(idBytes(this.#id.setWords(rows[at], rows[at + 1], rows[at + 2], rows[at + 3])))
    this.writer.writeString(bytes, start, end)
  }
}

/** Writes what follows the nodes, in parts; where to may change from one to the next. */
function* writeRest(to: () => RdbWriter, stream: Stream): Generator<undefined, undefined> {
  const writer = to()
  writer.writeLength(stream.length)
  writeId(writer, stream.lastId)
  writeId(writer, stream.firstId)
  writeId(writer, stream.maxDeletedId)
  writer.writeLength(stream.entriesAdded)
  writer.writeLength(stream.groups.size)
  for (const group of byName(stream.groups)) {
    const writer = to()
    writer.writeString(Buffer.from(group.name, 'latin1'))
    writeId(writer, group.lastId)
    writer.writeUnsigned64(group.entriesRead === UNKNOWN ? UINT64_MAX : BigInt(group.entriesRead))
    yield* writePending(to, group.pending, (writer) => {
      writeTime(writer, group.deliveredAtMs)
      writer.writeLength(group.deliveryCount)
    })
    to().writeLength(group.consumers.size)
    for (const consumer of byName(group.consumers)) {
      const writer = to()
      writer.writeString(Buffer.from(consumer.name, 'latin1'))
      writeTime(writer, consumer.seenAtMs)
      yield* writePending(to, consumer.pending, () => {})
    }
  }
}

function* writePending(
  to: () => RdbWriter,
  pending: IdTable,
  writeMore: (writer: RdbWriter) => void,
): Generator<undefined, undefined> {
  to().writeLength(pending.count)
  yield* eachRowInParts(pending, ELEMENTS_PER_PART, (id) => {
    const writer = to()
    writer.writeBytes(idBytes(id))
    writeMore(writer)
  })
}

/** Visits every row, the table's cursor on it. Between two parts others may use the cursor: so it is sought again. */
function* eachRowInParts(
  table: IdTable,
  rowsPerPart: number,
  visit: (id: StreamId) => void,
): Generator<undefined, undefined> {
  const id = new StreamId()
  let left = rowsPerPart
  for (let has = table.toFirst(); has; has = table.next()) {
    visit(table.readId(id))
    if (--left > 0) continue
    yield
    left = rowsPerPart
    table.seek(id)
  }
}

function writeId(writer: RdbWriter, id: StreamId): void {
  writer.writeUnsigned64(id.bigMs)
  writer.writeUnsigned64(id.bigSeq)
}

function writeTime(writer: RdbWriter, ms: number): void {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(ms))
  writer.writeBytes(bytes)
}

function idBytes(id: StreamId): Buffer {
  const bytes = Buffer.alloc(ID_BYTES)
  bytes.writeUInt32BE(id.msHigh, 0)
  bytes.writeUInt32BE(id.msLow, 4)
  bytes.writeUInt32BE(id.seqHigh, 8)
  bytes.writeUInt32BE(id.seqLow, 12)
  return bytes
}

// ---- Reading ----

/** The number of STREAM_LISTPACKS_n. */
export type StreamLayout = 1 | 2 | 3

export const readStreamListpacks: ObjectReader = (reader) => readStream(reader, 1)
export const readStreamListpacks2: ObjectReader = (reader) => readStream(reader, 2)
export const readStreamListpacks3: ObjectReader = (reader) => readStream(reader, 3)

export interface StreamNode {
  readonly masterId: StreamId
  readonly bytes: Uint8Array
  readonly liveCount: number
}

/** A group as it was read; its consumers' ids are among the pending entries. */
interface GroupParts {
  readonly name: string
  readonly lastId: StreamId
  readonly entriesRead: number
  readonly pending: PendingRows
  /** Of each what is pending for it, by the number of its row. */
  readonly consumers: readonly { name: string; seenAtMs: number; activeAtMs: number; rows: readonly number[] }[]
}

const DELIVERED_LOW = 4
const DELIVERED_HIGH = 5
const DELIVERY_COUNT = 6
const IS_OWNED = 7
const ROW_WORDS = 8
const WORD_MAX = 0xffffffff

/** Pending entries as they are read, in the order of their ids, as words: there may be millions. */
class PendingRows {
  count = 0
  /** How many are nobody's yet. */
  unownedCount = 0
  #words = new Uint32Array(ROW_WORDS * 16)
  readonly #id = new StreamId()

  add(id: StreamId, deliveredAtMs: number, deliveryCount: number): void {
    const at = this.count * ROW_WORDS
    if (at === this.#words.length) {
      const grown = new Uint32Array(at * 2)
      grown.set(this.#words)
      this.#words = grown
    }
    const words = this.#words
    words[at] = id.msHigh
    words[at + 1] = id.msLow
    words[at + 2] = id.seqHigh
    words[at + 3] = id.seqLow
    words[at + DELIVERED_LOW] = deliveredAtMs >>> 0
    words[at + DELIVERED_HIGH] = Math.floor(deliveredAtMs / 2 ** 32)
    words[at + DELIVERY_COUNT] = Math.min(deliveryCount, WORD_MAX)
    words[at + IS_OWNED] = 0
    this.count++
    this.unownedCount++
  }

  /** To be called when all are there. False when an id is there twice. */
  sort(): boolean {
    const { count } = this
    let row = 1
    while (row < count && this.#compare(row - 1, row) < 0) row++
    // Servers write them in order.
    if (row >= count) return true
    const order = Array.from({ length: count }, (_, each) => each).sort((one, other) => this.#compare(one, other))
    if (order.some((each, index) => index > 0 && this.#compare(order[index - 1], each) === 0)) return false
    const unordered = this.#words
    this.#words = new Uint32Array(count * ROW_WORDS)
    for (const [index, each] of order.entries()) {
      this.#words.set(unordered.subarray(each * ROW_WORDS, (each + 1) * ROW_WORDS), index * ROW_WORDS)
    }
    return true
  }

  /** The row of an id, which is somebody's from now on; -1 when there is none, or it is somebody's already. */
  own(id: StreamId): number {
    let row = 0
    let end = this.count
    while (row < end) {
      const middle = (row + end) >>> 1
      if (this.readId(middle, this.#id).compare(id) < 0) row = middle + 1
      else end = middle
    }
    const isOwned = this.#words[row * ROW_WORDS + IS_OWNED] !== 0
    if (row === this.count || isOwned || this.readId(row, this.#id).compare(id) !== 0) return -1
    this.#words[row * ROW_WORDS + IS_OWNED] = 1
    this.unownedCount--
    return row
  }

  readId(row: number, id: StreamId): StreamId {
    const words = this.#words
    const at = row * ROW_WORDS
    return id.setWords(words[at], words[at + 1], words[at + 2], words[at + 3])
  }

  deliveredAtMs(row: number): number {
    const at = row * ROW_WORDS
    return this.#words[at + DELIVERED_HIGH] * 2 ** 32 + this.#words[at + DELIVERED_LOW]
  }

  deliveryCount(row: number): number {
    return this.#words[row * ROW_WORDS + DELIVERY_COUNT]
  }

  #compare(one: number, other: number): number {
    const words = this.#words
    for (let word = 0; word < DELIVERED_LOW; word++) {
      const difference = words[one * ROW_WORDS + word] - words[other * ROW_WORDS + word]
      if (difference !== 0) return difference
    }
    return 0
  }
}

function readStream(reader: RdbReader, layout: StreamLayout): PutObject {
  const nodes: StreamNode[] = []
  let liveCount = 0
  for (let left = reader.readCount(); left > 0; left--) {
    const node = readStreamNode(reader, nodes.at(-1)?.masterId ?? null)
    liveCount += node.liveCount
    nodes.push(node)
  }
  const complete = readStreamRest(reader, layout, liveCount)
  return (database, key, keyStart, keyEnd, expireAtMs) => {
    const stream = new Stream(database.store.heap)
    for (const { masterId, bytes } of nodes) stream.appendNode(masterId, bytes)
    complete(stream)
    return putStream(database, key, keyStart, keyEnd, expireAtMs, stream)
  }
}

/** Reads a node, which must lie behind the one before. */
export function readStreamNode(reader: RdbReader, previousId: StreamId | null): StreamNode {
  const masterId = idOf(reader.readString(), reader)
  const bytes = reader.readString()
  const liveCount = checkNode(bytes)
  if (Number.isNaN(liveCount)) throw new RdbError('a node of a stream is damaged', reader.at)
  if (previousId !== null && previousId.compare(masterId) >= 0) {
    throw new RdbError('the nodes of a stream are out of order', reader.at)
  }
  return { masterId, bytes, liveCount }
}

/** Reads what follows the nodes, and returns what completes a stream that has them. */
export function readStreamRest(reader: RdbReader, layout: StreamLayout, liveCount: number): (stream: Stream) => void {
  const length = reader.readLength()
  if (length !== liveCount) throw new RdbError(`a stream of ${length} entries that has ${liveCount}`, reader.at)
  const lastId = readId(reader)
  const firstId = layout === 1 ? null : readId(reader)
  const maxDeletedId = layout === 1 ? new StreamId() : readId(reader)
  const entriesAdded = layout === 1 ? length : reader.readLength()
  const groups = new Map<string, GroupParts>()
  for (let left = reader.readCount(); left > 0; left--) {
    const group = readGroup(reader, layout)
    if (groups.has(group.name)) throw new RdbError('a group is there twice', reader.at)
    groups.set(group.name, group)
  }
  return (stream) => {
    stream.length = length
    stream.entriesAdded = entriesAdded
    stream.lastId.set(lastId)
    stream.maxDeletedId.set(maxDeletedId)
    if (firstId === null) stream.edgeId(stream.firstId, false)
    else stream.firstId.set(firstId)
    for (const group of groups.values()) addGroup(stream, group, layout)
  }
}

function readGroup(reader: RdbReader, layout: StreamLayout): GroupParts {
  const name = latin1(reader.readString())
  const lastId = readId(reader)
  const entriesRead = layout === 1 ? UNKNOWN : Number(BigInt.asIntN(64, reader.readUnsigned64()))
  const pending = new PendingRows()
  const id = new StreamId()
  for (let left = reader.readCount(); left > 0; left--) {
    readIdWords(reader.readBytes(ID_BYTES), id)
    const deliveredAtMs = Math.max(readTime(reader), 0)
    pending.add(id, deliveredAtMs, reader.readLength())
  }
  if (!pending.sort()) throw new RdbError('a pending entry is there twice', reader.at)
  const consumers: { name: string; seenAtMs: number; activeAtMs: number; rows: number[] }[] = []
  const names = new Set<string>()
  for (let left = reader.readCount(); left > 0; left--) {
    const consumerName = latin1(reader.readString())
    if (names.has(consumerName)) throw new RdbError('a consumer is there twice', reader.at)
    names.add(consumerName)
    const seenAtMs = readTime(reader)
    const activeAtMs = layout === 3 ? readTime(reader) : seenAtMs
    const rows: number[] = []
    for (let rowsLeft = reader.readCount(); rowsLeft > 0; rowsLeft--) {
      const row = pending.own(readIdWords(reader.readBytes(ID_BYTES), id))
      if (row === -1) throw new RdbError('a consumer has what is not pending', reader.at)
      rows.push(row)
    }
    consumers.push({ name: consumerName, seenAtMs, activeAtMs: Math.max(activeAtMs, NEVER_ACTIVE), rows })
  }
  if (pending.unownedCount > 0) throw new RdbError("a pending entry is no consumer's", reader.at)
  return { name, lastId, entriesRead, pending, consumers }
}

function addGroup(stream: Stream, parts: GroupParts, layout: StreamLayout): void {
  const entriesRead = layout === 1 ? stream.entriesAddedUpTo(parts.lastId) : parts.entriesRead
  const group: ConsumerGroup = stream.createGroup(parts.name, parts.lastId, entriesRead)!
  const { pending } = parts
  const id = new StreamId()
  for (let row = 0; row < pending.count; row++) {
    group.addPending(pending.readId(row, id), pending.deliveredAtMs(row), pending.deliveryCount(row))
  }
  for (const { name, seenAtMs, activeAtMs, rows } of parts.consumers) {
    const consumer = group.createConsumer(name, seenAtMs)
    consumer.activeAtMs = activeAtMs
    for (const row of rows) {
      group.pending.find(pending.readId(row, id))
      group.assign(id, consumer)
    }
  }
}

function readId(reader: RdbReader): StreamId {
  const id = new StreamId()
  id.bigMs = reader.readUnsigned64()
  id.bigSeq = reader.readUnsigned64()
  return id
}

function idOf(bytes: Uint8Array, reader: RdbReader): StreamId {
  if (bytes.length !== ID_BYTES) throw new RdbError(`an id of ${bytes.length} bytes`, reader.at)
  return readIdWords(bytes, new StreamId())
}

function readIdWords(bytes: Uint8Array, id: StreamId): StreamId {
  const word = (at: number) => ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
  return id.setWords(word(0), word(4), word(8), word(12))
}

function readTime(reader: RdbReader): number {
  const bytes = reader.readBytes(8)
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true))
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
