import assert from 'node:assert/strict'
import fs, { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { LogDirectoryError } from '#src/log/log-manager.ts'
import { makeBatch } from './batches.ts'
import { EVERYTHING, LogFixture, offsetRanges, readToEnd, temporaryDirectory } from './log-fixture.ts'

const CLIENT = { origin: 'client' } as const

/** Runs a test in memory and on disk: they are to behave alike. */
function testBoth(name: string, run: (fixture: LogFixture, context: TestContext) => Promise<void>): void {
  test(`${name} (ephemeral)`, (context) => run(new LogFixture(null), context))
  test(`${name} (on disk)`, (context) => run(new LogFixture(temporaryDirectory(context)), context))
}

testBoth('a batch is read back with its offset once it is written', async (fixture) => {
  const logs = await fixture.start()
  const topic = logs.createTopic('orders', { partitionCount: 2 })
  const log = topic.partitions[1]
  assert.equal(log.topicId, topic.id)
  const first = log.append(makeBatch({ recordCount: 3 }), CLIENT)
  assert.deepEqual(first, { error: null, baseOffset: 0, logAppendTimeMs: -1, isDuplicate: false })
  assert.equal(log.append(makeBatch(), CLIENT).error, null)
  assert.equal(log.highWatermark, 0)
  assert.deepEqual(offsetRanges(await log.read(0, 1000, EVERYTHING)), [])
  await logs.written()
  assert.equal(log.highWatermark, 4)
  // The batch that contains the offset comes first.
  assert.deepEqual(offsetRanges(await log.read(1, 1000, EVERYTHING)), [
    [0, 2],
    [3, 3],
  ])
  await logs.close()
})

testBoth('offsets beyond the end and below the start are out of range', async (fixture) => {
  const logs = await fixture.start()
  const log = logs.createTopic('t', { partitionCount: 1 }).partitions[0]
  for (let i = 0; i < 10; i++) log.append(makeBatch(), CLIENT)
  await logs.written()
  assert.equal((await log.read(10, 1000, EVERYTHING)).error, null)
  assert.equal((await log.read(11, 1000, EVERYTHING)).error, 'OFFSET_OUT_OF_RANGE')
  assert.equal(log.deleteRecordsBefore(5), null)
  assert.equal((await log.read(4, 1000, EVERYTHING)).error, 'OFFSET_OUT_OF_RANGE')
  assert.equal((await log.read(5, 1000, EVERYTHING)).logStartOffset, 5)
  assert.equal(log.deleteRecordsBefore(11), 'OFFSET_OUT_OF_RANGE')
  assert.equal(log.deleteRecordsBefore(-1), null)
  assert.equal(log.logStartOffset, 10)
  await logs.close()
})

testBoth('limits are kept at the ends of batches, and the first batch comes whole', async (fixture) => {
  const logs = await fixture.start()
  const log = logs.createTopic('t', { partitionCount: 1 }).partitions[0]
  const batch = makeBatch({ valueBytes: 100 })
  for (let i = 0; i < 3; i++) log.append(batch, CLIENT)
  await logs.written()
  assert.deepEqual(offsetRanges(await log.read(0, batch.length * 2 + 5, EVERYTHING)).length, 2)
  assert.deepEqual(offsetRanges(await log.read(0, 5, EVERYTHING)), [[0, 0]])
  const none = await log.read(0, 5, { isolation: 'read_uncommitted', takesOneBatchAtLeast: false })
  assert.deepEqual([none.error, none.sizeBytes, none.highWatermark], [null, 0, 3])
  await logs.close()
})

testBoth('one turn is one promise, and waiters are called when the high watermark moves', async (fixture) => {
  const logs = await fixture.start()
  const [one, other] = logs.createTopic('t', { partitionCount: 2 }).partitions
  let wakeCount = 0
  const wake = () => void wakeCount++
  one.waiters.add(wake)
  one.append(makeBatch(), CLIENT)
  other.append(makeBatch(), CLIENT)
  assert.equal(logs.written(), logs.written())
  await logs.written()
  assert.deepEqual([one.highWatermark, other.highWatermark, wakeCount], [1, 1, 1])
  one.waiters.delete(wake)
  one.append(makeBatch(), CLIENT)
  await logs.written()
  assert.equal(wakeCount, 1)
  await logs.close()
})

testBoth('a deleted topic answers no more, and its successor has another id', async (fixture) => {
  const logs = await fixture.start()
  const changes: string[] = []
  logs.onTopicsChanged.add((topic, change) => void changes.push(`${topic.name} ${change}`))
  const topic = logs.createTopic('t', { partitionCount: 1 })
  const [log] = topic.partitions
  log.append(makeBatch(), CLIENT)
  await logs.written()
  let wasWoken = false
  log.waiters.add(() => {
    wasWoken = true
  })
  logs.deleteTopic('t')
  assert.ok(log.isDeleted && wasWoken)
  assert.equal(log.append(makeBatch(), CLIENT).error, 'UNKNOWN_TOPIC_OR_PARTITION')
  const successor = logs.createTopic('t', { partitionCount: 1 })
  assert.notEqual(successor.id, topic.id)
  assert.equal(logs.topicById(topic.id), undefined)
  assert.equal(logs.topicById(successor.id)?.name, 't')
  assert.equal(successor.partitions[0].logEndOffset, 0)
  logs.addPartitions('t', 3)
  logs.configure('t', new Map([['retention.ms', '5']]))
  assert.equal(successor.settings.retentionMs, 5)
  assert.deepEqual(changes, ['t created', 't deleted', 't created', 't grown', 't configured'])
  await logs.close()
})

test('while it runs, checkpoints are synced beside the event loop', async (context) => {
  const fixture = new LogFixture(temporaryDirectory(context))
  const logs = await fixture.start()
  const [log] = logs.createTopic('t', { partitionCount: 1, config: new Map([['retention.ms', '-1']]) }).partitions
  log.append(makeBatch({ recordCount: 5 }), CLIENT)
  await logs.written()
  const { mock } = context.mock.method(fs, 'fsyncSync')
  syncBuiltinESMExports()
  context.after(syncBuiltinESMExports)
  log.deleteRecordsBefore(3)
  await logs.written()
  const logStarts = readFileSync(`${fixture.directory}/log-start-offset-checkpoint`, 'utf8')
  fixture.advance(60_000)
  await logs.checkpointed()
  assert.equal(mock.callCount(), 0)
  assert.equal(logStarts, '0\n1\nt 0 3\n')
  const highWatermarks = readFileSync(`${fixture.directory}/replication-offset-checkpoint`, 'utf8')
  assert.equal(highWatermarks, '0\n1\nt 0 5\n')
  await logs.close()
})

test('topics, configuration, ids and logs survive a restart', async (context) => {
  const fixture = new LogFixture(temporaryDirectory(context))
  let logs = await fixture.start()
  const { clusterId } = logs
  const topic = logs.createTopic('orders', { partitionCount: 2, config: new Map([['retention.ms', '1234']]) })
  logs.createTopic('gone', { partitionCount: 1 })
  logs.createTopic('__internal', { partitionCount: 1, isInternal: true })
  logs.addPartitions('orders', 3)
  logs.deleteTopic('gone')
  topic.partitions[2].append(makeBatch({ recordCount: 5 }), CLIENT)
  const producerId = logs.allocateProducerId()
  await logs.close()

  logs = await fixture.start()
  assert.equal(logs.clusterId, clusterId)
  assert.deepEqual([...logs.topics.keys()].sort(), ['__internal', 'orders'])
  const again = logs.topicById(topic.id)
  assert.equal(again?.partitions.length, 3)
  assert.equal(again?.settings.retentionMs, 1234)
  assert.equal(again?.partitions[2].highWatermark, 5)
  assert.equal((await readToEnd(again.partitions[2])).length, 1)
  assert.ok(logs.topics.get('__internal')?.isInternal)
  assert.ok(logs.allocateProducerId() > producerId)
  await logs.close()
})

test('producer ids never repeat, whatever is allocated between crashes', async (context) => {
  const fixture = new LogFixture(temporaryDirectory(context))
  const seen = new Set<number>()
  for (const count of [1, 999, 1000, 2500, 500, 3]) {
    const logs = await fixture.start()
    for (let i = 0; i < count; i++) {
      const id = logs.allocateProducerId()
      assert.ok(!seen.has(id), `${id} was given out before`)
      seen.add(id)
    }
    await logs.written()
    // No close: the next start finds what a crash leaves.
  }
})

test('the directory looks as Kafka leaves one', async (context) => {
  const directory = temporaryDirectory(context)
  const fixture = new LogFixture(directory)
  const logs = await fixture.start()
  const topic = logs.createTopic('orders', { partitionCount: 1 })
  topic.partitions[0].append(makeBatch({ recordCount: 2, producerId: 7, producerEpoch: 0, baseSequence: 0 }), CLIENT)
  await logs.close()
  const read = (...path: string[]) => readFileSync(join(directory, ...path), 'latin1')
  assert.deepEqual(readdirSync(join(directory, 'orders-0')).sort(), [
    '00000000000000000000.index',
    '00000000000000000000.log',
    '00000000000000000000.timeindex',
    '00000000000000000002.snapshot',
    'leader-epoch-checkpoint',
    'partition.metadata',
  ])
  assert.equal(read('orders-0', 'leader-epoch-checkpoint'), '0\n1\n0 0\n')
  assert.equal(read('orders-0', 'partition.metadata'), `version: 0\ntopic_id: ${topic.id}`)
  assert.equal(read('recovery-point-offset-checkpoint'), '0\n1\norders 0 2\n')
  assert.equal(read('replication-offset-checkpoint'), '0\n1\norders 0 2\n')
  assert.match(read('meta.properties'), /^version=1\ncluster\.id=\S{22}\nnode\.id=1\ndirectory\.id=\S{22}\n$/)
  assert.ok(existsSync(join(directory, '.kafka_cleanshutdown')))
})

test('the directory of another node is refused', async (context) => {
  const directory = temporaryDirectory(context)
  writeFileSync(join(directory, 'meta.properties'), '#\n#Sat\nversion=1\ncluster.id=abc\nnode.id=4\n')
  await assert.rejects(new LogFixture(directory).start(), LogDirectoryError)
})

test('the directory of a Kafka broker is taken over: topics, ids, cluster', async (context) => {
  const directory = temporaryDirectory(context)
  const fixture = new LogFixture(directory)
  let logs = await fixture.start()
  const { id } = logs.createTopic('my-topic', { partitionCount: 3 })
  const { clusterId } = logs
  logs.topics.get('my-topic')?.partitions[2].append(makeBatch({ recordCount: 4 }), CLIENT)
  await logs.close()
  // Kafka has no such file; its catalog lies elsewhere.
  const { unlinkSync } = await import('node:fs')
  unlinkSync(join(directory, 'catalog.journal'))
  logs = await fixture.start()
  assert.equal(logs.clusterId, clusterId)
  assert.equal(logs.topics.get('my-topic')?.id, id)
  assert.equal(logs.topics.get('my-topic')?.partitions[2].logEndOffset, 4)
  await logs.close()
})

test('files of deleted topics are renamed at once and removed later', async (context) => {
  const directory = temporaryDirectory(context)
  const fixture = new LogFixture(directory)
  const logs = await fixture.start()
  const [log] = logs.createTopic('t', { partitionCount: 1 }).partitions
  log.append(makeBatch(), CLIENT)
  await logs.written()
  logs.deleteTopic('t')
  const left = () => readdirSync(directory).filter((name) => name.startsWith('t-'))
  assert.match(left()[0], /^t-0\.[0-9a-f]{32}-delete$/)
  fixture.advance(59_000)
  assert.equal(left().length, 1)
  fixture.advance(2000)
  assert.equal(left().length, 0)
  await logs.close()
})

test('a directory that no topic has is set aside, not served and not removed', async (context) => {
  const directory = temporaryDirectory(context)
  const fixture = new LogFixture(directory)
  let logs = await fixture.start()
  logs.createTopic('t', { partitionCount: 1 }).partitions[0].append(makeBatch(), CLIENT)
  await logs.close()
  // The journal knows of nothing that lies there.
  writeFileSync(join(directory, 'catalog.journal'), '')
  logs = await fixture.start()
  assert.equal(logs.topics.size, 0)
  assert.equal(readdirSync(directory).filter((name) => /^t-0\.[0-9a-f]{32}-stray$/.test(name)).length, 1)
  const fresh = logs.createTopic('t', { partitionCount: 1 }).partitions[0]
  fresh.append(makeBatch({ recordCount: 3 }), CLIENT)
  await logs.close()
  logs = await fixture.start()
  assert.equal(logs.partition('t', 0)?.logEndOffset, 3)
  await logs.close()
})
