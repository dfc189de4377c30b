import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { createServer } from '#src/index.ts'
import { encodeCommand, RawClient } from '../raw-client.ts'

async function idOf(client: RawClient): Promise<string> {
  return (await client.call('CLIENT', 'ID')).slice(1)
}

/** Whether a client has got nothing, by a round trip of another one. */
async function isSilent(client: RawClient, other: RawClient): Promise<boolean> {
  await other.call('CLIENT', 'ID')
  return client.take().length === 0
}

// ---- CLIENT KILL ----

test('a client that is killed is gone at once, with its requests and subscriptions', async () => {
  await using server = await createServer()
  const killer = await RawClient.connect(server.port)
  const victim = await RawClient.connect(server.port)
  try {
    const id = await idOf(victim)
    await victim.call('SUBSCRIBE', 'news')
    killer.send('CLIENT', 'KILL', 'ID', id)
    killer.send('CLIENT', 'LIST', 'ID', id)
    killer.send('PUBSUB', 'CHANNELS')
    assert.equal(await killer.next(), ':1')
    assert.equal(await killer.next(), '$ ""')
    assert.equal(await killer.next(), '*0')
    await victim.untilClosed()
  } finally {
    killer.close()
  }
})

test('a client that kills itself reads the answer, and what it sent behind is not run', async () => {
  await using server = await createServer()
  const client = await RawClient.connect(server.port)
  const id = await idOf(client)
  client.send('CLIENT', 'KILL', 'ID', id, 'SKIPME', 'no')
  client.send('SET', 'key', 'value')
  assert.equal(await client.next(), ':1')
  await client.untilClosed()
  assert.equal(await server.execute('GET', 'key'), null)

  const old = await RawClient.connect(server.port)
  const address = /addr=(\S+)/.exec(await old.call('CLIENT', 'INFO'))?.[1] ?? ''
  assert.equal(await old.call('CLIENT', 'KILL', address), '+OK')
  await old.untilClosed()
})

test('filters of CLIENT KILL must all apply', async () => {
  await using server = await createServer()
  const young = await RawClient.connect(server.port)
  const killer = await RawClient.connect(server.port)
  try {
    await young.call('SUBSCRIBE', 'news')
    server.clock.advance('100s')
    const address = /laddr=(\S+)/.exec(await killer.call('CLIENT', 'INFO'))?.[1] ?? ''
    assert.equal(await killer.call('CLIENT', 'KILL', 'MAXAGE', '50', 'TYPE', 'replica'), ':0')
    assert.equal(await killer.call('CLIENT', 'KILL', 'MAXAGE', '200', 'TYPE', 'pubsub'), ':0')
    assert.equal(await killer.call('CLIENT', 'KILL', 'LADDR', address, 'TYPE', 'pubsub', 'USER', 'default'), ':1')
    await young.untilClosed()
  } finally {
    killer.close()
  }
})

// ---- CLIENT PAUSE ----

test('filters of CLIENT LIST must all apply; clients that are named come in the order of their numbers', async () => {
  await using server = await createServer()
  const first = await RawClient.connect(server.port)
  const second = await RawClient.connect(server.port)
  const idsIn = (list: string) => Array.from(list.matchAll(/id=(\d+) addr=/g), (match) => match[1])
  const list = async (...filters: string[]) => idsIn(await first.call('CLIENT', 'LIST', ...filters))
  try {
    const ids = [await idOf(first), await idOf(second)]
    const address = /\baddr=(\S+)/.exec(await second.call('CLIENT', 'INFO'))?.[1] ?? ''
    await second.call('SUBSCRIBE', 'news')
    assert.deepEqual(await list('TYPE', 'normal', 'USER', 'default'), [ids[0]])
    assert.deepEqual(await list('TYPE', 'normal', 'SKIPME', 'yes'), [])
    assert.deepEqual(await list('ADDR', address), [ids[1]])
    assert.deepEqual(await list('ID', ids[1], ids[0], '99999', 'LADDR', `127.0.0.1:${server.port}`), [ids[1], ids[0]])
    assert.deepEqual(await list('ID', ids[1], 'TYPE', 'normal'), [])
    assert.deepEqual(await list('ID', ids[1], 'ID', ids[0], 'SKIPME', 'yes'), [ids[1]])
    assert.deepEqual(await list('ADDR', address, 'MAXAGE', '3600'), [])
    assert.equal(await first.call('CLIENT', 'KILL', 'ID', '99999', ids[0], ids[1]), ':1')
    await second.untilClosed()
  } finally {
    first.close()
  }
})

test('a pause holds everything until its time is up; requests then run in their order', async () => {
  await using server = await createServer()
  const first = await RawClient.connect(server.port)
  const second = await RawClient.connect(server.port)
  try {
    assert.equal(await first.call('CLIENT', 'PAUSE', '60000'), '+OK')
    for (let count = 0; count < 100; count++) first.send('RPUSH_OR_SO', String(count))
    first.send('INCR', 'n')
    second.send('INCR', 'n')
    second.send('CLIENT', 'UNPAUSE')
    server.clock.advance('59s')
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(first.take().length + second.take().length, 0)
    server.clock.advance('2s')
    await first.waitFor(101, 20_000)
    assert.equal(first.take().length, 101)
    await second.waitFor(2, 20_000)
    assert.equal(await server.execute('GET', 'n'), '2')
  } finally {
    first.close()
    second.close()
  }
})

test('a pause of writers lets others read, and ends when told', async () => {
  await using server = await createServer()
  const writer = await RawClient.connect(server.port)
  const reader = await RawClient.connect(server.port)
  try {
    await reader.call('CLIENT', 'PAUSE', '600000', 'WRITE')
    writer.send('SET', 'key', 'value')
    writer.send('GET', 'key')
    assert.equal(await reader.call('GET', 'key'), '_')
    assert.match(await reader.call('CLIENT', 'LIST'), /flags=b .* cmd=set/)
    assert.match(await reader.call('INFO', 'clients'), /blocked_clients:1\\r/)
    // A shorter or milder pause changes nothing.
    await reader.call('CLIENT', 'PAUSE', '1', 'WRITE')
    server.clock.advance('5s')
    assert.ok(await isSilent(writer, reader))
    assert.equal(await reader.call('CLIENT', 'UNPAUSE'), '+OK')
    assert.equal(await writer.next(), '+OK')
    assert.equal(await writer.next(), '$ "value"')
  } finally {
    writer.close()
    reader.close()
  }
})

test('while writers are paused nothing expires by itself, and what has expired is not seen', async () => {
  await using server = await createServer()
  const client = await RawClient.connect(server.port)
  const expiredCount = async () => /expired_keys:(\d+)/.exec(await client.call('INFO', 'stats'))?.[1]
  try {
    for (const key of ['looked-for', 'left', 'scanned']) await client.call('SET', key, '1', 'PX', '1000')
    await client.call('CLIENT', 'PAUSE', '600000', 'WRITE')
    server.clock.advance('5s')
    assert.equal(await client.call('GET', 'looked-for'), '_')
    assert.equal(await client.call('EXISTS', 'scanned'), ':0')
    assert.equal(await client.call('SCAN', '0'), '*2\n  $ "0"\n  *0')
    assert.equal(await client.call('DBSIZE'), ':3')
    assert.equal(await expiredCount(), '0')
    await client.call('CLIENT', 'UNPAUSE')
    await client.call('GET', 'looked-for')
    server.clock.advance('1s')
    assert.equal(await client.call('DBSIZE'), ':0')
    assert.equal(await expiredCount(), '3')
  } finally {
    client.close()
  }
})

test('a transaction waits for a pause when it writes, and only then', async () => {
  await using server = await createServer()
  const client = await RawClient.connect(server.port)
  const other = await RawClient.connect(server.port)
  try {
    await client.call('MULTI')
    await client.call('SET', 'key', 'value')
    await other.call('CLIENT', 'PAUSE', '600000', 'WRITE')
    client.send('EXEC')
    await other.call('MULTI')
    await other.call('GET', 'key')
    assert.equal(await other.call('EXEC'), '*1\n  _')
    assert.ok(await isSilent(client, other))
    other.send('PUBLISH', 'news', 'x')
    server.clock.advance('11m')
    assert.equal(await client.next(), '*1\n  +OK')
    assert.equal(await other.next(), ':0')
  } finally {
    client.close()
    other.close()
  }
})

test('a client that leaves during a pause leaves its requests undone', async () => {
  await using server = await createServer()
  const client = await RawClient.connect(server.port)
  const other = await RawClient.connect(server.port)
  try {
    await other.call('CLIENT', 'PAUSE', '600000', 'WRITE')
    client.send('SET', 'key', 'value')
    await other.call('PING')
    client.socket.resetAndDestroy()
    while (/\n.*\n/.test(JSON.parse(`"${(await other.call('CLIENT', 'LIST')).slice(3, -1)}"`))) await other.call('PING')
    await other.call('CLIENT', 'UNPAUSE')
    assert.equal(await other.call('GET', 'key'), '_')
  } finally {
    other.close()
  }
})

test('a pause holds clients in the process too', async () => {
  await using server = await createServer()
  await server.execute('CLIENT', 'PAUSE', '60000')
  const answers: unknown[] = []
  const done = Promise.all([
    server.execute('INCR', 'n').then((value) => answers.push(value)),
    server.execute('INCR', 'n').then((value) => answers.push(value)),
  ])
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(answers, [])
  server.clock.advance('1m')
  await done
  assert.deepEqual(answers, [1, 2])
})

// ---- CLIENT UNBLOCK ----

test('a client that waits can be told that its time is up, or that it waits no more', async () => {
  await using server = await createServer()
  const waiting = await RawClient.connect(server.port)
  const other = await RawClient.connect(server.port)
  try {
    const id = await idOf(waiting)
    waiting.send('WAIT', '1', '0')
    waiting.send('PING')
    while (!/flags=b/.test(await other.call('CLIENT', 'LIST', 'ID', id)));
    assert.equal(await other.call('CLIENT', 'UNBLOCK', id), ':1')
    assert.equal(await waiting.next(), ':0')
    assert.equal(await waiting.next(), '+PONG')
    assert.equal(await other.call('CLIENT', 'UNBLOCK', id), ':0')
    waiting.send('WAIT', '1', '0')
    while (!/flags=b/.test(await other.call('CLIENT', 'LIST', 'ID', id)));
    assert.equal(await other.call('CLIENT', 'UNBLOCK', id, 'ERROR'), ':1')
    assert.equal(await waiting.next(), '-UNBLOCKED client unblocked via CLIENT UNBLOCK')
    // A reply that was silenced stays so when it comes late, and is the only one.
    waiting.send('CLIENT', 'REPLY', 'SKIP')
    waiting.send('WAIT', '1', '1000')
    waiting.send('ECHO', 'next')
    while (!/flags=b/.test(await other.call('CLIENT', 'LIST', 'ID', id)));
    server.clock.advance('2s')
    assert.equal(await waiting.next(), '$ "next"')
  } finally {
    waiting.close()
    other.close()
  }
})

// ---- CLIENT NO-TOUCH ----

test('reading with NO-TOUCH leaves a key idle; TOUCH touches all the same', async () => {
  await using server = await createServer()
  const client = await RawClient.connect(server.port)
  try {
    await client.call('SET', 'key', 'value')
    await client.call('CLIENT', 'NO-TOUCH', 'on')
    server.clock.advance('100s')
    await client.call('GET', 'key')
    await client.call('MULTI')
    await client.call('GET', 'key')
    await client.call('EXEC')
    const idle = Number((await client.call('OBJECT', 'IDLETIME', 'key')).slice(1))
    assert.ok(idle >= 99 && idle <= 101, String(idle))
    await client.call('TOUCH', 'key')
    assert.equal(await client.call('OBJECT', 'IDLETIME', 'key'), ':0')
  } finally {
    client.close()
  }
})

// ---- Passwords ----

test('in import mode nothing expires or is evicted, and an import source sees what has expired', async () => {
  await using server = await createServer()
  const source = await RawClient.connect(server.port)
  try {
    assert.equal(await source.call('CLIENT', 'IMPORT-SOURCE', 'ON'), '-ERR Server is not in import mode')
    assert.equal(await source.call('CLIENT', 'IMPORT-SOURCE', 'off'), '+OK')
    await server.execute('CONFIG', 'SET', 'import-mode', 'yes')
    assert.equal(await source.call('CLIENT', 'IMPORT-SOURCE', 'maybe'), '-ERR syntax error')
    assert.equal(await source.call('CLIENT', 'IMPORT-SOURCE', 'on'), '+OK')
    assert.match(await source.call('CLIENT', 'INFO'), / flags=I /)
    await source.call('SET', 'n', '1', 'PX', '100')
    await source.call('SET', 'other', '1', 'PX', '100')
    server.clock.advance('1s')
    assert.equal(await server.execute('GET', 'n'), null)
    assert.equal(await server.execute('DBSIZE'), 2)
    assert.equal(await source.call('INCR', 'n'), ':2')
    source.send('MULTI')
    for (let count = 0; count < 2; count++) source.send('INCR', 'n')
    source.send('EXEC')
    for (let count = 0; count < 3; count++) await source.next()
    assert.equal(await source.next(), '*2\n  :3\n  :4')
    assert.equal(await source.call('EVAL', "return redis.call('GET', 'n')", '0'), '$ "4"')
    assert.equal(await source.call('PEXPIREAT', 'n', '1'), ':1')
    assert.equal(await source.call('GET', 'n'), '$ "4"')
    // Who else writes begins anew.
    assert.equal(await server.execute('INCR', 'other'), 1)

    await server.execute('CONFIG', 'SET', 'maxmemory', '1', 'maxmemory-policy', 'allkeys-lru')
    await assert.rejects(server.execute('SET', 'more', '1'), /^Error: OOM|OOM command not allowed/)
    await server.execute('CONFIG', 'SET', 'maxmemory', '0')
    assert.equal(await server.execute('DBSIZE'), 2)
    await source.call('CLIENT', 'PAUSE', '1', 'WRITE')
    await source.call('CLIENT', 'UNPAUSE')
    assert.equal(await source.call('GET', 'n'), '$ "4"')

    await source.call('RESET')
    assert.equal(await source.call('GET', 'n'), '_')
    await server.execute('CONFIG', 'SET', 'import-mode', 'no')
    assert.equal(await source.call('GET', 'n'), '_')
    assert.equal(await server.execute('DBSIZE'), 1)
  } finally {
    source.close()
  }
})

test('with a password, nothing runs before AUTH or HELLO', async () => {
  await using server = await createServer({ requirepass: 'secret' })
  const client = await RawClient.connect(server.port)
  try {
    assert.equal(await client.call('PING'), '-NOAUTH Authentication required.')
    assert.equal(await client.call('CLIENT', 'ID'), '-NOAUTH Authentication required.')
    assert.equal(await client.call('NOSUCH'), "-ERR unknown command 'NOSUCH', with args beginning with:\\x20")
    const wrong = '-WRONGPASS invalid username-password pair or user is disabled.'
    assert.equal(await client.call('AUTH', 'guess'), wrong)
    assert.equal(await client.call('AUTH', 'somebody', 'secret'), wrong)
    assert.equal(await client.call('HELLO', '3', 'AUTH', 'default', 'guess'), wrong)
    assert.match(await client.call('HELLO', '3'), /^-NOAUTH HELLO must be called with the client already authenticated/)
    assert.match(await client.call('HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'me'), /^%7\n/)
    assert.equal(await client.call('CLIENT', 'GETNAME'), '$ "me"')
    // A wrong guess takes nothing away, RESET does.
    assert.equal(await client.call('AUTH', 'guess'), wrong)
    assert.equal(await client.call('PING'), '+PONG')
    assert.equal(await client.call('RESET'), '+RESET')
    assert.equal(await client.call('PING'), '-NOAUTH Authentication required.')
    assert.equal(await client.call('AUTH', 'secret'), '+OK')
  } finally {
    client.close()
  }
  const byUrl = new Redis(server.urls.redis)
  assert.equal(await byUrl.ping(), 'PONG')
  byUrl.disconnect()
})

test('a password that is set later asks new clients for it, and one that is taken away lets all in', async () => {
  await using server = await createServer()
  const early = await RawClient.connect(server.port)
  await early.call('CONFIG', 'SET', 'requirepass', 'secret')
  const late = await RawClient.connect(server.port)
  try {
    assert.equal(await early.call('PING'), '+PONG')
    assert.equal(await late.call('PING'), '-NOAUTH Authentication required.')
    await early.call('CONFIG', 'SET', 'requirepass', '')
    assert.equal(await late.call('PING'), '+PONG')
  } finally {
    early.close()
    late.close()
  }
})

// ---- Half-closed connections ----

test('a client that shuts down its side gets all replies, during a pause too', async () => {
  await using server = await createServer()
  const other = await RawClient.connect(server.port)
  try {
    for (const isPaused of [false, true]) {
      if (isPaused) await other.call('CLIENT', 'PAUSE', '600000', 'WRITE')
      const socket = createConnection({ port: server.port, host: '127.0.0.1' })
      let received = ''
      socket.on('data', (bytes) => {
        received += bytes
      })
      const closed = once(socket, 'close')
      socket.end(Buffer.concat([encodeCommand(['SET', 'key', 'value']), encodeCommand(['GET', 'key'])]))
      if (isPaused) {
        while (!/flags=b/.test(await other.call('CLIENT', 'LIST')));
        await other.call('CLIENT', 'UNPAUSE')
      }
      await closed
      assert.equal(received, '+OK\r\n$5\r\nvalue\r\n')
    }
  } finally {
    other.close()
  }
})

test('a client that waits for something and shuts down its side is gone', async () => {
  await using server = await createServer()
  const waiting = await RawClient.connect(server.port)
  waiting.send('WAIT', '1', '0')
  waiting.socket.end()
  await waiting.untilClosed()
  assert.deepEqual(waiting.take(), [])
})
