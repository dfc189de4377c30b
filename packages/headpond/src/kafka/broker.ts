import type { ServerLog } from '../config/server-log.ts'
import type { LogManager } from '../log/log-manager.ts'
import type { Clock } from '../net/clock.ts'
import type { Api } from './api.ts'
import { AclFile } from './authorizer/acl-file.ts'
import { Authorizer } from './authorizer/authorizer.ts'
import { authorizerSettings, isAuthorizing } from './authorizer/settings.ts'
import type { BrokerConfig } from './broker-config.ts'
import type { ClusterMetadata } from './cluster-metadata.ts'
import { FetchSessionCache } from './fetch/fetch-session-cache.ts'
import { GroupCoordinator } from './groups/group-coordinator.ts'
import { GroupSettings } from './groups/settings.ts'
import type { ListenerPlan } from './listener.ts'
import { Quotas } from './quotas/quotas.ts'
import type { Authentication } from './security/authentication.ts'
import type { KafkaSession } from './session.ts'
import { TransactionSettings } from './transactions/settings.ts'
import { TransactionCoordinator } from './transactions/transaction-coordinator.ts'

export interface BrokerParts {
  readonly logs: LogManager
  readonly clock: Clock
  readonly config: BrokerConfig
  readonly metadata: ClusterMetadata
  readonly log: ServerLog
  /** In [0, 1). */
  readonly random: () => number
  /** Everything that is served. ApiVersions tells of these and no others: clients fall back where an API is missing. */
  readonly apis: readonly Api[]
  readonly authentication: Authentication
  readonly listeners: readonly ListenerPlan[]
}

/** Where clients find a broker. */
export interface BrokerEndpoint {
  readonly host: string
  readonly port: number
}

/** What stands for the directory of a broker that keeps everything in memory. */
const IN_MEMORY = '(memory)'

/** What the handlers of all APIs share. */
export class Broker {
  readonly logs: LogManager
  readonly clock: Clock
  readonly config: BrokerConfig
  /** What clients have set while a broker ran. */
  readonly metadata: ClusterMetadata
  readonly log: ServerLog
  readonly apis: readonly Api[]
  /** Who decides what clients may do; null: they may do anything. */
  readonly authorizer: Authorizer | null
  readonly fetchSessions: FetchSessionCache
  readonly groups: GroupCoordinator
  readonly transactions: TransactionCoordinator
  readonly quotas: Quotas
  readonly authentication: Authentication
  readonly listeners: readonly ListenerPlan[]
  /** Where each of them listens, by its name. */
  readonly listeningPorts = new Map<string, number>()
  /** Groups and transactions are known again. */
  #loaded: Promise<unknown> = Promise.resolve()

  constructor({ logs, clock, config, metadata, log, random, apis, authentication, listeners }: BrokerParts) {
    this.logs = logs
    this.clock = clock
    this.config = config
    this.metadata = metadata
    this.log = log
    this.apis = apis
    this.authorizer = isAuthorizing(config)
      ? new Authorizer(new AclFile(metadata.directory), authorizerSettings(config), log)
      : null
    this.fetchSessions = new FetchSessionCache({
      slotCount: () => config.integer('max.incremental.fetch.session.cache.slots'),
      nowMs: () => clock.nowMs(),
      random,
    })
    this.quotas = new Quotas(config, () => clock.nowMs())
    this.authentication = authentication
    this.listeners = listeners
    this.groups = new GroupCoordinator({ logs, clock, settings: new GroupSettings(config, metadata), log })
    this.transactions = new TransactionCoordinator({
      logs,
      clock,
      settings: new TransactionSettings(config, metadata),
      groups: this.groups,
      log,
    })
  }

  /** `node.id`: this broker is the whole cluster, its controller and every partition's leader. */
  get nodeId(): number {
    return this.logs.nodeId
  }

  /** Of every log, as clients are told it. */
  get logDirectory(): string {
    return this.metadata.directory ?? IN_MEMORY
  }

  /** Where this broker stands, for consumers that prefer one nearby; null: nobody has said. */
  get rack(): string | null {
    return this.config.text('broker.rack')
  }

  /** Where this client is to connect to: the same in Metadata, FindCoordinator and DescribeCluster. */
  endpointFor({ listener: { advertised }, localHost, localPort }: KafkaSession): BrokerEndpoint {
    return { host: advertised?.host ?? localHost, port: advertised?.port ?? localPort }
  }

  /** Loads what is on disk. */
  async start(): Promise<void> {
    this.config.warnOfUnknown(this.log)
    this.metadata.load()
    this.authorizer?.load()
    this.config.useMetadata(this.metadata)
    this.quotas.clients.useStorage(this.metadata)
    this.authentication.tokens.useStorage(this.metadata)
    await this.logs.start()
    this.config.onChange.add(() => this.logs.refreshSettings())
    this.config.onChange.add(() => this.authorizer?.useSettings(authorizerSettings(this.config)))
    // Clients of groups and transactions that are not known yet are told so, and come again.
    const groupsLoaded = this.groups.start()
    this.#loaded = Promise.all([groupsLoaded, this.transactions.start(groupsLoaded)])
  }

  async close(): Promise<void> {
    this.groups.close()
    this.transactions.close()
    this.authentication.tokens.close()
    await this.#loaded
    await this.logs.close()
  }
}
