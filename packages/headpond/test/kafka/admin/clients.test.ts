/** The administrators of Node's two clients, as people use them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Admin,
  IncrementalAlterConfigOperationTypes,
  ConfigResourceTypes as PlatformaticTypes,
} from '@platformatic/kafka'
import kafkajs from 'kafkajs'
import { createServer } from '#src/server/create-server.ts'

// It names not all of its exports in a way that Node sees.
const { ConfigResourceTypes, ConfigSource, Kafka, logLevel } = kafkajs

test('kafkajs administers topics and settings', async (t) => {
  const server = await createServer()
  const admin = new Kafka({ brokers: [server.urls.kafka], logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin()
  t.after(async () => {
    await admin.disconnect()
    await server.close()
  })
  await admin.connect()
  const configEntries = [{ name: 'cleanup.policy', value: 'compact' }]
  const orders = { topic: 'orders', numPartitions: 2, configEntries }
  assert.equal(await admin.createTopics({ topics: [orders], validateOnly: true, waitForLeaders: false }), true)
  assert.deepEqual(await admin.listTopics(), [])
  assert.equal(await admin.createTopics({ topics: [orders] }), true)
  assert.equal(await admin.createTopics({ topics: [orders] }), false)
  await assert.rejects(admin.createTopics({ topics: [{ topic: 'two', replicationFactor: 2 }] }))
  await admin.createPartitions({ topicPartitions: [{ topic: 'orders', count: 5 }] })
  const { topics } = await admin.fetchTopicMetadata({ topics: ['orders'] })
  assert.deepEqual(topics[0].partitions.map(({ partitionId }) => partitionId).sort(), [0, 1, 2, 3, 4])

  const ofOrders = { type: ConfigResourceTypes.TOPIC, name: 'orders' }
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ ...ofOrders, configEntries: [{ name: 'retention.ms', value: '77' }] }],
  })
  const described = await admin.describeConfigs({ includeSynonyms: true, resources: [ofOrders] })
  const entries = new Map(described.resources[0].configEntries.map((entry) => [entry.configName, entry]))
  const { configValue, configSource, configSynonyms } = entries.get('retention.ms')!
  assert.deepEqual(
    [configValue, configSource, configSynonyms[0].configName],
    ['77', ConfigSource.TOPIC_CONFIG, 'retention.ms'],
  )
  // AlterConfigs has replaced what was set before.
  assert.equal(entries.get('cleanup.policy')!.configValue, 'delete')
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.BROKER, name: '1', configNames: ['num.partitions'] }],
  })
  assert.equal(resources[0].configEntries[0].configValue, '1')

  assert.deepEqual(await admin.listPartitionReassignments({}), { topics: [] })
  await admin.deleteTopics({ topics: ['orders'] })
  assert.deepEqual(await admin.listTopics(), [])
  await assert.rejects(admin.deleteTopics({ topics: ['orders'] }))
})

test('@platformatic/kafka administers topics, settings and the cluster', async (t) => {
  const server = await createServer()
  const admin = new Admin({ clientId: 'app', bootstrapBrokers: [server.urls.kafka], retries: false })
  t.after(async () => {
    await admin.close()
    await server.close()
  })
  const [created] = await admin.createTopics({
    topics: ['orders'],
    partitions: 2,
    configs: [{ name: 'retention.ms', value: '77' }],
  })
  assert.deepEqual([created.name, created.partitions, created.replicas], ['orders', 2, 1])
  assert.equal(created.configuration['retention.ms'], '77')
  await assert.rejects(admin.createTopics({ topics: ['orders'] }))
  assert.deepEqual(await admin.listTopics(), ['orders'])
  await admin.createPartitions({
    topics: [{ name: 'orders', count: 4, assignments: [{ brokerIds: [1] }, { brokerIds: [1] }] }],
  })
  const logDirs = await admin.describeLogDirs({ topics: [{ name: 'orders', partitions: [0, 3] }] })
  const [{ topics }] = logDirs[0].results
  assert.deepEqual(
    topics[0].partitions.map(({ partitionIndex }) => partitionIndex),
    [0, 3],
  )

  const resource = { resourceType: PlatformaticTypes.TOPIC, resourceName: 'orders' }
  await admin.incrementalAlterConfigs({
    resources: [
      {
        ...resource,
        configs: [
          { name: 'cleanup.policy', configOperation: IncrementalAlterConfigOperationTypes.APPEND, value: 'compact' },
        ],
      },
    ],
    validateOnly: false,
  })
  const [{ configs }] = await admin.describeConfigs({
    resources: [{ ...resource, configurationKeys: ['cleanup.policy', 'retention.ms'] }],
    includeSynonyms: true,
    includeDocumentation: true,
  })
  assert.deepEqual(
    configs.map(({ name, value }) => [name, value]),
    [
      ['cleanup.policy', 'delete,compact'],
      ['retention.ms', '77'],
    ],
  )
  assert.match(configs[1].documentation ?? '', /Age at which a segment goes/)
  await admin.deleteTopics({ topics: ['orders'] })
  assert.deepEqual(await admin.listTopics(), [])
})
