import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseSeed } from '../seeded-random.ts'
import { crashTransactionsRepeatedly } from './transactions/transaction-crash-run.ts'

// `npm run crash -- --only transactions` does the same for longer.

test('exactly once, whoever is killed meanwhile', { timeout: 170_000 }, async (t) => {
  const seed = chooseSeed()
  t.diagnostic(`SEED=${seed}`)
  const results = await crashTransactionsRepeatedly({ count: 2, seed })
  assert.equal(results.length, 2)
  for (const { recordCount } of results) assert.ok(recordCount > 500)
})
