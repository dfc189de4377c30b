import type { ErrorName } from '../errors.ts'
import type { EncodedRecord } from '../internal-topic.ts'
import type { ConsumerGroupMemberMetadataValue } from '../schemas/group-records.ts'
import {
  type Assignment,
  assignmentOf,
  isPartOf,
  isSameAssignment,
  NOTHING_ASSIGNED,
  type TopicPartitions,
  topicPartitionsOf,
} from './assignment.ts'
import { assignors } from './assignors.ts'
import { ClassicMembers, isClassicExcept } from './classic-members.ts'
import type { JoinAnswer, JoinRequest, SyncAnswer, SyncRequest } from './classic-protocol.ts'
import {
  ConsumerMember,
  JOIN_EPOCH,
  type Membership,
  memberValue,
  NEW_MEMBERSHIP,
  NEW_STANDING,
  STATIC_LEAVE_EPOCH,
} from './consumer-member.ts'
import { mostVoted } from './election.ts'
import { PartitionHolders } from './partition-holders.ts'
import { reconcile, type Standing } from './reconciliation.ts'
import {
  consumerGroupRecord,
  currentAssignmentRecord,
  type GroupRecord,
  memberRecord,
  partitionMetadataTombstone,
  targetEpochRecord,
  targetRecord,
} from './records.ts'
import { SessionTimer, type TimerHost } from './session-timer.ts'
import { isSameTopics, type KnownTopics, type SubscribedTopic, TopicSubscriptions } from './topic-subscriptions.ts'

/**
 * A group of the new protocol (KIP-848): the broker decides who reads what, and one request, the heartbeat, does all.
 *
 * What members want has an epoch (`groupEpoch`), what was decided for it too (`assignmentEpoch`), and each member has that
 * of what it is doing (`memberEpoch`). A heartbeat brings them nearer to each other: a change of what is wanted raises the
 * group's epoch, a target is computed for it, and the member takes its next step towards its target.
 */
export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable' | 'Dead'

export interface ConsumerHeartbeat {
  readonly memberId: string
  readonly memberEpoch: number
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** -1: as before. Null of what follows: as before. */
  readonly rebalanceTimeoutMs: number
  readonly subscribedTopicNames: readonly string[] | null
  readonly subscribedTopicRegex: string | null
  readonly serverAssignor: string | null
  readonly owned: readonly TopicPartitions[] | null
  /** Whether a topic that its regular expression finds is one that it may see; without it, all are. */
  readonly mayDescribe?: ((topic: string) => boolean) | undefined
}

export interface HeartbeatAnswer {
  readonly memberId: string
  readonly memberEpoch: number
  /** Null: as before. */
  readonly assignment: Assignment | null
}

export interface Refusal {
  readonly error: ErrorName
  readonly message: string
}

/** What a group asks of the world. */
export interface ConsumerGroupHost extends TimerHost, KnownTopics {
  sessionTimeoutMs(groupId: string): number
  readonly sizeMax: number
  /** Names of assignors, the one for groups that do not choose first. */
  readonly assignors: readonly string[]
  topicName(topicId: string): string | undefined
  /** Writes in one batch; not before others that were written earlier. False when it cannot. */
  write(groupId: string, records: readonly EncodedRecord[]): boolean
  /** Whether a group of so many may become a classic one, now that no member needs the new protocol. */
  mayDowngrade(memberCount: number): boolean
  /** Makes it one; `records` are what was to be written before. Its members join again when there is a reason. */
  downgrade(group: ConsumerGroup, records: readonly EncodedRecord[], reason: string | null): void
  changed(groupId: string): void
  info(message: string): void
}

/** A member as it was in a classic group. */
export interface FormerMember {
  readonly memberId: string
  readonly membership: Membership
  readonly assigned: Assignment
}

const MEMBER_STATES = ['stable', 'unrevoked', 'unreleased'] as const

export class ConsumerGroup {
  readonly type = 'consumer'
  readonly protocolType = 'consumer'
  readonly isOfConsumers = true
  readonly groupId: string
  readonly #host: ConsumerGroupHost
  #groupEpoch = 0
  #assignmentEpoch = 0
  #isDead = false
  readonly #members = new Map<string, ConsumerMember>()
  readonly #memberIdOfInstance = new Map<string, string>()
  #target = new Map<string, Assignment>()
  /** What the members' subscriptions came to, and with it the number of partitions; null: not known yet. */
  #subscribedTopics: ReadonlyMap<string, SubscribedTopic> | null = null
  /** Topics have come, gone or grown since. */
  #isStale = true
  readonly #subscriptions: TopicSubscriptions
  readonly #holders = new PartitionHolders()

  constructor(groupId: string, host: ConsumerGroupHost) {
    this.groupId = groupId
    this.#host = host
    this.#subscriptions = new TopicSubscriptions(host)
  }

  /** A group whose members were in a classic one, in a generation. Their sessions begin with `resume`. */
  static ofFormer(
    groupId: string,
    host: ConsumerGroupHost,
    epoch: number,
    members: readonly FormerMember[],
  ): ConsumerGroup {
    const group = new ConsumerGroup(groupId, host)
    group.#groupEpoch = epoch
    group.#assignmentEpoch = epoch
    for (const { memberId, membership, assigned } of members) {
      const member = group.#addMember(memberId, membership)
      group.#target.set(memberId, assigned)
      group.#setStanding(member, { ...NEW_STANDING, memberEpoch: epoch, previousMemberEpoch: epoch, assigned })
    }
    return group
  }

  get state(): ConsumerGroupState {
    if (this.#isDead) return 'Dead'
    if (this.#members.size === 0) return 'Empty'
    if (this.#groupEpoch > this.#assignmentEpoch) return 'Assigning'
    for (const { standing } of this.#members.values()) {
      if (standing.state !== 'stable' || standing.memberEpoch !== this.#assignmentEpoch) return 'Reconciling'
    }
    return 'Stable'
  }

  get groupEpoch(): number {
    return this.#groupEpoch
  }

  get assignmentEpoch(): number {
    return this.#assignmentEpoch
  }

  get members(): ReadonlyMap<string, ConsumerMember> {
    return this.#members
  }

  /** Undefined when nobody has this instance id. */
  memberIdOf(instanceId: string | null): string | undefined {
    return instanceId === null ? undefined : this.#memberIdOfInstance.get(instanceId)
  }

  targetOf(memberId: string): Assignment {
    return this.#target.get(memberId) ?? NOTHING_ASSIGNED
  }

  get isAbandoned(): boolean {
    return this.#members.size === 0
  }

  /** What most members ask for. */
  get assignorName(): string {
    const votes = [...this.#members.values()].flatMap(({ membership }) => membership.serverAssignor ?? [])
    return mostVoted(votes) ?? this.#host.assignors[0]
  }

  isSubscribedTo(topic: string): boolean {
    for (const member of this.#members.values()) if (this.#subscriptions.wants(member, topic)) return true
    return false
  }

  // ---- Heartbeats ----

  /** The answer holds once what was written is safe. */
  heartbeat(request: ConsumerHeartbeat): HeartbeatAnswer | Refusal {
    const isJoining = request.memberEpoch === JOIN_EPOCH
    const refusal = this.heartbeatRefusal(request)
    if (refusal !== null) return refusal
    const records: EncodedRecord[] = []
    const owned = request.owned === null ? null : assignmentOf(request.owned)
    const member = this.#memberFor(request, isJoining, records)
    const assignedBefore = member.standing.assigned
    const isChanged = this.#updateMembership(member, membershipAfter(member.membership, request), records)
    const seesOthers = this.#subscriptions.updateVisible(member, request.mayDescribe)
    this.#raiseEpoch(isChanged || seesOthers, records)
    this.#decide(records)
    this.#step(member, owned, records)
    this.#renew(member)
    if (!this.#write(records)) return { error: 'COORDINATOR_NOT_AVAILABLE', message: 'The group cannot be written.' }
    const { assigned, memberEpoch } = member.standing
    const isFull =
      request.rebalanceTimeoutMs !== -1 &&
      (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) &&
      request.owned !== null
    const mustTell = isJoining || isFull || !isSameAssignment(assignedBefore, assigned)
    return { memberId: member.memberId, memberEpoch, assignment: mustTell ? assigned : null }
  }

  /** A member goes: for good, or (a static one) to come back under its instance id. */
  leave(memberId: string, instanceId: string | null, memberEpoch: number): HeartbeatAnswer | Refusal {
    const refusal = this.#unknown(memberId, instanceId)
    if (refusal !== null) return refusal
    const member = this.#members.get(memberId)!
    if (memberEpoch === STATIC_LEAVE_EPOCH && member.membership.instanceId !== null) {
      // Its partitions stay its own, until it is back or its session ends.
      const { assigned, memberEpoch: previousMemberEpoch } = member.standing
      const pendingRevocation = NOTHING_ASSIGNED
      this.#stopRevocation(member)
      this.#setStanding(member, { state: 'stable', memberEpoch, previousMemberEpoch, assigned, pendingRevocation })
      this.#host.write(this.groupId, [this.#currentRecord(member)])
      return { memberId, memberEpoch, assignment: null }
    }
    this.#host.info(`group ${this.groupId}: member ${memberId} leaves`)
    this.#remove(member)
    return { memberId, memberEpoch, assignment: null }
  }

  /** Topics have come, gone or grown: the next heartbeat of any member sees to it. */
  topicsChanged(): void {
    this.#isStale = true
  }

  // ---- Members of the classic protocol ----

  joinClassic(request: JoinRequest, strangerId: string): JoinAnswer {
    return this.#classicMembers.join(request, strangerId)
  }

  syncClassic(request: SyncRequest): SyncAnswer {
    return this.#classicMembers.sync(request)
  }

  heartbeatClassic(memberId: string, instanceId: string | null, generationId: number): ErrorName | null {
    return this.#classicMembers.heartbeat(memberId, instanceId, generationId)
  }

  /** Made for each request: most groups have no such members. */
  get #classicMembers(): ClassicMembers {
    return new ClassicMembers({
      protocolType: this.protocolType,
      sizeMax: this.#host.sizeMax,
      groupEpoch: () => this.#groupEpoch,
      members: this.#members,
      memberIdOf: (instanceId) => this.memberIdOf(instanceId),
      targetOf: (memberId) => this.targetOf(memberId),
      isHeld: (topicId, partition) => this.#holders.isHeld(topicId, partition),
      topic: (name) => this.#host.topic(name),
      topicName: this.#host.topicName,
      unknown: (memberId, instanceId) => this.#unknown(memberId, instanceId)?.error ?? null,
      memberFor: (names, records) => this.#memberFor(names, false, records),
      change: (member, membership, records) => {
        const isChanged = this.#updateMembership(member, membership, records)
        this.#raiseEpoch(isChanged, records)
        return isChanged
      },
      decide: (records) => this.#decide(records),
      step: (member, owned, records) => this.#step(member, owned, records),
      renew: (member) => this.#renew(member),
      removeAfter: (member, delayMs, why) => this.#removeAfter(member, delayMs, why),
      write: (records) => this.#write(records),
      mayDowngrade: () => this.#host.mayDowngrade(this.#members.size),
      downgrade: (records, reason) => this.#host.downgrade(this, records, reason),
    })
  }

  // ---- Offsets ----

  commitRefusal(memberId: string, memberEpoch: number, isTransactional: boolean, version: number): ErrorName | null {
    if (memberEpoch < 0 && this.#members.size === 0) return null
    if (isTransactional && memberEpoch === -1 && memberId === '') return null
    const member = this.#members.get(memberId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    // An older version has no words for what may be wrong.
    if (!isTransactional && member.membership.classic === null && version < 9) return 'UNSUPPORTED_VERSION'
    return this.#otherEpoch(member, memberEpoch)
  }

  /** `memberId` is null for one who is in no group. */
  fetchRefusal(memberId: string | null, memberEpoch: number): ErrorName | null {
    if (memberId === null && memberEpoch < 0) return null
    const member = this.#members.get(memberId ?? '')
    return member === undefined ? 'UNKNOWN_MEMBER_ID' : this.#otherEpoch(member, memberEpoch)
  }

  #otherEpoch({ membership, standing }: ConsumerMember, memberEpoch: number): ErrorName | null {
    if (standing.memberEpoch === memberEpoch) return null
    return membership.classic === null ? 'STALE_MEMBER_EPOCH' : 'ILLEGAL_GENERATION'
  }

  // ---- Life ----

  /** The broker stops. */
  stop(): void {
    for (const member of this.#members.values()) this.#stopTimers(member)
  }

  die(): void {
    this.stop()
    this.#members.clear()
    this.#memberIdOfInstance.clear()
    this.#isDead = true
  }

  /** All that there is to write of the group. */
  records(): EncodedRecord[] {
    const { groupId } = this
    const members = [...this.#members.values()]
    return [
      ...members.map(({ memberId, membership }) => memberRecord(groupId, memberId, memberValue(membership))),
      consumerGroupRecord(groupId, this.#groupEpoch),
      ...members.map(({ memberId }) =>
        targetRecord(groupId, memberId, { topicPartitions: topicPartitionsOf(this.targetOf(memberId)) }),
      ),
      targetEpochRecord(groupId, this.#assignmentEpoch),
      ...members.map((member) => this.#currentRecord(member)),
    ]
  }

  /** What takes the group out of the log. */
  tombstones(): EncodedRecord[] {
    const { groupId } = this
    const memberIds = [...this.#members.keys()]
    return [
      ...memberIds.map((memberId) => currentAssignmentRecord(groupId, memberId, null)),
      ...memberIds.map((memberId) => targetRecord(groupId, memberId, null)),
      targetEpochRecord(groupId, null),
      ...memberIds.map((memberId) => memberRecord(groupId, memberId, null)),
      partitionMetadataTombstone(groupId),
      consumerGroupRecord(groupId, null),
    ]
  }

  /** One record of the log, in its order. */
  replay(record: Exclude<GroupRecord, { kind: 'offset' | 'classic' | 'ignored' }>): void {
    switch (record.kind) {
      case 'consumer':
        this.#groupEpoch = record.value?.epoch ?? 0
        break
      case 'target-epoch':
        this.#assignmentEpoch = record.value?.assignmentEpoch ?? 0
        break
      case 'target':
        if (record.value === null) this.#target.delete(record.memberId)
        else this.#target.set(record.memberId, assignmentOf(record.value.topicPartitions))
        break
      case 'member':
        if (record.value === null) this.#forget(record.memberId)
        else this.#restoreMember(record.memberId, record.value)
        break
      case 'current': {
        const member = this.#members.get(record.memberId)
        if (member === undefined) break
        this.#setStanding(
          member,
          record.value === null
            ? NEW_STANDING
            : {
                state: MEMBER_STATES[record.value.state] ?? 'unreleased',
                memberEpoch: record.value.memberEpoch,
                previousMemberEpoch: record.value.previousMemberEpoch,
                assigned: assignmentOf(record.value.assignedPartitions),
                pendingRevocation: assignmentOf(record.value.partitionsPendingRevocation),
              },
        )
        break
      }
    }
  }

  /** After the log has been read: sessions begin anew. */
  resume(): void {
    for (const member of this.#members.values()) {
      this.#renew(member)
      if (member.standing.state === 'unrevoked') this.#awaitRevocation(member)
    }
    // Where everything was given to somebody, nothing has changed meanwhile.
    const topics = this.#subscriptions.resolve(this.#members)
    const isCovered = [...topics].every(([topicId, { partitionCount }]) => this.#givenCount(topicId) === partitionCount)
    const isKnown = [...this.#target.values()].every((target) => [...target.keys()].every((id) => topics.has(id)))
    if (isCovered && isKnown) this.#subscribedTopics = topics
  }

  // ---- Steps of a heartbeat ----

  /** Why a heartbeat has no effect, in Kafka's words; null when it has. */
  heartbeatRefusal(request: ConsumerHeartbeat): Refusal | null {
    const { memberId, instanceId, memberEpoch, subscribedTopicRegex } = request
    const isJoining = memberEpoch === JOIN_EPOCH
    const known = this.#members.get(memberId)
    if (
      known === undefined &&
      isJoining &&
      this.#members.size >= this.#host.sizeMax &&
      !this.#isReplacement(instanceId)
    ) {
      return {
        error: 'GROUP_MAX_SIZE_REACHED',
        message: `The consumer group has reached its maximum capacity of ${this.#host.sizeMax} members.`,
      }
    }
    const problem =
      subscribedTopicRegex === null || subscribedTopicRegex === ''
        ? null
        : this.#subscriptions.problemOf(subscribedTopicRegex)
    if (problem !== null) {
      return {
        error: 'INVALID_REGULAR_EXPRESSION',
        message: `SubscribedTopicRegex \`${subscribedTopicRegex}\` is not a valid regular expression: ${problem}.`,
      }
    }
    if (isJoining) {
      const holderId = instanceId === null ? undefined : this.#memberIdOfInstance.get(instanceId)
      const holder = holderId === undefined || holderId === memberId ? undefined : this.#members.get(holderId)
      // One who speaks the classic protocol never says that it will be back: it is replaced.
      const isHeld = holder?.membership.classic === null && holder.standing.memberEpoch !== STATIC_LEAVE_EPOCH
      if (isHeld) {
        return {
          error: 'UNRELEASED_INSTANCE_ID',
          message: `Static member ${memberId} with instance id ${instanceId} cannot join the group because the instance id is owned by ${holderId} member.`,
        }
      }
      return null
    }
    return this.#unknown(memberId, instanceId) ?? this.#fenced(this.#members.get(memberId)!, memberEpoch, request.owned)
  }

  #isReplacement(instanceId: string | null): boolean {
    return instanceId !== null && this.#memberIdOfInstance.has(instanceId)
  }

  #unknown(memberId: string, instanceId: string | null): Refusal | null {
    if (instanceId !== null) {
      const holderId = this.#memberIdOfInstance.get(instanceId)
      if (holderId === undefined)
        return { error: 'UNKNOWN_MEMBER_ID', message: `Instance id ${instanceId} is unknown.` }
      if (holderId !== memberId) {
        return {
          error: 'FENCED_INSTANCE_ID',
          message: `Static member ${memberId} with instance id ${instanceId} was fenced by member ${holderId}.`,
        }
      }
    }
    if (this.#members.has(memberId)) return null
    return { error: 'UNKNOWN_MEMBER_ID', message: `Member ${memberId} is not a member of group ${this.groupId}.` }
  }

  #fenced(member: ConsumerMember, memberEpoch: number, owned: readonly TopicPartitions[] | null): Refusal | null {
    const { memberEpoch: knownEpoch, previousMemberEpoch, assigned } = member.standing
    if (memberEpoch === knownEpoch) return null
    // The answer with the new epoch may have been lost.
    const isBehind = memberEpoch < knownEpoch && memberEpoch === previousMemberEpoch
    if (isBehind && owned !== null && isPartOf(assignmentOf(owned), assigned)) return null
    return {
      error: 'FENCED_MEMBER_EPOCH',
      message:
        `The consumer group member has a ${memberEpoch > knownEpoch ? 'greater' : 'smaller'} member epoch (${memberEpoch}) than the one ` +
        `known by the group coordinator (${knownEpoch}). The member must abandon all its partitions and rejoin.`,
    }
  }

  #memberFor(
    { memberId, instanceId }: Pick<ConsumerHeartbeat, 'memberId' | 'instanceId'>,
    isJoining: boolean,
    records: EncodedRecord[],
  ): ConsumerMember {
    const known = this.#members.get(memberId)
    if (known !== undefined) {
      // Whoever joins again has let go of everything.
      if (isJoining) {
        this.#stopRevocation(known)
        this.#setStanding(known, NEW_STANDING)
      }
      return known
    }
    const replacedId = instanceId === null ? undefined : this.#memberIdOfInstance.get(instanceId)
    const member = this.#addMember(memberId, { ...NEW_MEMBERSHIP, instanceId })
    if (replacedId === undefined) {
      this.#host.info(`group ${this.groupId}: member ${memberId} joins`)
      return member
    }
    const replaced = this.#members.get(replacedId)!
    const target = this.targetOf(replacedId)
    member.membership = replaced.membership
    records.push(
      currentAssignmentRecord(this.groupId, replacedId, null),
      targetRecord(this.groupId, replacedId, null),
      memberRecord(this.groupId, replacedId, null),
      memberRecord(this.groupId, memberId, memberValue(member.membership)),
      targetRecord(this.groupId, memberId, { topicPartitions: topicPartitionsOf(target) }),
    )
    const standing = { ...replaced.standing, memberEpoch: JOIN_EPOCH, previousMemberEpoch: JOIN_EPOCH }
    this.#forget(replacedId)
    this.#memberIdOfInstance.set(instanceId!, memberId)
    this.#target.set(memberId, target)
    this.#setStanding(member, standing)
    return member
  }

  /** True when it wants something else than before. */
  #updateMembership(member: ConsumerMember, after: Membership, records: EncodedRecord[]): boolean {
    const before = member.membership
    if (JSON.stringify(after) === JSON.stringify(before)) return false
    member.membership = after
    records.push(memberRecord(this.groupId, member.memberId, memberValue(after)))
    const wants = (membership: Membership) => [
      membership.subscribedTopicNames,
      membership.subscribedTopicRegex,
      membership.serverAssignor,
    ]
    return JSON.stringify(wants(after)) !== JSON.stringify(wants(before))
  }

  #raiseEpoch(isChanged: boolean, records: EncodedRecord[]): void {
    let isRaised = isChanged
    if (isChanged || this.#isStale || this.#subscribedTopics === null) {
      const topics = this.#subscriptions.resolve(this.#members)
      isRaised ||= this.#subscribedTopics === null || !isSameTopics(topics, this.#subscribedTopics)
      this.#subscribedTopics = topics
      this.#isStale = false
    }
    if (!isRaised) return
    this.#groupEpoch++
    records.push(consumerGroupRecord(this.groupId, this.#groupEpoch))
  }

  /** A target for the group's epoch. */
  #decide(records: EncodedRecord[]): void {
    if (this.#groupEpoch <= this.#assignmentEpoch) return
    const topics = this.#subscribedTopics ?? new Map<string, SubscribedTopic>()
    const decided = assignors[this.assignorName]({
      members: [...this.#members.values()].map((member) => ({
        memberId: member.memberId,
        instanceId: member.membership.instanceId,
        topicIds: new Set(
          [...topics].filter(([, { name }]) => this.#subscriptions.wants(member, name)).map(([topicId]) => topicId),
        ),
      })),
      partitionCounts: new Map([...topics].map(([topicId, { partitionCount }]) => [topicId, partitionCount])),
      current: this.#target,
    })
    for (const [memberId, target] of decided) {
      const before = this.#target.get(memberId)
      if (before !== undefined && isSameAssignment(before, target)) continue
      records.push(targetRecord(this.groupId, memberId, { topicPartitions: topicPartitionsOf(target) }))
    }
    this.#target = decided
    this.#assignmentEpoch = this.#groupEpoch
    records.push(targetEpochRecord(this.groupId, this.#assignmentEpoch))
  }

  #step(member: ConsumerMember, owned: Assignment | null, records: EncodedRecord[]): void {
    const before = member.standing
    const after = reconcile(
      before,
      {
        epoch: this.#assignmentEpoch,
        assignment: this.targetOf(member.memberId),
        isHeld: (topicId, partition) => this.#holders.isHeld(topicId, partition),
      },
      owned,
    )
    if (after === before) return
    this.#setStanding(member, after)
    records.push(this.#currentRecord(member))
    if (after.state === 'unrevoked') this.#awaitRevocation(member)
    else this.#stopRevocation(member)
  }

  // ---- Members ----

  #addMember(memberId: string, membership: Membership): ConsumerMember {
    const session = new SessionTimer(this.#host, () => {
      this.#host.info(`group ${this.groupId}: the session of member ${memberId} ended`)
      this.#remove(member)
    })
    const member = new ConsumerMember(memberId, membership, session)
    this.#members.set(memberId, member)
    if (membership.instanceId !== null) this.#memberIdOfInstance.set(membership.instanceId, memberId)
    return member
  }

  #restoreMember(memberId: string, value: ConsumerGroupMemberMetadataValue): void {
    const { classicMemberMetadata: classic, ...rest } = value
    const membership: Membership = { ...rest, classic }
    const known = this.#members.get(memberId)
    if (known !== undefined) known.membership = membership
    else this.#addMember(memberId, membership)
    if (membership.instanceId !== null) this.#memberIdOfInstance.set(membership.instanceId, memberId)
  }

  /** Takes a member out, in the log too: whoever is left has another target. */
  #remove(member: ConsumerMember): void {
    const { memberId } = member
    this.#forget(memberId)
    const records = [
      currentAssignmentRecord(this.groupId, memberId, null),
      targetRecord(this.groupId, memberId, null),
      memberRecord(this.groupId, memberId, null),
    ]
    const { size } = this.#members
    if (size > 0 && isClassicExcept(this.#members, null) && this.#host.mayDowngrade(size)) {
      this.#host.downgrade(this, records, `member ${memberId}, the last of the new protocol, is gone`)
      return
    }
    this.#groupEpoch++
    this.#host.write(this.groupId, [...records, consumerGroupRecord(this.groupId, this.#groupEpoch)])
    this.#host.changed(this.groupId)
  }

  /** True when it is written, or there is nothing to write. */
  #write(records: readonly EncodedRecord[]): boolean {
    if (records.length === 0) return true
    if (!this.#host.write(this.groupId, records)) return false
    this.#host.changed(this.groupId)
    return true
  }

  #forget(memberId: string): void {
    const member = this.#members.get(memberId)
    this.#target.delete(memberId)
    if (member === undefined) return
    this.#stopTimers(member)
    this.#setStanding(member, NEW_STANDING)
    this.#members.delete(memberId)
    const { instanceId } = member.membership
    if (instanceId !== null && this.#memberIdOfInstance.get(instanceId) === memberId) {
      this.#memberIdOfInstance.delete(instanceId)
    }
  }

  /** The group knows of each partition who reads it, or has not said that it stopped. */
  #setStanding(member: ConsumerMember, standing: Standing): void {
    this.#holders.change(member.memberId, member.standing, standing)
    member.standing = standing
  }

  #renew({ membership, session }: ConsumerMember): void {
    session.renew(membership.classic?.sessionTimeoutMs ?? this.#host.sessionTimeoutMs(this.groupId))
  }

  /** Whoever does not let go in time is sent away: others wait for its partitions. */
  #awaitRevocation(member: ConsumerMember): void {
    this.#stopRevocation(member)
    // One who speaks the classic protocol has deadlines of its own.
    if (member.membership.classic !== null) return
    const { rebalanceTimeoutMs } = member.membership
    member.revocation = this.#removeAfter(member, rebalanceTimeoutMs, 'did not let go of its partitions in time')
  }

  #removeAfter(member: ConsumerMember, delayMs: number, why: string): { cancel(): void } {
    return this.#host.schedule(delayMs, () => {
      this.#host.info(`group ${this.groupId}: member ${member.memberId} ${why}`)
      this.#remove(member)
    })
  }

  #stopTimers(member: ConsumerMember): void {
    member.session.stop()
    this.#stopRevocation(member)
    member.joinDeadline?.cancel()
    member.syncDeadline?.cancel()
  }

  #stopRevocation(member: ConsumerMember): void {
    member.revocation?.cancel()
    member.revocation = null
  }

  #currentRecord({ memberId, standing }: ConsumerMember): EncodedRecord {
    return currentAssignmentRecord(this.groupId, memberId, {
      memberEpoch: standing.memberEpoch,
      previousMemberEpoch: standing.previousMemberEpoch,
      state: MEMBER_STATES.indexOf(standing.state),
      assignedPartitions: topicPartitionsOf(standing.assigned),
      partitionsPendingRevocation: topicPartitionsOf(standing.pendingRevocation),
    })
  }

  #givenCount(topicId: string): number {
    let count = 0
    for (const target of this.#target.values()) count += target.get(topicId)?.size ?? 0
    return count
  }
}

/** What a heartbeat makes of it. */
function membershipAfter(before: Membership, request: ConsumerHeartbeat): Membership {
  const { rackId, rebalanceTimeoutMs, subscribedTopicNames, subscribedTopicRegex, serverAssignor } = request
  const isJoining = request.memberEpoch === JOIN_EPOCH
  const namesBefore = isJoining ? [] : before.subscribedTopicNames
  return {
    instanceId: request.instanceId ?? before.instanceId,
    rackId: rackId ?? before.rackId,
    clientId: request.clientId,
    clientHost: request.clientHost,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? before.rebalanceTimeoutMs : rebalanceTimeoutMs,
    subscribedTopicNames: subscribedTopicNames === null ? namesBefore : [...new Set(subscribedTopicNames)].sort(),
    subscribedTopicRegex: subscribedTopicRegex ?? (isJoining ? null : before.subscribedTopicRegex),
    serverAssignor: serverAssignor ?? before.serverAssignor,
    classic: null,
  }
}
