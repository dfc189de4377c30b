/**
 * The second version of transactions (KIP-890): each has an epoch of its own, and what is written to is part of it without
 * being told of before. Together with the feature that tells clients of it.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { errorNameOf } from '#src/kafka/errors.ts'
import { apiVersionsRequest, apiVersionsResponse } from '#src/kafka/schemas/api-versions.ts'
import { describeTransactionsRequest, describeTransactionsResponse } from '#src/kafka/schemas/describe-transactions.ts'
import { offsetFetchRequest, offsetFetchResponse } from '#src/kafka/schemas/offset-fetch.ts'
import { updateFeaturesRequest, updateFeaturesResponse } from '#src/kafka/schemas/update-features.ts'
import { batchOf, type LogClient, recordsOf, startLogServer } from '../data/log-server.ts'
import type { WireClient } from '../wire-client.ts'
import { TransactionalProducer } from './transactional-producer.ts'

const PRODUCE = 12
const END = 5
const EPOCH_EXHAUSTED = 32766

async function start(t: TestContext, directives: Record<string, string> = {}) {
  const server = await startLogServer(t, { topics: { orders: 2, sums: 1 }, directives })
  const client = await server.connect()
  const producer = new TransactionalProducer(client)
  assert.equal(await producer.begin(), 'NONE')
  return { ...server, client, producer }
}

async function seen(client: LogClient, topic: string): Promise<string> {
  const fetched = await client.fetch(topic, { isolationLevel: 1 })
  return recordsOf(fetched)
    .filter((record) => /:[a-z]+$/.test(record))
    .join(' ')
}

async function stateOf(client: LogClient): Promise<string> {
  const asked = { transactionalIds: ['mover'] }
  const answer = await client.wire.call(describeTransactionsRequest, describeTransactionsResponse, 0, asked)
  const [{ transactionState, topics }] = answer.transactionStates
  return [transactionState, ...topics.map(({ topic, partitions }) => `${topic}-${partitions}`)].join(' ')
}

test('what is written to is part of the transaction, and each transaction has its epoch', async (t) => {
  const { client, producer } = await start(t)
  assert.equal(await producer.send('orders', 'a', PRODUCE), 0)
  assert.equal(await producer.send('orders', 'b', PRODUCE, 1), 0)
  assert.equal(await producer.commitOffset('g', 'sums', 7n, 5), 'NONE')
  assert.match(await stateOf(client), /^Ongoing orders-0,1 __consumer_offsets-\d+$/)
  const { producerId } = producer
  assert.equal(await producer.end(true, END), 'NONE')
  assert.deepEqual([producer.producerId, producer.producerEpoch], [producerId, 1])
  assert.equal(await seen(client, 'orders'), '0:a')
  const { groups } = await client.wire.call(offsetFetchRequest, offsetFetchResponse, 8, {
    groupId: '',
    topics: null,
    groups: [{ groupId: 'g', topics: [{ name: 'sums', topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitionIndexes: [0] }] }],
    requireStable: true,
  })
  assert.equal(groups[0].topics[0].partitions[0].committedOffset, 7n)
  assert.equal(await producer.send('orders', 'c', PRODUCE), 2)
  assert.equal(await producer.end(false, END), 'NONE')
  assert.equal(producer.producerEpoch, 2)
  assert.equal(await producer.send('orders', 'd', PRODUCE), 4)
  assert.equal(await producer.end(true, END), 'NONE')
  const log = (await seen(client, 'orders')).split(' ')
  assert.deepEqual(log, ['0:a', '2:c', '4:d']) // with the list of those that were aborted
})

test('nothing of a transaction that is over comes into the next', async (t) => {
  const { client, producer } = await start(t)
  const { producerId, producerEpoch } = producer
  await producer.send('orders', 'a', PRODUCE)
  await producer.end(true, END)
  await producer.send('orders', 'b', PRODUCE)
  const late = batchOf(['late'], { producerId, producerEpoch, baseSequence: 1, isTransactional: true })
  for (const partition of [0, 1]) {
    const answer = await client.produce('orders', late, { version: PRODUCE, transactionalId: 'mover', partition })
    assert.equal(errorNameOf(answer.errorCode), 'INVALID_PRODUCER_EPOCH')
  }
  assert.equal(await producer.end(true, END), 'NONE')
  assert.equal(await seen(client, 'orders'), '0:a 2:b')
})

test('a producer that is not known begins its transaction with the number 0: what is before it will come again', async (t) => {
  const { client, producer } = await start(t)
  const { producerId, producerEpoch } = producer
  const sent = async (baseSequence: number, version: number) => {
    const batch = batchOf(['a'], { producerId, producerEpoch, baseSequence, isTransactional: true })
    return errorNameOf((await client.produce('orders', batch, { version, transactionalId: 'mover' })).errorCode)
  }
  assert.equal(await sent(1, PRODUCE), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  assert.equal(await sent(0, PRODUCE), 'NONE')
  assert.equal(await sent(1, PRODUCE), 'NONE')
  // In the first version numbers go on from one transaction to the next, and a producer may have been forgotten.
  assert.equal(await producer.add('sums'), 'NONE')
  const batch = batchOf(['b'], { producerId, producerEpoch, baseSequence: 7, isTransactional: true })
  const { errorCode } = await client.produce('sums', batch, { version: 11, transactionalId: 'mover' })
  assert.equal(errorNameOf(errorCode), 'NONE')
})

test('an end whose answer was lost is told again; what contradicts it is refused', async (t) => {
  const { producer } = await start(t)
  const again = (fields: object) => Object.assign(producer, fields)
  await producer.send('orders', 'a', PRODUCE)
  assert.equal(await producer.end(true, END), 'NONE')
  again({ producerEpoch: 0 })
  assert.equal(await producer.end(false, END), 'INVALID_TXN_STATE')
  assert.equal(await producer.end(true, END), 'NONE')
  assert.equal(producer.producerEpoch, 1)
  // Of the transaction that comes next, which has nothing in it.
  assert.equal(await producer.end(true, END), 'INVALID_TXN_STATE')
  assert.equal(await producer.end(false, END), 'NONE')
  assert.equal(producer.producerEpoch, 2)
  again({ producerEpoch: 0 })
  assert.equal(await producer.end(true, END), 'PRODUCER_FENCED')
  again({ producerEpoch: 3 })
  assert.equal(await producer.end(true, END), 'PRODUCER_FENCED')
  again({ producerEpoch: 2, producerId: 999 })
  assert.equal(await producer.end(true, END), 'INVALID_PRODUCER_ID_MAPPING')
})

test('somebody who begins anew, or has been away too long, is fenced from the one before', async (t) => {
  const { client, producer, server } = await start(t)
  await producer.send('orders', 'a', PRODUCE)
  const other = new TransactionalProducer(client)
  assert.equal(await other.begin(), 'CONCURRENT_TRANSACTIONS')
  assert.equal(await other.begin(), 'NONE')
  assert.equal(other.producerEpoch, 2)
  assert.equal(await producer.end(true, END), 'PRODUCER_FENCED')
  assert.equal(await producer.send('orders', 'b', PRODUCE), 'INVALID_PRODUCER_EPOCH')
  assert.equal(await producer.commitOffset('g', 'sums', 7n, 5), 'INVALID_PRODUCER_EPOCH')
  assert.equal(await other.send('orders', 'c', PRODUCE), 2)
  server.clock.advance(70_000)
  while ((await stateOf(client)) !== 'CompleteAbort') {}
  assert.equal(await other.end(true, END), 'INVALID_TXN_STATE')
  assert.equal(await other.send('orders', 'd', PRODUCE), 'INVALID_PRODUCER_EPOCH')
})

test('whose open transaction was aborted may go on with the next epoch, by asking for it with its own', async (t) => {
  const { client, producer, server } = await start(t)
  const goOn = async () => {
    const { producerId, producerEpoch } = producer
    let answer = ''
    do answer = await producer.begin(5, { producerId, producerEpoch })
    while (answer === 'CONCURRENT_TRANSACTIONS')
    return answer
  }
  const { producerId } = producer
  await producer.send('orders', 'a', PRODUCE)
  assert.equal(await goOn(), 'NONE')
  assert.deepEqual([producer.producerId, producer.producerEpoch], [producerId, 1])
  // Or it was aborted for its age.
  assert.equal(await producer.send('orders', 'b', PRODUCE), 2)
  server.clock.advance(70_000)
  while ((await stateOf(client)) !== 'CompleteAbort') {}
  assert.equal(await goOn(), 'NONE')
  assert.equal(producer.producerEpoch, 2)
  // Unless somebody else has begun meanwhile.
  const other = new TransactionalProducer(client)
  assert.equal(await producer.send('orders', 'c', PRODUCE), 4)
  assert.equal(await other.begin(), 'CONCURRENT_TRANSACTIONS')
  assert.equal(await other.begin(), 'NONE')
  assert.equal(other.producerEpoch, 4)
  assert.equal(await goOn(), 'PRODUCER_FENCED')
})

test('in the first version of transactions it is fenced for good', async (t) => {
  const { client, producer } = await start(t)
  const featureUpdates = [{ feature: 'transaction.version', maxVersionLevel: 0, allowDowngrade: false, upgradeType: 2 }]
  await client.wire.call(updateFeaturesRequest, updateFeaturesResponse, 2, { featureUpdates, validateOnly: false })
  const { producerId, producerEpoch } = producer
  assert.equal(await producer.add('orders'), 'NONE')
  assert.equal(await producer.begin(5, { producerId, producerEpoch }), 'CONCURRENT_TRANSACTIONS')
  while ((await stateOf(client)) !== 'CompleteAbort') {}
  assert.equal(await producer.begin(5, { producerId, producerEpoch }), 'PRODUCER_FENCED')
})

test('when its epochs are used up, a producer goes on with another id', async (t) => {
  const { client, producer, broker } = await start(t)
  Object.assign(broker.transactions.get('mover')!, { producerEpoch: EPOCH_EXHAUSTED })
  producer.producerEpoch = EPOCH_EXHAUSTED
  const { producerId } = producer
  assert.equal(await producer.send('orders', 'a', PRODUCE), 0)
  assert.equal(await producer.end(true, END), 'NONE')
  assert.notEqual(producer.producerId, producerId)
  assert.equal(producer.producerEpoch, 0)
  const next = producer.producerId
  assert.equal(await producer.send('orders', 'b', PRODUCE), 2)
  assert.equal(await producer.end(true, END), 'NONE')
  assert.equal(await seen(client, 'orders'), '0:a 2:b')
  // Its answer was lost.
  Object.assign(broker.transactions.get('mover')!, { producerEpoch: 0 })
  Object.assign(producer, { producerId, producerEpoch: EPOCH_EXHAUSTED })
  assert.equal(await producer.end(true, END), 'NONE')
  assert.deepEqual([producer.producerId, producer.producerEpoch], [next, 0])
})

test('what a crash has left of a transaction that its coordinator does not know is aborted at the start', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-unknown-'))
  const directives = { dir: directory }
  const first = await startLogServer(t, { topics: { orders: 1 }, directives })
  const known = new TransactionalProducer(await first.connect(), 'known')
  assert.equal(await known.begin(), 'NONE')
  assert.equal(await known.send('orders', 'a', PRODUCE), 0)
  const unknown = { producerId: 999, producerEpoch: 3, baseSequence: 0, isTransactional: true }
  assert.equal(first.partition('orders').append(batchOf(['b'], unknown), { origin: 'coordinator' }).error, null)
  await first.server.close()
  const second = await startLogServer(t, { directives })
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const client = await second.connect()
  const again = new TransactionalProducer(client, 'known')
  while ((await again.begin()) !== 'NONE') {} // it is loaded, and the transaction of before is aborted
  assert.equal(second.partition('orders').lastStableOffset, second.partition('orders').highWatermark)
  assert.equal(second.logged.filter((line) => line.includes('that nobody knows')).length, 1)
  assert.equal(await again.send('orders', 'c', PRODUCE), 4)
  assert.equal(await again.end(true, END), 'NONE')
})

test('clients of the first version go on as before, and one may become the other', async (t) => {
  const { client, producer } = await start(t)
  assert.equal(await producer.send('orders', 'a', 11), 'TRANSACTION_ABORTABLE')
  assert.equal(await producer.add('orders'), 'NONE')
  assert.equal(await producer.send('orders', 'a', 11), 0)
  assert.equal(await producer.end(true, 4), 'NONE')
  assert.equal(producer.producerEpoch, 0)
  assert.equal(await producer.add('orders'), 'NONE')
  assert.equal(await producer.send('orders', 'b', PRODUCE), 2)
  assert.equal(await producer.end(true, END), 'NONE')
  assert.equal(producer.producerEpoch, 1)
  assert.equal(await producer.add('orders'), 'NONE')
  assert.equal(await producer.send('orders', 'c', 11), 4)
  assert.equal(await producer.end(true, 4), 'NONE')
  assert.equal(await seen(client, 'orders'), '0:a 2:b 4:c')
})

test('the feature tells clients, and can be changed', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-features-'))
  const directives = { dir: directory }
  const level = async (wire: WireClient) => {
    const told = await wire.call(apiVersionsRequest, apiVersionsResponse, 4, {
      clientSoftwareName: 'test',
      clientSoftwareVersion: '1',
    })
    assert.deepEqual(told.supportedFeatures, [{ name: 'transaction.version', minVersion: 0, maxVersion: 2 }])
    return told.finalizedFeatures.find(({ name }) => name === 'transaction.version')?.maxVersionLevel ?? 0
  }
  const update = async (
    wire: WireClient,
    feature: string,
    maxVersionLevel: number,
    upgradeType = 1,
    validateOnly = false,
  ) => {
    const featureUpdates = [{ feature, maxVersionLevel, allowDowngrade: false, upgradeType }]
    const { errorMessage } = await wire.call(updateFeaturesRequest, updateFeaturesResponse, 2, {
      featureUpdates,
      validateOnly,
    })
    return errorMessage?.replace(/^The update failed for all features since the following feature had an error: /, '')
  }
  const first = await startLogServer(t, { directives })
  const { wire } = await first.connect()
  assert.equal(await level(wire), 2)
  assert.match(
    (await update(wire, 'transaction.version', 1))!,
    /^Invalid update version 1 .* Can't downgrade the version/,
  )
  assert.match((await update(wire, 'transaction.version', 3))!, /Local controller \d+ only supports versions 0-2$/)
  assert.match((await update(wire, 'moon.phase', 1))!, /does not support this feature\.$/)
  assert.equal(await update(wire, 'transaction.version', 0, 2, true), undefined)
  assert.equal(await level(wire), 2)
  assert.equal(await update(wire, 'transaction.version', 0, 2), undefined)
  assert.equal(await level(wire), 0)
  await first.server.close()
  const second = await startLogServer(t, { directives })
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const { wire: again } = await second.connect()
  assert.equal(await level(again), 0)
  assert.match((await update(again, 'transaction.version', 2, 2))!, /Can't downgrade to a newer version\.$/)
  assert.equal(await update(again, 'transaction.version', 2), undefined)
  assert.equal(await level(again), 2)
})
