/** Caches of Keyv and cache-manager. */
import assert from 'node:assert/strict'
import KeyvRedis from '@keyv/redis'
import { createCache } from 'cache-manager'
import { Keyv } from 'keyv'
import { connect, type Place, testOnBoth } from './both-servers.ts'

testOnBoth('Keyv: values of any kind, times to live, namespaces', async (place) => {
  const users = await openKeyv(place, 'users')
  const orders = await openKeyv(place, 'orders')
  await users.set('ada', { name: 'Ada', tags: ['x', null], bytes: Buffer.from([0, 255]) })
  await orders.set('ada', 1)
  assert.deepEqual(await users.get('ada'), { name: 'Ada', tags: ['x', null], bytes: Buffer.from([0, 255]) })
  await users.setMany(Array.from({ length: 300 }, (_, n) => ({ key: `user-${n}`, value: n, ttl: 60_000 })))
  assert.deepEqual(await users.get(['user-7', 'user-8', 'nobody']), [7, 8, undefined])

  const found: number[] = []
  for await (const [, value] of users.iterator?.(undefined) ?? []) if (typeof value === 'number') found.push(value)
  assert.equal(new Set(found).size, 300)

  const redis = connect(place)
  const key = (await redis.keys('users*user-7'))[0]
  assert.ok((await redis.pttl(key)) > 50_000)
  if (place.headpond) place.headpond.clock.advance('61s')
  else for (const expiring of await redis.keys('users*user-*')) await redis.pexpire(expiring, 0)
  assert.equal(await users.has('user-7'), false)
  assert.equal(await users.delete('ada'), true)
  assert.equal(await users.delete('ada'), false)
  await users.set('bob', 2)
  await users.clear()
  assert.equal(await users.get('bob'), undefined)
  assert.equal(await orders.get('ada'), 1)
})

testOnBoth('cache-manager: what is asked for at the same time is made once', async (place) => {
  const cache = createCache({ stores: [await openKeyv(place, 'cache')] })
  let made = 0
  const make = () => cache.wrap('report', async () => ({ number: ++made }), { ttl: 60_000 })
  const answers = await Promise.all(Array.from({ length: 10 }, make))
  assert.deepEqual(new Set(answers.map(({ number }) => number)), new Set([1]))
  assert.deepEqual(await cache.get('report'), { number: 1 })
  await cache.mset([
    { key: 'a', value: 1 },
    { key: 'b', value: 2 },
  ])
  assert.deepEqual(await cache.mget(['a', 'b', 'c']), [1, 2, undefined])
  await cache.mdel(['a', 'report'])
  assert.deepEqual(await make(), { number: 2 })
  await cache.clear()
  assert.equal(await cache.get('b'), undefined)
})

async function openKeyv(place: Place, namespace: string): Promise<Keyv> {
  const keyv = new Keyv({ store: new KeyvRedis(place.url), namespace, useKeyPrefix: false })
  place.after(() => keyv.disconnect())
  return keyv
}
