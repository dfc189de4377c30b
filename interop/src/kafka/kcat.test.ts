/** kcat (librdkafka 2.0) as people use it, against an embedded server. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type CreateServerOptions, createServer, type HeadpondServer } from 'headpond'
import { Program, runProgram, skipUnless } from './program.ts'
import { storedCodecs, WORTH_COMPRESSING } from './stored-codecs.ts'

const skip = skipUnless('kcat', ['-V'], 'apt-get install kcat')
const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const

async function start(t: TestContext, options: CreateServerOptions = {}) {
  const server = await createServer(options)
  t.after(() => server.close())
  return { server, ...kcatOf(server) }
}

/** `kcat` runs to its end, `kcatStarted` goes on. */
function kcatOf(server: HeadpondServer) {
  const argsOf = (line: string) => ['-b', server.urls.kafka, ...line.split(' ')]
  return {
    kcat: (line: string, input?: string | Uint8Array) =>
      runProgram('kcat', argsOf(line), input === undefined ? {} : { input }),
    kcatStarted: (line: string) => new Program('kcat', argsOf(line)),
  }
}

test('kcat -L: brokers and topics', { skip }, async (t) => {
  const { server, kcat } = await start(t, { kafka: { topics: { orders: 2, payments: 1 } } })
  const metadata = JSON.parse(await kcat('-L -J'))
  assert.deepEqual(metadata.brokers, [{ id: 1, name: server.urls.kafka }])
  assert.equal(metadata.controllerid, 1)
  assert.deepEqual(
    metadata.topics
      .map(({ topic, partitions }: { topic: string; partitions: unknown[] }) => [topic, partitions.length])
      .sort(),
    [
      ['orders', 2],
      ['payments', 1],
    ],
  )
  assert.deepEqual(JSON.parse(await kcat('-L -J -t orders')).topics[0].partitions[0], {
    partition: 0,
    leader: 1,
    replicas: [{ id: 1 }],
    isrs: [{ id: 1 }],
  })
})

test('kcat produces and consumes: keys, nulls, empty values, repeated headers, times', { skip }, async (t) => {
  const { server, kcat } = await start(t, { kafka: { topics: { orders: 1 } } })
  await kcat('-P -t orders -K: -H a=1 -H b=2 -H a=3', 'k1:v1\nk2:\n:v3\n')
  await kcat('-P -t orders -K: -Z', 'tombstone:\n')
  assert.deepEqual(
    (await server.kafka.records('orders')).map(({ key, value, headers }) => [key, value, headers]),
    [
      ['k1', 'v1', { a: ['1', '3'], b: '2' }],
      ['k2', '', { a: ['1', '3'], b: '2' }],
      ['', 'v3', { a: ['1', '3'], b: '2' }],
      ['tombstone', null, {}],
    ],
  )
  const shown = await kcat('-C -t orders -e -q -f %o|%k|%s|%S|%h|%p\\n')
  assert.equal(shown, '0|k1|v1|2|a=1,b=2,a=3|0\n1|k2||0|a=1,b=2,a=3|0\n2||v3|2|a=1,b=2,a=3|0\n3|tombstone||-1||0\n')
  await server.kafka.produce('orders', { key: null, value: 'later', timestamp: 1_700_000_000_123 })
  assert.equal(await kcat('-C -t orders -o 4 -e -q -f %T|%K|%s\\n'), '1700000000123|-1|later\n')
})

for (const codec of CODECS) {
  test(`kcat compresses with ${codec}, and reads it again`, { skip }, async (t) => {
    const { server, kcat } = await start(t, { kafka: { topics: { orders: 1 } } })
    const lines = Array.from({ length: 1000 }, (_each, index) => `${codec} ${index} ${'x'.repeat(index % 50)}`)
    // All lines in one batch, or nearly all.
    await kcat(`-P -t orders -z ${codec} -X linger.ms=10000`, lines.join('\n'))
    // It sends everything as it is, without a word, when it does not like the broker's versions.
    assert.deepEqual([...new Set(await storedCodecs(server, 'orders', WORTH_COMPRESSING))], [codec])
    assert.deepEqual(
      (await server.kafka.records('orders')).map(({ value }) => value),
      lines,
    )
    assert.deepEqual((await kcat('-C -t orders -e -q')).trimEnd().split('\n'), lines)
  })
}

test('a topic with a codec of its own: kcat reads what was compressed again', { skip }, async (t) => {
  for (const codec of [...CODECS, 'uncompressed']) {
    const { server, kcat } = await start(t, {
      kafka: { topics: { orders: { config: { 'compression.type': codec } } } },
    })
    await kcat('-P -t orders -z gzip', 'one\ntwo\nthree')
    assert.deepEqual([...new Set(await storedCodecs(server, 'orders'))], [codec === 'uncompressed' ? 'none' : codec])
    assert.equal(await kcat('-C -t orders -e -q'), 'one\ntwo\nthree\n')
  }
})

test('kcat begins where it is told: offsets, from the end, times', { skip }, async (t) => {
  const { server, kcat } = await start(t, { kafka: { topics: { orders: 1 } } })
  const records = Array.from({ length: 20 }, (_each, index) => ({
    value: String(index),
    timestamp: 1_700_000_000_000 + index * 1000,
  }))
  // One batch and several: inside of a batch a consumer gets the whole of it.
  await server.kafka.produce('orders', records.slice(0, 10))
  for (const record of records.slice(10)) await server.kafka.produce('orders', record)
  const range = (from: number, to: number) =>
    Array.from({ length: to - from }, (_each, index) => `${from + index}\n`).join('')
  assert.equal(await kcat('-C -t orders -e -q -o beginning'), range(0, 20))
  assert.equal(await kcat('-C -t orders -e -q -o 3'), range(3, 20))
  assert.equal(await kcat('-C -t orders -e -q -o -4'), range(16, 20))
  assert.equal(await kcat('-C -t orders -e -q -o end'), '')
  assert.equal(await kcat('-C -t orders -e -q -o s@1700000004500 -o e@1700000007000'), range(5, 7))
  assert.equal(await kcat('-C -t orders -e -q -o beginning -c 2'), range(0, 2))
  assert.match(await kcat('-Q -t orders:0:1700000012001'), /orders \[0\] offset 13/)
  assert.match(await kcat('-Q -t orders:0:-1'), /offset 20/)
  assert.match(await kcat('-Q -t orders:0:-2'), /offset 0/)
  assert.match(await kcat('-Q -t orders:0:1800000000000'), /offset 20|offset -1/)
})

test('an offset that does not exist: begins again where auto.offset.reset says', { skip }, async (t) => {
  const { server, kcat } = await start(t, { kafka: { topics: { orders: 1 } } })
  await server.kafka.produce('orders', ['a', 'b'])
  assert.equal(await kcat('-C -t orders -e -q -o 77 -X topic.auto.offset.reset=earliest'), 'a\nb\n')
})

test('a consumer that waits gets what comes, and a pipeline transforms it', { skip }, async (t) => {
  const { server, kcat, kcatStarted } = await start(t, { kafka: { topics: { from: 1, to: 1 } } })
  const consumer = kcatStarted('-C -t from -o end -u')
  await consumer.until((_output, errors) => errors.includes('Reached end of topic'))
  await kcat('-P -t from', 'first')
  await consumer.until((output) => output === 'first\n')
  await kcat('-P -t from', 'second')
  await consumer.until((output) => output === 'first\nsecond\n')
  await consumer.stop()
  const lines = await kcat('-C -t from -e -q -o beginning')
  await kcat('-P -t to', lines.toUpperCase())
  assert.deepEqual(
    (await server.kafka.records('to')).map(({ value }) => value),
    ['FIRST', 'SECOND'],
  )
})

test('a group shares partitions, rebalances, commits, and goes on where it was', { skip }, async (t) => {
  const { server, kcat, kcatStarted } = await start(t, { kafka: { topics: { orders: 4 } } })
  await server.kafka.produce(
    'orders',
    Array.from({ length: 40 }, (_each, index) => ({ value: String(index), partition: index % 4 })),
  )
  const options = '-X auto.offset.reset=earliest -X auto.commit.interval.ms=50 -X session.timeout.ms=6000 -u'
  const first = kcatStarted(`${options} -G readers orders`)
  await server.kafka.waitForGroup('readers', { members: 1, lag: 0, timeoutMs: 30_000 })
  assert.deepEqual(
    first.output
      .trim()
      .split('\n')
      .map(Number)
      .sort((a, b) => a - b),
    Array.from({ length: 40 }, (_each, index) => index),
  )
  const second = kcatStarted(`${options} -G readers orders`)
  await second.until((_output, errors) => /assigned: orders \[\d\], orders \[\d\]/.test(errors))
  await server.kafka.waitForGroup('readers', { members: 2, timeoutMs: 30_000 })
  await first.stop()
  await second.until((_output, errors) => /assigned: (orders \[\d\](, )?){4}/.test(errors))
  await kcat('-P -t orders -p 3', 'last')
  await second.until((output) => output.includes('last'))
  await server.kafka.waitForGroup('readers', { members: 1, lag: 0, timeoutMs: 30_000 })
  await second.stop()
  await server.kafka.produce('orders', 'while nobody reads')
  const third = kcatStarted(`${options} -G readers orders`)
  await third.until((output) => output === 'while nobody reads\n')
  await third.stop()
})

test('cooperative-sticky, and a static member that comes back without a rebalance', { skip }, async (t) => {
  const { server, kcatStarted } = await start(t, { kafka: { topics: { orders: 2 } } })
  const options = '-X auto.offset.reset=earliest -X partition.assignment.strategy=cooperative-sticky -u'
  const first = kcatStarted(`${options} -X group.instance.id=one -G readers orders`)
  await server.kafka.waitForGroup('readers', { members: 1, timeoutMs: 30_000 })
  const second = kcatStarted(`${options} -X group.instance.id=two -G readers orders`)
  await first.until((_output, errors) => /incremental revoke of 1 partition/.test(errors))
  await second.until((_output, errors) => /incremental assignment of 1 partition/.test(errors))
  await server.kafka.waitForGroup('readers', { members: 2, timeoutMs: 30_000 })
  const joins = server.kafka.calls('JoinGroup').length
  await second.stop('SIGKILL')
  const again = kcatStarted(`${options} -X group.instance.id=two -G readers orders`)
  await again.until((_output, errors) => /incremental assignment of 1 partition/.test(errors))
  // Its own joins alone: nobody else was asked to come again.
  const newcomers = server.kafka.calls('JoinGroup').slice(joins)
  assert.ok(newcomers.length <= 2, `${newcomers.length} joins`)
  await Promise.all([first.stop(), again.stop()])
})

test('a record of a megabyte, and one that is too large', { skip }, async (t) => {
  const { server, kcat } = await start(t, { kafka: { topics: { orders: 1 } } })
  const large = 'x'.repeat(1_000_000)
  await kcat('-P -t orders -D | -X message.max.bytes=2000000', large)
  assert.equal((await server.kafka.records('orders'))[0].value, large)
  assert.equal((await kcat('-C -t orders -e -q -X fetch.message.max.bytes=1000')).trimEnd(), large)
  await assert.rejects(
    kcat('-P -t orders -D | -X message.max.bytes=3000000', 'y'.repeat(2_000_000)),
    /Message size too large|MSG_SIZE_TOO_LARGE/i,
  )
})

test('acks 0, 1 and all, and the idempotent producer', { skip }, async (t) => {
  const { server, kcat } = await start(t, { kafka: { topics: { orders: 1 } } })
  for (const acks of ['0', '1', 'all']) await kcat(`-P -t orders -X acks=${acks}`, `acks ${acks}`)
  const lines = Array.from({ length: 100 }, (_each, index) => String(index))
  await kcat(
    '-P -t orders -X enable.idempotence=true -X batch.num.messages=10 -X retry.backoff.ms=10',
    lines.join('\n'),
  )
  const values = (await server.kafka.waitForRecords('orders', 103)).map(({ value }) => value)
  assert.deepEqual(values, ['acks 0', 'acks 1', 'acks all', ...lines])
})

test('a topic that does not exist is created, unless the broker is told not to', { skip }, async (t) => {
  const { server, kcat } = await start(t, { kafka: { config: { 'num.partitions': 3 } } })
  await kcat('-P -t fresh', 'hello')
  assert.deepEqual(await server.kafka.topics(), ['fresh'])
  assert.equal(JSON.parse(await kcat('-L -J -t fresh')).topics[0].partitions.length, 3)
  const strict = await start(t, { kafka: { config: { 'auto.create.topics.enable': false } } })
  await assert.rejects(
    strict.kcat('-P -t fresh -X message.timeout.ms=20000 -X topic.metadata.propagation.max.ms=100', 'hello'),
    /Unknown topic/i,
  )
})

test('records, groups and offsets are there after a restart', { skip }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-kcat-'))
  const options = { dir: directory, kafka: { topics: { orders: 2 } } }
  const first = await createServer(options)
  await kcatOf(first).kcat('-P -t orders -z lz4', 'one\ntwo\nthree')
  const reader = kcatOf(first).kcatStarted('-X auto.offset.reset=earliest -X auto.commit.interval.ms=50 -u -G g orders')
  await first.kafka.waitForGroup('g', { lag: 0, timeoutMs: 30_000 })
  await reader.stop()
  await first.close()
  const { server, kcat, kcatStarted } = await start(t, options)
  t.after(() => rmSync(directory, { recursive: true, force: true })) // after the server has closed
  assert.deepEqual((await kcat('-C -t orders -e -q')).trimEnd().split('\n').sort(), ['one', 'three', 'two'])
  await server.kafka.waitForGroup('g', { lag: 0 })
  const again = kcatStarted('-X auto.offset.reset=earliest -u -G g orders')
  await kcat('-P -t orders', 'four')
  await again.until((output) => output === 'four\n')
  await again.stop()
})
