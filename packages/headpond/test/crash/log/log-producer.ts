/**
 * A producer on a broker that dies, who knows afterwards what must be there. It sends numbered records to one partition, up to
 * five batches ahead of the answers; an idempotent one sends those without an answer again after each crash.
 */
import { ZERO_UUID } from '#src/kafka/codec/byte-reader.ts'
import { initProducerIdRequest, initProducerIdResponse } from '#src/kafka/schemas/init-producer-id.ts'
import { produceRequest, produceResponse } from '#src/kafka/schemas/produce.ts'
import { CODECS } from '#src/log/record-batch.ts'
import { encodeBatch } from '#src/log/records/batch.ts'
import type { WireClient } from '../../kafka/wire-client.ts'
import type { SeededRandom } from '../../seeded-random.ts'
import { performanceNowMs } from '../operations.ts'
import type { LogBounds, SeenRecord } from './log-bounds.ts'

const PRODUCE_VERSION = 9
const INIT_PRODUCER_ID_VERSION = 4
const IN_FLIGHT_MAX = 5
const KEY_COUNT = 12

interface Sent {
  /** The numbers of its records. */
  readonly first: number
  readonly end: number
  readonly bytes: Buffer
  readonly sentAtMs: number
  /** -1: no answer yet. */
  baseOffset: number
  ackedAtMs: number
  /** It was not acknowledged when the broker died, and will not be sent again. */
  isGivenUp: boolean
}

export class LogProducer {
  readonly name: string
  readonly topic: string
  readonly partition: number
  readonly isIdempotent: boolean
  /** Whether all of its records have to be there, or the last of each key alone. */
  readonly isCompacted: boolean
  readonly #random: SeededRandom
  readonly #sent: Sent[] = []
  #producerId = -1
  #producerEpoch = -1
  #next = 0
  ackedCount = 0

  constructor(
    name: string,
    place: { topic: string; partition: number; isCompacted?: boolean },
    isIdempotent: boolean,
    random: SeededRandom,
  ) {
    this.name = name
    this.topic = place.topic
    this.partition = place.partition
    this.isCompacted = place.isCompacted === true
    this.isIdempotent = isIdempotent
    this.#random = random
  }

  /** Works until the connection is closed. Rejects for an answer that should not be. */
  async work(client: WireClient): Promise<void> {
    const waiting: Sent[] = []
    const ids: number[] = []
    const send = (batch: Sent) => {
      waiting.push(batch)
      const partitionData = [{ index: this.partition, records: [batch.bytes] }]
      ids.push(
        client.send(produceRequest, PRODUCE_VERSION, {
          acks: -1,
          timeoutMs: 10_000,
          topicData: [{ name: this.topic, topicId: ZERO_UUID, partitionData }],
        }),
      )
    }
    const attempt = async <T>(work: Promise<T>): Promise<T | null> => {
      try {
        return await work
      } catch (error) {
        if (client.socket.destroyed) return null
        throw error
      }
    }
    if (this.isIdempotent && this.#producerId < 0) {
      const answer = await attempt(
        client.call(initProducerIdRequest, initProducerIdResponse, INIT_PRODUCER_ID_VERSION, {
          transactionalId: null,
          transactionTimeoutMs: 1000,
        }),
      )
      if (answer === null) return
      this.#producerId = answer.producerId
      this.#producerEpoch = answer.producerEpoch
    }
    for (const batch of this.#unanswered()) {
      if (this.isIdempotent) send(batch)
      else batch.isGivenUp = true
    }
    for (;;) {
      while (waiting.length < IN_FLIGHT_MAX) send(this.#makeBatch())
      const id = ids.shift() as number
      const answer = await attempt(client.receive(produceResponse, PRODUCE_VERSION, id))
      if (answer === null) return
      const { errorCode, baseOffset } = answer.responses[0].partitionResponses[0]
      if (errorCode !== 0) throw new Error(`${this.name} was answered error ${errorCode}`)
      this.#acknowledge(waiting.shift() as Sent, baseOffset)
    }
  }

  #unanswered(): Sent[] {
    return this.#sent.filter((batch) => batch.ackedAtMs === Number.POSITIVE_INFINITY && !batch.isGivenUp)
  }

  #makeBatch(): Sent {
    const random = this.#random
    const first = this.#next
    const end = first + 1 + random.below(8)
    this.#next = end
    const records = Array.from({ length: end - first }, (_, index) => ({
      timestampMs: 1_700_000_000_000 + first + index,
      key: Buffer.from(`${this.name}/${(first + index) % KEY_COUNT}`),
      value: Buffer.from(`${this.name}:${first + index}:${'x'.repeat(random.below(200))}`),
    }))
    const bytes = encodeBatch(records, {
      codec: random.pick(CODECS),
      producerId: this.#producerId,
      producerEpoch: this.#producerEpoch,
      baseSequence: this.isIdempotent ? first : -1,
    })
    const batch = {
      first,
      end,
      bytes,
      sentAtMs: performanceNowMs(),
      baseOffset: -1,
      ackedAtMs: Number.POSITIVE_INFINITY,
      isGivenUp: false,
    }
    this.#sent.push(batch)
    return batch
  }

  #acknowledge(batch: Sent, baseOffset: number): void {
    const before = this.#sent[this.#sent.indexOf(batch) - 1]
    if (before !== undefined && before.baseOffset >= 0 && before.baseOffset + before.end - before.first > baseOffset) {
      throw new Error(`${this.name}: offset ${baseOffset} came after ${before.baseOffset}`)
    }
    // What was found in the log after a crash is the same when it is sent again.
    if (batch.baseOffset >= 0 && batch.baseOffset !== baseOffset) {
      throw new Error(`${this.name}: ${batch.first} is at offset ${batch.baseOffset}, and answered as ${baseOffset}`)
    }
    batch.baseOffset = baseOffset
    batch.ackedAtMs = performanceNowMs()
    this.ackedCount += batch.end - batch.first
  }

  /**
   * Says what is wrong with what the partition holds, by throwing. With `isContinued`, it goes on from there. Returns how
   * many records are there that were not acknowledged.
   */
  verify(all: readonly SeenRecord[], bounds: LogBounds, isContinued: boolean): number {
    const offsets = new Map<number, number>()
    let last = -1
    for (const { offset, value } of all) {
      const [name, text] = value.split(':')
      if (name !== this.name) continue
      const number = Number(text)
      if (!(number < this.#next)) throw new Error(`${this.name}: ${number} was never sent`)
      if (offsets.has(number))
        throw new Error(`${this.name}: ${number} is there twice, at ${offsets.get(number)} and ${offset}`)
      if (number < last) throw new Error(`${this.name}: ${number} at offset ${offset} comes after ${last}`)
      last = number
      offsets.set(number, offset)
    }
    const lastOfKey = new Map<number, number>()
    for (const number of offsets.keys()) lastOfKey.set(number % KEY_COUNT, number)
    let unacknowledgedCount = 0
    let firstMissing = Number.POSITIVE_INFINITY
    for (const batch of this.#sent) {
      const isKept = bounds.isEverythingKept && batch.ackedAtMs <= bounds.atMs
      for (let number = batch.first; number < batch.end; number++) {
        const offset = offsets.get(number)
        if (offset === undefined) {
          firstMissing = Math.min(firstMissing, number)
          const isReplaced = this.isCompacted && (lastOfKey.get(number % KEY_COUNT) ?? -1) > number
          if (isKept && !isReplaced) throw new Error(`${this.name}: ${number} was acknowledged, and is not there`)
          continue
        }
        if (batch.sentAtMs > bounds.atMs) throw new Error(`${this.name}: ${number} is there before it was sent`)
        const wholeIsThere = !this.isCompacted && offsets.get(batch.first) === undefined
        if (wholeIsThere) throw new Error(`${this.name}: ${number} is there, and the beginning of its batch is not`)
        const base = offset - (number - batch.first)
        if (batch.baseOffset >= 0 && batch.ackedAtMs <= bounds.atMs && base !== batch.baseOffset) {
          throw new Error(
            `${this.name}: ${number} is at offset ${offset}, its batch was acknowledged at ${batch.baseOffset}`,
          )
        }
        // An idempotent producer leaves no gaps.
        if (this.isIdempotent && !this.isCompacted && number > firstMissing) {
          throw new Error(`${this.name}: ${number} is there, and ${firstMissing} is not`)
        }
        if (batch.ackedAtMs > bounds.atMs && !batch.isGivenUp) unacknowledgedCount++
        if (isContinued && batch.baseOffset < 0) batch.baseOffset = base
      }
    }
    return unacknowledgedCount
  }
}
