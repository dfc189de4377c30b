/** What applications do with ioredis, done with ioredis. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { Redis } from 'ioredis'
import { createServer, type HeadpondServer } from '#src/index.ts'

let server: HeadpondServer
let redis: Redis

before(async () => {
  server = await createServer({ ephemeral: true })
  redis = new Redis(server.urls.redis)
  await once(redis, 'ready')
})

after(async () => {
  redis.disconnect()
  await server.close()
})

test('strings, counters and missing keys', async () => {
  assert.equal(await redis.set('name', 'Ada'), 'OK')
  assert.equal(await redis.get('name'), 'Ada')
  assert.equal(await redis.get('missing'), null)
  assert.equal(await redis.incrby('visits', 5), 5)
  assert.equal(await redis.incrbyfloat('ratio', 0.1), '0.1')
  assert.equal(await redis.set('name', 'Bob', 'NX'), null)
  assert.equal(await redis.set('name', 'Bob', 'EX', 10, 'GET'), 'Ada')
  assert.deepEqual(await redis.mget('name', 'missing', 'visits'), ['Bob', null, '5'])
  await assert.rejects(redis.incr('name'), /value is not an integer or out of range/)
})

test('expiry, by the clock that a test moves', async () => {
  await redis.set('session', 'x', 'PX', 60_000)
  assert.equal(await redis.expire('session', 100), 1)
  assert.ok((await redis.ttl('session')) > 95)
  server.clock.advance('99s')
  assert.equal(await redis.get('session'), 'x')
  server.clock.advance('2s')
  assert.equal(await redis.get('session'), null)
})

test('binary keys and values', async () => {
  const key = Buffer.from([0, 255, 13, 10, 128])
  const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  await redis.set(key, value)
  assert.deepEqual(await redis.getBuffer(key), value)
  assert.equal(await redis.getbit(key, 8 + 7), 1)
})

test('pipelines and automatic pipelining', async () => {
  const results = await redis
    .pipeline()
    .set('p', '1')
    .incr('p')
    .get('p')
    .incr('p', 'too' as never)
    .exec()
  assert.deepEqual(results?.slice(0, 3), [
    [null, 'OK'],
    [null, 2],
    [null, '2'],
  ])
  assert.match(String(results?.[3][0]), /wrong number of arguments for 'incr' command/)
  const automatic = new Redis(server.urls.redis, { enableAutoPipelining: true })
  const values = await Promise.all(Array.from({ length: 1000 }, () => automatic.incr('auto')))
  assert.deepEqual(
    values,
    Array.from({ length: 1000 }, (_, index) => index + 1),
  )
  automatic.disconnect()
})

test('transactions, and WATCH that notices', async () => {
  assert.deepEqual(await redis.multi().set('t', '1').incr('t').exec(), [
    [null, 'OK'],
    [null, 2],
  ])
  const other = redis.duplicate()
  await redis.watch('t')
  await other.set('t', '9')
  assert.equal(await redis.multi().set('t', 'lost').exec(), null)
  assert.equal(await redis.get('t'), '9')
  await assert.rejects(redis.multi().call('NOSUCH').exec(), /EXECABORT|unknown command/)
  other.disconnect()
})

test('publish and subscribe, by channel and by pattern', async () => {
  const subscriber = redis.duplicate()
  const messages: string[][] = []
  subscriber.on('message', (channel, message) => messages.push([channel, message]))
  subscriber.on('pmessage', (pattern, channel, message) => messages.push([pattern, channel, message]))
  assert.equal(await subscriber.subscribe('news'), 1)
  assert.equal(await subscriber.psubscribe('new*'), 2)
  assert.equal(await redis.publish('news', 'one'), 2)
  assert.equal(await redis.publish('newer', 'two'), 1)
  assert.equal(await redis.publish('old', 'three'), 0)
  assert.equal(await subscriber.unsubscribe('news'), 1)
  assert.deepEqual(messages, [
    ['news', 'one'],
    ['new*', 'news', 'one'],
    ['new*', 'newer', 'two'],
  ])
  subscriber.disconnect()
})

test('a scan stream visits every key', async () => {
  await redis.select(3)
  await redis.mset(Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`user:${index}`, 'x'])))
  await redis.set('other', 'x')
  const seen = new Set<string>()
  for await (const keys of redis.scanStream({ match: 'user:*', count: 100 })) for (const key of keys) seen.add(key)
  assert.equal(seen.size, 2000)
  await redis.flushdb()
  assert.equal(await redis.dbsize(), 0)
  await redis.select(0)
})

test('a client comes back when its server does', async () => {
  const first = await createServer({ ephemeral: true })
  const client = new Redis(first.urls.redis, { retryStrategy: () => 20 })
  client.on('error', () => {}) // refused connections while nobody listens
  assert.equal(await client.set('k', 'v'), 'OK')
  const { port } = first
  const gone = once(client, 'close')
  await first.close()
  await gone
  const second = await createServer({ ephemeral: true, port })
  try {
    // Queued until the connection is back.
    assert.equal(await client.get('k'), null)
    assert.equal(await client.set('k', 'again'), 'OK')
  } finally {
    client.disconnect()
    await second.close()
  }
})
