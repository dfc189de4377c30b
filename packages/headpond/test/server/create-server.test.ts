import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { connect } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { ConfigError, createServer, DataDirectoryError, ReplyError } from '#src/index.ts'
import { durationMs } from '#src/server/duration.ts'

test('an embedded server gives its addresses, and clients work against them', async () => {
  const server = await createServer({ ephemeral: true })
  try {
    assert.match(server.urls.redis, /^redis:\/\/127\.0\.0\.1:\d+$/)
    assert.equal(server.env.REDIS_URL, server.urls.redis)
    assert.equal(server.env.REDIS_PORT, String(server.port))
    const redis = new Redis(server.urls.redis)
    await redis.set('k', 'v')
    assert.equal(await server.execute('GET', 'k'), 'v')
    redis.disconnect()
  } finally {
    await server.close()
  }
})

test('the client in the process gives typed replies', async () => {
  const server = await createServer({ ephemeral: true })
  try {
    assert.equal(await server.execute('SET', 'n', 41), 'OK')
    assert.equal(await server.execute('INCR', 'n'), 42)
    assert.equal(await server.execute('GET', 'missing'), null)
    assert.deepEqual(await server.execute('MGET', 'n', 'missing'), ['42', null])
    await assert.rejects(server.execute('INCR', 'n', 'too many'), (error: unknown) => {
      assert(error instanceof ReplyError)
      assert.equal(error.code, 'ERR')
      assert.equal(error.message, "ERR wrong number of arguments for 'incr' command")
      return true
    })
    await server.execute('SET', 'text', 'wörter')
    assert.equal(await server.execute('GET', 'text'), 'wörter')
    const binary = server.client({ binary: true })
    const bytes = Buffer.from([0, 255, 13, 10, 36])
    await binary.execute('SET', 'bytes', bytes)
    assert.deepEqual(await binary.execute('GET', 'bytes'), bytes)
    binary.close()
    await assert.rejects(binary.execute('PING'), /closed/)
  } finally {
    await server.close()
  }
})

test('a command that no reply comes to is rejected', async () => {
  const server = await createServer()
  const [waiting, quitting] = [server.client(), server.client()]
  const pop = assert.rejects(waiting.execute('BLPOP', 'list', 0), /the client is closed/)
  const ownPop = assert.rejects(server.execute('BLPOP', 'list', 0), /the client is closed/)
  assert.equal(await quitting.execute('QUIT'), 'OK')
  await assert.rejects(quitting.execute('PING'), /the client is closed/)
  const other = server.client()
  for (const command of [['MONITOR'], ['client', 'reply', 'off']]) {
    await assert.rejects(other.execute(...command), /use a client with a connection/)
  }
  await assert.rejects(other.execute('SET', 'key', undefined as never), {
    name: 'TypeError',
    message: 'argument 2 of SET is undefined: give text, a number or bytes',
  })
  assert.equal(await other.execute('PING'), 'PONG')
  await server.close()
  await Promise.all([pop, ownPop])
  await assert.rejects(other.execute('PING'), /the client is closed/)
})

test('moving the clock lets keys expire at once, without anybody asking for them', async () => {
  const server = await createServer({ ephemeral: true })
  try {
    await server.execute('SET', 'session', 'x', 'EX', 60)
    await server.execute('SET', 'stays', 'x')
    server.clock.advance('59s')
    assert.equal(await server.execute('DBSIZE'), 2)
    server.clock.advance(1500)
    assert.equal(await server.execute('DBSIZE'), 1)
    assert.equal(await server.execute('GET', 'session'), null)
  } finally {
    await server.close()
  }
})

test('durations are milliseconds, or a number with a unit', () => {
  assert.deepEqual(
    ['250ms', '60s', '5m', '1.5h', '2d', 7].map(durationMs),
    [250, 60_000, 300_000, 5_400_000, 172_800_000, 7],
  )
  for (const wrong of ['', 's', '5 weeks', -1, '-5s', Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => durationMs(wrong), RangeError)
})

test('reset empties every database and leaves the server in place', async () => {
  const server = await createServer({ ephemeral: true })
  try {
    const other = server.client()
    await other.execute('SELECT', 7)
    await other.execute('SET', 'a', 1)
    await server.execute('SET', 'b', 2)
    await server.reset()
    assert.equal(await other.execute('DBSIZE'), 0)
    assert.equal(await server.execute('DBSIZE'), 0)
    await server.execute('SET', 'c', 3)
    assert.equal(await server.execute('GET', 'c'), '3')
  } finally {
    await server.close()
  }
})

test('fifty servers in one process share nothing', async () => {
  const servers = await Promise.all(Array.from({ length: 50 }, () => createServer({ ephemeral: true })))
  try {
    assert.equal(new Set(servers.map((server) => server.port)).size, 50)
    await Promise.all(servers.map((server, index) => server.execute('SET', 'who', index)))
    const answers = await Promise.all(servers.map((server) => server.execute('GET', 'who')))
    assert.deepEqual(
      answers,
      Array.from({ length: 50 }, (_, index) => String(index)),
    )
    servers[0].clock.advance('1h')
    assert(servers[0].clock.nowMs() - servers[1].clock.nowMs() > 3_500_000)
  } finally {
    await Promise.all(servers.map((server) => server.close()))
  }
})

test('a server with a password lets in only who knows it', async () => {
  const server = await createServer({ requirepass: 'p@ss word' })
  try {
    const redis = new Redis(server.urls.redis)
    assert.equal(await redis.ping(), 'PONG')
    redis.disconnect()
    const stranger = new Redis(server.port, '127.0.0.1', { retryStrategy: () => null })
    await assert.rejects(stranger.get('k'), /^ReplyError: NOAUTH /)
    stranger.disconnect()
  } finally {
    await server.close()
  }
})

test('options are checked as a configuration file is', async () => {
  await assert.rejects(createServer({ maxclients: 'many' as never }), ConfigError)
  await assert.rejects(createServer({ dir: fileURLToPath(import.meta.url) }), (error: unknown) => {
    assert(error instanceof DataDirectoryError)
    assert.match(error.message, /there is a file of that name. Set dir to another, or ephemeral to yes/)
    return true
  })
  const taken = await createServer({})
  try {
    await assert.rejects(createServer({ port: taken.port }), (error: unknown) => {
      assert(error instanceof ConfigError)
      assert.match(error.message, /127\.0\.0\.1:\d+ is in use.*or set port to auto/)
      return true
    })
  } finally {
    await taken.close()
  }
})

test('an option that is none, or not of its type, is named, also where nothing checks types', async () => {
  const refused: [options: object, message: RegExp][] = [
    [{ prot: 7000 }, /option prot: .* Did you mean port\?/],
    [{ maxmemoryPolcy: 'noeviction' }, /option maxmemoryPolcy: .* Did you mean maxmemoryPolicy\?/],
    [{ callKept: 5 }, /option callKept: .* Did you mean callsKept\?/],
    [{ somethingElse: 5 }, /^option somethingElse: there is no such option\.$/],
    [{ callsKept: -1 }, /option callsKept: must be a whole number from 0, not -1/],
    [{ callsKept: '5' }, /option callsKept: /],
    [{ random: 5 }, /option random: must be a function/],
    [{ log: {} }, /option log: .* info, warn, error/],
    [{ requirepass: true }, /option requirepass: cannot be true/],
    [{ requirepass: Number.NaN }, /option requirepass: cannot be NaN/],
    [{ requirepass: null }, /option requirepass: cannot be null/],
    [{ dir: () => '/tmp' }, /option dir: cannot be a value of type function/],
    [{ bind: ['127.0.0.1', null] }, /option bind: cannot be null/],
    [{ bind: true }, /option bind: cannot be true/],
    [{ maxclients: {} }, /option maxclients: cannot be a value of type object/],
    [{ kafka: true }, /option kafka: must be an object/],
    [{ kafka: { topic: {} } }, /option kafka topic: .* Did you mean topics\?/],
    [{ kafka: { topics: ['orders'] } }, /kafka\.topics: must be an object/],
    [{ kafka: { topics: { orders: null } } }, /topic orders: must be an object/],
    [{ kafka: { topics: { orders: { partition: 3 } } } }, /topic orders partition: .* Did you mean partitions\?/],
    [{ kafka: { topics: { orders: { config: { 'retention.ms': null } } } } }, /topic orders config retention\.ms: /],
    [{ kafka: { config: 'x' } }, /option kafka\.config: must be an object/],
    [{ kafka: { config: { 'num.partition': 3 } } }, /kafka\.num\.partition: .* Did you mean num\.partitions\?/],
    [{ kafka: { config: { 'num.partitions': () => 3 } } }, /option kafka\.config num\.partitions: /],
    [{ 'kafka.num.partition': 3 }, /kafka\.num\.partition: .* Did you mean num\.partitions\?/],
  ]
  for (const [options, message] of refused) {
    await assert.rejects(createServer(options), { name: 'ConfigError', message })
  }
  await assert.rejects(createServer(null as never), { name: 'ConfigError', message: /createServer: must be an object/ })
})

test('what is undefined is left out, names may be those of a file, and nothing need be listened on', async () => {
  await using server = await createServer({
    maxmemory: undefined,
    'maxmemory-policy': 'allkeys-lru',
    bind: [],
    kafka: { topics: { absent: undefined as never, orders: { config: { 'retention.ms': undefined as never } } } },
  } as object)
  assert.deepEqual(await server.execute('CONFIG', 'GET', 'maxmemory-policy'), { 'maxmemory-policy': 'allkeys-lru' })
  assert.deepEqual(await server.kafka.topics(), ['orders'])
  assert.equal(server.urls.redis, '')
})

test('close ends connections, frees the port, and may be called twice', async () => {
  const server = await createServer({ ephemeral: true })
  const socket = connect(server.port, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  const ended = new Promise((resolve) => socket.once('close', resolve))
  socket.resume()
  await server.close()
  await server.close()
  await ended
  const successor = await createServer({ port: server.port })
  await successor.close()
})

test('nothing keeps the process alive after close', () => {
  const index = new URL('../../dist/index.js', import.meta.url).href
  const program = `
    import { createServer } from ${JSON.stringify(index)}
    const server = await createServer({ ephemeral: true })
    await server.execute('SET', 'k', 'v', 'EX', 1000)
    await server.close()
    console.log('closed')`
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  assert.equal(output, 'closed\n')
})

test('await using closes the server at the end of the block', async () => {
  const server = await createServer({ ephemeral: true })
  await server[Symbol.asyncDispose]()
  await assert.rejects(
    new Promise((_, reject) => connect(server.port, '127.0.0.1').once('error', reject)),
    /ECONNREFUSED/,
  )
})
