/** Settings take effect at once, whoever changes them, and outlive the broker. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { errorNameOf } from '#src/kafka/errors.ts'
import { describeConfigsRequest, describeConfigsResponse } from '#src/kafka/schemas/describe-configs.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { DEFAULT_LOG_SETTINGS } from '#src/log/log-settings.ts'
import { settingsOf, topicSettings } from '#src/log/topic-config.ts'
import { startLogServer } from '../data/log-server.ts'
import { startBroker } from '../test-broker.ts'
import type { WireClient } from '../wire-client.ts'
import { call } from './transcript.ts'

const TOPIC = 2
const BROKER = 4

async function settingOf(client: WireClient, type: number, name: string, setting: string): Promise<string | null> {
  const { results } = await client.call(describeConfigsRequest, describeConfigsResponse, 4, {
    resources: [{ resourceType: type, resourceName: name, configurationKeys: [setting] }],
    includeSynonyms: false,
    includeDocumentation: false,
  })
  return results[0].configs[0].value
}

/** Asserts that all went well. */
async function change(client: WireClient, type: number, name: string, settings: Record<string, string | null>) {
  const configs = Object.entries(settings).map(([setting, value]) =>
    value === null ? { name: setting, configOperation: 1 } : { name: setting, configOperation: 0, value },
  )
  const fields = { resources: [{ resourceType: type, resourceName: name, configs }] }
  const answer = await call(client, `IncrementalAlterConfigs 1 ${JSON.stringify(fields)}`)
  assert.ok(!answer.includes('error'), answer)
}

async function createTopic(client: WireClient, name: string, fields: object = {}): Promise<void> {
  const answer = await call(client, `CreateTopics 7 ${JSON.stringify({ topics: [{ name, ...fields }] })}`)
  assert.ok(!answer.includes('error'), answer)
}

/** What the metadata says of a topic that may have to be made. */
async function autoCreate(client: WireClient, name: string): Promise<string> {
  const { topics } = await client.call(metadataRequest, metadataResponse, 9, {
    topics: [{ topicId: 'A'.repeat(22), name }],
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  })
  return topics[0].errorCode === 0 ? `${topics[0].partitions.length} partitions` : errorNameOf(topics[0].errorCode)
}

test('what a log is told by default is what the table of settings says', () => {
  const withDefaults = new Map<string, string>()
  for (const { name, default: text, isOld } of topicSettings) if (text !== null && !isOld) withDefaults.set(name, text)
  assert.deepEqual(settingsOf(withDefaults, DEFAULT_LOG_SETTINGS), DEFAULT_LOG_SETTINGS)
  assert.deepEqual(settingsOf(new Map(), DEFAULT_LOG_SETTINGS), DEFAULT_LOG_SETTINGS)
})

test('the old limit of timestamps is both new ones, which win over it', () => {
  const old = new Map([['message.timestamp.difference.max.ms', '5']])
  const { messageTimestampBeforeMaxMs, messageTimestampAfterMaxMs } = settingsOf(old, DEFAULT_LOG_SETTINGS)
  assert.deepEqual([messageTimestampBeforeMaxMs, messageTimestampAfterMaxMs], [5, 5])
  const both = new Map([['message.timestamp.after.max.ms', '7'], ...old])
  assert.equal(settingsOf(both, DEFAULT_LOG_SETTINGS).messageTimestampAfterMaxMs, 7)
})

test('a topic follows its own settings, then the broker’s, and back', async (t) => {
  const { connect, logs } = await startLogServer(t)
  const client = (await connect()).wire
  await createTopic(client, 'own', { configs: [{ name: 'retention.ms', value: '1' }] })
  await createTopic(client, 'follows')
  const [own, follows] = ['own', 'follows'].map((name) => logs.topics.get(name)!.settings)
  assert.deepEqual([own.retentionMs, follows.retentionMs], [1, DEFAULT_LOG_SETTINGS.retentionMs])
  await change(client, BROKER, '', { 'log.retention.ms': '100' })
  assert.deepEqual([own.retentionMs, follows.retentionMs], [1, 100])
  await change(client, BROKER, '1', { 'log.retention.ms': '200' })
  assert.deepEqual([own.retentionMs, follows.retentionMs], [1, 200])
  await change(client, TOPIC, 'own', { 'retention.ms': null, 'cleanup.policy': 'compact' })
  assert.deepEqual([own.retentionMs, own.isCompacted, own.isDeleted], [200, true, false])
  await change(client, BROKER, '1', { 'log.retention.ms': null })
  await change(client, BROKER, '', { 'log.retention.ms': null })
  assert.deepEqual([own.retentionMs, follows.retentionMs], Array(2).fill(DEFAULT_LOG_SETTINGS.retentionMs))
})

test('a setting that no topic could have is taken, and topics go on with what they had', async (t) => {
  const { connect, logs } = await startLogServer(t)
  const client = (await connect()).wire
  await createTopic(client, 'orders')
  const { settings } = logs.topics.get('orders')!
  await change(client, BROKER, '1', { 'log.flush.interval.ms': '5' })
  await change(client, BROKER, '1', { 'log.flush.interval.ms': '-2' })
  assert.equal(settings.flushMs, 5)
  assert.equal(await settingOf(client, BROKER, '1', 'log.flush.interval.ms'), '-2')
})

test('coarser units count where the finer ones are not set', async (t) => {
  const { connect } = await startBroker(t, {
    'kafka.log.retention.hours': 2,
    'kafka.log.roll.hours': 3,
    'kafka.log.roll.ms': 7,
  })
  const client = await connect()
  await createTopic(client, 'orders')
  assert.equal(await settingOf(client, TOPIC, 'orders', 'retention.ms'), '7200000')
  assert.equal(await settingOf(client, TOPIC, 'orders', 'segment.ms'), '7')
  await change(client, BROKER, '1', { 'log.retention.ms': '-1' })
  assert.equal(await settingOf(client, TOPIC, 'orders', 'retention.ms'), '-1')
})

test('kafka. directives are the broker’s settings: at the start, and by CONFIG SET', async (t) => {
  const { connect, server } = await startBroker(t, {
    'kafka.num.partitions': 2,
    'kafka.auto.create.topics.enable': false,
  })
  const client = await connect()
  const redis = new Redis(server.urls.redis)
  t.after(() => redis.disconnect())
  const set = (name: string, value: string) => redis.config('SET', name, value).catch((error: Error) => error.message)
  assert.equal(await autoCreate(client, 'one'), 'UNKNOWN_TOPIC_OR_PARTITION')
  assert.equal(await set('kafka.auto.create.topics.enable', 'true'), 'OK')
  assert.equal(await autoCreate(client, 'one'), '2 partitions')
  assert.equal(await set('kafka.num.partitions', '4'), 'OK')
  assert.equal(await autoCreate(client, 'two'), '4 partitions')
  assert.equal(await settingOf(client, BROKER, '1', 'num.partitions'), '4')

  const refusal = (name: string, reason: string) =>
    `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`
  assert.equal(
    await set('kafka.num.partitions', 'x'),
    refusal('kafka.num.partitions', 'Invalid value x for configuration num.partitions: Not a number of type INT'),
  )
  assert.equal(
    await set('kafka.num.partitions', '0'),
    refusal('kafka.num.partitions', 'Invalid value 0 for configuration num.partitions: Value must be at least 1'),
  )
  assert.equal(
    await set('kafka.num.partition', '1'),
    refusal('kafka.num.partition', 'there is no such setting of Kafka'),
  )
  assert.equal(await set('kafka.node.id', '2'), refusal('kafka.node.id', "can't set immutable config"))
  assert.deepEqual(await redis.config('GET', 'kafka.num.partitions'), ['kafka.num.partitions', '4'])
  assert.deepEqual(await redis.config('GET', 'kafka.fetch.max.bytes'), ['kafka.fetch.max.bytes', '57671680'])

  // The last word counts, whoever said it.
  await change(client, BROKER, '1', { 'log.retention.ms': '5' })
  assert.deepEqual(await redis.config('GET', 'kafka.log.*'), ['kafka.log.retention.ms', '5'])
  assert.equal(await set('kafka.log.retention.ms', '6'), 'OK')
  assert.equal(await settingOf(client, BROKER, '1', 'log.retention.ms'), '6')
})

test('a setting that Kafka does not know is told of and refused to a program, and one with a bad value ends the start', async (t) => {
  const warnings: string[] = []
  const log = { info() {}, warn: (line: string) => void warnings.push(line), error() {} }
  await assert.rejects(startBroker(t, { 'kafka.log.retension.ms': 5, log }), {
    message: 'kafka.log.retension.ms: there is no such setting. Did you mean log.retention.ms?',
  })
  const warning = 'kafka.log.retension.ms: there is no such setting of Kafka, and it is left aside. '
  assert.ok(warnings.includes(`${warning}Did you mean kafka.log.retention.ms?`), warnings.join('\n'))
  await assert.rejects(startBroker(t, { 'kafka.log.retention.ms': 'soon' }), {
    message:
      'kafka.log.retention.ms soon: Invalid value soon for configuration log.retention.ms: Not a number of type LONG.',
  })
})

test('either name of the number of the broker sets it', async (t) => {
  for (const name of ['kafka.node.id', 'kafka.broker.id']) {
    const { connect } = await startBroker(t, { [name]: 7 })
    const client = await connect()
    assert.equal(await settingOf(client, BROKER, '7', 'node.id'), '7', name)
    assert.equal(await settingOf(client, BROKER, '7', 'broker.id'), '7', name)
  }
  await startBroker(t, { 'kafka.node.id': 7, 'kafka.broker.id': 7 })
  await assert.rejects(startBroker(t, { 'kafka.node.id': 7, 'kafka.broker.id': 8 }), {
    message: 'kafka.node.id: You must set `node.id` to the same value as `broker.id`.',
  })
  await assert.rejects(startBroker(t, { 'kafka.broker.id': -1 }), /node\.id must be at least 0/)
})

test('topics, their settings and those of the broker outlive it', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-test-'))
  const first = await startBroker(t, { ephemeral: false, dir })
  const client = await first.connect()
  await createTopic(client, 'orders', { numPartitions: 3, configs: [{ name: 'retention.ms', value: '12345' }] })
  await createTopic(client, 'gone')
  await call(client, 'DeleteTopics 6 {"topics":[{"name":"gone"}]}')
  await call(client, 'CreatePartitions 3 {"topics":[{"name":"orders","count":5}]}')
  await change(client, BROKER, '1', { 'log.segment.bytes': '4000' })
  await change(client, BROKER, '', { 'log.roll.ms': '5000' })
  await change(client, 32, 'readers', { 'consumer.session.timeout.ms': '50000' })
  client.close()
  await first.server.close()

  const second = await startBroker(t, { ephemeral: false, dir })
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const again = await second.connect()
  const { topics } = JSON.parse(await call(again, 'DescribeTopicPartitions 0 {}'))
  assert.deepEqual(
    topics.map(({ name, partitions }: { name: string; partitions: unknown[] }) => [name, partitions.length]),
    [['orders', 5]],
  )
  assert.equal(await settingOf(again, TOPIC, 'orders', 'retention.ms'), '12345')
  assert.equal(await settingOf(again, TOPIC, 'orders', 'segment.bytes'), '4000')
  assert.equal(await settingOf(again, TOPIC, 'orders', 'segment.ms'), '5000')
  assert.equal(await settingOf(again, 32, 'readers', 'consumer.session.timeout.ms'), '50000')
})

test('topics are not deleted where that is not allowed', async (t) => {
  const { connect } = await startBroker(t, { 'kafka.delete.topic.enable': false })
  const client = await connect()
  await createTopic(client, 'orders')
  assert.equal(
    await call(client, 'DeleteTopics 6 {"topics":[{"name":"orders"}]}'),
    '{"responses":[{"name":"orders","error":"TOPIC_DELETION_DISABLED","errorMessage":"Topic deletion is disabled."}]}',
  )
  assert.match(await call(client, 'DeleteTopics 1 {"topicNames":["orders"]}'), /"error":"INVALID_REQUEST"/)
  assert.match(await call(client, 'DescribeTopicPartitions 0 {"topics":[{"name":"orders"}]}'), /"partitionIndex":0/)
})

test('a topic made by name is deleted by its id, and its name is another topic’s then', async (t) => {
  const { connect, logs } = await startLogServer(t)
  const client = (await connect()).wire
  await createTopic(client, 'orders')
  const { topics } = logs
  const { id } = topics.get('orders')!
  const both = `{"topics":[{"name":"orders"},{"topicId":"${id}"}]}`
  assert.match(await call(client, `DeleteTopics 6 ${both}`), /maps to an ID that was already supplied/)
  assert.equal(topics.size, 1)
  assert.equal(
    await call(client, `DeleteTopics 6 {"topics":[{"topicId":"${id}"}]}`),
    '{"responses":[{"name":"orders"}]}',
  )
  await createTopic(client, 'orders')
  assert.notEqual(topics.get('orders')!.id, id)
  assert.match(await call(client, `DeleteTopics 6 {"topics":[{"topicId":"${id}"}]}`), /UNKNOWN_TOPIC_ID/)
})
