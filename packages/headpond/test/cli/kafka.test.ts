/** `headpond topic` and `headpond group`, against a real broker. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { type CreateServerOptions, createServer, type HeadpondServer } from '#src/index.ts'
import { type Ending, type RunOptions, runKafkaCli } from './kafka-run.ts'

/** A server, and the commands on it: `run('topic list')`; words with spaces stand in single quotes. */
async function start(t: TestContext, options: CreateServerOptions = {}) {
  const server = await createServer(options)
  t.after(() => server.close())
  const run = (line: string, options?: RunOptions) => runKafkaCli(server, wordsOf(line), options)
  const ok = async (line: string, options?: RunOptions) => {
    const { output, errors, exitCode } = await run(line, options)
    assert.equal(exitCode, 0, `${line}: ${errors}${output}`)
    return output
  }
  return { server, run, ok }
}

function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
}

async function refused(ending: Promise<Ending>, exitCode: number, message: RegExp): Promise<void> {
  const { errors, exitCode: actual, output } = await ending
  assert.match(errors, message)
  assert.equal(actual, exitCode, errors)
  assert.equal(output, '')
}

async function consume(t: TestContext, server: HeadpondServer, groupId: string, topic: string) {
  const consumer = new Kafka({
    clientId: 'billing-app',
    brokers: [server.urls.kafka],
    logLevel: logLevel.NOTHING,
  }).consumer({ groupId, heartbeatInterval: 100, maxWaitTimeInMs: 100 })
  t.after(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ eachMessage: async () => {} })
  await server.kafka.waitForGroup(groupId, { members: 1, lag: 0 })
  return consumer
}

// ---- topic ----

test('topic list: a table, JSON, a pattern', async (t) => {
  const { server, ok, run } = await start(t, { kafka: { topics: { orders: 3, 'orders.dlq': 1, payments: 2 } } })
  await server.kafka.produce('orders', ['1', '2', '3', '4'])
  const rows = (await ok('topic list')).trimEnd().split('\n')
  assert.match(rows[0], /^TOPIC {7}PARTITIONS {2}REPLICAS {2}RECORDS {2}SIZE$/)
  assert.match(rows[1], /^orders +3 +1 +4 /)
  assert.deepEqual(
    rows.slice(1).map((row) => row.split(' ')[0]),
    ['orders', 'orders.dlq', 'payments'],
  )
  const [first] = JSON.parse(await ok('topic list --json orders'))
  assert.deepEqual([first.topic, first.partitions, first.replicas, first.records], ['orders', 3, 1, 4])
  assert.deepEqual(
    JSON.parse(await ok("topic list 'orders*' --json")).map(({ topic }: { topic: string }) => topic),
    ['orders', 'orders.dlq'],
  )
  assert.match((await run('topic list nothing')).errors, /No topic matches nothing/)
})

test('topic create, describe, alter, delete', async (t) => {
  const { server, ok, run } = await start(t)
  assert.match((await run('topic list')).errors, /^There are no topics\.$/m)
  assert.equal(await ok('topic create orders -p 3 -c retention.ms=60000'), 'Created topic orders, 3 partitions.\n')
  assert.equal(
    await ok('topic create a b --dry-run'),
    'Topic a could be created, 1 partition.\nTopic b could be created, 1 partition.\n',
  )
  await refused(run('topic create orders'), 1, /topic orders: .*already exists/)
  assert.equal(await ok('topic create orders --if-not-exists'), 'Topic orders is there already.\n')
  const some = await run('topic create fresh orders --json')
  assert.equal(some.exitCode, 1)
  assert.deepEqual(
    JSON.parse(some.output).map(({ result }: { result: string }) => result.replace(/.*(TOPIC_\w+).*/, '$1')),
    ['created', 'TOPIC_ALREADY_EXISTS'],
  )
  await refused(run('topic create bad -c no.such=1'), 1, /topic bad: .*no\.such/)
  await refused(run('topic create bad -r 3'), 1, /topic bad: .*replication/i)
  await refused(run('topic create bad!'), 1, /topic bad!: .*INVALID_TOPIC_EXCEPTION/)

  await server.kafka.produce('orders', [{ value: 'x', partition: 2 }])
  const described = await ok('topic describe orders')
  assert.match(
    described,
    /^orders \(id \S{22}\)\n {2}retention\.ms=60000\nPARTITION {2}LEADER {2}REPLICAS {2}IN SYNC {2}START {2}END {2}RECORDS {2}SIZE\n/,
  )
  assert.match(described, /^ +2 {2}1 +1 +1 +0 +1 +1 {2}\d+ B$/m)
  const [json] = JSON.parse(await ok('topic describe orders --json --all-config'))
  assert.deepEqual([json.config['retention.ms'], json.config['cleanup.policy']], ['60000', 'delete'])
  assert.deepEqual(json.partitions[2].endOffset, 1)

  assert.equal(await ok('topic alter orders -p 4 -c cleanup.policy=compact -d retention.ms'), 'Altered topic orders.\n')
  const [altered] = JSON.parse(await ok('topic describe orders --json'))
  assert.deepEqual([altered.partitions.length, altered.config], [4, { 'cleanup.policy': 'compact' }])
  assert.equal(await ok('topic alter orders -p 9 --dry-run'), 'Topic orders could be altered.\n')
  await refused(run('topic alter orders -p 2'), 1, /topic orders: .*INVALID_PARTITIONS/)
  await refused(run('topic alter orders -c retention.ms=soon'), 1, /topic orders: .*INVALID_CONFIG/)
  await refused(run('topic alter orders'), 2, /what is to be changed\?/)

  await refused(run('topic delete orders nothing'), 1, /there is no topic nothing/)
  assert.deepEqual((await server.kafka.topics()).sort(), ['fresh', 'orders'])
  assert.equal(
    await ok('topic delete orders nothing --if-exists'),
    'Deleted topic orders.\nThere is no topic nothing.\n',
  )
  assert.deepEqual(JSON.parse(await ok('topic delete fresh --json')), { deleted: ['fresh'], missing: [], refused: [] })
  assert.deepEqual(await server.kafka.topics(), [])
})

test('internal topics are shown when they are asked for', async (t) => {
  const { server, ok } = await start(t, { kafka: { topics: { orders: 1 } } })
  await server.kafka.produce('orders', 'x')
  await consume(t, server, 'g', 'orders')
  assert.doesNotMatch(await ok('topic list'), /__consumer_offsets/)
  assert.match(await ok('topic list --internal'), /__consumer_offsets/)
})

test('topic produce: values, a key, headers, a partition; topic tail shows them', async (t) => {
  const { server, ok } = await start(t, { kafka: { topics: { orders: 2 } } })
  assert.match(
    await ok("topic produce orders hello 'two words' -k a -H source=cli -H n=1"),
    /^Produced 2 records, 16 B/,
  )
  await ok('topic produce orders other -p 1')
  const records = await server.kafka.records('orders')
  assert.deepEqual(
    records.map(({ key, value, headers }) => [key, value, headers]),
    [
      ['a', 'hello', { source: 'cli', n: '1' }],
      ['a', 'two words', { source: 'cli', n: '1' }],
      [null, 'other', {}],
    ].sort((a, b) => (a[1] === 'other' ? 1 : b[1] === 'other' ? -1 : 0)),
  )
  const shown = await ok('topic tail orders --no-follow')
  assert.match(shown, /^\d:0 {2}\d{4}-\d\d-\d\dT[\d:.]+Z {2}a {2}hello {2}\{source: cli, n: 1\}$/m)
  assert.match(shown, /^1:\d {2}\S+ {2}- {2}other$/m)
})

test('topic produce: lines of the input, with keys, nulls, line ends of every kind', async (t) => {
  const { server, ok, run } = await start(t, { kafka: { topics: { orders: 1 } } })
  await ok('topic produce orders -K : -Z NULL', { input: 'a:1\r\nb:NULL\n\u0000:x:y\nNULL:last' })
  assert.deepEqual(
    (await server.kafka.records('orders')).map(({ key, value }) => [key, value]),
    [
      ['a', '1'],
      ['b', null],
      ['\u0000', 'x:y'],
      [null, 'last'],
    ],
  )
  // What comes before the line that is wrong is there.
  const { errors, output, exitCode } = await run('topic produce orders -K =', { input: 'k=v\nno key\nk=w\n' })
  assert.match(errors, /line 2: there is no "=" in it/)
  assert.match(output, /^Produced 1 record,/)
  assert.equal(exitCode, 1)
  assert.equal((await server.kafka.records('orders')).length, 5)
})

test('topic produce: empty lines, bytes that are no text, all of the input as one', async (t) => {
  const { server, ok } = await start(t, { kafka: { topics: { orders: 1 } } })
  await ok('topic produce orders', { input: Buffer.from([0xff, 0xfe, 0x0a, 0x0a, 0x61]) })
  await ok('topic produce orders --whole', { input: 'one\ntwo\n' })
  assert.deepEqual(
    (await server.kafka.records('orders', { binary: true })).map(({ value }) => value?.toString('latin1')),
    ['\u00ff\u00fe', '', 'a', 'one\ntwo\n'],
  )
  const lines = (await ok('topic tail orders -e --json')).trimEnd().split('\n')
  assert.deepEqual(JSON.parse(lines[0]).value, { base64: '//4=' })
  assert.match(await ok('topic tail orders -e -f beginning -n 1'), / 0xfffe$/m)
})

test('what topic tail --json writes, topic produce --json takes back', async (t) => {
  const { server, ok } = await start(t, { kafka: { topics: { from: 2, to: 2 } } })
  await server.kafka.produce('from', [
    { key: 'k', value: '{"a":1}', headers: { h: 'v', many: ['1', '2'], none: null }, timestamp: 5, partition: 1 },
    { key: null, value: null, timestamp: 6, partition: 0 },
    { key: new Uint8Array([0xff]), value: new Uint8Array([1, 0xfe]), timestamp: 7, partition: 0 },
    { key: '', value: '', timestamp: 8, partition: 1 },
  ])
  const input = await ok('topic tail from --json --no-follow')
  const summary = JSON.parse(await ok('topic produce to --json', { input }))
  assert.deepEqual([summary.topic, summary.records], ['to', 4])
  const plain = (topic: string) =>
    server.kafka
      .records(topic, { binary: true })
      .then((records) => records.map(({ topic: _topic, ...record }) => record))
  assert.deepEqual(await plain('to'), await plain('from'))
  await server.kafka.createTopics({ documents: 1 })
  await ok('topic produce documents --json', { input: '{"value":{"a":[1]},"headers":{"h":"v"}}\n' })
  const [{ value, headers }] = await server.kafka.records('documents')
  assert.deepEqual([value, headers], ['{"a":[1]}', { h: 'v' }])
  assert.deepEqual(JSON.parse(await ok('topic tail documents -e --json --value-format json')).value, { a: [1] })
})

test('topic produce: a line that is no JSON, or not as it should be', async (t) => {
  const { run } = await start(t, { kafka: { topics: { orders: 1 } } })
  for (const [input, message] of [
    ['{"value":', /line 1 is no JSON/],
    ['{"value":"1"}\n[]', /line 2: an object with "value"/],
    ['{"value":"1","partition":"x"}', /line 1: partition: a number/],
    ['{"value":"1","timestamp":1.5}', /line 1: timestamp: milliseconds/],
    ['{"value":"1","headers":[1]}', /line 1: headers:/],
  ] as const) {
    const { errors, exitCode } = await run('topic produce orders --json', { input })
    assert.match(errors, message)
    assert.equal(exitCode, 1)
  }
})

test('keys and values in other formats, both ways', async (t) => {
  const { ok, run } = await start(t, { kafka: { topics: { orders: 1 } } })
  await ok('topic produce orders -K , --key-format int32 --value-format int64', { input: '-5,9007199254740993' })
  await ok('topic produce orders --value-format double 1.5')
  await ok('topic produce orders --key ff00 --key-format hex --value-format base64 AAE=')
  const tail = (...formats: string[]) => ok(`topic tail orders -e ${formats.join(' ')}`)
  assert.match(await tail('-f 0 -n 1 --key-format int32 --value-format int64'), / {2}-5 {2}9007199254740993$/m)
  assert.equal(JSON.parse(await tail('-f 0 -n 1 --json --value-format int64')).value, '9007199254740993')
  assert.match(await tail('-f 1 -n 1 --value-format double'), / 1\.5$/m)
  assert.match(await tail('-f 2 -n 1 --key-format hex --value-format base64'), / {2}ff00 {2}AAE=$/m)
  for (const [line, message] of [
    ['topic produce orders --value-format int32 2147483648', /not an int32: 2147483648/],
    ['topic produce orders --value-format int64 x', /not an int64: x/],
    ['topic produce orders --value-format hex abc', /not hex: abc/],
    ['topic produce orders --value-format json nothing', /not JSON: nothing/],
  ] as const) {
    assert.match((await run(line)).errors, message)
  }
  await refused(run('topic produce orders --value-format xml x'), 2, /--value-format: one of text, json/)
})

test('topic produce: every codec, and acks', async (t) => {
  const { server, ok, run } = await start(t, { kafka: { topics: { orders: 1 } } })
  const input = Array.from({ length: 500 }, (_each, index) => `record ${index}`).join('\n')
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) await ok(`topic produce orders -z ${codec}`, { input })
  for (const acks of ['all', '1', '0']) await ok(`topic produce orders --acks ${acks} -z lz4`, { input })
  const records = await server.kafka.waitForRecords('orders', 8 * 500)
  assert.deepEqual(
    records.slice(-500).map(({ value }) => value),
    input.split('\n'),
  )
  assert.equal((await ok('topic tail orders -f beginning -e --values')).split('\n').length, 4001)
  await refused(run('topic produce orders x -z brotli'), 2, /--compression: one of none, gzip, snappy, lz4, zstd/)
  await refused(run('topic produce orders x --acks 2'), 2, /--acks: all, 1 or 0/)
})

test('topic produce: keys go where clients put them', async (t) => {
  const { server, ok } = await start(t, { kafka: { topics: { orders: 7 } } })
  const kafka = new Kafka({ brokers: [server.urls.kafka], logLevel: logLevel.NOTHING })
  const producer = kafka.producer()
  await producer.connect()
  t.after(() => producer.disconnect())
  const keys = Array.from({ length: 50 }, (_each, index) => `key ${index} ${'x'.repeat(index)}`)
  await producer.send({ topic: 'orders', messages: keys.map((key) => ({ key, value: 'kafkajs' })) })
  await ok('topic produce orders -K :', { input: keys.map((key) => `${key}:headpond`).join('\n') })
  await server.kafka.produce(
    'orders',
    keys.map((key) => ({ key, value: 'embedded' })),
  )
  const placed = new Map<string, Set<number>>()
  for (const { key, partition } of await server.kafka.records('orders')) {
    placed.set(key ?? '', (placed.get(key ?? '') ?? new Set()).add(partition))
  }
  assert.deepEqual(
    [...placed.values()].map(({ size }) => size),
    keys.map(() => 1),
  )
})

test('topic tail: where it begins, and where it ends', async (t) => {
  const { server, ok } = await start(t, { kafka: { topics: { orders: 1, empty: 1 } } })
  for (let index = 0; index < 30; index++) {
    await server.kafka.produce('orders', { value: String(index), timestamp: 1_700_000_000_000 + index * 1000 })
  }
  const values = async (options: string) =>
    (await ok(`topic tail orders --values --no-follow ${options}`)).trim().split('\n')
  const range = (start: number, end: number) =>
    Array.from({ length: end - start }, (_each, index) => String(start + index))
  assert.deepEqual(await values(''), range(20, 30))
  assert.deepEqual(await values('-n 3'), range(27, 30))
  assert.deepEqual(await values('--from -2'), range(28, 30))
  assert.deepEqual(await values('--from beginning'), range(0, 30))
  assert.deepEqual(await values('--from beginning --limit 4'), range(0, 4))
  assert.deepEqual(await values('--from 25'), range(25, 30))
  assert.deepEqual(await values('--from 99'), [''])
  assert.deepEqual(await values('--from end'), [''])
  assert.deepEqual(await values('--from @1700000027500'), range(28, 30))
  assert.deepEqual(await values('--from 2023-11-14T22:13:45'), range(25, 30))
  assert.deepEqual(await values('--from 2023-11-14T23:13:45.001+01:00'), range(26, 30))
  assert.deepEqual(await values('--from 1h'), [''])
  assert.equal(await ok('topic tail empty --no-follow'), '')
})

test('topic tail follows until it is stopped, and shows what comes', async (t) => {
  const { server, ok } = await start(t, { kafka: { topics: { orders: 3 } } })
  await server.kafka.produce('orders', ['old'])
  let isAsked = false
  const output = await ok('topic tail orders --values', {
    until(text) {
      if (!isAsked) void server.kafka.produce('orders', ['new 1', 'new 2'])
      isAsked = true
      return text.split('\n').length > 3
    },
  })
  assert.deepEqual(output.split('\n').slice(0, -1).sort(), ['new 1', 'new 2', 'old'])
  assert.ok(output.startsWith('old\n'))
})

test('topic tail of several partitions: the last records in the order of their time', async (t) => {
  const { server, ok } = await start(t, { kafka: { topics: { orders: 3 } } })
  const times = [5, 1, 9, 3, 7, 2, 8, 4, 6]
  await server.kafka.produce(
    'orders',
    times.map((time, index) => ({ value: String(time), timestamp: 1e12 + time, partition: index % 3 })),
  )
  assert.equal(await ok('topic tail orders -n 4 --values'), '6\n7\n8\n9\n')
  assert.deepEqual((await ok('topic tail orders -e -p 0,2 --values')).split('\n').slice(0, -1), [
    '2',
    '3',
    '5',
    '6',
    '8',
    '9',
  ])
})

test('topic tail --format, as kcat has it', async (t) => {
  const { server, ok, run } = await start(t, { kafka: { topics: { orders: 1 } } })
  await server.kafka.produce('orders', { key: 'k', value: 'äv', timestamp: 0, headers: { a: '1', b: '2' } })
  assert.equal(
    await ok("topic tail orders -e --format '%t[%p]@%o %T %d %K:%k %V:%s %h %%\\t|\\n'"),
    'orders[0]@0 0 1970-01-01T00:00:00.000Z 1:k 3:äv a=1,b=2 %\t|\n',
  )
  await refused(run("topic tail orders --format '%x'"), 2, /there is no %x; there are %t topic/)
  await refused(run('topic tail orders --json --values'), 2, /--json and --values exclude each other/)
})

test('topic tail --group begins where a group has got to, and leaves the group alone', async (t) => {
  const { server, ok } = await start(t, { kafka: { topics: { orders: 1 } } })
  await server.kafka.produce('orders', ['1', '2'])
  await (await consume(t, server, 'g', 'orders')).disconnect()
  await server.kafka.produce('orders', ['3', '4'])
  assert.equal(await ok('topic tail orders --group g -e --values'), '3\n4\n')
  assert.equal((await server.kafka.group('g'))?.lag, 2)
})

test('topic tail: a reader that has seen enough ends it', async (t) => {
  const { server } = await start(t, { kafka: { topics: { orders: 1 } } })
  await server.kafka.produce(
    'orders',
    Array.from({ length: 5000 }, (_each, index) => `${index} ${'x'.repeat(100)}`),
  )
  const { spawn } = await import('node:child_process')
  const { EXECUTABLE } = await import('../server-process.ts')
  const child = spawn(process.execPath, [EXECUTABLE, 'topic', 'tail', 'orders', '-f', 'beginning', '--values'], {
    env: { ...process.env, KAFKA_BROKERS: server.urls.kafka },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
  })
  let errors = ''
  child.stderr.on('data', (chunk) => (errors += chunk))
  child.stdout.once('data', () => child.stdout.destroy())
  const [exitCode] = await new Promise<[number | null]>((resolve) => child.on('close', (code) => resolve([code])))
  assert.deepEqual([exitCode, errors], [0, ''])
})

test('a topic that does not exist: what there is instead', async (t) => {
  const { run, server } = await start(t, { kafka: { topics: { orders: 1, 'Payment-Events': 1 } } })
  await refused(run('topic tail order'), 1, /there is no topic order at 127\.0\.0\.1:\d+\. Did you mean orders\?/)
  await refused(run('topic tail payment-events'), 1, /Did you mean Payment-Events\?/)
  await refused(run('topic produce xyz v'), 1, /There are 2: headpond topic list shows them, headpond topic create xyz/)
  await refused(run('topic tail orders -p 1'), 2, /orders has the partitions 0 to 0, and not 1/)
  await server.reset()
  assert.deepEqual((await server.kafka.topics()).sort(), ['Payment-Events', 'orders'])
})

// ---- group ----

test('group list and describe: members, lag, who reads', async (t) => {
  const { server, ok, run } = await start(t, { kafka: { topics: { orders: 2 } } })
  assert.match((await run('group list')).errors, /There are no groups/)
  await server.kafka.produce('orders', ['1', '2', '3', '4', '5'])
  const consumer = await consume(t, server, 'billing', 'orders')
  assert.match(
    await ok('group list'),
    /^GROUP {4}TYPE {5}STATE {3}MEMBERS {2}TOPICS {2}LAG\nbilling {2}classic {2}Stable {8}1 {7}1 {4}0\n$/,
  )
  const described = await ok('group describe billing')
  assert.match(described, /^billing: Stable, 1 member, lag 0, coordinator 1, assignor RoundRobinAssigner$/m)
  assert.match(described, /^orders +0 +\d +\d +0 +billing-app +\S*127\.0\.0\.1$/m)
  assert.match(
    await ok('group describe billing --members'),
    /^billing-app-\S+ +- +billing-app +\S+ +orders:0 orders:1$/m,
  )
  await consumer.disconnect()
  await server.kafka.produce('orders', ['6', '7', '8'])
  const [group] = JSON.parse(await ok('group describe billing --json'))
  assert.deepEqual([group.group, group.state, group.members], ['billing', 'Empty', []])
  assert.deepEqual(group.partitions.map(({ topic, lag }: { topic: string; lag: number }) => [topic, lag]).sort(), [
    ['orders', 1],
    ['orders', 2],
  ])
  assert.deepEqual(JSON.parse(await ok('group list --json --state stable')), [])
  const [listed] = JSON.parse(await ok('group list --json --state empty'))
  assert.deepEqual([listed.group, listed.lag], ['billing', 3])
  await refused(run('group describe other'), 1, /there is no group other at .*There are 1: headpond group list/)
})

test('group reset-offsets: every way to say where to', async (t) => {
  const { server, ok } = await start(t, { kafka: { topics: { orders: 2, other: 1 } } })
  const atMs = 1_700_000_000_000
  for (let index = 0; index < 20; index++) {
    const timestamp = atMs + index * 1000
    await server.kafka.produce('orders', { value: String(index), timestamp, partition: index % 2 })
  }
  await server.kafka.produce('other', ['x'])
  const offsets = async () =>
    Object.fromEntries(
      ((await server.kafka.group('g'))?.offsets ?? []).map(({ topic, partition, committedOffset }) => [
        `${topic}${partition}`,
        committedOffset,
      ]),
    )
  const reset = (options: string) => ok(`group reset-offsets g ${options}`)
  assert.match(
    await reset('--topic orders --to-earliest'),
    /^TOPIC {3}PARTITION {2}OLD OFFSET {2}NEW OFFSET\norders {10}0 {2}- +0\n/,
  )
  assert.deepEqual(await offsets(), { orders0: 0, orders1: 0 })
  await reset('--topic orders:1 --to-latest')
  assert.deepEqual(await offsets(), { orders0: 0, orders1: 10 })
  await reset('--topic orders --to-offset 4')
  await reset('--topic orders:0 --shift-by -1')
  await reset('--topic orders:1 --shift-by 99')
  assert.deepEqual(await offsets(), { orders0: 3, orders1: 10 })
  await reset('--all-topics --to-datetime 2023-11-14T22:13:25.500')
  assert.deepEqual(await offsets(), { orders0: 3, orders1: 3 })
  await reset('--topic orders:0 --topic other --by-duration P1D')
  assert.deepEqual(await offsets(), { orders0: 10, orders1: 3, other0: 0 })
  await reset('--topic orders:1 --by-duration 1d --dry-run')
  assert.deepEqual(await offsets(), { orders0: 10, orders1: 3, other0: 0 })
  const dry = JSON.parse(await reset('--all-topics --to-current --dry-run --json'))
  assert.deepEqual(dry.isDryRun, true)
  assert.deepEqual(dry.offsets[1], { topic: 'orders', partition: 1, oldOffset: 3, newOffset: 3 })
})

test('group reset-offsets: what it refuses', async (t) => {
  const { server, run } = await start(t, { kafka: { topics: { orders: 1 } } })
  await server.kafka.produce('orders', ['1'])
  const consumer = await consume(t, server, 'g', 'orders')
  await refused(
    run('group reset-offsets g --topic orders --to-latest'),
    1,
    /group g is Stable, with 1 member: .*Stop its consumers first/,
  )
  await consumer.disconnect()
  await refused(run('group reset-offsets g --to-latest'), 2, /of which topics\?/)
  await refused(run('group reset-offsets g --topic orders'), 2, /where to\? --to-earliest/)
  await refused(run('group reset-offsets g --topic orders --to-latest --to-earliest'), 2, /exclude each other/)
  await refused(run('group reset-offsets g --topic orders --to-datetime soon'), 2, /--to-datetime: a date such as/)
  await refused(
    run('group reset-offsets h --topic orders --shift-by 1'),
    1,
    /nothing is committed for orders, partition 0/,
  )
  await refused(run('group reset-offsets h --all-topics --to-latest'), 1, /has committed no offsets/)
})

test('group delete: a group, or its offsets of a topic', async (t) => {
  const { server, ok, run } = await start(t, { kafka: { topics: { orders: 1, other: 1 } } })
  await server.kafka.produce('orders', ['1'])
  const consumer = await consume(t, server, 'g', 'orders')
  await refused(run('group delete g'), 1, /group g: the group has members: NON_EMPTY_GROUP\. Stop its consumers first/)
  await consumer.disconnect()
  await ok('group reset-offsets g --topic other --to-earliest')
  await refused(run('group delete g --topic nowhere'), 1, /has committed nothing for nowhere/)
  assert.equal(await ok('group delete g --topic other'), 'Deleted the offsets of other in g.\n')
  assert.deepEqual(
    (await server.kafka.group('g'))?.offsets.map(({ topic }) => topic),
    ['orders'],
  )
  assert.equal(await ok('group delete g'), 'Deleted group g.\n')
  assert.equal(await server.kafka.group('g'), undefined)
  await refused(run('group delete g'), 1, /there is no group g/)
  assert.deepEqual(JSON.parse(await ok('group delete g --if-exists --json')), {
    deleted: [],
    missing: ['g'],
    refused: [],
  })
})

// ---- All of them ----

test('nobody there: the address, the reason, and exit code 1', async (t) => {
  const listener = createTcpServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => listener.once('listening', resolve))
  const { port } = listener.address() as AddressInfo
  await new Promise((resolve) => listener.close(resolve))
  await refused(
    runKafkaCli(null, ['topic', 'list', '-b', `127.0.0.1:${port}`]),
    1,
    new RegExp(`headpond topic: 127\\.0\\.0\\.1:${port}: Connection refused`),
  )
  const { server } = await start(t)
  // A list is tried in its order.
  const { exitCode } = await runKafkaCli(null, ['topic', 'list', '-b', `127.0.0.1:${port},${server.urls.kafka}`])
  assert.equal(exitCode, 0)
})

test('what answers is no Kafka', async (t) => {
  const { server } = await start(t)
  const place = `127.0.0.1:${server.port}`
  const { errors, exitCode } = await runKafkaCli(null, ['topic', 'list', '-b', place])
  assert.match(errors, new RegExp(`headpond topic: ${place}: `))
  assert.equal(exitCode, 1)
})

test('a broker that does not answer is given up after --timeout', async (t) => {
  const silent = createTcpServer(() => {}).listen(0, '127.0.0.1')
  await new Promise((resolve) => silent.once('listening', resolve))
  t.after(() => silent.close())
  const { port } = silent.address() as AddressInfo
  await refused(
    runKafkaCli(null, ['topic', 'list', '-b', `127.0.0.1:${port}`, '--timeout', '50ms']),
    1,
    /no answer within 0\.05 s/,
  )
})

test('what is wrong with a command line, and how it is used', async () => {
  const run = (line: string) => runKafkaCli(null, wordsOf(line))
  await refused(run('topic'), 2, /^Usage: headpond topic <verb>/)
  await refused(run('topic destroy'), 2, /headpond topic: no verb destroy: list, create, describe/)
  await refused(run('topic tail'), 2, /which topic\?\n\(headpond topic tail --help shows how it is used\)/)
  await refused(run('topic tail a b'), 2, /one topic at a time, and not a, b/)
  await refused(run('topic tail a --form x'), 2, /unknown option --form \(did you mean --format\?\)/)
  await refused(run('topic tail a -x'), 2, /unknown option -x/)
  await refused(run('topic tail a --limit'), 2, /--limit needs a value: --limit <n>/)
  await refused(run('topic tail a --limit 0'), 2, /--limit: a whole number from 1, not 0/)
  await refused(run('topic tail a --json=yes'), 2, /--json takes no value/)
  await refused(run('topic tail a -f tomorrow'), 2, /--from: beginning, end, an offset/)
  await refused(run('topic create'), 2, /which topic\?/)
  await refused(run('topic create a -p many'), 2, /--partitions: a whole number from 1 to \d+, not many/)
  await refused(run('topic create a -c x'), 2, /--config: name=value, not x/)
  await refused(run('topic list -b host:port'), 2, /--bootstrap: an address is host:port, not host:port/)
  await refused(run('topic list --user me'), 2, /the password of me: set KAFKA_PASSWORD/)
  await refused(run('topic list --cacert /nowhere'), 1, /--cacert \/nowhere: No such file/)
  await refused(run('topic list --timeout soon'), 2, /--timeout: not a duration: soon/)
})

test('help: every verb, every option, and no option twice', async () => {
  const { output, exitCode } = await runKafkaCli(null, ['topic', '--help'])
  assert.equal(exitCode, 0)
  assert.match(output, /--bootstrap <host:port,\.\.\.>/)
  for (const family of ['topic', 'group']) {
    const { output: familyHelp } = await runKafkaCli(null, [family, 'help'])
    const verbs = [...familyHelp.matchAll(new RegExp(`^ {2}${family} ([a-z-]+)`, 'gm'))].map(([, verb]) => verb)
    assert.ok(verbs.length >= 4, familyHelp)
    for (const verb of verbs) {
      const help = await runKafkaCli(null, [family, verb, '--help'])
      assert.equal(help.exitCode, 0)
      assert.match(help.output, new RegExp(`^Usage: headpond ${family} ${verb}`))
      const options = [...help.output.matchAll(/^ {2}(?:(-\w), )?(--[a-z-]+)/gm)].flatMap(([, short, name]) =>
        short === undefined ? [name] : [short, name],
      )
      assert.equal(new Set(options).size, options.length, `${family} ${verb}: ${options.join(' ')}`)
    }
  }
})

test('progress of a long run is shown on a terminal, in one line, and nowhere else', async (t) => {
  const { run } = await start(t, { kafka: { topics: { orders: 1 } } })
  const input = `${'x'.repeat(200)}\n`.repeat(20_000)
  const { errors } = await run('topic produce orders', { input, isTerminal: true })
  assert.match(errors, /^(\r\x1b\[K[\d,]+ records?, \S+ \S+(?: in [\d.]+ s[^\r\n]*)?)+\r\x1b\[K$/)
  assert.equal((await run('topic produce orders', { input })).errors, '')
})

test('a file, and a file that is none', async (t) => {
  const { server, ok, run } = await start(t, { kafka: { topics: { orders: 1 } } })
  const directory = mkdtempSync(join(tmpdir(), 'headpond-topic-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'lines')
  writeFileSync(path, 'a\nb\n')
  await ok(`topic produce orders --file ${path}`)
  assert.deepEqual(
    (await server.kafka.records('orders')).map(({ value }) => value),
    ['a', 'b'],
  )
  await refused(run(`topic produce orders --file ${directory}`), 1, /is a directory/)
  await refused(run(`topic produce orders --file ${path}.none`), 1, /cannot be read \(ENOENT\)/)
})
