import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { logFamily } from '#src/cli/kafka/log/family.ts'
import { runVerb } from '#src/cli/kafka/run.ts'
import { encodeProducerSnapshot } from '#src/log/producer-snapshot.ts'
import { encodeBatch } from '#src/log/records/batch.ts'
import { encodeMarker } from '#src/log/records/control-record.ts'
import { encodeAbortedTransaction } from '#src/log/transaction-index.ts'
import { inDirectory } from '../../persistence/aof/data-server.ts'
import { segmentName, writeSegment } from './segment-files.ts'

const NOON_MS = Date.UTC(2026, 0, 1, 12)

async function dump(...argv: string[]): Promise<{ exitCode: number; text: string; error: string }> {
  const output = new PassThrough()
  const errorOutput = new PassThrough()
  let text = ''
  let error = ''
  output.on('data', (chunk) => (text += chunk))
  errorOutput.on('data', (chunk) => (error += chunk))
  const streams = { input: new PassThrough(), output, errorOutput, env: {}, signals: new EventEmitter() }
  return { exitCode: await runVerb(logFamily, ['dump', ...argv], streams), text, error }
}

/** A partition with plain, compressed and transactional batches, and all kinds of files. */
function fill(directory: string): string {
  const partition = join(directory, 'orders-0')
  const producer = { producerId: 7, producerEpoch: 1, isTransactional: true }
  writeSegment(partition, 0, [
    encodeBatch([
      { timestampMs: NOON_MS, key: Buffer.from('a'), value: Buffer.from('line\nbreak') },
      { timestampMs: NOON_MS + 1, key: null, value: null, headers: [{ key: 'h', value: Buffer.from('v') }] },
    ]),
    encodeBatch([{ timestampMs: NOON_MS + 2, key: Buffer.from([0xff]), value: Buffer.alloc(0) }], {
      ...producer,
      baseSequence: 5,
      codec: 'gzip',
    }),
    encodeMarker({ type: 'ABORT', producerId: 7, producerEpoch: 1, coordinatorEpoch: 3, timestampMs: NOON_MS + 3 }),
  ])
  writeFileSync(
    join(partition, segmentName(0, 'txnindex')),
    encodeAbortedTransaction({ producerId: 7, firstOffset: 2, lastOffset: 3, lastStableOffset: 4 }),
  )
  const state = {
    producerId: 7,
    epoch: 1,
    coordinatorEpoch: 3,
    lastTimestampMs: NOON_MS,
    transactionFirstOffset: -1,
    batches: [{ lastSequence: 5, lastOffset: 2, offsetDelta: 0, timestampMs: NOON_MS }],
  }
  writeFileSync(join(partition, segmentName(4, 'snapshot')), encodeProducerSnapshot([state]))
  writeFileSync(join(partition, 'leader-epoch-checkpoint'), '0\n1\n0 0\n')
  return partition
}

test('batches with their records, as lines', () =>
  inDirectory(async (dir) => {
    const log = join(fill(dir), segmentName(0, 'log'))
    const { exitCode, text, error } = await dump(log)
    assert.deepEqual([exitCode, error], [0, ''])
    const lines = text.replaceAll(/crc [0-9a-f]{8}/g, 'crc ?').split('\n')
    assert.deepEqual(lines, [
      'batch 0-1 at byte 0, 2 records, 90 bytes, none, CreateTime 2026-01-01T12:00:00.001Z, epoch -1, crc ?',
      '  0  2026-01-01T12:00:00.000Z  key "a"  value "line\\nbreak"',
      '  1  2026-01-01T12:00:00.001Z  key null  value null  h="v"',
      'batch 2 at byte 90, 1 record, 89 bytes, gzip, CreateTime 2026-01-01T12:00:00.002Z, epoch -1, producer 7 epoch 1 sequence 5, transactional, crc ?',
      '  2  2026-01-01T12:00:00.002Z  key 0xff  value ""',
      'batch 3 at byte 179, 1 record, 78 bytes, none, CreateTime 2026-01-01T12:00:00.003Z, epoch -1, producer 7 epoch 1, transactional, control, crc ?',
      '  3  2026-01-01T12:00:00.003Z  ABORT, coordinator epoch 3',
      '',
    ])
    assert.equal((await dump(log, '--batches')).text.split('\n').length, 4)
    assert.match((await dump(log, '--from', '3')).text, /^batch 3 at byte 179/)
  }))

test('the same as JSON', () =>
  inDirectory(async (dir) => {
    const log = join(fill(dir), segmentName(0, 'log'))
    const { text } = await dump(log, '--json', '--key-format', 'hex')
    const [first, second, third] = text.trim().split('\n').map((line) => JSON.parse(line)) // biome-ignore format: one line
    assert.equal(first.file, log)
    assert.deepEqual(
      [first.type, first.position, first.baseOffset, first.lastOffset, first.count],
      ['batch', 0, 0, 1, 2],
    )
    assert.deepEqual(first.records, [
      { offset: 0, timestamp: NOON_MS, key: '61', value: 'line\nbreak', headers: [] },
      { offset: 1, timestamp: NOON_MS + 1, key: null, value: null, headers: [{ key: 'h', value: 'v' }] },
    ])
    assert.deepEqual(
      [second.codec, second.producerId, second.baseSequence, second.isTransactional],
      ['gzip', 7, 5, true],
    )
    assert.deepEqual(third.records, [{ offset: 3, timestamp: NOON_MS + 3, control: 'ABORT', coordinatorEpoch: 3 }])
  }))

test('a directory: every file of every partition, the partitions by number', () =>
  inDirectory(async (dir) => {
    const partition = fill(dir)
    for (const number of [10, 2]) writeSegment(join(dir, `orders-${number}`), 0, [])
    const { text } = await dump(dir)
    const names = text.split('\n').filter((line) => line.startsWith(dir))
    assert.deepEqual(
      names.map((name) => name.slice(dir.length + 1)),
      [
        ...['log', 'index', 'timeindex', 'txnindex'].map((kind) => `orders-0/${segmentName(0, kind)}`),
        `orders-0/${segmentName(4, 'snapshot')}`,
        'orders-0/leader-epoch-checkpoint',
        ...[2, 10].flatMap((number) =>
          ['log', 'index', 'timeindex'].map((kind) => `orders-${number}/${segmentName(0, kind)}`),
        ),
      ],
    )
    assert.match(text, /\noffset 2 at byte 90\noffset 3 at byte 179\n/)
    assert.match(text, /\n2026-01-01T12:00:00.001Z up to offset 1\n/)
    assert.match(text, /\nproducer 7 aborted 2-3, last stable offset 4 after it\n/)
    assert.match(
      text,
      /\nproducer 7 epoch 1, last seen 2026-01-01T12:00:00.000Z, last sequence 5 at offset 2, coordinator epoch 3\n/,
    )
    const json = (await dump(partition, '--json')).text.trim().split('\n').map((line) => JSON.parse(line).type) // biome-ignore format: one line
    assert.deepEqual(new Set(json), new Set(['batch', 'index', 'timeindex', 'txnindex', 'producer', 'text']))
  }))

test('damage is told, and is a failure', () =>
  inDirectory(async (dir) => {
    const log = join(fill(dir), segmentName(0, 'log'))
    const bytes = readFileSync(log)
    bytes[170] ^= 1
    writeFileSync(log, bytes)
    appendFileSync(log, Buffer.from('torn'))
    const { exitCode, text } = await dump(log)
    assert.equal(exitCode, 1)
    assert.match(text, /\nDAMAGED at byte 90: its CRC is [0-9a-f]{8} and should be [0-9a-f]{8}\n/)
    assert.match(text, /\nbatch 3 at byte 179/)
    assert.match(text, /\nDAMAGED at byte 257: a batch is cut off; 4 bytes from here on cannot be read\n$/)
    writeFileSync(join(dir, segmentName(9, 'snapshot')), 'nonsense')
    assert.match((await dump(join(dir, segmentName(9, 'snapshot')))).text, /this is no snapshot of producers/)
  }))

test('what is not there', () =>
  inDirectory(async (dir) => {
    const { exitCode, error } = await dump(join(dir, 'nothing'))
    assert.deepEqual([exitCode, /nothing cannot be read \(ENOENT\)/.test(error)], [1, true])
    assert.equal((await dump()).exitCode, 2)
    mkdirSync(join(dir, 'empty'))
    assert.deepEqual([(await dump(join(dir, 'empty'))).text, (await dump(join(dir, 'empty'))).exitCode], ['', 0])
  }))
