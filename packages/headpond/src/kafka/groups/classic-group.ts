import type { ErrorName } from '../errors.ts'
import { ClassicMember, type Parked, type StoredMember } from './classic-member.ts'
import {
  failedJoin,
  failedSync,
  type JoinAnswer,
  type JoinRequest,
  NOTHING_WAITS,
  type Protocol,
  type SyncAnswer,
  type SyncRequest,
  type Waiting,
} from './classic-protocol.ts'
import { subscribedTopicsOf } from './consumer-protocol.ts'
import { mostVoted } from './election.ts'
import { SessionTimer, type TimerHost } from './session-timer.ts'

/**
 * A group of the classic protocol: who is in it, which generation it is in, and what waits for what. It has no sockets
 * and no disk: requests come in as calls with a function that takes the answer, when there is one; time and the log are
 * its host's.
 *
 *            join                    all joined, or time is up              the leader's assignment is written
 *   Empty ─────────▶ PreparingRebalance ─────────▶ CompletingRebalance ─────────▶ Stable
 *     ▲                 │      ▲                          │                          │
 *     └─────────────────┘      └──────────────────────────┴──────────────────────────┘
 *       nobody is left            someone comes, goes, or changes what it wants
 *
 * A request that waits belongs to its member: `Waiting.answer` is called once, and never after `cancel`.
 */
export type ClassicGroupState = 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead' | 'Empty'

/** What a group asks of the world. */
export interface ClassicGroupHost extends TimerHost {
  /** A name that nobody has had. */
  uniqueId(): string
  readonly initialRebalanceDelayMs: number
  readonly sizeMax: number
  /** Writes the generation; `done` is called once it is safe, or with false when it cannot be written. */
  persist(groupId: string, generation: StoredGeneration, done: (isWritten: boolean) => void): void
  /** Its state is another one. */
  changed(groupId: string): void
  info(message: string): void
}

/** A generation as it is kept. */
export interface StoredGeneration {
  readonly protocolType: string
  readonly generationId: number
  readonly protocolName: string | null
  readonly leaderId: string | null
  readonly stateSinceMs: number
  readonly members: readonly StoredMember[]
}

const NO_BYTES = new Uint8Array(0)
/**
 * A member whose first join is not answered yet cannot send heartbeats. If its connection is dead without anybody
 * noticing, this is how long it holds the others up at most.
 */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60_000

/** Of a group that changes its protocol. */
export interface ConsumersMember extends Omit<StoredMember, 'subscription'> {
  readonly protocols: readonly Protocol[]
}

export class ClassicGroup {
  readonly type = 'classic'
  readonly groupId: string
  readonly #host: ClassicGroupHost
  #state: ClassicGroupState = 'Empty'
  #stateBefore: ClassicGroupState = 'Dead'
  #stateSinceMs: number
  #generationId = 0
  #protocolType: string | null = null
  #protocolName: string | null = null
  #leaderId: string | null = null
  readonly #members = new Map<string, ClassicMember>()
  readonly #memberIdOfInstance = new Map<string, string>()
  /** Have been given an id and not come back with it yet. */
  readonly #pending = new Map<string, SessionTimer>()
  /** Have joined this generation and not synced. */
  readonly #pendingSync = new Set<string>()
  /** How many members can do a protocol. */
  readonly #supporters = new Map<string, number>()
  /** Someone joined since the initial delay was last extended. */
  #hasNewcomer = false
  #phaseTimer: { cancel(): void } | null = null
  /** Null when its members do not say what they subscribe to in the way of consumers. */
  #subscribedTopics: ReadonlySet<string> | null = null

  constructor(groupId: string, host: ClassicGroupHost) {
    this.groupId = groupId
    this.#host = host
    this.#stateSinceMs = host.nowMs()
  }

  /** A group as it was written. Its members' sessions begin now. */
  static restore(groupId: string, host: ClassicGroupHost, stored: StoredGeneration): ClassicGroup {
    const group = new ClassicGroup(groupId, host)
    group.#generationId = stored.generationId
    group.#protocolType = stored.protocolType === '' ? null : stored.protocolType
    group.#protocolName = stored.protocolName
    group.#leaderId = stored.leaderId
    for (const member of stored.members) {
      group.#add({ ...member }, [{ name: stored.protocolName ?? '', metadata: member.subscription }], null).assignment =
        member.assignment
    }
    if (stored.leaderId !== null && group.#members.has(stored.leaderId)) group.#leaderId = stored.leaderId
    group.#state = stored.members.length === 0 ? 'Empty' : 'Stable'
    group.#stateSinceMs = stored.stateSinceMs
    group.#subscribedTopics = group.#computeSubscribedTopics()
    return group
  }

  /** A group of consumers that goes on in this protocol: in a generation, with what each member has. */
  static ofConsumers(
    groupId: string,
    host: ClassicGroupHost,
    generationId: number,
    members: readonly ConsumersMember[],
  ): ClassicGroup {
    const group = new ClassicGroup(groupId, host)
    group.#generationId = generationId
    for (const { protocols, assignment, ...identity } of members) {
      group.#add(identity, protocols, 'consumer').assignment = assignment
    }
    group.#protocolName = group.#elect()
    group.#state = 'Stable'
    group.#subscribedTopics = group.#computeSubscribedTopics()
    return group
  }

  /** Begins the sessions of a restored group, and sends members away if there are more than are allowed now. */
  resume(): void {
    for (const member of this.#members.values()) this.#renew(member)
    if (this.#members.size > this.#host.sizeMax) this.#prepareRebalance('there are more members than are allowed')
  }

  get state(): ClassicGroupState {
    return this.#state
  }

  get stateSinceMs(): number {
    return this.#stateSinceMs
  }

  get generationId(): number {
    return this.#generationId
  }

  /** Null for a group that nobody has ever joined. */
  get protocolType(): string | null {
    return this.#protocolType
  }

  get protocolName(): string | null {
    return this.#protocolName
  }

  get leaderId(): string | null {
    return this.#leaderId
  }

  get members(): ReadonlyMap<string, ClassicMember> {
    return this.#members
  }

  /** Nobody is in it nor about to be. */
  get isAbandoned(): boolean {
    return this.#state === 'Empty' && this.#pending.size === 0
  }

  get isOfConsumers(): boolean {
    return this.#protocolType === 'consumer'
  }

  /** Whether members of the current generation read a topic; when nobody can tell, any may be. */
  isSubscribedTo(topic: string): boolean {
    return this.#subscribedTopics === null ? this.isOfConsumers : this.#subscribedTopics.has(topic)
  }

  // ---- Requests ----

  join(request: JoinRequest, answer: (answer: JoinAnswer) => void): Waiting {
    const refusal = this.#joinRefusal(request)
    if (refusal === 'GROUP_MAX_SIZE_REACHED') {
      this.#drop(request.memberId, refusal)
      this.#completeJoinIfAllAreThere()
      answer(failedJoin('', refusal))
      return NOTHING_WAITS
    }
    if (refusal !== null) {
      answer(failedJoin(request.memberId, refusal))
      return NOTHING_WAITS
    }
    const parked: Parked<JoinAnswer> = { answer }
    if (request.memberId === '') this.#joinAsStranger(request, parked)
    else if (this.#pending.has(request.memberId)) this.#joinAsNewMember(request.memberId, request, parked)
    else this.#joinAgain(this.#member(request.memberId), request, parked)
    this.#completeJoinIfAllAreThere()
    return { cancel: () => this.#cancelJoin(parked) }
  }

  sync(request: SyncRequest, answer: (answer: SyncAnswer) => void): Waiting {
    const error = this.#syncRefusal(request)
    if (error !== null) {
      answer(failedSync(error))
      return NOTHING_WAITS
    }
    const member = this.#member(request.memberId)
    this.#synced(member.memberId)
    if (this.#state === 'Stable') {
      this.#renew(member)
      answer(this.#syncAnswer(member))
      return NOTHING_WAITS
    }
    const parked: Parked<SyncAnswer> = { answer }
    member.sync?.answer(failedSync('REBALANCE_IN_PROGRESS'))
    member.sync = parked
    if (member.memberId === this.#leaderId) this.#assign(request.assignments)
    return {
      cancel: () => {
        if (member.sync !== parked) return
        member.sync = null
        this.#renew(member)
      },
    }
  }

  heartbeat(memberId: string, groupInstanceId: string | null, generationId: number): ErrorName | null {
    const error = this.#unknown(memberId, groupInstanceId) ?? this.#otherGeneration(generationId)
    if (error !== null) return error
    this.#renew(this.#member(memberId))
    return this.#state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : null
  }

  /** One member goes, or is sent away by its instance id alone. */
  leave(memberId: string, groupInstanceId: string | null, reason: string): ErrorName | null {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    if (memberId === '') {
      const staticMemberId = groupInstanceId === null ? undefined : this.#memberIdOfInstance.get(groupInstanceId)
      if (staticMemberId === undefined) return 'UNKNOWN_MEMBER_ID'
      this.#expel(this.#member(staticMemberId), reason)
      return null
    }
    if (this.#pending.has(memberId)) {
      this.#forgetPending(memberId)
      this.#completeJoinIfAllAreThere()
      return null
    }
    const error = this.#unknown(memberId, groupInstanceId)
    if (error !== null) return error
    this.#expel(this.#member(memberId), reason)
    return null
  }

  /**
   * Whether offsets may be committed. `generationId` is -1 for one who is in no group: an administrator, or a consumer
   * that takes partitions by itself. A transaction's commit is checked only for what it says, and in any state.
   */
  commitRefusal(
    memberId: string,
    groupInstanceId: string | null,
    generationId: number,
    isTransactional: boolean,
  ): ErrorName | null {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    if (generationId < 0 && this.#state === 'Empty') return null
    if (generationId >= 0 || memberId !== '' || groupInstanceId !== null) {
      const error = this.#unknown(memberId, groupInstanceId) ?? this.#otherGeneration(generationId)
      if (error !== null) return error
    } else if (!isTransactional && this.#state !== 'Empty') {
      return 'UNKNOWN_MEMBER_ID'
    }
    // It has learnt of the new generation and not what it is to read in it.
    return !isTransactional && this.#state === 'CompletingRebalance' ? 'REBALANCE_IN_PROGRESS' : null
  }

  /** Whatever a member asks of its group shows that it lives. */
  sawMember(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member !== undefined && (this.#state === 'Stable' || this.#state === 'PreparingRebalance')) this.#renew(member)
  }

  /** The group is deleted or becomes one of another kind: whoever waits is told so. */
  die(error: ErrorName = 'COORDINATOR_NOT_AVAILABLE'): void {
    this.#phaseTimer?.cancel()
    this.#phaseTimer = null
    for (const memberId of [...this.#pending.keys()]) this.#forgetPending(memberId)
    for (const memberId of [...this.#members.keys()]) this.#drop(memberId, error)
    this.#enter('Dead')
  }

  /** The broker stops: nothing is to happen any more. What waits gets no answer, and its clients will come again. */
  stop(): void {
    this.#phaseTimer?.cancel()
    for (const timer of this.#pending.values()) timer.stop()
    for (const { session } of this.#members.values()) session.stop()
  }

  /** What is written of the group as it stands. */
  stored(assignments?: ReadonlyMap<string, Uint8Array>): StoredGeneration {
    return {
      protocolType: this.#protocolType ?? '',
      generationId: this.#generationId,
      protocolName: this.#protocolName,
      leaderId: this.#leaderId,
      stateSinceMs: this.#stateSinceMs,
      members: [...this.#members.values()].map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        sessionTimeoutMs: member.sessionTimeoutMs,
        subscription: member.metadata(this.#protocolName),
        assignment: assignments?.get(member.memberId) ?? (assignments === undefined ? member.assignment : NO_BYTES),
      })),
    }
  }

  // ---- Joining ----

  #joinRefusal(request: JoinRequest): ErrorName | null {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    const known = this.#members.get(request.memberId)
    if (!this.#hasRoomFor(known)) return 'GROUP_MAX_SIZE_REACHED'
    if (!this.#suits(request)) return 'INCONSISTENT_GROUP_PROTOCOL'
    if (request.memberId === '' || this.#pending.has(request.memberId)) return null
    const error = this.#unknown(request.memberId, request.groupInstanceId)
    if (error !== null) return error
    return this.#state === 'Empty' ? 'UNKNOWN_MEMBER_ID' : null
  }

  /**
   * While the group gathers, those who wait count, not those who may not come back: so a group that has become too large
   * sends away who comes last.
   */
  #hasRoomFor(known: ClassicMember | undefined): boolean {
    const { sizeMax } = this.#host
    if (this.#state === 'Empty') return true
    if (this.#state !== 'PreparingRebalance') return known !== undefined || this.#members.size < sizeMax
    if (known?.join != null) return true
    let waitingCount = 0
    for (const member of this.#members.values()) if (member.join !== null) waitingCount++
    return waitingCount < sizeMax
  }

  #suits({ protocolType, protocols }: JoinRequest): boolean {
    if (this.#members.size === 0) return protocolType !== '' && protocols.length > 0
    return (
      protocolType === this.#protocolType &&
      protocols.some(({ name }) => this.#supporters.get(name) === this.#members.size)
    )
  }

  #joinAsStranger(request: JoinRequest, parked: Parked<JoinAnswer>): void {
    const { groupInstanceId } = request
    const memberId = `${groupInstanceId ?? request.clientId}-${this.#host.uniqueId()}`
    if (groupInstanceId !== null) {
      const before = this.#memberIdOfInstance.get(groupInstanceId)
      if (before === undefined) this.#joinAsNewMember(memberId, request, parked)
      else this.#replaceStaticMember(this.#member(before), memberId, request, parked)
    } else if (request.requiresKnownMemberId) {
      const timer = new SessionTimer(this.#host, () => {
        this.#pending.delete(memberId)
        this.#completeJoinIfAllAreThere()
      })
      timer.renew(request.sessionTimeoutMs)
      this.#pending.set(memberId, timer)
      parked.answer(failedJoin(memberId, 'MEMBER_ID_REQUIRED'))
    } else {
      this.#joinAsNewMember(memberId, request, parked)
    }
  }

  #joinAsNewMember(memberId: string, request: JoinRequest, parked: Parked<JoinAnswer>): void {
    const member = this.#add({ ...request, memberId }, request.protocols, request.protocolType)
    member.isNew = true
    member.canComeBack = this.#pending.has(memberId) || request.groupInstanceId !== null
    this.#forgetPending(memberId)
    member.join = parked
    member.session.renew(NEW_MEMBER_JOIN_TIMEOUT_MS)
    this.#hasNewcomer = true
    this.rebalance(`member ${memberId} joins`)
  }

  #joinAgain(member: ClassicMember, request: JoinRequest, parked: Parked<JoinAnswer>): void {
    const isUnchanged = member.wants(request.protocols)
    const mustRebalance =
      this.#state === 'PreparingRebalance' ||
      !isUnchanged ||
      (this.#state === 'Stable' && member.memberId === this.#leaderId)
    if (mustRebalance) {
      this.#update(member, request, parked)
      this.rebalance(`member ${member.memberId} joins again`)
    } else {
      // Its answer was lost, or it wants to know where it stands.
      const isLeader = member.memberId === this.#leaderId
      if (this.#state === 'Stable') this.#renew(member)
      parked.answer(this.#joinAnswer(member, isLeader, false))
    }
  }

  /** Someone comes back under its instance id: it takes the place of the one it was, with its assignment. */
  #replaceStaticMember(
    member: ClassicMember,
    memberId: string,
    request: JoinRequest,
    parked: Parked<JoinAnswer>,
  ): void {
    const leaderBefore = this.#leaderId
    const idBefore = member.memberId
    const { protocols, sessionTimeoutMs, rebalanceTimeoutMs } = member
    this.#rename(member, memberId)
    this.#update(member, request, parked)
    if (this.#state === 'CompletingRebalance') {
      // The leader may be assigning to the old id just now.
      this.#prepareRebalance(`static member ${request.groupInstanceId} joins as ${memberId}`)
      return
    }
    if (this.#state !== 'Stable') return
    if (this.#elect() !== this.#protocolName) {
      this.rebalance(`static member ${request.groupInstanceId} joins with another protocol`)
      return
    }
    this.#renew(member)
    this.#host.persist(this.groupId, this.stored(), (isWritten) => {
      // Meanwhile it may have gone or come back once more, or a rebalance has begun that it takes part in.
      if (member.join !== parked || this.#state !== 'Stable') return
      member.join = null
      if (!isWritten) {
        this.#setProtocols(member, protocols)
        Object.assign(member, { sessionTimeoutMs, rebalanceTimeoutMs })
        this.#rename(member, idBefore)
        parked.answer(failedJoin('', 'COORDINATOR_NOT_AVAILABLE'))
        return
      }
      // An older client that finds itself the leader would assign, and nobody would take notice: it is told of the leader
      // that was, and takes itself for one of the others.
      const isLeader = memberId === this.#leaderId
      const { supportsSkippingAssignment: canSkip } = request
      this.#renew(member)
      parked.answer({
        ...this.#joinAnswer(member, canSkip && isLeader, canSkip && isLeader),
        leaderId: (canSkip ? this.#leaderId : leaderBefore) ?? '',
      })
    })
  }

  #cancelJoin(parked: Parked<JoinAnswer>): void {
    for (const member of this.#members.values()) {
      if (member.join !== parked) continue
      member.join = null
      // Whoever does not know its id yet cannot come back with it.
      if (member.isNew && !member.canComeBack) this.#expel(member, 'its connection is closed')
      else this.#renew(member)
      return
    }
  }

  #add(
    identity: Omit<StoredMember, 'subscription' | 'assignment'>,
    protocols: readonly Protocol[],
    protocolType: string | null,
  ): ClassicMember {
    if (this.#members.size === 0 && protocolType !== null) this.#protocolType = protocolType
    const member: ClassicMember = new ClassicMember(
      identity,
      protocols,
      new SessionTimer(this.#host, () => this.#sessionExpired(member)),
    )
    this.#members.set(member.memberId, member)
    if (member.groupInstanceId !== null) this.#memberIdOfInstance.set(member.groupInstanceId, member.memberId)
    this.#countSupporters(protocols, 1)
    this.#leaderId ??= member.memberId
    return member
  }

  #update(member: ClassicMember, request: JoinRequest, parked: Parked<JoinAnswer>): void {
    this.#setProtocols(member, request.protocols)
    member.clientId = request.clientId
    member.clientHost = request.clientHost
    member.sessionTimeoutMs = request.sessionTimeoutMs
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    member.join?.answer(failedJoin(member.memberId, 'REBALANCE_IN_PROGRESS'))
    member.join = parked
  }

  #rename(member: ClassicMember, memberId: string): void {
    const before = member.memberId
    member.join?.answer(failedJoin(before, 'FENCED_INSTANCE_ID'))
    member.join = null
    member.sync?.answer(failedSync('FENCED_INSTANCE_ID'))
    member.sync = null
    this.#members.delete(before)
    this.#synced(before)
    member.memberId = memberId
    this.#members.set(memberId, member)
    if (member.groupInstanceId !== null) this.#memberIdOfInstance.set(member.groupInstanceId, memberId)
    if (this.#leaderId === before) this.#leaderId = memberId
  }

  // ---- Rebalances ----

  /** Members are to join again, unless they are about to. */
  rebalance(reason: string): void {
    if (this.#state !== 'PreparingRebalance' && this.#state !== 'Dead') this.#prepareRebalance(reason)
  }

  #prepareRebalance(reason: string): void {
    const isFirst = this.#state === 'Empty'
    const loseAssignment = this.#state === 'CompletingRebalance'
    this.#pendingSync.clear()
    this.#enter('PreparingRebalance')
    if (loseAssignment) this.#answerSyncs('REBALANCE_IN_PROGRESS')
    this.#host.info(`group ${this.groupId} rebalances in generation ${this.#generationId}: ${reason}`)
    if (isFirst) {
      const delayMs = this.#host.initialRebalanceDelayMs
      this.#hasNewcomer = false
      this.#gather(delayMs, Math.max(this.#rebalanceTimeoutMs - delayMs, 0))
    } else {
      this.#waitForAll()
    }
  }

  /** Members of a new application start one after the other: each that comes gives the others the delay again. */
  #gather(delayMs: number, remainingMs: number): void {
    this.#startPhase(delayMs, () => {
      if (!this.#hasNewcomer || remainingMs === 0) return this.#completeJoin()
      this.#hasNewcomer = false
      const nextMs = Math.min(this.#host.initialRebalanceDelayMs, remainingMs)
      this.#gather(nextMs, Math.max(remainingMs - nextMs, 0))
    })
  }

  #waitForAll(): void {
    this.#startPhase(this.#rebalanceTimeoutMs, () => this.#completeJoin())
    this.#completeJoinIfAllAreThere()
  }

  #completeJoinIfAllAreThere(): void {
    if (this.#state !== 'PreparingRebalance' || this.#pending.size > 0) return
    // A group that begins waits for its delay, whoever is there.
    if (this.#stateBefore === 'Empty' && this.#members.size > 0) return
    for (const member of this.#members.values()) if (member.join === null) return
    this.#completeJoin()
  }

  #completeJoin(): void {
    this.#phaseTimer?.cancel()
    this.#phaseTimer = null
    for (const member of [...this.#members.values()]) {
      // A static member keeps its place until its session ends.
      if (member.join === null && member.groupInstanceId === null) this.#drop(member.memberId, 'UNKNOWN_MEMBER_ID')
    }
    if (this.#members.size === 0) return this.#becomeEmpty()
    if (!this.#ensureLeaderIsThere()) {
      this.#stateBefore = 'PreparingRebalance'
      this.#startPhase(this.#rebalanceTimeoutMs, () => this.#completeJoin())
      return
    }
    this.#generationId++
    this.#protocolName = this.#elect()
    this.#subscribedTopics = this.#computeSubscribedTopics()
    this.#enter('CompletingRebalance')
    this.#host.info(
      `group ${this.groupId} is in generation ${this.#generationId} with ${this.#members.size} members by ${this.#protocolName}`,
    )
    // An answer can bring the next request at once: everything is in its place before the first is given.
    const answers: (() => void)[] = []
    for (const member of this.#members.values()) {
      this.#pendingSync.add(member.memberId)
      member.isNew = false
      const { join } = member
      member.join = null
      this.#renew(member)
      if (join === null) continue
      const isLeader = member.memberId === this.#leaderId
      const answer = this.#joinAnswer(member, isLeader, false)
      answers.push(() => join.answer(answer))
    }
    this.#waitForSync()
    for (const answer of answers) answer()
  }

  #becomeEmpty(): void {
    this.#generationId++
    this.#protocolName = null
    this.#leaderId = null
    this.#subscribedTopics = this.#computeSubscribedTopics()
    this.#enter('Empty')
    this.#host.info(`group ${this.groupId} is empty in generation ${this.#generationId}`)
    this.#host.persist(this.groupId, this.stored(), () => {})
  }

  /** Whoever waits can lead; one who is only expected back cannot. */
  #ensureLeaderIsThere(): boolean {
    const leader = this.#leaderId === null ? undefined : this.#members.get(this.#leaderId)
    if (leader?.join != null) return true
    for (const member of this.#members.values()) {
      if (member.join === null) continue
      this.#leaderId = member.memberId
      return true
    }
    return false
  }

  /** The protocol that all can do and most like best; among equals, whichever the first of them named. */
  #elect(): string {
    const isCommon = ({ name }: Protocol) => this.#supporters.get(name) === this.#members.size
    const votes = [...this.#members.values()].flatMap(({ protocols }) => protocols.find(isCommon)?.name ?? [])
    return mostVoted(votes) ?? ''
  }

  #assign(assignments: SyncRequest['assignments']): void {
    const generationId = this.#generationId
    const byMember = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]))
    this.#host.persist(this.groupId, this.stored(byMember), (isWritten) => {
      // Someone may have come or gone while it was written.
      if (this.#state !== 'CompletingRebalance' || generationId !== this.#generationId) return
      if (!isWritten) {
        this.#answerSyncs('COORDINATOR_NOT_AVAILABLE')
        this.rebalance('its assignment could not be written')
        return
      }
      this.#enter('Stable')
      for (const member of this.#members.values()) member.assignment = byMember.get(member.memberId) ?? NO_BYTES
      for (const member of [...this.#members.values()]) this.#answerSync(member, this.#syncAnswer(member))
    })
  }

  /** Those who joined and never ask for their assignment are not there. */
  #waitForSync(): void {
    this.#startPhase(this.#rebalanceTimeoutMs, () => {
      if (this.#state !== 'CompletingRebalance' && this.#state !== 'Stable') return
      const missing = [...this.#pendingSync]
      for (const memberId of missing) this.#drop(memberId, 'UNKNOWN_MEMBER_ID')
      if (missing.length > 0) this.#prepareRebalance(`${missing.join(', ')} did not sync in time`)
    })
  }

  #synced(memberId: string): void {
    if (!this.#pendingSync.delete(memberId) || this.#pendingSync.size > 0) return
    if (this.#state === 'PreparingRebalance') return
    this.#phaseTimer?.cancel()
    this.#phaseTimer = null
  }

  #answerSyncs(error: ErrorName): void {
    for (const member of this.#members.values()) {
      member.assignment = NO_BYTES
      this.#answerSync(member, failedSync(error))
    }
  }

  #answerSync(member: ClassicMember, answer: SyncAnswer): void {
    const { sync } = member
    if (sync === null) return
    member.sync = null
    // While it waited, its session could end unnoticed.
    this.#renew(member)
    sync.answer(answer)
  }

  #syncRefusal(request: SyncRequest): ErrorName | null {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    const error =
      this.#unknown(request.memberId, request.groupInstanceId) ?? this.#otherGeneration(request.generationId)
    if (error !== null) return error
    if (request.protocolType !== null && request.protocolType !== this.#protocolType)
      return 'INCONSISTENT_GROUP_PROTOCOL'
    if (request.protocolName !== null && request.protocolName !== this.#protocolName)
      return 'INCONSISTENT_GROUP_PROTOCOL'
    if (this.#state === 'Empty') return 'UNKNOWN_MEMBER_ID'
    return this.#state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : null
  }

  // ---- Members ----

  #member(memberId: string): ClassicMember {
    const member = this.#members.get(memberId)
    if (member === undefined) throw new Error(`group ${this.groupId} has no member ${memberId}`)
    return member
  }

  #unknown(memberId: string, groupInstanceId: string | null): ErrorName | null {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    if (groupInstanceId !== null) {
      const known = this.#memberIdOfInstance.get(groupInstanceId)
      if (known === undefined) return 'UNKNOWN_MEMBER_ID'
      if (known !== memberId) return 'FENCED_INSTANCE_ID'
    }
    return this.#members.has(memberId) ? null : 'UNKNOWN_MEMBER_ID'
  }

  #otherGeneration(generationId: number): ErrorName | null {
    return generationId === this.#generationId ? null : 'ILLEGAL_GENERATION'
  }

  #renew(member: ClassicMember): void {
    member.session.renew(member.sessionTimeoutMs)
  }

  #sessionExpired(member: ClassicMember): void {
    // Whoever waits for an answer is there, though it sends nothing: its session goes on with the answer.
    const isWaiting = member.join !== null || member.sync !== null
    if (isWaiting && !member.isNew) return
    this.#expel(member, `the session of ${member.memberId} ended`)
  }

  #expel(member: ClassicMember, reason: string): void {
    this.#drop(member.memberId, 'UNKNOWN_MEMBER_ID')
    if (this.#state === 'Stable' || this.#state === 'CompletingRebalance') this.rebalance(reason)
    else this.#completeJoinIfAllAreThere()
  }

  /** Takes a member out, with an answer for what it waits for. What this means for the others is the caller's. */
  #drop(memberId: string, error: ErrorName): void {
    this.#forgetPending(memberId)
    const member = this.#members.get(memberId)
    if (member === undefined) return
    const { join, sync } = member
    member.join = null
    member.sync = null
    member.session.stop()
    this.#members.delete(memberId)
    this.#pendingSync.delete(memberId)
    if (member.groupInstanceId !== null) this.#memberIdOfInstance.delete(member.groupInstanceId)
    this.#countSupporters(member.protocols, -1)
    if (this.#leaderId === memberId) this.#leaderId = this.#members.keys().next().value ?? null
    join?.answer(failedJoin(error === 'UNKNOWN_MEMBER_ID' ? '' : memberId, error))
    sync?.answer(failedSync(error))
  }

  #forgetPending(memberId: string): void {
    this.#pending.get(memberId)?.stop()
    this.#pending.delete(memberId)
  }

  #setProtocols(member: ClassicMember, protocols: readonly Protocol[]): void {
    this.#countSupporters(member.protocols, -1)
    member.protocols = protocols
    this.#countSupporters(protocols, 1)
  }

  #countSupporters(protocols: readonly Protocol[], by: 1 | -1): void {
    for (const name of new Set(protocols.map((protocol) => protocol.name))) {
      this.#supporters.set(name, (this.#supporters.get(name) ?? 0) + by)
    }
  }

  get #rebalanceTimeoutMs(): number {
    let timeoutMs = 0
    for (const member of this.#members.values()) timeoutMs = Math.max(timeoutMs, member.rebalanceTimeoutMs)
    return timeoutMs
  }

  #computeSubscribedTopics(): ReadonlySet<string> | null {
    if (!this.isOfConsumers) return null
    const topics = new Set<string>()
    for (const member of this.#members.values()) {
      const subscribed = subscribedTopicsOf(member.metadata(this.#protocolName))
      if (subscribed === null) return null
      for (const topic of subscribed) topics.add(topic)
    }
    return topics
  }

  #joinAnswer(member: ClassicMember, withMembers: boolean, skipAssignment: boolean): JoinAnswer {
    return {
      error: null,
      memberId: member.memberId,
      generationId: this.#generationId,
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      leaderId: this.#leaderId ?? '',
      skipAssignment,
      members: withMembers
        ? [...this.#members.values()].map((each) => ({
            memberId: each.memberId,
            groupInstanceId: each.groupInstanceId,
            metadata: each.metadata(this.#protocolName),
          }))
        : [],
    }
  }

  #syncAnswer(member: ClassicMember): SyncAnswer {
    return {
      error: null,
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      assignment: member.assignment,
    }
  }

  #startPhase(delayMs: number, run: () => void): void {
    this.#phaseTimer?.cancel()
    this.#phaseTimer = this.#host.schedule(delayMs, () => {
      this.#phaseTimer = null
      run()
    })
  }

  #enter(state: ClassicGroupState): void {
    this.#stateBefore = this.#state
    this.#state = state
    this.#stateSinceMs = this.#host.nowMs()
    this.#host.changed(this.groupId)
  }
}
