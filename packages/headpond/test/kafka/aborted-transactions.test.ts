import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AbortedTransactions } from '#src/kafka/aborted-transactions.ts'
import { decodeBatch, encodeBatch } from '#src/log/records/batch.ts'
import { encodeMarker } from '#src/log/records/control-record.ts'

const PRODUCER = { producerId: 7, producerEpoch: 0 }

function records(value: string, baseOffset: number) {
  const bytes = encodeBatch([{ timestampMs: 0, key: null, value: Buffer.from(value) }], {
    ...PRODUCER,
    baseSequence: 0,
    isTransactional: true,
  })
  return at(bytes, baseOffset)
}

function marker(type: 'COMMIT' | 'ABORT', baseOffset: number) {
  return at(Buffer.from(encodeMarker({ type, ...PRODUCER, coordinatorEpoch: 0, timestampMs: 0 })), baseOffset)
}

function at(bytes: Buffer, baseOffset: number) {
  bytes.writeBigInt64BE(BigInt(baseOffset), 0)
  return decodeBatch(bytes, 0)
}

function readable(firstOffsets: readonly number[], batches: readonly ReturnType<typeof at>[]): string[] {
  const aborted = new AbortedTransactions(firstOffsets.map((firstOffset) => ({ ...PRODUCER, firstOffset })))
  return batches.flatMap((batch) => aborted.readable(batch).map(({ value }) => String(value)))
}

test('what lies between the first record of an aborted transaction and its marker is passed over', () => {
  const batches = [records('a', 10), marker('COMMIT', 11), records('b', 12), marker('ABORT', 13), records('c', 14)]
  assert.deepEqual(readable([12], batches), ['a', 'c'])
  assert.deepEqual(readable([], batches), ['a', 'b', 'c'])
})

test('a read that begins with the marker of an aborted transaction sees what its producer committed afterwards', () => {
  assert.deepEqual(readable([12], [marker('ABORT', 13), records('c', 14), marker('COMMIT', 15)]), ['c'])
})
