import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogManager } from '#src/log/log-manager.ts'
import { DEFAULT_LOG_SETTINGS } from '#src/log/log-settings.ts'
import { baseOffsetOf } from '#src/log/record-batch.ts'
import { makeBatch } from './batches.ts'

test('a batch is read back with its offset once it is written', async () => {
  const logs = new LogManager({
    directory: null,
    nowMs: () => 1000,
    log: { info() {}, warn() {}, error() {} },
    settingsOf: () => ({ ...DEFAULT_LOG_SETTINGS }),
    producerIdExpirationMs: () => 1000,
    random: Math.random,
  })
  await logs.start()
  const topic = logs.createTopic('orders', { partitionCount: 2 })
  const log = topic.partitions[1]
  assert.equal(log.topicId, topic.id)
  const first = log.append(makeBatch({ recordCount: 3 }), { origin: 'client' })
  assert.deepEqual(first, { error: null, baseOffset: 0, logAppendTimeMs: -1, isDuplicate: false })
  const second = log.append(makeBatch({ recordCount: 1 }), { origin: 'client' })
  assert.equal(second.error, null)
  assert.equal(log.highWatermark, 0)
  await logs.written()
  assert.equal(log.highWatermark, 4)
  const read = await log.read(1, 1000, { isolation: 'read_uncommitted', takesOneBatchAtLeast: true })
  assert.equal(read.error, null)
  assert.deepEqual(
    read.records.map((batch) => baseOffsetOf(batch, 0)),
    [0, 3],
  )
  await logs.close()
})
