import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { OFFSET_INDEX_ENTRY_BYTES, OffsetIndex } from '../../../log/offset-index.ts'
import { decodeProducerSnapshot } from '../../../log/producer-snapshot.ts'
import { TIME_INDEX_ENTRY_BYTES, TimeIndex } from '../../../log/time-index.ts'
import { decodeAbortedTransactions } from '../../../log/transaction-index.ts'
import { timeText } from '../record-line.ts'
import { problemLine } from './batch-lines.ts'
import type { DumpLine } from './dump-line.ts'

/** A line for each entry of a file that is no log: an index, a snapshot, or text. */
export function* indexLines(path: string): Generator<DumpLine> {
  const name = basename(path)
  const bytes = readFileSync(path)
  const baseOffset = Number.parseInt(name, 10)
  if (name.endsWith('.index'))
    yield* offsetIndexLines(new OffsetIndex(baseOffset, cut(bytes, OFFSET_INDEX_ENTRY_BYTES)))
  else if (name.endsWith('.timeindex'))
    yield* timeIndexLines(new TimeIndex(baseOffset, cut(bytes, TIME_INDEX_ENTRY_BYTES)))
  else if (name.endsWith('.txnindex')) yield* transactionLines(bytes)
  else if (name.endsWith('.snapshot')) yield* snapshotLines(bytes)
  else yield* textLines(bytes)
}

function cut(bytes: Buffer, entryBytes: number): Buffer {
  return bytes.subarray(0, bytes.length - (bytes.length % entryBytes))
}

/** Kafka keeps the files of the active segment at their full size; what is not used yet is zeros. */
function* offsetIndexLines(index: OffsetIndex): Generator<DumpLine> {
  for (let entry = 0; entry < index.count; entry++) {
    const offset = index.offsetAt(entry)
    const position = index.positionAt(entry)
    if (position === 0 && offset === index.baseOffset) return
    yield { text: () => `offset ${offset} at byte ${position}`, json: () => ({ type: 'index', offset, position }) }
  }
}

function* timeIndexLines(index: TimeIndex): Generator<DumpLine> {
  for (let entry = 0; entry < index.count; entry++) {
    const offset = index.offsetAt(entry)
    const timestamp = index.timestampAt(entry)
    if (timestamp === 0 && offset === index.baseOffset) return
    yield {
      text: () => `${timeText(timestamp)} up to offset ${offset}`,
      json: () => ({ type: 'timeindex', timestamp, offset }),
    }
  }
}

function* transactionLines(bytes: Buffer): Generator<DumpLine> {
  const transactions = decodeAbortedTransactions(bytes)
  if (transactions === null) {
    yield problemLine(0, 'this is no index of transactions')
    return
  }
  for (const transaction of transactions) {
    const { producerId, firstOffset, lastOffset, lastStableOffset } = transaction
    yield {
      text: () =>
        `producer ${producerId} aborted ${firstOffset}-${lastOffset}, last stable offset ${lastStableOffset} after it`,
      json: () => ({ type: 'txnindex', ...transaction }),
    }
  }
}

function* snapshotLines(bytes: Buffer): Generator<DumpLine> {
  const producers = decodeProducerSnapshot(bytes)
  if (producers === null) {
    yield problemLine(0, 'this is no snapshot of producers, or its CRC is wrong')
    return
  }
  for (const producer of producers) {
    const { producerId, epoch, coordinatorEpoch, lastTimestampMs, transactionFirstOffset, batches } = producer
    const last = batches.at(-1)
    yield {
      text() {
        const parts = [`producer ${producerId} epoch ${epoch}`, `last seen ${timeText(lastTimestampMs)}`]
        if (last !== undefined) parts.push(`last sequence ${last.lastSequence} at offset ${last.lastOffset}`)
        if (transactionFirstOffset >= 0) parts.push(`transaction since offset ${transactionFirstOffset}`)
        if (coordinatorEpoch >= 0) parts.push(`coordinator epoch ${coordinatorEpoch}`)
        return parts.join(', ')
      },
      json: () => ({
        type: 'producer',
        producerId,
        epoch,
        coordinatorEpoch,
        lastTimestamp: lastTimestampMs,
        transactionFirstOffset,
        batches,
      }),
    }
  }
}

function* textLines(bytes: Buffer): Generator<DumpLine> {
  for (const line of bytes.toString('utf8').split('\n')) {
    if (line !== '') yield { text: () => line, json: () => ({ type: 'text', line }) }
  }
}
