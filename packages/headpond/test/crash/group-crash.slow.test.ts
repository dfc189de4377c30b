import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseSeed } from '../seeded-random.ts'
import { crashGroupsRepeatedly } from './groups/group-crash-run.ts'

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
