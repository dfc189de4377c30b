/** What applications do with node-redis, done with node-redis, under both versions of the protocol. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient, RESP_TYPES, WatchError } from 'redis'
import { createServer, type HeadpondServer } from '#src/index.ts'

for (const RESP of [2, 3] as const) {
  test(`node-redis under RESP${RESP}`, async (t) => {
    const server = await createServer({ ephemeral: true })
    const client = createClient({ url: server.urls.redis, RESP, socket: { reconnectStrategy: false } })
    client.on('error', () => {}) // calls reject
    await client.connect()
    try {
      await t.test('strings, counters and missing keys', async () => {
        assert.equal(await client.set('name', 'Ada'), 'OK')
        assert.equal(await client.get('name'), 'Ada')
        assert.equal(await client.get('missing'), null)
        assert.equal(await client.incrBy('visits', 5), 5)
        assert.equal(await client.incrByFloat('ratio', 0.5), '0.5')
        assert.equal(await client.set('name', 'Bob', { condition: 'NX' }), null)
        assert.deepEqual(await client.mGet(['name', 'missing']), ['Ada', null])
        await assert.rejects(client.incr('name'), /value is not an integer or out of range/)
      })

      await t.test('expiry, by the clock that a test moves', async () => {
        await client.set('session', 'x', { expiration: { type: 'EX', value: 60 } })
        assert.ok((await client.ttl('session')) > 55)
        server.clock.advance('61s')
        assert.equal(await client.get('session'), null)
      })

      await t.test('binary values', async () => {
        const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
        await client.set('binary', value)
        const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
        assert.deepEqual(await binary.get('binary'), value)
      })

      await t.test('commands of one turn share a pipeline', async () => {
        const values = await Promise.all(Array.from({ length: 1000 }, () => client.incr('counter')))
        assert.deepEqual(
          values,
          Array.from({ length: 1000 }, (_, index) => index + 1),
        )
      })

      await t.test('transactions, and WATCH that notices', async () => {
        assert.deepEqual(await client.multi().set('t', '1').incr('t').exec(), ['OK', 2])
        const watcher = await client.duplicate().connect()
        await watcher.watch('t')
        await client.set('t', '9')
        await assert.rejects(watcher.multi().set('t', 'lost').exec(), WatchError)
        assert.equal(await client.get('t'), '9')
        watcher.destroy()
      })

      await t.test('publish and subscribe, by channel and by pattern', async () => {
        const subscriber = await client.duplicate().connect()
        const messages: string[][] = []
        await subscriber.subscribe('news', (message, channel) => messages.push([channel, message]))
        await subscriber.pSubscribe('new*', (message, channel) => messages.push(['new*', channel, message]))
        assert.equal(await client.publish('news', 'one'), 2)
        assert.equal(await client.publish('newer', 'two'), 1)
        await subscriber.unsubscribe('news')
        assert.deepEqual(messages, [
          ['news', 'one'],
          ['new*', 'news', 'one'],
          ['new*', 'newer', 'two'],
        ])
        // Under RESP3 a subscriber may go on with other commands.
        if (RESP === 3) assert.equal(await subscriber.get('t'), '9')
        subscriber.destroy()
      })

      await t.test('a scan iterator visits every key', async () => {
        await client.mSet(Array.from({ length: 2000 }, (_, index): [string, string] => [`user:${index}`, 'x']))
        const seen = new Set<string>()
        for await (const keys of client.scanIterator({ MATCH: 'user:*', COUNT: 100 })) {
          for (const key of keys) seen.add(key)
        }
        assert.equal(seen.size, 2000)
      })

      await t.test('maps come as maps', async () => {
        assert.deepEqual({ ...(await client.configGet('maxclients')) }, { maxclients: '10000' })
      })
    } finally {
      client.destroy()
      await server.close()
    }
  })

  test(`node-redis under RESP${RESP} comes back when its server does`, async () => {
    const first = await createServer({ ephemeral: true })
    const client = createClient({ url: first.urls.redis, RESP, socket: { reconnectStrategy: 20 } })
    client.on('error', () => {}) // refused connections while nobody listens
    let second: HeadpondServer | undefined
    try {
      await client.connect()
      assert.equal(await client.set('k', 'v'), 'OK')
      const { port } = first
      const reconnecting = new Promise((resolve) => client.once('reconnecting', resolve))
      await first.close()
      await reconnecting
      second = await createServer({ ephemeral: true, port })
      // Queued until the connection is back.
      assert.equal(await client.get('k'), null)
      assert.equal(await client.set('k', 'again'), 'OK')
    } finally {
      client.destroy()
      await first.close()
      await second?.close()
    }
  })
}
