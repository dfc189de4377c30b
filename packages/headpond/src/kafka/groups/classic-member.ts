import type { JoinAnswer, Protocol, SyncAnswer } from './classic-protocol.ts'
import type { SessionTimer } from './session-timer.ts'

/** As it is kept. */
export interface StoredMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly subscription: Uint8Array
  readonly assignment: Uint8Array
}

const NO_BYTES = new Uint8Array(0)

/** A request that has no answer yet. */
export interface Parked<A> {
  answer: (answer: A) => void
}

export class ClassicMember {
  memberId: string
  groupInstanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly Protocol[]
  assignment: Uint8Array = NO_BYTES
  /** Its first join has not been answered. */
  isNew = false
  /** It has an id by which it can be known again. */
  canComeBack = true
  join: Parked<JoinAnswer> | null = null
  sync: Parked<SyncAnswer> | null = null
  readonly session: SessionTimer

  constructor(
    identity: Omit<StoredMember, 'subscription' | 'assignment'>,
    protocols: readonly Protocol[],
    session: SessionTimer,
  ) {
    this.memberId = identity.memberId
    this.groupInstanceId = identity.groupInstanceId
    this.clientId = identity.clientId
    this.clientHost = identity.clientHost
    this.sessionTimeoutMs = identity.sessionTimeoutMs
    this.rebalanceTimeoutMs = identity.rebalanceTimeoutMs
    this.protocols = protocols
    this.session = session
  }

  /** Its metadata for a protocol. */
  metadata(protocolName: string | null): Uint8Array {
    return this.protocols.find(({ name }) => name === protocolName)?.metadata ?? NO_BYTES
  }

  wants(protocols: readonly Protocol[]): boolean {
    return (
      protocols.length === this.protocols.length &&
      protocols.every(({ name, metadata }, i) => {
        const mine = this.protocols[i]
        return mine.name === name && Buffer.compare(mine.metadata, metadata) === 0
      })
    )
  }
}
