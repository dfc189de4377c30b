import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseSeed } from '../seeded-random.ts'
import { crashGroupsRepeatedly } from './groups/group-crash-run.ts'
import { losePowerOfGroups } from './groups/group-power-loss.ts'

// `npm run crash -- --only groups` does the same for longer.

test('an offset that was acknowledged is there after the broker was killed, or a later one', {
  timeout: 150_000,
}, async (t) => {
  const seed = chooseSeed()
  t.diagnostic(`SEED=${seed}`)
  const results = await crashGroupsRepeatedly({ count: 6, seed, crashesPerDirectory: 3 })
  assert.equal(results.length, 6)
  assert.ok(results.some(({ ackedCount }) => ackedCount > 0))
})

for (const [isSynced, holds] of [
  [true, 'what was acknowledged, when each batch is synced'],
  [false, 'what it once held, when nothing is synced'],
] as const) {
  test(`whatever a loss of power leaves, each group holds ${holds}`, { timeout: 150_000 }, async (t) => {
    const seed = chooseSeed()
    t.diagnostic(`SEED=${seed}`)
    const run = await losePowerOfGroups({ seed, loadMs: 800, stateCount: 6, isSynced })
    assert.equal(run.stateCount, 6)
    assert.ok(run.ackedCount > 0)
    assert.ok(run.eventCount > 20, `${run.eventCount} steps to the disk`)
  })
}
