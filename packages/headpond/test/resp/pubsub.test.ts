import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { createServer } from '#src/index.ts'
import { RawClient } from '../raw-client.ts'

test('ioredis listens to channels and patterns, and gets buffers as they were sent', async () => {
  await using server = await createServer()
  const listener = new Redis(server.urls.redis)
  const sender = new Redis(server.urls.redis)
  try {
    await listener.subscribe('news')
    await listener.psubscribe('n?ws')
    const onMessage = once(listener, 'messageBuffer')
    const onPatternMessage = once(listener, 'pmessageBuffer')
    const payload = Buffer.from([0, 255, 13, 10])
    assert.equal(await sender.publish('news', payload), 2)
    assert.deepEqual(await onMessage, [Buffer.from('news'), payload])
    assert.deepEqual(await onPatternMessage, ['n?ws', Buffer.from('news'), payload])
    assert.equal(await listener.unsubscribe('news'), 1)
    assert.equal(await sender.publish('news', 'again'), 1)
  } finally {
    listener.disconnect()
    sender.disconnect()
  }
})

for (const RESP of [2, 3] as const) {
  test(`node-redis listens under RESP${RESP}, shard channels too`, async () => {
    await using server = await createServer()
    const listener = createClient({ url: server.urls.redis, RESP })
    const sender = createClient({ url: server.urls.redis, RESP })
    await Promise.all([listener.connect(), sender.connect()])
    try {
      const received: string[] = []
      const note = (message: string, channel: string) => received.push(`${channel}: ${message}`)
      await listener.subscribe('news', note)
      await listener.pSubscribe('sp*', note)
      await listener.sSubscribe('shard', note)
      await sender.publish('news', 'one')
      await sender.publish('sport', 'two')
      await sender.sPublish('shard', 'three')
      await sender.publish('shard', 'for nobody')
      await listener.ping()
      assert.deepEqual(received, ['news: one', 'sport: two', 'shard: three'])
    } finally {
      listener.destroy()
      sender.destroy()
    }
  })
}

test('many listeners under both protocols get every message, in the order of sending', async () => {
  await using server = await createServer()
  const listeners = await Promise.all(Array.from({ length: 200 }, () => RawClient.connect(server.port)))
  const sender = await RawClient.connect(server.port)
  try {
    for (const [index, listener] of listeners.entries()) {
      if (index % 2 === 1) await listener.call('HELLO', '3')
      await listener.call('SUBSCRIBE', 'news')
    }
    const count = 50
    for (let message = 0; message < count; message++) sender.send('PUBLISH', 'news', String(message))
    for (let message = 0; message < count; message++) assert.equal(await sender.next(), `:${listeners.length}`)
    for (const [index, listener] of listeners.entries()) {
      const marker = index % 2 === 1 ? '>' : '*'
      for (let message = 0; message < count; message++) {
        assert.equal(await listener.next(), `${marker}3\n  $ "message"\n  $ "news"\n  $ "${message}"`)
      }
    }
  } finally {
    for (const listener of listeners) listener.close()
    sender.close()
  }
})

test('a listener that leaves is forgotten', async () => {
  await using server = await createServer()
  const listener = await RawClient.connect(server.port)
  await listener.call('SUBSCRIBE', 'news')
  await listener.call('PSUBSCRIBE', 'n*')
  await listener.call('SSUBSCRIBE', 'shard')
  assert.equal(await server.execute('PUBSUB', 'NUMPAT'), 1)
  listener.send('QUIT')
  await listener.untilClosed()
  assert.deepEqual(await server.execute('PUBSUB', 'CHANNELS'), [])
  assert.deepEqual(await server.execute('PUBSUB', 'SHARDCHANNELS'), [])
  assert.equal(await server.execute('PUBSUB', 'NUMPAT'), 0)
  assert.equal(await server.execute('PUBLISH', 'news', 'x'), 0)
})

test('a message to the client itself comes before its reply, and after a transaction', async () => {
  await using server = await createServer()
  const client = await RawClient.connect(server.port)
  try {
    await client.call('HELLO', '3')
    await client.call('SUBSCRIBE', 'news')
    const message = (text: string) => `>3\n  $ "message"\n  $ "news"\n  $ "${text}"`
    assert.equal(await client.call('PUBLISH', 'news', 'one'), message('one'))
    assert.equal(await client.next(), ':1')
    await client.call('MULTI')
    await client.call('PUBLISH', 'news', 'two')
    await client.call('PING')
    // Between the replies of a transaction a message would be taken for one of them.
    assert.equal(await client.call('EXEC'), '*2\n  :1\n  +PONG')
    assert.equal(await client.next(), message('two'))
  } finally {
    client.close()
  }
})

test('events of a client itself follow the reply of the command that caused them', async () => {
  await using server = await createServer({ notifyKeyspaceEvents: 'El' })
  const client = await RawClient.connect(server.port)
  try {
    await client.call('HELLO', '3')
    await client.call('SUBSCRIBE', '__keyevent@0__:lpop')
    await client.call('RPUSH', 'list', 'a', 'b')
    assert.equal(
      await client.call('LMPOP', '1', 'list', 'LEFT', 'COUNT', '2'),
      '*2\n  $ "list"\n  *2\n    $ "a"\n    $ "b"',
    )
    assert.equal(await client.next(), '>3\n  $ "message"\n  $ "__keyevent@0__:lpop"\n  $ "list"')
  } finally {
    client.close()
  }
})

test('a listener in the process hears messages, and may run commands as it does', async () => {
  await using server = await createServer()
  const listener = server.client()
  const heard: unknown[] = []
  const answered = new Promise((resolve) => {
    listener.onPush = (items) => {
      heard.push(items)
      if (items[0] === 'message') resolve(server.execute('INCR', 'heard'))
    }
  })
  assert.deepEqual(await listener.execute('SUBSCRIBE', 'news'), ['subscribe', 'news', 1])
  assert.equal(await listener.execute('PING'), 'PONG')
  assert.equal(await server.execute('PUBLISH', 'news', 'hello'), 1)
  assert.equal(await answered, 1)
  assert.deepEqual(heard, [
    ['subscribe', 'news', 1],
    ['message', 'news', 'hello'],
  ])
  listener.close()
  assert.equal(await server.execute('PUBLISH', 'news', 'hello'), 0)
})

test('keyspace events say what happened, expiry too', async () => {
  await using server = await createServer({ notifyKeyspaceEvents: 'KEA' })
  const listener = await RawClient.connect(server.port)
  try {
    await listener.call('PSUBSCRIBE', '__key*@*__:*')
    const event = (channel: string, payload: string) =>
      `*4\n  $ "pmessage"\n  $ "__key*@*__:*"\n  $ "${channel}"\n  $ "${payload}"`
    await server.execute('SET', Buffer.from([0xff]), 'value', 'PX', '1000')
    assert.equal(await listener.next(), event('__keyspace@0__:\\xff', 'set'))
    assert.equal(await listener.next(), event('__keyevent@0__:set', '\\xff'))
    assert.equal(await listener.next(), event('__keyspace@0__:\\xff', 'expire'))
    assert.equal(await listener.next(), event('__keyevent@0__:expire', '\\xff'))
    server.clock.advance('2s')
    assert.equal(await listener.next(), event('__keyspace@0__:\\xff', 'expired'))
    assert.equal(await listener.next(), event('__keyevent@0__:expired', '\\xff'))
    await server.execute('CONFIG', 'SET', 'notify-keyspace-events', 'Em')
    await server.execute('GET', 'missing')
    assert.equal(await listener.next(), event('__keyevent@0__:keymiss', 'missing'))
  } finally {
    listener.close()
  }
})
