import type { ConsumerGroupMemberMetadataValue } from '../schemas/group-records.ts'
import { NOTHING_ASSIGNED } from './assignment.ts'
import type { Protocol } from './classic-protocol.ts'
import type { Standing } from './reconciliation.ts'
import type { SessionTimer } from './session-timer.ts'

/** Epochs by which a member says something other than where it is. */
export const JOIN_EPOCH = 0
export const LEAVE_EPOCH = -1
export const STATIC_LEAVE_EPOCH = -2

/** What a member wants and who it is. */
export interface Membership {
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly subscribedTopicNames: readonly string[]
  readonly subscribedTopicRegex: string | null
  readonly rebalanceTimeoutMs: number
  readonly serverAssignor: string | null
  /** Of one who speaks the classic protocol: this group serves it all the same. */
  readonly classic: ClassicMembership | null
}

export interface ClassicMembership {
  readonly sessionTimeoutMs: number
  readonly supportedProtocols: readonly Protocol[]
}

export const NEW_MEMBERSHIP: Membership = {
  instanceId: null,
  rackId: null,
  clientId: '',
  clientHost: '',
  subscribedTopicNames: [],
  subscribedTopicRegex: null,
  rebalanceTimeoutMs: -1,
  serverAssignor: null,
  classic: null,
}

export const NEW_STANDING: Standing = {
  state: 'stable',
  memberEpoch: JOIN_EPOCH,
  previousMemberEpoch: JOIN_EPOCH,
  assigned: NOTHING_ASSIGNED,
  pendingRevocation: NOTHING_ASSIGNED,
}

export class ConsumerMember {
  readonly memberId: string
  membership: Membership
  standing: Standing = NEW_STANDING
  readonly session: SessionTimer
  /** The topics that its regular expression finds, where not everybody may see all of them; null: whatever matches. */
  visibleTopics: ReadonlySet<string> | null = null
  /** Runs while it has not let go of what it must. */
  revocation: { cancel(): void } | null = null
  /** Of one who speaks the classic protocol: runs from when it is told to join again until it does. */
  joinDeadline: { cancel(): void } | null = null
  /** From when it joins until it asks what it is to read. */
  syncDeadline: { cancel(): void } | null = null

  constructor(memberId: string, membership: Membership, session: SessionTimer) {
    this.memberId = memberId
    this.membership = membership
    this.session = session
  }
}

/** As the log has it. */
export function memberValue({ classic, ...membership }: Membership): ConsumerGroupMemberMetadataValue {
  return {
    ...membership,
    subscribedTopicNames: [...membership.subscribedTopicNames],
    classicMemberMetadata: classic && {
      sessionTimeoutMs: classic.sessionTimeoutMs,
      supportedProtocols: classic.supportedProtocols.map(({ name, metadata }) => ({
        name,
        metadata: Buffer.from(metadata),
      })),
    },
  }
}
