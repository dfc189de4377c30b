import type { StoredGeneration } from './classic-group.ts'
import type { CommittedOffsets } from './committed-offsets.ts'
import { ConsumerGroup, type ConsumerGroupHost } from './consumer-group.ts'
import type { GroupRecord } from './records.ts'

/** What a partition of `__consumer_offsets` says of its groups, record by record, in the order of the log. */
export class GroupReplay {
  /** Of the groups of the classic protocol, the last generation of each. */
  readonly generations = new Map<string, StoredGeneration>()
  readonly consumerGroups = new Map<string, ConsumerGroup>()
  /** Of the groups that have committed, those among them that have no offset any more too. */
  readonly groupIdsWithOffsets = new Set<string>()
  readonly #offsets: CommittedOffsets
  readonly #consumerHost: ConsumerGroupHost

  /** @param offsets where committed offsets go at once */
  constructor(offsets: CommittedOffsets, consumerHost: ConsumerGroupHost) {
    this.#offsets = offsets
    this.#consumerHost = consumerHost
  }

  /** @param producerId of the transaction that the record belongs to; null: of none */
  apply(record: GroupRecord, recordOffset: number, producerId: number | null): void {
    if (record.kind === 'offset') {
      const { groupId, topic, partition, value } = record
      if (value !== null) this.groupIdsWithOffsets.add(groupId)
      if (value === null) this.#offsets.delete(groupId, topic, partition)
      else if (producerId === null) this.#offsets.set(groupId, topic, partition, { ...value, recordOffset })
      else this.#offsets.setPending(producerId, groupId, topic, partition, { ...value, recordOffset })
    } else if (record.kind === 'classic') {
      if (record.value === null) this.generations.delete(record.groupId)
      else this.generations.set(record.groupId, record.value)
    } else if (record.kind === 'consumer' && record.value === null) {
      this.consumerGroups.get(record.groupId)?.die()
      this.consumerGroups.delete(record.groupId)
    } else if (record.kind !== 'ignored') {
      const known = this.consumerGroups.get(record.groupId)
      const group = known ?? new ConsumerGroup(record.groupId, this.#consumerHost)
      // Tombstones of a group that is gone have nothing to take away.
      if (record.value !== null || known !== undefined) this.consumerGroups.set(record.groupId, group)
      group.replay(record)
    }
  }
}
