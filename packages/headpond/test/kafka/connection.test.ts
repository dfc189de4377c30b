import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { apiVersionsRequest } from '#src/kafka/schemas/api-versions.ts'
import { fetchRequest, fetchResponse } from '#src/kafka/schemas/fetch.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { produceRequest, produceResponse } from '#src/kafka/schemas/produce.ts'
import { encodeBatch } from '#src/log/records/batch.ts'
import { startBroker, type TestBroker } from './test-broker.ts'
import type { WireClient } from './wire-client.ts'

const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

function topicsNamed(...names: string[]) {
  return { topics: names.map((name) => ({ name, topicId: ZERO_UUID })), includeTopicAuthorizedOperations: false }
}

/** Nothing is there to be fetched yet. */
function longPoll(maxWaitMs: number) {
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }]
  return {
    maxWaitMs,
    minBytes: 1,
    isolationLevel: 0,
    sessionEpoch: -1,
    topics: [{ topic: 'orders', topicId: ZERO_UUID, partitions }],
    forgottenTopicsData: [],
  }
}

async function isServed(client: WireClient): Promise<void> {
  const { clusterId } = await client.call(metadataRequest, metadataResponse, 9, topicsNamed())
  assert.ok(clusterId)
}

/** The reason that the log gives for a connection that was closed: of this kind there is one line. */
function closings({ logged }: TestBroker): string[] {
  return logged
    .filter((line) => /^Kafka connection of/.test(line))
    .map((line) => line.replace(/^.*? (closed|refused): /, ''))
}

test('requests of one connection are answered in their order', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  const versions = [0, 4, 9, 13, 1]
  const ids = versions.map((version) => client.send(metadataRequest, version, topicsNamed(`t${version}`)))
  for (const [index, version] of versions.entries()) {
    const answer = await client.receive(metadataResponse, version, ids[index])
    assert.deepEqual(
      answer.topics.map(({ name }) => name),
      [`t${version}`],
    )
  }
})

test('what follows a long poll waits for it', async (t) => {
  const { connect, server } = await startBroker(t)
  const client = await connect()
  const other = await connect()
  await other.call(metadataRequest, metadataResponse, 4, topicsNamed('orders'))
  const poll = client.send(fetchRequest, 11, longPoll(60_000))
  const creation = client.send(metadataRequest, 4, topicsNamed('made-later'))
  for (let count = 0; count < 10; count++) await isServed(other)
  const seen = await other.call(metadataRequest, metadataResponse, 1, { ...topicsNamed(), topics: null })
  assert.deepEqual(
    seen.topics.map(({ name }) => name),
    ['orders'],
  )
  server.clock.advance('61s')
  await client.receive(fetchResponse, 11, poll)
  const { topics } = await client.receive(metadataResponse, 4, creation)
  assert.equal(topics[0].name, 'made-later')
})

test('frames come in pieces of any size, and many at a time', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  const frames = Buffer.concat([1, 2, 3].map((id) => client.encode(metadataRequest, 9, topicsNamed('a'), id)))
  for (const at of frames.keys()) {
    client.sendBytes(frames.subarray(at, at + 1))
    await turn()
  }
  for (const id of [1, 2, 3]) await client.receive(metadataResponse, 9, id)
  for (let cut = 1; cut < frames.length; cut += 5) {
    client.sendBytes(frames.subarray(0, cut))
    await turn()
    client.sendBytes(frames.subarray(cut))
    for (const id of [1, 2, 3]) await client.receive(metadataResponse, 9, id)
  }
  const many = Array.from({ length: 1000 }, (_, id) => client.encode(metadataRequest, 9, topicsNamed('a'), id))
  client.sendBytes(Buffer.concat(many))
  for (const id of many.keys()) await client.receive(metadataResponse, 9, id)
})

test('bytes that are left over behind a request are passed over', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  await client.call(metadataRequest, metadataResponse, 9, topicsNamed('orders'))
  const frame = client.encode(metadataRequest, 9, { ...topicsNamed(), topics: null }, 5)
  // As librdkafka writes the null of an array: four bytes where there should be one.
  const padded = Buffer.concat([frame, Buffer.alloc(3)])
  padded.writeInt32BE(padded.length - 4)
  client.sendBytes(padded)
  const answer = await client.receive(metadataResponse, 9, 5)
  assert.equal(answer.topics.length, 1)
  await isServed(client)
})

test('a client id of null, and one that is long', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  for (const id of [null, '', 'x'.repeat(32_000), 'größe']) {
    client.clientId = id
    await isServed(client)
  }
})

const FRAMES: { what: string; bytes: Buffer; reason: RegExp }[] = [
  {
    what: 'an API that there is not',
    bytes: frameOf(999, 0),
    reason: /^a request with API key 999, which is not served$/,
  },
  { what: 'a negative API key', bytes: frameOf(-1, 0), reason: /API key -1/ },
  {
    what: 'a version that is too new',
    bytes: frameOf(3, 99),
    reason: /^a Metadata request of version 99: 0 to 13 are served$/,
  },
  { what: 'a version that is told of and not served', bytes: frameOf(0, 2), reason: /^a Produce request of version 2/ },
  {
    what: 'a body that is cut',
    bytes: frameOf(3, 4, '00000005'),
    reason: /^a malformed Metadata request of version 4: /,
  },
  { what: 'null where there is none', bytes: frameOf(3, 0, 'ffffffff'), reason: /null where there must be a value/ },
  {
    what: 'an absurd count',
    bytes: frameOf(3, 0, '7fffffff'),
    reason: /an array of 2147483647 elements where 0 bytes/,
  },
  { what: 'a negative size', bytes: Buffer.from('ffffffff00', 'hex'), reason: /^a request of -1 bytes/ },
  { what: 'no size', bytes: Buffer.alloc(4), reason: /^a request of 0 bytes, which is less than a header$/ },
  { what: 'less than a header', bytes: Buffer.from('0000000900030000000000010000', 'hex'), reason: /of 9 bytes/ },
  {
    what: 'more than a request may have',
    bytes: Buffer.from('06400001', 'hex'),
    reason: /104857601 bytes, and kafka\.socket/,
  },
  {
    what: 'HTTP',
    bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    reason: /^it speaks HTTP, and this is the port of the Kafka/,
  },
  { what: 'Redis', bytes: Buffer.from('*1\r\n$4\r\nPING\r\n'), reason: /^it speaks the Redis protocol/ },
  { what: 'memcached', bytes: Buffer.from('get foo\r\n'), reason: /^it speaks the memcached protocol/ },
  { what: 'TLS', bytes: Buffer.from('16030100f8010000f4', 'hex'), reason: /^it speaks TLS/ },
]

/** A frame with a header of version 1 without a client id. */
function frameOf(apiKey: number, version: number, bodyHex = ''): Buffer {
  const body = Buffer.from(bodyHex, 'hex')
  const frame = Buffer.alloc(14 + body.length)
  frame.writeInt32BE(frame.length - 4, 0)
  frame.writeInt16BE(apiKey, 4)
  frame.writeInt16BE(version, 6)
  frame.writeInt16BE(-1, 12)
  body.copy(frame, 14)
  return frame
}

test('what is no request closes the connection it came by, which one line of the log explains, and no other', async (t) => {
  const broker = await startBroker(t)
  const bystander = await broker.connect()
  for (const { what, bytes, reason } of FRAMES) {
    const before = closings(broker).length
    const client = await broker.connect()
    client.sendBytes(bytes)
    await client.closed
    const lines = closings(broker).slice(before)
    assert.equal(lines.length, 1, `${what}: ${lines}`)
    assert.match(lines[0], reason, what)
    assert.equal(client.unclaimedBytes, 0, what)
    await isServed(bystander)
  }
})

test('requests before one that is none are answered, also those that wait for the disk', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-kafka-'))
  const broker = await startBroker(t, { dir: directory })
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  await (await broker.connect()).call(metadataRequest, metadataResponse, 4, topicsNamed('orders'))
  const records = encodeBatch([{ timestampMs: Date.now(), key: null, value: Buffer.from('a') }])
  const produced = {
    acks: 1,
    timeoutMs: 1000,
    topicData: [{ name: 'orders', topicId: ZERO_UUID, partitionData: [{ index: 0, records }] }],
  }
  for (const bad of [frameOf(999, 0), Buffer.from('7fffffff00', 'hex'), frameOf(0, 8, '00')]) {
    const client = await broker.connect()
    const good = client.encode(produceRequest, 8, produced, 1)
    client.sendBytes(Buffer.concat([good, good, bad, good]))
    for (let count = 0; count < 2; count++) await client.receive(produceResponse, 8, 1)
    await client.closed
    assert.equal(client.unclaimedBytes, 0)
  }
  assert.equal(closings(broker).length, 3)
})

test('noise of any kind ends connections, not the server', async (t) => {
  const { connect } = await startBroker(t)
  const bystander = await connect()
  let seed = 1
  const random = (limit: number) => {
    seed = (seed * 48271) % 2147483647
    return seed % limit
  }
  const apis = [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 21, 22, 23, 42, 47, 60]
  for (let run = 0; run < 150; run++) {
    const client = await connect()
    const body = Buffer.from(Array.from({ length: random(60) }, () => (random(3) === 0 ? 0 : random(256))))
    client.sendBytes(frameOf(apis[random(apis.length)], random(14), body.toString('hex')))
    client.sendBytes(frameOf(999, 0))
    // Whatever it was, it is answered, refused or parked; what follows ends the connection unless it waits.
    await isServed(bystander)
    client.close()
  }
})

test('kafka.socket.request.max.bytes bounds what a request may have', async (t) => {
  const broker = await startBroker(t, { 'kafka.socket.request.max.bytes': '1000' })
  const client = await broker.connect()
  await isServed(client)
  client.clientId = 'x'.repeat(900)
  await isServed(client)
  client.clientId = 'x'.repeat(1000)
  client.send(metadataRequest, 9, topicsNamed())
  await client.closed
  assert.match(closings(broker)[0], /of 10\d\d bytes, and kafka.socket.request.max.bytes is 1000/)
})

test('connections are limited in all, and for each address', async (t) => {
  const broker = await startBroker(t, { 'kafka.max.connections': '2' })
  const [first] = [await broker.connect(), await broker.connect()]
  await isServed(first)
  await (await broker.connect()).closed
  assert.deepEqual(closings(broker), ['kafka.max.connections is 2'])
  first.close()
  // The server hears of it in its own time: the next one is welcome once it has.
  for (;;) {
    const client = await broker.connect()
    const outcome = await Promise.race([
      client.closed.then(() => 'refused'),
      isServed(client).then(
        () => 'served',
        () => 'refused',
      ),
    ])
    if (outcome === 'served') break
  }

  const strict = await startBroker(t, { 'kafka.max.connections.per.ip': '1' })
  await isServed(await strict.connect())
  await (await strict.connect()).closed
  assert.deepEqual(closings(strict), ['kafka.max.connections.per.ip is 1'])

  const limits = { 'kafka.max.connections.per.ip': '0', 'kafka.max.connections.per.ip.overrides': '::1:7, 127.0.0.1:1' }
  const special = await startBroker(t, limits)
  await isServed(await special.connect())
  await (await special.connect()).closed
  assert.deepEqual(closings(special), ['kafka.max.connections.per.ip.overrides is 1'])
})

test('a silent connection is closed after kafka.connections.max.idle.ms, but not while it waits for an answer', async (t) => {
  const { connect, server } = await startBroker(t, { 'kafka.connections.max.idle.ms': '60000' })
  const silent = await connect()
  const polling = await connect()
  const busy = await connect()
  await isServed(silent)
  await busy.call(metadataRequest, metadataResponse, 4, topicsNamed('orders'))
  const poll = polling.send(fetchRequest, 11, longPoll(600_000))
  await isServed(busy)
  server.clock.advance('45s')
  await isServed(busy)
  server.clock.advance('45s')
  await silent.closed
  await isServed(busy)
  server.clock.advance('10m')
  await polling.receive(fetchResponse, 11, poll)
})

test('a client that does not read its answers is not asked for more: its next requests wait until it has', async (t) => {
  const { connect } = await startBroker(t, { 'kafka.num.partitions': '5000' })
  const other = await connect()
  const large = await other.call(metadataRequest, metadataResponse, 4, topicsNamed('large'))
  assert.equal(large.topics[0].partitions.length, 5000)

  const client = await connect()
  client.socket.pause()
  const count = 150
  const frames = Array.from({ length: count }, (_, id) => client.encode(metadataRequest, 4, topicsNamed('large'), id))
  client.sendBytes(Buffer.concat([...frames, client.encode(metadataRequest, 4, topicsNamed('late'), count)]))
  const isMade = async () => {
    const { topics } = await other.call(metadataRequest, metadataResponse, 1, { ...topicsNamed(), topics: null })
    return topics.some(({ name }) => name === 'late')
  }
  for (let round = 0; round < 10; round++) assert.equal(await isMade(), false)
  client.socket.resume()
  for (let id = 0; id <= count; id++) await client.receive(metadataResponse, 4, id)
  assert.equal(await isMade(), true)
})

test('a client that sends without end while its first request waits is not read without end', async (t) => {
  const { connect, server } = await startBroker(t)
  const client = await connect()
  const other = await connect()
  await other.call(metadataRequest, metadataResponse, 4, topicsNamed('orders'))
  const poll = client.send(fetchRequest, 11, longPoll(60_000))
  client.clientId = 'x'.repeat(30_000)
  const frame = client.encode(metadataRequest, 4, topicsNamed(), 77)
  let sentCount = 0
  while (client.socket.writableLength < 2 ** 20) {
    client.sendBytes(frame)
    sentCount++
    await isServed(other)
  }
  server.clock.advance('61s')
  await client.receive(fetchResponse, 11, poll)
  for (let count = 0; count < sentCount; count++) await client.receive(metadataResponse, 4, 77)
})

test('a large request behind one that waits is read when its turn comes', async (t) => {
  const { connect, server } = await startBroker(t)
  const client = await connect()
  await client.call(metadataRequest, metadataResponse, 4, topicsNamed('orders'))
  const poll = client.send(fetchRequest, 11, longPoll(60_000))
  const names = Array.from({ length: 100 }, (_, index) => `${index}${'x'.repeat(30_000)}`)
  const large = client.send(metadataRequest, 4, topicsNamed(...names))
  const other = await connect()
  for (let round = 0; round < 10; round++) await isServed(other)
  server.clock.advance('61s')
  await client.receive(fetchResponse, 11, poll)
  const { topics } = await client.receive(metadataResponse, 4, large)
  assert.deepEqual(
    topics.map(({ name }) => name),
    names,
  )
})

test('a client that has shut down its side gets the answers it waits for', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  const id = client.send(metadataRequest, 4, topicsNamed('made'))
  client.socket.end()
  const { topics } = await client.receive(metadataResponse, 4, id)
  assert.equal(topics[0].name, 'made')
  await client.closed
})

test('a client that goes away in the middle of a frame leaves nothing behind', async (t) => {
  const broker = await startBroker(t)
  const frame = (await broker.connect()).encode(
    apiVersionsRequest,
    3,
    { clientSoftwareName: 'a', clientSoftwareVersion: '1' },
    1,
  )
  for (let cut = 1; cut < frame.length; cut++) {
    const client = await broker.connect()
    client.socket.end(frame.subarray(0, cut))
    await once(client.socket, 'close')
  }
  assert.deepEqual(closings(broker), [])
  await isServed(await broker.connect())
})

test('the server closes its connections when it closes', async (t) => {
  const broker = await startBroker(t)
  const client = await broker.connect()
  const polling = await broker.connect()
  await client.call(metadataRequest, metadataResponse, 4, topicsNamed('orders'))
  polling.send(fetchRequest, 11, longPoll(600_000))
  await isServed(client)
  await broker.server.close()
  await Promise.all([client.closed, polling.closed])
})
