/** rate-limiter-flexible: windows counted by a script, blocks, bursts, several limits at once. */
import assert from 'node:assert/strict'
import {
  BurstyRateLimiter,
  RateLimiterRedis,
  RateLimiterRedisNonAtomic,
  RateLimiterRes,
  RateLimiterUnion,
  RLWrapperBlackAndWhite,
} from 'rate-limiter-flexible'
import { createClient } from 'redis'
import { connect, type Place, testOnBoth } from './both-servers.ts'

/** The limiters that a server's clients of both kinds make. */
async function limiters(place: Place) {
  const nodeRedis = createClient({ url: place.url })
  await nodeRedis.connect()
  place.after(() => nodeRedis.destroy())
  return [
    { client: 'ioredis', storeClient: connect(place), useRedisPackage: false },
    { client: 'node-redis', storeClient: nodeRedis, useRedisPackage: true },
  ]
}

async function refused(work: Promise<unknown>): Promise<RateLimiterRes> {
  try {
    await work
  } catch (error) {
    if (error instanceof RateLimiterRes) return error
    throw error
  }
  assert.fail('not limited')
}

testOnBoth('rate-limiter-flexible: points of a window', async (place) => {
  for (const { client, ...options } of await limiters(place)) {
    const limiter = new RateLimiterRedis({ ...options, keyPrefix: client, points: 3, duration: 60 })
    assert.equal(await limiter.get('ada'), null)
    const first = await limiter.consume('ada')
    assert.equal(first.remainingPoints, 2)
    assert.equal(first.isFirstInDuration, true)
    assert.ok(first.msBeforeNext > 0 && first.msBeforeNext <= 60_000)
    assert.equal((await limiter.consume('ada', 2)).remainingPoints, 0)
    const over = await refused(limiter.consume('ada'))
    assert.deepEqual([over.consumedPoints, over.remainingPoints], [4, 0])
    assert.equal((await limiter.consume('bob')).remainingPoints, 2)

    assert.equal((await limiter.reward('ada', 3)).consumedPoints, 1)
    assert.equal((await limiter.penalty('ada')).consumedPoints, 2)
    assert.equal((await limiter.get('ada'))?.consumedPoints, 2)
    assert.equal(await limiter.delete('ada'), true)
    assert.equal((await limiter.consume('ada')).remainingPoints, 2)

    await limiter.set('ada', 10, 30)
    assert.equal((await refused(limiter.consume('ada'))).consumedPoints, 11)
    const blocked = await limiter.block('eve', 3600)
    assert.ok(blocked.msBeforeNext > 3_590_000)
    assert.ok((await refused(limiter.consume('eve'))).msBeforeNext > 3_590_000)
  }
})

testOnBoth('rate-limiter-flexible: many at once get what there is and no more', async (place) => {
  for (const { client, ...options } of await limiters(place)) {
    const limiter = new RateLimiterRedis({
      ...options,
      keyPrefix: client,
      points: 50,
      duration: 60,
      blockDuration: 600,
    })
    const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => limiter.consume('crowd')))
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 50)
    const blocked = await limiter.get('crowd')
    assert.ok(blocked && blocked.msBeforeNext > 590_000)
  }
})

testOnBoth('rate-limiter-flexible: a script of its own, bursts, unions, lists', async (place) => {
  for (const { client, ...options } of await limiters(place)) {
    const make = (keyPrefix: string, points: number, duration: number) =>
      new RateLimiterRedis({ ...options, keyPrefix: `${client}:${keyPrefix}`, points, duration })

    const bursty = new BurstyRateLimiter(make('base', 1, 60), make('burst', 2, 600))
    for (let n = 0; n < 3; n++) await bursty.consume('ada')
    await refused(bursty.consume('ada'))

    const union = new RateLimiterUnion(make('minute', 2, 60), make('hour', 3, 3600))
    const both = await union.consume('ada', 2)
    assert.deepEqual(
      Object.values(both).map(({ remainingPoints }) => remainingPoints),
      [0, 1],
    )
    await assert.rejects(union.consume('ada'))

    const listed = new RLWrapperBlackAndWhite({
      limiter: make('listed', 1, 60),
      whiteList: ['vip'],
      blackList: ['eve'],
    })
    for (let n = 0; n < 3; n++) await listed.consume('vip')
    await refused(listed.consume('eve'))

    const own = new RateLimiterRedis({
      ...options,
      keyPrefix: `${client}:own`,
      points: 100,
      duration: 60,
      customIncrTtlLuaScript: `
        local consumed = redis.call('incrby', KEYS[1], ARGV[1] * 10)
        if redis.call('pttl', KEYS[1]) < 0 then redis.call('pexpire', KEYS[1], ARGV[2] * 1000) end
        return {consumed, redis.call('pttl', KEYS[1])}`,
    })
    assert.equal((await own.consume('ada', 3)).consumedPoints, 30)

    const plain = new RateLimiterRedisNonAtomic({ ...options, keyPrefix: `${client}:plain`, points: 2, duration: 60 })
    assert.equal((await plain.consume('ada')).remainingPoints, 1)
    assert.equal((await plain.consume('ada')).remainingPoints, 0)
    await refused(plain.consume('ada'))
  }
})

testOnBoth('rate-limiter-flexible: a new window begins when the old one is over', async (place) => {
  const { headpond } = place
  for (const { client, ...options } of await limiters(place)) {
    const limiter = new RateLimiterRedis({ ...options, keyPrefix: client, points: 1, duration: 60 })
    await limiter.consume('ada')
    await refused(limiter.consume('ada'))
    // The original's clock is the machine's.
    if (headpond) headpond.clock.advance('61s')
    else await connect(place).pexpire(limiter.getKey('ada'), 0)
    assert.equal((await limiter.consume('ada')).isFirstInDuration, true)
  }
})
