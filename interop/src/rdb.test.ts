/**
 * RDB files in both directions: redis-server loads what Headpond saved, and Headpond loads what redis-server saved. Both
 * then have the same DEBUG DIGEST, the same expiries and the same access figures.
 *
 *   SEED=<n> FILES=<n> npm run interop -- rdb
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { encodeCommand, RawClient } from 'headpond/test/raw-client.ts'
import { chooseSeed, SeededRandom } from 'headpond/test/seeded-random.ts'
import { type Argument, CommandGenerator, KEYS } from './command-generator.ts'
import { RedisServer } from './redis-server.ts'

const FILE_COUNT = Number(process.env['FILES'] ?? 20)
const COMMAND_COUNT = 400

type Command = readonly Argument[]

interface Running {
  readonly client: RawClient
  stop(): Promise<void>
}

async function startRedis(dir: string, ...args: string[]): Promise<Running> {
  const redis = await RedisServer.start('--dir', dir, ...args)
  const client = await redis.connect()
  return {
    client,
    stop: () => {
      client.close()
      return redis.stop()
    },
  }
}

async function startHeadpond(dir: string, options: object = {}): Promise<Running> {
  const server = await createServer({ dir, save: [], enableDebugCommand: 'yes', ...options } as never)
  const client = await RawClient.connect(server.port)
  return {
    client,
    stop: () => {
      client.close()
      return server.close()
    },
  }
}

/** Sends all, and reads as many replies. */
async function sendAll(client: RawClient, commands: readonly Command[]): Promise<void> {
  for (let at = 0; at < commands.length; at += 1000) {
    const batch = commands.slice(at, at + 1000)
    client.sendBytes(Buffer.concat(batch.map((command) => encodeCommand(command))))
    await client.waitFor(batch.length, 60_000)
    client.take()
  }
}

/** What both must agree on: everything but chance. */
async function stateOf(client: RawClient, keys: readonly string[] = []): Promise<string[]> {
  const state = [await client.call('DEBUG', 'DIGEST'), await client.call('DBSIZE')]
  for (const key of keys) {
    state.push(`${key}: ${await client.call('PEXPIRETIME', key)} ${await client.call('TYPE', key)}`)
  }
  return state
}

async function withDirectory(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-rdb-'))
  try {
    await run(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Every type, small and large, with all that a file can say of a key. */
function samples(random: SeededRandom): Command[] {
  const far = String(Date.now() + 3_600_000)
  const many = (count: number, each: (index: number) => Argument[]): Argument[] =>
    Array.from({ length: count }, (_, index) => each(index)).flat()
  const commands: Command[] = [
    ['SET', 'text', 'hello'],
    ['SET', 'integer', '-123456'],
    ['SET', 'large integer', '9223372036854775807'],
    ['SET', 'empty', ''],
    ['SET', '', 'the empty key'],
    ['SET', 'compressible', 'abc'.repeat(10_000)],
    ['SET', 'large', random.bytes(200_000)],
    ['SET', Buffer.alloc(10_000, 'k'), 'a long key'],
    ['SET', random.bytes(30), random.bytes(300)],
    ['SET', 'expiring', 'soon', 'PXAT', far],
    ['SETBIT', 'bits', '100000', '1'],
    ['PFADD', 'visitors', ...many(1000, (index) => [`visitor ${index}`])],
    ['GEOADD', 'places', '13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania'],
    ['RPUSH', 'small list', 'a', '1', 'b'],
    ['RPUSH', 'list', ...many(3000, (index) => [`element ${index}`])],
    ['RPUSH', 'list of large', 'x', random.bytes(50_000), 'y', Buffer.alloc(20_000, 'z')],
    ['SADD', 'integers', '1', '-70000', '5000000000'],
    ['SADD', 'small set', 'a', 'b', 'c'],
    ['SADD', 'set', ...many(3000, (index) => [`member ${index}`])],
    ['HSET', 'small hash', 'field', 'value', 'n', '17'],
    ['HSET', 'hash', ...many(3000, (index) => [`field ${index}`, `value ${index * 3}`])],
    ['ZADD', 'small sorted set', '1', 'a', '-inf', 'b', '2.5', 'c'],
    ['ZADD', 'sorted set', ...many(3000, (index) => [String((index - 1500) / 7), `member ${index}`])],
    ['PEXPIREAT', 'sorted set', far],
    ['XGROUP', 'CREATE', 'stream', 'group', '0', 'MKSTREAM'],
    ...Array.from({ length: 500 }, (_, index) => ['XADD', 'stream', `${index + 1}-0`, 'n', String(index)]),
    ['XREADGROUP', 'GROUP', 'group', 'consumer', 'COUNT', '20', 'STREAMS', 'stream', '>'],
    ['XACK', 'stream', 'group', '1-0', '2-0'],
    ['XDEL', 'stream', '3-0', '5-0'],
    ['XADD', 'emptied', '1-1', 'a', 'b'],
    ['XDEL', 'emptied', '1-1'],
    ['SELECT', '9'],
    ['SET', 'in another database', 'yes'],
    ['SELECT', '0'],
  ]
  return commands
}

test('redis-server loads what Headpond saved, and the other way round', { timeout: 120_000 }, async () => {
  for (const compression of ['yes', 'no']) {
    await withDirectory(async (dir) => {
      const first = await startHeadpond(dir, { rdbcompression: compression })
      await sendAll(first.client, samples(new SeededRandom(1)))
      const keys = ['text', 'expiring', 'sorted set', 'stream']
      const saved = await stateOf(first.client, keys)
      assert.equal(await first.client.call('SAVE'), '+OK')
      await first.stop()

      const redis = await startRedis(dir, '--rdbcompression', compression)
      assert.deepEqual(await stateOf(redis.client, keys), saved)
      await redis.client.call('SET', 'written by redis-server', 'yes')
      const savedByRedis = await stateOf(redis.client, keys)
      assert.equal(await redis.client.call('SAVE'), '+OK')
      await redis.stop()

      const second = await startHeadpond(dir)
      assert.deepEqual(await stateOf(second.client, keys), savedByRedis)
      assert.match(await second.client.call('XINFO', 'STREAM', 'stream', 'FULL'), /consumer/)
      await second.stop()
    })
  }
})

test('counters of accesses and idle times go both ways', { timeout: 60_000 }, async () => {
  for (const [policy, word] of [
    ['allkeys-lfu', 'FREQ'],
    ['allkeys-lru', 'IDLETIME'],
  ] as const) {
    await withDirectory(async (dir) => {
      const options = policy === 'allkeys-lfu' ? ['FREQ', '77'] : ['IDLETIME', '5000']
      const first = await startHeadpond(dir, { maxmemoryPolicy: policy })
      await first.client.call('SET', 'seed', 'value')
      first.client.send('DUMP', 'seed')
      await first.client.waitFor(1, 5000)
      const [dump] = first.client.take()
      assert.ok('text' in dump && dump.text !== null)
      assert.equal(await first.client.call('RESTORE', 'key', '0', dump.text, ...options), '+OK')
      await first.client.call('SAVE')
      await first.stop()
      const redis = await startRedis(dir, '--maxmemory-policy', policy, '--lfu-decay-time', '0')
      const theirs = Number((await redis.client.call('OBJECT', word, 'key')).slice(1))
      assert.ok(Math.abs(theirs - Number(options[1])) <= 2, `${word} is ${theirs}`)
      await redis.client.call('SAVE')
      await redis.stop()
      const second = await startHeadpond(dir, { maxmemoryPolicy: policy, lfuDecayTime: 0 })
      const ours = Number((await second.client.call('OBJECT', word, 'key')).slice(1))
      assert.ok(Math.abs(ours - Number(options[1])) <= 4, `${word} is ${ours}`)
      await second.stop()
    })
  }
})

test('files of random contents go both ways', { timeout: 600_000 }, async (t) => {
  const baseSeed = chooseSeed()
  t.diagnostic(`SEED=${baseSeed}`)
  for (let file = 0; file < FILE_COUNT; file++) {
    const seed = baseSeed + file
    await withDirectory(async (dir) => {
      const random = new SeededRandom(seed)
      const redis = await startRedis(dir)
      const generator = new CommandGenerator(random, await commandNames(redis.client))
      const commands = Array.from({ length: COMMAND_COUNT }, () => generator.next())
        .flat()
        .map(({ args }) => args)
        .filter(([name]) => !/^(B[LRZ]|WAIT|XREAD)/i.test(String(name)))
      await sendAll(redis.client, commands)
      // What has expired is deleted by whoever looks, and counts until then.
      await sendAll(
        redis.client,
        KEYS.map((key) => ['EXISTS', key]),
      )
      const theirs = await stateOf(redis.client)
      await redis.client.call('SAVE')
      await redis.stop()

      const headpond = await startHeadpond(dir)
      assert.deepEqual(await stateOf(headpond.client), theirs, `SEED=${seed}: loaded by Headpond`)
      assert.equal(await headpond.client.call('SAVE'), '+OK')
      await headpond.stop()

      const again = await startRedis(dir)
      assert.deepEqual(await stateOf(again.client), theirs, `SEED=${seed}: loaded by redis-server`)
      await again.stop()
    })
  }
})

async function commandNames(client: RawClient): Promise<Set<string>> {
  client.send('COMMAND', 'LIST')
  await client.waitFor(1, 10_000)
  const [reply] = client.take()
  const items = 'items' in reply ? (reply.items ?? []) : []
  return new Set(items.map((item) => ('items' in item ? '' : String(item.text))))
}
