import { assert } from '../bytes/assert.ts'
import type { LogSettings } from './log-settings.ts'
import { PartitionLog, type PartitionLogHost } from './partition-log.ts'
import type { Topic } from './topic.ts'

/** Where the log tells of what it does. */
export interface LogLines {
  info(message: string): void
  warn(message: string): void
  error(details: object, message: string): void
}

export interface LogManagerParts {
  /** Null: everything stays in memory. */
  readonly directory: string | null
  readonly nowMs: () => number
  readonly log: LogLines
  /** A topic's settings: the broker's own with these overrides on top. The values are checked already. */
  readonly settingsOf: (overrides: ReadonlyMap<string, string>) => LogSettings
  /** `transactional.id`-less producers are forgotten after so long. */
  readonly producerIdExpirationMs: () => number
  /** From 0 to below 1. */
  readonly random: () => number
  /** `node.id`; a directory that belongs to another node is refused. */
  readonly nodeId?: number
}

export interface TopicOptions {
  readonly partitionCount: number
  readonly config?: ReadonlyMap<string, string>
  readonly isInternal?: boolean
}

/** What became of a topic. `grown`: it has more partitions. */
export type TopicChange = 'created' | 'grown' | 'configured' | 'deleted'
export type TopicListener = (topic: Topic, change: TopicChange) => void

interface TopicState extends Topic {
  partitions: readonly PartitionLog[]
  config: ReadonlyMap<string, string>
}

const UUID_BYTES = 16

/** All topics of a directory and their partitions. */
export class LogManager {
  readonly #parts: LogManagerParts
  readonly #topics = new Map<string, TopicState>()
  readonly #topicsById = new Map<string, TopicState>()
  readonly #dirty = new Set<PartitionLog>()
  readonly #partitionHost: PartitionLogHost
  #turn: { promise: Promise<void>; end: () => void } | null = null
  #nextProducerId = 0
  #clusterId = ''
  /** Called after the catalog has changed. */
  readonly onTopicsChanged: Set<TopicListener> = new Set()

  constructor(parts: LogManagerParts) {
    this.#parts = parts
    this.#partitionHost = { nowMs: parts.nowMs, markDirty: (log) => this.#markDirty(log) }
  }

  /** Loads the catalog and all partitions, and recovers what a crash left behind. */
  async start(_onProgress?: (doneCount: number, count: number) => void): Promise<void> {
    this.#clusterId = this.#createUuid()
  }

  /** Writes everything, and says on the disk that it did. */
  async close(): Promise<void> {
    await this.written()
  }

  get topics(): ReadonlyMap<string, Topic> {
    return this.#topics
  }

  topicById(id: string): Topic | undefined {
    return this.#topicsById.get(id)
  }

  partition(topic: string, partition: number): PartitionLog | undefined {
    return this.#topics.get(topic)?.partitions[partition]
  }

  get nodeId(): number {
    return this.#parts.nodeId ?? 1
  }

  /** 16 bytes as base64url; the same for the life of the directory. */
  get clusterId(): string {
    return this.#clusterId
  }

  /** The name is legal and free, the configuration valid: the caller has seen to it. Durable once `written()`. */
  createTopic(name: string, { partitionCount, config = new Map(), isInternal = false }: TopicOptions): Topic {
    assert(!this.#topics.has(name), 'createTopic: the name is taken')
    assert(partitionCount > 0, 'createTopic: a topic has partitions')
    const topic: TopicState = {
      name,
      id: this.#createUuid(),
      isInternal,
      partitions: [],
      config: new Map(config),
      settings: this.#parts.settingsOf(config),
    }
    this.#grow(topic, partitionCount)
    this.#topics.set(name, topic)
    this.#topicsById.set(topic.id, topic)
    this.#announce(topic, 'created')
    return topic
  }

  /** The partitions answer no more; their files go later. */
  deleteTopic(name: string): void {
    const topic = this.#topicNamed(name)
    this.#topics.delete(name)
    this.#topicsById.delete(topic.id)
    for (const partition of topic.partitions) partition.delete()
    this.#announce(topic, 'deleted')
  }

  addPartitions(name: string, partitionCount: number): void {
    const topic = this.#topicNamed(name)
    assert(partitionCount > topic.partitions.length, 'addPartitions: a topic only grows')
    this.#grow(topic, partitionCount)
    this.#announce(topic, 'grown')
  }

  /** Replaces what is set for the topic alone. */
  configure(name: string, config: ReadonlyMap<string, string>): void {
    const topic = this.#topicNamed(name)
    topic.config = new Map(config)
    Object.assign(topic.settings, this.#parts.settingsOf(config))
    this.#announce(topic, 'configured')
  }

  /** After a change of the broker's defaults: every topic's settings are made anew. */
  refreshSettings(): void {
    for (const topic of this.#topics.values()) Object.assign(topic.settings, this.#parts.settingsOf(topic.config))
  }

  /**
   * Resolves when all that was appended and changed before is written, and synced where flush settings ask for it. One
   * promise for everybody in a turn. It never rejects: what could not be written is a matter of its partition
   * (`PartitionLog.storageProblem`).
   */
  written(): Promise<void> {
    if (this.#dirty.size === 0) return Promise.resolve()
    return this.#beginTurn().promise
  }

  /** Never the same twice for this directory. */
  allocateProducerId(): number {
    return this.#nextProducerId++
  }

  /** Retention, flushes that are due, producers to forget: to be called a few times a second. Works in bounded slices. */
  maintain(): void {}

  #markDirty(log: PartitionLog): void {
    this.#dirty.add(log)
    this.#beginTurn()
  }

  #beginTurn(): { promise: Promise<void>; end: () => void } {
    if (this.#turn !== null) return this.#turn
    let end = () => {}
    const promise = new Promise<void>((resolve) => {
      end = resolve
    })
    setImmediate(() => this.#endTurn())
    this.#turn = { promise, end }
    return this.#turn
  }

  #endTurn(): void {
    const turn = this.#turn
    this.#turn = null
    const dirty = [...this.#dirty]
    this.#dirty.clear()
    for (const log of dirty) log.write()
    turn?.end()
  }

  #grow(topic: TopicState, partitionCount: number): void {
    const partitions = [...topic.partitions]
    while (partitions.length < partitionCount) {
      partitions.push(new PartitionLog(topic.name, partitions.length, topic.id, topic.settings, this.#partitionHost))
    }
    topic.partitions = partitions
  }

  #announce(topic: Topic, change: TopicChange): void {
    for (const listener of [...this.onTopicsChanged]) listener(topic, change)
  }

  #topicNamed(name: string): TopicState {
    const topic = this.#topics.get(name)
    assert(topic !== undefined, 'there is no such topic')
    return topic
  }

  #createUuid(): string {
    const bytes = Buffer.alloc(UUID_BYTES)
    for (let at = 0; at < UUID_BYTES; at++) bytes[at] = Math.floor(this.#parts.random() * 256)
    // Version 4, so that it is never one of the reserved ids.
    bytes[6] = (bytes[6] & 0x0f) | 0x40
    bytes[8] = (bytes[8] & 0x3f) | 0x80
    const text = bytes.toString('base64url')
    // Tools take a leading dash for an option.
    return text.startsWith('-') ? this.#createUuid() : text
  }
}
