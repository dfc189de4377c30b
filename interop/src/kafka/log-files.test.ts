/** The files of logs: what Headpond writes, Kafka's own tool reads, and what a Kafka broker leaves, Headpond goes on with. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { runCheck } from 'headpond/src/cli/check.ts'
import { createTopic } from 'headpond/src/kafka/client/admin.ts'
import { KafkaClient } from 'headpond/src/kafka/client/client.ts'
import { Producer } from 'headpond/src/kafka/client/producer.ts'
import type { PartitionLog } from 'headpond/src/log/partition-log.ts'
import { CODECS } from 'headpond/src/log/record-batch.ts'
import { decodeBatch, encodeBatch } from 'headpond/src/log/records/batch.ts'
import { encodeMarker } from 'headpond/src/log/records/control-record.ts'
import { LogFixture, readToEnd } from 'headpond/test/log/log-fixture.ts'
import { KAFKA_VERSIONS, kafkaClassPath } from './distribution.ts'
import { KafkaBroker, runJava } from './kafka-broker.ts'

const TIMEOUT_MS = 170_000

function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-interop-'))
  context.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Null when it cannot be had: then the test is skipped, and says why. */
async function classPathFor(version: string, context: TestContext): Promise<string | null> {
  const found = kafkaClassPath(version)
  if ('classPath' in found) return found.classPath
  context.skip(found.reason)
  return null
}

function pairs(count: number, from = 0) {
  return Array.from({ length: count }, (_, index) => ({
    timestampMs: 1_700_000_000_000 + from + index,
    key: Buffer.from(`key ${(from + index) % 50}`),
    value: Buffer.from(`value ${from + index} `.repeat(5)),
    headers: [{ key: 'header', value: Buffer.from(`${index}`) }],
  }))
}

function append(log: PartitionLog, batch: Buffer, origin: 'client' | 'coordinator' = 'client'): void {
  const appended = log.append(batch, { origin })
  assert.equal(appended.error, null, JSON.stringify(appended))
}

/** Topics in all codecs with several segments and many entries in their indexes; a compacted one; transactions. */
async function writeLogs(directory: string): Promise<void> {
  const fixture = new LogFixture(directory)
  const logs = await fixture.start()
  const config = new Map([['segment.bytes', '20000'], ['index.interval.bytes', '500']]) // biome-ignore format: one line
  for (const codec of CODECS) {
    const [log] = logs.createTopic(`codec-${codec}`, { partitionCount: 1, config }).partitions
    for (let at = 0; at < 1000; at += 20) {
      const producer = { producerId: 4000, producerEpoch: 1, baseSequence: at }
      append(log, encodeBatch(pairs(20, at), { codec, ...producer }))
      await logs.written()
    }
  }
  const [appendTime] = logs.createTopic('append-time', {
    partitionCount: 1,
    config: new Map([...config, ['message.timestamp.type', 'LogAppendTime'], ['compression.type', 'zstd']]),
  }).partitions
  for (let at = 0; at < 500; at += 20) append(appendTime, encodeBatch(pairs(20, at), { codec: 'gzip' }))

  const table = logs.createTopic('table', {
    partitionCount: 1,
    config: new Map([...config, ['cleanup.policy', 'compact'], ['min.cleanable.dirty.ratio', '0.01']]),
  })
  for (const [index, codec] of CODECS.entries()) {
    for (let at = 0; at < 500; at += 20)
      append(table.partitions[0], encodeBatch(pairs(20, index * 500 + at), { codec }))
  }
  const tombstone = { timestampMs: 1_700_000_000_000, key: Buffer.from('gone'), value: null }
  append(table.partitions[0], encodeBatch([tombstone], { codec: 'snappy' }))
  for (let at = 0; at < 1500; at += 20) append(table.partitions[0], encodeBatch(pairs(20, 10_000 + at)))
  await logs.written()

  const [transactional] = logs.createTopic('transactional', { partitionCount: 1, config }).partitions
  for (let round = 0; round < 6; round++) {
    const producer = { producerId: 5000 + round, producerEpoch: 0, isTransactional: true }
    for (let at = 0; at < 60; at += 20)
      append(transactional, encodeBatch(pairs(20, at), { ...producer, baseSequence: at }))
    const type = round % 2 === 0 ? 'ABORT' : 'COMMIT'
    const marker = { type, coordinatorEpoch: 3, timestampMs: fixture.nowMs, ...producer } as const
    append(transactional, encodeMarker(marker), 'coordinator')
    await logs.written()
  }
  fixture.advance(20_000)
  await logs.cleaner.idle()
  assert.match(fixture.lines.join('\n'), /table-0 compacted/)
  fixture.advance(120_000)
  await logs.close()
}

/** Without printing megabytes when it does not. */
function says(output: string, expected: RegExp): void {
  assert.ok(expected.test(output), `nothing like ${expected}`)
}

const WRONG = /mismatch|Non-consecutive|not found|invalid|corrupt|isvalid: false|Exception|does not/i

for (const version of KAFKA_VERSIONS) {
  test(`Kafka ${version} dumps what Headpond has written`, { timeout: TIMEOUT_MS }, async (context) => {
    const classPath = await classPathFor(version, context)
    if (classPath === null) return
    const directory = temporaryDirectory(context)
    await writeLogs(directory)
    const partitions = readdirSync(directory).filter((name) => /-0$/.test(name))
    const files = (kind: string) =>
      partitions.flatMap((partition) =>
        readdirSync(join(directory, partition))
          .filter((name) => name.endsWith(`.${kind}`))
          .map((name) => join(directory, partition, name)),
      )
    const dump = (kinds: readonly string[], ...args: string[]) => {
      const list = kinds.flatMap(files)
      assert.ok(list.length > 0)
      const run = runJava(classPath, 'kafka.tools.DumpLogSegments', [...args, '--files', list.join(',')])
      assert.equal(run.exitCode, 0, run.output.slice(-2000))
      const wrong = run.output.split('\n').filter((line) => WRONG.test(line))
      assert.deepEqual(wrong, [])
      return run.output
    }
    const records = dump(['log'], '--deep-iteration', '--print-data-log')
    for (const codec of CODECS) says(records, new RegExp(`compresscodec: ${codec}`))
    says(records, /payload: value 999 value 999/)
    const total = records.match(/^\| offset.* payload: value /gm)?.length ?? 0
    assert.ok(total > 6000, `${total} records`)
    says(records, /endTxnMarker: ABORT coordinatorEpoch: 3/)
    says(records, /isTransactional: true/)
    says(records, /deleteHorizonMs: OptionalLong\[\d+\]/)
    dump(['index'], '--index-sanity-check')
    dump(['index'], '--verify-index-only')
    dump(['index', 'timeindex'])
    const producers = dump(['snapshot'])
    says(producers, /producerId: 4000 producerEpoch: 1 .*lastSequence: 999/)
    says(dump(['txnindex']), /producerId: 5004/)
  })

  test(`Headpond goes on with what a broker of Kafka ${version} leaves`, { timeout: TIMEOUT_MS }, async (context) => {
    const classPath = await classPathFor(version, context)
    if (classPath === null) return
    const broker = await KafkaBroker.start(classPath)
    context.after(async () => {
      await broker.stop()
      broker.remove()
    })
    const client = await KafkaClient.connect({ bootstrap: [{ host: '127.0.0.1', port: broker.port }] })
    // Producers send one codec, and the broker compresses again with Java's own.
    for (const [index, codec] of CODECS.entries()) {
      const config = new Map([['compression.type', codec === 'none' ? 'uncompressed' : codec], ['segment.bytes', '1048576']]) // biome-ignore format: one line
      await createTopic(client, { name: `codec-${codec}`, partitionCount: 2, replicationFactor: 1, config })
      const producer = await Producer.open(client, `codec-${codec}`, { codec: CODECS[(index + 1) % CODECS.length] })
      for (const record of pairs(2000)) await producer.add(record, 0)
      await producer.flush()
    }
    client.close()
    await broker.stop()

    const directory = join(temporaryDirectory(context), 'logs')
    cpSync(broker.logs, directory, { recursive: true })
    let report = ''
    const console = { write: (text: string) => void (report += text), confirm: async () => false }
    assert.equal(await runCheck([directory], console), 0, report)
    assert.match(report, /codec-zstd-0: well, 2000 records/)
    for (const codec of CODECS) {
      const records = await recordsOf(directory, `codec-${codec}`)
      assert.deepEqual(records, pairs(2000).map(({ value }) => value.toString())) // biome-ignore format: one line
    }
    // It is a log of Headpond's by now: it takes more, and knows the producers.
    const fixture = new LogFixture(directory)
    const logs = await fixture.start()
    const log = logs.partition('codec-lz4', 0) as PartitionLog
    assert.equal(logs.topics.get('codec-lz4')?.partitions.length, 2)
    assert.equal(log.activeProducers().length, 1)
    append(log, encodeBatch(pairs(1), { codec: 'zstd' }))
    await logs.close()
    assert.equal((await recordsOf(directory, 'codec-lz4')).length, 2001)
  })
}

/** The values of partition 0, in a directory that nobody else uses. */
async function recordsOf(directory: string, topic: string): Promise<string[]> {
  const fixture = new LogFixture(directory)
  const logs = await fixture.start()
  const log = logs.partition(topic, 0)
  assert.ok(log !== undefined, `${topic} is not there: ${fixture.lines.join('\n')}`)
  const values = (await readToEnd(log)).flatMap((bytes) =>
    decodeBatch(bytes).records.map(({ value }) => Buffer.from(value as Uint8Array).toString()),
  )
  await logs.close()
  return values
}
