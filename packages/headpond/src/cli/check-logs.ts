/** `headpond check` for the partitions of logs. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { batchProblem, walkBatches } from '../log/inspection/walk.ts'
import { parseLeaderEpochs } from '../log/leader-epochs.ts'
import { OFFSET_INDEX_ENTRY_BYTES, OffsetIndex } from '../log/offset-index.ts'
import { decodeProducerSnapshot } from '../log/producer-snapshot.ts'
import { indexedTimestampOf, lastOffsetOf, maxTimestampOf, recordCountOf } from '../log/record-batch.ts'
import { decodeLegacyMessage } from '../log/records/legacy-message.ts'
import { TIME_INDEX_ENTRY_BYTES, TimeIndex } from '../log/time-index.ts'
import { decodeAbortedTransactions } from '../log/transaction-index.ts'

export interface LogCheckHost {
  readonly tell: (text: string) => void
  /** Whether this is to be repaired; asks when it has to. */
  readonly repairs: (question: string) => Promise<boolean>
}

const PARTITION = /^[a-zA-Z0-9._-]{1,249}-\d+$/
const SEGMENT = /^(\d{20})\.log$/
/** The server trusts the ends of logs when it finds this. */
const CLEAN_SHUTDOWN = '.kafka_cleanshutdown'

export function isLogFile(path: string): boolean {
  return SEGMENT.test(basename(path))
}

/** The directories of partitions at a path: itself, those in it, or those in directories of it. By name. */
export function findPartitions(path: string, depth = 2): string[] {
  const entries = readdirSync(path, { withFileTypes: true })
  if (PARTITION.test(basename(path)) && entries.some((entry) => SEGMENT.test(entry.name))) return [path]
  if (depth === 0) return []
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .flatMap((name) => findPartitions(join(path, name), depth - 1))
}

/** Whether all is well (again). */
export async function checkPartition(path: string, host: LogCheckHost): Promise<boolean> {
  const names = readdirSync(path).sort()
  const segments = names.filter((name) => SEGMENT.test(name))
  const totals = { batchCount: 0, recordCount: 0, sizeBytes: 0 }
  let isWell = true
  let offsetMin = 0
  for (const [index, name] of segments.entries()) {
    const segment = new SegmentCheck(join(path, name), Math.max(offsetMin, Number.parseInt(name, 10)))
    if (!(await settle(segment.run(), host, index === segments.length - 1))) isWell = false
    offsetMin = segment.endOffset
    totals.batchCount += segment.batchCount
    totals.recordCount += segment.recordCount
    totals.sizeBytes += segment.sizeBytes
  }
  for (const name of names) {
    const problem = fileProblem(join(path, name))
    if (problem === null) continue
    host.tell(`${join(path, name)}: ${problem}`)
    isWell = false
  }
  if (isWell) {
    const { batchCount, recordCount, sizeBytes } = totals
    host.tell(`${path}: well, ${recordCount} records in ${batchCount} batches, ${sizeBytes} bytes`)
  }
  return isWell
}

/** One segment alone. */
export async function checkSegment(path: string, host: LogCheckHost): Promise<boolean> {
  const segment = new SegmentCheck(path, Number.parseInt(basename(path), 10))
  const fault = segment.run()
  if (fault !== null) return settle(fault, host, true)
  host.tell(
    `${path}: well, ${segment.recordCount} records in ${segment.batchCount} batches, ${segment.sizeBytes} bytes`,
  )
  return true
}

interface Fault {
  readonly path: string
  readonly text: string
  /** Where the damage begins in the log; null: the log is well, an index is not. */
  readonly validBytes: number | null
  readonly droppedBytes: number
}

async function settle(fault: Fault | null, host: LogCheckHost, isLast: boolean): Promise<boolean> {
  if (fault === null) return true
  host.tell(fault.text)
  const { path, validBytes, droppedBytes } = fault
  if (validBytes === null) {
    if (!(await host.repairs(`  Remove ${basename(path)}? The next start builds it anew.`))) return false
    rmSync(path)
    return true
  }
  if (!isLast) {
    host.tell('  It cannot be fixed: what follows would be lost with it. Take it from a copy.')
    return false
  }
  const question = `  Drop ${droppedBytes} bytes of ${basename(path)}, to ${validBytes} bytes? (The next start would do the same.)`
  if (!(await host.repairs(question))) return false
  truncateSync(path, validBytes)
  // The next start has to look for itself where the log ends, and to build the indexes anew.
  for (const kind of ['index', 'timeindex']) rmSync(path.replace(/log$/, kind), { force: true })
  rmSync(join(dirname(dirname(path)), CLEAN_SHUTDOWN), { force: true })
  host.tell(`  ${droppedBytes} bytes were dropped`)
  return true
}

/** A segment with its indexes. */
class SegmentCheck {
  readonly #path: string
  batchCount = 0
  recordCount = 0
  sizeBytes = 0
  endOffset: number

  constructor(path: string, offsetMin: number) {
    this.#path = path
    this.endOffset = offsetMin
  }

  run(): Fault | null {
    this.sizeBytes = statSync(this.#path).size
    const offsets = new OffsetIndexCheck(this.#read('index', OFFSET_INDEX_ENTRY_BYTES), this.#path)
    const times = new TimeIndexCheck(this.#read('timeindex', TIME_INDEX_ENTRY_BYTES), this.#path)
    const walk = walkBatches(this.#path)
    for (;;) {
      const step = walk.next()
      if (step.done) {
        const { problem, atByte } = step.value
        if (problem !== null) return this.#damage(atByte, problem)
        break
      }
      const { bytes, at, atByte, magic, sizeBytes } = step.value
      if (magic < 2) {
        const problem = this.#legacy(bytes.subarray(at, at + sizeBytes))
        if (problem !== null) return this.#damage(atByte, problem)
        continue
      }
      const problem = batchProblem(bytes, at, this.endOffset)
      if (problem !== null) return this.#damage(atByte, problem)
      this.endOffset = lastOffsetOf(bytes, at) + 1
      this.batchCount++
      this.recordCount += recordCountOf(bytes, at)
      offsets.see(atByte, lastOffsetOf(bytes, at))
      times.see(lastOffsetOf(bytes, at), maxTimestampOf(bytes, at), indexedTimestampOf(bytes, at))
    }
    return this.#indexFault('index', offsets.end()) ?? this.#indexFault('timeindex', times.end())
  }

  #legacy(bytes: Uint8Array): string | null {
    try {
      const message = decodeLegacyMessage(bytes)
      if (!message.isCrcRight) return 'its CRC is wrong'
      if (message.baseOffset < this.endOffset)
        return `its offset ${message.baseOffset} comes after ${this.endOffset - 1}`
      this.endOffset = message.lastOffset + 1
      this.batchCount++
      this.recordCount += message.records.length
      return null
    } catch (error) {
      return (error as Error).message
    }
  }

  #damage(atByte: number, problem: string): Fault {
    const droppedBytes = this.sizeBytes - atByte
    const text =
      `${this.#path}: damaged at byte ${atByte} of ${this.sizeBytes}: ${problem}\n` +
      `  ${this.recordCount} records are well; from byte ${atByte} on, ${droppedBytes} bytes are not`
    return { path: this.#path, text, validBytes: atByte, droppedBytes }
  }

  #indexFault(kind: string, problem: string | null): Fault | null {
    if (problem === null) return null
    const path = this.#path.replace(/log$/, kind)
    return { path, text: `${path}: ${problem}`, validBytes: null, droppedBytes: 0 }
  }

  #read(kind: string, entryBytes: number): Buffer {
    const path = this.#path.replace(/log$/, kind)
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
    return bytes.subarray(0, bytes.length - (bytes.length % entryBytes))
  }
}

/** Each entry says where the batch begins that ends with an offset. */
class OffsetIndexCheck {
  readonly #index: OffsetIndex
  #entry = 0
  #problem: string | null = null

  constructor(bytes: Buffer, path: string) {
    this.#index = new OffsetIndex(Number.parseInt(basename(path), 10), bytes)
  }

  see(atByte: number, lastOffset: number): void {
    if (this.#isAtEnd() || this.#problem !== null) return
    const position = this.#index.positionAt(this.#entry)
    if (position > atByte) return
    const offset = this.#index.offsetAt(this.#entry++)
    if (position < atByte) this.#problem = `no batch begins at byte ${position}, where offset ${offset} should be`
    else if (offset !== lastOffset)
      this.#problem = `the batch at byte ${position} ends with ${lastOffset}, not ${offset}`
  }

  end(): string | null {
    if (this.#problem !== null || this.#isAtEnd()) return this.#problem
    return `byte ${this.#index.positionAt(this.#entry)} is beyond the log`
  }

  /** What Kafka has not used yet of its files is zeros. */
  #isAtEnd(): boolean {
    if (this.#entry === this.#index.count) return true
    return this.#index.positionAt(this.#entry) === 0 && this.#index.offsetAt(this.#entry) === this.#index.baseOffset
  }
}

/** Each entry says the largest timestamp up to an offset. */
class TimeIndexCheck {
  readonly #index: TimeIndex
  #entry = 0
  #largestMs = -1
  /** With the times of batches that compaction has emptied: Kafka's cleaner puts them into its index. */
  #largestWithEmptyMs = -1
  #problem: string | null = null

  constructor(bytes: Buffer, path: string) {
    this.#index = new TimeIndex(Number.parseInt(basename(path), 10), bytes)
  }

  see(lastOffset: number, maxTimestampMs: number, indexedTimestampMs: number): void {
    this.#largestMs = Math.max(this.#largestMs, indexedTimestampMs)
    this.#largestWithEmptyMs = Math.max(this.#largestWithEmptyMs, maxTimestampMs)
    while (!this.#isAtEnd() && this.#problem === null && this.#index.offsetAt(this.#entry) <= lastOffset) {
      const offset = this.#index.offsetAt(this.#entry)
      const timestampMs = this.#index.timestampAt(this.#entry++)
      if (timestampMs !== this.#largestMs && timestampMs !== this.#largestWithEmptyMs) {
        this.#problem = `the largest timestamp up to offset ${offset} is ${this.#largestMs}, not ${timestampMs}`
      }
    }
  }

  end(): string | null {
    if (this.#problem !== null || this.#isAtEnd()) return this.#problem
    return `offset ${this.#index.offsetAt(this.#entry)} is beyond the log`
  }

  #isAtEnd(): boolean {
    if (this.#entry === this.#index.count) return true
    return this.#index.timestampAt(this.#entry) === 0 && this.#index.offsetAt(this.#entry) === this.#index.baseOffset
  }
}

/** Of the files that are about no single segment, and of the index of transactions. */
function fileProblem(path: string): string | null {
  const name = basename(path)
  if (/^\d{20}\.snapshot$/.test(name) && decodeProducerSnapshot(readFileSync(path)) === null) {
    return 'this is no snapshot of producers, or its CRC is wrong'
  }
  if (/^\d{20}\.txnindex$/.test(name) && decodeAbortedTransactions(readFileSync(path)) === null) {
    return 'this is no index of transactions'
  }
  if (name === 'leader-epoch-checkpoint' && parseLeaderEpochs(readFileSync(path, 'latin1')) === null) {
    return 'this is no checkpoint of leader epochs'
  }
  return null
}
