import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Assignment, assignmentOf } from '#src/kafka/groups/assignment.ts'
import { type AssignorInput, rangeAssignor, uniformAssignor } from '#src/kafka/groups/assignors.ts'

const TOPICS = ['t0', 't1', 't2', 't3']

const inputs = fc
  .record({
    subscriptions: fc.array(fc.subarray(TOPICS), { minLength: 1, maxLength: 8 }),
    counts: fc.array(fc.nat(12), { minLength: TOPICS.length, maxLength: TOPICS.length }),
    statics: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
  })
  .map(
    ({ subscriptions, counts, statics }): AssignorInput => ({
      members: subscriptions.map((topics, index) => ({
        memberId: `m${index}`,
        instanceId: statics[index] ? `i${index}` : null,
        topicIds: new Set(topics),
      })),
      partitionCounts: new Map(TOPICS.map((topic, index) => [topic, counts[index]])),
      current: new Map(),
    }),
  )

function sizeOf(assignment: Assignment): number {
  let size = 0
  for (const partitions of assignment.values()) size += partitions.size
  return size
}

/** Every partition that somebody wants has one reader, who wants it. */
function assertComplete({ members, partitionCounts }: AssignorInput, assigned: ReadonlyMap<string, Assignment>): void {
  const readers = new Map<string, string>()
  for (const [memberId, topics] of assigned) {
    const member = members.find((each) => each.memberId === memberId)
    assert.ok(member !== undefined)
    for (const [topicId, partitions] of topics) {
      assert.ok(member.topicIds.has(topicId))
      for (const partition of partitions) {
        assert.ok(partition < partitionCounts.get(topicId)!)
        assert.equal(readers.get(`${topicId}/${partition}`), undefined)
        readers.set(`${topicId}/${partition}`, memberId)
      }
    }
  }
  for (const [topicId, partitionCount] of partitionCounts) {
    const isWanted = members.some(({ topicIds }) => topicIds.has(topicId))
    for (let partition = 0; partition < partitionCount; partition++) {
      assert.equal(readers.has(`${topicId}/${partition}`), isWanted)
    }
  }
}

for (const [name, assignor] of Object.entries({ uniform: uniformAssignor, range: rangeAssignor })) {
  test(`${name}: every partition that is wanted has one reader, the same for the same question`, () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const assigned = assignor(input)
        assertComplete(input, assigned)
        const reversed = { ...input, members: input.members.toReversed() }
        assert.deepEqual(new Map([...assignor(reversed)].sort()), new Map([...assigned].sort()))
      }),
    )
  })
}

test('uniform: no partition could move to make it more even', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const assigned = uniformAssignor(input)
      for (const [memberId, topics] of assigned) {
        for (const topicId of topics.keys()) {
          for (const other of input.members) {
            if (other.memberId === memberId || !other.topicIds.has(topicId)) continue
            assert.ok(sizeOf(topics) - sizeOf(assigned.get(other.memberId)!) < 2)
          }
        }
      }
    }),
  )
})

test('uniform: nothing moves that need not, as members come and go', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 0, max: 40 }), (memberCount, partitionCount) => {
      const members = Array.from({ length: memberCount + 1 }, (_, index) => ({
        memberId: `m${index}`,
        instanceId: null,
        topicIds: new Set(['t']),
      }))
      const partitionCounts = new Map([['t', partitionCount]])
      const moved = (before: ReadonlyMap<string, Assignment>, after: ReadonlyMap<string, Assignment>) => {
        let count = 0
        for (const [memberId, topics] of after) {
          for (const partition of topics.get('t') ?? []) if (!before.get(memberId)?.get('t')?.has(partition)) count++
        }
        return count
      }
      const few = uniformAssignor({ members: members.slice(0, -1), partitionCounts, current: new Map() })
      const more = uniformAssignor({ members, partitionCounts, current: few })
      const newcomer = more.get(`m${memberCount}`)!
      assert.equal(moved(few, more), sizeOf(newcomer), 'only what the newcomer gets')
      const fewer = uniformAssignor({ members: members.slice(0, -1), partitionCounts, current: more })
      assert.equal(moved(more, fewer), sizeOf(newcomer), 'only what it had')
    }),
  )
})

test('range: neighbours stay together, and the same numbers of two topics are read by one', () => {
  const members = ['b', 'a', 'c'].map((memberId) => ({ memberId, instanceId: null, topicIds: new Set(['t', 'u']) }))
  const partitionCounts = new Map([
    ['t', 7],
    ['u', 7],
  ])
  const assigned = rangeAssignor({ members, partitionCounts, current: new Map() })
  const expected = (partitions: number[]) => assignmentOf(['t', 'u'].map((topicId) => ({ topicId, partitions })))
  assert.deepEqual(assigned.get('a'), expected([0, 1, 2]))
  assert.deepEqual(assigned.get('b'), expected([3, 4]))
  assert.deepEqual(assigned.get('c'), expected([5, 6]))
})
