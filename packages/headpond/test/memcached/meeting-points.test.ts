/** One keyspace, two worlds: what clients of memcached and clients of Redis see of each other's keys in database 0. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type CreateServerOptions, createServer, type HeadpondServer } from '#src/server/create-server.ts'
import { RawClient } from '../raw-client.ts'
import { ByteClient } from './byte-client.ts'

interface Meeting {
  readonly server: HeadpondServer
  /** Lines of memcached's protocol, and what they are answered. */
  readonly ask: (text: string) => Promise<string>
  /** A command of Redis, and its reply. */
  readonly redis: HeadpondServer['execute']
}

async function meet(context: TestContext, options: CreateServerOptions = {}): Promise<Meeting> {
  const server = await createServer(options)
  context.after(() => server.close())
  const client = await ByteClient.connect(Number(server.urls.memcached.split(':')[1]))
  context.after(() => client.close())
  return { server, ask: (text) => client.ask(text), redis: (...args) => server.execute(...args) }
}

async function casOf({ ask }: Meeting, key: string): Promise<number> {
  return Number(/^HD c(\d+)\r\n$/.exec(await ask(`mg ${key} c\r\n`))![1])
}

test('strings are seen by both, with their times to live', async (context) => {
  const { server, ask, redis } = await meet(context)
  await ask('set a 5 100 3\r\nabc\r\n')
  assert.deepEqual(await Promise.all([redis('GET', 'a'), redis('TYPE', 'a'), redis('TTL', 'a')]), [
    'abc',
    'string',
    100,
  ])
  await redis('SET', 'b', 'xyz', 'EX', 50)
  assert.equal(await ask('get b\r\nmg b t f\r\n'), 'VALUE b 0 3\r\nxyz\r\nEND\r\nHD t50 f0\r\n')
  await redis('EXPIRE', 'a', 10)
  assert.equal(await ask('mg a t\r\n'), 'HD t10\r\n')
  await ask('touch b 0\r\n')
  assert.equal(await redis('TTL', 'b'), -1)
  server.clock.advance('11s')
  assert.equal(await ask('get a\r\n'), 'END\r\n')
  assert.equal(await redis('DBSIZE'), 1)
  // Only strings of the form of a number are one.
  await redis('INCRBY', 'n', 41)
  assert.equal(await ask('incr n 1\r\n'), '42\r\n')
  assert.equal(await redis('INCR', 'n'), 43)
  assert.equal(
    await ask('set word 0 0 1\r\nx\r\nincr word 1\r\n'),
    'STORED\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\n',
  )
})

test('an item that is stored for a moment that has passed is gone for both, and counts as expired when it is asked for', async (context) => {
  const { ask, redis } = await meet(context)
  for (const exptime of ['-1', '2678400']) {
    await ask('stats reset\r\n')
    // In one turn: nothing else has looked for it meanwhile.
    assert.equal(await ask(`set gone 0 ${exptime} 6\r\nfooval\r\nget gone\r\n`), 'STORED\r\nEND\r\n')
    assert.match(await ask('stats\r\n'), /STAT get_misses 1\r\n(.*\r\n)*STAT get_expired 1\r\n/, exptime)
    await ask(`set gone 0 ${exptime} 6\r\nfooval\r\n`)
    assert.equal(await redis('EXISTS', 'gone'), 0, exptime)
  }
})

test('flags stay with a string that Redis changes, moves or copies, and go with one that it replaces', async (context) => {
  const { ask, redis } = await meet(context)
  const changes: readonly (readonly [command: readonly (string | number)[], key: string, flags: number])[] = [
    [['APPEND', 'a', 'x'], 'a', 7],
    [['SETRANGE', 'a', 0, 'y'], 'a', 7],
    [['SETBIT', 'a', 1, 1], 'a', 7],
    [['EXPIRE', 'a', 100], 'a', 7],
    [['PERSIST', 'a'], 'a', 7],
    [['INCR', 'a'], 'a', 7],
    [['RENAME', 'a', 'b'], 'b', 7],
    [['COPY', 'a', 'b'], 'b', 7],
    [['GETEX', 'a', 'EX', 100], 'a', 7],
    [['SET', 'a', 'new'], 'a', 0],
    [['GETSET', 'a', 'new'], 'a', 0],
    [['SETEX', 'a', 100, 'new'], 'a', 0],
  ]
  for (const [command, key, flags] of changes) {
    await redis('FLUSHALL')
    await ask('set a 7 0 1\r\n1\r\n')
    await redis(...command)
    assert.equal(await ask(`mg ${key} f\r\n`), `HD f${flags}\r\n`, command.join(' '))
  }
  // A large value is kept elsewhere than a small one: its flags are with the key all the same.
  await ask(`set a 7 0 1\r\nx\r\n`)
  await redis('APPEND', 'a', 'y'.repeat(100_000))
  assert.equal(await ask('mg a f s\r\n'), 'HD f7 s100001\r\n')
})

test('a cas number holds until a command of Redis writes to the key; reading does not count', async (context) => {
  const meeting = await meet(context)
  const { ask, redis } = meeting
  const harmless: (string | number)[][] = [
    ['GET', 'a'],
    ['STRLEN', 'a'],
    ['TTL', 'a'],
    ['OBJECT', 'ENCODING', 'a'],
  ]
  const changes = [
    ['SET', 'a', '1'],
    ['APPEND', 'a', '2'],
    ['INCR', 'a'],
    ['SETRANGE', 'a', 0, '3'],
    ['SETBIT', 'a', 0, 0],
    ['GETSET', 'a', '4'],
    ['MSET', 'a', '5'],
    // As for WATCH.
    ['EXPIRE', 'a', 100],
  ]
  for (const command of [...harmless, ...changes]) {
    await ask('set a 0 0 1\r\n1\r\n')
    const cas = await casOf(meeting, 'a')
    await redis(...command)
    const expected = harmless.includes(command) ? 'STORED\r\n' : 'EXISTS\r\n'
    assert.equal(await ask(`cas a 0 0 1 ${cas}\r\n9\r\n`), expected, command.join(' '))
  }
  // It is gone, and another with the same value has another number.
  await ask('set a 0 0 1\r\n1\r\n')
  const cas = await casOf(meeting, 'a')
  await redis('DEL', 'a')
  assert.equal(await ask(`cas a 0 0 1 ${cas}\r\n9\r\n`), 'NOT_FOUND\r\n')
  await redis('SET', 'a', '1')
  assert.equal(await ask(`cas a 0 0 1 ${cas}\r\n9\r\n`), 'EXISTS\r\n')
})

test('other types are missed by who reads; who would change one is told; set and delete go through', async (context) => {
  const { ask, redis } = await meet(context)
  const told = 'SERVER_ERROR key holds a value that is no string\r\n'
  for (const command of [
    ['RPUSH', 'k', 'x'],
    ['HSET', 'k', 'f', 'v'],
    ['SADD', 'k', 'x'],
    ['ZADD', 'k', 1, 'x'],
    ['XADD', 'k', '*', 'f', 'v'],
  ]) {
    await redis('DEL', 'k')
    await redis(...command)
    assert.equal(
      await ask('get k\r\ngets k\r\nmg k v\r\nmd other\r\ntouch k 10\r\n'),
      'END\r\nEND\r\nEN\r\nNF\r\nNOT_FOUND\r\n',
    )
    assert.equal(await redis('TTL', 'k'), -1)
    for (const change of ['add k 0 0 1', 'replace k 0 0 1', 'append k 0 0 1', 'prepend k 0 0 1', 'cas k 0 0 1 1']) {
      assert.equal(await ask(`${change}\r\nx\r\n`), told, `${command[0]} ${change}`)
    }
    assert.equal(await ask('incr k 1\r\ndecr k 1\r\n'), told + told)
    assert.notEqual(await redis('TYPE', 'k'), 'string')
    assert.equal(await ask('delete k\r\ndelete k\r\n'), 'DELETED\r\nNOT_FOUND\r\n')
    await redis(...command)
    assert.equal(await ask('set k 0 0 1\r\nx\r\n'), 'STORED\r\n')
    assert.equal(await redis('GET', 'k'), 'x')
  }
})

test('whoever watches keys in Redis hears of what clients of memcached do', async (context) => {
  const { server, ask, redis } = await meet(context, { notifyKeyspaceEvents: 'EA' })
  const listener = await RawClient.connect(server.port)
  context.after(() => listener.close())
  await listener.call('PSUBSCRIBE', '__keyevent@0__:*')
  await ask('set a 0 100 1\r\n1\r\nincr a 1\r\nappend a 0 0 1\r\n2\r\ntouch a 50\r\ndelete a\r\nset b 0 0 1\r\nx\r\n')
  await redis('DEL', 'b')
  const events: string[] = []
  while (events.at(-1) !== 'del b') {
    const [, , channel, key] = [...(await listener.next()).matchAll(/"([^"]*)"/g)].map(([, text]) => text)
    events.push(`${channel.split(':')[1]} ${key}`)
  }
  assert.deepEqual(
    events.filter((event) => !event.startsWith('new ')),
    ['set a', 'expire a', 'incrby a', 'append a', 'expire a', 'del a', 'set b', 'del b'],
  )
})

test('WATCH and client-side caches notice them too', async (context) => {
  const { server, ask } = await meet(context)
  for (const write of [
    'set a 0 0 1\r\n2\r\n',
    'incr a 1\r\n',
    'append a 0 0 1\r\n2\r\n',
    'touch a 9\r\n',
    'delete a\r\n',
    'flush_all\r\n',
  ]) {
    await ask('set a 0 0 1\r\n1\r\n')
    const client = await RawClient.connect(server.port)
    await client.call('HELLO', '3')
    await client.call('CLIENT', 'TRACKING', 'ON')
    await client.call('WATCH', 'a')
    await client.call('GET', 'a')
    await client.call('MULTI')
    await client.call('SET', 'b', 'x')
    await ask(write)
    assert.match(await client.next(), /invalidate/, write)
    assert.match(await client.call('EXEC'), /^(_|\$-1|\*-1|nil|null)/, write)
    client.close()
  }
})

test('emptying and swapping databases', async (context) => {
  const { server, ask, redis } = await meet(context)
  const other = server.client()
  context.after(() => other.close())
  await other.execute('SELECT', 1)
  await other.execute('SET', 'a', 'of database 1')
  await ask('set a 3 0 1\r\nx\r\n')
  assert.equal(await other.execute('GET', 'a'), 'of database 1')
  await redis('SWAPDB', 0, 1)
  assert.equal(await ask('get a\r\n'), 'VALUE a 0 13\r\nof database 1\r\nEND\r\n')
  await ask('set b 0 0 1\r\nx\r\n')
  assert.equal(await redis('GET', 'b'), 'x')
  await redis('SWAPDB', 0, 1)
  assert.equal(await ask('get a b\r\n'), 'VALUE a 3 1\r\nx\r\nEND\r\n')
  // flush_all is for what memcached sees; FLUSHALL for everything.
  await ask('flush_all\r\n')
  assert.equal(await redis('DBSIZE'), 0)
  assert.equal(await other.execute('DBSIZE'), 2)
  await redis('MOVE', 'nothing', 1)
  await ask('set c 0 0 1\r\nx\r\n')
  await redis('FLUSHALL')
  assert.equal(await ask('get c\r\n'), 'END\r\n')
})

test('a delayed flush_all has happened for whoever asks when it is due, though its timer be late', async (context) => {
  // The server's time is that of Date; its timers are real ones.
  context.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const { ask } = await meet(context)
  assert.equal(await ask('set a 0 0 1\r\nx\r\nflush_all 1000\r\n'), 'STORED\r\nOK\r\n')
  context.mock.timers.setTime(Date.now() + 999_999)
  assert.equal(await ask('get a\r\n'), 'VALUE a 0 1\r\nx\r\nEND\r\n')
  context.mock.timers.setTime(Date.now() + 1)
  assert.equal(await ask('get a\r\nset a 0 0 1\r\ny\r\n'), 'END\r\nSTORED\r\n')
  // It happens once.
  context.mock.timers.setTime(Date.now() + 1_000_000)
  assert.equal(await ask('get a\r\n'), 'VALUE a 0 1\r\ny\r\nEND\r\n')
})

test('memory is shared: what is full is full for both, and the policy evicts the keys of both', async (context) => {
  const { ask, redis } = await meet(context, { maxmemoryPolicy: 'noeviction' })
  const value = 'x'.repeat(10_000)
  const used = Number(/used_memory:(\d+)/.exec(String(await redis('INFO', 'memory')))![1])
  await redis('CONFIG', 'SET', 'maxmemory', used + 2_000_000)
  let stored = 0
  let answer = ''
  for (; stored < 1000 && answer !== 'SERVER_ERROR out of memory storing object\r\n'; stored++) {
    answer = await ask(`set k${stored} 0 0 ${value.length}\r\n${value}\r\n`)
  }
  assert.ok(stored > 20 && stored < 1000, `${stored} items`)
  await assert.rejects(redis('SET', 'k', 'v'), /OOM/)
  // What a miss was to create is missed all the same.
  assert.equal(await ask('mg nothing v N0 Oab\r\n'), 'EN Oab\r\n')
  assert.equal(await ask('ma nothing N0\r\n'), 'SERVER_ERROR Out of memory allocating new item\r\n')
  assert.match(await ask('stats\r\n'), /STAT store_no_memory [1-9]/)

  await redis('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
  await redis('SET', 'k', 'v')
  for (let index = 0; index < 300; index++) {
    assert.equal(await ask(`set n${index} 0 0 ${value.length}\r\n${value}\r\n`), 'STORED\r\n')
  }
  assert.match(await ask('stats\r\n'), /STAT evictions [1-9]\d+/)
  assert.ok(((await redis('DBSIZE')) as number) < 300)
})

for (const [form, options] of [
  ['an append-only file', { appendonly: true, save: '' }],
  ['one whose base is commands', { appendonly: true, save: '', aofUseRdbPreamble: false }],
  ['a snapshot', { save: '3600 1' }],
] as const) {
  test(`flags and times live in ${form}`, async (context) => {
    const dir = mkdtempSync(join(tmpdir(), 'headpond-meeting-'))
    context.after(() => rmSync(dir, { recursive: true, force: true }))
    {
      await using server = await createServer({ dir, ...options })
      const client = await ByteClient.connect(Number(server.urls.memcached.split(':')[1]))
      await client.ask(`set early 4294967295 0 3\r\nabc\r\nset large 9 0 100000\r\n${'x'.repeat(100_000)}\r\n`)
      if (form !== 'a snapshot') {
        const done = server.execute('BGREWRITEAOF')
        await done
        while (/aof_rewrite_in_progress:1/.test(String(await server.execute('INFO', 'persistence')))) {
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
      await client.ask(
        'set late 7 1000 1\r\nx\r\nset plain 0 0 1\r\nx\r\nset gone 5 0 1\r\nx\r\nset n 3 0 1\r\n1\r\nincr n 1\r\n',
      )
      await server.execute('SET', 'gone', 'y')
      await server.execute('APPEND', 'late', 'y')
      await server.execute('RENAME', 'n', 'm')
      client.close()
    }
    await using server = await createServer({ dir, ...options })
    const client = await ByteClient.connect(Number(server.urls.memcached.split(':')[1]))
    assert.equal(
      await client.ask('get early late plain gone m\r\nmg large f s\r\n'),
      [
        ...['VALUE early 4294967295 3', 'abc', 'VALUE late 7 2', 'xy', 'VALUE plain 0 1', 'x'],
        ...['VALUE gone 0 1', 'y', 'VALUE m 3 1', '2', 'END', 'HD f9 s100000', ''],
      ].join('\r\n'),
    )
    assert.match(await client.ask('mg late t\r\n'), /^HD t(99\d|1000)\r\n$/)
    client.close()
  })
}
