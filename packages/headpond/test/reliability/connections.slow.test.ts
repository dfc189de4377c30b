import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { after, before, test } from 'node:test'
import { createServer, type HeadpondServer } from '#src/index.ts'
import { encodeCommand, RawClient } from '../raw-client.ts'

/** With HEADPOND_TEST_HEAVY=1 values of the largest size are tried too: they take gigabytes of memory. */
const isHeavy = process.env['HEADPOND_TEST_HEAVY'] === '1'

let server: HeadpondServer

before(async () => {
  server = await createServer({ ephemeral: true })
})

after(() => server.close())

/** Reads a fixed number of bytes that must be one reply again and again. */
async function readRepeated(client: RawClient, reply: string, count: number): Promise<void> {
  const { socket } = client
  socket.removeAllListeners('data')
  const expected = Buffer.from(reply.repeat(Math.ceil(65536 / reply.length) + 1), 'latin1')
  let receivedBytes = 0
  const wantedBytes = reply.length * count
  await new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += 65536) {
        const piece = chunk.subarray(at, at + 65536)
        const phase = (receivedBytes + at) % reply.length
        if (!piece.equals(expected.subarray(phase, phase + piece.length))) reject(new Error('another reply came'))
      }
      receivedBytes += chunk.length
      if (receivedBytes >= wantedBytes) resolve()
    })
    socket.on('close', () => reject(new Error(`closed after ${receivedBytes} of ${wantedBytes} bytes`)))
    socket.resume()
  })
  assert.equal(receivedBytes, wantedBytes)
}

test('a pipeline of a million commands that is written before anything is read', async () => {
  const client = await RawClient.connect(server.port)
  client.socket.pause()
  const command = encodeCommand(['SET', 'pipelined', 'value'])
  const pipeline = Buffer.alloc(command.length * 1_000_000, command)
  await new Promise((resolve) => client.socket.write(pipeline, resolve))
  await readRepeated(client, '+OK\r\n', 1_000_000)
  client.close()
})

test('replies far beyond what is kept for a slow reader all arrive', async () => {
  const value = 'v'.repeat(50_000)
  await server.execute('SET', 'page', value)
  const client = await RawClient.connect(server.port)
  client.socket.pause()
  const getCount = 8000 // 400 MB
  const command = encodeCommand(['GET', 'page'])
  client.socket.write(Buffer.alloc(command.length * getCount, command))
  // The server gets as far as it goes, and others go on meanwhile.
  for (let turns = 0; turns < 50; turns++) {
    assert.equal(await server.execute('PING'), 'PONG')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await readRepeated(client, `$50000\r\n${value}\r\n`, getCount)
  client.close()
})

test('a transaction of a hundred thousand commands', async () => {
  const client = await RawClient.connect(server.port)
  const count = 100_000
  client.send('MULTI')
  client.sendBytes(
    Buffer.concat(Array.from({ length: count }, (_, index) => encodeCommand(['SET', `t:${index}`, 'x']))),
  )
  assert.equal(await client.next(), '+OK')
  for (let index = 0; index < count; index++) assert.equal(await client.next(), '+QUEUED')
  assert.equal(await server.execute('GET', 't:0'), null)
  const reply = await client.call('EXEC')
  assert.equal(reply, [`*${count}`, ...Array.from({ length: count }, () => '  +OK')].join('\n'))
  assert.equal(await server.execute('GET', `t:${count - 1}`), 'x')
  client.close()
})

test('keys and values of every byte', async () => {
  const client = await RawClient.connect(server.port)
  for (let byte = 0; byte < 256; byte++) client.send('SET', Buffer.of(byte), Buffer.of(255 - byte))
  for (let byte = 0; byte < 256; byte++) assert.equal(await client.next(), '+OK')
  for (let byte = 0; byte < 256; byte++) client.send('GET', Buffer.of(byte))
  await client.waitFor(256, 5000)
  const values = client.take().map((reply) => ('text' in reply ? reply.text?.[0] : undefined))
  assert.deepEqual(
    values,
    Array.from({ length: 256 }, (_, byte) => 255 - byte),
  )
  client.close()
})

const sizes = [
  1,
  2,
  7,
  8,
  15,
  16,
  63,
  64,
  255,
  256,
  4095,
  4096,
  16384,
  32767,
  32768,
  65535,
  65536,
  65537,
  2 ** 20,
  2 ** 20 + 1,
]
for (const sizeBytes of [...sizes, 64 * 2 ** 20, ...(isHeavy ? [2 ** 29] : [])]) {
  test(`a key and a value of ${sizeBytes} bytes`, async () => {
    const client = await RawClient.connect(server.port)
    const value = Buffer.alloc(sizeBytes)
    for (let at = 0; at < sizeBytes; at++) value[at] = at ^ (at >> 8) ^ (at >> 16)
    // A key as large as the largest value would only double the time.
    const key = sizeBytes > 2 ** 21 ? Buffer.from('giant') : value
    client.send('SET', key, value)
    assert.equal(await client.next(60_000), '+OK')
    client.send('GET', key)
    await client.waitFor(1, 60_000)
    const [reply] = client.take()
    assert.ok(reply.marker === '$' && reply.text?.equals(value), 'the same bytes come back')
    assert.equal(await client.call('DEL', key), ':1')
    client.close()
  })
}

test('clients that are cut off within a command leave nothing behind, while others write', async () => {
  const writer = await RawClient.connect(server.port)
  for (let round = 0; round < 100; round++) {
    const victim = await RawClient.connect(server.port)
    victim.sendBytes(encodeCommand(['SET', 'before', `${round}`]))
    const cut = encodeCommand(['SET', 'half', Buffer.alloc(300_000, 'h')])
    victim.sendBytes(cut.subarray(0, 1 + Math.floor((cut.length - 2) * (round / 100))))
    assert.equal(await victim.next(), '+OK')
    if (round % 2 === 0) victim.close()
    else victim.socket.resetAndDestroy()
    assert.equal(await writer.call('SET', 'whole', `${round}`), '+OK')
    assert.equal(await writer.call('GET', 'whole'), `$ "${round}"`)
  }
  assert.equal(await writer.call('GET', 'half'), '_')
  assert.equal(await writer.call('GET', 'before'), '$ "99"')
  writer.close()
})

test('a peer that shuts down its side gets every reply, then the connection ends', async () => {
  for (const commandCount of [1, 10, 50_000]) {
    const socket = createConnection({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
    const received: Buffer[] = []
    socket.on('data', (chunk: Buffer) => received.push(chunk))
    socket.end(
      Buffer.concat([Buffer.alloc(6 * commandCount, 'PING\r\n'), Buffer.from('*2\r\n$3\r\nGET\r\n$100\r\ncut')]),
    )
    await once(socket, 'end', { signal: AbortSignal.timeout(20_000) })
    assert.equal(Buffer.concat(received).toString(), '+PONG\r\n'.repeat(commandCount))
    socket.destroy()
  }
})

test('a protocol error is told, and then the connection ends', async () => {
  const client = await RawClient.connect(server.port)
  client.sendBytes('PING\r\n*1\r\nPING\r\nPING\r\n')
  assert.equal(await client.next(), '+PONG')
  assert.equal(await client.next(), "-ERR Protocol error: expected '$', got 'P'")
  await client.untilClosed()
  assert.deepEqual(client.take(), [])
})

test('an HTTP request reaches no command in its body', async () => {
  for (const request of ['POST / HTTP/1.1\r\n', 'GET / HTTP/1.1\r\nHost: localhost\r\n']) {
    const client = await RawClient.connect(server.port)
    client.sendBytes(`${request}\r\nSET attacked yes\r\n`)
    await client.untilClosed()
    assert.equal(await server.execute('GET', 'attacked'), null)
  }
})

test('connections that come and go without a word', async () => {
  for (let round = 0; round < 40; round++) {
    const sockets = Array.from({ length: 100 }, () => createConnection({ port: server.port, host: '127.0.0.1' }))
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    for (const [index, socket] of sockets.entries()) {
      if (index % 3 === 0) socket.destroy()
      else if (index % 3 === 1) socket.resetAndDestroy()
      else socket.end()
    }
    assert.equal(await server.execute('PING'), 'PONG')
    await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')))
  }
  const client = await RawClient.connect(server.port)
  assert.equal(await client.call('PING'), '+PONG')
  client.close()
})
