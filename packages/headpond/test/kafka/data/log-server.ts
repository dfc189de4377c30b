/** A server with topics for one test, a clock that the test moves, and clients that produce and fetch as they are told. */
import type { TestContext } from 'node:test'
import { Config } from '#src/config/config.ts'
import type { DirectiveOptions } from '#src/config/sources.ts'
import type { Broker } from '#src/kafka/broker.ts'
import { ZERO_UUID } from '#src/kafka/codec/byte-reader.ts'
import type { Decoded, Encodable } from '#src/kafka/codec/message.ts'
import { ERROR, errorNameOf } from '#src/kafka/errors.ts'
import { fetchRequest, fetchResponse } from '#src/kafka/schemas/fetch.ts'
import { initProducerIdRequest, initProducerIdResponse } from '#src/kafka/schemas/init-producer-id.ts'
import { produceRequest, produceResponse } from '#src/kafka/schemas/produce.ts'
import type { LogManager, TopicOptions } from '#src/log/log-manager.ts'
import type { PartitionLog } from '#src/log/partition-log.ts'
import { sizeBytesOf } from '#src/log/record-batch.ts'
import { type BatchOptions, type DecodedBatch, decodeBatch, encodeBatch } from '#src/log/records/batch.ts'
import { Server } from '#src/server/server.ts'
import { WireClient } from '../wire-client.ts'

export type Produced = Decoded<typeof produceResponse>['responses'][number]['partitionResponses'][number]
export type Fetched = Decoded<typeof fetchResponse>
export type FetchedPartition = Fetched['responses'][number]['partitions'][number]
type FetchedFields = Encodable<typeof fetchRequest>

export interface LogServer {
  readonly server: Server
  readonly broker: Broker
  readonly logs: LogManager
  readonly address: string
  /** What was logged, line by line. */
  readonly logged: string[]
  partition(topic: string, partition?: number): PartitionLog
  topicId(topic: string): string
  connect(): Promise<LogClient>
}

export interface LogServerOptions {
  /** Number of partitions, or more. */
  readonly topics?: Readonly<Record<string, number | TopicOptions>>
  readonly directives?: DirectiveOptions
}

export async function startLogServer(t: TestContext, options: LogServerOptions = {}): Promise<LogServer> {
  const logged: string[] = []
  const config = Config.load({
    options: {
      port: 0,
      memcachedPort: 0,
      kafkaPort: 'auto',
      bind: ['127.0.0.1'],
      // Whoever moves the clock by days does not mean that connections are idle.
      'kafka.connections.max.idle.ms': -1,
      ephemeral: options.directives?.dir === undefined,
      ...options.directives,
    } as DirectiveOptions,
  })
  const log = {
    info: (line: string) => void logged.push(line),
    warn: (line: string) => void logged.push(line),
    error: (details: object, line: string) => {
      logged.push(line)
      console.error(line, details)
    },
  }
  const server = new Server({ config, log, firstArenaBytes: 2 ** 18 })
  await server.start()
  const clients: LogClient[] = []
  t.after(async () => {
    for (const client of clients) client.close()
    await server.close()
  })
  const { broker } = await server.kafka.load()
  const { logs } = broker
  for (const [name, topic] of Object.entries(options.topics ?? {})) {
    logs.createTopic(name, typeof topic === 'number' ? { partitionCount: topic } : topic)
  }
  const address = `127.0.0.1:${server.kafkaPort}`
  return {
    server,
    broker,
    logs,
    address,
    logged,
    partition: (topic, partition = 0) => logs.partition(topic, partition)!,
    topicId: (topic) => logs.topics.get(topic)!.id,
    async connect() {
      const client = new LogClient(await WireClient.connect(address), logs)
      clients.push(client)
      return client
    },
  }
}

export interface ProduceOptions {
  readonly version?: number
  readonly acks?: number
  readonly timeoutMs?: number
  readonly partition?: number
  readonly transactionalId?: string | null
}

export interface FetchOptions {
  readonly version?: number
  readonly partition?: number
  readonly offset?: number
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly partitionMaxBytes?: number
  readonly isolationLevel?: number
  readonly currentLeaderEpoch?: number
  readonly lastFetchedEpoch?: number
}

/** A topic of a fetch: which partitions, from where. */
export type Positions = Readonly<Record<string, Readonly<Record<number, number>>>>

export class LogClient {
  readonly wire: WireClient
  readonly #logs: LogManager | null

  /** @param logs where the ids of topics are looked up; without, they are named by name alone */
  constructor(wire: WireClient, logs: LogManager | null = null) {
    this.wire = wire
    this.#logs = logs
  }

  close(): void {
    this.wire.close()
  }

  /** Sends one batch to one partition, and does not wait. */
  sendBatch(topic: string, batch: Uint8Array | null, options: ProduceOptions = {}): number {
    const { version = 9, acks = -1, timeoutMs = 30_000, partition = 0, transactionalId = null } = options
    const partitionData = [{ index: partition, records: batch }]
    const topicData = [{ name: topic, topicId: ZERO_UUID, partitionData }]
    return this.wire.send(produceRequest, version, { transactionalId, acks, timeoutMs, topicData })
  }

  async receiveProduced(correlationId: number, version = 9): Promise<Produced> {
    const answer = await this.wire.receive(produceResponse, version, correlationId)
    return answer.responses[0].partitionResponses[0]
  }

  produce(topic: string, batch: Uint8Array | null, options: ProduceOptions = {}): Promise<Produced> {
    return this.receiveProduced(this.sendBatch(topic, batch, options), options.version)
  }

  async initProducerId(): Promise<number> {
    const asked = { transactionalId: null, transactionTimeoutMs: 0 }
    return (await this.wire.call(initProducerIdRequest, initProducerIdResponse, 4, asked)).producerId
  }

  /** Sends a request for these partitions, and does not wait. */
  sendFetch(positions: Positions, options: FetchOptions & Partial<FetchedFields> = {}): number {
    const { version = 12, maxWaitMs = 0, minBytes = 1, maxBytes = 2 ** 20, isolationLevel = 0 } = options
    const { partitionMaxBytes = 2 ** 20, currentLeaderEpoch = -1, lastFetchedEpoch = -1 } = options
    const topics = Object.entries(positions).map(([topic, offsets]) => ({
      topic,
      topicId: this.#logs?.topics.get(topic)?.id ?? ZERO_UUID,
      partitions: Object.entries(offsets).map(([partition, fetchOffset]) => ({
        partition: Number(partition),
        currentLeaderEpoch,
        lastFetchedEpoch,
        fetchOffset,
        partitionMaxBytes,
      })),
    }))
    const { sessionId = 0, sessionEpoch = -1, forgottenTopicsData = [], replicaId = -1 } = options
    return this.wire.send(fetchRequest, version, {
      ...{ maxWaitMs, minBytes, maxBytes, isolationLevel, sessionId, sessionEpoch, topics },
      ...{ forgottenTopicsData, replicaId, rackId: '' },
    })
  }

  receiveFetched(correlationId: number, version = 12): Promise<Fetched> {
    return this.wire.receive(fetchResponse, version, correlationId)
  }

  fetchAll(positions: Positions, options: FetchOptions & Partial<FetchedFields> = {}): Promise<Fetched> {
    return this.receiveFetched(this.sendFetch(positions, options), options.version)
  }

  /** One partition. */
  async fetch(topic: string, options: FetchOptions = {}): Promise<FetchedPartition> {
    const { partition = 0, offset = 0 } = options
    return (await this.fetchAll({ [topic]: { [partition]: offset } }, options)).responses[0].partitions[0]
  }
}

/** A batch of records whose values are these. */
export function batchOf(values: readonly string[], options: BatchOptions & { timestampMs?: number } = {}): Buffer {
  const { timestampMs = Date.now(), ...batchOptions } = options
  return encodeBatch(
    values.map((value) => ({ timestampMs, key: null, value: Buffer.from(value) })),
    batchOptions,
  )
}

/** The batches of an answer; a cut one would throw. */
export function batchesOf({ records }: { records: Buffer | null }): DecodedBatch[] {
  const batches: DecodedBatch[] = []
  const bytes = records ?? Buffer.alloc(0)
  for (let at = 0; at < bytes.length; at += sizeBytesOf(bytes, at)) batches.push(decodeBatch(bytes, at))
  return batches
}

/** `offset:value` of each record of an answer. */
export function recordsOf(partition: { records: Buffer | null }): string[] {
  return batchesOf(partition).flatMap(({ records }) =>
    records.map(({ offset, value }) => `${offset}:${Buffer.from(value ?? 'null').toString()}`),
  )
}

/** An error as people name it. */
export function errorOf({ errorCode }: { errorCode: number }): string {
  return errorCode === ERROR.NONE ? 'NONE' : errorNameOf(errorCode)
}
