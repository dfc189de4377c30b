/** What an embedded server offers to tests: data from objects, images of it, calls, faults. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { createServer, ReplyError } from '#src/index.ts'
import { API_NAMES } from '#src/kafka/api-names.ts'
import { apis } from '#src/kafka/apis.ts'
import { RawClient } from '../raw-client.ts'

const server = await createServer()
const redis = new Redis(server.urls.redis, { retryStrategy: null, maxRetriesPerRequest: 0 })
redis.on('error', () => {})
after(async () => {
  redis.disconnect()
  await server.close()
})
beforeEach(() => server.reset())

test('objects become keys of the type that fits', async () => {
  await server.seed({
    text: 'hello',
    number: 42,
    bytes: new Uint8Array([0, 255]),
    list: ['a', 'b', 3],
    set: new Set(['x', 'y']),
    board: new Map([
      ['ada', 10],
      ['bob', 2.5],
    ]),
    user: { name: 'Ada', age: 36 },
    log: [{ event: 'in' }, { event: 'out', after: 3 }],
  })
  assert.equal(await redis.get('text'), 'hello')
  assert.equal(await redis.incr('number'), 43)
  assert.deepEqual(await redis.getBuffer('bytes'), Buffer.from([0, 255]))
  assert.deepEqual(await redis.lrange('list', 0, -1), ['a', 'b', '3'])
  assert.deepEqual((await redis.smembers('set')).sort(), ['x', 'y'])
  assert.deepEqual(await redis.zrange('board', '0', '-1', 'WITHSCORES'), ['bob', '2.5', 'ada', '10'])
  assert.deepEqual(await redis.hgetall('user'), { name: 'Ada', age: '36' })
  const entries = await redis.xrange('log', '-', '+')
  assert.deepEqual(
    entries.map(([, fields]) => fields),
    [
      ['event', 'in'],
      ['event', 'out', 'after', '3'],
    ],
  )
})

test('seeding replaces what was there, takes a database and a time to live, and refuses what no key can hold', async () => {
  await server.seed({ key: ['a'] })
  await server.seed({ key: 'text' }, { ttl: '60s' })
  assert.equal(await redis.get('key'), 'text')
  assert.equal(await redis.ttl('key'), 60)
  await server.seed({ key: 'elsewhere' }, { database: 3 })
  assert.equal(await redis.get('key'), 'text')
  await server.seed({ key: [] })
  assert.equal(await redis.exists('key'), 0)
  await assert.rejects(server.seed({ key: null as never }), { name: 'TypeError', message: /key cannot hold null/ })
  await assert.rejects(server.seed({ key: { nested: {} as never } }), { name: 'TypeError', message: /key cannot hold/ })
  await assert.rejects(server.seed({ key: new Date() as never }), { name: 'TypeError', message: /key cannot hold/ })
})

test('an image puts everything back, as often as it is asked to', async () => {
  await server.seed({ counter: 1, list: ['a'], hash: { f: 'v' }, board: new Map([['m', 1.5]]), set: new Set(['x']) })
  await server.seed({ session: 's' }, { ttl: '60s', database: 2 })
  const before = await server.execute('DEBUG', 'DIGEST').catch(() => null)
  const image = server.snapshot()
  assert.equal(image.keyCount, 6)
  for (let round = 0; round < 3; round++) {
    await redis.incr('counter')
    await redis.del('list')
    await redis.set('new', '1')
    await redis.hset('hash', 'f', 'changed')
    server.restore(image)
    assert.equal(await redis.get('counter'), '1')
    assert.deepEqual(await redis.lrange('list', 0, -1), ['a'])
    assert.equal(await redis.exists('new'), 0)
    assert.equal(await redis.hget('hash', 'f'), 'v')
    assert.equal(await server.execute('DEBUG', 'DIGEST').catch(() => null), before)
  }
  const other = server.client()
  await other.execute('SELECT', 2)
  assert.equal(await other.execute('TTL', 'session'), 60)
  server.clock.advance('61s')
  server.restore(image)
  assert.equal(await other.execute('GET', 'session'), null, 'its time has come')
  other.close()
})

test('an image of large values shares nothing with the store', async () => {
  const large = Buffer.alloc(100_000, 'x')
  await server.seed({ large })
  const image = server.snapshot()
  await redis.setrange('large', 0, 'changed')
  server.restore(image)
  await redis.setrange('large', 0, 'again')
  server.restore(image)
  assert.deepEqual(await redis.getBuffer('large'), large)
})

test('any data comes back as it was', async () => {
  const local = server.client()
  const key = fc.constantFrom('a', 'b', 'c', 'd')
  const word = fc.string({ maxLength: 80 })
  const command = fc.oneof(
    fc.tuple(fc.constant('SET'), key, word),
    fc.tuple(fc.constant('RPUSH'), key, word),
    fc.tuple(fc.constant('SADD'), key, word),
    fc.tuple(fc.constant('HSET'), key, word, word),
    fc.tuple(fc.constant('ZADD'), key, fc.integer(), word),
    fc.tuple(fc.constant('XADD'), key, fc.constant('*'), word, word),
    fc.tuple(fc.constant('PFADD'), key, word),
  )
  const dump = async () => {
    const keys = ((await local.execute('KEYS', '*')) as string[]).sort()
    return Promise.all(keys.map((each) => local.execute('DUMP', each)))
  }
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 30 }), fc.array(command, { maxLength: 5 }), async (first, then) => {
      await server.reset()
      for (const each of first) await local.execute(...each).catch(() => {})
      const expected = await dump()
      const image = server.snapshot()
      for (const each of then) await local.execute(...each).catch(() => {})
      server.restore(image)
      assert.deepEqual(await dump(), expected)
    }),
    { numRuns: 60 },
  )
  local.close()
})

test('calls tell what clients asked, and nothing that the test did itself', async () => {
  await redis.client('SETNAME', 'application')
  await server.reset()
  await server.seed({ seeded: 'x' })
  await redis.get('a')
  await redis.mget('b', 'c')
  await redis.get('d')
  await redis.eval("return redis.call('GET', KEYS[1])", 1, 'within a script')
  assert.deepEqual(
    server.calls('get').map(({ command, args }) => [command, ...args]),
    [
      ['GET', 'a'],
      ['GET', 'd'],
    ],
  )
  assert.deepEqual(
    server.calls().map(({ command }) => command),
    ['GET', 'MGET', 'GET', 'EVAL'],
  )
  const [call] = server.calls('MGET')
  assert.deepEqual(
    { ...call, atMs: 0 },
    { command: 'MGET', args: ['b', 'c'], database: 0, clientName: 'application', atMs: 0 },
  )
  await server.execute('CLIENT', 'ID')
  assert.equal(server.calls('client').length, 1)
  await server.execute('AUTH', 'secret').catch(() => {})
  assert.deepEqual(server.calls('auth')[0].args, ['(redacted)'])
  await server.reset()
  assert.deepEqual(server.calls(), [])
})

test('only so many calls are remembered as wanted', async () => {
  const small = await createServer({ callsKept: 3 })
  const none = await createServer({ callsKept: 0 })
  try {
    for (let index = 0; index < 10; index++) await small.execute('ECHO', index)
    assert.deepEqual(
      small.calls().map(({ args }) => args[0]),
      ['7', '8', '9'],
    )
    assert.throws(() => none.calls(), /callsKept/)
  } finally {
    await small.close()
    await none.close()
  }
})

test('an error strikes the next commands that match, and no others', async () => {
  const fault = server.faults.error({ command: 'set', key: 'user:*', times: 2 }, 'OOM command not allowed')
  assert.equal(await redis.set('other', '1'), 'OK')
  await assert.rejects(redis.set('user:1', '1'), { message: 'OOM command not allowed' })
  assert.equal(await redis.get('user:1'), null, 'it did not run')
  assert.equal(fault.struckCount, 1)
  await assert.rejects(server.execute('SET', 'user:2', '1'), ReplyError)
  assert.equal(fault.remaining, 0)
  assert.equal(await redis.set('user:1', '1'), 'OK')
  server.faults.error({ times: Infinity }, 'LOADING not yet')
  await assert.rejects(redis.ping(), { message: 'LOADING not yet' })
  await assert.rejects(redis.get('a'), { message: 'LOADING not yet' })
  server.faults.clear()
  assert.equal(await redis.ping(), 'PONG')
})

test('a delay lasts until the clock has come so far; later requests of the client keep their order', async () => {
  const client = await RawClient.connect(server.port)
  try {
    server.faults.delay('GET', '5s')
    client.sendBytes('SET k v\r\nGET k\r\nPING\r\n')
    assert.equal(await client.next(), '+OK')
    assert.equal(await redis.get('k'), 'v', 'others are not held up')
    server.clock.advance('4s')
    assert.equal(await redis.ping(), 'PONG')
    assert.equal(client.take().length, 0)
    server.clock.advance('1s')
    assert.equal(await client.next(), '$ "v"')
    assert.equal(await client.next(), '+PONG')
    // Ending all faults ends the wait.
    server.faults.delay('GET', '5s')
    const reply = server.execute('GET', 'k')
    server.faults.clear()
    assert.equal(await reply, 'v')
  } finally {
    client.close()
  }
})

test('a delayed command runs even when its client has gone meanwhile, as with a slow server', async () => {
  const client = await RawClient.connect(server.port)
  const fault = server.faults.delay('SET', '5s')
  client.send('SET', 'gone', '1')
  while (fault.struckCount === 0) await redis.ping()
  client.close()
  await once(client.socket, 'close')
  assert.equal(await redis.get('gone'), null)
  server.clock.advance('5s')
  while (server.calls('SET').length === 0) await redis.ping()
  assert.equal(await redis.get('gone'), '1')
})

test('a dropped connection is one, and the command did not run', async () => {
  const client = await RawClient.connect(server.port)
  server.faults.drop({ command: 'INCR', key: 'visits' })
  client.send('INCR', 'visits')
  await client.untilClosed()
  assert.equal(client.take().length, 0)
  assert.equal(await redis.get('visits'), null)
  assert.equal(await redis.incr('visits'), 1)
})

test('execute goes on after its own connection was dropped, or left', async () => {
  server.faults.drop('INCR')
  await assert.rejects(server.execute('INCR', 'visits'), /connection dropped/)
  assert.equal(await server.execute('INCR', 'visits'), 1)
  assert.equal(await server.execute('QUIT'), 'OK')
  assert.equal(await server.execute('INCR', 'visits'), 2)
})

test('faults can strike by the name of a client, and within MULTI when a command is queued', async () => {
  await redis.client('SETNAME', 'worker')
  server.faults.error({ clientName: 'worker', command: 'LPUSH' }, 'ERR injected')
  assert.equal(await server.execute('LPUSH', 'l', '1'), 1)
  await assert.rejects(() => redis.multi().set('a', '1').lpush('l', '2').exec(), /EXECABORT/)
  assert.equal(await redis.exists('a'), 0)
})

test('a name that nobody can send is refused, with the one that may have been meant', async () => {
  const { faults } = server
  const refused: [attempt: () => unknown, message: RegExp][] = [
    [() => faults.error('GTE', 'ERR'), /no command 'GTE': did you mean 'GET'\?/],
    [() => faults.drop({ command: 'CLIENT LSIT' }), /no command 'CLIENT LSIT': did you mean 'CLIENT\|LIST'\?/],
    [() => faults.delay({ api: 'Prodcue' }, 5), /no API 'Prodcue': did you mean 'Produce'\?/],
    [() => faults.loseAnswer({ api: 'Fetsh' }), /did you mean 'Fetch'\?/],
    [() => faults.error({ api: 'Produce' }, 'NOT_LEADER_OR_FOLOWER'), /did you mean 'NOT_LEADER_OR_FOLLOWER'\?/],
    [() => faults.error({ api: 'Produce' }, 'toString'), /no error of Kafka 'toString'/],
    [() => faults.drop({ comand: 'GET' } as never), /fault comand: .* Did you mean command\?/],
    [() => faults.drop({ api: 'Fetch', clientID: 'c' } as never), /fault clientID: .* Did you mean clientId\?/],
    [() => faults.drop({ command: 'GET', times: 0 }), /fault times: /],
    [() => faults.drop({ command: 'GET', times: '2' as never }), /fault times: /],
    [() => faults.drop({ key: 5 as never }), /fault key: text, not number/],
    [() => faults.drop(undefined as never), /wants the name of a command/],
    [() => faults.error('GET', undefined as never), /an error is text, not undefined/],
    [() => server.calls('GTE'), /did you mean 'GET'\?/],
    [() => server.kafka.calls('Prodcue'), /did you mean 'Produce'\?/],
  ]
  for (const [attempt, message] of refused) assert.throws(attempt, { message })
  await assert.rejects(server.seed({}, { tll: 5 } as never), /seed tll: .* Did you mean ttl\?/)
  for (const name of ['get', 'CLIENT', 'client|list', 'Client List']) faults.error(name, 'ERR').remove()
  faults.error({ api: 'produce' }, 'NOT_LEADER_OR_FOLLOWER').remove()
  assert.equal(await redis.get('untouched'), null)
})

test('names of APIs are those that are served', () => {
  assert.deepEqual(
    API_NAMES,
    apis.map(({ name }) => name),
  )
})
