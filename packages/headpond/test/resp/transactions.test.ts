import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { createServer } from '#src/index.ts'
import { RawClient, type RawReply } from '../raw-client.ts'

test('of clients that race for a counter with WATCH, none loses an increment', async () => {
  await using server = await createServer()
  const clients = Array.from({ length: 5 }, () => new Redis(server.urls.redis))
  try {
    let refusals = 0
    const add = async (client: Redis) => {
      for (let done = 0; done < 20; ) {
        await client.watch('counter')
        const value = Number(await client.get('counter'))
        const results = await client
          .multi()
          .set('counter', value + 1)
          .exec()
        if (results === null) refusals++
        else done++
      }
    }
    await Promise.all(clients.map(add))
    assert.equal(await server.execute('GET', 'counter'), '100')
    assert.ok(refusals > 0)
  } finally {
    for (const client of clients) client.disconnect()
  }
})

test('nothing of others runs between the commands of a transaction, however long its pipeline', async () => {
  await using server = await createServer()
  const client = await RawClient.connect(server.port)
  const other = await RawClient.connect(server.port)
  try {
    const count = 20_000
    client.send('MULTI')
    for (let index = 0; index < count; index++) client.send('INCR', 'n')
    other.send('SET', 'n', '0')
    await other.next()
    await client.waitFor(count + 1, 20_000)
    client.take()
    const replies = (await client.call('EXEC')).split('\n')
    assert.equal(replies[0], `*${count}`)
    assert.equal(replies[1], '  :1')
    assert.equal(replies.at(-1), `  :${count}`)
  } finally {
    client.close()
    other.close()
  }
})

test('queued arguments are what they were, small and large, whatever came after them', async () => {
  await using server = await createServer()
  const client = await RawClient.connect(server.port)
  try {
    const sizes = [0, 1, 3000, 5000, 70_000, 2_000_000, 10]
    client.send('MULTI')
    for (const [index, size] of sizes.entries()) client.send('SET', `key ${index}`, Buffer.alloc(size, 0x61 + index))
    for (const index of sizes.keys()) client.send('STRLEN', `key ${index}`)
    client.send('MGET', ...sizes.map((_, index) => `key ${index}`))
    client.send('EXEC')
    await client.waitFor(sizes.length * 2 + 3, 20_000)
    const exec = client.take().at(-1)
    assert.ok(exec?.marker === '*')
    const items = exec.items ?? []
    assert.equal(items.length, sizes.length * 2 + 1)
    const values = items.at(-1)
    assert.ok(values?.marker === '*')
    for (const [index, size] of sizes.entries()) {
      const value: RawReply | undefined = values.items?.[index]
      assert.ok(value?.marker === '$')
      assert.deepEqual(value.text, Buffer.alloc(size, 0x61 + index))
    }
  } finally {
    client.close()
  }
})

test('a client that leaves in the middle has done nothing, and what it watched is free', async () => {
  await using server = await createServer()
  const client = await RawClient.connect(server.port)
  await client.call('WATCH', 'key')
  await client.call('MULTI')
  await client.call('SET', 'key', 'value')
  client.close()
  const other = await RawClient.connect(server.port)
  try {
    assert.equal(await other.call('GET', 'key'), '_')
    assert.equal(await other.call('SET', 'key', 'x'), '+OK')
  } finally {
    other.close()
  }
})

test('a transaction larger than the query buffer limit ends the connection', async () => {
  await using server = await createServer({ clientQueryBufferLimit: '1mb' })
  const client = await RawClient.connect(server.port)
  await client.call('MULTI')
  const value = Buffer.alloc(100_000)
  for (let count = 0; count < 12; count++) client.send('SET', 'key', value)
  client.send('EXEC')
  await client.untilClosed()
  assert.equal(await server.execute('EXISTS', 'key'), 0)
})

test('what watched very many keys and is over breaks nothing, and the same keys can be watched again at once', async () => {
  await using server = await createServer()
  const watcher = await RawClient.connect(server.port)
  const other = await RawClient.connect(server.port)
  try {
    const keys = Array.from({ length: 5000 }, (_, index) => `key:${index}`)
    const executed = async (change: () => Promise<unknown>) => {
      await change()
      await watcher.call('MULTI')
      await watcher.call('PING')
      return (await watcher.call('EXEC')).includes('PONG')
    }
    await watcher.call('WATCH', ...keys)
    await watcher.call('UNWATCH')
    assert.match(await other.call('INFO', 'clients'), /total_watched_keys:0/)
    assert.ok(await executed(() => other.call('SET', keys[0], 'a')))
    await watcher.call('WATCH', ...keys)
    await watcher.call('UNWATCH')
    await watcher.call('WATCH', keys[0])
    assert.ok(!(await executed(() => other.call('SET', keys[0], 'b'))))
    await watcher.call('WATCH', ...keys)
    await watcher.call('UNWATCH')
    await watcher.call('WATCH', keys[0])
    assert.ok(await executed(() => other.call('SET', keys[4999], 'c')))
  } finally {
    watcher.close()
    other.close()
  }
})
