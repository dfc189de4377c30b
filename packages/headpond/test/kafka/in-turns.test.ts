import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inTurns } from '#src/kafka/in-turns.ts'

test('many items are done in order in several turns, others in between', async () => {
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
