import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from '#src/index.ts'
import { refusalOf } from '#src/resp/admission.ts'
import type { RespEngine } from '#src/resp/engine.ts'
import { RawClient } from '../raw-client.ts'

function logOf(): { lines: string[]; log: { info(): void; warn(line: string): void; error(): void } } {
  const lines: string[] = []
  return { lines, log: { info() {}, warn: (line) => void lines.push(line), error() {} } }
}

/** A client that never reads. */
async function connectDeaf(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port)
  client.socket.pause()
  return client
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (let count = 0; count < 2000; count++) {
    if (await isTrue()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.fail('it did not come about')
}

test('a listener that never reads is closed at the hard limit, and others are not held up', async () => {
  const { lines, log } = logOf()
  await using server = await createServer({ clientOutputBufferLimit: 'pubsub 1mb 0 0', log })
  const deaf = await RawClient.connect(server.port)
  const listener = await RawClient.connect(server.port)
  const sender = await RawClient.connect(server.port)
  try {
    await deaf.call('SUBSCRIBE', 'news')
    deaf.socket.pause()
    await listener.call('SUBSCRIBE', 'news')
    const payload = Buffer.alloc(100_000)
    let receiverCount = 2
    let sentCount = 0
    // The kernel's buffers take some megabytes before anything is left with the server.
    while (receiverCount === 2 && sentCount < 1000) {
      receiverCount = Number((await sender.call('PUBLISH', 'news', payload)).slice(1))
      sentCount++
    }
    assert.equal(receiverCount, 1)
    await listener.waitFor(sentCount, 20_000)
    assert.equal(listener.take().length, sentCount)
    assert.equal(lines.length, 1)
    assert.match(
      lines[0],
      /^Client id=\d+ addr=\S+ .* sub=1 .* omem=\d{7} .* scheduled to be closed ASAP for overcoming of output buffer limits\.$/,
    )
    await until(async () => String(await server.execute('CLIENT', 'LIST', 'TYPE', 'pubsub')).split('\n').length === 2)
  } finally {
    deaf.close()
    listener.close()
    sender.close()
  }
})

test('who asks for more than its hard limit gets nothing of it, however fast it reads; a transaction runs to its end', async () => {
  await using server = await createServer({ clientOutputBufferLimit: 'normal 1mb 0 0' })
  await server.execute('SET', 'key', Buffer.alloc(700_000))
  const batch = await RawClient.connect(server.port)
  const transaction = await RawClient.connect(server.port)
  try {
    assert.match(await batch.call('GET', 'key'), /^\$/)
    batch.sendBytes('GET key\r\nGET key\r\nSET after 1\r\n')
    await batch.untilClosed()
    assert.deepEqual(batch.take(), [])
    transaction.sendBytes('MULTI\r\nGET key\r\nGET key\r\nSET inside 1\r\n')
    await transaction.waitFor(4, 20_000)
    transaction.take()
    transaction.sendBytes('EXEC\r\n')
    await transaction.untilClosed()
    assert.deepEqual(transaction.take(), [])
    assert.equal(await server.execute('EXISTS', 'inside'), 1)
    assert.equal(await server.execute('EXISTS', 'after'), 0)
  } finally {
    batch.close()
    transaction.close()
  }
})

test('beyond the soft limit a client has its seconds, and is spared when it reads in time', async () => {
  const { lines, log } = logOf()
  await using server = await createServer({ clientOutputBufferLimit: 'normal 0 1mb 60', log })
  const deaf = await connectDeaf(server.port)
  const slow = await connectDeaf(server.port)
  const other = await RawClient.connect(server.port)
  try {
    await other.call('SET', 'key', Buffer.alloc(2_000_000))
    const lists = async () => (await other.call('CLIENT', 'LIST')).split('omem=').map(Number.parseFloat)
    for (const client of [deaf, slow]) for (let count = 0; count < 8; count++) client.send('GET', 'key')
    await until(async () => (await lists()).filter((sizeBytes) => sizeBytes > 1e6).length === 2)
    server.clock.advance('50s')
    slow.socket.resume()
    await slow.waitFor(8, 20_000)
    assert.equal(slow.take().length, 8)
    server.clock.advance('5s')
    await until(async () => (await lists()).filter((sizeBytes) => sizeBytes > 1e6).length === 1)
    assert.equal(lines.length, 0)
    server.clock.advance('10s')
    await until(async () => lines.length > 0)
    assert.equal(lines.length, 1)
    assert.match(lines[0], /^Client id=\d+ .* overcoming of output buffer limits\.$/)
    assert.equal(await slow.call('PING'), '+PONG')
  } finally {
    deaf.close()
    slow.close()
    other.close()
  }
})

test('requests of a client that does not read wait, so that it costs no more than what is kept for it', async () => {
  await using server = await createServer()
  const deaf = await connectDeaf(server.port)
  const other = await RawClient.connect(server.port)
  try {
    // Large replies to small requests: all of these fit in one read.
    await other.call('SETRANGE', 'key', String(20_000_000), 'x')
    for (let count = 0; count < 100; count++) deaf.send('GETRANGE', 'key', '0', '9999999')
    deaf.send('INCR', 'done')
    const unread = async () => Number(/omem=([1-9]\d+)/.exec(await other.call('CLIENT', 'LIST'))?.[1] ?? 0)
    await until(async () => (await unread()) > 100e6)
    assert.ok((await unread()) < 160e6, String(await unread()))
    assert.equal(await other.call('GET', 'done'), '_')
    deaf.socket.resume()
    await deaf.waitFor(101, 60_000)
    assert.equal(await other.call('GET', 'done'), '$ "1"')
  } finally {
    deaf.close()
    other.close()
  }
})

test('a request that outgrows the query buffer limit ends the connection', async () => {
  const { lines, log } = logOf()
  await using server = await createServer({ clientQueryBufferLimit: '1mb', log })
  const client = await RawClient.connect(server.port)
  client.sendBytes('*2\r\n$3\r\nGET\r\n$3000000\r\n')
  client.sendBytes(Buffer.alloc(2_000_000))
  await client.waitFor(1, 20_000)
  assert.ok(client.isClosed)
  assert.match(lines[0], /^Closing client that reached max query buffer length: id=\d+ addr=\S+ /)
})

test('clients that say nothing for the time of `timeout` are closed, but not those that listen or wait', async () => {
  await using server = await createServer({ timeout: 300 })
  const idle = await RawClient.connect(server.port)
  const busy = await RawClient.connect(server.port)
  const listener = await RawClient.connect(server.port)
  const waiting = await RawClient.connect(server.port)
  try {
    await idle.call('PING')
    await listener.call('SUBSCRIBE', 'news')
    waiting.send('WAIT', '1', '0')
    server.clock.advance('299s')
    assert.equal(await busy.call('PING'), '+PONG')
    server.clock.advance('2s')
    await idle.untilClosed()
    assert.equal(await busy.call('PING'), '+PONG')
    assert.equal(await listener.call('PING'), '*2\n  $ "pong"\n  $ ""')
    assert.equal(waiting.isClosed, false)
  } finally {
    busy.close()
    listener.close()
    waiting.close()
  }
})

test('one client too many is told so', async () => {
  await using server = await createServer({ maxclients: 2 })
  const clients = [await RawClient.connect(server.port), await RawClient.connect(server.port)]
  for (const client of clients) assert.equal(await client.call('PING'), '+PONG')
  const refused = await RawClient.connect(server.port)
  assert.equal(await refused.next(), '-ERR max number of clients reached')
  await refused.untilClosed()
  clients[0].close()
  await until(async () => {
    const client = await RawClient.connect(server.port)
    client.send('PING')
    const isWelcome = (await client.next()) === '+PONG'
    client.close()
    return isWelcome
  })
  clients[1].close()
})

test('protected mode turns strangers away as long as there is no password', () => {
  const engine = (protectedMode: boolean, hasPassword: boolean) =>
    ({
      clients: new Map(),
      settings: { maxclients: 10, protectedMode },
      acl: { users: { default: { credentials: { acceptsAny: !hasPassword } } } },
    }) as unknown as RespEngine
  const refusal = refusalOf(engine(true, false), false) ?? ''
  assert.match(refusal, /^-DENIED Redis is running in protected mode .*\r\n$/)
  assert.equal(refusalOf(engine(true, false), true), null)
  assert.equal(refusalOf(engine(true, true), false), null)
  assert.equal(refusalOf(engine(false, false), false), null)
})
