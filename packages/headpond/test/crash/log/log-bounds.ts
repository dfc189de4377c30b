/** What a partition holds after a crash, and what it has to. */

export interface SeenRecord {
  readonly offset: number
  /** `producer:number:padding` */
  readonly value: string
}

export interface LogBounds {
  /** When it happened, by the machine's clock (`performanceNowMs`): what was sent later cannot be there. */
  readonly atMs: number
  /** Whether everything has to be there that was acknowledged by then: always, unless power was lost and nobody synced. */
  readonly isEverythingKept: boolean
}
