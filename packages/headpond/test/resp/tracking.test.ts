import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { createServer, type HeadpondServer } from '#src/index.ts'
import { RawClient } from '../raw-client.ts'
import { playRedirection } from './redirection.ts'

async function connect(server: HeadpondServer, protocol = 3): Promise<RawClient> {
  const client = await RawClient.connect(server.port)
  await client.call('HELLO', String(protocol))
  return client
}

async function infoOf(server: HeadpondServer, field: string): Promise<number> {
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(String(await server.execute('INFO', 'everything')))?.[1])
}

const invalidation = (...keys: string[]) =>
  ['>2', '  $ "invalidate"', `  *${keys.length}`, ...keys.map((key) => `    $ "${key}"`)].join('\n')
const INVALIDATION_OF_ALL = ['>2', '  $ "invalidate"', '  _'].join('\n')

test('messages that go to another client (played against redis-server in interop)', async () => {
  await using server = await createServer()
  const text = await playRedirection(() => RawClient.connect(server.port))
  const path = new URL('../../test/resp/redirection.txt', import.meta.url)
  assert.equal(text, readFileSync(path, 'utf8'))
})

// ---- What changes by itself ----

test('what expires is told, be it looked for or not', async () => {
  await using server = await createServer({ enableDebugCommand: 'yes' })
  const client = await connect(server)
  try {
    await client.call('CLIENT', 'TRACKING', 'ON')
    await client.call('SET', 'short', '1', 'PX', '1000')
    await client.call('SET', 'long', '1', 'PX', '2000')
    await client.call('MGET', 'short', 'long')
    server.clock.advance(1001)
    assert.equal(await client.next(), invalidation('short'))

    // Found expired by a command of its own: the reply comes first, and NOLOOP is not meant.
    await client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
    await client.call('CLIENT', 'TRACKING', 'ON', 'NOLOOP')
    await client.call('SET', 'now', '1', 'PX', '1000')
    await client.call('GET', 'now')
    server.clock.advance(1001)
    assert.equal(await client.call('GET', 'now'), '_')
    assert.equal(await client.next(), invalidation('now'))
    // And it is remembered again, as a key that is not there.
    await server.execute('SET', 'now', '2')
    assert.equal(await client.next(), invalidation('now'))
  } finally {
    client.close()
  }
})

test('what is evicted to make room for a command is told before its reply', async () => {
  await using server = await createServer()
  const client = await connect(server)
  try {
    await client.call('CONFIG', 'SET', 'maxmemory-policy', 'volatile-random')
    await client.call('CLIENT', 'TRACKING', 'ON')
    await client.call('SET', 'short', '1', 'EX', '1000')
    await client.call('GET', 'short')
    await client.call('SETBIT', 'large', '8000000', '0')
    await client.call('CONFIG', 'SET', 'maxmemory', String((await infoOf(server, 'used_memory')) - 500_000))
    client.send('GETBIT', 'large', '0')
    assert.equal(await client.next(), invalidation('short'))
    assert.equal(await client.next(), ':0')
  } finally {
    client.close()
  }
})

test('what expires is broadcast even to those who do not want to hear of what they do', async () => {
  await using server = await createServer()
  const client = await connect(server)
  try {
    await client.call('CLIENT', 'TRACKING', 'ON', 'BCAST', 'NOLOOP')
    await client.call('SET', 'k', '1', 'PX', '1000')
    server.clock.advance(1001)
    assert.equal(await client.next(), invalidation('k'))
  } finally {
    client.close()
  }
})

test('a value that a waiting client takes is told', async () => {
  await using server = await createServer()
  const [reader, waiting] = [await connect(server), await connect(server)]
  try {
    await reader.call('CLIENT', 'TRACKING', 'ON')
    waiting.send('BLPOP', 'list', '0')
    await reader.call('LLEN', 'list')
    await reader.call('RPUSH', 'list', 'a')
    assert.equal(await reader.next(), invalidation('list'))
    assert.equal(await waiting.next(), '*2\n  $ "list"\n  $ "a"')
  } finally {
    reader.close()
    waiting.close()
  }
})

// ---- Order ----

test('within a pipeline a message stands behind the reply of its command', async () => {
  await using server = await createServer()
  const client = await connect(server)
  try {
    await client.call('CLIENT', 'TRACKING', 'ON')
    client.sendBytes('GET k\r\nSET k 1\r\nGET k\r\nMULTI\r\nSET k 2\r\nGET k\r\nEXEC\r\nFLUSHALL\r\nPING\r\n')
    const replies = ['_', '+OK', invalidation('k'), '$ "1"', '+OK', '+QUEUED', '+QUEUED']
    for (const expected of [...replies, '*2\n  +OK\n  $ "2"', invalidation('k'), '+OK', INVALIDATION_OF_ALL, '+PONG']) {
      assert.equal(await client.next(), expected)
    }
  } finally {
    client.close()
  }
})

test('one broadcast for everything that a turn changes, behind its replies', async () => {
  await using server = await createServer()
  const client = await connect(server)
  try {
    await client.call('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'a', 'PREFIX', 'b')
    // A slow pipeline has several turns; what EXEC does is done in one.
    client.sendBytes('MULTI\r\nSET b1 1\r\nSET a2 1\r\nSET a1 1\r\nSET a2 2\r\nSET c 1\r\nEXEC\r\n')
    assert.equal(await client.next(), '+OK')
    for (let index = 0; index < 5; index++) assert.equal(await client.next(), '+QUEUED')
    assert.match(await client.next(), /^\*5\n/)
    assert.equal(await client.next(), invalidation('a1', 'a2'))
    assert.equal(await client.next(), invalidation('b1'))
  } finally {
    client.close()
  }
})

// ---- The table ----

test('the table is bounded: keys give way, and their readers are told', async () => {
  await using server = await createServer({ trackingTableMaxKeys: 10 })
  const client = await connect(server)
  try {
    await client.call('CLIENT', 'TRACKING', 'ON')
    const keys = Array.from({ length: 30 }, (_, index) => `k${index}`)
    await client.call('MGET', ...keys)
    const told = new Set<string>()
    for (let index = 0; index < 20; index++) told.add(/\$ "(k\d+)"/.exec(await client.next())![1])
    assert.equal(told.size, 20)
    assert.equal(await infoOf(server, 'tracking_total_keys'), 10)
    // Those that are left are told of when they change; the others are not.
    await server.execute('MSET', ...keys.flatMap((key) => [key, '1']))
    for (let index = 0; index < 10; index++) told.add(/\$ "(k\d+)"/.exec(await client.next())![1])
    assert.equal(told.size, 30)
    assert.equal(await client.call('PING'), '+PONG')

    // A lower limit is reached by and by, without a command.
    await server.execute('CONFIG', 'SET', 'tracking-table-max-keys', '0', 'hz', '100')
    for (let first = 0; first < 3000; first += 1000) {
      await client.call('MGET', ...Array.from({ length: 1000 }, (_, index) => `n${first + index}`))
    }
    assert.equal(await infoOf(server, 'tracking_total_keys'), 3000)
    await server.execute('CONFIG', 'SET', 'tracking-table-max-keys', '5')
    for (let index = 0; index < 2995; index++) assert.match(await client.next(), /invalidate/)
    assert.equal(await infoOf(server, 'tracking_total_keys'), 5)
  } finally {
    client.close()
  }
})

test('INFO and CLIENT LIST tell of it; with the last client everything is forgotten', async () => {
  await using server = await createServer()
  const clients = [await connect(server), await connect(server), await connect(server)]
  try {
    const [first, second, third] = clients
    const counts = async () => [
      await infoOf(server, 'tracking_clients'),
      await infoOf(server, 'tracking_total_keys'),
      await infoOf(server, 'tracking_total_items'),
      await infoOf(server, 'tracking_total_prefixes'),
    ]
    assert.deepEqual(await counts(), [0, 0, 0, 0])
    assert.equal(await infoOf(server, 'mem_tracking_table'), 0)
    const before = await infoOf(server, 'used_memory')
    await first.call('CLIENT', 'TRACKING', 'ON')
    await second.call('CLIENT', 'TRACKING', 'ON')
    await third.call('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'a', 'PREFIX', 'b')
    await first.call('MGET', 'x', 'y')
    await second.call('MGET', 'y', 'z')
    assert.deepEqual(await counts(), [3, 3, 4, 2])
    assert.ok((await infoOf(server, 'mem_tracking_table')) > 0)
    assert.ok((await infoOf(server, 'used_memory')) > before)
    const list = String(await server.execute('CLIENT', 'LIST'))
    assert.deepEqual(list.match(/flags=\w+/g), ['flags=t', 'flags=t', 'flags=tB'])
    assert.deepEqual(list.match(/redir=-?\d+/g), ['redir=0', 'redir=0', 'redir=0'])

    await third.call('CLIENT', 'TRACKING', 'OFF')
    assert.deepEqual(await counts(), [2, 3, 4, 0])
    first.close()
    second.close()
    third.close()
    while ((await infoOf(server, 'connected_clients')) > 0) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(await counts(), [0, 0, 0, 0])
  } finally {
    for (const client of clients) client.close()
  }
})

test('a client in this process can track, too', async () => {
  await using server = await createServer()
  const client = server.client()
  const pushes: unknown[] = []
  client.onPush = (items) => pushes.push(items)
  await client.execute('CLIENT', 'TRACKING', 'ON')
  await client.execute('GET', 'k')
  await server.execute('SET', 'k', '1')
  assert.deepEqual(pushes, [['invalidate', ['k']]])
  await server.reset()
  assert.deepEqual(pushes[1], ['invalidate', null])
  client.close()
  assert.equal(await infoOf(server, 'tracking_clients'), 0)
})

// ---- The promise ----

/**
 * Clients that keep what they read until they are told otherwise (with NOLOOP: until they change it themselves). Whatever
 * is done, and in whatever order: once everything has arrived, nobody has a value that is not the server's.
 */
test('a cache that listens is never stale', async () => {
  const KEYS = ['a', 'b', 'c', 'ab', 'abc']
  const key = fc.constantFrom(...KEYS)
  const who = fc.integer({ min: 0, max: 2 })
  const step = fc.oneof(
    { weight: 10, arbitrary: fc.record({ kind: fc.constant('read' as const), who, key }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('write' as const), who, key, isInTransaction: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), who, key }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const), who, key }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('advance' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const), who }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('swap' as const), who }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename' as const), who, key, to: key }) },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 80, size: 'max' }),
      fc.integer({ min: 1, max: 5 }),
      async (steps, max) => {
        const server = await createServer({ trackingTableMaxKeys: max })
        try {
          const caches = await Promise.all(
            [[], ['NOLOOP'], ['BCAST']].map(async (options) => {
              const client = server.client()
              const values = new Map<string, unknown>()
              client.onPush = ([, keys]) => {
                if (keys === null) values.clear()
                else for (const each of keys as string[]) values.delete(each)
              }
              await client.execute('CLIENT', 'TRACKING', 'ON', ...options)
              return { client, values, forgetsOwn: options.includes('NOLOOP') }
            }),
          )
          let count = 0
          for (const each of steps) {
            if (each.kind === 'advance') {
              server.clock.advance(1001)
              continue
            }
            const { client, values, forgetsOwn } = caches[each.who]
            if (each.kind === 'read') {
              if (values.has(each.key)) continue
              // A message may follow the reply at once, before this function goes on.
              values.set(each.key, 'on its way')
              const value = await client.execute('GET', each.key)
              if (values.has(each.key)) values.set(each.key, value)
            } else if (each.kind === 'write') {
              if (each.isInTransaction) await client.execute('MULTI')
              await client.execute('SET', each.key, String(count++))
              if (each.isInTransaction) await client.execute('EXEC')
              if (forgetsOwn) values.delete(each.key)
            } else if (each.kind === 'delete') {
              await client.execute('DEL', each.key)
              if (forgetsOwn) values.delete(each.key)
            } else if (each.kind === 'expire') {
              await client.execute('PEXPIRE', each.key, '1000')
              if (forgetsOwn) values.delete(each.key)
            } else if (each.kind === 'flush') {
              await client.execute('FLUSHALL')
            } else if (each.kind === 'swap') {
              await client.execute('SWAPDB', '0', '1')
            } else {
              await client.execute('RENAME', each.key, each.to).catch(() => {})
              if (forgetsOwn) values.delete(each.key)
              if (forgetsOwn) values.delete(each.to)
            }
          }
          await new Promise((resolve) => setImmediate(resolve))
          for (const { values } of caches) {
            for (const [name, value] of values) assert.equal(await server.execute('GET', name), value)
          }
          assert.ok((await infoOf(server, 'tracking_total_keys')) <= max)
        } finally {
          await server.close()
        }
      },
    ),
    { numRuns: 100 },
  )
})
