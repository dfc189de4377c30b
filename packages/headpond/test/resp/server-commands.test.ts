import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createServer } from '#src/index.ts'
import type { ReplyValue } from '#src/resp/decoder.ts'
import { RawClient } from '../raw-client.ts'
import { ServerProcess } from '../server-process.ts'

test('the slow log keeps who, when and what, cut to size, and no secrets', async () => {
  const server = await createServer()
  try {
    await server.execute('CLIENT', 'SETNAME', 'tester')
    await server.execute('CONFIG', 'SET', 'slowlog-log-slower-than', '0')
    await server.execute('SET', 'key', 'x'.repeat(200))
    await server.execute('MSET', ...Array.from({ length: 80 }, (_, index) => `a${index}`))
    await server.execute('CONFIG', 'SET', 'requirepass', 'secret', 'masterauth', 'secret', 'hz', '20')
    await server.execute('CONFIG', 'SET', 'requirepass', '', 'slowlog-log-slower-than', '-1')
    await server.execute('PING')
    const entries = (await server.execute('SLOWLOG', 'GET', '-1')) as [
      number,
      number,
      number,
      string[],
      string,
      string,
    ][]
    const [secrets, many, long, first] = entries
    assert.equal(entries.length, 4)
    assert.deepEqual(
      entries.map(([id]) => id),
      [3, 2, 1, 0],
    )
    assert.ok(Math.abs(first[1] - server.clock.nowMs() / 1000) < 60)
    assert.ok(first[2] >= 0)
    assert.equal(first[5], 'tester')
    assert.deepEqual(secrets[3], ['CONFIG', 'SET', 'requirepass', '(redacted)', 'masterauth', '(redacted)', 'hz', '20'])
    assert.equal(many[3].length, 32)
    assert.equal(many[3][31], '... (50 more arguments)')
    assert.equal(long[3][2], `${'x'.repeat(128)}... (72 more bytes)`)
  } finally {
    await server.close()
  }
})

test('a command that waited is in the slow log once it is served, with its own arguments', async () => {
  const server = await createServer({ slowlogLogSlowerThan: 0 })
  const client = await RawClient.connect(server.port)
  try {
    client.send('BLPOP', 'list', '0')
    while (!String(await server.execute('INFO', 'clients')).includes('blocked_clients:1')) await nextTurn()
    const shown = async () => ((await server.execute('SLOWLOG', 'GET', '-1')) as string[][]).map((entry) => entry[3])
    assert.ok(!(await shown()).some(([name]) => name === 'BLPOP'))
    await server.execute('LPUSH', 'list', 'a')
    assert.equal(await client.next(), '*2\n  $ "list"\n  $ "a"')
    assert.deepEqual(
      (await shown()).filter(([name]) => name === 'BLPOP'),
      [['BLPOP', 'list', '0']],
    )
  } finally {
    client.close()
    await server.close()
  }
})

test('values that are freed in the background count as one each, keys of a database one by one', async () => {
  const server = await createServer()
  try {
    const lazyFreed = async () => /lazyfreed_objects:(\d+)/.exec(String(await server.execute('INFO', 'memory')))?.[1]
    await server.execute('SADD', 'set', ...Array.from({ length: 1000 }, (_, index) => `member ${index}`))
    await server.execute('UNLINK', 'set')
    while ((await lazyFreed()) === '0') await nextTurn()
    assert.equal(await lazyFreed(), '1')
    await server.execute('SELECT', '1')
    await server.execute('MSET', ...Array.from({ length: 4000 }, (_, index) => `k${index}`))
    await server.execute('SET', 'other', 'x')
    await server.execute('SELECT', '0')
    await server.execute('SET', 'kept', 'x')
    await server.execute('SELECT', '1')
    await server.execute('FLUSHDB', 'ASYNC')
    while ((await lazyFreed()) !== '2002') await nextTurn()
  } finally {
    await server.close()
  }
})

test('COMMAND LIST has subcommands as well', async () => {
  const server = await createServer()
  try {
    const names = (await server.execute('COMMAND', 'LIST')) as string[]
    assert.ok(names.includes('get') && names.includes('client|list'))
    assert.deepEqual(
      names.toSorted(),
      ((await server.execute('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', '*')) as string[]).toSorted(),
    )
  } finally {
    await server.close()
  }
})

test('a client sees as its input what its request came with', async () => {
  const server = await createServer()
  const client = await RawClient.connect(server.port)
  try {
    const size = '*2\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n'.length
    assert.match(await client.call('CLIENT', 'LIST'), new RegExp(` qbuf=${size} .* argv-mem=10 `))
  } finally {
    client.close()
    await server.close()
  }
})

test('slow commands make latency events, one sample a second at most, the worst', async () => {
  const server = await createServer({ enableDebugCommand: 'yes' })
  try {
    await server.execute('CONFIG', 'SET', 'latency-monitor-threshold', '5')
    for (const [sleepSeconds, thenMs] of [
      [0.006, 0],
      [0.012, 61_000],
      [0.006, 3_600_000],
    ]) {
      await server.execute('DEBUG', 'SLEEP', sleepSeconds)
      server.clock.advance(thenMs)
    }
    const history = (await server.execute('LATENCY', 'HISTORY', 'command')) as [number, number][]
    assert.ok(history.length >= 2 && history.length <= 3) // the first two, unless a second began between them
    const [[, last]] = history.slice(-1)
    assert.ok(last >= 6) // and more on a busy machine
    const latest = (await server.execute('LATENCY', 'LATEST')) as ReplyValue[][]
    assert.equal(latest[0][0], 'command')
    assert.ok(Number(latest[0][3]) >= 12)
    const graph = String(await server.execute('LATENCY', 'GRAPH', 'command'))
    assert.match(graph, /^command - high \d+ ms, low \d+ ms \(all time high \d+ ms\)\n-{80}\n/)
    assert.match(graph, /#/)
    assert.match(String(await server.execute('LATENCY', 'DOCTOR')), /command: \d latency spikes/)
    assert.equal(await server.execute('LATENCY', 'RESET'), 1)
    assert.deepEqual(await server.execute('LATENCY', 'LATEST'), [])
  } finally {
    await server.close()
  }
})

test('CONFIG SET of the port answers when it is listened on, and what follows waits', async () => {
  const server = await createServer()
  const other = await createServer()
  const client = await RawClient.connect(server.port)
  try {
    const freedPort = other.port
    await other.close()
    client.send('CONFIG', 'SET', 'port', String(freedPort))
    client.send('CONFIG', 'GET', 'port')
    client.send('PING')
    assert.equal(await client.next(), '+OK')
    assert.equal(
      await client.next(),
      `*2
  $ "port"
  $ "${freedPort}"`,
    )
    assert.equal(await client.next(), '+PONG')
    const fresh = await RawClient.connect(freedPort)
    assert.equal(await fresh.call('PING'), '+PONG')
    fresh.close()
  } finally {
    client.close()
    await server.close()
  }
})

test('DEBUG is refused unless it is enabled', async () => {
  const server = await createServer()
  try {
    await assert.rejects(server.execute('DEBUG', 'SLEEP', '0'), /^ReplyError: ERR DEBUG command not allowed\. If the/)
  } finally {
    await server.close()
  }
  const local = await createServer({ enableDebugCommand: 'local' })
  try {
    const client = await RawClient.connect(local.port)
    assert.equal(await client.call('DEBUG', 'SLEEP', '0'), '+OK')
    client.close()
  } finally {
    await local.close()
  }
})

test('SHUTDOWN ends the process, having sent the replies before it', async () => {
  const server = await ServerProcess.start()
  try {
    const client = await server.connect()
    const exited = once(server.child, 'exit')
    client.send('SET', 'key', 'value')
    client.send('SHUTDOWN', 'NOSAVE')
    client.send('SET', 'never', 'run')
    const [exitCode] = await exited
    assert.equal(exitCode, 0)
    await client.waitFor(1, 1000)
    assert.deepEqual(
      client.take().map((reply) => String((reply as { text: Buffer }).text)),
      ['OK'],
    )
    assert.ok(client.isClosed)
  } finally {
    await server.stop('SIGKILL')
  }
})

test('SHUTDOWN ends an embedded server', async () => {
  const server = await createServer()
  const client = await RawClient.connect(server.port)
  assert.equal(await server.execute('SHUTDOWN', 'NOW', 'FORCE', 'SAVE'), 'OK')
  await once(client.socket, 'close')
  await server.close()
})

test('a reload through payloads keeps values and expiries in every database', async () => {
  const server = await createServer({ enableDebugCommand: 'yes' })
  try {
    await server.execute('SET', 'short', 'lived', 'PX', '100000')
    await server.execute('SET', 'large', 'x'.repeat(100_000))
    await server.execute('SELECT', '5')
    await server.execute('SET', 'n', '12')
    const digest = await server.execute('DEBUG', 'DIGEST')
    assert.equal(await server.execute('DEBUG', 'RELOAD'), 'OK')
    assert.equal(await server.execute('DEBUG', 'DIGEST'), digest)
    assert.equal(await server.execute('GET', 'n'), '12')
    await server.execute('SELECT', '0')
    assert.ok(Number(await server.execute('PTTL', 'short')) > 90_000)
  } finally {
    await server.close()
  }
})
