/** Reads a partition as consumers do, and takes nothing for granted that it is served. */
import { ZERO_UUID } from '#src/kafka/codec/byte-reader.ts'
import { fetchRequest, fetchResponse } from '#src/kafka/schemas/fetch.ts'
import { computeCrc, crcOf, magicOf, sizeBytesOf } from '#src/log/record-batch.ts'
import { decodeBatch } from '#src/log/records/batch.ts'
import type { WireClient } from '../../kafka/wire-client.ts'
import { performanceNowMs } from '../operations.ts'
import type { LogBounds, SeenRecord } from './log-bounds.ts'

const FETCH_VERSION = 12

/** The records of whole batches; throws for anything that a broker must not serve. Offsets ascend from `offsetMin` on. */
export function readBatches(
  bytes: Uint8Array,
  offsetMin: number,
  isCompacted: boolean,
): { records: SeenRecord[]; end: number } {
  const records: SeenRecord[] = []
  let end = offsetMin
  for (let at = 0; at < bytes.length; at += sizeBytesOf(bytes, at)) {
    if (at + sizeBytesOf(bytes, at) > bytes.length || magicOf(bytes, at) !== 2)
      throw new Error('a torn batch was served')
    if (computeCrc(bytes, at) !== crcOf(bytes, at)) throw new Error('a batch with a wrong CRC was served')
    const batch = decodeBatch(bytes, at)
    const isInOrder = isCompacted ? batch.lastOffset >= end : batch.baseOffset <= end && batch.lastOffset >= end
    if (!isInOrder) throw new Error(`offset ${batch.baseOffset} was served where ${end} should be`)
    for (const { offset, value } of batch.records) {
      if (offset >= end) records.push({ offset, value: Buffer.from(value ?? []).toString() })
    }
    end = batch.lastOffset + 1
  }
  return { records, end }
}

export class LogReader {
  readonly topic: string
  readonly partition: number
  readonly #isCompacted: boolean
  /** What consumers were served, and when. */
  readonly #seen = new Map<number, { value: string; atMs: number }>()
  #highWatermark = 0

  constructor(place: { topic: string; partition: number; isCompacted?: boolean }) {
    this.topic = place.topic
    this.partition = place.partition
    this.#isCompacted = place.isCompacted === true
  }

  /** Reads from the beginning, and on, until the connection is closed; or to the end, with `isOnce`. */
  async work(client: WireClient, isOnce = false): Promise<SeenRecord[]> {
    const all: SeenRecord[] = []
    for (let offset = 0; ; ) {
      let bytes: Uint8Array
      try {
        bytes = await this.#fetch(client, offset, isOnce)
      } catch (error) {
        if (isOnce || !client.socket.destroyed) throw error
        return all
      }
      const { records, end } = readBatches(bytes, offset, this.#isCompacted)
      if (bytes.length === 0 && isOnce) return all
      offset = end
      for (const record of records) {
        all.push(record)
        if (!isOnce) this.#seen.set(record.offset, { value: record.value, atMs: performanceNowMs() })
      }
    }
  }

  async #fetch(client: WireClient, offset: number, isOnce: boolean): Promise<Uint8Array> {
    const answer = await client.call(fetchRequest, fetchResponse, FETCH_VERSION, {
      maxWaitMs: isOnce ? 0 : 50,
      minBytes: 1,
      maxBytes: 2 ** 20,
      topics: [
        {
          topic: this.topic,
          topicId: ZERO_UUID,
          partitions: [{ partition: this.partition, fetchOffset: offset, partitionMaxBytes: 2 ** 18 }],
        },
      ],
      forgottenTopicsData: [],
    })
    const { errorCode, highWatermark, records } = answer.responses[0].partitions[0]
    if (errorCode !== 0)
      throw new Error(`${this.topic}-${this.partition} cannot be read at ${offset}: error ${errorCode}`)
    if (highWatermark < this.#highWatermark) {
      throw new Error(
        `the high watermark of ${this.topic}-${this.partition} went from ${this.#highWatermark} to ${highWatermark}`,
      )
    }
    this.#highWatermark = highWatermark
    return records === null ? new Uint8Array(0) : Buffer.concat([records].flat())
  }

  /** What consumers were served is still there, at the same place. */
  verify(all: readonly SeenRecord[], bounds: LogBounds): void {
    if (!bounds.isEverythingKept) return
    const values = new Map(all.map(({ offset, value }) => [offset, value]))
    for (const [offset, { value, atMs }] of this.#seen) {
      if (atMs > bounds.atMs) continue
      const now = values.get(offset)
      if (now === value || (now === undefined && this.#isCompacted)) continue
      throw new Error(`offset ${offset} of ${this.topic}-${this.partition} was served as ${value}, and is ${now} now`)
    }
  }
}
