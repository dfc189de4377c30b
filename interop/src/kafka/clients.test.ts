/** Kafka's clients of Java, Python and Go: each with transactions, in groups, and when answers are lost. */
import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import { type CreateServerOptions, createServer, type HeadpondServer } from 'headpond'
import { FOREIGN, JAVA_CLIENTS } from './every-client.ts'
import { END, ForeignClient, type GroupProtocol } from './foreign-client.ts'

const GROUP_TIMEOUT_MS = 30_000

/** As many as make a batch worth compressing. */
const valuesOf = (name: string, count = 200) =>
  Array.from({ length: count }, (_each, index) => `${name} ${index} ${'x'.repeat(index % 40)}`)

/** A program serves all tests of its client: a JVM takes seconds to start. */
const programs = new Map<string, ForeignClient>()
after(() => Promise.all([...programs.values()].map((client) => client.stop())))

async function start(t: TestContext, name: string, options: CreateServerOptions) {
  const program = FOREIGN[name]
  if ('reason' in program) throw new Error(program.reason)
  const client = programs.get(name) ?? new ForeignClient(program)
  programs.set(name, client)
  const server = await createServer(options)
  t.after(() => server.close())
  t.diagnostic(`${name} ${await client.call(server, 'version', {})}`)
  return { server, client }
}

const skipOf = (name: string) => ('reason' in FOREIGN[name] ? FOREIGN[name].reason : false)

async function valuesIn(server: HeadpondServer, topic: string): Promise<(string | null)[]> {
  return (await server.kafka.records(topic)).map(({ value }) => value)
}

for (const name of Object.keys(FOREIGN)) {
  const hasTransactions = name !== 'kafka-go'
  const skip = skipOf(name)

  if (hasTransactions) {
    test(`${name}, idempotent: lost answers and errors leave every record once and in order`, { skip }, async (t) => {
      const { server, client } = await start(t, name, { kafka: { topics: { orders: 1 } } })
      server.faults.loseAnswer({ api: 'Produce', times: 2 })
      server.faults.error({ api: 'Produce', times: 1 }, 'NOT_ENOUGH_REPLICAS')
      const values = valuesOf('idempotent')
      await client.call(server, 'produce', { topic: 'orders', codec: 'none', values, idempotent: true })
      assert.deepEqual(await valuesIn(server, 'orders'), values)
    })

    test(`${name}, transactions: what is aborted is read by nobody who reads what is committed`, {
      skip,
    }, async (t) => {
      const { server, client } = await start(t, name, { kafka: { topics: { orders: 1 } } })
      const transaction = (values: readonly string[], outcome: 'commit' | 'abort') =>
        client.call(server, 'produce', { topic: 'orders', codec: 'none', values, transactional_id: 'pay', outcome })
      await transaction(['a', 'b'], 'commit')
      await transaction(['c', 'd'], 'abort')
      await transaction(['e'], 'commit')
      await server.kafka.produce('orders', END)
      const read = async (isolation: 'read_committed' | 'read_uncommitted') =>
        (await client.call(server, 'consume', { topics: ['orders'], isolation }))['orders']
      assert.deepEqual(await read('read_committed'), ['a', 'b', 'e'])
      assert.deepEqual(await read('read_uncommitted'), ['a', 'b', 'c', 'd', 'e'])
    })

    test(`${name}, exactly once: from one topic to another, with the offsets of the group`, { skip }, async (t) => {
      const { server, client } = await start(t, name, { kafka: { topics: { from: 2, to: 1 } } })
      const records = valuesOf('item', 20).map((value, index) => ({ value, partition: index % 2 }))
      await server.kafka.produce('from', records)
      await client.call(server, 'transform', {
        group: 'workers',
        source: 'from',
        target: 'to',
        transactional_id: 'worker',
        count: records.length,
        ...(name.startsWith('kafka-clients') ? { protocol: 'classic' } : {}),
      })
      await server.kafka.waitForGroup('workers', { lag: 0, timeoutMs: GROUP_TIMEOUT_MS })
      assert.deepEqual((await valuesIn(server, 'to')).sort(), records.map(({ value }) => value.toUpperCase()).sort())
    })
  }

  const protocols: GroupProtocol[] = ['classic']
  if (/^(kafka-clients|confluent-kafka|franz-go)/.test(name)) protocols.push('consumer')
  for (const protocol of protocols) {
    test(`${name}, a group of the ${protocol} protocol goes on where it was`, { skip }, async (t) => {
      const { server, client } = await start(t, name, { kafka: { topics: { orders: 3 } } })
      const produce = (values: readonly string[]) =>
        server.kafka.produce(
          'orders',
          values.map((value, index) => ({ value, partition: index % 3 })),
        )
      const read = async (count: number) =>
        (await client.call(server, 'group', { group: 'readers', topic: 'orders', protocol, count })).sort()
      const [first, second] = [valuesOf('first', 12), valuesOf('second', 6)]
      await produce(first)
      assert.deepEqual(await read(first.length), first.sort())
      await server.kafka.waitForGroup('readers', { state: 'Empty', lag: 0, timeoutMs: GROUP_TIMEOUT_MS })
      await produce(second)
      assert.deepEqual(await read(second.length), second.sort())
      await server.kafka.waitForGroup('readers', { state: 'Empty', lag: 0, timeoutMs: GROUP_TIMEOUT_MS })
    })
  }
}

for (const version of JAVA_CLIENTS) {
  const name = `kafka-clients ${version}`

  test(`${name}: a producer that begins anew fences the one before`, { skip: skipOf(name) }, async (t) => {
    const { server, client } = await start(t, name, { kafka: { topics: { orders: 1 } } })
    const told = await client.call(server, 'fence', { topic: 'orders', transactional_id: 'pay' })
    assert.match(told, /^(ProducerFencedException|InvalidProducerEpochException)$/)
    await server.kafka.produce('orders', END)
    const { orders } = await client.call(server, 'consume', { topics: ['orders'], isolation: 'read_committed' })
    assert.deepEqual(orders, [])
  })

  // Apache Kafka's own broker tells AdminClient the same, but for the features of its cluster.
  test(`${name}: AdminClient`, { skip: skipOf(name) }, async (t) => {
    const { server, client } = await start(t, name, {})
    const { features, ...told } = await client.call(server, 'admin', {})
    assert.ok(Array.isArray(features))
    assert.deepEqual(told, {
      created: '2 1000000',
      createdMany: 'InvalidReplicationFactorException',
      createdAgain: 'TopicExistsException',
      shrunk: 'InvalidPartitionsException',
      listed: ['orders'],
      described: '3 1 false',
      describedById: 'orders',
      unknown: 'UnknownTopicOrPartitionException',
      configs: ['5000 DYNAMIC_TOPIC_CONFIG', 'delete,compact', '604800000 true'],
      badConfig: 'InvalidConfigurationException',
      brokerConfig: '1',
      offsets: { earliest: 0, latest: 10, max: 4, time: 4 },
      deletedRecords: 3,
      deletedTooMany: 'OffsetOutOfRangeException',
      logDirs: '1 true',
      replicaLogDir: 0,
      groupOffset: '5 note',
      describedGroup: ['3', 'one', 'range', '1'],
      deletedLive: 'GroupNotEmptyException',
      leftOver: 0,
      listedGroups: ['billing', 'live'],
      offsetsLeft: 0,
      deletedUnknown: 'GroupIdNotFoundException',
      transaction: 'Ongoing [orders-1]',
      transactions: 1,
      producers: '1 0',
      afterAbort: false,
      afterFence: 'Empty',
      cluster: '1 1 22',
      quorum: '1 1',
      election: 'ElectionNotNeededException',
      reassignments: 0,
      reassigned: 'InvalidReplicaAssignmentException',
      deletedAgain: 'UnknownTopicOrPartitionException',
    })
  })
}
