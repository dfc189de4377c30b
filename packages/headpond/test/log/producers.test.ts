import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Appended, PartitionLog } from '#src/log/partition-log.ts'
import { encodeMarker } from '#src/log/records/control-record.ts'
import { makeBatch } from './batches.ts'
import { COMMITTED, EVERYTHING, LogFixture, offsetRanges, temporaryDirectory } from './log-fixture.ts'

const SEQUENCE_MAX = 2 ** 31 - 1
const DAY_MS = 86_400_000

async function openLog(fixture: LogFixture = new LogFixture(null)): Promise<PartitionLog> {
  const logs = await fixture.start()
  return (logs.topics.get('t') ?? logs.createTopic('t', { partitionCount: 1 })).partitions[0]
}

/** Appends `count` records of producer 7. */
function send(
  log: PartitionLog,
  baseSequence: number,
  count = 1,
  options: { epoch?: number; id?: number } = {},
): Appended {
  const { epoch = 0, id = 7 } = options
  const batch = makeBatch({ recordCount: count, producerId: id, producerEpoch: epoch, baseSequence })
  return log.append(batch, { origin: 'client' })
}

/** What became of a batch: its offset, with a ' again' when it was there before, or the error. */
function outcome(appended: Appended): string {
  if (appended.error !== null) return appended.error
  return `${appended.baseOffset}${appended.isDuplicate ? ' again' : ''}`
}

type Step = [baseSequence: number, count: number, epoch: number, outcome: string]
const ORDER = 'OUT_OF_ORDER_SEQUENCE_NUMBER'

const tables: Record<string, Step[]> = {
  'sequences count up, a gap is refused': [
    [0, 1, 0, '0'],
    [1, 2, 0, '1'],
    [4, 1, 0, ORDER],
    [3, 1, 0, '3'],
  ],
  'the last five batches are known again, older ones are not': [
    ...[0, 1, 2, 3, 4, 5].map((sequence): Step => [sequence, 1, 0, String(sequence)]),
    ...[1, 2, 3, 4, 5].map((sequence): Step => [sequence, 1, 0, `${sequence} again`]),
    [0, 1, 0, ORDER],
    [6, 1, 0, '6'],
    [1, 1, 0, ORDER],
  ],
  'a batch that is the same only in part is none of them': [
    [0, 3, 0, '0'],
    [0, 2, 0, ORDER],
    [1, 2, 0, ORDER],
    [0, 3, 0, '0 again'],
  ],
  'sequences wrap, also within a batch': [
    [SEQUENCE_MAX - 1, 1, 0, '0'],
    [SEQUENCE_MAX, 1, 0, '1'],
    [0, 1, 0, '2'],
    [SEQUENCE_MAX, 1, 0, '1 again'],
    [1, 1, 0, '3'],
  ],
  'a batch that straddles the wrap': [
    [SEQUENCE_MAX - 1, 4, 0, '0'],
    [1, 1, 0, ORDER],
    [2, 1, 0, '4'],
    [SEQUENCE_MAX - 1, 4, 0, '0 again'],
  ],
  'a new epoch begins with 0, an old one is refused': [
    [0, 1, 3, '0'],
    [1, 1, 4, ORDER],
    [0, 1, 4, '1'],
    [1, 1, 3, 'INVALID_PRODUCER_EPOCH'],
    [0, 1, 3, 'INVALID_PRODUCER_EPOCH'],
    [1, 1, 4, '2'],
  ],
  'who is not known goes on where he is': [
    [4711, 1, 9, '0'],
    [4712, 1, 9, '1'],
  ],
}

for (const [name, steps] of Object.entries(tables)) {
  test(name, async () => {
    const log = await openLog()
    for (const [baseSequence, count, epoch, expected] of steps) {
      assert.equal(outcome(send(log, baseSequence, count, { epoch })), expected, `${baseSequence}, epoch ${epoch}`)
    }
  })

  test(`${name}, whatever restarts come between`, async (context) => {
    const fixture = new LogFixture(temporaryDirectory(context))
    let log = await openLog(fixture)
    for (const [index, [baseSequence, count, epoch, expected]] of steps.entries()) {
      assert.equal(outcome(send(log, baseSequence, count, { epoch })), expected, `${baseSequence}, epoch ${epoch}`)
      await fixture.logs.written()
      // Closed in order, or gone.
      if (index % 2 === 0) await fixture.logs.close()
      log = await openLog(fixture)
    }
  })
}

test('a producer without an id may have any epoch and sequence', async () => {
  const log = await openLog()
  for (const sequence of [0, 0, 5, -1]) {
    const batch = makeBatch({ producerId: -1, producerEpoch: 0, baseSequence: sequence })
    assert.equal(log.append(batch, { origin: 'client' }).error, null)
  }
  assert.deepEqual(log.activeProducers(), [])
})

test('producers are apart from each other', async () => {
  const log = await openLog()
  assert.equal(outcome(send(log, 0, 1, { id: 1 })), '0')
  assert.equal(outcome(send(log, 0, 1, { id: 2 })), '1')
  assert.equal(outcome(send(log, 1, 1, { id: 1 })), '2')
  assert.deepEqual(
    log.activeProducers().map(({ producerId, lastSequence }) => [producerId, lastSequence]),
    [
      [1, 1],
      [2, 0],
    ],
  )
})

test('an idle producer is forgotten, and accepted wherever it is then', async () => {
  const fixture = new LogFixture(null)
  const log = await openLog(fixture)
  const at = (sequence: number) =>
    makeBatch({ producerId: 7, producerEpoch: 0, baseSequence: sequence, timestampMs: fixture.nowMs })
  log.append(at(0), { origin: 'client' })
  await fixture.logs.written()
  fixture.advance(DAY_MS - 20_000)
  assert.equal(outcome(log.append(at(9), { origin: 'client' })), ORDER)
  fixture.advance(40_000)
  assert.deepEqual(log.activeProducers(), [])
  assert.equal(outcome(log.append(at(9), { origin: 'client' })), '1')
})

test('retention does not make a producer unknown', async (context) => {
  const fixture = new LogFixture(temporaryDirectory(context))
  let log = await openLog(fixture)
  send(log, 0)
  send(log, 1)
  await fixture.logs.written()
  assert.equal(log.deleteRecordsBefore(2), null)
  assert.equal(outcome(send(log, 1)), '1 again')
  await fixture.logs.close()
  log = await openLog(fixture)
  assert.equal(outcome(send(log, 5)), ORDER)
  assert.equal(outcome(send(log, 2)), '2')
})

// ---- Transactions ----

const TRANSACTIONAL = 0x10

function sendInTransaction(log: PartitionLog, id: number, baseSequence: number): Appended {
  const batch = makeBatch({ producerId: id, producerEpoch: 0, baseSequence, attributes: TRANSACTIONAL })
  return log.append(batch, { origin: 'client' })
}

function end(log: PartitionLog, type: 'COMMIT' | 'ABORT', producerId: number, options = {}): Appended {
  const marker = { type, producerId, producerEpoch: 0, coordinatorEpoch: 1, timestampMs: 5000, ...options }
  return log.append(encodeMarker(marker), { origin: 'coordinator' })
}

test('readers of what is committed stop before the oldest open transaction', async (context) => {
  for (const fixture of [new LogFixture(null), new LogFixture(temporaryDirectory(context), {}, { tailBytesMax: 1 })]) {
    let log = await openLog(fixture)
    const stable = async () => {
      await fixture.logs.written()
      const { lastStableOffset, highWatermark, abortedTransactions, ...read } = await log.read(0, 10_000, COMMITTED)
      const last = offsetRanges({ ...read, lastStableOffset, highWatermark, abortedTransactions }).at(-1)?.[1] ?? -1
      assert.equal(last + 1, lastStableOffset)
      return [lastStableOffset, highWatermark, abortedTransactions?.map((each) => [each.producerId, each.firstOffset])]
    }
    send(log, 0)
    assert.deepEqual(await stable(), [1, 1, []])
    sendInTransaction(log, 100, 0) // 1
    sendInTransaction(log, 200, 0) // 2
    send(log, 1) // 3
    assert.deepEqual(await stable(), [1, 4, []])
    end(log, 'ABORT', 200) // 4
    assert.deepEqual(await stable(), [1, 5, []])
    sendInTransaction(log, 200, 1) // 5
    end(log, 'COMMIT', 100) // 6
    assert.deepEqual(await stable(), [5, 7, [[200, 2]]])
    end(log, 'ABORT', 200) // 7
    const all = [
      [200, 2],
      [200, 5],
    ]
    assert.deepEqual(await stable(), [8, 8, all])
    if (fixture.directory === null) continue
    // The same after a clean shutdown, and after none.
    await fixture.logs.close()
    log = await openLog(fixture)
    assert.deepEqual(await stable(), [8, 8, all])
    send(log, 2)
    await fixture.logs.written()
    log = await openLog(fixture)
    assert.deepEqual(await stable(), [9, 9, all])
    await fixture.logs.close()
  }
})

test('an open transaction is open after a restart', async (context) => {
  const fixture = new LogFixture(temporaryDirectory(context))
  let log = await openLog(fixture)
  send(log, 0)
  sendInTransaction(log, 100, 0)
  await fixture.logs.written()
  for (const isClean of [true, false]) {
    if (isClean) await fixture.logs.close()
    log = await openLog(fixture)
    assert.deepEqual([log.lastStableOffset, log.highWatermark], [1, 2])
    const open = log.activeProducers().map((each) => [each.producerId, each.currentTransactionStartOffset])
    assert.deepEqual(open, [
      [7, -1],
      [100, 1],
    ])
  }
  end(log, 'ABORT', 100)
  await fixture.logs.written()
  assert.equal(log.lastStableOffset, 3)
  assert.deepEqual((await log.read(0, 1000, COMMITTED)).abortedTransactions, [{ producerId: 100, firstOffset: 1 }])
})

test('aborted transactions are told to readers of any part of them, and to no others', async () => {
  const log = await openLog()
  const aborted = async (offset: number, maxBytes: number) =>
    (await log.read(offset, maxBytes, COMMITTED)).abortedTransactions?.map(({ producerId }) => producerId)
  send(log, 0) // 0
  sendInTransaction(log, 100, 0) // 1
  send(log, 1) // 2
  end(log, 'ABORT', 100) // 3
  send(log, 2) // 4
  sendInTransaction(log, 200, 0) // 5
  end(log, 'ABORT', 200) // 6
  const endTurn = async () => new Promise((resolve) => setImmediate(resolve))
  await endTurn()
  assert.deepEqual(await aborted(0, 1), [])
  assert.deepEqual(await aborted(1, 1), [100])
  // It began before: only its marker's place tells that it is among these.
  assert.deepEqual(await aborted(2, 1), [100])
  assert.deepEqual(await aborted(3, 1), [100])
  assert.deepEqual(await aborted(4, 1), [])
  assert.deepEqual(await aborted(0, 100_000), [100, 200])
  assert.equal((await log.read(0, 1000, EVERYTHING)).abortedTransactions, null)
})

test('refused: data outside of the open transaction, markers of old epochs and old coordinators', async () => {
  const log = await openLog()
  sendInTransaction(log, 7, 0)
  assert.equal(send(log, 1).error, 'INVALID_TXN_STATE')
  assert.equal(sendInTransaction(log, 7, 1).error, null)
  assert.equal(end(log, 'COMMIT', 7, { coordinatorEpoch: 5 }).error, null)
  assert.equal(end(log, 'COMMIT', 7, { coordinatorEpoch: 4 }).error, 'TRANSACTION_COORDINATOR_FENCED')
  assert.equal(end(log, 'ABORT', 7, { producerEpoch: 1, coordinatorEpoch: 5 }).error, null)
  assert.equal(end(log, 'ABORT', 7, { coordinatorEpoch: 5 }).error, 'INVALID_PRODUCER_EPOCH')
  assert.equal(sendInTransaction(log, 7, 2).error, 'INVALID_PRODUCER_EPOCH')
})

test('a batch that would begin a transaction is checked with the coordinator first', async () => {
  const log = await openLog()
  const asked: number[] = []
  const refusal = { error: 'INVALID_TXN_STATE', message: 'not in the transaction' } as const
  const append = (baseSequence: number, answer: typeof refusal | null) =>
    log.append(makeBatch({ producerId: 7, producerEpoch: 0, baseSequence, attributes: TRANSACTIONAL }), {
      origin: 'client',
      verifyTransaction: (producerId, epoch) => {
        asked.push(producerId, epoch)
        return answer
      },
    })
  assert.equal(append(0, refusal), refusal)
  assert.equal(log.logEndOffset, 0)
  assert.equal(append(0, null).error, null)
  // It is open: nobody need be asked.
  assert.equal(append(1, refusal).error, null)
  assert.equal(outcome(append(1, refusal)), '1 again')
  assert.deepEqual(asked, [7, 0, 7, 0])
})
