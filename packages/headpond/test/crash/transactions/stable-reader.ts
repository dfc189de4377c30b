/** A consumer that reads one partition as `read_committed` does, through all the deaths of its broker. */
import { AbortedTransactions } from '#src/kafka/aborted-transactions.ts'
import { ZERO_UUID } from '#src/kafka/codec/byte-reader.ts'
import { errorNameOf } from '#src/kafka/errors.ts'
import { fetchRequest, fetchResponse } from '#src/kafka/schemas/fetch.ts'
import { sizeBytesOf } from '#src/log/record-batch.ts'
import { decodeBatch } from '#src/log/records/batch.ts'
import type { WireClient } from '../../kafka/wire-client.ts'

const FETCH_VERSION = 12
const READ_COMMITTED = 1

export interface StableRecord {
  readonly offset: number
  readonly value: string
}

export class StableReader {
  readonly topic: string
  readonly partition: number
  readonly records: StableRecord[] = []
  #offset: number
  #lastStableOffset = 0
  #highWatermark = 0

  constructor(topic: string, partition: number, offset = 0) {
    this.topic = topic
    this.partition = partition
    this.#offset = offset
  }

  /** Everything that is there is decided, and has been read. */
  get isAtEnd(): boolean {
    return this.#lastStableOffset === this.#highWatermark && this.#offset === this.#highWatermark
  }

  describe(): string {
    return `${this.topic}-${this.partition} read to ${this.#offset}, stable to ${this.#lastStableOffset} of ${this.#highWatermark}`
  }

  /** One read. Throws for what a broker must not serve. */
  async read(client: WireClient, maxWaitMs: number): Promise<void> {
    const partitions = [{ partition: this.partition, fetchOffset: this.#offset, partitionMaxBytes: 2 ** 16 }]
    const answer = await client.call(fetchRequest, fetchResponse, FETCH_VERSION, {
      maxWaitMs,
      minBytes: 1,
      maxBytes: 2 ** 20,
      isolationLevel: READ_COMMITTED,
      topics: [{ topic: this.topic, topicId: ZERO_UUID, partitions }],
      forgottenTopicsData: [],
    })
    const { errorCode, highWatermark, lastStableOffset, abortedTransactions, records } =
      answer.responses[0].partitions[0]
    if (errorCode !== 0) throw new Error(`${this.describe()}: ${errorNameOf(errorCode)}`)
    if (lastStableOffset < this.#lastStableOffset) {
      throw new Error(`${this.describe()}: the last stable offset goes back to ${lastStableOffset}`)
    }
    if (highWatermark < this.#highWatermark) {
      throw new Error(`${this.describe()}: the high watermark goes back to ${highWatermark}`)
    }
    this.#lastStableOffset = lastStableOffset
    this.#highWatermark = highWatermark
    const aborted = new AbortedTransactions(abortedTransactions ?? [])
    const bytes = Buffer.concat([records ?? []].flat())
    for (let at = 0; at < bytes.length; at += sizeBytesOf(bytes, at)) {
      const batch = decodeBatch(bytes, at)
      if (batch.lastOffset >= lastStableOffset)
        throw new Error(`${this.describe()}: offset ${batch.lastOffset} was served`)
      for (const { offset, value } of aborted.readable(batch)) {
        if (offset >= this.#offset) this.records.push({ offset, value: String(value) })
      }
      this.#offset = batch.lastOffset + 1
    }
  }
}
