/** What a crash leaves, redis-server reads as Headpond does. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crashRepeatedly, readAll } from 'headpond/test/crash/crash-run.ts'
import { chooseSeed } from 'headpond/test/seeded-random.ts'
import { RedisServer } from './redis-server.ts'

const CRASHES = 12

test('killed at any moment, a server leaves files that both servers read alike', { timeout: 170_000 }, async (t) => {
  const seed = chooseSeed()
  t.diagnostic(`SEED=${seed}`)
  const results = await crashRepeatedly({
    count: CRASHES,
    seed,
    crashesPerDirectory: 4,
    async readElsewhere(directory) {
      const redis = await RedisServer.start('--dir', directory, '--appendonly', 'yes')
      try {
        return await readAll(redis.port)
      } finally {
        await redis.stop()
      }
    },
  })
  assert.equal(results.length, CRASHES)
})
