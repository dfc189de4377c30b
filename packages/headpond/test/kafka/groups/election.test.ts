import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mostVoted } from '#src/kafka/groups/election.ts'

test('most votes win; among equals, whoever was voted for first', () => {
  assert.equal(mostVoted([]), undefined)
  assert.equal(mostVoted(['range', 'uniform', 'uniform']), 'uniform')
  assert.equal(mostVoted(['range', 'uniform', 'uniform', 'range']), 'range')
})
