import type { Codec } from '../../log/record-batch.ts'
import { encodeBatch } from '../../log/records/batch.ts'
import type { NewRecord } from '../../log/records/record.ts'
import { ZERO_UUID } from '../codec/byte-reader.ts'
import { ERROR } from '../errors.ts'
import { partitionOfKey } from '../partitioner.ts'
import { initProducerIdRequest, initProducerIdResponse } from '../schemas/init-producer-id.ts'
import { produceRequest, produceResponse } from '../schemas/produce.ts'
import type { KafkaClient } from './client.ts'
import { KafkaClientError, RefusedError, refuseUnlessNone, UnreachableError } from './kafka-client-error.ts'

export interface ProducerOptions {
  readonly acks?: 'all' | 1 | 0
  readonly codec?: Codec
}

interface PartitionQueue {
  readonly partition: number
  records: NewRecord[]
  sizeBytes: number
  isSending: boolean
  sequence: number
}

const PRODUCE = { request: produceRequest, response: produceResponse }
const INIT_PRODUCER_ID = { request: initProducerIdRequest, response: initProducerIdResponse }
/** Later ones name topics by id. */
const PRODUCE_VERSION_MAX = 12
/** A batch is sent when it has so much, below the smallest limit that brokers have by default. */
const BATCH_BYTES = 512 * 1024
/** Records without a key go to one partition until it has so much, then to the next: many small batches cost more. */
const STICKY_BYTES = 16 * 1024
/** Who adds waits while more than this is not sent. */
const UNSENT_BYTES_MAX = 32 * 2 ** 20
/** A record that comes alone is sent after this. */
const LINGER_MS = 5
const RETRY_DELAY_MS = 100
const RECORD_OVERHEAD_BYTES = 32
const SEQUENCE_MODULUS = 2 ** 31

/**
 * Produces to one topic in batches, one at a time for each partition, so that records keep their order and a batch that
 * is sent again after a lost answer is not there twice (where the broker offers that).
 */
export class Producer {
  readonly #client: KafkaClient
  readonly #topic: string
  readonly #queues: readonly PartitionQueue[]
  readonly #acks: number
  readonly #codec: Codec
  readonly #producerId: number
  readonly #producerEpoch: number
  #failure: KafkaClientError | null = null
  /** Where records without a key go, until it has got so many bytes. */
  #stickyPartition = 0
  #stickyBytes = 0
  #unsentBytes = 0
  #unsentCount = 0
  #timer: NodeJS.Timeout | null = null
  #waiters: (() => void)[] = []
  /** Records that brokers have taken, and their size before compression. */
  sentCount = 0
  sentBytes = 0

  /** Rejects with KafkaClientError: RefusedError when there is no such topic. */
  static async open(client: KafkaClient, topic: string, options: ProducerOptions = {}): Promise<Producer> {
    const info = await client.topic(topic)
    if (info === undefined) throw new RefusedError(`topic ${topic}`, ERROR.UNKNOWN_TOPIC_OR_PARTITION)
    const isIdempotent = (options.acks ?? 'all') === 'all' && (await client.offers(INIT_PRODUCER_ID))
    const { producerId, producerEpoch } = isIdempotent
      ? await producerIdentity(client)
      : { producerId: -1, producerEpoch: -1 }
    return new Producer(client, topic, info.partitions.length, { ...options, producerId, producerEpoch })
  }

  private constructor(
    client: KafkaClient,
    topic: string,
    partitionCount: number,
    options: ProducerOptions & { readonly producerId: number; readonly producerEpoch: number },
  ) {
    this.#client = client
    this.#topic = topic
    this.#queues = Array.from({ length: partitionCount }, (_none, partition) => ({
      partition,
      records: [],
      sizeBytes: 0,
      isSending: false,
      sequence: 0,
    }))
    this.#acks = options.acks === 'all' || options.acks === undefined ? -1 : options.acks
    this.#codec = options.codec ?? 'none'
    this.#producerId = options.producerId
    this.#producerEpoch = options.producerEpoch
  }

  get partitionCount(): number {
    return this.#queues.length
  }

  /** Resolves when there is room for more. Rejects with KafkaClientError when an earlier record was refused. */
  async add(record: NewRecord, partition?: number): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    const sizeBytes = sizeOfOne(record)
    const queue = this.#queues[partition ?? this.#partitionOf(record.key, sizeBytes)]
    if (queue === undefined) throw new KafkaClientError(`${this.#topic} has no partition ${partition}`)
    if (queue.sizeBytes + sizeBytes > BATCH_BYTES) this.#send(queue)
    queue.records.push(record)
    queue.sizeBytes += sizeBytes
    this.#unsentBytes += sizeBytes
    this.#unsentCount++
    this.#timer ??= setTimeout(() => this.#sendAll(), LINGER_MS)
    while (this.#unsentBytes > UNSENT_BYTES_MAX && this.#failure === null) await this.#progress()
  }

  /** Resolves when all records are with the brokers. Rejects with KafkaClientError when one was refused. */
  async flush(): Promise<void> {
    this.#sendAll()
    while (this.#unsentCount > 0 && this.#failure === null) await this.#progress()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#failure !== null) throw this.#failure
  }

  #partitionOf(key: Uint8Array | null, sizeBytes: number): number {
    if (key !== null) return partitionOfKey(key, this.#queues.length)
    this.#stickyBytes += sizeBytes
    if (this.#stickyBytes > STICKY_BYTES) {
      this.#stickyBytes = 0
      this.#stickyPartition = (this.#stickyPartition + 1) % this.#queues.length
    }
    return this.#stickyPartition
  }

  #progress(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  #sendAll(): void {
    this.#timer = null
    for (const queue of this.#queues) this.#send(queue)
  }

  #send(queue: PartitionQueue): void {
    if (queue.isSending || queue.records.length === 0 || this.#failure !== null) return
    const { records, sizeBytes, partition } = queue
    // Records that were added while another batch was on its way may be more than one.
    const count = countWithin(records, BATCH_BYTES)
    queue.records = records.slice(count)
    const batchBytes = count === records.length ? sizeBytes : sizeOf(records.slice(0, count))
    queue.sizeBytes -= batchBytes
    // The next one alone goes elsewhere: few records reach all partitions.
    if (partition === this.#stickyPartition) this.#stickyBytes = STICKY_BYTES
    queue.isSending = true
    this.#deliver(queue, records.slice(0, count)).then(
      () => {
        this.sentCount += count
        this.sentBytes += batchBytes - count * RECORD_OVERHEAD_BYTES
        this.#done(queue, count, batchBytes)
      },
      (error: unknown) => {
        this.#failure ??= error instanceof KafkaClientError ? error : new KafkaClientError(String(error))
        this.#done(queue, count, batchBytes)
      },
    )
  }

  #done(queue: PartitionQueue, count: number, sizeBytes: number): void {
    queue.isSending = false
    this.#unsentBytes -= sizeBytes
    this.#unsentCount -= count
    this.#send(queue)
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }

  async #deliver(queue: PartitionQueue, records: readonly NewRecord[]): Promise<void> {
    const isIdempotent = this.#producerId >= 0
    const batch = encodeBatch(records, {
      codec: this.#codec,
      producerId: this.#producerId,
      producerEpoch: this.#producerEpoch,
      baseSequence: isIdempotent ? queue.sequence : -1,
    })
    queue.sequence = (queue.sequence + records.length) % SEQUENCE_MODULUS
    const giveUpAtMs = performance.now() + this.#client.timeoutMs
    for (;;) {
      try {
        return await this.#attempt(queue.partition, batch)
      } catch (error) {
        const mayRepeat =
          (error instanceof RefusedError && error.isRetriable) || (error instanceof UnreachableError && isIdempotent)
        if (!mayRepeat || performance.now() > giveUpAtMs) throw error
        this.#client.forgetLeaders(this.#topic)
        await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS))
      }
    }
  }

  async #attempt(partition: number, records: Buffer): Promise<void> {
    const answer = await this.#client.call(
      await this.#client.leaderOf(this.#topic, partition),
      PRODUCE,
      {
        acks: this.#acks,
        timeoutMs: this.#client.timeoutMs,
        topicData: [{ name: this.#topic, topicId: ZERO_UUID, partitionData: [{ index: partition, records }] }],
      },
      { versionMax: PRODUCE_VERSION_MAX, hasNoAnswer: this.#acks === 0 },
    )
    if (this.#acks === 0) return
    const { errorCode, errorMessage, recordErrors } = answer.responses[0].partitionResponses[0]
    const message = errorMessage ?? recordErrors[0]?.batchIndexErrorMessage
    refuseUnlessNone(`${this.#topic}, partition ${partition}`, errorCode, message)
  }
}

async function producerIdentity(client: KafkaClient): Promise<{ producerId: number; producerEpoch: number }> {
  const answer = await client.call('any', INIT_PRODUCER_ID, { transactionalId: null, transactionTimeoutMs: 60_000 })
  // Where permissions do not go so far, it works without.
  if (answer.errorCode !== ERROR.NONE) return { producerId: -1, producerEpoch: -1 }
  return { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
}

/** How many records make a batch: at least one. */
function countWithin(records: readonly NewRecord[], sizeBytesMax: number): number {
  let sizeBytes = 0
  let count = 0
  for (const record of records) {
    sizeBytes += sizeOfOne(record)
    if (count > 0 && sizeBytes > sizeBytesMax) break
    count++
  }
  return count
}

function sizeOf(records: readonly NewRecord[]): number {
  let sizeBytes = 0
  for (const record of records) sizeBytes += sizeOfOne(record)
  return sizeBytes
}

function sizeOfOne({ key, value }: NewRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + RECORD_OVERHEAD_BYTES
}
