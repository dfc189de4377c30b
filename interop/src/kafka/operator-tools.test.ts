/** Apache Kafka's tools for those who run a broker, against an embedded server. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type CreateServerOptions, createServer } from 'headpond'
import { runTool, skipTools as skip } from './kafka-tool.ts'

const TOOLS = 'org.apache.kafka.tools'
const GROUPS = `${TOOLS}.consumer.group.ConsumerGroupCommand`

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
