import type { ConsumerGroup } from '../store/consumer-group.ts'
import type { StreamId } from '../store/stream-id.ts'
import type { Client } from './client.ts'

/**
 * How reads and claims of consumer groups are propagated: as what they did to the group. Names have a character for each
 * byte.
 */

/** The pending entry that `group.pending` is at, as it is now. */
export function propagateClaim(
  client: Client,
  key: Uint8Array,
  groupName: Uint8Array,
  group: ConsumerGroup,
  id: StreamId,
): void {
  if (!client.engine.propagates) return
  client.propagateAs(
    'XCLAIM',
    key,
    groupName,
    Buffer.from(group.owner?.name ?? '', 'latin1'),
    0,
    id.toString(),
    'TIME',
    group.deliveredAtMs,
    'RETRYCOUNT',
    group.deliveryCount,
    'FORCE',
    'JUSTID',
    'LASTID',
    group.lastId.toString(),
  )
}

/** How far the group has read. */
export function propagateGroupId(client: Client, key: Uint8Array, groupName: Uint8Array, group: ConsumerGroup): void {
  if (!client.engine.propagates) return
  client.propagateAs('XGROUP', 'SETID', key, groupName, group.lastId.toString(), 'ENTRIESREAD', group.entriesRead)
}

export function propagateConsumer(client: Client, key: Uint8Array, groupName: Uint8Array, consumerName: string): void {
  if (!client.engine.propagates) return
  client.propagateAs('XGROUP', 'CREATECONSUMER', key, groupName, Buffer.from(consumerName, 'latin1'))
}
