/** Apache Kafka's own tools, which are made of its Java client, against an embedded server. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type CreateServerOptions, createServer } from 'headpond'
import { runTool, skipTools as skip, startTool } from './kafka-tool.ts'

const TOOLS = 'org.apache.kafka.tools'
const GROUPS = `${TOOLS}.consumer.group.ConsumerGroupCommand`
const TIMEOUT_MS = 30_000

test('kafka-topics, kafka-configs, kafka-log-dirs, kafka-get-offsets', { skip }, async (t) => {
  const server = await createServer()
  t.after(() => server.close())
  const on = ['--bootstrap-server', server.urls.kafka]
  const topics = (...args: string[]) => runTool(`${TOOLS}.TopicCommand`, [...on, ...args])
  const create = ['--create', '--topic', 'orders', '--partitions', '3', '--config', 'retention.ms=100000']
  assert.match(await topics(...create), /Created topic orders\./)
  assert.deepEqual(await server.kafka.topics(), ['orders'])
  await assert.rejects(topics(...create), /already exists/)
  const described = await topics('--describe', '--topic', 'orders')
  assert.match(described, /PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention\.ms=100000/)
  assert.match(described, /Partition: 2\s+Leader: 1\s+Replicas: 1\s+Isr: 1/)
  await topics('--alter', '--topic', 'orders', '--partitions', '4')
  await server.kafka.produce('orders', [{ value: 'x', partition: 3 }])
  assert.match(
    await runTool(`${TOOLS}.GetOffsetShell`, [...on, '--topic', 'orders']),
    /^orders:0:0\norders:1:0\norders:2:0\norders:3:1$/m,
  )
  const configs = (...args: string[]) =>
    runTool('kafka.admin.ConfigCommand', [...on, '--entity-type', 'topics', '--entity-name', 'orders', ...args])
  await configs('--alter', '--add-config', 'cleanup.policy=[compact,delete]', '--delete-config', 'retention.ms')
  assert.match(await configs('--describe'), /cleanup\.policy=compact,delete .*DYNAMIC_TOPIC_CONFIG/)
  await assert.rejects(configs('--alter', '--add-config', 'retention.ms=soon'), /retention\.ms/)
  const directories = await runTool(`${TOOLS}.LogDirsCommand`, [...on, '--describe', '--topic-list', 'orders'])
  assert.match(directories, /"partition":"orders-3","size":[1-9]/)
  await topics('--delete', '--topic', 'orders')
  assert.deepEqual(await server.kafka.topics(), [])
})

test('kafka-console-producer, kafka-console-consumer, kafka-consumer-groups', { skip }, async (t) => {
  const server = await createServer({ kafka: { topics: { orders: 2 } } })
  t.after(() => server.close())
  const on = ['--bootstrap-server', server.urls.kafka]
  const keyed = ['--property', 'parse.key=true', '--property', 'key.separator=:']
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    const args = [...on, '--topic', 'orders', '--compression-codec', codec, ...keyed]
    await runTool(`${TOOLS}.ConsoleProducer`, args, `${codec}:1\n${codec}:2\n`)
  }
  const records = await server.kafka.records('orders')
  assert.deepEqual(records.map(({ key, value }) => `${key}${value}`).sort(), [
    'gzip1',
    'gzip2',
    'lz41',
    'lz42',
    'none1',
    'none2',
    'snappy1',
    'snappy2',
    'zstd1',
    'zstd2',
  ])
  const consumer = startTool(`${TOOLS}.consumer.ConsoleConsumer`, [
    ...[...on, '--topic', 'orders', '--from-beginning', '--group', 'readers'],
    ...['--property', 'print.key=true', '--consumer-property', 'auto.commit.interval.ms=100'],
  ])
  await server.kafka.waitForGroup('readers', { members: 1, lag: 0, timeoutMs: TIMEOUT_MS })
  // Other lines tell of options that will go.
  assert.equal(consumer.output.split('\n').filter((line) => line.includes('\t')).length, 10)
  const groups = (...args: string[]) => runTool(GROUPS, [...on, ...args])
  assert.match(
    await groups('--describe', '--group', 'readers'),
    /^readers +orders +0 +\d+ +\d+ +0 +console-consumer\S* +\/127\.0\.0\.1 /m,
  )
  // What is in the log when it is asked for comes at once to one who waits.
  await server.kafka.produce('orders', { key: 'late', value: 'comer' })
  await consumer.until((output) => output.includes('late\tcomer'))
  await consumer.stop()
  await server.kafka.waitForGroup('readers', { state: 'Empty', timeoutMs: TIMEOUT_MS })
  await groups('--group', 'readers', '--topic', 'orders', '--reset-offsets', '--to-earliest', '--execute')
  assert.equal((await server.kafka.group('readers'))?.lag, 11)
  await groups('--delete', '--group', 'readers')
  assert.equal(await server.kafka.group('readers'), undefined)
})

test('kafka-producer-perf-test and kafka-consumer-perf-test', { skip }, async (t) => {
  const server = await createServer({ kafka: { topics: { load: 3 } } })
  t.after(() => server.close())
  const produced = await runTool(`${TOOLS}.ProducerPerformance`, [
    ...['--topic', 'load', '--num-records', '20000', '--record-size', '100', '--throughput', '-1'],
    ...['--producer-props', `bootstrap.servers=${server.urls.kafka}`, 'compression.type=lz4'],
  ])
  assert.match(produced, /^20000 records sent/m)
  assert.equal((await server.kafka.records('load', { binary: true })).length, 20_000)
  const consumed = await runTool(`${TOOLS}.ConsumerPerformance`, [
    ...['--bootstrap-server', server.urls.kafka, '--topic', 'load', '--messages', '20000', '--timeout', '20000'],
  ])
  assert.match(consumed.trim().split('\n').at(-1) ?? '', /, 20000, /)
})

test('kafka-delete-records, kafka-leader-election, kafka-reassign-partitions', { skip }, async (t) => {
  const { server, on, file } = await startWithFiles(t, { kafka: { topics: { orders: 2 } } })
  await server.kafka.produce(
    'orders',
    ['a', 'b', 'c'].map((value) => ({ value, partition: 0 })),
  )
  const place = { topic: 'orders', partition: 0 }
  const deletion = ['--offset-json-file', file({ version: 1, partitions: [{ ...place, offset: 2 }] })]
  const deleted = await runTool(`${TOOLS}.DeleteRecordsCommand`, [...on, ...deletion])
  assert.match(deleted, /partition: orders-0\s+low_watermark: 2/)
  assert.deepEqual(
    (await server.kafka.records('orders')).map(({ value }) => value),
    ['c'],
  )
  // There is one replica, who leads already: the tool has nothing to say.
  await runTool(`${TOOLS}.LeaderElectionCommand`, [...on, '--election-type', 'preferred', '--all-topic-partitions'])
  const plan = ['--reassignment-json-file', file({ version: 1, partitions: [{ ...place, replicas: [1] }] })]
  const reassign = (...args: string[]) => runTool(`${TOOLS}.reassign.ReassignPartitionsCommand`, [...on, ...args])
  assert.match(await reassign('--execute', ...plan), /Successfully started partition reassignment for orders-0/)
  assert.match(await reassign('--verify', ...plan), /Reassignment of partition orders-0 is completed/)
})

test('kafka-transactions, kafka-cluster, kafka-metadata-quorum, kafka-features', { skip }, async (t) => {
  const server = await createServer()
  t.after(() => server.close())
  const on = ['--bootstrap-server', server.urls.kafka]
  const run = (tool: string, ...args: string[]) => runTool(`${TOOLS}.${tool}`, [...on, ...args])
  assert.match(await run('TransactionsCommand', 'list'), /^TransactionalId\s+Coordinator/m)
  assert.match(await run('TransactionsCommand', 'find-hanging', '--broker-id', '1'), /^Topic\s+Partition\s+ProducerId/m)
  const listed = await runTool(`${TOOLS}.ClusterTool`, ['list-endpoints', ...on])
  assert.match(listed, /^1 +127\.0\.0\.1 +\d+ +null +unfenced +broker/m)
  assert.match(await runTool(`${TOOLS}.ClusterTool`, ['cluster-id', ...on]), /^Cluster ID: [\w-]{22}$/m)
  assert.match(await run('MetadataQuorumCommand', 'describe', '--status'), /^LeaderId: +1$/m)
  assert.match(await run('MetadataQuorumCommand', 'describe', '--replication'), /^1 .*Leader/m)
  await run('FeatureCommand', 'describe')
})

test('kafka-verifiable-producer and -consumer, kafka-e2e-latency, kafka-groups', { skip }, async (t) => {
  const server = await createServer({ kafka: { topics: { orders: 2 } } })
  t.after(() => server.close())
  const on = ['--bootstrap-server', server.urls.kafka]
  const linesOf = (output: string) =>
    output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
  const produced = await runTool(`${TOOLS}.VerifiableProducer`, [...on, '--topic', 'orders', '--max-messages', '50'])
  const { sent, acked } = linesOf(produced).find(({ name }) => name === 'tool_data')
  assert.deepEqual([sent, acked], [50, 50])
  const reading = ['--topic', 'orders', '--group-id', 'verifiers', '--max-messages', '50']
  const consumed = linesOf(await runTool(`${TOOLS}.VerifiableConsumer`, [...on, ...reading]))
  const counts = consumed.filter(({ name }) => name === 'records_consumed').map(({ count }) => count)
  assert.equal(
    counts.reduce((total, count) => total + count, 0),
    50,
  )
  assert.ok(consumed.every(({ name, success }) => name !== 'offsets_committed' || success))
  const load = ['--topic', 'orders', '--num-records', '50', '--producer-acks', 'all', '--record-size', '100']
  assert.match(await runTool(`${TOOLS}.EndToEndLatency`, [...on, ...load]), /Percentiles: 50th = \d+/)
  assert.match(await runTool(`${TOOLS}.GroupsCommand`, [...on, '--list']), /^verifiers +Classic +consumer/m)
})

test('kafka-consumer-groups: members, states, offsets; kafka-streams-application-reset', { skip }, async (t) => {
  const { server, on } = await startWithFiles(t, { kafka: { topics: { orders: 2 } } })
  await server.kafka.produce(
    'orders',
    ['a', 'b', 'c'].map((value) => ({ value, partition: 0 })),
  )
  const groups = (...args: string[]) => runTool(GROUPS, [...on, ...args])
  const reset = ['--group', 'billing', '--topic', 'orders:0', '--reset-offsets', '--execute']
  await groups(...reset, '--to-offset', '1')
  assert.equal((await server.kafka.group('billing'))?.lag, 2)
  await groups(...reset, '--shift-by', '1')
  assert.equal((await server.kafka.group('billing'))?.lag, 1)
  await groups(...reset, '--to-latest')
  assert.equal((await server.kafka.group('billing'))?.lag, 0)
  assert.match(await groups('--list', '--state'), /^billing +Empty/m)
  assert.match(
    await groups('--describe', '--group', 'billing', '--state'),
    /^billing +127\.0\.0\.1:\d+ +\(1\) .*Empty +0/m,
  )
  assert.match(await groups('--delete-offsets', '--group', 'billing', '--topic', 'orders'), /orders +0 +Successful/)
  const application = ['--application-id', 'app', '--input-topics', 'orders', '--force']
  await runTool(`${TOOLS}.StreamsResetter`, [...on, ...application])
  assert.equal((await server.kafka.group('app'))?.lag, 3)
})

test('kafka-configs of brokers: what is set while it runs wins, and is undone', { skip }, async (t) => {
  const server = await createServer()
  t.after(() => server.close())
  const broker = ['--bootstrap-server', server.urls.kafka, '--entity-type', 'brokers', '--entity-name', '1']
  const configs = (...args: string[]) => runTool('kafka.admin.ConfigCommand', [...broker, ...args])
  await configs('--alter', '--add-config', 'log.retention.ms=12345678')
  assert.match(await configs('--describe'), /log\.retention\.ms=12345678 .*DYNAMIC_BROKER_CONFIG/)
  await configs('--alter', '--delete-config', 'log.retention.ms')
  assert.doesNotMatch(await configs('--describe'), /log\.retention\.ms/)
})

/** With files of JSON, as some tools want them. */
async function startWithFiles(t: TestContext, options: CreateServerOptions) {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-tools-'))
  const server = await createServer(options)
  t.after(async () => {
    await server.close()
    rmSync(directory, { recursive: true, force: true })
  })
  let count = 0
  const file = (content: object) => {
    const path = join(directory, `${count++}.json`)
    writeFileSync(path, JSON.stringify(content))
    return path
  }
  return { server, file, on: ['--bootstrap-server', server.urls.kafka] }
}
