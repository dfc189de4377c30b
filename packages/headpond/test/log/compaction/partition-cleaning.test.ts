import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { PartitionLog } from '#src/log/partition-log.ts'
import { decodeBatch, encodeBatch } from '#src/log/records/batch.ts'
import { encodeMarker } from '#src/log/records/control-record.ts'
import { LogFixture, readToEnd, temporaryDirectory } from '../log-fixture.ts'

const CONFIG = new Map([
  ['cleanup.policy', 'compact'],
  ['segment.bytes', '2000'],
  ['min.cleanable.dirty.ratio', '0.01'],
  ['delete.retention.ms', '60000'],
  ['file.delete.delay.ms', '1000'],
])

async function compacted(
  directory: string | null,
  config = CONFIG,
): Promise<{ fixture: LogFixture; log: PartitionLog }> {
  const fixture = new LogFixture(directory)
  const logs = await fixture.start()
  const topic = logs.createTopic('table', { partitionCount: 1, config })
  return { fixture, log: topic.partitions[0] }
}

async function put(fixture: LogFixture, log: PartitionLog, key: string, value: string | null): Promise<void> {
  const record = {
    timestampMs: fixture.nowMs,
    key: Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
  }
  const appended = log.append(encodeBatch([record], { codec: 'lz4' }), { origin: 'client' })
  assert.equal(appended.error, null)
  await fixture.logs.written()
}

const text = (bytes: Uint8Array | null) => (bytes === null ? 'null' : Buffer.from(bytes).toString())

/** What a reader makes of the log, and how many records it read for that. */
async function tableOf(log: PartitionLog): Promise<{ table: Record<string, string>; recordCount: number }> {
  const table: Record<string, string> = {}
  let recordCount = 0
  let offsetMin = log.logStartOffset
  for (const bytes of await readToEnd(log)) {
    for (const { key, value, offset } of decodeBatch(bytes).records) {
      assert.ok(offset >= offsetMin)
      offsetMin = offset + 1
      recordCount++
      if (value === null) delete table[text(key)]
      else table[text(key)] = text(value)
    }
  }
  return { table, recordCount }
}

async function clean(fixture: LogFixture): Promise<void> {
  fixture.advance(20_000)
  await fixture.logs.cleaner.idle()
}

async function fill(fixture: LogFixture, log: PartitionLog, rounds: number): Promise<Record<string, string>> {
  const expected: Record<string, string> = {}
  for (let round = 0; round < rounds; round++) {
    for (const key of ['a', 'b', 'c', 'd']) {
      await put(fixture, log, key, `${key}${round}`.repeat(20))
      expected[key] = `${key}${round}`.repeat(20)
    }
  }
  return expected
}

for (const where of ['disk', 'memory'] as const) {
  const directoryFor = (context: TestContext) => (where === 'disk' ? temporaryDirectory(context) : null)

  test(`${where}: a table keeps its last values, and the log becomes small`, async (context) => {
    const { fixture, log } = await compacted(directoryFor(context))
    const expected = await fill(fixture, log, 50)
    const sizeBytes = log.sizeBytes
    const endOffset = log.logEndOffset
    await clean(fixture)
    const { table, recordCount } = await tableOf(log)
    assert.deepEqual(table, expected)
    assert.ok(recordCount < 40, `${recordCount} records`)
    assert.ok(log.sizeBytes < sizeBytes / 4)
    assert.deepEqual([log.logStartOffset, log.logEndOffset], [0, endOffset])
    // It goes on as before, and again.
    expected['e'] = 'new'
    await put(fixture, log, 'e', 'new')
    Object.assign(expected, await fill(fixture, log, 50))
    await clean(fixture)
    assert.deepEqual((await tableOf(log)).table, expected)
    assert.equal(fixture.lines.filter((line) => line.includes('compacted up to offset')).length, 2)
    await fixture.logs.close()
  })

  test(`${where}: tombstones stay for delete.retention.ms`, async (context) => {
    const { fixture, log } = await compacted(directoryFor(context))
    await put(fixture, log, 'gone', 'value')
    await put(fixture, log, 'gone', null)
    await fill(fixture, log, 20)
    await clean(fixture)
    const tombstones = async () =>
      (await readToEnd(log)).flatMap((bytes) => decodeBatch(bytes).records).filter(({ value }) => value === null).length
    assert.equal(await tombstones(), 1)
    fixture.advance(60_000)
    await fill(fixture, log, 20)
    await clean(fixture)
    assert.equal(await tombstones(), 0)
    await fixture.logs.close()
  })

  test(`${where}: reads that cross what was cleaned, at any offset and size`, async (context) => {
    const { fixture, log } = await compacted(directoryFor(context))
    await fill(fixture, log, 50)
    await clean(fixture)
    const all = (await readToEnd(log)).flatMap((bytes) => decodeBatch(bytes).records)
    for (let from = 0; from < log.logEndOffset; from += 3) {
      for (const maxBytes of [1, 300, 100_000]) {
        const read = (await readToEnd(log, from, maxBytes)).flatMap((bytes) => decodeBatch(bytes).records)
        const expected = all.filter(({ offset }) => offset >= from)
        assert.deepEqual(
          read.filter(({ offset }) => offset >= from).map(({ offset }) => offset),
          expected.map(({ offset }) => offset),
        )
      }
    }
    await fixture.logs.close()
  })

  test(`${where}: producers are known after it, and after a restart`, async (context) => {
    const directory = directoryFor(context)
    const { fixture, log } = await compacted(directory)
    const send = (target: PartitionLog, baseSequence: number) =>
      target.append(
        encodeBatch([{ timestampMs: fixture.nowMs, key: Buffer.from('a'), value: Buffer.from(`${baseSequence}`) }], {
          producerId: 9,
          producerEpoch: 0,
          baseSequence,
        }),
        { origin: 'client' },
      )
    for (let sequence = 0; sequence < 3; sequence++) assert.equal(send(log, sequence).error, null)
    await fill(fixture, log, 30)
    await put(fixture, log, 'a', 'later')
    await fill(fixture, log, 30)
    await clean(fixture)
    assert.equal((await tableOf(log)).table['a'].startsWith('a29'), true)
    const empty = (await readToEnd(log)).map((bytes) => decodeBatch(bytes)).find(({ producerId }) => producerId === 9)
    // Served only if it stands beside batches with records.
    if (empty !== undefined) assert.deepEqual([empty.recordCount, empty.baseSequence], [0, 2])
    let target = log
    if (directory !== null) {
      await fixture.logs.close()
      // As after a crash, without what a clean end leaves.
      rmSync(join(directory, '.kafka_cleanshutdown'))
      rmSync(join(directory, 'recovery-point-offset-checkpoint'))
      for (const name of readdirSync(join(directory, 'table-0'))) {
        if (name.endsWith('.snapshot')) rmSync(join(directory, 'table-0', name))
      }
      target = (await fixture.start()).partition('table', 0) as PartitionLog
    }
    assert.equal(send(target, 4).error, 'OUT_OF_ORDER_SEQUENCE_NUMBER')
    assert.equal(send(target, 3).error, null)
    await fixture.logs.close()
  })

  test(`${where}: aborted data goes, and nobody who reads committed data ever sees it`, async (context) => {
    const { fixture, log } = await compacted(directoryFor(context))
    const transactional = { producerId: 3, producerEpoch: 0, isTransactional: true }
    const send = (baseSequence: number, value: string) =>
      log.append(
        encodeBatch([{ timestampMs: fixture.nowMs, key: Buffer.from('t'), value: Buffer.from(value) }], {
          ...transactional,
          baseSequence,
        }),
        { origin: 'client' },
      )
    const end = (type: 'COMMIT' | 'ABORT') =>
      log.append(
        encodeMarker({ type, producerId: 3, producerEpoch: 0, coordinatorEpoch: 0, timestampMs: fixture.nowMs }),
        { origin: 'coordinator' },
      )
    send(0, 'committed')
    end('COMMIT')
    send(1, 'aborted')
    end('ABORT')
    await fill(fixture, log, 30)
    await clean(fixture)
    const records = (await readToEnd(log)).map((bytes) => decodeBatch(bytes)).filter(({ isControl }) => !isControl)
    const values = records.flatMap((each) => each.records).filter(({ key }) => text(key) === 't').map(({ value }) => text(value)) // biome-ignore format: one line
    assert.deepEqual(values, ['committed'])
    const read = await log.read(0, 10_000, { isolation: 'read_committed', takesOneBatchAtLeast: true })
    assert.deepEqual(read.abortedTransactions, [{ producerId: 3, firstOffset: 2 }])
    await fixture.logs.close()
  })

  test(`${where}: compact,delete does both`, async (context) => {
    const config = new Map([...CONFIG, ['cleanup.policy', 'compact,delete'], ['retention.ms', '600000']])
    const { fixture, log } = await compacted(directoryFor(context), config)
    await fill(fixture, log, 50)
    await clean(fixture)
    assert.equal(log.logStartOffset, 0)
    fixture.advance(700_000)
    await put(fixture, log, 'z', 'fresh')
    fixture.advance(700_000)
    assert.ok(log.logStartOffset > 190)
    await fixture.logs.close()
  })

  test(`${where}: with an open transaction nothing beyond its beginning is touched`, async (context) => {
    const { fixture, log } = await compacted(directoryFor(context))
    log.append(
      encodeBatch([{ timestampMs: fixture.nowMs, key: Buffer.from('t'), value: Buffer.from('open') }], {
        producerId: 3,
        producerEpoch: 0,
        baseSequence: 0,
        isTransactional: true,
      }),
      { origin: 'client' },
    )
    await fill(fixture, log, 30)
    const { segments } = log
    await clean(fixture)
    assert.deepEqual(log.segments, segments)
    await fixture.logs.close()
  })
}

test('a topic that is deleted while it is cleaned is gone', async (context) => {
  const directory = temporaryDirectory(context)
  const { fixture, log } = await compacted(directory)
  await fill(fixture, log, 50)
  fixture.advance(20_000)
  fixture.logs.deleteTopic('table')
  await fixture.logs.cleaner.idle()
  fixture.advance(100_000)
  assert.deepEqual(readdirSync(directory).filter((name) => name.startsWith('table')), []) // biome-ignore format: one line
  await fixture.logs.close()
})

test('the files that were replaced go after file.delete.delay.ms; the offset of the cleaning is kept', async (context) => {
  const directory = temporaryDirectory(context)
  const { fixture, log } = await compacted(directory)
  await fill(fixture, log, 50)
  await clean(fixture)
  const names = () => readdirSync(join(directory, 'table-0'))
  assert.ok(names().some((name) => name.endsWith('.log.deleted')))
  assert.ok(!names().some((name) => /\.(cleaned|swap)$/.test(name)))
  const active = log.segments[log.segments.length - 1]
  assert.equal(
    readFileSync(join(directory, 'cleaner-offset-checkpoint'), 'utf8'),
    `0\n1\ntable 0 ${active.baseOffset}\n`,
  )
  fixture.advance(20_000)
  assert.ok(!names().some((name) => name.endsWith('.deleted')))
  // What is clean is not cleaned again after a restart.
  await fixture.logs.close()
  await fixture.start()
  fixture.lines.length = 0
  await clean(fixture)
  assert.deepEqual(fixture.lines, [])
  await fixture.logs.close()
})

test('a crash at any step of the exchange leaves the old segments or the new one', async (context) => {
  const directory = temporaryDirectory(context)
  const { fixture, log } = await compacted(directory)
  const expected = await fill(fixture, log, 50)
  await fixture.logs.close()
  const before = join(temporaryDirectory(context), 'before')
  cpSync(directory, before, { recursive: true })
  await fixture.start()
  await clean(fixture)
  await fixture.logs.close()
  const after = new Set(readdirSync(join(directory, 'table-0')).filter((name) => /log|index/.test(name)))

  // Every name that the exchange changes, in its order: new ones to .swap, old ones away, new ones to their place.
  const old = readdirSync(join(before, 'table-0')).filter((name) => /log$|index$/.test(name)).sort() // biome-ignore format: one line
  const replaced = old.filter((name) => !after.has(name) || name.startsWith('0'.repeat(20)))
  const fresh = [...after].filter((name) => name.startsWith('0'.repeat(20)))
  const order = (names: string[]) => [
    ...names.filter((name) => !name.endsWith('.log')),
    ...names.filter((name) => name.endsWith('.log')),
  ]
  type Step = readonly [from: string, to: string]
  const steps: Step[] = [
    ...order(fresh).map((name): Step => [`${name}.cleaned`, `${name}.swap`]),
    ...replaced.map((name): Step => [name, `${name}.deleted`]),
    ...order(fresh).map((name): Step => [`${name}.swap`, name]),
  ]
  for (let count = 0; count <= steps.length; count++) {
    const state = join(temporaryDirectory(context), 'state')
    cpSync(before, state, { recursive: true })
    rmSync(join(state, '.kafka_cleanshutdown'))
    for (const name of fresh) cpSync(join(directory, 'table-0', name), join(state, 'table-0', `${name}.cleaned`))
    for (const [from, to] of steps.slice(0, count)) renameSync(join(state, 'table-0', from), join(state, 'table-0', to))
    const recovered = new LogFixture(state)
    const recoveredLog = (await recovered.start()).partition('table', 0) as PartitionLog
    const { table } = await tableOf(recoveredLog)
    assert.deepEqual(table, expected, `after ${count} of ${steps.length} steps`)
    assert.equal(recoveredLog.logEndOffset, log.logEndOffset)
    const left = readdirSync(join(state, 'table-0')).filter((name) => /\.(cleaned|swap|deleted)$/.test(name))
    assert.deepEqual(left, [])
    await put(recovered, recoveredLog, 'more', 'value')
    await recovered.logs.close()
  }
})
