/** Clients that people use with memcached: memjs (binary protocol, SASL) and memcached (text, and ketama over several). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import Memcached from 'memcached'
import { Client, type ServerOptions } from 'memjs'
import { createServer, type HeadpondServer } from '#src/server/create-server.ts'

type Callback<Result> = (error: unknown, result: Result) => void

/** What a method of `memcached` calls back with. */
function ask<Result>(call: (callback: Callback<Result>) => void): Promise<Result> {
  return new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))))
}

test('memjs: the binary protocol', async (context) => {
  await using server = await createServer()
  const client = Client.create(server.urls.memcached)
  context.after(() => client.close())

  assert.equal(await client.set('greeting', 'hello', { expires: 60 }), true)
  const { value, flags } = await client.get('greeting')
  assert.equal(String(value), 'hello')
  assert.equal(Number(flags?.toString('hex') || 0), 0)
  assert.equal(await server.execute('GET', 'greeting'), 'hello')
  assert.equal(await server.execute('TTL', 'greeting'), 60)
  assert.equal((await client.get('nothing')).value, null)

  assert.equal(await client.add('greeting', 'again', {}), false)
  assert.equal(await client.replace('nothing', 'x', {}), false)
  assert.equal(await client.append('greeting', ' world'), true)
  // Its `prepend` sends the request of `append`.
  assert.equal(await client.prepend('greeting', '!'), true)
  assert.equal(String((await client.get('greeting')).value), 'hello world!')

  assert.deepEqual((await client.increment('count', 5, { initial: 7 })).value, 7)
  assert.deepEqual((await client.increment('count', 5, {})).value, 12)
  assert.deepEqual((await client.decrement('count', 20, {})).value, 0)

  assert.equal(await client.touch('greeting', 500), true)
  assert.equal(await server.execute('TTL', 'greeting'), 500)
  server.clock.advance('501s')
  assert.equal((await client.get('greeting')).value, null)

  const large = Buffer.alloc(900_000, 'abc')
  await client.set('large', large, {})
  assert.deepEqual((await client.get('large')).value, large)
  await assert.rejects(client.set('large', Buffer.alloc(2 ** 20), {}))
  assert.equal((await client.get('large')).value, null)

  assert.equal(await client.delete('count'), true)
  assert.equal(await client.delete('count'), false)
  await client.flush()
  assert.equal(await server.execute('DBSIZE'), 0)
  const statistics = await new Promise<Record<string, string> | null>((resolve, reject) => {
    client.stats((error, _server, stats) => (error ? reject(error) : resolve(stats)))
  })
  assert.equal(statistics?.['version'], '1.6.18')
})

test('memjs: SASL with the password of the server', async (context) => {
  await using server = await createServer({ requirepass: 'secret' })
  const connect = (options: ServerOptions) => {
    const client = Client.create(server.urls.memcached, { ...options, retries: 1 })
    context.after(() => client.close())
    return client
  }
  const friend = connect({ username: 'default', password: 'secret' })
  assert.equal(await friend.set('a', 'b', {}), true)
  assert.equal(String((await friend.get('a')).value), 'b')
  await assert.rejects(connect({ username: 'default', password: 'wrong' }).get('a'))
})

test('memcached: the text protocol', async (context) => {
  await using server = await createServer()
  const client = new Memcached(server.urls.memcached)
  context.after(() => client.end())

  // It marks what a value was by flags, which come back.
  for (const value of ['text', 42, { an: 'object' }, Buffer.from('bytes')]) {
    assert.equal(await ask<boolean>((done) => client.set('value', value, 100, done)), true)
    assert.deepEqual(await ask((done) => client.get('value', done)), value)
  }
  assert.equal(await server.execute('GET', 'value'), 'bytes')

  await ask<boolean>((done) => client.set('a', 'one', 0, done))
  await ask<boolean>((done) => client.set('b', 'two', 0, done))
  assert.deepEqual(await ask((done) => client.getMulti(['a', 'b', 'c'], done)), { a: 'one', b: 'two' })

  const seen = await ask<{ cas: string; a: string }>((done) => client.gets('a', done as never))
  assert.equal(seen.a, 'one')
  assert.equal(await ask<boolean>((done) => client.cas('a', 'three', seen.cas, 0, done)), true)
  assert.equal(await ask<boolean>((done) => client.cas('a', 'four', seen.cas, 0, done)), false)
  // A change by a client of Redis is one too.
  const again = await ask<{ cas: string }>((done) => client.gets('a', done as never))
  await server.execute('SET', 'a', 'redis')
  assert.equal(await ask<boolean>((done) => client.cas('a', 'five', again.cas, 0, done)), false)

  assert.equal(await ask<boolean>((done) => client.add('n', 10, 0, done)), true)
  assert.equal(await ask<number | boolean>((done) => client.incr('n', 5, done)), 15)
  assert.equal(await ask<number | boolean>((done) => client.decr('n', 100, done)), 0)
  assert.equal(await ask<boolean>((done) => client.touch('n', 50, done as never)), true)
  assert.equal(await server.execute('TTL', 'n'), 50)
  assert.equal(await ask<boolean>((done) => client.append('b', '!', done)), true)
  assert.equal(await ask((done) => client.get('b', done)), 'two!')
  assert.equal(await ask<boolean>((done) => client.del('b', done)), true)
  assert.equal(await ask((done) => client.get('b', done)), undefined)
  const [statistics] = await ask<{ version: string }[]>((done) => client.stats(done as never))
  assert.equal(String(statistics?.version), '1.6.18')
})

test('ketama over three servers: one taken away costs its own keys alone, and the others go on', async (context) => {
  const servers = new Map<string, HeadpondServer>()
  for (let index = 0; index < 3; index++) {
    const server = await createServer()
    servers.set(server.urls.memcached, server)
  }
  context.after(() => Promise.all([...servers.values()].map((server) => server.close())))
  const client = new Memcached([...servers.keys()], {
    algorithm: 'md5', // ketama's
    remove: true,
    failures: 0,
    retries: 0,
    timeout: 10_000,
  })
  context.after(() => client.end())

  const keys = Array.from({ length: 300 }, (_, index) => `user:${index}`)
  for (const key of keys) await ask<boolean>((done) => client.set(key, key, 0, done))
  const places = new Map<string, string>()
  for (const [url, server] of servers) {
    const held = (await server.execute('KEYS', '*')) as string[]
    // Consistent hashing is uneven; but none is left out.
    assert.ok(held.length > 30, `${held.length} keys of 300`)
    for (const key of held) places.set(key, url)
  }
  assert.equal(places.size, keys.length)

  const [lost] = servers.keys()
  await servers.get(lost)!.close()
  // A request on a connection that has just ended is never called back; the next one that has to connect finds out.
  const lostKey = keys.find((key) => places.get(key) === lost)!
  let isRemoved = false
  client.on('remove', () => {
    isRemoved = true
  })
  while (!isRemoved) {
    client.get(lostKey, () => {})
    await new Promise((resolve) => setTimeout(resolve, 5))
  }

  for (const key of keys) {
    const value = await ask<string | undefined>((done) => client.get(key, done))
    assert.equal(value, places.get(key) === lost ? undefined : key, key)
  }
  for (const key of keys) await ask<boolean>((done) => client.set(key, 'new', 0, done))
  for (const key of keys) assert.equal(await ask((done) => client.get(key, done)), 'new')
  for (const [url, server] of servers) {
    if (url === lost) continue
    const held = (await server.execute('KEYS', '*')) as string[]
    for (const key of held) assert.ok(places.get(key) === url || places.get(key) === lost, key)
  }
})
