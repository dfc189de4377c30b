import type { ErrorName } from '../errors.ts'

/** What members of the classic protocol say to their coordinator, and what it says to them. */

/** Something that a member can do, and its metadata for it, which only the members understand. */
export interface Protocol {
  readonly name: string
  readonly metadata: Uint8Array
}

export interface JoinRequest {
  /** Empty for one who has no id yet. */
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly Protocol[]
  /** Whoever has no id is given one and must come again with it: so requests that are repeated leave no members behind. */
  readonly requiresKnownMemberId: boolean
  /** The client understands that it is the leader and yet has nothing to assign. */
  readonly supportsSkippingAssignment: boolean
}

export interface JoinAnswer {
  readonly error: ErrorName | null
  readonly memberId: string
  /** -1 with an error. */
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leaderId: string
  readonly skipAssignment: boolean
  /** For the leader: everybody, with the metadata of the chosen protocol. Empty for the others. */
  readonly members: readonly { memberId: string; groupInstanceId: string | null; metadata: Uint8Array }[]
}

export interface SyncRequest {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly generationId: number
  /** Null in versions that do not say them. */
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignments: readonly { memberId: string; assignment: Uint8Array }[]
}

export interface SyncAnswer {
  readonly error: ErrorName | null
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Uint8Array
}

/** A request that has no answer yet. */
export interface Waiting {
  /** Its client is gone. */
  cancel(): void
}

export const NOTHING_WAITS: Waiting = { cancel() {} }

const NO_BYTES = new Uint8Array(0)

export function failedJoin(memberId: string, error: ErrorName): JoinAnswer {
  return {
    error,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leaderId: '',
    skipAssignment: false,
    members: [],
  }
}

export function failedSync(error: ErrorName): SyncAnswer {
  return { error, protocolType: null, protocolName: null, assignment: NO_BYTES }
}
