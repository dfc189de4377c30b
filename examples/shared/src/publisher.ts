import { Producer, stringSerializers } from '@platformatic/kafka'

export interface OutgoingEvent {
  readonly topic: string
  /** Events of one key stay in order. */
  readonly key: string
  readonly value: string
}

interface Waiting {
  readonly event: OutgoingEvent
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** In one request. */
const BATCH_EVENTS_MAX = 500
const RETRIES = 8
const RETRY_DELAY_MS = 250
/** A process that is very busy takes long to see that it is connected. */
const CONNECT_TIMEOUT_MS = 20_000

/**
 * Publishes events with an idempotent producer: a request whose answer was lost is repeated under the same sequence number, and
 * the broker takes it once.
 *
 * That holds for one request at a time: a second one that overtakes a repeated one would be given its number, and be taken for
 * it. So what arrives while a request is on its way goes with the next one, which is also the faster way to send many. And when
 * a request has failed for good, nobody knows whether it was carried out: its producer, with its numbers, is not used again.
 */
export class Publisher {
  readonly #makeProducer: () => StringProducer
  #producer: StringProducer
  #waiting: Waiting[] = []
  #sending: Promise<void> | null = null

  private constructor(clientId: string, brokers: string[]) {
    this.#makeProducer = () =>
      new Producer({
        clientId,
        bootstrapBrokers: brokers,
        serializers: stringSerializers,
        idempotent: true,
        retries: RETRIES,
        retryDelay: RETRY_DELAY_MS,
        connectTimeout: CONNECT_TIMEOUT_MS,
      })
    this.#producer = this.#makeProducer()
  }

  /** Resolves when it is connected, and has the id by which the broker knows its numbers. */
  static async connect(clientId: string, brokers: string[]): Promise<Publisher> {
    const publisher = new Publisher(clientId, brokers)
    await publisher.#producer.initIdempotentProducer({})
    return publisher
  }

  /** Resolves when the event is in the log. After a rejection it may be there all the same. */
  publish(event: OutgoingEvent): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, resolve, reject })
      this.#sending ??= this.#sendAll().finally(() => {
        this.#sending = null
      })
    })
  }

  /** Sends what waits, then disconnects. */
  async close(): Promise<void> {
    await this.#sending
    await this.#producer.close()
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH_EVENTS_MAX)
      try {
        await this.#producer.send({ messages: batch.map(({ event }) => ({ ...event })) })
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
        const failed = this.#producer
        this.#producer = this.#makeProducer()
        await failed.close().catch(() => {}) // it is of no use any more, connected or not
      }
    }
  }
}

type StringProducer = Producer<string, string, string, string>
