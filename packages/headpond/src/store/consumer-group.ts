import type { Heap } from '../memory/heap.ts'
import { IdTable } from './id-table.ts'
import { StreamId } from './stream-id.ts'

/**
 * A consumer group of a stream: up to where it has read, and what is pending: entries that were delivered to a consumer
 * and not acknowledged yet. The group's table has all that is known of a pending entry, each consumer's the ids that are
 * its own, so that a consumer's history is found without those of others.
 *
 * Names are strings of one character for each byte.
 */

/** Words of a pending entry behind its id. */
const DELIVERED_LOW = 0
const DELIVERED_HIGH = 1
const DELIVERY_COUNT = 2
const CONSUMER = 3
const PENDING_WORDS = 4

const NO_CONSUMER = 0xffffffff
const DELIVERY_COUNT_MAX = 0xffffffff

/** Never active. */
export const NEVER_ACTIVE = -1

export class Consumer {
  readonly name: string
  /** Its index in the group. */
  readonly number: number
  readonly pending: IdTable
  /** When it last tried to read or claim. */
  seenAtMs: number
  /** When it last got entries. */
  activeAtMs = NEVER_ACTIVE

  constructor(name: string, number: number, pending: IdTable, seenAtMs: number) {
    this.name = name
    this.number = number
    this.pending = pending
    this.seenAtMs = seenAtMs
  }
}

export class ConsumerGroup {
  readonly name: string
  readonly lastId = new StreamId()
  /** How many entries of the stream, from the first ever added, it has read; -1 when that is not known. */
  entriesRead = -1
  readonly consumers = new Map<string, Consumer>()
  /** The pending entries. `find`, `seek` and so on place it; the properties below tell of the entry it is at. */
  readonly pending: IdTable
  readonly #heap: Heap
  readonly #byNumber: (Consumer | null)[] = []
  /** Numbers of consumers that have gone. */
  readonly #freeNumbers: number[] = []
  readonly #id = new StreamId()

  constructor(heap: Heap, name: string, pending = new IdTable(heap, PENDING_WORDS)) {
    this.#heap = heap
    this.name = name
    this.pending = pending
  }

  get sizeBytes(): number {
    let sizeBytes = this.pending.sizeBytes
    for (const consumer of this.consumers.values()) sizeBytes += consumer.pending.sizeBytes
    return sizeBytes
  }

  /** How much there is to free. */
  get partCount(): number {
    let count = 1 + this.pending.count
    for (const consumer of this.consumers.values()) count += consumer.pending.count
    return count
  }

  // ---- Consumers ----

  createConsumer(name: string, nowMs: number): Consumer {
    const number = this.#freeNumbers.pop() ?? this.#byNumber.length
    const consumer = new Consumer(name, number, new IdTable(this.#heap, 0), nowMs)
    this.#byNumber[number] = consumer
    this.consumers.set(name, consumer)
    return consumer
  }

  /** Deletes a consumer with all that is pending for it. Returns how many entries that was. */
  deleteConsumer(consumer: Consumer): number {
    const { pending } = consumer
    const count = pending.count
    for (let has = pending.toFirst(); has; has = pending.next()) {
      if (this.pending.find(pending.readId(this.#id))) this.pending.remove()
    }
    pending.dismantle(Number.POSITIVE_INFINITY)
    this.consumers.delete(consumer.name)
    this.#byNumber[consumer.number] = null
    this.#freeNumbers.push(consumer.number)
    return count
  }

  // ---- Pending entries ----

  /** Of the pending entry at the cursor: whose it is; null while it is nobody's yet. */
  get owner(): Consumer | null {
    const number = this.pending.word(CONSUMER)
    return number === NO_CONSUMER ? null : this.#byNumber[number]
  }

  get deliveredAtMs(): number {
    return this.pending.word(DELIVERED_HIGH) * 2 ** 32 + this.pending.word(DELIVERED_LOW)
  }

  set deliveredAtMs(ms: number) {
    this.pending.setWord(DELIVERED_LOW, ms >>> 0)
    this.pending.setWord(DELIVERED_HIGH, Math.floor(ms / 2 ** 32))
  }

  get deliveryCount(): number {
    return this.pending.word(DELIVERY_COUNT)
  }

  set deliveryCount(count: number) {
    this.pending.setWord(DELIVERY_COUNT, Math.min(count, DELIVERY_COUNT_MAX))
  }

  /** Adds a pending entry that is nobody's yet, and goes there. */
  addPending(id: StreamId, deliveredAtMs: number, deliveryCount: number): void {
    this.pending.insert(id)
    this.pending.setWord(CONSUMER, NO_CONSUMER)
    this.deliveredAtMs = deliveredAtMs
    this.deliveryCount = deliveryCount
  }

  /** Makes the pending entry at the cursor, which has this id, a consumer's. */
  assign(id: StreamId, consumer: Consumer): void {
    const { owner } = this
    if (owner === consumer) return
    if (owner?.pending.find(id)) owner.pending.remove()
    consumer.pending.insert(id)
    this.pending.setWord(CONSUMER, consumer.number)
  }

  /** Notes that an entry was delivered to a consumer now, for the first time. */
  deliver(id: StreamId, consumer: Consumer, nowMs: number): void {
    if (this.pending.find(id)) {
      this.deliveredAtMs = nowMs
      this.deliveryCount = 1
    } else {
      this.addPending(id, nowMs, 1)
    }
    this.assign(id, consumer)
  }

  /** Takes the pending entry at the cursor out, which has this id; the cursor goes to the next one. */
  removePending(id: StreamId): void {
    const { owner } = this
    if (owner?.pending.find(id)) owner.pending.remove()
    this.pending.remove()
  }

  // ---- The whole ----

  clone(): ConsumerGroup {
    const copy = new ConsumerGroup(this.#heap, this.name, this.pending.clone())
    copy.lastId.set(this.lastId)
    copy.entriesRead = this.entriesRead
    for (const [number, consumer] of this.#byNumber.entries()) {
      if (consumer === null) {
        copy.#byNumber.push(null)
        copy.#freeNumbers.push(number)
        continue
      }
      const twin = new Consumer(consumer.name, number, consumer.pending.clone(), consumer.seenAtMs)
      twin.activeAtMs = consumer.activeAtMs
      copy.#byNumber.push(twin)
    }
    // In the order of the original: numbers may have been given twice.
    for (const [name, consumer] of this.consumers) copy.consumers.set(name, copy.#byNumber[consumer.number]!)
    return copy
  }

  /** Frees up to `chunksMax` chunks of a group that nobody can reach any more. Returns whether more are left. */
  dismantle(chunksMax: number): boolean {
    if (this.pending.dismantle(chunksMax)) return true
    for (const [name, { pending }] of this.consumers) {
      if (pending.dismantle(chunksMax)) return true
      this.consumers.delete(name)
    }
    return false
  }
}

/** Groups or consumers in the order of their names, as Redis lists them. */
export function byName<T extends { readonly name: string }>(named: ReadonlyMap<string, T>): T[] {
  return [...named.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}
