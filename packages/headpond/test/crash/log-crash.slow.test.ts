import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseSeed } from '../seeded-random.ts'
import { crashLogsRepeatedly, losePowerOfLogs } from './log/log-crash-run.ts'

// `npm run crash` does the same for longer.

test('a broker whose process is killed has what it acknowledged, at the same offsets, once', {
  timeout: 150_000,
}, async (t) => {
  const seed = chooseSeed()
  t.diagnostic(`SEED=${seed}`)
  const results = await crashLogsRepeatedly({ count: 6, seed, crashesPerDirectory: 3 })
  assert.equal(results.length, 6)
  assert.ok(results.some(({ ackedCount }) => ackedCount > 0))
})

test('whatever a loss of power leaves, it starts, and what flush.messages=1 has synced is there', {
  timeout: 150_000,
}, async (t) => {
  const seed = chooseSeed()
  t.diagnostic(`SEED=${seed}`)
  const { eventCount, stateCount } = await losePowerOfLogs({ seed, loadMs: 800, stateCount: 16 })
  assert.equal(stateCount, 16)
  assert.ok(eventCount > 50, `${eventCount} steps to the disk`)
})
