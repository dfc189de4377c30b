import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { assert } from '../bytes/assert.ts'
import type { ServerLog } from '../config/server-log.ts'
import { Catalog, type CatalogTopic } from './catalog.ts'
import { CheckpointFile, type PartitionOffset, readCheckpoint } from './checkpoint-file.ts'
import { type CleanerSettings, DEFAULT_CLEANER_SETTINGS, LogCleaner } from './compaction/log-cleaner.ts'
import { isMissing, OpenFiles, replaceFile, syncPath, unlinkIfThere } from './files.ts'
import type { LogSettings } from './log-settings.ts'
import { PartitionDirectory } from './partition-directory.ts'
import { PartitionLog, type PartitionLogHost } from './partition-log.ts'
import { formatProperties, parseProperties } from './properties-file.ts'
import { TAIL_BYTES_MAX, TailMemory } from './tail-memory.ts'
import type { Topic } from './topic.ts'

export interface LogManagerParts {
  /** Null: everything stays in memory. */
  readonly directory: string | null
  readonly nowMs: () => number
  readonly log: ServerLog
  /** A topic's settings: the broker's own with these overrides on top. The values are checked already. */
  readonly settingsOf: (overrides: ReadonlyMap<string, string>) => LogSettings
  /** Producers without a transaction are forgotten when they have not written for so long. */
  readonly producerIdExpirationMs: () => number
  /** From 0 to below 1. */
  readonly random: () => number
  /** `node.id`; a directory that belongs to another node is refused. */
  readonly nodeId?: number
  /** `log.retention.check.interval.ms`. */
  readonly retentionCheckIntervalMs?: () => number
  /** What the ends of all logs may hold in memory. */
  readonly tailBytesMax?: number
  /** Kafka's defaults when it is missing. */
  readonly cleaner?: () => CleanerSettings
}

export interface TopicOptions {
  readonly partitionCount: number
  readonly config?: ReadonlyMap<string, string>
  readonly isInternal?: boolean
}

/** What became of a topic. `grown`: it has more partitions. */
export type TopicChange = 'created' | 'grown' | 'configured' | 'deleted'
export type TopicListener = (topic: Topic, change: TopicChange) => void

/** A directory that cannot be served from. What it says is for people. */
export class LogDirectoryError extends Error {}

interface TopicState extends Topic {
  partitions: readonly PartitionLog[]
  config: ReadonlyMap<string, string>
  readonly epochBase: number
}

/** What was appended in one turn of the event loop. */
interface Turn {
  readonly promise: Promise<void>
  readonly resolve: () => void
  /** Every log has written, or begun to. */
  readonly begun: Promise<void>
  readonly begin: () => void
  /** What it waits for: its partitions, the catalog, the turn before it. */
  pendingCount: number
  next: Turn | null
}

/** Of a deleted topic. */
interface Removal {
  readonly atMs: number
  readonly directory: PartitionDirectory
  readonly log: PartitionLog | null
}

const UUID_BYTES = 16
const PRODUCER_ID_BLOCK = 1000
const RETENTION_CHECK_MS = 5 * 60_000
/** How often each partition is looked at. */
const HOUSEKEEPING_EVERY_MS = 10_000
const CHECKPOINT_EVERY_MS = 60_000
const CLOSE_IDLE_EVERY_MS = 60_000
/** Loading and maintenance hold others up no longer than this. */
const SLICE_MS = 5
const CLOSED_AT_A_TIME = 16
const MAINTENANCE_SLICE_MS = 1

// The names are Kafka's, but for the journal.
const CATALOG = 'catalog.journal'
const META = 'meta.properties'
const CLEAN_SHUTDOWN = '.kafka_cleanshutdown'
const RECOVERY_POINTS = 'recovery-point-offset-checkpoint'
const LOG_STARTS = 'log-start-offset-checkpoint'
const HIGH_WATERMARKS = 'replication-offset-checkpoint'
const CLEANED_OFFSETS = 'cleaner-offset-checkpoint'
const PARTITION_PATTERN = /^(.+)-(\d+)$/
const REMOVED_PATTERN = /-delete$/

/** All topics of a directory and their partitions. */
export class LogManager {
  readonly #parts: LogManagerParts
  readonly #directory: string | null
  readonly #catalog: Catalog
  readonly #recoveryPoints: CheckpointFile
  readonly #highWatermarks: CheckpointFile
  readonly #logStarts: CheckpointFile
  readonly #topics = new Map<string, TopicState>()
  readonly #topicsById = new Map<string, TopicState>()
  readonly #dirty = new Set<PartitionLog>()
  readonly #files = new OpenFiles()
  readonly #memory: TailMemory
  readonly #partitionHost: PartitionLogHost
  /** The turn that goes on. */
  #turn: Turn | null = null
  /** The last one that is not done. */
  #lastTurn: Turn | null = null
  /** The last one that has the catalog to write. */
  #catalogTurn: Turn | null = null
  #nextProducerId = 0
  #clusterId = ''
  #isLogStartMoved = false
  /** Partitions with `flush.ms` that may have something to sync. */
  readonly #flushing = new Set<PartitionLog>()
  /** Directories of deleted topics. */
  #removals: Removal[] = []
  /** The partitions that the pass under way has not come to yet. */
  #housekeeping: PartitionLog[] = []
  #isRetentionPass = false
  #housekeepingAtMs = 0
  #retentionAtMs = 0
  #checkpointAtMs = 0
  #checkpointing = DONE
  #closeIdleAtMs = 0
  /** Called after the catalog has changed. */
  readonly onTopicsChanged: Set<TopicListener> = new Set()
  /** Compacts the logs that are to be. */
  readonly cleaner: LogCleaner

  constructor(parts: LogManagerParts) {
    this.#parts = parts
    this.#directory = parts.directory === null ? null : resolve(parts.directory)
    this.#catalog = new Catalog(parts.directory === null ? null : `${parts.directory}/${CATALOG}`)
    this.#memory = new TailMemory(
      parts.directory === null ? Number.POSITIVE_INFINITY : (parts.tailBytesMax ?? TAIL_BYTES_MAX),
    )
    this.#partitionHost = {
      nowMs: parts.nowMs,
      random: parts.random,
      log: parts.log,
      producerIdExpirationMs: parts.producerIdExpirationMs,
      files: this.#files,
      memory: this.#memory,
      markDirty: (log) => this.#markDirty(log),
      markLogStartMoved: (log) => {
        this.#isLogStartMoved = true
        this.#markDirty(log)
      },
    }
    const checkpoint = new CheckpointFile(`${parts.directory}/${CLEANED_OFFSETS}`)
    this.#recoveryPoints = new CheckpointFile(`${parts.directory}/${RECOVERY_POINTS}`)
    this.#highWatermarks = new CheckpointFile(`${parts.directory}/${HIGH_WATERMARKS}`)
    this.#logStarts = new CheckpointFile(`${parts.directory}/${LOG_STARTS}`)
    this.cleaner = new LogCleaner({
      logs: () => this.#compactedLogs(),
      settings: parts.cleaner ?? (() => DEFAULT_CLEANER_SETTINGS),
      nowMs: parts.nowMs,
      random: parts.random,
      checkpoint:
        parts.directory === null
          ? null
          : {
              read: () => this.#readCheckpoint(CLEANED_OFFSETS),
              write: (offsets) => checkpoint.write(offsets),
            },
      log: parts.log,
    })
  }

  *#compactedLogs(): Iterable<PartitionLog> {
    for (const { settings, partitions } of this.#topics.values()) {
      if (!settings.isCompacted) continue
      for (const log of partitions) if (log.storageProblem === null) yield log
    }
  }

  // ---- Start and end ----

  /**
   * Loads the catalog and all partitions, and recovers what a crash left behind. Rejects with a LogDirectoryError or the
   * system's errors; what is wrong with one partition is that partition's problem alone.
   */
  async start(onProgress?: (doneCount: number, count: number) => void): Promise<void> {
    const nowMs = this.#parts.nowMs()
    this.#housekeepingAtMs = nowMs + HOUSEKEEPING_EVERY_MS
    this.#retentionAtMs = nowMs
    this.#checkpointAtMs = nowMs + CHECKPOINT_EVERY_MS
    this.#closeIdleAtMs = nowMs + CLOSE_IDLE_EVERY_MS
    if (this.#directory === null) {
      this.#clusterId = this.#createUuid()
      return
    }
    const made = mkdirSync(this.#directory, { recursive: true })
    // Its name has to be safe before anything in it can be, and so have those of the directories made for it.
    if (made !== undefined)
      for (let path = this.#directory; path.length >= made.length; path = dirname(path)) syncPath(dirname(path))
    this.#readMeta()
    const { isNew, lostBytes } = this.#catalog.open()
    if (lostBytes > 0) this.#parts.log.warn(`${CATALOG}: the last ${lostBytes} bytes were not whole and are gone`)
    const directories = this.#listPartitionDirectories()
    if (isNew) this.#adopt(directories)
    const isClean = existsSync(`${this.#directory}/${CLEAN_SHUTDOWN}`)
    unlinkIfThere(`${this.#directory}/${CLEAN_SHUTDOWN}`)
    if (!isClean && !isNew) {
      // Records may be lost that somebody has seen: who asks by the epoch can find out.
      this.#catalog.append({ type: 'unclean-start', count: this.#catalog.uncleanStartCount + 1 })
    }
    for (const topic of this.#catalog.topics.values()) this.#register(topic)
    await this.#loadPartitions(directories, isClean, onProgress)
    this.cleaner.start()
    this.#reserveProducerIds()
    this.#catalog.writeSync()
  }

  #readMeta(): void {
    const path = `${this.#directory}/${META}`
    let properties = new Map<string, string>()
    try {
      properties = parseProperties(readFileSync(path, 'utf8'))
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    const nodeId = properties.get('node.id') ?? properties.get('broker.id')
    if (nodeId !== undefined && Number(nodeId) !== this.nodeId) {
      throw new LogDirectoryError(
        `${path} belongs to node ${nodeId}, and this is node ${this.nodeId}. Choose the directory of this node, or set ` +
          `kafka.node.id to ${nodeId}.`,
      )
    }
    this.#clusterId = properties.get('cluster.id') ?? this.#createUuid()
    if (properties.has('cluster.id') && properties.get('version') === '1') return
    const directoryId = properties.get('directory.id') ?? this.#createUuid()
    replaceFile(
      path,
      formatProperties([
        ['version', '1'],
        ['cluster.id', this.#clusterId],
        ['node.id', String(this.nodeId)],
        ['directory.id', directoryId],
      ]),
      true,
    )
    syncPath(this.#directory as string)
  }

  /** Those with the name of a partition; those of deleted topics are removed in time. */
  #listPartitionDirectories(): Set<string> {
    const found = new Set<string>()
    for (const entry of readdirSync(this.#directory as string, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue
      if (REMOVED_PATTERN.test(entry.name)) {
        const directory = new PartitionDirectory(`${this.#directory}/${entry.name}`)
        this.#removals.push({ atMs: this.#parts.nowMs(), directory, log: null })
      } else if (PARTITION_PATTERN.test(entry.name)) found.add(entry.name)
    }
    return found
  }

  /** A directory that a Kafka broker has left: its topics, with the broker's settings. */
  #adopt(directories: ReadonlySet<string>): void {
    const topics = new Map<string, { id: string; partitionCount: number }>()
    for (const name of directories) {
      const [, topic, partition] = PARTITION_PATTERN.exec(name) as RegExpExecArray
      const id = new PartitionDirectory(`${this.#directory}/${name}`).readTopicId()
      if (id === null) continue
      const known = topics.get(topic)
      if (known !== undefined && known.id !== id) continue
      topics.set(topic, { id, partitionCount: Math.max(known?.partitionCount ?? 0, Number(partition) + 1) })
    }
    for (const [name, { id, partitionCount }] of topics) {
      // Kafka keeps its own metadata in a topic of this name; there is nothing for anybody else in it.
      if (name === '__cluster_metadata') continue
      this.#parts.log.info(`topic ${name} (${partitionCount} partitions) is taken over from the directory`)
      this.#catalog.append({
        type: 'topic',
        name,
        id,
        partitionCount,
        config: name === '__consumer_offsets' || name === '__transaction_state' ? { 'cleanup.policy': 'compact' } : {},
        isInternal: name === '__consumer_offsets' || name === '__transaction_state',
        epochBase: this.#catalog.uncleanStartCount,
      })
    }
  }

  async #loadPartitions(
    directories: Set<string>,
    isClean: boolean,
    onProgress?: (doneCount: number, count: number) => void,
  ): Promise<void> {
    const recoveryPoints = this.#readCheckpoint(RECOVERY_POINTS)
    const logStarts = this.#readCheckpoint(LOG_STARTS)
    const logs = [...this.#topics.values()].flatMap(({ partitions }) => partitions)
    let truncatedBytes = 0
    let sliceEndMs = performance.now() + SLICE_MS
    for (const [index, log] of logs.entries()) {
      const name = log.describe()
      // Nothing was ever appended to it.
      if (!directories.delete(name)) continue
      try {
        const id = log.directory?.readTopicId() ?? null
        if (id !== null && id !== log.topicId) {
          this.#setAside(name, `its topic id is ${id}, that of the topic is ${log.topicId}`)
          continue
        }
        const recoveryPoint = recoveryPoints.get(name) ?? null
        const loaded = await log.load({ isClean, recoveryPoint, logStartOffset: logStarts.get(name) ?? null })
        truncatedBytes += loaded.truncatedBytes
      } catch (error) {
        log.refuseService(error as Error)
      }
      if (performance.now() < sliceEndMs) continue
      onProgress?.(index + 1, logs.length)
      await new Promise((resolve) => setImmediate(resolve))
      sliceEndMs = performance.now() + SLICE_MS
    }
    for (const name of directories) {
      if (name.startsWith('__cluster_metadata-')) continue
      this.#setAside(name, 'no topic of the catalog has it')
    }
    if (!isClean && logs.length > 0) {
      const lost = truncatedBytes === 0 ? 'nothing was torn' : `${truncatedBytes} torn bytes were removed`
      this.#parts.log.info(`recovered ${logs.length} partitions after an unclean end: ${lost}`)
    }
    onProgress?.(logs.length, logs.length)
  }

  #readCheckpoint(name: string): Map<string, number> {
    const offsets = readCheckpoint(`${this.#directory}/${name}`)
    if (offsets === null) this.#parts.log.warn(`${name} is damaged; the logs are looked through instead`)
    return offsets ?? new Map()
  }

  /** As Kafka does with what nobody knows: it is kept, under a name that is not looked at. */
  #setAside(name: string, reason: string): void {
    const directory = new PartitionDirectory(`${this.#directory}/${name}`)
    const hex = Buffer.from(this.#createUuid(), 'base64url').toString('hex')
    directory.rename(`${this.#directory}/${name}.${hex}-stray`)
    this.#parts.log.warn(`${name} is set aside as ${directory.path}: ${reason}`)
  }

  /** Writes everything, and says on the disk that it did. */
  async close(): Promise<void> {
    await this.cleaner.close()
    await this.written()
    const logs = this.#logs()[Symbol.iterator]()
    const failed: string[] = []
    const closeSome = async () => {
      for (let next = logs.next(); next.done !== true; next = logs.next()) {
        try {
          await next.value.close()
        } catch (error) {
          failed.push(`${next.value.describe()}: ${(error as Error).message}`)
        }
      }
    }
    // Disks are better at many syncs at a time than at one after the other.
    await Promise.all(Array.from({ length: CLOSED_AT_A_TIME }, closeSome))
    for (const { directory } of this.#removals) directory.remove()
    this.#removals = []
    if (this.#directory === null) return
    await this.#writeCheckpoints()
    this.#catalog.close()
    if (failed.length === 0) {
      // Kafka's own content; that it is there is what counts.
      writeFileSync(`${this.#directory}/${CLEAN_SHUTDOWN}`, '{"version":0,"brokerEpoch":-1}')
      syncPath(`${this.#directory}/${CLEAN_SHUTDOWN}`)
      syncPath(this.#directory)
    } else this.#parts.log.warn(`the next start looks all logs through, since some could not be closed: ${failed[0]}`)
  }

  async #writeCheckpoints(): Promise<void> {
    const [recoveryPoints, highWatermarks]: PartitionOffset[][] = [[], []]
    for (const log of this.#logs()) {
      if (log.logEndOffset === 0 || log.storageProblem !== null) continue
      const { topic, partition } = log
      recoveryPoints.push({ topic, partition, offset: log.recoveryPoint })
      highWatermarks.push({ topic, partition, offset: log.highWatermark })
    }
    await Promise.all([
      this.#recoveryPoints.write(recoveryPoints),
      this.#highWatermarks.write(highWatermarks),
      this.#writeLogStarts(),
    ])
  }

  /** Where a log does not start with its first segment. */
  #writeLogStarts(): Promise<void> {
    const offsets: PartitionOffset[] = []
    for (const { topic, partition, logStartOffset, segments } of this.#logs()) {
      if (logStartOffset > segments[0].baseOffset) offsets.push({ topic, partition, offset: logStartOffset })
    }
    this.#isLogStartMoved = false
    return this.#logStarts.write(offsets)
  }

  *#logs(): IterableIterator<PartitionLog> {
    for (const { partitions } of this.#topics.values()) yield* partitions
  }

  // ---- Topics ----

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
    const topic: CatalogTopic = {
      name,
      id: this.#createUuid(),
      partitionCount,
      config: Object.fromEntries(config),
      isInternal,
      epochBase: this.#catalog.uncleanStartCount,
    }
    this.#catalog.append({ type: 'topic', ...topic })
    this.#beginTurn()
    const state = this.#register(topic)
    this.#announce(state, 'created')
    return state
  }

  /** The partitions answer no more; their files go after `file.delete.delay.ms`. */
  deleteTopic(name: string): void {
    const topic = this.#topicNamed(name)
    this.#catalog.append({ type: 'deleted', id: topic.id })
    this.#beginTurn()
    this.#topics.delete(name)
    this.#topicsById.delete(topic.id)
    for (const log of topic.partitions) this.#removeLog(log)
    this.#announce(topic, 'deleted')
  }

  #removeLog(log: PartitionLog): void {
    this.#dirty.delete(log)
    this.#flushing.delete(log)
    if (this.#directory === null) return log.delete(null)
    const hex = Buffer.from(this.#createUuid(), 'base64url').toString('hex')
    // Long names are cut, as a file's name has 255 bytes at most.
    log.delete(`${this.#directory}/${log.describe().slice(0, 255 - hex.length - 8)}.${hex}-delete`)
    if (log.directory === null) return
    const atMs = this.#parts.nowMs() + log.settings.fileDeleteDelayMs
    this.#removals.push({ atMs, directory: log.directory, log })
  }

  addPartitions(name: string, partitionCount: number): void {
    const topic = this.#topicNamed(name)
    assert(partitionCount > topic.partitions.length, 'addPartitions: a topic only grows')
    this.#catalog.append({ type: 'partitions', id: topic.id, partitionCount })
    this.#beginTurn()
    this.#grow(topic, partitionCount)
    this.#announce(topic, 'grown')
  }

  /** Replaces what is set for the topic alone. */
  configure(name: string, config: ReadonlyMap<string, string>): void {
    const topic = this.#topicNamed(name)
    this.#catalog.append({ type: 'config', id: topic.id, config: Object.fromEntries(config) })
    this.#beginTurn()
    topic.config = new Map(config)
    Object.assign(topic.settings, this.#parts.settingsOf(config))
    this.#announce(topic, 'configured')
  }

  /** After a change of the broker's defaults: every topic's settings are made anew. */
  refreshSettings(): void {
    for (const topic of this.#topics.values()) Object.assign(topic.settings, this.#parts.settingsOf(topic.config))
  }

  #register(topic: CatalogTopic): TopicState {
    const config = new Map(Object.entries(topic.config))
    const state: TopicState = {
      name: topic.name,
      id: topic.id,
      isInternal: topic.isInternal,
      partitions: [],
      config,
      settings: this.#parts.settingsOf(config),
      epochBase: topic.epochBase,
    }
    this.#grow(state, topic.partitionCount)
    this.#topics.set(state.name, state)
    this.#topicsById.set(state.id, state)
    return state
  }

  #grow(topic: TopicState, partitionCount: number): void {
    const partitions = [...topic.partitions]
    const leaderEpoch = this.#catalog.uncleanStartCount - topic.epochBase
    for (let partition = partitions.length; partition < partitionCount; partition++) {
      const name = { topic: topic.name, partition, topicId: topic.id }
      const directory =
        this.#directory === null ? null : new PartitionDirectory(`${this.#directory}/${topic.name}-${partition}`)
      partitions.push(new PartitionLog(name, topic.settings, this.#partitionHost, directory, leaderEpoch))
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
    // Tools take a leading dash for an option: the first six bits are not those of '-'.
    if (bytes[0] >= 0xf8) bytes[0] &= 0x7f
    return bytes.toString('base64url')
  }

  // ---- Producer ids ----

  /** Never the same twice for this directory. */
  allocateProducerId(): number {
    const id = this.#nextProducerId++
    // The next block is asked for in time; only a burst has to wait for the disk.
    if (this.#nextProducerId === this.#catalog.producerIdEnd) {
      this.#extendProducerIds()
      this.#catalog.writeSync()
    } else if (this.#nextProducerId + PRODUCER_ID_BLOCK / 2 === this.#catalog.producerIdEnd) {
      this.#extendProducerIds()
      this.#beginTurn()
    }
    return id
  }

  /** Beyond what was given out, and what producers of the logs have. */
  #reserveProducerIds(): void {
    let next = this.#catalog.producerIdEnd
    for (const log of this.#logs()) next = Math.max(next, log.producerIdMax + 1)
    this.#nextProducerId = next
    this.#catalog.append({ type: 'producer-ids', end: next + PRODUCER_ID_BLOCK })
  }

  #extendProducerIds(): void {
    this.#catalog.append({ type: 'producer-ids', end: this.#catalog.producerIdEnd + PRODUCER_ID_BLOCK })
  }

  // ---- Turns ----

  /**
   * Resolves when all that was appended and changed before is written, and synced where flush settings ask for it. One
   * promise for everybody in a turn. It never rejects: what could not be written is a matter of its partition
   * (`PartitionLog.storageProblem`).
   */
  written(): Promise<void> {
    return (this.#turn ?? this.#lastTurn)?.promise ?? DONE
  }

  /** Resolves at the end of this turn, when everything that was appended before is written, or on its way: see `restOf`. */
  writeBegun(): Promise<void> {
    return this.#turn?.begun ?? DONE
  }

  /**
   * What these logs still wait for, after `writeBegun`; null when all of it is written, and synced where that is asked for. So
   * nobody waits for the sync of a log that is not his.
   */
  restOf(logs: readonly PartitionLog[]): Promise<void> | null {
    const rest = logs
      .filter((log) => log.isWriting)
      .map((log) => new Promise<void>((resolve) => log.whenWritten(resolve)))
    // What the catalog has not got may be the very topic.
    if (this.#catalogTurn !== null) rest.push(this.#catalogTurn.promise)
    return rest.length === 0 ? null : Promise.all(rest).then(() => {})
  }

  #markDirty(log: PartitionLog): void {
    this.#dirty.add(log)
    if (log.settings.flushMs !== Number.POSITIVE_INFINITY) this.#flushing.add(log)
    this.#beginTurn()
  }

  #beginTurn(): void {
    if (this.#turn !== null) return
    const [promise, resolve] = signal()
    const [begun, begin] = signal()
    this.#turn = { promise, resolve, begun, begin, pendingCount: 1, next: null }
    setImmediate(this.#endTurn)
  }

  readonly #endTurn = (): void => {
    const turn = this.#turn as Turn
    this.#turn = null
    if (this.#lastTurn !== null) {
      turn.pendingCount++
      this.#lastTurn.next = turn
    }
    this.#lastTurn = turn
    for (const log of this.#dirty) {
      this.#dirty.delete(log)
      if (log.write()) continue
      turn.pendingCount++
      log.whenWritten(() => this.#settle(turn))
    }
    turn.begin()
    this.#memory.trim()
    if (this.#isLogStartMoved && this.#directory !== null) {
      turn.pendingCount++
      void this.#tryWriteLogStarts().then(() => this.#settle(turn))
    }
    if (this.#catalog.hasPending) {
      turn.pendingCount++
      this.#catalogTurn = turn
      this.#catalog.write((error) => {
        if (error !== null) this.#parts.log.error({ err: error }, `${CATALOG} cannot be written: ${error.message}`)
        this.#settle(turn)
      })
    }
    this.#settle(turn)
  }

  async #tryWriteLogStarts(): Promise<void> {
    try {
      await this.#writeLogStarts()
    } catch (error) {
      this.#parts.log.error({ err: error }, `${LOG_STARTS} cannot be written: ${(error as Error).message}`)
    }
  }

  #settle(turn: Turn): void {
    if (--turn.pendingCount > 0) return
    if (this.#lastTurn === turn) this.#lastTurn = null
    if (this.#catalogTurn === turn) this.#catalogTurn = null
    // What was written beside the event loop can be forgotten only now.
    this.#memory.trim()
    turn.resolve()
    if (turn.next !== null) this.#settle(turn.next)
  }

  // ---- Maintenance ----

  /** As `maintain`, until nothing is due any more: for whoever has moved the clock. */
  catchUp(): void {
    do this.maintain()
    while (this.#housekeeping.length > 0 || this.#parts.nowMs() >= this.#housekeepingAtMs)
  }

  /** Retention, flushes that are due, producers to forget: to be called a few times a second. Works in bounded slices. */
  maintain(): void {
    const nowMs = this.#parts.nowMs()
    for (const log of this.#flushing) if (!log.syncWhenDue(nowMs)) this.#flushing.delete(log)
    this.#removeDirectories(nowMs)
    this.cleaner.maintain()
    if (this.#housekeeping.length === 0 && nowMs >= this.#housekeepingAtMs) {
      this.#housekeepingAtMs = nowMs + HOUSEKEEPING_EVERY_MS
      this.#isRetentionPass = nowMs >= this.#retentionAtMs
      if (this.#isRetentionPass) {
        this.#retentionAtMs = nowMs + (this.#parts.retentionCheckIntervalMs?.() ?? RETENTION_CHECK_MS)
      }
      this.#housekeeping = [...this.#logs()]
    }
    const endMs = performance.now() + MAINTENANCE_SLICE_MS
    for (let log = this.#housekeeping.pop(); log !== undefined; log = this.#housekeeping.pop()) {
      const hasMoreToDelete = this.#isRetentionPass && log.applyRetention(nowMs)
      if (log.removeFiles(nowMs) || hasMoreToDelete) this.#housekeeping.push(log)
      log.maintain(nowMs)
      if (log.storageProblem !== null) void log.retryWhenDue(nowMs)
      if (performance.now() >= endMs) break
    }
    if (this.#directory === null) return
    if (nowMs >= this.#closeIdleAtMs) {
      this.#closeIdleAtMs = nowMs + CLOSE_IDLE_EVERY_MS
      this.#files.closeIdle()
    }
    if (nowMs >= this.#checkpointAtMs) {
      this.#checkpointAtMs = nowMs + CHECKPOINT_EVERY_MS
      this.#checkpointing = this.#tryWriteCheckpoints()
    }
  }

  /** Resolves when none of the checkpoints of `maintain` is under way. */
  checkpointed(): Promise<void> {
    return this.#checkpointing
  }

  async #tryWriteCheckpoints(): Promise<void> {
    try {
      await this.#writeCheckpoints()
    } catch (error) {
      this.#parts.log.error({ err: error }, `checkpoints cannot be written: ${(error as Error).message}`)
    }
  }

  /** Of deleted topics, a few at a time. */
  #removeDirectories(nowMs: number): void {
    const endMs = performance.now() + MAINTENANCE_SLICE_MS
    while (this.#removals.length > 0 && this.#removals[0].atMs <= nowMs && performance.now() < endMs) {
      const { directory, log } = this.#removals.shift() as Removal
      log?.closeFiles()
      directory.remove()
    }
  }

  /** What the ends of all logs hold in memory. */
  get tailBytes(): number {
    return this.#memory.heldBytes
  }

  get openFileCount(): number {
    return this.#files.count
  }
}

function signal(): [Promise<void>, () => void] {
  let resolve = () => {}
  const promise = new Promise<void>((resolvePromise) => {
    resolve = resolvePromise
  })
  return [promise, resolve]
}

const DONE: Promise<void> = Promise.resolve()
