import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assignmentOf, NOTHING_ASSIGNED } from '#src/kafka/groups/assignment.ts'
import { PartitionHolders } from '#src/kafka/groups/partition-holders.ts'
import type { Standing } from '#src/kafka/groups/reconciliation.ts'

const NOTHING: Standing = {
  state: 'stable',
  memberEpoch: 1,
  previousMemberEpoch: 1,
  assigned: NOTHING_ASSIGNED,
  pendingRevocation: NOTHING_ASSIGNED,
}

function having(assigned: readonly number[], pendingRevocation: readonly number[] = []): Standing {
  const of = (partitions: readonly number[]) => assignmentOf([{ topicId: 'orders', partitions }])
  return { ...NOTHING, assigned: of(assigned), pendingRevocation: of(pendingRevocation) }
}

test('a partition is held until its member has let go of it', () => {
  const holders = new PartitionHolders()
  const held = () => [0, 1, 2].filter((partition) => holders.isHeld('orders', partition))
  assert.deepEqual(held(), [])
  holders.change('one', NOTHING, having([0, 1]))
  assert.deepEqual(held(), [0, 1])
  holders.change('one', having([0, 1]), having([0], [1]))
  assert.deepEqual(held(), [0, 1], 'it may still be reading what it is to let go of')
  holders.change('one', having([0], [1]), having([0]))
  assert.deepEqual(held(), [0])
  assert.ok(!holders.isHeld('other', 0))
})

test('what somebody else holds by now stays theirs when a member goes', () => {
  const holders = new PartitionHolders()
  holders.change('one', NOTHING, having([0, 1]))
  // A static member that is back under another id takes over.
  holders.change('two', NOTHING, having([1]))
  holders.change('one', having([0, 1]), NOTHING)
  assert.deepEqual([holders.isHeld('orders', 0), holders.isHeld('orders', 1)], [false, true])
})
