/** Apache Kafka's own tools, which are made of its Java client, against an embedded server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from 'headpond'
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
