import type { LogSettings } from './log-settings.ts'
import type { PartitionLog } from './partition-log.ts'

/** A topic as the catalog knows it. Its arrays and maps are replaced, never changed in place. */
export interface Topic {
  readonly name: string
  /** 16 bytes as unpadded base64url. A topic that is deleted and made again has another one. */
  readonly id: string
  readonly isInternal: boolean
  readonly partitions: readonly PartitionLog[]
  /** What was set for this topic alone. */
  readonly config: ReadonlyMap<string, string>
  /** In force: the broker's with the topic's own on top. The same object for the life of the topic. */
  readonly settings: LogSettings
}
