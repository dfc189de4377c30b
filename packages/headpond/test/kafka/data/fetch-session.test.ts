import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchOf, errorOf, type Fetched, recordsOf, startLogServer } from './log-server.ts'

/** `topic-partition` and what it has, of every partition in an answer. */
function told({ responses }: Fetched): string[] {
  return responses.flatMap(({ topic, partitions }) =>
    partitions.map((each) => `${topic}-${each.partitionIndex} ${recordsOf(each).join(' ')}`.trim()),
  )
}

test('a session: a full answer first, then only what is new', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 3 } })
  const client = await connect()
  const full = await client.fetchAll({ orders: { 0: 0, 1: 0, 2: 0 } }, { sessionEpoch: 0 })
  assert.deepEqual(told(full), ['orders-0', 'orders-1', 'orders-2'])
  const { sessionId } = full
  assert.ok(sessionId > 0)

  const nothing = await client.fetchAll({}, { sessionId, sessionEpoch: 1 })
  assert.equal(nothing.sessionId, sessionId)
  assert.deepEqual(told(nothing), [])

  await client.produce('orders', batchOf(['a']), { partition: 1 })
  assert.deepEqual(told(await client.fetchAll({}, { sessionId, sessionEpoch: 2 })), ['orders-1 0:a'])
  // Not acknowledged by a new position: it comes again.
  assert.deepEqual(told(await client.fetchAll({}, { sessionId, sessionEpoch: 3 })), ['orders-1 0:a'])
  assert.deepEqual(told(await client.fetchAll({ orders: { 1: 1 } }, { sessionId, sessionEpoch: 4 })), [])
})

test('a session of topic ids works as one of names, and the two do not mix', async (t) => {
  const { connect, topicId } = await startLogServer(t, { topics: { orders: 2 } })
  const client = await connect()
  const { sessionId } = await client.fetchAll({ orders: { 0: 0, 1: 0 } }, { sessionEpoch: 0, version: 17 })
  await client.produce('orders', batchOf(['a']))
  const news = await client.fetchAll({}, { sessionId, sessionEpoch: 1, version: 17 })
  assert.deepEqual([news.responses[0].topicId, told(news)], [topicId('orders'), ['-0 0:a']])
  const mixed = await client.fetchAll({}, { sessionId, sessionEpoch: 2, version: 12 })
  assert.equal(errorOf(mixed), 'FETCH_SESSION_TOPIC_ID_ERROR')
  assert.deepEqual([mixed.sessionId, told(mixed)], [0, []])
})

test('a changed log start is news', async (t) => {
  const { connect, partition } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  await client.produce('orders', batchOf(['a']))
  const { sessionId } = await client.fetchAll({ orders: { 0: 1 } }, { sessionEpoch: 0 })
  assert.deepEqual(told(await client.fetchAll({}, { sessionId, sessionEpoch: 1 })), [])
  partition('orders').deleteRecordsBefore(1)
  const [news] = (await client.fetchAll({}, { sessionId, sessionEpoch: 2 })).responses[0].partitions
  assert.deepEqual([news.logStartOffset, news.highWatermark, errorOf(news)], [1, 1, 'NONE'])
})

test('partitions are added to a session and forgotten by it; an emptied one is over', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 3 } })
  const client = await connect()
  for (const partition of [0, 1, 2]) await client.produce('orders', batchOf(['a']), { partition })
  const { sessionId } = await client.fetchAll({ orders: { 0: 0 } }, { sessionEpoch: 0 })
  const added = await client.fetchAll({ orders: { 2: 0 } }, { sessionId, sessionEpoch: 1 })
  assert.deepEqual(told(added), ['orders-0 0:a', 'orders-2 0:a'])
  const forget = (...partitions: number[]) => [{ topic: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitions }]
  const left = await client.fetchAll({}, { sessionId, sessionEpoch: 2, forgottenTopicsData: forget(0) })
  assert.deepEqual(told(left), ['orders-2 0:a'])
  const empty = await client.fetchAll({}, { sessionId, sessionEpoch: 3, forgottenTopicsData: forget(2, 1) })
  assert.deepEqual([empty.sessionId, errorOf(empty), told(empty)], [0, 'NONE', []])
  assert.equal(errorOf(await client.fetchAll({}, { sessionId, sessionEpoch: 4 })), 'FETCH_SESSION_ID_NOT_FOUND')
})

test('a request out of turn, or of a session that does not exist, is refused', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  const { sessionId } = await client.fetchAll({ orders: { 0: 0 } }, { sessionEpoch: 0 })
  for (const sessionEpoch of [2, 7]) {
    const refused = await client.fetchAll({}, { sessionId, sessionEpoch, maxWaitMs: 60_000 })
    assert.deepEqual([errorOf(refused), refused.sessionId, told(refused)], ['INVALID_FETCH_SESSION_EPOCH', 0, []])
  }
  assert.equal(errorOf(await client.fetchAll({}, { sessionId, sessionEpoch: 1 })), 'NONE')
  assert.equal(errorOf(await client.fetchAll({}, { sessionId, sessionEpoch: 1 })), 'INVALID_FETCH_SESSION_EPOCH')
  const other = sessionId === 1 ? 2 : sessionId - 1
  assert.equal(errorOf(await client.fetchAll({}, { sessionId: other, sessionEpoch: 1 })), 'FETCH_SESSION_ID_NOT_FOUND')
})

test('a session is ended, and another begun in its place, by its client', async (t) => {
  const { connect, broker } = await startLogServer(t, { topics: { orders: 1 } })
  const { fetchSessions } = broker
  const client = await connect()
  const first = await client.fetchAll({ orders: { 0: 0 } }, { sessionEpoch: 0 })
  const second = await client.fetchAll({ orders: { 0: 0 } }, { sessionEpoch: 0, sessionId: first.sessionId })
  assert.notEqual(second.sessionId, first.sessionId)
  assert.equal(fetchSessions.size, 1)
  const last = await client.fetchAll({ orders: { 0: 0 } }, { sessionEpoch: -1, sessionId: second.sessionId })
  assert.deepEqual([last.sessionId, told(last)], [0, ['orders-0']])
  assert.equal(fetchSessions.size, 0)
})

test('an error is told again until it is over, and what comes after it', async (t) => {
  const { connect, logs } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  const { sessionId } = await client.fetchAll({ orders: { 0: 0, 1: 0 } }, { sessionEpoch: 0 })
  const errorsAt = async (sessionEpoch: number) =>
    (await client.fetchAll({}, { sessionId, sessionEpoch })).responses.flatMap(({ partitions }) =>
      partitions.map(errorOf),
    )
  assert.deepEqual(await errorsAt(1), ['UNKNOWN_TOPIC_OR_PARTITION'])
  assert.deepEqual(await errorsAt(2), ['UNKNOWN_TOPIC_OR_PARTITION'])
  logs.addPartitions('orders', 2)
  assert.deepEqual(await errorsAt(3), ['NONE'])
  assert.deepEqual(await errorsAt(4), [])
})

test('a partition that had data is served after those that had none', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 3 } })
  const client = await connect()
  const batch = batchOf(['x'.repeat(500)])
  const { sessionId } = await client.fetchAll({ orders: { 0: 0, 1: 0, 2: 0 } }, { sessionEpoch: 0 })
  for (const partition of [0, 1, 2]) await client.produce('orders', batch, { partition })
  const served: number[] = []
  for (let sessionEpoch = 1; sessionEpoch <= 6; sessionEpoch++) {
    const { responses } = await client.fetchAll({}, { sessionId, sessionEpoch, maxBytes: batch.length })
    for (const { partitionIndex, records } of responses[0].partitions)
      if (records!.length > 0) served.push(partitionIndex)
  }
  assert.deepEqual(served, [0, 1, 2, 0, 1, 2])
})

test('sessions make room for one another by age and size', async (t) => {
  const { connect, server } = await startLogServer(t, {
    topics: { orders: 4 },
    directives: { 'kafka.max.incremental.fetch.session.cache.slots': 2 },
  })
  server.clock.pause()
  const client = await connect()
  const begin = async (count: number) => {
    const offsets = Object.fromEntries(Array.from({ length: count }, (_, index) => [index, 0]))
    return (await client.fetchAll({ orders: offsets }, { sessionEpoch: 0 })).sessionId
  }
  const isThere = async (sessionId: number, sessionEpoch: number) =>
    errorOf(await client.fetchAll({}, { sessionId, sessionEpoch })) === 'NONE'
  const small = await begin(1)
  const large = await begin(3)
  assert.equal(await begin(4), 0, 'young sessions stay')

  server.advance(110_000)
  assert.ok((await isThere(small, 1)) && (await isThere(large, 1)))
  server.advance(20_000)
  assert.equal(await begin(1), 0, 'no larger than the smallest that could go')
  const larger = await begin(2)
  assert.ok(larger > 0)
  assert.equal(await isThere(small, 2), false)
  assert.ok(await isThere(large, 2))

  server.advance(121_000)
  assert.ok((await begin(1)) > 0, 'a session that nobody used for two minutes goes')
})

test('without slots there are no sessions, and every answer is full', async (t) => {
  const { connect } = await startLogServer(t, {
    topics: { orders: 2 },
    directives: { 'kafka.max.incremental.fetch.session.cache.slots': 0 },
  })
  const client = await connect()
  const full = await client.fetchAll({ orders: { 0: 0, 1: 0 } }, { sessionEpoch: 0 })
  assert.deepEqual([full.sessionId, told(full)], [0, ['orders-0', 'orders-1']])
})

test('an answer of a session waits for something new, and is empty when there is none', async (t) => {
  const { connect, server, partition } = await startLogServer(t, { topics: { orders: 2 } })
  const client = await connect()
  await client.produce('orders', batchOf(['a']))
  const { sessionId } = await client.fetchAll({ orders: { 0: 1, 1: 0 } }, { sessionEpoch: 0 })
  server.clock.pause()
  const waiting = client.sendFetch({}, { sessionId, sessionEpoch: 1, maxWaitMs: 500 })
  while (partition('orders').waiters.size === 0) await new Promise((resolve) => setImmediate(resolve))
  server.advance(500)
  const empty = await client.receiveFetched(waiting)
  assert.deepEqual([empty.sessionId, told(empty)], [sessionId, []])
})
