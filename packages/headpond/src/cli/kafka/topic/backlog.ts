import type { TopicPartition } from '../../../kafka/client/offsets.ts'
import { PartitionMap } from '../../../kafka/client/partition-map.ts'
import type { ReadChunk } from '../../../kafka/client/topic-reader.ts'
import type { LogRecord } from '../../../log/records/record.ts'

/** A record with the partition that it is in. */
export interface PlacedRecord {
  readonly partition: number
  readonly record: LogRecord
}

/** What was in the partitions when a command began, and how much of it is still to be read. */
export class Backlog {
  readonly #ends = new PartitionMap<number>()

  constructor(positions: PartitionMap<number>, ends: PartitionMap<number | null>) {
    for (const { topic, partition, value: position } of positions) {
      const end = ends.get(topic, partition) ?? 0
      if (position < end) this.#ends.set(topic, partition, end)
    }
  }

  get isDone(): boolean {
    return this.#ends.size === 0
  }

  isDoneFor({ topic, partition }: TopicPartition): boolean {
    return !this.#ends.has(topic, partition)
  }

  /** The records of a chunk: those that were there at the start, and those that came later. */
  take(chunk: ReadChunk): { readonly earlier: readonly PlacedRecord[]; readonly later: readonly PlacedRecord[] } {
    const { topic, partition, nextOffset, endOffset } = chunk
    const records = chunk.records.map((record) => ({ partition, record }))
    const end = this.#ends.get(topic, partition)
    if (end === undefined) return { earlier: [], later: records }
    // An open transaction hides what lies behind it: a reader gets no further for now.
    if (nextOffset >= Math.min(end, endOffset)) this.#ends.delete(topic, partition)
    return {
      earlier: records.filter(({ record }) => record.offset < end),
      later: records.filter(({ record }) => record.offset >= end),
    }
  }
}

/** The last records of several partitions, in the order of their time; what comes meanwhile waits for its turn. */
export class LastRecords {
  readonly #count: number
  #earlier: PlacedRecord[] = []
  #later: PlacedRecord[] = []

  constructor(count: number) {
    this.#count = count
  }

  /** Returns what can be shown: nothing until all that was there at the start has been read. */
  take(
    { earlier, later }: { readonly earlier: readonly PlacedRecord[]; readonly later: readonly PlacedRecord[] },
    isComplete: boolean,
  ): readonly PlacedRecord[] {
    this.#earlier.push(...earlier)
    this.#later.push(...later)
    if (!isComplete) return []
    const inOrder = this.#earlier.sort((a, b) => a.record.timestampMs - b.record.timestampMs)
    const shown = [...(this.#count > 0 ? inOrder.slice(-this.#count) : []), ...this.#later]
    this.#earlier = []
    this.#later = []
    return shown
  }
}
