/** Directives that change what every client meets, each seen from outside. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { ConfigError } from '#src/config/config-error.ts'
import { createServer } from '#src/index.ts'
import { HeadpondServer } from '#src/server/create-server.ts'
import { Server } from '#src/server/server.ts'
import { inDirectory } from '../persistence/aof/data-server.ts'
import { RawClient } from '../raw-client.ts'

test('dynamic-hz: background work runs more often when there are many clients', async () => {
  const server = await createServer({ memcachedPort: 0, hz: 1 })
  const clients = await Promise.all(Array.from({ length: 402 }, () => RawClient.connect(server.port)))
  try {
    for (const client of clients) assert.equal(await client.call('PING'), '+PONG')
    const shown = async () => /^hz:(\d+)\r\nconfigured_hz:(\d+)/m.exec(String(await server.execute('INFO', 'server')))
    assert.deepEqual((await shown())?.slice(1), ['4', '1'])
    await server.execute('CONFIG', 'SET', 'dynamic-hz', 'no')
    assert.deepEqual((await shown())?.slice(1), ['1', '1'])
    await server.execute('CONFIG', 'SET', 'dynamic-hz', 'yes', 'hz', '2')
    assert.deepEqual((await shown())?.slice(1), ['4', '2'])
    await server.execute('CONFIG', 'SET', 'hz', '3')
    assert.deepEqual((await shown())?.slice(1), ['3', '3'])
  } finally {
    for (const client of clients) client.close()
    await server.close()
  }
})

test('client-default-resp: the protocol of a client that has not said HELLO, and of one that said RESET', async () => {
  const server = await createServer({ memcachedPort: 0, clientDefaultResp: 3 })
  try {
    const client = await RawClient.connect(server.port)
    assert.match(await client.call('CONFIG', 'GET', 'client-default-resp'), /^%1/)
    await client.call('HELLO', '2')
    assert.match(await client.call('CONFIG', 'GET', 'client-default-resp'), /^\*2/)
    assert.equal(await client.call('RESET'), '+RESET')
    assert.match(await client.call('CONFIG', 'GET', 'client-default-resp'), /^%1/)
    client.close()
  } finally {
    await server.close()
  }
})

test('availability-zone: HELLO and INFO tell it once it is set', async () => {
  const server = await createServer({ memcachedPort: 0 })
  try {
    const zone = async () => ((await server.execute('HELLO')) as Record<string, unknown>)['availability_zone']
    assert.equal(await zone(), undefined)
    await server.execute('CONFIG', 'SET', 'availability-zone', 'north-1a')
    assert.equal(await zone(), 'north-1a')
    assert.match(String(await server.execute('INFO', 'server')), /^availability_zone:north-1a\r$/m)
  } finally {
    await server.close()
  }
})

type Renames = readonly (readonly [from: string, to: string])[]

/** A server whose commands have other names, as flags say. */
async function renamed(renames: Renames, ...flags: string[]): Promise<HeadpondServer> {
  const words = renames.flatMap((names) => ['--rename-command', ...names])
  const server = new Server({
    config: Config.load({ argv: ['--port', 'auto', '--memcached-port', '0', ...words, ...flags] }),
    log: { info() {}, warn() {}, error() {} },
    firstArenaBytes: 2 ** 20,
  })
  await server.start()
  return new HeadpondServer(server, 0)
}

test('rename-command: a command has another name, or none, for everybody; permissions and INFO go on with its own', async () => {
  const renames: Renames = [
    ['FLUSHALL', ''],
    ['config', 'Settings-7'],
    ['GET', 'fetch'],
    ['echo', 'get'],
  ]
  const server = await renamed(renames, '--ephemeral')
  try {
    const unknown = /ERR unknown command/
    await assert.rejects(server.execute('FLUSHALL'), unknown)
    await assert.rejects(server.execute('CONFIG', 'GET', 'hz'), unknown)
    assert.deepEqual(await server.execute('SETTINGS-7', 'GET', 'hz'), { hz: '10' })
    await server.execute('SET', 'k', 'v')
    assert.equal(await server.execute('FETCH', 'k'), 'v')
    assert.equal(await server.execute('GET', 'k'), 'k')
    assert.equal(await server.execute('EVAL', "return redis.call('fetch', 'k')", 0), 'v')
    await assert.rejects(server.execute('EVAL', "return redis.call('flushall')", 0), /Unknown Redis command/)

    const names = (await server.execute('COMMAND', 'LIST')) as string[]
    assert.ok(!names.includes('flushall') && names.includes('config|get'))
    assert.equal(await server.execute('COMMAND', 'COUNT'), names.filter((name) => !name.includes('|')).length)
    assert.deepEqual(await server.execute('COMMAND', 'INFO', 'flushall', 'config'), [null, null])
    const [info] = (await server.execute('COMMAND', 'INFO', 'settings-7')) as unknown[][]
    assert.equal(info[0], 'config')
    assert.deepEqual(await server.execute('COMMAND', 'GETKEYS', 'FETCH', 'k'), ['k'])

    await server.execute('ACL', 'SETUSER', 'default', '-get')
    await assert.rejects(server.execute('FETCH', 'k'), /NOPERM .*'get'/)
    assert.match(String(await server.execute('INFO', 'commandstats')), /cmdstat_get:calls=2,/)
  } finally {
    await server.close()
  }
})

test('rename-command: a command of Redis that is not served may be taken away all the same', async () => {
  await using server = await renamed(
    [
      ['SLAVEOF', ''],
      ['migrate', 'move-away'],
      ['move-away', ''],
    ],
    '--ephemeral',
  )
  assert.equal(await server.execute('PING'), 'PONG')
})

test('rename-command: a name that is none, or is taken, is refused', async () => {
  const refusals: [renames: Renames, message: RegExp][] = [
    [[['nosuch', 'x']], /No such command in rename-command/],
    [[['get', 'SET']], /Target command name already exists/],
    [
      [
        ['get', ''],
        ['GET', 'fetch'],
      ],
      /No such command in rename-command/,
    ],
  ]
  for (const [renames, message] of refusals) {
    await assert.rejects(renamed(renames, '--ephemeral'), (error: unknown) => {
      assert.ok(error instanceof ConfigError)
      assert.match(error.message, message)
      return true
    })
  }
})

test('rename-command: what was written to the append-only file is read again', () =>
  inDirectory(async (dir) => {
    const renames: Renames = [
      ['set', 'put'],
      ['pexpireat', ''],
    ]
    const flags = ['--dir', dir, '--appendonly', 'yes']
    const server = await renamed(renames, ...flags)
    await server.execute('PUT', 'k', 'v')
    await server.execute('PUT', 'other', 'v')
    // Written down as PEXPIREAT, which nobody can call.
    await server.execute('EXPIRE', 'k', 1000)
    await server.close()
    const next = await renamed(renames, ...flags)
    assert.deepEqual(await next.execute('MGET', 'k', 'other'), ['v', 'v'])
    assert.ok(Number(await next.execute('TTL', 'k')) > 900)
    await next.close()
  }))
