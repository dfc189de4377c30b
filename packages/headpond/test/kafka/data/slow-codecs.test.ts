/** Batches that take long to open or to pack: another thread does it, and nobody may notice but by the time it takes. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { KafkaSession } from '#src/kafka/session.ts'
import { BATCH_HEADER_BYTES, type Codec, stampCrc } from '#src/log/record-batch.ts'
import { encodeBatch } from '#src/log/records/batch.ts'
import { chooseSeed, SeededRandom } from '../../seeded-random.ts'
import { batchesOf, errorOf, type LogServer, startLogServer } from './log-server.ts'

const COMPACTED = { partitionCount: 1, config: new Map([['cleanup.policy', 'compact']]) }
const PACKED = { partitionCount: 1, config: new Map([['compression.type', 'gzip']]) }
const noise = new SeededRandom(3).bytes(60_000).toString('base64')

/** One record for each value; a long one has noise behind it. */
function batchWith(values: readonly string[], codec: Codec, isLong = true, hasKeys = true): Buffer {
  const records = values.map((value) => ({
    timestampMs: Date.now(),
    key: hasKeys ? Buffer.from(value) : null,
    value: Buffer.from(isLong ? value + noise : value),
  }))
  return encodeBatch(records, { codec })
}

const labelsOf = (fetched: { records: Buffer | null }) =>
  batchesOf(fetched).flatMap(({ records }) => records.map(({ key }) => Buffer.from(key!).toString()))

/** A session that waits for another thread. It is seen in the turn that follows: the thread's answer comes later. */
async function waiting({ server }: LogServer): Promise<KafkaSession> {
  const { engine } = await server.kafka.load()
  for (;;) {
    for (const session of engine.sessions) if (session.unfinished !== null) return session
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function start(t: TestContext): Promise<LogServer> {
  return startLogServer(t, { topics: { compacted: COMPACTED, packed: PACKED, plain: 1 } })
}

test('answers and records keep the order of each connection, whatever is quick among them', async (t) => {
  const server = await start(t)
  const seed = chooseSeed()
  const random = new SeededRandom(seed)
  t.diagnostic(`SEED=${seed}`)
  const sent = new Map<string, string[]>()
  const produce = async (name: string) => {
    const client = await server.connect()
    const answers: (() => Promise<void>)[] = []
    for (let count = 0; count < 25; count++) {
      const topic = random.pick(['compacted', 'packed', 'plain'])
      const label = `${name} ${count}`
      sent.set(topic, [...(sent.get(topic) ?? []), label])
      const batch = batchWith([label], random.pick(['none', 'gzip', 'lz4']), !random.once(3))
      const correlationId = client.sendBatch(topic, batch)
      // The client takes no answer before that of an earlier request.
      answers.push(async () => assert.equal(errorOf(await client.receiveProduced(correlationId)), 'NONE'))
    }
    for (const answer of answers) await answer()
  }
  await Promise.all(['a', 'b', 'c'].map(produce))
  const reader = await server.connect()
  for (const [topic, labels] of sent) {
    const read: string[] = []
    while (read.length < labels.length) {
      read.push(...labelsOf(await reader.fetch(topic, { offset: read.length, maxBytes: 2 ** 24, maxWaitMs: 1000 })))
    }
    for (const name of ['a', 'b', 'c']) {
      const isOf = (label: string) => label.startsWith(name)
      assert.deepEqual(read.filter(isOf), labels.filter(isOf), topic)
    }
  }
})

test('what a topic wants packed is packed so, with every record', async (t) => {
  const { connect } = await start(t)
  const client = await connect()
  for (const codec of ['none', 'lz4', 'gzip'] as const) {
    const { baseOffset } = await client.produce('packed', batchWith(['x', 'y'], codec))
    const [batch] = batchesOf(await client.fetch('packed', { offset: baseOffset }))
    assert.deepEqual(
      batch.records.map(({ value }) => Buffer.from(value!).toString()),
      [`x${noise}`, `y${noise}`],
    )
    assert.equal(batch.codec, 'gzip')
  }
})

test('a time is found in a batch that takes long to open', async (t) => {
  const { connect, partition } = await start(t)
  const client = await connect()
  const atMs = Date.now()
  const records = ['a', 'b', 'c'].map((value, index) => ({
    timestampMs: atMs + index,
    value: Buffer.from(value + noise),
  }))
  await client.produce(
    'plain',
    encodeBatch(
      records.map((record) => ({ ...record, key: null })),
      { codec: 'zstd' },
    ),
  )
  const found = await partition('plain').offsetForTimestamp(atMs + 1)
  assert.deepEqual([found?.offset, found?.timestampMs], [1, atMs + 1])
})

test('a request waits for its batches alone: others are answered meanwhile', async (t) => {
  const server = await start(t)
  const client = await server.connect()
  const correlationId = client.sendBatch('compacted', batchWith(['slow'], 'gzip'))
  const session = await waiting(server)
  assert.ok(session.isDeferred)
  const other = await server.connect()
  assert.equal(errorOf(await other.produce('compacted', batchWith(['quick'], 'gzip', false))), 'NONE')
  assert.equal(errorOf(await client.receiveProduced(correlationId)), 'NONE')
})

test('nor does anybody wait for a few kilobytes that become megabytes', async (t) => {
  const server = await start(t)
  const client = await server.connect()
  const other = await server.connect()
  const value = Buffer.alloc(5 * 2 ** 20, 'x')
  for (const codec of ['gzip', 'lz4', 'zstd', 'snappy'] as const) {
    const batch = encodeBatch([{ timestampMs: Date.now(), key: Buffer.from(codec), value }], { codec })
    if (codec !== 'snappy') assert.ok(batch.length < 32 * 1024, codec)
    for (const topic of ['compacted', 'packed']) {
      if (topic === 'packed' && codec === 'gzip') continue // stays as it is
      const correlationId = client.sendBatch(topic, batch)
      const session = await waiting(server)
      assert.equal(errorOf(await other.produce('plain', batchWith(['quick'], 'none', false))), 'NONE')
      assert.ok(session.isDeferred, `${codec} for ${topic}`)
      const { baseOffset } = await client.receiveProduced(correlationId)
      const [{ records }] = batchesOf(await client.fetch(topic, { offset: baseOffset, maxBytes: 2 ** 24 }))
      assert.ok(Buffer.from(records[0].value!).equals(value), `${codec} for ${topic}`)
    }
  }
  const bomb = await client.produce('compacted', withBody(gzipSync(Buffer.alloc(20 * 2 ** 20))))
  assert.equal(errorOf(bomb), 'INVALID_RECORD')
})

test('a producer that shuts down its side has its answer', async (t) => {
  const { connect } = await start(t)
  const client = await connect()
  const correlationId = client.sendBatch('compacted', batchWith(['last words'], 'gzip'))
  client.wire.socket.end()
  assert.equal(errorOf(await client.receiveProduced(correlationId)), 'NONE')
})

test('a producer that is gone meanwhile has produced all of its batch, or nothing', async (t) => {
  const server = await start(t)
  const client = await server.connect()
  client.sendBatch('compacted', batchWith(['a', 'b'], 'gzip'))
  const session = await waiting(server)
  client.wire.socket.resetAndDestroy()
  while (!session.isGone) await new Promise((resolve) => setImmediate(resolve))
  const other = await server.connect()
  const { baseOffset } = await other.produce('compacted', batchWith(['c'], 'gzip'))
  const labels = labelsOf(await other.fetch('compacted'))
  assert.deepEqual(labels, baseOffset === 0 ? ['c'] : ['a', 'b', 'c'])
})

test('a topic that is deleted meanwhile is not there any more', async (t) => {
  const server = await start(t)
  const client = await server.connect()
  const correlationId = client.sendBatch('compacted', batchWith(['a'], 'gzip'))
  await waiting(server)
  await server.logs.deleteTopic('compacted')
  assert.equal(errorOf(await client.receiveProduced(correlationId)), 'UNKNOWN_TOPIC_OR_PARTITION')
})

test('what is damaged, too large or against the rules is refused, and the next batch is welcome', async (t) => {
  const { connect } = await start(t)
  const client = await connect()
  const damaged = batchWith(['a'], 'gzip')
  damaged.fill(0xff, 1000, 1100)
  assert.equal(errorOf(await client.produce('compacted', damaged)), 'CORRUPT_MESSAGE', 'with the wrong checksum')
  stampCrc(damaged, 0)
  const answer = await client.produce('compacted', damaged)
  assert.equal(errorOf(answer), 'CORRUPT_MESSAGE')
  assert.match(answer.errorMessage!, /damaged gzip data/)
  assert.equal(errorOf(await client.produce('packed', withBody(gzipSync(Buffer.alloc(300 * 2 ** 20))))), 'NONE', 'kept')
  const bomb = await client.produce('compacted', withBody(gzipSync(Buffer.alloc(300 * 2 ** 20))))
  assert.equal(errorOf(bomb), 'CORRUPT_MESSAGE')
  assert.match(bomb.errorMessage!, /would be larger than 268435456 bytes/)
  assert.equal(errorOf(await client.produce('compacted', batchWith(['a'], 'gzip', true, false))), 'INVALID_RECORD')
  const empty = await client.produce('compacted', withBody(gzipSync(new SeededRandom(5).bytes(10_000))))
  assert.equal(errorOf(empty), 'INVALID_RECORD')
  assert.equal((await client.produce('compacted', batchWith(['a'], 'gzip'))).baseOffset, 0)
})

/** A batch whose records are these bytes. */
function withBody(body: Uint8Array): Buffer {
  const header = batchWith(['a'], 'gzip').subarray(0, BATCH_HEADER_BYTES)
  const batch = Buffer.concat([header, body])
  batch.writeInt32BE(batch.length - 12, 8)
  stampCrc(batch, 0)
  return batch
}
