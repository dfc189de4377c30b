/** Caches inside of clients that others wrote, kept true by invalidation messages. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { BasicClientSideCache, createClient } from 'redis'
import { createServer } from '#src/index.ts'

test('node-redis answers from its cache until the key changes', async () => {
  await using server = await createServer()
  const cache = new BasicClientSideCache({ maxEntries: 100 })
  const client = createClient({ url: server.urls.redis, RESP: 3, clientSideCache: cache })
  client.on('error', () => {})
  await client.connect()
  try {
    await server.execute('MSET', 'a', '1', 'b', '2')
    await server.execute('HSET', 'h', 'field', 'value')
    assert.equal(await client.get('a'), '1')
    assert.equal(await client.get('a'), '1')
    assert.deepEqual({ ...(await client.hGetAll('h')) }, { field: 'value' })
    assert.deepEqual({ ...(await client.hGetAll('h')) }, { field: 'value' })
    assert.deepEqual(await client.mGet(['a', 'b']), ['1', '2'])
    assert.equal(cache.stats().hitCount, 2)

    const invalidated = once(cache, 'invalidate')
    await server.execute('SET', 'a', '3')
    await invalidated
    assert.equal(await client.get('a'), '3')
    assert.deepEqual(await client.mGet(['a', 'b']), ['3', '2'])
    assert.equal(cache.stats().hitCount, 2)
    // Its own write, expiry, and everything at once.
    await client.set('a', '4', { expiration: { type: 'EX', value: 60 } })
    assert.equal(await client.get('a'), '4')
    const expired = once(cache, 'invalidate')
    server.clock.advance('61s')
    await expired
    assert.equal(await client.get('a'), null)
    assert.deepEqual({ ...(await client.hGetAll('h')) }, { field: 'value' })
    const emptied = once(cache, 'invalidate')
    await server.execute('FLUSHALL')
    await emptied
    assert.deepEqual({ ...(await client.hGetAll('h')) }, {})
  } finally {
    client.destroy()
  }
})

test('ioredis hears of changes on a second connection', async () => {
  await using server = await createServer()
  const reader = new Redis(server.urls.redis)
  // In RESP2 invalidations are messages of a channel.
  const listener = new Redis(server.urls.redis, { protocol: 2 })
  try {
    const listenerId = await listener.client('ID')
    await listener.subscribe('__redis__:invalidate')
    await reader.client('TRACKING', 'ON', 'REDIRECT', listenerId)
    assert.equal(await reader.get('user:1'), null)
    const message = once(listener, 'message')
    await reader.set('user:1', 'Ada')
    assert.deepEqual((await message).map(String), ['__redis__:invalidate', 'user:1'])
  } finally {
    reader.disconnect()
    listener.disconnect()
  }
})
