/**
 * What the brokers of a cluster agree on, so that clients can rely on it (KIP-584): ApiVersions tells them the levels, and
 * administrators change them (`kafka-features`).
 */
export interface Feature {
  readonly name: string
  readonly minLevel: number
  readonly maxLevel: number
}

/**
 * From level 1 on the coordinator writes transactions in a format to which fields can be added; from level 2 on each
 * transaction has an epoch of its own, and partitions belong to it once they are written to (KIP-890).
 */
export const TRANSACTION_VERSION: Feature = { name: 'transaction.version', minLevel: 0, maxLevel: 2 }

export const FEATURES: readonly Feature[] = [TRANSACTION_VERSION]

/** Names and levels that somebody has changed, and how often. */
export interface StoredFeatures {
  readonly epoch: number
  readonly levels: Readonly<Record<string, number>>
}

/** Nobody has changed anything: all that is built is on. */
export const INITIAL_FEATURES: StoredFeatures = { epoch: 0, levels: {} }

export function levelOf({ levels }: StoredFeatures, { name, maxLevel }: Feature): number {
  return Math.min(levels[name] ?? maxLevel, maxLevel)
}
