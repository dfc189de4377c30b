import { randomUUID } from 'node:crypto'
import type { ServerLog } from '../../config/server-log.ts'
import type { LogManager } from '../../log/log-manager.ts'
import type { Topic } from '../../log/topic.ts'
import type { Clock, ScheduledCall } from '../../net/clock.ts'
import type { ErrorName } from '../errors.ts'
import { inTurns } from '../in-turns.ts'
import type { EncodedRecord, Producer } from '../internal-topic.ts'
import { ClassicGroup, type ClassicGroupHost, type StoredGeneration } from './classic-group.ts'
import {
  failedJoin,
  failedSync,
  type JoinAnswer,
  type JoinRequest,
  NOTHING_WAITS,
  type SyncAnswer,
  type SyncRequest,
  type Waiting,
} from './classic-protocol.ts'
import { type CommittedOffset, CommittedOffsets } from './committed-offsets.ts'
import {
  ConsumerGroup,
  type ConsumerGroupHost,
  type ConsumerHeartbeat,
  type HeartbeatAnswer,
  type Refusal,
} from './consumer-group.ts'
import { JOIN_EPOCH, LEAVE_EPOCH } from './consumer-member.ts'
import { asClassicGroup, asConsumerGroup } from './conversion.ts'
import { type GroupLag, groupLag } from './group-lag.ts'
import { GroupLog, OFFSETS_TOPIC } from './group-log.ts'
import { GroupReplay } from './group-replay.ts'
import { classicGroupRecord, offsetRecord } from './records.ts'
import type { GroupSettings } from './settings.ts'

/** All kinds share one space of names. */
export type Group = ClassicGroup | ConsumerGroup

export interface GroupCoordinatorParts {
  readonly logs: LogManager
  readonly clock: Clock
  readonly settings: GroupSettings
  readonly log: ServerLog
}

/** Who commits: a member, or nobody in particular (generation -1, no ids). */
export interface Committer {
  readonly groupId: string
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** The generation of a classic group, the member's epoch in one of the new protocol. */
  readonly generationId: number
}

export interface NewOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly leaderEpoch: number
  readonly metadata: string
}

/** As much as a request may hold. */
const RECORD_BYTES_MAX = 100 * 2 ** 20

/**
 * All groups of the broker: who is in them, and how far they have read. Everything that must outlive the process is
 * written to `__consumer_offsets` first and answered after; at the start the groups come from there.
 */
export class GroupCoordinator {
  readonly #logs: LogManager
  readonly #clock: Clock
  readonly #settings: GroupSettings
  readonly #log: ServerLog
  readonly #groupLog: GroupLog
  readonly #groups = new Map<string, Group>()
  readonly #offsets = new CommittedOffsets()
  readonly #host: ClassicGroupHost
  readonly #consumerHost: ConsumerGroupHost
  /** Partitions of `__consumer_offsets` whose groups are not known yet. */
  readonly #loading = new Set<number>()
  #retentionCheck: ScheduledCall | null = null
  #isClosed = false
  /** Called with a group's id when its state, its members or its offsets have changed. */
  readonly onChanged = new Set<(groupId: string) => void>()

  constructor({ logs, clock, settings, log }: GroupCoordinatorParts) {
    this.#logs = logs
    this.#clock = clock
    this.#settings = settings
    this.#log = log
    this.#groupLog = new GroupLog(
      logs,
      {
        partitionCount: () => settings.offsetsPartitionCount,
        topicConfig: () =>
          new Map([
            ['cleanup.policy', 'compact'],
            ['compression.type', 'producer'],
            ['segment.bytes', String(settings.offsetsSegmentBytes)],
            // A generation is one record, with what all of its members say and are told: Streams says much.
            ['max.message.bytes', String(RECORD_BYTES_MAX)],
          ]),
      },
      log,
    )
    this.#host = {
      nowMs: () => clock.nowMs(),
      schedule: (delayMs, run) => clock.schedule(delayMs, run),
      uniqueId: () => randomUUID(),
      get initialRebalanceDelayMs() {
        return settings.initialRebalanceDelayMs
      },
      get sizeMax() {
        return settings.sizeMax
      },
      persist: (groupId, generation, done) => void this.#persist(groupId, generation).then(done),
      changed: (groupId) => this.#announce(groupId),
      info: (message) => log.info(message),
    }
    this.#consumerHost = {
      nowMs: () => clock.nowMs(),
      schedule: (delayMs, run) => clock.schedule(delayMs, run),
      sessionTimeoutMs: (groupId) => settings.consumerSessionTimeoutMs(groupId),
      get sizeMax() {
        return settings.consumerSizeMax
      },
      get assignors() {
        return settings.consumerAssignors
      },
      // Internal ones too: an expression of the broker's that matches their names is meant so.
      topicNames: () => logs.topics.keys(),
      topic: (name) => {
        const topic = logs.topics.get(name)
        return topic && { id: topic.id, partitionCount: topic.partitions.length }
      },
      topicName: (topicId) => logs.topicById(topicId)?.name,
      mayDowngrade: (memberCount) => settings.allowsDowngrade && memberCount <= settings.sizeMax,
      downgrade: (group, records, reason) => this.#downgrade(group, records, reason),
      write: (groupId, records) => typeof this.#append(groupId, records) === 'number',
      changed: (groupId) => this.#announce(groupId),
      info: (message) => log.info(message),
    }
    logs.onTopicsChanged.add(this.#topicChanged)
  }

  /** Reads the groups back; resolves when all are known. Until then those that are not are refused. */
  async start(): Promise<void> {
    this.#scheduleRetentionCheck()
    const { partitions } = this.#groupLog
    for (const { partition } of partitions) this.#loading.add(partition)
    for (const partition of partitions) {
      await this.#load(partition.partition)
      if (this.#isClosed) return
    }
    if (partitions.length > 0) this.#log.info(`${this.#groups.size} consumer groups are known again`)
  }

  close(): void {
    this.#isClosed = true
    this.#logs.onTopicsChanged.delete(this.#topicChanged)
    this.#retentionCheck?.cancel()
    for (const group of this.#groups.values()) group.stop()
  }

  /** The topic where the groups are kept: clients are told where it is led. */
  prepare(): void {
    this.#groupLog.ensureTopic()
  }

  // ---- Membership ----

  join(groupId: string, request: JoinRequest, answer: (answer: JoinAnswer) => void): Waiting {
    const refusal = this.#refusal(groupId)
    if (refusal !== null) return refuse(answer, failedJoin(request.memberId, refusal))
    const { sessionTimeoutMs } = request
    const { sessionTimeoutMsMin, sessionTimeoutMsMax } = this.#settings
    if (sessionTimeoutMs < sessionTimeoutMsMin || sessionTimeoutMs > sessionTimeoutMsMax) {
      return refuse(answer, failedJoin(request.memberId, 'INVALID_SESSION_TIMEOUT'))
    }
    const known = this.#groups.get(groupId)
    if (known?.type === 'classic') return known.join(request, answer)
    if (known !== undefined) {
      if (!known.isAbandoned) {
        const joined = known.joinClassic(request, randomUUID())
        return this.#answerWhenSafe(groupId, joined, (error) => failedJoin(request.memberId, error), answer)
      }
      // Nobody is in it: it becomes one of the protocol that is asked for. Its offsets stay.
      this.#retire(known)
    }
    if (request.memberId !== '') return refuse(answer, failedJoin(request.memberId, 'UNKNOWN_MEMBER_ID'))
    const group = this.#classicGroup(groupId)
    const waiting = group.join(request, answer)
    // Whoever was refused has made no group.
    if (group.isAbandoned) this.#groups.delete(groupId)
    return waiting
  }

  sync(groupId: string, request: SyncRequest, answer: (answer: SyncAnswer) => void): Waiting {
    const refusal = this.#refusal(groupId)
    // A leader that comes with its assignment while groups are loaded had better assign once more.
    if (refusal !== null) {
      return refuse(answer, failedSync(refusal === 'COORDINATOR_LOAD_IN_PROGRESS' ? 'REBALANCE_IN_PROGRESS' : refusal))
    }
    const group = this.#groups.get(groupId)
    if (group === undefined) return refuse(answer, failedSync('UNKNOWN_MEMBER_ID'))
    if (group.type === 'classic') return group.sync(request, answer)
    return this.#answerWhenSafe(groupId, group.syncClassic(request), failedSync, answer)
  }

  heartbeat(groupId: string, memberId: string, groupInstanceId: string | null, generationId: number): ErrorName | null {
    const refusal = this.#refusal(groupId)
    // It is there, which is all that it wants to say.
    if (refusal === 'COORDINATOR_LOAD_IN_PROGRESS') return null
    if (refusal !== null) return refusal
    const group = this.#groups.get(groupId)
    if (group === undefined) return 'UNKNOWN_MEMBER_ID'
    return group.type === 'classic'
      ? group.heartbeat(memberId, groupInstanceId, generationId)
      : group.heartbeatClassic(memberId, groupInstanceId, generationId)
  }

  /** An error for all, or one for each of them. */
  leave(
    groupId: string,
    members: readonly { memberId: string; groupInstanceId: string | null; reason: string | null }[],
  ): ErrorName | (ErrorName | null)[] {
    const refusal = this.#refusal(groupId)
    if (refusal !== null) return refusal
    return members.map(({ memberId, groupInstanceId, reason }) => {
      // When the last who needs the new protocol goes, it becomes a classic group.
      const group = this.#groups.get(groupId)
      if (group === undefined) return 'UNKNOWN_MEMBER_ID'
      if (group.type === 'consumer') return this.#expelConsumer(group, memberId, groupInstanceId)
      const why = reason === null ? 'a member leaves' : `a member leaves: ${reason}`
      return group.leave(memberId, groupInstanceId, why)
    })
  }

  /** A member of a group of the new protocol goes or is sent away, by its id or by its instance id alone. */
  #expelConsumer(group: ConsumerGroup, memberId: string, instanceId: string | null): ErrorName | null {
    const id = memberId === '' ? (group.memberIdOf(instanceId) ?? '') : memberId
    const answer = group.leave(id, instanceId, LEAVE_EPOCH)
    return 'error' in answer ? answer.error : null
  }

  // ---- The new protocol ----

  /** Resolves when what it changed is safe. The request is well-formed. */
  async consumerHeartbeat(groupId: string, request: ConsumerHeartbeat): Promise<HeartbeatAnswer | Refusal> {
    const refusal = this.#refusal(groupId)
    if (refusal !== null) return { error: refusal, message: `Group ${groupId} is not available.` }
    const group = this.#consumerGroupFor(groupId, request)
    if (!(group instanceof ConsumerGroup)) return group
    const answer = group.heartbeat(request)
    if (group.isAbandoned && group.groupEpoch === 0 && !this.#offsets.has(groupId)) this.#groups.delete(groupId)
    return this.#safe(groupId, answer)
  }

  async consumerLeave(
    groupId: string,
    memberId: string,
    instanceId: string | null,
    memberEpoch: number,
  ): Promise<HeartbeatAnswer | Refusal> {
    const refusal = this.#refusal(groupId)
    if (refusal !== null) return { error: refusal, message: `Group ${groupId} is not available.` }
    const group = this.#consumerGroupFor(groupId, null)
    if (!(group instanceof ConsumerGroup)) return group
    return this.#safe(groupId, group.leave(memberId, instanceId, memberEpoch))
  }

  consumerGroup(groupId: string): ConsumerGroup | undefined {
    const group = this.#groups.get(groupId)
    return group?.type === 'consumer' ? group : undefined
  }

  consumerHeartbeatIntervalMs(groupId: string): number {
    return this.#settings.consumerHeartbeatIntervalMs(groupId)
  }

  /** In the order of preference. */
  get consumerAssignors(): readonly string[] {
    return this.#settings.consumerAssignors
  }

  /** @param request null: somebody goes */
  #consumerGroupFor(groupId: string, request: ConsumerHeartbeat | null): ConsumerGroup | Refusal {
    const isJoining = request?.memberEpoch === JOIN_EPOCH
    const known = this.#groups.get(groupId)
    if (known?.type === 'consumer') return known
    if (known === undefined && !isJoining) {
      return { error: 'GROUP_ID_NOT_FOUND', message: `Consumer group ${groupId} not found.` }
    }
    if (known !== undefined && !known.isAbandoned) {
      if (isJoining) return this.#upgrade(known, request)
      return { error: 'GROUP_ID_NOT_FOUND', message: `Group ${groupId} is not a consumer group.` }
    }
    if (!isJoining) return { error: 'GROUP_ID_NOT_FOUND', message: `Group ${groupId} is not a consumer group.` }
    if (known !== undefined) this.#retire(known)
    const group = new ConsumerGroup(groupId, this.#consumerHost)
    this.#groups.set(groupId, group)
    return group
  }

  /** A member of the new protocol comes to a classic group: the group takes it over, and serves its others as before. */
  #upgrade(classic: ClassicGroup, request: ConsumerHeartbeat): ConsumerGroup | Refusal {
    const { groupId } = classic
    const cannot = (reason: string): Refusal => ({
      error: 'GROUP_ID_NOT_FOUND',
      message: `Cannot upgrade classic group ${groupId} to consumer group because ${reason}.`,
    })
    if (!this.#settings.allowsUpgrade) return cannot('online upgrade is disabled')
    if (!classic.isOfConsumers) return cannot('the group does not use the consumer embedded protocol')
    if (classic.members.size > this.#settings.consumerSizeMax) {
      return cannot('the group size exceeds the consumer group maximum size')
    }
    const group = asConsumerGroup(classic, this.#consumerHost)
    if (typeof group === 'string') return cannot(group)
    const refusal = group.heartbeatRefusal(request)
    if (refusal !== null) return refusal
    this.#append(groupId, [...tombstonesOf(classic), ...group.records()])
    classic.die('REBALANCE_IN_PROGRESS')
    this.#groups.set(groupId, group)
    group.resume()
    this.#log.info(`group ${groupId} changes to the new protocol with ${group.members.size} classic members`)
    return group
  }

  /** The last member that needs the new protocol is gone. `records` are what was to be written before. */
  #downgrade(group: ConsumerGroup, records: readonly EncodedRecord[], reason: string | null): void {
    const { groupId } = group
    const classic = asClassicGroup(group, this.#host, this.#consumerHost)
    this.#append(groupId, [...records, ...group.tombstones(), classicGroupRecord(groupId, classic.stored())])
    group.die()
    this.#groups.set(groupId, classic)
    this.#log.info(`group ${groupId} changes to the classic protocol with ${classic.members.size} members`)
    classic.resume()
    if (reason !== null) classic.rebalance(reason)
    this.#announce(groupId)
  }

  /** A group that nobody is in gives way to one of another kind. */
  #retire(group: Group): void {
    if (isWritten(group)) this.#append(group.groupId, tombstonesOf(group))
    this.#groups.delete(group.groupId)
    group.die()
  }

  #answerWhenSafe<A>(groupId: string, given: A, failed: (error: ErrorName) => A, answer: (answer: A) => void): Waiting {
    void this.#written(groupId).then((error) => answer(error === null ? given : failed(error)))
    return NOTHING_WAITS
  }

  async #safe(groupId: string, answer: HeartbeatAnswer | Refusal): Promise<HeartbeatAnswer | Refusal> {
    if ('error' in answer) return answer
    const error = await this.#written(groupId)
    return error === null ? answer : { error, message: 'The group cannot be written.' }
  }

  // ---- Offsets ----

  /** Why these may not commit; null when they may. Counts as a sign of life of the member. */
  commitRefusal(committer: Committer, version: number): ErrorName | null {
    const { groupId, memberId, groupInstanceId, generationId } = committer
    const refusal = this.#refusal(groupId, true)
    if (refusal !== null) return refusal
    const group = this.#groups.get(groupId)
    if (group === undefined) {
      if (generationId < 0) return null
      return version >= 9 ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION'
    }
    if (group.type === 'consumer') return group.commitRefusal(memberId, generationId, false, version)
    const error = group.commitRefusal(memberId, groupInstanceId, generationId, false)
    if (error === null) group.sawMember(memberId)
    return error
  }

  get offsetMetadataCharactersMax(): number {
    return this.#settings.offsetMetadataCharactersMax
  }

  /**
   * Commits, for one who was not refused. `retentionMs` is -1 but for old clients that want them kept for another time
   * than all others. Resolves when they are safe.
   */
  async commit(groupId: string, offsets: readonly NewOffset[], retentionMs: number): Promise<ErrorName | null> {
    if (offsets.length === 0) return null
    const nowMs = this.#clock.nowMs()
    const expireTimestampMs = retentionMs < 0 ? -1 : nowMs + retentionMs
    const committed = offsets.map((offset) => ({ ...offset, commitTimestampMs: nowMs, expireTimestampMs }))
    const baseOffset = this.#append(
      groupId,
      committed.map((offset) => offsetRecord(groupId, offset.topic, offset.partition, offset)),
    )
    if (typeof baseOffset === 'string') return baseOffset
    this.#groupOf(groupId)
    for (const [index, { topic, partition, ...offset }] of committed.entries()) {
      this.#offsets.set(groupId, topic, partition, { ...offset, recordOffset: baseOffset + index })
    }
    const error = await this.#written(groupId)
    this.#announce(groupId)
    return error
  }

  /** Why a transaction may not commit offsets. */
  transactionalCommitRefusal(committer: Committer): ErrorName | null {
    const { groupId, memberId, groupInstanceId, generationId } = committer
    const refusal = this.#refusal(groupId)
    if (refusal !== null) return refusal
    const group = this.#groups.get(groupId)
    if (group === undefined) return generationId < 0 ? null : 'ILLEGAL_GENERATION'
    if (group.type === 'classic') return group.commitRefusal(memberId, groupInstanceId, generationId, true)
    const error = group.commitRefusal(memberId, generationId, true, 0)
    return error === 'STALE_MEMBER_EPOCH' ? 'ILLEGAL_GENERATION' : error
  }

  /** Offsets that count when the producer's transaction commits. Resolves when they are safe. */
  async commitInTransaction(
    groupId: string,
    producer: Producer,
    offsets: readonly NewOffset[],
  ): Promise<ErrorName | null> {
    if (offsets.length === 0) return null
    const nowMs = this.#clock.nowMs()
    const pending = offsets.map((offset) => ({ ...offset, commitTimestampMs: nowMs, expireTimestampMs: -1 }))
    const baseOffset = this.#append(
      groupId,
      pending.map((offset) => offsetRecord(groupId, offset.topic, offset.partition, offset)),
      producer,
    )
    if (typeof baseOffset === 'string') return baseOffset
    this.#groupOf(groupId)
    for (const [index, { topic, partition, ...offset }] of pending.entries()) {
      const value = { ...offset, recordOffset: baseOffset + index }
      this.#offsets.setPending(producer.producerId, groupId, topic, partition, value)
    }
    return this.#written(groupId)
  }

  /** The partition of `__consumer_offsets` that a transaction takes part with when it commits offsets of a group. */
  partitionOf(groupId: string): number {
    this.prepare()
    return this.#groupLog.partitionOf(groupId)
  }

  /** A marker has been appended to a partition of `__consumer_offsets`. */
  transactionEnded(partition: number, producerId: number, isCommitted: boolean): void {
    const isOf = (groupId: string) => this.#groupLog.partitionOf(groupId) === partition
    for (const groupId of this.#offsets.endTransaction(producerId, isCommitted, isOf)) this.#announce(groupId)
  }

  /** Why offsets of a group cannot be told; null when they can, also for a group that nobody knows. */
  fetchRefusal(groupId: string, memberId: string | null, memberEpoch: number): ErrorName | null {
    return this.#refusal(groupId, true) ?? this.consumerGroup(groupId)?.fetchRefusal(memberId, memberEpoch) ?? null
  }

  /** Undefined when there is none, 'UNSTABLE_OFFSET_COMMIT' when a transaction may yet change it and that matters. */
  committedOffset(
    groupId: string,
    topic: string,
    partition: number,
    requiresStable: boolean,
  ): CommittedOffset | 'UNSTABLE_OFFSET_COMMIT' | undefined {
    if (requiresStable && this.#offsets.isPending(groupId, topic, partition)) return 'UNSTABLE_OFFSET_COMMIT'
    return this.#offsets.get(groupId, topic, partition)
  }

  /** All partitions that a group has committed an offset of. */
  committedPartitions(groupId: string): readonly { topic: string; partition: number }[] {
    const partitions: { topic: string; partition: number }[] = []
    this.#offsets.forEach(groupId, (topic, partition) => partitions.push({ topic, partition }))
    return partitions
  }

  /** How far the group is: in what it has committed, in what its members read, and in the rest of those topics. */
  lagOf(groupId: string): GroupLag[] {
    return groupLag(groupId, this.#groups.get(groupId), this.#offsets, this.#logs)
  }

  // ---- Administration ----

  /** Undefined for one that nobody knows. */
  classicGroup(groupId: string): ClassicGroup | undefined {
    const group = this.#groups.get(groupId)
    return group?.type === 'classic' ? group : undefined
  }

  hasGroup(groupId: string): boolean {
    return this.#groups.has(groupId)
  }

  /** Why a group cannot be described or deleted now. */
  administrationRefusal(groupId: string): ErrorName | null {
    return this.#refusal(groupId, true)
  }

  get groups(): ReadonlyMap<string, Group> {
    return this.#groups
  }

  /** Some groups are not known yet. */
  get isLoading(): boolean {
    return this.#loading.size > 0
  }

  /** Deletes groups that nobody is in, with their offsets. One result for each; resolves when it is safe. */
  async delete(groupIds: readonly string[]): Promise<(ErrorName | null)[]> {
    const errors: (ErrorName | null)[] = []
    await inTurns(groupIds, (groupId) => errors.push(this.#delete(groupId)))
    await this.#logs.written()
    return errors
  }

  /** An error for all, or one for each of the partitions. Resolves when it is safe. */
  async deleteOffsets(
    groupId: string,
    partitions: readonly { topic: string; partition: number }[],
  ): Promise<ErrorName | (ErrorName | null)[]> {
    const refusal = this.#refusal(groupId)
    if (refusal !== null) return refusal
    const group = this.#groups.get(groupId)
    if (group === undefined) return 'GROUP_ID_NOT_FOUND'
    if (group.state !== 'Empty' && !group.isOfConsumers) return 'NON_EMPTY_GROUP'
    const errors = partitions.map(({ topic }): ErrorName | null =>
      group.isSubscribedTo(topic) ? 'GROUP_SUBSCRIBED_TO_TOPIC' : null,
    )
    const free = partitions.filter((_, index) => errors[index] === null)
    const error = this.#forgetOffsets(groupId, free) ?? (await this.#written(groupId))
    this.#announce(groupId)
    return error ?? errors
  }

  // ---- What lasts ----

  #append(groupId: string, records: readonly EncodedRecord[], producer?: Producer): number | ErrorName {
    const appended = this.#groupLog.append(groupId, records, this.#clock.nowMs(), producer)
    switch (appended) {
      case 'MESSAGE_TOO_LARGE':
      case 'RECORD_LIST_TOO_LARGE':
        return 'INVALID_COMMIT_OFFSET_SIZE'
      case 'KAFKA_STORAGE_ERROR':
        return 'NOT_COORDINATOR'
      default:
        return appended
    }
  }

  async #written(groupId: string): Promise<ErrorName | null> {
    return (await this.#groupLog.written(groupId)) ? null : 'COORDINATOR_NOT_AVAILABLE'
  }

  async #persist(groupId: string, generation: StoredGeneration): Promise<boolean> {
    const appended = this.#append(groupId, [classicGroupRecord(groupId, generation)])
    return typeof appended === 'number' && (await this.#groupLog.written(groupId))
  }

  /** Tombstones. Those without an offset get none. */
  #forgetOffsets(groupId: string, partitions: readonly { topic: string; partition: number }[]): ErrorName | null {
    const known = partitions.filter(
      ({ topic, partition }) =>
        this.#offsets.get(groupId, topic, partition) !== undefined ||
        this.#offsets.isPending(groupId, topic, partition),
    )
    if (known.length === 0) return null
    const appended = this.#append(
      groupId,
      known.map(({ topic, partition }) => offsetRecord(groupId, topic, partition, null)),
    )
    if (typeof appended === 'string') return appended
    for (const { topic, partition } of known) this.#offsets.delete(groupId, topic, partition)
    return null
  }

  #delete(groupId: string): ErrorName | null {
    const refusal = this.#refusal(groupId, true)
    if (refusal !== null) return refusal
    const group = this.#groups.get(groupId)
    if (group === undefined || group.state === 'Dead') return 'GROUP_ID_NOT_FOUND'
    if (group.state !== 'Empty') return 'NON_EMPTY_GROUP'
    const partitions = [...this.#offsets.topicsOf(groupId)].flatMap((topic) =>
      this.#offsets.partitionsOf(groupId, topic).map((partition) => ({ topic, partition })),
    )
    const error = this.#forgetOffsets(groupId, partitions)
    if (error !== null) return error
    return this.#forgetGroup(group)
  }

  /** The group is no more. It has no offsets. */
  #forgetGroup(group: Group): ErrorName | null {
    const { groupId } = group
    if (isWritten(group)) {
      const appended = this.#append(groupId, tombstonesOf(group))
      if (typeof appended === 'string') return appended
    }
    this.#groups.delete(groupId)
    group.die()
    return null
  }

  async #load(partition: number): Promise<void> {
    const log = this.#groupLog.partitions.find((each) => each.partition === partition)
    const replay = new GroupReplay(this.#offsets, this.#consumerHost)
    try {
      if (log !== undefined) {
        await this.#groupLog.load(log, {
          record: (record, recordOffset, producerId) => replay.apply(record, recordOffset, producerId),
          transactionEnd: (producerId, isCommitted) => this.transactionEnded(partition, producerId, isCommitted),
        })
      }
    } catch (error) {
      // Its groups stay away: to begin with none would have their consumers read everything again.
      this.#log.error({ err: error, partition }, `the groups of ${OFFSETS_TOPIC}-${partition} cannot be loaded`)
      return
    }
    if (this.#isClosed) return
    await inTurns(replay.generations, ([groupId, generation]) => {
      if (this.#isClosed) return
      const group = ClassicGroup.restore(groupId, this.#host, generation)
      this.#groups.set(groupId, group)
      group.resume()
    })
    await inTurns(replay.consumerGroups, ([groupId, group]) => {
      if (this.#isClosed) return
      this.#groups.set(groupId, group)
      group.resume()
    })
    await inTurns(replay.groupIdsWithOffsets, (groupId) => {
      if (!this.#isClosed && this.#offsets.has(groupId)) this.#groupOf(groupId)
    })
    this.#loading.delete(partition)
  }

  // ---- Retention ----

  #scheduleRetentionCheck(): void {
    this.#retentionCheck = this.#clock.schedule(this.#settings.offsetsRetentionCheckIntervalMs, () => {
      this.#scheduleRetentionCheck()
      void this.#expire()
    })
  }

  /** Forgets offsets that were kept long enough, and groups that have neither members nor offsets. */
  async #expire(): Promise<void> {
    await inTurns([...this.#groups.values()], (group) => {
      const { groupId } = group
      if (this.#groups.get(groupId) !== group || this.#refusal(groupId, true) !== null) return
      const expired: { topic: string; partition: number }[] = []
      this.#offsets.forEach(groupId, (topic, partition, committed) => {
        if (this.#isExpired(group, topic, committed) && !this.#offsets.isPending(groupId, topic, partition)) {
          expired.push({ topic, partition })
        }
      })
      if (this.#forgetOffsets(groupId, expired) !== null) return
      if (expired.length > 0) {
        this.#log.info(`${expired.length} offsets of group ${groupId} are forgotten after their retention`)
        this.#announce(groupId)
      }
      if (group.isAbandoned && !this.#offsets.has(groupId)) this.#forgetGroup(group)
    })
  }

  #isExpired(group: Group, topic: string, committed: CommittedOffset): boolean {
    const sinceMs = keptSinceMs(group, topic, committed)
    if (sinceMs === null) return false
    const nowMs = this.#clock.nowMs()
    if (committed.expireTimestampMs >= 0) return nowMs >= committed.expireTimestampMs
    return nowMs - sinceMs >= this.#settings.offsetsRetentionMs
  }

  readonly #topicChanged = (topic: Topic, change: 'created' | 'grown' | 'configured' | 'deleted'): void => {
    if (change !== 'configured')
      for (const group of this.#groups.values()) if (group.type === 'consumer') group.topicsChanged()
    if (change !== 'deleted') return
    if (topic.name === OFFSETS_TOPIC) this.#forgetEverything()
    else this.#forgetTopic(topic.name)
  }

  /** A topic of the same name that comes later begins anew. */
  #forgetTopic(topic: string): void {
    for (const groupId of this.#offsets.groupIds) {
      const partitions = this.#offsets.partitionsOf(groupId, topic).map((partition) => ({ topic, partition }))
      if (partitions.length === 0) continue
      this.#forgetOffsets(groupId, partitions)
      this.#announce(groupId)
    }
  }

  /** `__consumer_offsets` itself has been deleted. */
  #forgetEverything(): void {
    const groups = [...this.#groups.values()]
    this.#groups.clear()
    this.#offsets.clear()
    this.#loading.clear()
    this.#groupLog.forgotten()
    for (const group of groups) {
      if (group.type === 'classic') group.die('UNKNOWN_MEMBER_ID')
      else group.die()
    }
  }

  // ---- Groups ----

  /** Why nothing can be said of a group now. Only some requests have a meaning for the group without a name. */
  #refusal(groupId: string, mayBeNameless = false): ErrorName | null {
    if (groupId === '' && !mayBeNameless) return 'INVALID_GROUP_ID'
    if (this.#isClosed) return 'COORDINATOR_NOT_AVAILABLE'
    if (this.#loading.size > 0 && this.#loading.has(this.#groupLog.partitionOf(groupId))) {
      return 'COORDINATOR_LOAD_IN_PROGRESS'
    }
    return null
  }

  #classicGroup(groupId: string): ClassicGroup {
    const group = new ClassicGroup(groupId, this.#host)
    this.#groups.set(groupId, group)
    return group
  }

  /** Offsets have a group, if need be one that nobody has ever joined. */
  #groupOf(groupId: string): Group {
    return this.#groups.get(groupId) ?? this.#classicGroup(groupId)
  }

  #announce(groupId: string): void {
    for (const listener of [...this.onChanged]) listener(groupId)
  }
}

/** Since when an offset is of no use to anybody; null while it is. */
function keptSinceMs(group: Group, topic: string, committed: CommittedOffset): number | null {
  if (group.type === 'consumer') return group.isSubscribedTo(topic) ? null : committed.commitTimestampMs
  // Offsets of one who is in no group: each for itself.
  if (group.protocolType === null) return committed.commitTimestampMs
  if (group.state === 'Empty') return group.stateSinceMs < 0 ? committed.commitTimestampMs : group.stateSinceMs
  const isRead = group.state !== 'Stable' || !group.isOfConsumers || group.isSubscribedTo(topic)
  return isRead ? null : committed.commitTimestampMs
}

/** What was never written need not be taken back. */
function isWritten(group: Group): boolean {
  return group.type === 'consumer' ? group.groupEpoch > 0 : group.generationId > 0
}

function tombstonesOf(group: Group): EncodedRecord[] {
  return group.type === 'consumer' ? group.tombstones() : [classicGroupRecord(group.groupId, null)]
}

function refuse<A>(answer: (answer: A) => void, refusal: A): Waiting {
  answer(refusal)
  return NOTHING_WAITS
}
