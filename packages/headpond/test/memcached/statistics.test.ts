import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from '#src/server/create-server.ts'
import { ByteClient } from './byte-client.ts'

test('bytes of connections that are closed still count; a reset forgets those of open ones too', async (t) => {
  const server = await createServer()
  t.after(() => server.close())
  const port = Number(server.urls.memcached.split(':')[1])
  const client = await ByteClient.connect(port)
  t.after(() => client.close())
  /** What is counted so far, and what the answer that says so will add to it. */
  const bytes = async () => {
    const stats = await client.ask('stats\r\n')
    const countOf = (name: string) => Number(new RegExp(`${name} (\\d+)`).exec(stats)![1])
    return { read: countOf('bytes_read'), written: countOf('bytes_written'), answer: `${stats}MN\r\n`.length }
  }
  await client.ask(`set a 0 0 1000\r\n${'x'.repeat(1000)}\r\n`)
  await client.ask('stats reset\r\n')
  const asked = 'stats\r\nmn\r\n'.length
  const atFirst = await bytes()
  assert.deepEqual([atFirst.read, atFirst.written], [asked, 'RESET\r\nMN\r\n'.length])
  const other = await ByteClient.connect(port)
  other.send('get a\r\nquit\r\n')
  await other.untilClosed()
  const atLast = await bytes()
  assert.equal(atLast.read, atFirst.read + asked + 'get a\r\nquit\r\n'.length)
  assert.equal(
    atLast.written,
    atFirst.written + atFirst.answer + `VALUE a 0 1000\r\n${'x'.repeat(1000)}\r\nEND\r\n`.length,
  )
})

test('numbers of items count as cas where they decide about a cas: not with append, not with add', async (t) => {
  const server = await createServer()
  t.after(() => server.close())
  const client = await ByteClient.connect(Number(server.urls.memcached.split(':')[1]))
  t.after(() => client.close())
  /** The counters after a request. */
  const asked = async (request: string, answer: string) => {
    assert.equal(await client.ask(request), answer)
    const stats = await client.ask('stats\r\n')
    return ['cas_hits', 'cas_misses', 'cas_badval'].map((name) => Number(new RegExp(`${name} (\\d+)`).exec(stats)![1]))
  }
  assert.deepEqual(await asked('cas a 0 0 1 0\r\nx\r\n', 'NOT_FOUND\r\n'), [0, 1, 0])
  assert.deepEqual(await asked('ms a 1 MA C5\r\nx\r\n', 'NS\r\n'), [0, 1, 0])
  assert.deepEqual(await asked('ms a 1 C5\r\nx\r\n', 'NF\r\n'), [0, 2, 0])
  await client.ask('set a 0 0 1\r\nx\r\n')
  const cas = async () => /c(\d+)/.exec(await client.ask('mg a c\r\n'))![1]
  assert.deepEqual(await asked('cas a 0 0 1 0\r\nx\r\n', 'EXISTS\r\n'), [0, 2, 1])
  assert.deepEqual(await asked('ms a 1 MA C999\r\nx\r\n', 'EX\r\n'), [0, 2, 1])
  assert.deepEqual(await asked(`ms a 1 MA C${await cas()}\r\nx\r\n`, 'HD\r\n'), [0, 2, 1])
  assert.deepEqual(await asked(`ms a 1 C${await cas()}\r\nx\r\n`, 'HD\r\n'), [1, 2, 1])
  // An older number than the item's, where that is to make it stale.
  assert.deepEqual(await asked('ms a 1 I C1\r\nx\r\n', 'HD\r\n'), [2, 2, 1])
})

test('evictions and expiries are counted by the class of the item', async (t) => {
  const server = await createServer({ maxmemoryPolicy: 'allkeys-lru' })
  t.after(() => server.close())
  const client = await ByteClient.connect(Number(server.urls.memcached.split(':')[1]))
  t.after(() => client.close())
  const value = 'x'.repeat(66_560)
  const stat = (stats: string, name: string) => Number(new RegExp(`STAT ${name} (\\d+)`).exec(stats)![1])
  const used = Number(/used_memory:(\d+)/.exec(String(await server.execute('INFO', 'memory')))![1])
  await server.execute('CONFIG', 'SET', 'maxmemory', used + 2_000_000)
  for (let index = 0; index < 90; index++) {
    await client.ask(`set key${index} 0 ${index < 40 ? 0 : 600} ${value.length}\r\n${value}\r\n`)
    if (index < 5) await client.ask(`get key${index}\r\n`)
  }
  // Nothing more goes while the counts are compared.
  await server.execute('CONFIG', 'SET', 'maxmemory', 0)
  const items = await client.ask('stats items\r\n')
  const evicted = stat(items, 'items:31:evicted')
  const left = stat(items, 'items:31:number')
  assert.equal(evicted + left, 90)
  const general = await client.ask('stats\r\n')
  assert.equal(stat(general, 'evictions'), evicted)
  assert.equal(stat(general, 'evicted_unfetched'), stat(items, 'items:31:evicted_unfetched'))
  assert.ok(stat(items, 'items:31:evicted_nonzero') > 0)
  assert.ok(stat(items, 'items:31:evicted_nonzero') <= 50)
  assert.ok(evicted - stat(items, 'items:31:evicted_unfetched') <= 5)

  await client.ask('stats reset\r\n')
  assert.equal(stat(await client.ask('stats items\r\n'), 'items:31:evicted'), 0)
  assert.equal(stat(await client.ask('stats\r\n'), 'evictions'), 0)

  await client.ask(`set short 0 1 ${value.length}\r\n${value}\r\n`)
  server.clock.advance('2s')
  await client.ask('get short\r\n')
  assert.match(
    await client.ask('stats items\r\n'),
    /STAT items:31:reclaimed 1\r\nSTAT items:31:expired_unfetched 1\r\n/,
  )
  const last = await client.ask('stats\r\n')
  assert.deepEqual([stat(last, 'expired_unfetched'), stat(last, 'reclaimed')], [1, 1])
})

test('items that expire before anybody asks for them are those of a crawler, and their class stays', async (t) => {
  const server = await createServer({ enableDebugCommand: 'yes' })
  t.after(() => server.close())
  const client = await ByteClient.connect(Number(server.urls.memcached.split(':')[1]))
  t.after(() => client.close())
  await client.ask('set found 0 1 1\r\nx\r\n')
  await server.execute('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
  server.clock.advance('2s')
  assert.equal(await client.ask('get found\r\n'), 'END\r\n')
  await server.execute('DEBUG', 'SET-ACTIVE-EXPIRE', '1')
  await client.ask('set kept 0 0 1\r\nx\r\n')
  for (let index = 0; index < 3; index++) await client.ask(`set short${index} 0 1 1\r\nx\r\n`)
  server.clock.advance('2s')
  const items = await client.ask('stats items\r\n')
  assert.match(items, /STAT items:1:number 1\r\n/)
  assert.match(items, /STAT items:1:reclaimed 4\r\n/)
  assert.match(items, /STAT items:1:crawler_reclaimed 3\r\n/)
  assert.match(await client.ask('stats\r\n'), /STAT crawler_reclaimed 3\r\n/)
  await client.ask('delete kept\r\n')
  const slabs = await client.ask('stats slabs\r\n')
  assert.match(slabs, /STAT 1:total_pages 1\r\n/)
  assert.match(slabs, /STAT 1:used_chunks 0\r\n/)
})

test('names of statistics in the binary protocol: some need only begin so, those of the text protocol alone are not found', async (t) => {
  const server = await createServer()
  t.after(() => server.close())
  const client = await ByteClient.connect(Number(server.urls.memcached.split(':')[1]))
  t.after(() => client.close())
  const HEADER_BYTES = 24
  const STAT = 0x10
  const NOOP = 0x0a
  const request = (opcode: number, key: string) => {
    const bytes = Buffer.alloc(HEADER_BYTES + key.length)
    bytes[0] = 0x80
    bytes[1] = opcode
    bytes.writeUInt16BE(key.length, 2)
    bytes.writeUInt32BE(key.length, 8)
    bytes.write(key, HEADER_BYTES, 'latin1')
    return bytes
  }
  /** The status of the first answer. */
  const statusOf = async (name: string) => {
    client.send(Buffer.concat([request(STAT, name), request(NOOP, '')]))
    const isLast = (received: Buffer) =>
      received.length >= HEADER_BYTES && received[received.length - HEADER_BYTES + 1] === NOOP
    return (await client.receive(isLast)).readUInt16BE(6)
  }
  const SUCCESS = 0
  const KEY_NOT_FOUND = 1
  const known = ['', 'items', 'sizes', 'settings', 'settingsx', 'settings x', 'resetx']
  for (const name of [...known, 'detail onx', 'detail dumpx', 'detail off x']) {
    assert.equal(await statusOf(name), SUCCESS, name)
  }
  const unknown = ['conns', 'conns x', 'extstore', 'cachedump 1 0', 'items x', 'sizes x', 'slabsx']
  for (const name of [...unknown, 'detail', 'detailx dump', 'detail  dump']) {
    assert.equal(await statusOf(name), KEY_NOT_FOUND, name)
  }
})
