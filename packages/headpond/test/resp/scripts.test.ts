import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type CreateServerOptions, createServer, type HeadpondServer } from '#src/server/create-server.ts'
import { encodeCommand, RawClient } from '../raw-client.ts'
import { ServerProcess } from '../server-process.ts'

const ENDLESS = 'while true do end'
const UNKILLABLE = /^-UNKILLABLE Sorry the script already executed write commands against the dataset/

async function withServer(
  options: CreateServerOptions,
  work: (server: HeadpondServer) => Promise<void>,
): Promise<void> {
  const server = await createServer({ busyReplyThreshold: 5, ...options })
  try {
    await work(server)
  } finally {
    await server.close()
  }
}

/** What the server says to PING when it no longer says PONG. */
async function untilBusy(client: RawClient): Promise<string> {
  for (;;) {
    const reply = await client.call('PING')
    if (reply !== '+PONG') return reply
  }
}

test('a script that takes long lets others hear of it, and ends when it is killed', () =>
  withServer({}, async (server) => {
    const caller = await RawClient.connect(server.port)
    const other = await RawClient.connect(server.port)
    caller.send('EVAL', ENDLESS, '0')
    caller.send('PING')
    const busy = '-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.'
    assert.equal(await untilBusy(other), busy)
    assert.equal(await other.call('GET', 'k'), busy)
    assert.equal(await other.call('EVAL', 'return 1', '0'), busy)
    assert.equal(await other.call('SHUTDOWN', 'SAVE'), busy)
    assert.equal(await other.call('FUNCTION', 'STATS'), busy)
    assert.equal(await other.call('FUNCTION', 'KILL'), busy)
    assert.equal(await other.call('SCRIPT', 'KILL'), '+OK')
    assert.match(await caller.next(), /^-ERR Error running script|^-ERR Script killed by user with SCRIPT KILL/)
    assert.equal(await caller.next(), '+PONG')
    assert.equal(await other.call('PING'), '+PONG')
    assert.equal(await other.call('SCRIPT', 'KILL'), '-NOTBUSY No scripts in execution right now.')
    caller.close()
    other.close()
  }))

test('a function that takes long is told of, and ends by FUNCTION KILL', () =>
  withServer({}, async (server) => {
    const caller = await RawClient.connect(server.port)
    const other = await RawClient.connect(server.port)
    await server.execute(
      'FUNCTION',
      'LOAD',
      `#!lua name=lib\nredis.register_function('endless', function() ${ENDLESS} end)`,
    )
    caller.send('FCALL', 'endless', '1', 'key')
    const busy = '-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.'
    assert.equal(await untilBusy(other), busy)
    assert.equal(await other.call('SCRIPT', 'KILL'), busy)
    const stats = await other.call('FUNCTION', 'STATS')
    assert.match(stats, /"running_script"[\s\S]*"endless"[\s\S]*"FCALL"[\s\S]*"key"[\s\S]*"duration_ms"/)
    assert.equal(await other.call('FUNCTION', 'KILL'), '+OK')
    assert.match(await caller.next(), /^-ERR .*killed by user/)
    assert.equal(await other.call('PING'), '+PONG')
    caller.close()
    other.close()
  }))

test('a script that catches the error of its end ends all the same', () =>
  withServer({}, async (server) => {
    const caller = await RawClient.connect(server.port)
    const other = await RawClient.connect(server.port)
    caller.send('EVAL', `while true do pcall(function() ${ENDLESS} end) end`, '0')
    await untilBusy(other)
    assert.equal(await other.call('SCRIPT', 'KILL'), '+OK')
    assert.match(await caller.next(), /^-ERR .*killed by user/)
    assert.equal(await other.call('PING'), '+PONG')
    caller.close()
    other.close()
  }))

test('while a script waits for its next slice nobody sees what it has written, nor is served by it', () =>
  withServer({ busyReplyThreshold: 1 }, async (server) => {
    const [caller, waiting, other] = await Promise.all([1, 2, 3].map(() => RawClient.connect(server.port)))
    waiting.send('BLPOP', 'list', '0')
    while (!(await other.call('INFO', 'clients')).includes('blocked_clients:1')) {}
    caller.send(
      'EVAL',
      "redis.call('LPUSH', KEYS[1], 'y') for i = 1, 1e7 do end return redis.call('LPUSH', KEYS[1], 'z')",
      '1',
      'list',
    )
    await untilBusy(other)
    assert.match(await other.call('SCRIPT', 'KILL'), UNKILLABLE)
    assert.equal(await caller.next(), ':2')
    assert.equal(await waiting.next(), '*2\n  $ "list"\n  $ "z"')
    for (const client of [caller, waiting, other]) client.close()
  }))

test('a script whose client has gone goes on to its end', () =>
  withServer({ busyReplyThreshold: 1 }, async (server) => {
    const caller = await RawClient.connect(server.port)
    const other = await RawClient.connect(server.port)
    caller.send('EVAL', "for i = 1, 1e7 do end redis.call('SET', 'done', 1)", '0')
    await untilBusy(other)
    caller.close()
    while ((await other.call('GET', 'done')).startsWith('-BUSY')) {}
    assert.equal(await other.call('GET', 'done'), '$ "1"')
    other.close()
  }))

test('where a script cannot be suspended it is ended: below pcall, and in a transaction', () =>
  withServer({}, async (server) => {
    const client = await RawClient.connect(server.port)
    assert.match(await client.call('EVAL', `pcall(function() ${ENDLESS} end) return 'went on'`, '0'), /killed|went on/)
    await client.call('MULTI')
    await client.call('SET', 'k', '1')
    await client.call('EVAL', ENDLESS, '0')
    await client.call('INCR', 'k')
    assert.match(await client.call('EXEC'), /^\*3\n {2}\+OK\n {2}-ERR .*it ran too long.*\n {2}:2$/)
    assert.match(
      await client.call('EVAL', 'table.sort({1, 2, 3}, function() while true do end end)', '0'),
      /it ran too long/,
    )
    assert.match(
      await client.call('EVAL', 'return ("a"):rep(30):find(("a?"):rep(28) .. ("a"):rep(40))', '0'),
      /too long|_/,
    )
    assert.equal(await client.call('PING'), '+PONG')
    client.close()
  }))

test('SHUTDOWN NOSAVE ends a server whose script has written and does not end', async () => {
  const server = await ServerProcess.start('--busy-reply-threshold', '5')
  try {
    const caller = await server.connect()
    const other = await server.connect()
    caller.send('EVAL', `redis.call('SET', 'k', 1) ${ENDLESS}`, '0')
    await untilBusy(other)
    assert.match(await other.call('SCRIPT', 'KILL'), UNKILLABLE)
    assert.match(await other.call('SHUTDOWN'), /^-BUSY/)
    const exit = once(server.child, 'exit')
    other.send('SHUTDOWN', 'NOSAVE')
    assert.deepEqual(await exit, [0, null])
  } finally {
    await server.stop('SIGKILL')
  }
})

test('a reply may be nested as deep as in Redis, and ends in an error beyond', () =>
  withServer({}, async (server) => {
    const socket = createConnection(server.port, '127.0.0.1')
    socket.end(encodeCommand(['EVAL', 'local a = {} local b = {a} a[1] = b return a', '0']))
    let text = ''
    for await (const chunk of socket) text += chunk
    assert.equal(text, `${'*1\r\n'.repeat(7995)}-ERR reached lua stack limit\r\n`)
    assert.equal(await server.execute('PING'), 'PONG')
  }))

test('a script that asks for more memory than there is gets an error, and the next one a new state', () =>
  withServer({}, async (server) => {
    const sum = Array.from({ length: 40 }, () => 's').join(' .. ')
    const script = `local s = string.rep('x', 2 ^ 20) for i = 1, 5 do s = s .. s end return #(${sum})`
    await assert.rejects(server.execute('EVAL', script, 0), /not enough memory/)
    assert.equal(await server.execute('EVAL', "return redis.call('INCR', 'n')", 0), 1)
    // A state that has grown is given up.
    const used = Number(/used_memory_vm_eval:(\d+)/.exec(String(await server.execute('INFO', 'memory')))?.[1])
    assert.ok(used < 2 ** 20, `${used}`)
  }))

test('what scripts write goes into the append-only file as one, and nothing of the script itself', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-scripts-'))
  try {
    const options = { ephemeral: false, dir, appendonly: true, busyReplyThreshold: 1 } as const
    await withServer(options, async (server) => {
      await server.execute(
        'FUNCTION',
        'LOAD',
        "#!lua name=lib\nredis.register_function('set', function(keys) return redis.call('SET', keys[1], 'f') end)",
      )
      await server.execute('EVAL', "return redis.call('SET', 'one', 'x')", 0)
      await server.execute(
        'EVAL',
        "redis.call('SELECT', 3) redis.call('SET', 'two', 1) redis.call('INCR', 'two') return redis.call('GET', 'two')",
        0,
      )
      await server.execute('EVAL', "redis.call('SADD', 'set', 'a') return redis.call('SPOP', 'set')", 0)
      await server.execute('EVAL', "redis.set_repl(redis.REPL_NONE) redis.call('SET', 'nowhere', 1)", 0)
      await server.execute(
        'EVAL',
        "redis.call('SET', 'kept', 1) redis.set_repl(redis.REPL_REPLICA) redis.call('SET', 'nowhere', 1)",
        0,
      )
      await assert.rejects(server.execute('EVAL', "redis.call('SET', 'half', 1) error('stopped')", 0), /stopped/)
      await server.execute('FCALL', 'set', 1, 'three')
      await server.execute('EVAL', "redis.call('SET', 'slow', 1) for i = 1, 1e7 do end redis.call('SET', 'slow', 2)", 0)
      await server.execute('EVAL', "return redis.call('GET', 'one')", 0)
    })
    const directory = join(dir, 'appendonlydir')
    const [name] = readdirSync(directory).filter((each) => each.endsWith('.incr.aof'))
    const words = readFileSync(join(directory, name), 'latin1')
      .split('\r\n')
      .filter((word) => /^[^*$]/.test(word))
      .slice(1)
    assert.deepEqual(
      words
        .join(' ')
        .split(/ (?=FUNCTION|SELECT|MULTI|EXEC|SET|INCR|SADD|SREM)/)
        .slice(2),
      [
        'SET one x',
        'SELECT 3',
        'MULTI',
        'SET two 1',
        'INCR two',
        'EXEC',
        'SELECT 0',
        'MULTI',
        'SADD set a',
        'SREM set a',
        'EXEC',
        'SET kept 1',
        'SET half 1',
        'SET three f',
        'MULTI',
        'SET slow 1',
        'SET slow 2',
        'EXEC',
      ],
    )
    await withServer(options, async (server) => {
      const keys = ((await server.execute('KEYS', '*')) as string[]).sort()
      assert.deepEqual(keys, ['half', 'kept', 'one', 'slow', 'three'])
      assert.equal(await server.execute('GET', 'slow'), '2')
      assert.equal(await server.execute('FCALL', 'set', 1, 'again'), 'OK')
    })
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
