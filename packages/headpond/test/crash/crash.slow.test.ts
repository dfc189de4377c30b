import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseSeed } from '../seeded-random.ts'
import { crashRepeatedly } from './crash-run.ts'
import { losePower } from './power-loss.ts'

// `npm run crash` does the same for longer.

test('a server whose process is killed has everything that it acknowledged', { timeout: 150_000 }, async (t) => {
  const seed = chooseSeed()
  t.diagnostic(`SEED=${seed}`)
  const results = await crashRepeatedly({ count: 5, seed, crashesPerDirectory: 3 })
  assert.equal(results.length, 5)
  assert.ok(results.some(({ ackedCount }) => ackedCount > 0))
  // What is acknowledged has been written: only a loss of power can take it.
  for (const { policy, lostCount } of results) if (policy === 'always') assert.equal(lostCount, 0)
})

for (const policy of ['always', 'everysec', 'no'] as const) {
  const promise = {
    always: 'everything acknowledged is',
    everysec: 'all but two seconds is',
    no: 'what is, is in order',
  }
  test(`whatever a loss of power leaves, it starts, and ${promise[policy]} there: ${policy}`, {
    timeout: 150_000,
  }, async (t) => {
    const seed = chooseSeed()
    t.diagnostic(`SEED=${seed}`)
    const loadMs = policy === 'everysec' ? 2500 : 800
    const { eventCount, results } = await losePower({ policy, seed, loadMs, stateCount: 16 })
    assert.equal(results.length, 16)
    assert.ok(eventCount > 20, `${eventCount} steps to the disk`)
    if (policy === 'always') assert.deepEqual(new Set(results.map(({ lostCount }) => lostCount)), new Set([0]))
  })
}
