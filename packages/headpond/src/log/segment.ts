/**
 * A piece of a partition: a file of batches from a base offset on, with its indexes. The last one of a partition is
 * appended to. Its newest bytes lie in chunks of memory (`chunks`, the last of them open), everything older in the file
 * alone; without a directory there is no file, and the chunks have everything.
 *
 *   positions   0 ............ chunks[0].position ............ writtenBytes ...... sizeBytes
 *               | the file alone | the file, and chunks         | chunks alone      |
 */
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { assert } from '../bytes/assert.ts'
import {
  type Directory,
  fileSizeBytes,
  isMissing,
  LogFile,
  type OpenFiles,
  offsetName,
  readFileIfThere,
  renameIfThere,
  unlinkIfThere,
  unlinkSoon,
} from './files.ts'
import { OFFSET_INDEX_ENTRY_BYTES, OffsetIndex } from './offset-index.ts'
import {
  BASE_OFFSET_AT,
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  LEADER_EPOCH_AT,
  lastOffsetOf,
  maxTimestampOf,
  sizeBytesOf,
  writeInt32,
  writeInt64,
} from './record-batch.ts'
import { scanBatches } from './recovery.ts'
import { CHUNK_BYTES_MAX, type TailChunk, type TailMemory, type TailOwner } from './tail-memory.ts'
import { TIME_INDEX_ENTRY_BYTES, TimeIndex } from './time-index.ts'
import { type AbortedTransaction, decodeAbortedTransactions, encodeAbortedTransaction } from './transaction-index.ts'

/** What segments share. */
export interface SegmentHost {
  readonly files: OpenFiles
  readonly memory: TailMemory
}

/** Not looked up yet. */
const UNKNOWN = Number.NaN
/** A log of this size may well have no entry: the first comes behind `index.interval.bytes`. */
const UNINDEXED_BYTES_MAX = 2 ** 20
const NO_CHUNKS: TailChunk[] = []
const NO_TRANSACTIONS: AbortedTransaction[] = []
const NO_BYTES = new Uint8Array(0)

/** Bytes of a log that cannot be what was appended. */
export class DamagedLogError extends Error {}

export type IndexKind = 'log' | 'index' | 'timeindex' | 'txnindex'
const SEGMENT_FILES: readonly IndexKind[] = ['log', 'index', 'timeindex', 'txnindex']

/** A place in the log between two batches. */
export interface LogPlace {
  readonly offset: number
  readonly segment: Segment
  readonly position: number
}

export class Segment implements TailOwner {
  readonly baseOffset: number
  readonly #host: SegmentHost
  readonly #directory: Directory | null
  readonly file: LogFile | null
  sizeBytes: number
  /** What of it the file has. */
  writtenBytes: number
  /** When it was made, or last written before the start. */
  readonly createdAtMs: number
  /** Taken from `segment.ms` of this segment, so that not all partitions roll at once. */
  readonly rollJitterMs: number
  #firstTimestampMs: number
  #largestTimestampMs: number
  #largestTimestampOffset: number
  #offsetIndex: OffsetIndex | null = null
  #timeIndex: TimeIndex | null = null
  /** The index files have all that the indexes have. */
  #areIndexesSaved: boolean
  #abortedTransactions: AbortedTransaction[] | null
  #bytesSinceIndexEntry = 0
  #chunks: TailChunk[] = NO_CHUNKS
  /** The name of the file is safe in its directory. */
  isNameSynced: boolean
  #suffix = ''

  constructor(
    host: SegmentHost,
    directory: Directory | null,
    baseOffset: number,
    options: {
      createdAtMs: number
      rollJitterMs: number
      /** What is there already. */
      existing?: { sizeBytes: number; hasTransactionIndex: boolean }
      /** See `rename`. */
      suffix?: string
    },
  ) {
    this.#host = host
    this.#directory = directory
    this.baseOffset = baseOffset
    this.createdAtMs = options.createdAtMs
    this.rollJitterMs = options.rollJitterMs
    const { existing } = options
    this.#suffix = options.suffix ?? ''
    this.file = directory === null ? null : new LogFile(host.files, directory, this.#nameOf('log'))
    this.sizeBytes = this.writtenBytes = existing?.sizeBytes ?? 0
    this.isNameSynced = existing !== undefined
    this.#areIndexesSaved = existing !== undefined
    if (this.sizeBytes === 0) {
      this.#firstTimestampMs = this.#largestTimestampMs = -1
      this.#largestTimestampOffset = baseOffset
      this.#offsetIndex = new OffsetIndex(baseOffset)
      this.#timeIndex = new TimeIndex(baseOffset)
    } else this.#firstTimestampMs = this.#largestTimestampMs = this.#largestTimestampOffset = UNKNOWN
    this.#abortedTransactions = existing?.hasTransactionIndex ? null : NO_TRANSACTIONS
  }

  // ---- Appending ----

  /**
   * Copies a batch to the end and gives it its offset and epoch. The chunk that it lies in; it is the last thing there.
   * hot: once for each batch.
   */
  append(batch: Uint8Array, baseOffset: number, leaderEpoch: number): TailChunk {
    const sizeBytes = batch.length
    const chunk = this.#chunkFor(sizeBytes, baseOffset)
    const { bytes, length: at } = chunk
    bytes.set(batch, at)
    writeInt64(bytes, at + BASE_OFFSET_AT, baseOffset)
    writeInt32(bytes, at + LEADER_EPOCH_AT, leaderEpoch)
    chunk.length = at + sizeBytes
    return chunk
  }

  /**
   * The batch that `append` has copied counts now: its times are known. The first of more than `indexIntervalBytes` since the
   * last entry goes into the indexes. hot: once for each batch.
   */
  commit(sizeBytes: number, lastOffset: number, maxTimestampMs: number, indexIntervalBytes: number): void {
    const position = this.sizeBytes
    if (position === 0) this.#firstTimestampMs = maxTimestampMs
    if (maxTimestampMs > this.largestTimestampMs) {
      this.#largestTimestampMs = maxTimestampMs
      this.#largestTimestampOffset = lastOffset
    }
    if (this.#bytesSinceIndexEntry > indexIntervalBytes) {
      this.offsetIndex.append(lastOffset, position)
      this.timeIndex.append(this.#largestTimestampMs, this.#largestTimestampOffset)
      this.#bytesSinceIndexEntry = 0
    }
    this.#areIndexesSaved = false
    this.#bytesSinceIndexEntry += sizeBytes
    this.sizeBytes = position + sizeBytes
  }

  #chunkFor(sizeBytes: number, baseOffset: number): TailChunk {
    const last = this.#chunks.length === 0 ? null : this.#chunks[this.#chunks.length - 1]
    if (last !== null && last.length + sizeBytes <= last.bytes.length) return last
    const previousBytes = last === null ? 0 : Math.min(last.bytes.length, CHUNK_BYTES_MAX)
    const chunk = this.#host.memory.allocate(this, this.sizeBytes, baseOffset, sizeBytes, previousBytes)
    // Pushed after the allocation, which may have dropped chunks of this segment.
    if (this.#chunks.length === 0) this.#chunks = [chunk]
    else this.#chunks.push(chunk)
    return chunk
  }

  addAbortedTransaction(transaction: AbortedTransaction): void {
    const known = this.#abortedTransactions ?? this.#readAbortedTransactions()
    this.#abortedTransactions = [...known, transaction]
    if (this.#directory === null) return
    writeFileSync(this.#pathOf('txnindex'), encodeAbortedTransaction(transaction), { flag: 'a' })
  }

  // ---- The tail ----

  isWrittenUpTo(position: number): boolean {
    return this.writtenBytes >= position
  }

  dropOldestChunk(): void {
    this.#chunks.shift()
  }

  /** Where memory begins; the segment's end when it has none. */
  get tailPosition(): number {
    return this.#chunks.length === 0 ? this.sizeBytes : this.#chunks[0].position
  }

  /** The parts of the range, which lies in the tail; they will not change. */
  viewsOf(start: number, end: number): Uint8Array[] {
    const views: Uint8Array[] = []
    for (let index = this.#chunkIndexAt(start); start < end; index++) {
      const chunk = this.#chunks[index]
      const viewEnd = Math.min(end, chunk.position + chunk.length)
      views.push(chunk.bytes.subarray(start - chunk.position, viewEnd - chunk.position))
      chunk.isShared = true
      start = viewEnd
    }
    return views
  }

  /** The same, for the file: nobody else sees them. */
  #unwrittenParts(): Uint8Array[] {
    const parts: Uint8Array[] = []
    let start = this.writtenBytes
    for (let index = this.#chunkIndexAt(start); start < this.sizeBytes; index++) {
      const chunk = this.#chunks[index]
      parts.push(chunk.bytes.subarray(start - chunk.position, chunk.length))
      start = chunk.position + chunk.length
    }
    return parts
  }

  #chunkIndexAt(position: number): number {
    let index = this.#chunks.length - 1
    while (index > 0 && this.#chunks[index].position > position) index--
    return index
  }

  /**
   * Where the batch begins that contains `offset`, or the first one after it; the segment's end when there is none. Null
   * when it is not in memory.
   */
  findInTail(offset: number): number | null {
    if (this.sizeBytes === 0) return 0
    if (this.#chunks.length === 0) return null
    let index = this.#chunks.length - 1
    while (index > 0 && this.#chunks[index].baseOffset > offset) index--
    // A batch that begins before the tail may contain it, unless the tail has all of the segment.
    if (this.#chunks[0].baseOffset > offset && this.#chunks[0].position > 0) return null
    const hint = this.#offsetIndex === null ? 0 : this.#offsetIndex.positionBefore(offset)
    for (; index < this.#chunks.length; index++) {
      const { bytes, position, length } = this.#chunks[index]
      let at = hint > position && hint < position + length ? hint - position : 0
      for (; at < length; at += sizeBytesOf(bytes, at)) {
        if (lastOffsetOf(bytes, at) >= offset) return position + at
      }
    }
    return this.sizeBytes
  }

  /** The last place between two batches that is not beyond `position`, from `start` on, a batch in the tail. */
  boundaryInTail(start: number, position: number): number {
    const hint = this.#offsetIndex === null ? 0 : this.#offsetIndex.batchStartBefore(position)
    let boundary = Math.max(start, hint)
    for (let index = this.#chunkIndexAt(boundary); index < this.#chunks.length; index++) {
      const { bytes, position: chunkPosition, length } = this.#chunks[index]
      while (boundary < chunkPosition + length) {
        const next = boundary + sizeBytesOf(bytes, boundary - chunkPosition)
        if (next > position) return boundary
        boundary = next
      }
    }
    return boundary
  }

  /** The batch at a position in the tail. */
  batchInTail(position: number): { bytes: Uint8Array; at: number } {
    const chunk = this.#chunks[this.#chunkIndexAt(position)]
    return { bytes: chunk.bytes, at: position - chunk.position }
  }

  /** The base offset of the batch at a position in the tail; `otherwise` at the segment's end. */
  baseOffsetAt(position: number, otherwise: number): number {
    if (position >= this.sizeBytes) return otherwise
    const { bytes, at } = this.batchInTail(position)
    return baseOffsetOf(bytes, at)
  }

  /** Whole batches from this byte on, about `maxBytes` of them, at least one; none at the end. For who reads all of it. */
  readBatches(atByte: number, maxBytes: number): Promise<Uint8Array> | Uint8Array {
    if (atByte >= this.sizeBytes) return NO_BYTES
    if (atByte < this.tailPosition) return this.#readFileBatches(atByte, maxBytes)
    const chunk = this.#chunks[this.#chunkIndexAt(atByte)]
    const chunkEnd = chunk.position + chunk.length
    let end = Math.min(chunkEnd, this.boundaryInTail(atByte, atByte + maxBytes))
    if (end === atByte) end += sizeBytesOf(chunk.bytes, atByte - chunk.position)
    return this.viewsOf(atByte, end)[0]
  }

  async #readFileBatches(atByte: number, maxBytes: number): Promise<Uint8Array> {
    const limit = Math.min(this.sizeBytes, this.writtenBytes)
    let bytes = await this.readFile(atByte, Math.min(limit, atByte + Math.max(maxBytes, BATCH_HEADER_BYTES)))
    if (sizeBytesOf(bytes, 0) > bytes.length) bytes = await this.readFile(atByte, atByte + sizeBytesOf(bytes, 0))
    let end = 0
    while (end + BATCH_HEADER_BYTES <= bytes.length && end + sizeBytesOf(bytes, end) <= bytes.length) {
      const sizeBytes = sizeBytesOf(bytes, end)
      if (sizeBytes < BATCH_HEADER_BYTES)
        throw new DamagedLogError(`${this.file?.path} has no batch at ${atByte + end}`)
      end += sizeBytes
    }
    return bytes.subarray(0, end)
  }

  /** Exactly these bytes of the file. Rejects with the system's errors, or a DamagedLogError. */
  async readFile(start: number, end: number): Promise<Buffer> {
    const sizeBytes = Math.max(0, end - start)
    const bytes = Buffer.allocUnsafeSlow(sizeBytes)
    const count = sizeBytes === 0 ? 0 : ((await this.file?.read(bytes, start)) ?? 0)
    if (count === sizeBytes) return bytes
    throw new DamagedLogError(`${this.file?.path} ends at byte ${start + count}, but ${end} were written to it`)
  }

  // ---- The file ----

  get unwrittenBytes(): number {
    return this.sizeBytes - this.writtenBytes
  }

  /** Writes what the file has not got yet. Throws the system's errors. */
  writeSync(): void {
    if (this.file !== null) {
      let position = this.writtenBytes
      for (const part of this.#unwrittenParts()) {
        this.file.writeSync(part, 0, part.length, position)
        position += part.length
      }
    }
    this.writtenBytes = this.sizeBytes
  }

  /** The same beside the event loop; what is appended meanwhile is for the next time. */
  write(done: (error: Error | null) => void): void {
    assert(this.file !== null, 'without a file there is nothing to wait for')
    const end = this.sizeBytes
    this.file.write(this.#unwrittenParts(), this.writtenBytes, (error) => {
      if (error === null) this.writtenBytes = end
      done(error)
    })
  }

  // ---- Indexes ----

  get offsetIndex(): OffsetIndex {
    if (this.#offsetIndex === null) this.loadIndexes()
    return this.#offsetIndex as OffsetIndex
  }

  get timeIndex(): TimeIndex {
    if (this.#timeIndex === null) this.loadIndexes()
    return this.#timeIndex as TimeIndex
  }

  /** -1 when nothing in it has a time. */
  get largestTimestampMs(): number {
    if (Number.isNaN(this.#largestTimestampMs)) this.#loadLargestTimestamp()
    return this.#largestTimestampMs
  }

  /** The last offset of the batch that the largest timestamp is in. */
  get largestTimestampOffset(): number {
    if (Number.isNaN(this.#largestTimestampMs)) this.#loadLargestTimestamp()
    return this.#largestTimestampOffset
  }

  /** What retention goes by. */
  get ageReferenceMs(): number {
    return this.largestTimestampMs >= 0 ? this.largestTimestampMs : this.createdAtMs
  }

  /** The largest of the first batch; -1 when nothing is there. */
  get firstTimestampMs(): number {
    if (Number.isNaN(this.#firstTimestampMs)) {
      const header = Buffer.alloc(BATCH_HEADER_BYTES)
      const isThere = this.file !== null && this.file.readSync(header, 0) === BATCH_HEADER_BYTES
      this.#firstTimestampMs = isThere ? maxTimestampOf(header, 0) : -1
    }
    return this.#firstTimestampMs
  }

  /** Of the larger one of the indexes. */
  get indexSizeBytes(): number {
    const offsetsBytes = this.#offsetIndex?.toBytes().length ?? fileSizeBytes(this.#pathOf('index'))
    const timesBytes = this.#timeIndex?.toBytes().length ?? fileSizeBytes(this.#pathOf('timeindex'))
    return Math.max(offsetsBytes, timesBytes)
  }

  get areIndexesLoaded(): boolean {
    return this.#offsetIndex !== null
  }

  /** Reads the index files. They are small next to what they are about: at most 1/500 of it. */
  loadIndexes(): void {
    assert(this.#directory !== null, 'without files the indexes are always there')
    this.#offsetIndex = new OffsetIndex(this.baseOffset, this.#readIndex('index', OFFSET_INDEX_ENTRY_BYTES))
    this.#timeIndex = new TimeIndex(this.baseOffset, this.#readIndex('timeindex', TIME_INDEX_ENTRY_BYTES))
  }

  /**
   * As `loadIndexes`, beside the event loop. What is missing or damaged is built anew from the file: indexes are not synced as
   * carefully as the log, which has all that is in them.
   */
  async loadIndexesLater(indexIntervalBytes: number): Promise<void> {
    const [offsets, times] = await Promise.all([readLater(this.#pathOf('index')), readLater(this.#pathOf('timeindex'))])
    // Somebody else may have loaded them meanwhile, and added to them.
    if (this.#offsetIndex !== null && this.#timeIndex !== null) return
    const offsetIndex = new OffsetIndex(this.baseOffset, wholeEntries(offsets, OFFSET_INDEX_ENTRY_BYTES))
    const timeIndex = new TimeIndex(this.baseOffset, wholeEntries(times, TIME_INDEX_ENTRY_BYTES))
    const isComplete = offsetIndex.count > 0 || this.sizeBytes <= UNINDEXED_BYTES_MAX
    if (isComplete && offsetIndex.isSane(this.sizeBytes) && timeIndex.isSane()) {
      this.#offsetIndex = offsetIndex
      this.#timeIndex = timeIndex
    } else await this.#rebuildIndexes(indexIntervalBytes)
  }

  async #rebuildIndexes(indexIntervalBytes: number): Promise<void> {
    const offsetIndex = new OffsetIndex(this.baseOffset)
    const timeIndex = new TimeIndex(this.baseOffset)
    let largestMs = -1
    let largestOffset = this.baseOffset
    let sinceEntryBytes = 0
    const visit = (bytes: Uint8Array, at: number, position: number) => {
      const lastOffset = lastOffsetOf(bytes, at)
      if (maxTimestampOf(bytes, at) > largestMs) {
        largestMs = maxTimestampOf(bytes, at)
        largestOffset = lastOffset
      }
      if (sinceEntryBytes > indexIntervalBytes) {
        offsetIndex.append(lastOffset, position)
        timeIndex.append(largestMs, largestOffset)
        sinceEntryBytes = 0
      }
      sinceEntryBytes += sizeBytesOf(bytes, at)
    }
    if (this.file !== null) await scanBatches(this.file, 0, this.writtenBytes, this.baseOffset, visit)
    if (this.#offsetIndex !== null && this.#timeIndex !== null) return
    this.#offsetIndex = offsetIndex
    this.#timeIndex = timeIndex
    this.#largestTimestampMs = largestMs
    this.#largestTimestampOffset = largestOffset
    this.#areIndexesSaved = false
  }

  #readIndex(kind: IndexKind, entryBytes: number): Buffer {
    return wholeEntries(readFileIfThere(this.#pathOf(kind)), entryBytes)
  }

  #loadLargestTimestamp(): void {
    const { lastTimestampMs, lastOffset } =
      this.#timeIndex ?? new TimeIndex(this.baseOffset, this.#readIndex('timeindex', TIME_INDEX_ENTRY_BYTES))
    this.#largestTimestampMs = lastTimestampMs
    this.#largestTimestampOffset = lastOffset
  }

  /** Begins anew with empty indexes: they are rebuilt by `commit` of all that is in the file. */
  resetForRecovery(): void {
    this.#offsetIndex = new OffsetIndex(this.baseOffset)
    this.#timeIndex = new TimeIndex(this.baseOffset)
    this.#abortedTransactions = NO_TRANSACTIONS
    if (this.#directory !== null) unlinkIfThere(this.#pathOf('txnindex'))
    this.#areIndexesSaved = false
    this.#bytesSinceIndexEntry = 0
    this.sizeBytes = 0
    this.#firstTimestampMs = this.#largestTimestampMs = -1
    this.#largestTimestampOffset = this.baseOffset
  }

  /** The file ends here: after recovery, or when the end of the log is taken back. */
  truncateFile(sizeBytes: number): void {
    this.#host.memory.forget(this.#chunks)
    this.#chunks = NO_CHUNKS
    this.sizeBytes = this.writtenBytes = sizeBytes
    this.file?.truncate(sizeBytes)
  }

  /** Writes the index files, the time index with its last entry. Nothing is appended to the segment for a while. */
  saveIndexes(): void {
    if (this.#directory === null || this.#areIndexesSaved) return
    if (this.#largestTimestampMs >= 0) this.timeIndex.append(this.#largestTimestampMs, this.#largestTimestampOffset)
    writeFileSync(this.#pathOf('index'), this.offsetIndex.toBytes())
    writeFileSync(this.#pathOf('timeindex'), this.timeIndex.toBytes())
    this.#areIndexesSaved = true
  }

  /** Gives their memory back; they are read again when they are needed. */
  releaseIndexes(): void {
    if (this.#directory === null || !this.#areIndexesSaved || this.sizeBytes === 0) return
    this.#offsetIndex = null
    this.#timeIndex = null
  }

  /** By the end of each. */
  get abortedTransactions(): readonly AbortedTransaction[] {
    if (this.#abortedTransactions === null) this.#abortedTransactions = this.#readAbortedTransactions()
    return this.#abortedTransactions
  }

  #readAbortedTransactions(): AbortedTransaction[] {
    return decodeAbortedTransactions(readFileIfThere(this.#pathOf('txnindex'))) ?? []
  }

  // ---- Names ----

  /** `.deleted`, `.cleaned`, `.swap`, or nothing: Kafka's names for what is on its way out or in. */
  rename(suffix: string): void {
    if (this.#directory === null) return
    const names = SEGMENT_FILES.map((kind) => this.#nameOf(kind))
    this.#suffix = suffix
    // The log comes last: by its name a start after a crash goes, and then its indexes are there too.
    for (const [index, kind] of SEGMENT_FILES.entries()) {
      if (kind !== 'log') renameIfThere(`${this.#directory.path}/${names[index]}`, this.#pathOf(kind))
    }
    this.#renameLog(names[SEGMENT_FILES.indexOf('log')])
  }

  #renameLog(from: string): void {
    // Nothing was ever written: there is no file.
    if (renameIfThere(`${this.#directory?.path}/${from}`, this.#pathOf('log'))) this.file?.renamed(this.#nameOf('log'))
  }

  /** Removes the files; their names are gone when it returns. */
  remove(): void {
    this.forgetTail()
    if (this.#directory === null) return
    this.file?.close()
    for (const kind of SEGMENT_FILES) void unlinkSoon(this.#pathOf(kind))
  }

  /** Gives the memory of the tail back. */
  forgetTail(): void {
    this.#host.memory.forget(this.#chunks)
    this.#chunks = NO_CHUNKS
  }

  /** Of all its files, whether they are there or not. */
  paths(): string[] {
    return SEGMENT_FILES.map((kind) => this.#pathOf(kind))
  }

  pathsToSync(): string[] {
    return (['index', 'timeindex'] as const).map((kind) => this.#pathOf(kind))
  }

  #nameOf(kind: IndexKind): string {
    return `${offsetName(this.baseOffset)}.${kind}${this.#suffix}`
  }

  #pathOf(kind: IndexKind): string {
    return `${this.#directory?.path}/${this.#nameOf(kind)}`
  }
}

async function readLater(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    if (isMissing(error)) return Buffer.alloc(0)
    throw error
  }
}

function wholeEntries(bytes: Buffer, entryBytes: number): Buffer {
  return bytes.subarray(0, bytes.length - (bytes.length % entryBytes))
}
