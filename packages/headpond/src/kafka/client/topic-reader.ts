import { CompressionError } from '../../log/compression/compression-error.ts'
import { BATCH_HEADER_BYTES, sizeBytesOf } from '../../log/record-batch.ts'
import { type DecodedBatch, decodeBatch } from '../../log/records/batch.ts'
import { type LogRecord, RecordFormatError } from '../../log/records/record.ts'
import { AbortedTransactions } from '../aborted-transactions.ts'
import { ZERO_UUID } from '../codec/byte-reader.ts'
import type { Decoded } from '../codec/message.ts'
import { ERROR, type ErrorName, errorNameOf, RETRIABLE } from '../errors.ts'
import { fetchRequest, fetchResponse } from '../schemas/fetch.ts'
import type { KafkaClient } from './client.ts'
import { KafkaClientError, RefusedError, UnreachableError } from './kafka-client-error.ts'
import { groupByLeader, listOffsets, type TopicPartition } from './offsets.ts'
import { PartitionMap } from './partition-map.ts'

/** What one answer brought of one partition: perhaps nothing. */
export interface ReadChunk extends TopicPartition {
  readonly records: readonly LogRecord[]
  /** Of the record that comes next. */
  readonly nextOffset: number
  /** Where the partition ended for this reader. */
  readonly endOffset: number
  /** Records that were gone before they could be read. */
  readonly skippedCount: number
}

export interface ReaderOptions {
  /** Records of transactions that are open or were aborted, too. */
  readonly readsUncommitted?: boolean
  readonly maxWaitMs?: number
}

type PartitionAnswer = Decoded<typeof fetchResponse>['responses'][number]['partitions'][number]

const FETCH = { request: fetchRequest, response: fetchResponse }
/** Later ones name topics by id. */
const VERSION_MAX = 12
const MAX_WAIT_MS = 500
const FETCH_BYTES_MAX = 8 * 2 ** 20
const PARTITION_BYTES_MAX = 2 ** 20
const RETRY_DELAY_MS = 200

/** Reads partitions from given offsets on, for ever. Each is read in the order of its offsets, all of them at once. */
export class TopicReader {
  readonly #client: KafkaClient
  readonly #positions: PartitionMap<number>
  readonly #options: Required<ReaderOptions>
  /** Partitions in no request. */
  readonly #idle = new PartitionMap<true>()
  readonly #running = new Map<number, Promise<{ leader: number; chunks: ReadChunk[] }>>()
  #lastAnswerMs = performance.now()

  constructor(client: KafkaClient, positions: PartitionMap<number>, options: ReaderOptions = {}) {
    this.#client = client
    this.#positions = positions
    this.#options = { readsUncommitted: false, maxWaitMs: MAX_WAIT_MS, ...options }
    for (const { topic, partition } of positions) this.#idle.set(topic, partition, true)
  }

  /** The offset of the next record of a partition. */
  positionOf(topic: string, partition: number): number {
    return this.#positions.get(topic, partition) ?? 0
  }

  /** Stops reading a partition: what is under way is still given. */
  remove(topic: string, partition: number): void {
    this.#positions.delete(topic, partition)
    this.#idle.delete(topic, partition)
  }

  /**
   * Chunks as they come, until nobody asks for more, no partition is left, or `stop`. Asks again where a leader has
   * moved or a connection was lost, for as long as the client's timeout. Rejects with KafkaClientError.
   */
  async *chunks(stop: AbortSignal): AsyncGenerator<ReadChunk> {
    let onStop = () => {}
    const stopped = new Promise<null>((resolve) => {
      onStop = () => resolve(null)
      stop.addEventListener('abort', onStop)
    })
    try {
      while (!stop.aborted && (this.#positions.size > 0 || this.#running.size > 0)) {
        await this.#startFetches()
        const done = await Promise.race([...this.#running.values(), stopped])
        if (done === null) return
        this.#running.delete(done.leader)
        // The next request is under way while these are dealt with.
        if (!stop.aborted) await this.#startFetches()
        yield* done.chunks
      }
    } finally {
      stop.removeEventListener('abort', onStop)
      for (const running of this.#running.values()) running.catch(() => {})
    }
  }

  async #startFetches(): Promise<void> {
    if (this.#idle.size === 0) return
    const byLeader = await this.#trying(() => groupByLeader(this.#client, [...this.#idle]), new Map())
    for (const [leader, byTopic] of byLeader) {
      if (this.#running.has(leader)) continue
      for (const [topic, numbers] of byTopic) for (const partition of numbers) this.#idle.delete(topic, partition)
      this.#running.set(leader, this.#fetch(leader, byTopic))
    }
  }

  async #fetch(
    leader: number,
    byTopic: ReadonlyMap<string, readonly number[]>,
  ): Promise<{ leader: number; chunks: ReadChunk[] }> {
    const { readsUncommitted, maxWaitMs } = this.#options
    const answer = await this.#trying(
      () =>
        this.#client.call(
          leader,
          FETCH,
          {
            maxWaitMs,
            minBytes: 1,
            maxBytes: FETCH_BYTES_MAX,
            isolationLevel: readsUncommitted ? 0 : 1,
            topics: [...byTopic].map(([topic, numbers]) => ({
              topic,
              topicId: ZERO_UUID,
              partitions: numbers.map((partition) => ({
                partition,
                fetchOffset: this.positionOf(topic, partition),
                partitionMaxBytes: PARTITION_BYTES_MAX,
              })),
            })),
            forgottenTopicsData: [],
          },
          { versionMax: VERSION_MAX, extraWaitMs: maxWaitMs },
        ),
      null,
    )
    const chunks: ReadChunk[] = []
    for (const { topic, partitions } of answer?.responses ?? []) {
      for (const partition of partitions) {
        if (!this.#positions.has(topic, partition.partitionIndex)) continue
        const chunk = await this.#take(topic, partition)
        if (chunk !== undefined) chunks.push(chunk)
      }
    }
    for (const [topic, numbers] of byTopic) {
      if (answer === null) this.#client.forgetLeaders(topic)
      for (const partition of numbers) {
        if (this.#positions.has(topic, partition)) this.#idle.set(topic, partition, true)
      }
    }
    return { leader, chunks }
  }

  async #take(topic: string, answer: PartitionAnswer): Promise<ReadChunk | undefined> {
    const partition = answer.partitionIndex
    const position = this.positionOf(topic, partition)
    const what = `${topic}, partition ${partition}`
    if (answer.errorCode === ERROR.OFFSET_OUT_OF_RANGE) return this.#returnToRange(topic, partition, position)
    if (RETRIABLE.has(errorNameOf(answer.errorCode) as ErrorName) && answer.errorCode !== UNKNOWN_TOPIC) {
      this.#client.forgetLeaders(topic)
      await pause()
      return undefined
    }
    if (answer.errorCode !== ERROR.NONE) throw new RefusedError(what, answer.errorCode)
    const { records, nextOffset } = this.#decode(answer, position, what)
    this.#positions.set(topic, partition, nextOffset)
    const endOffset = this.#options.readsUncommitted
      ? answer.highWatermark
      : Math.min(answer.highWatermark, answer.lastStableOffset)
    return { topic, partition, records, nextOffset, endOffset, skippedCount: 0 }
  }

  /** What was there has been deleted meanwhile: reading goes on with what is left. */
  async #returnToRange(topic: string, partition: number, position: number): Promise<ReadChunk> {
    const earliest = (await listOffsets(this.#client, [{ topic, partition }], 'earliest')).get(topic, partition) ?? 0
    const latest = (await listOffsets(this.#client, [{ topic, partition }], 'latest')).get(topic, partition) ?? 0
    if (position > latest) {
      throw new KafkaClientError(
        `${topic}, partition ${partition}: there is no offset ${position}: it holds ${earliest} to ${latest}`,
      )
    }
    this.#positions.set(topic, partition, earliest)
    const skippedCount = earliest - position
    return { topic, partition, records: [], nextOffset: earliest, endOffset: latest, skippedCount }
  }

  #decode(answer: PartitionAnswer, position: number, what: string): { records: LogRecord[]; nextOffset: number } {
    const aborted = new AbortedTransactions(this.#options.readsUncommitted ? null : answer.abortedTransactions)
    const bytes = answer.records ?? Buffer.alloc(0)
    const records: LogRecord[] = []
    let nextOffset = position
    // A broker may cut the last batch off.
    for (let at = 0; at + BATCH_HEADER_BYTES <= bytes.length; at += sizeBytesOf(bytes, at)) {
      if (at + sizeBytesOf(bytes, at) > bytes.length) break
      const batch = decode(bytes, at, what)
      nextOffset = Math.max(nextOffset, batch.lastOffset + 1)
      for (const record of aborted.readable(batch)) if (record.offset >= position) records.push(record)
    }
    return { records, nextOffset }
  }

  /** Waits and gives `otherwise` when no broker could be reached for less than the timeout. */
  async #trying<T>(attempt: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      const answer = await attempt()
      this.#lastAnswerMs = performance.now()
      return answer
    } catch (error) {
      const isPatient = performance.now() - this.#lastAnswerMs < this.#client.timeoutMs
      if (!(error instanceof UnreachableError && isPatient)) throw error
      await pause()
      return otherwise
    }
  }
}

const UNKNOWN_TOPIC = ERROR.UNKNOWN_TOPIC_OR_PARTITION

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS))
}

/** Throws KafkaClientError. */
function decode(bytes: Uint8Array, at: number, what: string): DecodedBatch {
  try {
    return decodeBatch(bytes, at)
  } catch (error) {
    if (!(error instanceof RecordFormatError || error instanceof CompressionError)) throw error
    throw new KafkaClientError(`${what}: records that cannot be read: ${error.message}`)
  }
}
