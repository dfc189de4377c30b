import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer, type HeadpondServer } from '#src/index.ts'
import { RawClient } from '../raw-client.ts'
import { POLICIES } from '../store/eviction/eviction-store.ts'

async function infoNumber(server: HeadpondServer, name: string): Promise<number> {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(String(await server.execute('INFO')))?.[1])
}

/** Writes keys that all expire some time, so that every policy may take them. */
async function fill(server: HeadpondServer, count: number, prefix = 'key', value = 'x'.repeat(100)): Promise<void> {
  for (let index = 0; index < count; index++) await server.execute('SET', `${prefix}:${index}`, value, 'EX', '10000')
}

/** Sets a limit that leaves room for so much more than is in use. */
async function limit(server: HeadpondServer, policy: string, roomBytes: number): Promise<number> {
  await server.execute('CONFIG', 'SET', 'maxmemory-policy', policy)
  const maxmemory = (await infoNumber(server, 'used_memory')) + roomBytes
  await server.execute('CONFIG', 'SET', 'maxmemory', String(maxmemory))
  return maxmemory
}

const ACTING = POLICIES.filter((policy) => policy !== 'noeviction')

for (const policy of ACTING) {
  test(`${policy}: the limit is kept, and what goes is counted and announced`, async () => {
    await using server = await createServer()
    await fill(server, 300)
    const maxmemory = await limit(server, policy, 8192)
    await server.execute('CONFIG', 'SET', 'notify-keyspace-events', 'Ee')
    const listener = await RawClient.connect(server.port)
    try {
      await listener.call('SUBSCRIBE', '__keyevent@0__:evicted')
      await fill(server, 300, 'other')
      assert.ok((await infoNumber(server, 'used_memory')) <= maxmemory + 1024)
      await server.execute('CONFIG', 'SET', 'maxmemory', '0') // so that nothing goes between two questions
      const left = Number(await server.execute('DBSIZE'))
      const evicted = await infoNumber(server, 'evicted_keys')
      assert.equal(left + evicted, 600)
      assert.ok(evicted > 100 && left > 100, `${evicted} evicted`)
      const announced = new Set<string>()
      for (let count = 0; count < evicted; count++) announced.add(await listener.next())
      assert.equal(announced.size, evicted)
      await server.execute('CONFIG', 'RESETSTAT')
      assert.equal(await infoNumber(server, 'evicted_keys'), 0)
    } finally {
      listener.close()
    }
  })
}

test('volatile policies refuse writes when only keys are left that live for ever', async () => {
  await using server = await createServer()
  await server.execute('SET', 'forever', 'x')
  await fill(server, 20)
  for (const policy of ACTING.filter((name) => name.startsWith('volatile'))) {
    // Not all at once, and what follows is refused only when the last one is gone.
    await server.execute('CONFIG', 'SET', 'maxmemory-eviction-tenacity', '100')
    await server.execute('CONFIG', 'SET', 'maxmemory-policy', policy, 'maxmemory', '1')
    await assert.rejects(Promise.resolve(server.execute('SET', 'a', 'b')), /OOM command not allowed/)
    assert.equal(await server.execute('GET', 'forever'), 'x')
    assert.equal(await server.execute('DBSIZE'), 1)
    await server.execute('CONFIG', 'SET', 'maxmemory', '0')
    await fill(server, 20)
  }
})

test('buffers count: what clients have sent in part makes keys go', async () => {
  await using server = await createServer()
  await fill(server, 100, 'large', 'x'.repeat(10_000))
  await limit(server, 'allkeys-lru', 100_000)
  const client = await RawClient.connect(server.port)
  try {
    client.sendBytes('*2\r\n$4\r\nECHO\r\n$600000\r\n')
    client.socket.write(Buffer.alloc(500_000))
    while ((await infoNumber(server, 'evicted_keys')) === 0) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(Number(await server.execute('DBSIZE')) > 20)
  } finally {
    client.close()
  }
})

test('no key goes for the buffers of a client that has gone', async () => {
  await using server = await createServer()
  await limit(server, 'allkeys-lru', 800_000)
  const client = await RawClient.connect(server.port)
  client.sendBytes('*2\r\n$4\r\nECHO\r\n$600000\r\n')
  client.socket.write(Buffer.alloc(500_000))
  const usedBefore = await infoNumber(server, 'used_memory')
  while ((await infoNumber(server, 'used_memory')) < usedBefore + 300_000)
    await new Promise((resolve) => setImmediate(resolve))
  client.close()
  // Not by INFO, which counts buffers anew.
  while (String(await server.execute('CLIENT', 'LIST')).includes('addr=127.0.0.1'))
    await new Promise((resolve) => setImmediate(resolve))
  await fill(server, 40, 'large', 'x'.repeat(10_000))
  assert.equal(await infoNumber(server, 'evicted_keys'), 0)
})

test('messages to clients about evicted keys are no reason to evict more', async () => {
  await using server = await createServer()
  const clients = await Promise.all(Array.from({ length: 10 }, () => RawClient.connect(server.port)))
  const nameOf = (index: number) => `${index}${'x'.repeat(1000)}`
  try {
    for (const client of clients) {
      await client.call('HELLO', '3')
      await client.call('CLIENT', 'TRACKING', 'on')
    }
    for (let index = 0; index < 300; index++) {
      await server.execute('SET', nameOf(index), 'x')
      await Promise.all(clients.map((client) => client.call('GET', nameOf(index))))
    }
    await limit(server, 'allkeys-lru', -40_000)
    // Keys go in a later turn of the event loop; who asks in the one after must not find the messages still waiting.
    for (let turn = 0; turn < 3; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      await infoNumber(server, 'used_memory')
    }
    const evicted = await infoNumber(server, 'evicted_keys')
    assert.ok(evicted >= 10 && evicted <= 60, String(evicted))
    assert.match(await clients[0].next(), /invalidate/)
  } finally {
    for (const client of clients) client.close()
  }
})

test('a limit far below what is in use is reached in slices, while commands are answered', async () => {
  await using server = await createServer()
  await fill(server, 5000)
  await server.execute('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-adaptive', 'maxmemory-eviction-tenacity', '0')
  await server.execute('CONFIG', 'SET', 'maxmemory', String((await infoNumber(server, 'used_memory')) - 400_000))
  while ((await infoNumber(server, 'used_memory')) > Number(await infoNumber(server, 'maxmemory')))
    assert.equal(await server.execute('PING'), 'PONG')
  const left = Number(await server.execute('DBSIZE'))
  assert.ok(left > 500 && left < 4500, String(left))
})

test('OBJECT FREQ and IDLETIME answer by the policy', async () => {
  await using server = await createServer()
  await server.execute('SET', 'key', 'value')
  for (const policy of POLICIES) {
    await server.execute('CONFIG', 'SET', 'maxmemory-policy', policy)
    await server.execute('SET', 'key', 'value')
    const isCounted = policy.endsWith('-lfu')
    const freq = Promise.resolve(server.execute('OBJECT', 'FREQ', 'key'))
    const idle = Promise.resolve(server.execute('OBJECT', 'IDLETIME', 'key'))
    if (isCounted) {
      assert.ok(Number(await freq) > 0, policy)
      await assert.rejects(idle, /An LFU maxmemory policy is selected, idle time not tracked/)
    } else {
      if (policy === 'allkeys-fifo') await assert.rejects(idle, /The allkeys-fifo maxmemory policy is selected/)
      else assert.equal(await idle, 0, policy)
      await assert.rejects(freq, /An LFU maxmemory policy is not selected, access frequency not tracked/)
    }
  }
})

test('what a transaction reads does not go while it runs', async () => {
  await using server = await createServer()
  await fill(server, 200)
  await limit(server, 'allkeys-random', 0)
  const client = await RawClient.connect(server.port)
  try {
    await client.call('MULTI')
    await client.call('DBSIZE')
    for (let index = 0; index < 50; index++) await client.call('SET', `new:${index}`, 'x'.repeat(1000))
    await client.call('DBSIZE')
    const replies = (await client.call('EXEC')).match(/:\d+/g)!.map((text) => Number(text.slice(1)))
    assert.equal(replies[1], replies[0] + 50)
    await client.call('PING')
    assert.ok((await infoNumber(server, 'evicted_keys')) > 50)
  } finally {
    client.close()
  }
})
