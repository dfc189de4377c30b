import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inTurns } from '#src/kafka/in-turns.ts'

test('a few items are done at once, many in several turns, others in between', async () => {
  const done: number[] = []
  const few = inTurns([1, 2, 3], (item) => done.push(item))
  assert.deepEqual(done, [1, 2, 3])
  await few
  const items = Array.from({ length: 500 }, (_, index) => index)
  const doneBefore: number[] = []
  const visited: number[] = []
  let isOver = false
  const look = () => {
    if (isOver) return
    doneBefore.push(visited.length)
    setImmediate(look)
  }
  const many = inTurns(items, (item) => visited.push(item))
  assert.ok(visited.length < 100)
  setImmediate(look)
  await many
  isOver = true
  assert.deepEqual(visited, items)
  assert.ok(new Set(doneBefore).size >= 5, `there were only ${doneBefore.length} turns`)
})
