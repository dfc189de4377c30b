/** Transactions as producers see them: what they may do, what their readers see, and what a restart leaves. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { errorNameOf } from '#src/kafka/errors.ts'
import { describeTransactionsRequest, describeTransactionsResponse } from '#src/kafka/schemas/describe-transactions.ts'
import { findCoordinatorRequest, findCoordinatorResponse } from '#src/kafka/schemas/find-coordinator.ts'
import { listTransactionsRequest, listTransactionsResponse } from '#src/kafka/schemas/list-transactions.ts'
import { offsetFetchRequest, offsetFetchResponse } from '#src/kafka/schemas/offset-fetch.ts'
import { writeTxnMarkersRequest, writeTxnMarkersResponse } from '#src/kafka/schemas/write-txn-markers.ts'
import { errorOf, LogClient, type LogServer, recordsOf, startLogServer } from '../data/log-server.ts'
import { WireClient } from '../wire-client.ts'
import { TransactionalProducer } from './transactional-producer.ts'

const TIMEOUT_MS = 60_000

async function seen(client: LogClient, topic: string, isolationLevel: 0 | 1): Promise<string> {
  const fetched = await client.fetch(topic, { isolationLevel })
  const aborted = (fetched.abortedTransactions ?? []).map(
    ({ producerId, firstOffset }) => `${producerId}@${firstOffset}`,
  )
  return [...recordsOf(fetched).map((record) => record.replaceAll(/[^ -~]/g, '.')), ...aborted].join(' ')
}

async function committedOffset(client: LogClient, groupId: string, topic: string): Promise<string> {
  const answer = await client.wire.call(offsetFetchRequest, offsetFetchResponse, 8, {
    groupId: '',
    topics: null,
    groups: [{ groupId, topics: [{ name: topic, topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitionIndexes: [0] }] }],
    requireStable: true,
  })
  const [partition] = answer.groups[0].topics[0].partitions
  return partition.errorCode === 0 ? String(partition.committedOffset) : errorNameOf(partition.errorCode)
}

async function start(t: TestContext, directives = {}): Promise<LogServer & { client: LogClient }> {
  const server = await startLogServer(t, { topics: { orders: 2, sums: 1 }, directives })
  return { ...server, client: await server.connect() }
}

test('what is committed is seen, with all that went before it; what is aborted is not', async (t) => {
  const { client, partition } = await start(t)
  const producer = new TransactionalProducer(client)
  assert.equal(await producer.begin(), 'NONE')
  assert.equal(producer.producerEpoch, 0)
  assert.equal(await producer.add('orders'), 'NONE')
  assert.equal(await producer.send('orders', 'a'), 0)
  assert.equal(await producer.send('orders', 'b'), 1)
  const log = partition('orders')
  assert.deepEqual([log.lastStableOffset, log.highWatermark], [0, 2])
  assert.equal(await seen(client, 'orders', 1), '')
  assert.equal(await seen(client, 'orders', 0), '0:a 1:b')
  assert.equal(await producer.end(true), 'NONE')
  assert.deepEqual([log.lastStableOffset, log.highWatermark], [3, 3])
  // The third is the marker.
  assert.equal(await seen(client, 'orders', 1), '0:a 1:b 2:......')
  assert.equal(await producer.add('orders'), 'NONE')
  assert.equal(await producer.send('orders', 'c'), 3)
  assert.equal(await producer.end(false), 'NONE')
  assert.equal(await seen(client, 'orders', 1), `0:a 1:b 2:...... 3:c 4:...... ${producer.producerId}@3`)
})

test('what is said again after a lost answer is answered again; the opposite is refused', async (t) => {
  const { client } = await start(t)
  const producer = new TransactionalProducer(client)
  await producer.begin()
  assert.equal(await producer.end(true), 'INVALID_TXN_STATE')
  assert.equal(await producer.add('orders'), 'NONE')
  assert.equal(await producer.add('orders'), 'NONE')
  await producer.send('orders', 'a')
  assert.equal(await producer.end(true), 'NONE')
  assert.equal(await producer.end(true), 'NONE')
  assert.equal(await producer.end(false), 'INVALID_TXN_STATE')
})

test('a producer that begins anew fences the one before, and what that one left open is aborted', async (t) => {
  const { client, server } = await start(t)
  const zombie = new TransactionalProducer(client)
  await zombie.begin()
  await zombie.add('orders')
  await zombie.send('orders', 'a')
  const heir = new TransactionalProducer(await connectTo(server, t))
  // Until the abort is over it has to ask again.
  assert.equal(await heir.begin(), 'CONCURRENT_TRANSACTIONS')
  let answer = ''
  do answer = await heir.begin()
  while (answer === 'CONCURRENT_TRANSACTIONS')
  assert.equal(answer, 'NONE')
  assert.deepEqual([heir.producerId, heir.producerEpoch], [zombie.producerId, 2])
  assert.equal(await seen(client, 'orders', 1), `0:a 1:...... ${zombie.producerId}@0`)
  assert.equal(await zombie.send('orders', 'b'), 'INVALID_PRODUCER_EPOCH')
  for (const [version, error] of [
    [3, 'PRODUCER_FENCED'],
    [1, 'INVALID_PRODUCER_EPOCH'],
  ] as const) {
    assert.equal(await zombie.add('orders', [0], version), error)
    assert.equal(await zombie.end(true, version), error)
  }
  assert.equal(await zombie.addOffsets('g'), 'PRODUCER_FENCED')
  const mine = { producerId: zombie.producerId, producerEpoch: zombie.producerEpoch }
  assert.equal(await zombie.begin(5, mine), 'PRODUCER_FENCED')
  assert.equal(await zombie.begin(3, mine), 'INVALID_PRODUCER_EPOCH')
})

async function connectTo(server: LogServer['server'], t: TestContext): Promise<LogClient> {
  const client = new LogClient(await WireClient.connect(server.kafkaPort))
  t.after(() => client.close())
  return client
}

test('a producer may go on with what it has: the epoch is the next, once', async (t) => {
  const { client } = await start(t)
  const producer = new TransactionalProducer(client)
  await producer.begin()
  const { producerId } = producer
  assert.equal(await producer.begin(5, { producerId, producerEpoch: 0 }), 'NONE')
  assert.equal(producer.producerEpoch, 1)
  // The answer was lost.
  assert.equal(await producer.begin(5, { producerId, producerEpoch: 0 }), 'NONE')
  assert.deepEqual([producer.producerId, producer.producerEpoch], [producerId, 1])
  assert.equal(await producer.begin(5, { producerId: producerId + 1, producerEpoch: 0 }), 'PRODUCER_FENCED')
  assert.equal(await producer.begin(5, { producerId, producerEpoch: -1 }), 'INVALID_REQUEST')
  // Whoever was forgotten begins anew.
  const forgotten = new TransactionalProducer(client, 'forgotten')
  assert.equal(await forgotten.begin(5, { producerId: 777, producerEpoch: 5 }), 'NONE')
  assert.equal(forgotten.producerEpoch, 0)
})

test('what cannot be is refused', async (t) => {
  const { client } = await start(t)
  const producer = new TransactionalProducer(client)
  assert.equal(await producer.add('orders'), 'INVALID_PRODUCER_ID_MAPPING')
  assert.equal(await producer.begin(5, undefined, 900_001), 'INVALID_TRANSACTION_TIMEOUT')
  assert.equal(await producer.begin(5, undefined, 0), 'INVALID_TRANSACTION_TIMEOUT')
  assert.equal(await new TransactionalProducer(client, '').begin(), 'INVALID_REQUEST')
  await producer.begin()
  assert.equal(await producer.send('orders', 'early', 11), 'TRANSACTION_ABORTABLE')
  assert.equal(await producer.send('orders', 'early', 9), 'INVALID_TXN_STATE')
  assert.equal(await producer.add('orders', [0, 7]), 'OPERATION_NOT_ATTEMPTED UNKNOWN_TOPIC_OR_PARTITION')
  assert.equal(await producer.commitOffset('g', 'orders', 1n), 'TRANSACTION_ABORTABLE')
  assert.equal(await producer.commitOffset('g', 'orders', 1n, 3), 'INVALID_TXN_STATE')
  assert.equal(await producer.add('orders'), 'NONE')
  // Another partition is not part of it.
  assert.equal(await producer.send('orders', 'elsewhere', 11, 1), 'TRANSACTION_ABORTABLE')
})

test('offsets count when the transaction commits', async (t) => {
  const { client } = await start(t)
  const producer = new TransactionalProducer(client)
  await producer.begin()
  assert.equal(await producer.addOffsets('g'), 'NONE')
  assert.equal(await producer.commitOffset('g', 'orders', 5n), 'NONE')
  assert.equal(await committedOffset(client, 'g', 'orders'), 'UNSTABLE_OFFSET_COMMIT')
  assert.equal(await producer.end(true), 'NONE')
  assert.equal(await committedOffset(client, 'g', 'orders'), '5')
  await producer.addOffsets('g')
  await producer.commitOffset('g', 'orders', 9n)
  assert.equal(await producer.end(false), 'NONE')
  assert.equal(await committedOffset(client, 'g', 'orders'), '5')
})

test('a transaction that stays open too long is aborted, and its producer fenced', async (t) => {
  const { client, server, partition } = await start(t)
  const producer = new TransactionalProducer(client)
  await producer.begin()
  await producer.add('orders')
  await producer.send('orders', 'a')
  server.advance(TIMEOUT_MS + 10_000)
  const log = partition('orders')
  while (log.lastStableOffset < 2) await new Promise<void>((resolve) => void log.waiters.add(resolve))
  assert.equal(await producer.end(true), 'PRODUCER_FENCED')
  assert.equal(await producer.begin(), 'NONE')
  assert.equal(producer.producerEpoch, 2)
})

test('an id that nobody uses is forgotten', async (t) => {
  const { client, server } = await start(t)
  const producer = new TransactionalProducer(client)
  await producer.begin()
  const { producerId } = producer
  server.advance(8 * 86_400_000)
  // Its connection was idle for too long, too.
  const late = Object.assign(new TransactionalProducer(await connectTo(server, t)), { producerId, producerEpoch: 0 })
  assert.equal(await late.add('orders'), 'INVALID_PRODUCER_ID_MAPPING')
  assert.equal(await late.begin(), 'NONE')
  assert.notEqual(late.producerId, producerId)
})

test('epochs that are used up are followed by a new id', async (t) => {
  const { client, broker } = await start(t)
  const producer = new TransactionalProducer(client)
  await producer.begin()
  broker.transactions.get('mover')!.producerEpoch = 32766
  const mine = { producerId: producer.producerId, producerEpoch: 32766 }
  assert.equal(await producer.begin(5, mine), 'NONE')
  assert.notEqual(producer.producerId, mine.producerId)
  assert.equal(producer.producerEpoch, 0)
  const { producerId } = producer
  assert.equal(await producer.begin(5, mine), 'NONE')
  assert.deepEqual([producer.producerId, producer.producerEpoch], [producerId, 0])
})

test('administrators see transactions, and end one that hangs', async (t) => {
  const { client, partition } = await start(t)
  const producer = new TransactionalProducer(client)
  await producer.begin()
  await producer.add('orders', [0, 1])
  await producer.send('orders', 'a')
  const described = await client.wire.call(describeTransactionsRequest, describeTransactionsResponse, 0, {
    transactionalIds: ['mover', 'nobody'],
  })
  const [mover, nobody] = described.transactionStates
  assert.deepEqual(
    [mover.transactionState, mover.transactionTimeoutMs, mover.producerId, mover.topics],
    ['Ongoing', TIMEOUT_MS, producer.producerId, [{ topic: 'orders', partitions: [0, 1] }]],
  )
  assert.equal(errorOf(nobody), 'TRANSACTIONAL_ID_NOT_FOUND')
  const list = async (filter = {}, version = 2) => {
    const asked = { stateFilters: [], producerIdFilters: [], ...filter }
    const answer = await client.wire.call(listTransactionsRequest, listTransactionsResponse, version, asked)
    const found = answer.transactionStates.map((each) => `${each.transactionalId} ${each.transactionState}`)
    return [errorOf(answer), ...answer.unknownStateFilters, ...found].join(', ')
  }
  assert.equal(await list(), 'NONE, mover Ongoing')
  assert.equal(await list({ stateFilters: ['Empty', 'Wrong'] }), 'NONE, Wrong')
  assert.equal(await list({ producerIdFilters: [producer.producerId + 1] }), 'NONE')
  assert.equal(await list({ durationFilter: 60_000 }, 1), 'NONE')
  assert.equal(await list({ transactionalIdPattern: 'mo.*' }), 'NONE, mover Ongoing')
  assert.equal(await list({ transactionalIdPattern: 'ov' }), 'NONE')
  assert.equal(await list({ transactionalIdPattern: '[' }), 'INVALID_REGULAR_EXPRESSION')
  const { producerId, producerEpoch } = producer
  const marker = {
    ...{ producerId, producerEpoch, transactionResult: false, coordinatorEpoch: 0 },
    topics: [{ name: 'orders', partitionIndexes: [0, 9] }],
  }
  const marked = await client.wire.call(writeTxnMarkersRequest, writeTxnMarkersResponse, 1, { markers: [marker] })
  assert.deepEqual(marked.markers[0].topics[0].partitions.map(errorOf), ['NONE', 'UNKNOWN_TOPIC_OR_PARTITION'])
  assert.equal(partition('orders').lastStableOffset, 2)
})

test('where transactions are coordinated', async (t) => {
  const { client, broker } = await start(t)
  const asked = { key: '', keyType: 1, coordinatorKeys: ['mover'] }
  const { coordinators } = await client.wire.call(findCoordinatorRequest, findCoordinatorResponse, 4, asked)
  assert.deepEqual(
    [coordinators[0].key, coordinators[0].errorCode, coordinators[0].nodeId],
    ['mover', 0, broker.nodeId],
  )
  assert.equal(broker.logs.topics.get('__transaction_state')!.partitions.length, 50)
})

test('after a restart transactions go on; those that were decided are ended, those in decay aborted in time', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-transactions-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const directives = { dir, appendonly: false }
  const first = await startLogServer(t, { topics: { orders: 2, sums: 1 }, directives })
  const client = await first.connect()
  const committer = new TransactionalProducer(client, 'committer')
  const sleeper = new TransactionalProducer(client, 'sleeper')
  for (const producer of [committer, sleeper]) {
    assert.equal(await producer.begin(), 'NONE')
    assert.equal(await producer.add('orders'), 'NONE')
  }
  assert.equal(await committer.send('orders', 'a'), 0)
  assert.equal(await sleeper.send('orders', 'b'), 1)
  // Decided, and then the process ended: the markers were never written.
  const decided = first.broker.transactions.get('committer')!
  const { mark } = first.broker.transactions
  first.broker.transactions.mark = () => 'KAFKA_STORAGE_ERROR'
  await committer.end(true)
  assert.equal(decided.state, 'PrepareCommit')
  first.broker.transactions.mark = mark
  await first.server.close()

  const second = await startLogServer(t, { directives })
  const again = await second.connect()
  const log = second.partition('orders')
  while (log.highWatermark < 3) await new Promise<void>((resolve) => void log.waiters.add(resolve))
  // The other one is still open.
  assert.equal(log.lastStableOffset, 1)
  const late = Object.assign(new TransactionalProducer(again, 'sleeper'), {
    producerId: sleeper.producerId,
    producerEpoch: sleeper.producerEpoch,
  })
  assert.equal(await late.end(true), 'NONE')
  assert.equal(await seen(again, 'orders', 1), '0:a 1:b 2:...... 3:......')
  await second.server.close()
})
