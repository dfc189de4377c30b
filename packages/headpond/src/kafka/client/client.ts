/**
 * A client for any Kafka, made of the same messages that the broker is made of: small, and for tools rather than for
 * applications. It asks in the oldest version of an API that has what it needs, so that it works with brokers from
 * 2.0 to today.
 */
import type { ConnectionOptions } from 'node:tls'
import { ZERO_UUID } from '../codec/byte-reader.ts'
import { ERROR } from '../errors.ts'
import { findCoordinatorRequest, findCoordinatorResponse } from '../schemas/find-coordinator.ts'
import { metadataRequest, metadataResponse } from '../schemas/metadata.ts'
import { addressText, type BrokerAddress } from './address.ts'
import { BrokerConnection, type CallOptions, type Exchange, type SaslCredentials } from './broker-connection.ts'
import { KafkaClientError, RefusedError, UnreachableError } from './kafka-client-error.ts'

export type { SaslCredentials } from './broker-connection.ts'

export interface KafkaClientOptions {
  readonly bootstrap: readonly BrokerAddress[]
  readonly clientId?: string
  readonly tls?: ConnectionOptions
  readonly sasl?: SaslCredentials
  readonly timeoutMs?: number
  /** Time from any moment on, for tests that move it. */
  readonly nowMs?: () => number
}

export interface PartitionInfo {
  readonly partition: number
  /** -1: none at the moment. */
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

export interface TopicInfo {
  readonly name: string
  /** The zero uuid from brokers that know no ids. */
  readonly id: string
  readonly isInternal: boolean
  /** By number. */
  readonly partitions: readonly PartitionInfo[]
}

export interface ClusterInfo {
  readonly clusterId: string | null
  readonly controllerId: number
  readonly brokers: ReadonlyMap<number, BrokerAddress>
}

/** Who is asked: a broker by its number, the controller, or whoever is there. */
export type Recipient = number | 'any' | 'controller'

const DEFAULT_TIMEOUT_MS = 10_000
const METADATA = { request: metadataRequest, response: metadataResponse }
/** Later ones ask for several coordinators at once. */
const COORDINATOR_VERSION_MAX = 3
/** A topic that has just been made has no leader yet, a group no coordinator. */
const RETRY_DELAY_MS = 100

export class KafkaClient {
  readonly #options: KafkaClientOptions
  readonly timeoutMs: number
  readonly #connections = new Map<string, Promise<BrokerConnection>>()
  readonly #leaders = new Map<string, Map<number, number>>()
  readonly #coordinators = new Map<string, number>()
  #cluster: ClusterInfo = { clusterId: null, controllerId: -1, brokers: new Map() }
  #isClosed = false

  /** Connects to the first broker that answers and learns about the others. Rejects with KafkaClientError. */
  static async connect(options: KafkaClientOptions): Promise<KafkaClient> {
    const client = new KafkaClient(options)
    try {
      await client.topics([])
      return client
    } catch (error) {
      client.close()
      throw error
    }
  }

  private constructor(options: KafkaClientOptions) {
    this.#options = options
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  }

  /** As it was when metadata was last asked for. */
  get cluster(): ClusterInfo {
    return this.#cluster
  }

  /** Where the client began, as it was written. */
  get bootstrapText(): string {
    return this.#options.bootstrap.map(addressText).join(',')
  }

  /** Ends all connections; what is under way is rejected. */
  close(): void {
    this.#isClosed = true
    for (const connection of this.#connections.values()) {
      connection.then(
        (opened) => opened.close(),
        () => {},
      )
    }
    this.#connections.clear()
  }

  /** Whether a broker offers an API in a version that is known here. */
  async offers(exchange: Exchange<never, unknown>, recipient: Recipient = 'any'): Promise<boolean> {
    return (await this.#connectionTo(recipient)).versionOf(exchange) !== undefined
  }

  /** Rejects with KafkaClientError. */
  async call<Q, A>(recipient: Recipient, exchange: Exchange<Q, A>, body: Q, options: CallOptions = {}): Promise<A> {
    const connection = await this.#connectionTo(recipient)
    return connection.call(exchange, body, options)
  }

  /**
   * The topics of these names, all of them for null. Those that do not exist are missing in the answer, and are not
   * created.
   */
  async topics(names: readonly string[] | null): Promise<TopicInfo[]> {
    const answer = await this.call('any', METADATA, {
      topics: names === null ? null : names.map((name) => ({ name, topicId: ZERO_UUID })),
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: false,
    })
    this.#cluster = {
      clusterId: answer.clusterId,
      controllerId: answer.controllerId,
      brokers: new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }])),
    }
    const topics: TopicInfo[] = []
    for (const { name, topicId, isInternal, errorCode, partitions } of answer.topics) {
      if (errorCode === ERROR.UNKNOWN_TOPIC_OR_PARTITION || name === null) continue
      if (errorCode !== ERROR.NONE && errorCode !== ERROR.LEADER_NOT_AVAILABLE) {
        throw new RefusedError(`topic ${name}`, errorCode)
      }
      const infos = partitions
        .map(({ partitionIndex, leaderId, replicaNodes, isrNodes }) => ({
          partition: partitionIndex,
          leader: leaderId,
          replicas: replicaNodes,
          isr: isrNodes,
        }))
        .sort((a, b) => a.partition - b.partition)
      this.#leaders.set(name, new Map(infos.map(({ partition, leader }) => [partition, leader])))
      topics.push({ name, id: topicId, isInternal, partitions: infos })
    }
    return topics
  }

  /** One topic; undefined when it does not exist. */
  async topic(name: string): Promise<TopicInfo | undefined> {
    const [topic] = await this.topics([name])
    return topic
  }

  /** Resolves when a topic that was just made has come to be known: the controller is ahead of the brokers. */
  async untilTopic(name: string): Promise<void> {
    await this.#retrying(async () => {
      if ((await this.topic(name)) === undefined) {
        throw new RefusedError(`topic ${name}`, ERROR.UNKNOWN_TOPIC_OR_PARTITION)
      }
    }, isRetriable)
  }

  /** Who leads a partition. Rejects with RefusedError when it does not exist, or has no leader in time. */
  async leaderOf(topic: string, partition: number): Promise<number> {
    const known = this.#leaders.get(topic)?.get(partition)
    if (known !== undefined && known >= 0) return known
    const what = `${topic}, partition ${partition}`
    return this.#retrying(async () => {
      await this.topics([topic])
      const leader = this.#leaders.get(topic)?.get(partition)
      if (leader === undefined) throw new RefusedError(what, ERROR.UNKNOWN_TOPIC_OR_PARTITION)
      if (leader < 0) throw new RefusedError(what, ERROR.LEADER_NOT_AVAILABLE)
      return leader
    }, isLeaderless)
  }

  /** What was known about the leaders of a topic does not hold any more. */
  forgetLeaders(topic: string): void {
    this.#leaders.delete(topic)
  }

  /** Asks the coordinator of a group; again, when it has just moved or is just loading. */
  async callCoordinator<Q, A>(
    group: string,
    exchange: Exchange<Q, A>,
    body: Q,
    options: CallOptions & { readonly errorOf: (answer: A) => number },
  ): Promise<A> {
    return this.#retrying(async () => {
      const answer = await this.call(await this.#coordinatorOf(group), exchange, body, options)
      const code = options.errorOf(answer)
      if (COORDINATOR_ERRORS.has(code)) {
        this.#coordinators.delete(group)
        throw new RefusedError(`group ${group}`, code)
      }
      return answer
    }, isRetriable)
  }

  /** The broker that coordinates a group. */
  async coordinatorOf(group: string): Promise<number> {
    return this.#retrying(() => this.#coordinatorOf(group), isRetriable)
  }

  async #coordinatorOf(group: string): Promise<number> {
    const known = this.#coordinators.get(group)
    if (known !== undefined) return known
    const answer = await this.call(
      'any',
      { request: findCoordinatorRequest, response: findCoordinatorResponse },
      { key: group, keyType: 0, coordinatorKeys: [] },
      { versionMax: COORDINATOR_VERSION_MAX },
    )
    if (answer.errorCode !== ERROR.NONE) throw new RefusedError(`group ${group}`, answer.errorCode, answer.errorMessage)
    if (!this.#cluster.brokers.has(answer.nodeId)) await this.topics([])
    this.#coordinators.set(group, answer.nodeId)
    return answer.nodeId
  }

  async #retrying<T>(attempt: () => Promise<T>, isWorthwhile: (error: unknown) => boolean): Promise<T> {
    const giveUpAtMs = performance.now() + this.timeoutMs
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        if (!isWorthwhile(error) || this.#isClosed || performance.now() > giveUpAtMs) throw error
        await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS))
      }
    }
  }

  async #connectionTo(recipient: Recipient): Promise<BrokerConnection> {
    if (recipient === 'any') return this.#anyConnection()
    const nodeId = recipient === 'controller' ? this.#cluster.controllerId : recipient
    const address = this.#cluster.brokers.get(nodeId)
    if (address !== undefined) return this.#connectionAt(address)
    if (recipient === 'controller') return this.#anyConnection()
    throw new KafkaClientError(`there is no broker ${nodeId} any more`)
  }

  async #anyConnection(): Promise<BrokerConnection> {
    for (const connection of this.#connections.values()) {
      const opened = await connection.catch(() => null)
      if (opened?.isLost === false) return opened
    }
    const failures: string[] = []
    for (const address of this.#options.bootstrap) {
      try {
        return await this.#connectionAt(address)
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error
        failures.push(error.message)
      }
    }
    throw new UnreachableError(failures.join('; '))
  }

  async #connectionAt(address: BrokerAddress): Promise<BrokerConnection> {
    if (this.#isClosed) throw new UnreachableError('The connection is closed')
    const name = addressText(address)
    const existing = this.#connections.get(name)
    if (existing !== undefined && (await existing).isLost === false) return existing
    const { clientId = 'headpond', tls, sasl, nowMs = () => performance.now() } = this.#options
    const opening = BrokerConnection.open(address, {
      clientId,
      timeoutMs: this.timeoutMs,
      nowMs,
      ...(tls === undefined ? {} : { tls }),
      ...(sasl === undefined ? {} : { sasl }),
    })
    this.#connections.set(name, opening)
    opening.catch(() => {
      if (this.#connections.get(name) === opening) this.#connections.delete(name)
    })
    return opening
  }
}

const COORDINATOR_ERRORS: ReadonlySet<number> = new Set([
  ERROR.COORDINATOR_NOT_AVAILABLE,
  ERROR.COORDINATOR_LOAD_IN_PROGRESS,
  ERROR.NOT_COORDINATOR,
])

function isRetriable(error: unknown): boolean {
  return error instanceof RefusedError && error.isRetriable
}

function isLeaderless(error: unknown): boolean {
  return error instanceof RefusedError && error.errorName === 'LEADER_NOT_AVAILABLE'
}
