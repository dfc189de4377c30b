import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer, type HeadpondServer } from '#src/index.ts'
import { RawClient } from '../raw-client.ts'

const MB = 2 ** 20

async function evictedCount(server: HeadpondServer): Promise<number> {
  return Number(/evicted_clients:(\d+)/.exec(String(await server.execute('INFO', 'stats')))?.[1])
}

/** The memory of each client that has a name. */
async function memoryByName(server: HeadpondServer): Promise<Map<string, number>> {
  const list = String(await server.execute('CLIENT', 'LIST'))
  return new Map([...list.matchAll(/ name=(\w+) .* tot-mem=(\d+) /g)].map(([, name, bytes]) => [name, Number(bytes)]))
}

async function connect(server: HeadpondServer, name: string): Promise<RawClient> {
  const client = await RawClient.connect(server.port)
  await client.call('CLIENT', 'SETNAME', name)
  return client
}

/** Lets a client keep at least so much of the server's memory: a request that is never finished. */
async function hold(server: HeadpondServer, client: RawClient, name: string, sizeBytes: number): Promise<void> {
  const received = new RegExp(`name=${name} .* qbuf=(\\d+) `)
  client.sendBytes(`*2\r\n$4\r\nECHO\r\n$${sizeBytes * 2}\r\n`)
  client.socket.write(Buffer.alloc(sizeBytes))
  for (;;) {
    const match = received.exec(String(await server.execute('CLIENT', 'LIST')))
    if (match === null || Number(match[1]) >= sizeBytes) return // or it was closed for that
    await turn()
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

async function namesLeft(server: HeadpondServer): Promise<string[]> {
  await turn() // who sees first that a connection is closed, its client or the server, is chance
  return [...(await memoryByName(server)).keys()].sort()
}

test('who is closed is seen no more, even by the next command', async () => {
  await using server = await createServer()
  const [large, watcher] = [await connect(server, 'large'), await connect(server, 'watcher')]
  try {
    await watcher.call('CLIENT', 'NO-EVICT', 'ON')
    await hold(server, large, 'large', 2 * MB)
    watcher.sendBytes('CONFIG SET maxmemory-clients 1mb\r\nCLIENT LIST\r\n')
    assert.equal(await watcher.next(), '+OK')
    const list = await watcher.next()
    assert.match(list, /name=watcher /)
    assert.doesNotMatch(list, /name=large /)
    await large.untilClosed()
  } finally {
    large.close()
    watcher.close()
  }
})

test('who announces more than there is for all is closed before it comes', async () => {
  await using server = await createServer({ maxmemoryClients: MB })
  const announcing = await connect(server, 'announcing')
  try {
    announcing.sendBytes(`*2\r\n$4\r\nECHO\r\n$${MB}\r\nx`)
    await announcing.untilClosed()
    assert.equal(await evictedCount(server), 1)
  } finally {
    announcing.close()
  }
})

test('those who take most are closed, and no more of them than need be', async () => {
  await using server = await createServer()
  const sizes = { one: 1, two: 2, three: 3, four: 4 }
  const clients = new Map<string, RawClient>()
  try {
    for (const [name, size] of Object.entries(sizes)) {
      const client = await connect(server, name)
      clients.set(name, client)
      await hold(server, client, name, size * MB)
    }
    clients.set('small', await connect(server, 'small'))
    const memory = await memoryByName(server)
    const sum = [...memory.values()].reduce((total, bytes) => total + bytes, 0)
    const [[largest, largestBytes]] = [...memory].sort(([, a], [, b]) => b - a)
    // Room for all but the largest of them, and for nothing more than that.
    await server.execute('CONFIG', 'SET', 'maxmemory-clients', String(sum - largestBytes))
    await clients.get(largest)!.untilClosed()
    const others = [...memory.keys()].filter((name) => name !== largest)
    assert.deepEqual(await namesLeft(server), others.sort())
    assert.equal(await evictedCount(server), 1)
    await server.execute('CONFIG', 'SET', 'maxmemory-clients', '200kb')
    for (const name of ['one', 'two', 'three']) await clients.get(name)!.untilClosed()
    assert.deepEqual(await namesLeft(server), ['small'])
    assert.equal(await clients.get('small')!.call('PING'), '+PONG')
    assert.equal(await evictedCount(server), 4)
    await server.execute('CONFIG', 'RESETSTAT')
    assert.equal(await evictedCount(server), 0)
  } finally {
    for (const client of clients.values()) client.close()
  }
})

test('of a request cut short, complete arguments and the rest are told apart, and room for it is what it needs', async () => {
  await using server = await createServer()
  const client = await connect(server, 'cut')
  try {
    client.sendBytes(`*3\r\n$3\r\nSET\r\n$5\r\nabcde\r\n$${MB}\r\n`)
    client.socket.write(Buffer.alloc(MB - 10))
    const fields = / name=cut .* qbuf=(\d+) qbuf-free=(\d+) argv-mem=(\d+) .* tot-mem=(\d+) /
    let seen: number[] = []
    while (seen[0] !== MB - 10) {
      seen = (fields.exec(String(await server.execute('CLIENT', 'LIST'))) ?? []).slice(1).map(Number)
      await turn()
    }
    const [, freeBytes, argumentBytes, totalBytes] = seen
    assert.equal(freeBytes, 12) // the rest of the value, and the end of its line
    assert.equal(argumentBytes, 8)
    assert.ok(totalBytes > MB && totalBytes < MB * 1.01, `${totalBytes}`)
  } finally {
    client.close()
  }
})

test('a client is closed for whatever it takes: input, queued commands, replies, names', async () => {
  const lines: string[] = []
  const log = { info: (line: string) => void lines.push(line), warn() {}, error() {} }
  await using server = await createServer({ maxmemoryClients: '2mb', log })
  await server.execute('SET', 'large', 'x'.repeat(MB))
  const value = Buffer.alloc(MB / 2)
  const ways: Record<string, (client: RawClient) => void> = {
    input: (client) => {
      client.sendBytes(`*2\r\n$4\r\nECHO\r\n$${16 * MB}\r\n`)
      client.socket.write(Buffer.alloc(8 * MB))
    },
    pipeline: (client) => {
      client.send('BLPOP', 'nothing', '0')
      client.sendBytes('PING\r\n'.repeat(MB))
    },
    transaction: (client) => {
      client.send('MULTI')
      for (let count = 0; count < 10; count++) client.send('SET', 'k', value)
    },
    replies: (client) => {
      client.socket.pause()
      for (let count = 0; count < 64; count++) client.send('GET', 'large')
    },
    channels: (client) => client.send('SUBSCRIBE', ...Array.from({ length: 20_000 }, (_, index) => `c${index}`)),
    watches: (client) => client.send('WATCH', ...Array.from({ length: 20_000 }, (_, index) => `k${index}`)),
    prefixes: (client) => {
      const prefixes = Array.from({ length: 2000 }, (_, index) => ['PREFIX', `${index}:`]).flat()
      client.send('CLIENT', 'TRACKING', 'ON', 'BCAST', ...prefixes)
      client.socket.pause()
      for (let count = 0; count < 64; count++) client.send('GET', 'large')
    },
  }
  const witness = await connect(server, 'witness')
  for (const [name, take] of Object.entries(ways)) {
    const before = await evictedCount(server)
    const client = await connect(server, name)
    take(client)
    while ((await evictedCount(server)) === before) await turn()
    client.socket.resume()
    await client.untilClosed()
    assert.match(lines.at(-1) ?? '', new RegExp(`^Evicting client: id=\\d+ .* name=${name} .* tot-mem=\\d{7,}`))
    assert.equal(await witness.call('PING'), '+PONG')
  }
  assert.deepEqual(await namesLeft(server), ['witness'])
  witness.close()
})

test('CLIENT NO-EVICT protects, and the next largest goes instead', async () => {
  await using server = await createServer({ maxmemoryClients: '4mb' })
  const [protectedOne, other, small] = [
    await connect(server, 'protected'),
    await connect(server, 'other'),
    await connect(server, 'small'),
  ]
  try {
    await protectedOne.call('CLIENT', 'NO-EVICT', 'on')
    await hold(server, other, 'other', MB)
    await hold(server, protectedOne, 'protected', 3 * MB)
    await other.untilClosed()
    await small.untilClosed()
    assert.deepEqual(await namesLeft(server), ['protected'])
  } finally {
    for (const client of [protectedOne, other, small]) client.close()
  }
})

test('a percentage is one of maxmemory; what is too small to be meant counts as 128 kb', async () => {
  await using server = await createServer({ maxmemoryClients: '10%' })
  const client = await connect(server, 'large')
  const small = await connect(server, 'small')
  try {
    await hold(server, client, 'large', 2 * MB)
    assert.equal(await evictedCount(server), 0) // ten percent of nothing: no limit
    await server.execute('CONFIG', 'SET', 'maxmemory', '100mb')
    assert.equal(await small.call('PING'), '+PONG')
    assert.equal(await evictedCount(server), 0)
    await server.execute('CONFIG', 'SET', 'maxmemory', '10mb')
    await client.untilClosed()
    await server.execute('CONFIG', 'SET', 'maxmemory', '100mb', 'maxmemory-clients', '1')
    assert.equal(await small.call('PING'), '+PONG')
    assert.equal(await evictedCount(server), 1)
  } finally {
    client.close()
    small.close()
  }
})
