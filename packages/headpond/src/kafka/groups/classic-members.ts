import type { ErrorName } from '../errors.ts'
import type { EncodedRecord } from '../internal-topic.ts'
import { type Assignment, assignmentOf } from './assignment.ts'
import {
  failedJoin,
  failedSync,
  type JoinAnswer,
  type JoinRequest,
  type SyncAnswer,
  type SyncRequest,
} from './classic-protocol.ts'
import type { ConsumerMember, Membership } from './consumer-member.ts'
import { decodeSubscription, encodeAssignment, versionOf } from './consumer-protocol.ts'

/** What a group of the new protocol lets be done for its members of the classic one. */
export interface ClassicMembersGroup {
  readonly protocolType: string
  readonly sizeMax: number
  readonly members: ReadonlyMap<string, ConsumerMember>
  groupEpoch(): number
  memberIdOf(instanceId: string | null): string | undefined
  targetOf(memberId: string): Assignment
  /** Whether somebody reads the partition, or has not said that it stopped. */
  isHeld(topicId: string, partition: number): boolean
  topic(name: string): { readonly id: string } | undefined
  topicName(topicId: string): string | undefined
  /** Why there is no such member; null when there is. */
  unknown(memberId: string, instanceId: string | null): ErrorName | null
  memberFor(names: { memberId: string; instanceId: string | null }, records: EncodedRecord[]): ConsumerMember
  /** True when the member wants something else than before, so that the group has another epoch. */
  change(member: ConsumerMember, membership: Membership, records: EncodedRecord[]): boolean
  decide(records: EncodedRecord[]): void
  step(member: ConsumerMember, owned: Assignment, records: EncodedRecord[]): void
  renew(member: ConsumerMember): void
  removeAfter(member: ConsumerMember, delayMs: number, why: string): { cancel(): void }
  write(records: readonly EncodedRecord[]): boolean
  mayDowngrade(): boolean
  downgrade(records: readonly EncodedRecord[], reason: string | null): void
}

/**
 * Members that speak the classic protocol, in a group of the new one: a heartbeat tells them to join again, a join takes the
 * step, a sync tells what it came to.
 */
export class ClassicMembers {
  readonly #group: ClassicMembersGroup

  constructor(group: ClassicMembersGroup) {
    this.#group = group
  }

  /** The answer holds once what was written is safe. `strangerId` is for one who has no id yet. */
  join(request: JoinRequest, strangerId: string): JoinAnswer {
    const { groupInstanceId: instanceId, protocols, sessionTimeoutMs, rebalanceTimeoutMs } = request
    const isStranger = request.memberId === ''
    const memberId = isStranger ? strangerId : request.memberId
    if (this.#group.members.size >= this.#group.sizeMax && !this.#group.members.has(memberId)) {
      return failedJoin('', 'GROUP_MAX_SIZE_REACHED')
    }
    if (!this.#supports(request)) return failedJoin('', 'INCONSISTENT_GROUP_PROTOCOL')
    if (request.requiresKnownMemberId && isStranger && instanceId === null) {
      return failedJoin(memberId, 'MEMBER_ID_REQUIRED')
    }
    const subscription = decodeSubscription(protocols[0].metadata)
    if (subscription === null) return failedJoin('', 'INCONSISTENT_GROUP_PROTOCOL')
    const unknown = isStranger || instanceId === null ? null : this.#group.unknown(memberId, instanceId)
    if (unknown !== null) return failedJoin('', unknown)
    const replaced = this.#group.members.get(this.#group.memberIdOf(instanceId) ?? '')
    const canDowngrade = replaced?.membership.classic === null && isClassicExcept(this.#group.members, replaced)
    const records: EncodedRecord[] = []
    const member = this.#group.memberFor({ memberId, instanceId }, records)
    const isChanged = this.#group.change(
      member,
      {
        ...member.membership,
        rackId: subscription.rackId ?? member.membership.rackId,
        clientId: request.clientId,
        clientHost: request.clientHost,
        rebalanceTimeoutMs,
        subscribedTopicNames: [...new Set(subscription.topics)].sort(),
        classic: { sessionTimeoutMs, supportedProtocols: protocols },
      },
      records,
    )
    const owned = this.#assignmentOfNames(subscription.ownedPartitions)
    const answered = (): JoinAnswer => ({
      error: null,
      memberId,
      generationId: member.standing.memberEpoch,
      protocolType: this.#group.protocolType,
      protocolName: protocols[0].name,
      leaderId: '',
      skipAssignment: false,
      members: [],
    })
    if (canDowngrade && this.#group.mayDowngrade()) {
      if (!isChanged) this.#group.step(member, owned, records)
      const answer = answered()
      this.#group.downgrade(records, isChanged ? `static member ${instanceId} wants something else` : null)
      return answer
    }
    this.#group.decide(records)
    this.#group.step(member, owned, records)
    member.joinDeadline?.cancel()
    member.joinDeadline = null
    member.syncDeadline?.cancel()
    member.syncDeadline = this.#group.removeAfter(member, rebalanceTimeoutMs, 'did not sync in time')
    this.#group.renew(member)
    return this.#group.write(records) ? answered() : failedJoin('', 'COORDINATOR_NOT_AVAILABLE')
  }

  sync(request: SyncRequest): SyncAnswer {
    const { memberId, groupInstanceId, generationId } = request
    const error = this.#refusal(memberId, groupInstanceId, generationId)
    if (error !== null) return failedSync(error)
    const member = this.#group.members.get(memberId)!
    const { classic, rebalanceTimeoutMs } = member.membership
    const [protocol] = classic!.supportedProtocols
    const isOfOther =
      (request.protocolType !== null && request.protocolType !== this.#group.protocolType) ||
      (request.protocolName !== null && request.protocolName !== protocol.name)
    if (isOfOther) return failedSync('INCONSISTENT_GROUP_PROTOCOL')
    const { state, memberEpoch, assigned } = member.standing
    if (this.#group.groupEpoch() > memberEpoch && state !== 'unrevoked') {
      member.joinDeadline ??= this.#group.removeAfter(member, rebalanceTimeoutMs, 'did not join again in time')
      return failedSync('REBALANCE_IN_PROGRESS')
    }
    member.syncDeadline?.cancel()
    member.syncDeadline = null
    this.#group.renew(member)
    return {
      error: null,
      protocolType: request.protocolType,
      protocolName: request.protocolName,
      assignment: encodeAssignment(assigned, this.#group.topicName, versionOf(protocol.metadata)),
    }
  }

  heartbeat(memberId: string, instanceId: string | null, generationId: number): ErrorName | null {
    const error = this.#refusal(memberId, instanceId, generationId)
    if (error !== null) return error
    const member = this.#group.members.get(memberId)!
    this.#group.renew(member)
    const { state, memberEpoch } = member.standing
    // To move on it joins again: to the next epoch, without what it is to let go of, or to what has become free.
    const mustJoin =
      memberEpoch < this.#group.groupEpoch() ||
      state === 'unrevoked' ||
      (state === 'unreleased' && !this.#waits(member))
    if (!mustJoin) return null
    const { rebalanceTimeoutMs } = member.membership
    member.joinDeadline ??= this.#group.removeAfter(member, rebalanceTimeoutMs, 'did not join again in time')
    return 'REBALANCE_IN_PROGRESS'
  }

  #refusal(memberId: string, instanceId: string | null, generationId: number): ErrorName | null {
    const unknown = this.#group.unknown(memberId, instanceId)
    if (unknown !== null) return unknown
    const { membership, standing } = this.#group.members.get(memberId)!
    if (membership.classic === null) return 'UNKNOWN_MEMBER_ID'
    return standing.memberEpoch === generationId ? null : 'ILLEGAL_GENERATION'
  }

  /** Whether all who speak the classic protocol can do one of these. */
  #supports({ protocolType, protocols }: JoinRequest): boolean {
    if (protocolType !== this.#group.protocolType || protocols.length === 0) return false
    const others = [...this.#group.members.values()].flatMap(({ membership }) => membership.classic ?? [])
    return protocols.some(({ name }) =>
      others.every(({ supportedProtocols }) => supportedProtocols.some((protocol) => protocol.name === name)),
    )
  }

  /** It cannot have all that it is to have: others hold it still. */
  #waits({ memberId, standing }: ConsumerMember): boolean {
    for (const [topicId, partitions] of this.#group.targetOf(memberId)) {
      for (const partition of partitions) {
        const isMissing = standing.assigned.get(topicId)?.has(partition) !== true
        if (isMissing && this.#group.isHeld(topicId, partition)) return true
      }
    }
    return false
  }

  #assignmentOfNames(topics: readonly { topic: string; partitions: readonly number[] }[]): Assignment {
    return assignmentOf(
      topics.flatMap(({ topic, partitions }) => {
        const found = this.#group.topic(topic)
        return found === undefined ? [] : [{ topicId: found.id, partitions }]
      }),
    )
  }
}

/** Nobody but this one needs the new protocol; null: nobody at all. */
export function isClassicExcept(members: ReadonlyMap<string, ConsumerMember>, except: ConsumerMember | null): boolean {
  for (const member of members.values()) {
    if (member !== except && member.membership.classic === null) return false
  }
  return true
}
