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
  readonly pending: readonly { id: StreamId; deliveredAtMs: number; deliveryCount: number }[]
  readonly consumers: readonly { name: string; seenAtMs: number; activeAtMs: number; pending: readonly StreamId[] }[]
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
  const groups: GroupParts[] = []
  for (let left = reader.readCount(); left > 0; left--) {
    const group = readGroup(reader, layout)
    if (groups.some(({ name }) => name === group.name)) throw new RdbError('a group is there twice', reader.at)
    groups.push(group)
  }
  return (stream) => {
    stream.length = length
    stream.entriesAdded = entriesAdded
    stream.lastId.set(lastId)
    stream.maxDeletedId.set(maxDeletedId)
    if (firstId === null) stream.edgeId(stream.firstId, false)
    else stream.firstId.set(firstId)
    for (const group of groups) addGroup(stream, group, layout)
  }
}

function readGroup(reader: RdbReader, layout: StreamLayout): GroupParts {
  const name = latin1(reader.readString())
  const lastId = readId(reader)
  const entriesRead = layout === 1 ? UNKNOWN : Number(BigInt.asIntN(64, reader.readUnsigned64()))
  const pending: { id: StreamId; deliveredAtMs: number; deliveryCount: number }[] = []
  const unowned = new Set<string>()
  for (let left = reader.readCount(); left > 0; left--) {
    const id = idOf(reader.readBytes(ID_BYTES), reader)
    const deliveredAtMs = Math.max(readTime(reader), 0)
    pending.push({ id, deliveredAtMs, deliveryCount: reader.readLength() })
    if (unowned.has(id.toString())) throw new RdbError('a pending entry is there twice', reader.at)
    unowned.add(id.toString())
  }
  const consumers: { name: string; seenAtMs: number; activeAtMs: number; pending: StreamId[] }[] = []
  const names = new Set<string>()
  for (let left = reader.readCount(); left > 0; left--) {
    const consumerName = latin1(reader.readString())
    if (names.has(consumerName)) throw new RdbError('a consumer is there twice', reader.at)
    names.add(consumerName)
    const seenAtMs = readTime(reader)
    const activeAtMs = layout === 3 ? readTime(reader) : seenAtMs
    const ids: StreamId[] = []
    for (let idsLeft = reader.readCount(); idsLeft > 0; idsLeft--) {
      const id = idOf(reader.readBytes(ID_BYTES), reader)
      if (!unowned.delete(id.toString())) throw new RdbError('a consumer has what is not pending', reader.at)
      ids.push(id)
    }
    consumers.push({ name: consumerName, seenAtMs, activeAtMs: Math.max(activeAtMs, NEVER_ACTIVE), pending: ids })
  }
  if (unowned.size > 0) throw new RdbError("a pending entry is no consumer's", reader.at)
  return { name, lastId, entriesRead, pending, consumers }
}

function addGroup(stream: Stream, parts: GroupParts, layout: StreamLayout): void {
  const entriesRead = layout === 1 ? stream.entriesAddedUpTo(parts.lastId) : parts.entriesRead
  const group: ConsumerGroup = stream.createGroup(parts.name, parts.lastId, entriesRead)!
  for (const { id, deliveredAtMs, deliveryCount } of parts.pending) group.addPending(id, deliveredAtMs, deliveryCount)
  for (const { name, seenAtMs, activeAtMs, pending } of parts.consumers) {
    const consumer = group.createConsumer(name, seenAtMs)
    consumer.activeAtMs = activeAtMs
    for (const id of pending) {
      group.pending.find(id)
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
  const view = new DataView(bytes.buffer, bytes.byteOffset, ID_BYTES)
  return new StreamId().setWords(view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12))
}

function readTime(reader: RdbReader): number {
  const bytes = reader.readBytes(8)
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true))
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
