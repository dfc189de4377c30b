import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCheck } from '#src/cli/check.ts'
import { encodeBatch } from '#src/log/records/batch.ts'
import { inDirectory } from '../persistence/aof/data-server.ts'
import { segmentName, writeSegment } from './kafka/segment-files.ts'

async function check(...argv: string[]): Promise<{ exitCode: number; text: string }> {
  let text = ''
  const console = { write: (more: string) => void (text += more), confirm: async () => false }
  return { exitCode: await runCheck(argv, console), text }
}

const batch = (value: string, timestampMs = 1000) =>
  encodeBatch([{ timestampMs, key: null, value: Buffer.from(value) }], { codec: 'lz4' })

/** Two partitions in a data directory; the first has two segments. */
function fill(dir: string): string {
  const logs = join(dir, 'kafka')
  writeSegment(join(logs, 'orders-0'), 0, [batch('a'), batch('b', 2000)])
  writeSegment(join(logs, 'orders-0'), 2, [batch('c'), batch('d', 900), batch('e', 3000)])
  writeSegment(join(logs, 'orders-1'), 0, [batch('f')])
  writeFileSync(join(logs, '.kafka_cleanshutdown'), '{}')
  return join(logs, 'orders-0')
}

test('what is well is told: a data directory, a partition, a segment', () =>
  inDirectory(async (dir) => {
    const partition = fill(dir)
    const { exitCode, text } = await check(dir)
    assert.equal(exitCode, 0)
    assert.match(text, /orders-0: well, 5 records in 5 batches, \d+ bytes\n.*orders-1: well, 1 records in 1 batches/)
    assert.match((await check(partition)).text, /orders-0: well, 5 records/)
    assert.match((await check(join(partition, segmentName(2, 'log')))).text, /\.log: well, 3 records/)
  }))

test('a torn end is told, and dropped when asked for', () =>
  inDirectory(async (dir) => {
    const partition = fill(dir)
    const log = join(partition, segmentName(2, 'log'))
    const { size } = statSync(log)
    appendFileSync(log, batch('torn').subarray(0, 50))
    const { exitCode, text } = await check(dir)
    assert.equal(exitCode, 1)
    assert.match(text, new RegExp(`damaged at byte ${size} of ${size + 50}: a batch is cut off`))
    assert.match(text, /3 records are well; from byte \d+ on, 50 bytes are not/)
    assert.equal(statSync(log).size, size + 50)
    assert.equal((await check(dir, '--fix')).exitCode, 1)
    const fixed = await check(dir, '--fix', '--yes')
    assert.match(fixed.text, /50 bytes were dropped/)
    assert.equal(statSync(log).size, size)
    // The next start is not to trust what was said of the end.
    assert.equal(existsSync(join(dir, 'kafka', '.kafka_cleanshutdown')), false)
    assert.equal((await check(dir)).exitCode, 0)
  }))

test('damage in the middle is not repaired: what follows would be lost', () =>
  inDirectory(async (dir) => {
    const log = join(fill(dir), segmentName(0, 'log'))
    const bytes = readFileSync(log)
    bytes[bytes.length - 1] ^= 1
    writeFileSync(log, bytes)
    const { exitCode, text } = await check(dir, '--fix', '--yes')
    assert.equal(exitCode, 1)
    assert.match(text, /its CRC is [0-9a-f]+ and should be [0-9a-f]+/)
    assert.match(text, /It cannot be fixed/)
    assert.equal(statSync(log).size, bytes.length)
  }))

test('offsets that do not ascend, across segments too', () =>
  inDirectory(async (dir) => {
    const partition = join(dir, 'orders-0')
    writeSegment(partition, 0, [batch('a'), batch('b'), batch('c')])
    writeSegment(partition, 2, [batch('c')])
    assert.match((await check(partition)).text, /its offset 2 comes after 2/)
  }))

test('indexes that do not fit the log are told, and removed: the next start builds them anew', () =>
  inDirectory(async (dir) => {
    const partition = fill(dir)
    const index = join(partition, segmentName(2, 'index'))
    const bytes = readFileSync(index)
    bytes[7]++
    writeFileSync(index, bytes)
    assert.match((await check(dir)).text, /\.index: no batch begins at byte \d+, where offset 3 should be/)
    assert.equal((await check(dir, '--fix', '--yes')).exitCode, 0)
    assert.equal(existsSync(index), false)

    const times = join(partition, segmentName(2, 'timeindex'))
    const entries = readFileSync(times)
    entries[7]++
    writeFileSync(times, entries)
    assert.match((await check(dir)).text, /\.timeindex: the largest timestamp up to offset 2 is 1000, not 1001/)
    writeFileSync(
      times,
      Buffer.concat([readFileSync(times).subarray(0, 0), Buffer.from('000000000000ffff00000063', 'hex')]),
    )
    assert.match((await check(dir)).text, /\.timeindex: offset 101 is beyond the log/)
  }))

test('damaged files beside the log', () =>
  inDirectory(async (dir) => {
    const partition = fill(dir)
    for (const name of [segmentName(3, 'snapshot'), segmentName(2, 'txnindex'), 'leader-epoch-checkpoint']) {
      writeFileSync(join(partition, name), 'nonsense')
    }
    const { exitCode, text } = await check(partition)
    assert.equal(exitCode, 1)
    assert.match(text, /snapshot: this is no snapshot of producers/)
    assert.match(text, /txnindex: this is no index of transactions/)
    assert.match(text, /leader-epoch-checkpoint: this is no checkpoint of leader epochs/)
  }))

test('a directory without data', () =>
  inDirectory(async (dir) => {
    mkdirSync(join(dir, 'orders-0'))
    assert.match((await check(dir)).text, /there is no data in it/)
  }))
