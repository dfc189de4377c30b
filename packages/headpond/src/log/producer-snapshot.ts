/**
 * The producers of a partition up to an offset, as the file `<offset>.snapshot`. Big-endian:
 *
 *   int16 version (1) | uint32 crc (CRC-32C of what follows) | int32 count | entries:
 *     int64 producerId | int16 epoch | int32 lastSequence | int64 lastOffset | int32 offsetDelta | int64 timestamp
 *     | int32 coordinatorEpoch | int64 currentTxnFirstOffset
 *
 * Kafka keeps one batch of each producer in it, and after a restart knows no more: a leader that restarts is no leader any
 * longer, and the next one knows five. Here the same broker goes on, and producers send all that was in flight again. So the
 * batches before the last follow behind the entries, where Kafka's readers do not look:
 *
 *   int32 count | int64 producerId | int32 lastSequence | int64 lastOffset | int32 offsetDelta | int64 timestamp
 */
import { crc32c } from './crc32c.ts'
import { type BatchMark, NO_OFFSET, type ProducerState } from './producer-state.ts'
import { readInt16, readInt32, readInt64, writeInt32, writeInt64 } from './record-batch.ts'
import { NO_SEQUENCE } from './sequence.ts'

const VERSION = 1
const CRC_AT = 2
const COUNT_AT = CRC_AT + 4
const ENTRIES_AT = COUNT_AT + 4
const ENTRY_BYTES = 46
const EARLIER_BATCH_BYTES = 32

export function encodeProducerSnapshot(producers: Iterable<ProducerState>): Buffer {
  const entries = [...producers].sort((one, other) => one.producerId - other.producerId)
  let earlierCount = 0
  for (const { batches } of entries) earlierCount += Math.max(0, batches.length - 1)
  const earlierBytes = earlierCount === 0 ? 0 : 4 + earlierCount * EARLIER_BATCH_BYTES
  const bytes = Buffer.alloc(ENTRIES_AT + entries.length * ENTRY_BYTES + earlierBytes)
  bytes.writeInt16BE(VERSION, 0)
  writeInt32(bytes, COUNT_AT, entries.length)
  let at = ENTRIES_AT
  for (const producer of entries) {
    const last = producer.batches.at(-1)
    writeInt64(bytes, at, producer.producerId)
    bytes.writeInt16BE(producer.epoch, at + 8)
    writeInt32(bytes, at + 10, last?.lastSequence ?? NO_SEQUENCE)
    writeInt64(bytes, at + 14, last?.lastOffset ?? NO_OFFSET)
    writeInt32(bytes, at + 22, last?.offsetDelta ?? 0)
    writeInt64(bytes, at + 26, producer.lastTimestampMs)
    writeInt32(bytes, at + 34, producer.coordinatorEpoch)
    writeInt64(bytes, at + 38, producer.transactionFirstOffset)
    at += ENTRY_BYTES
  }
  if (earlierCount > 0) {
    writeInt32(bytes, at, earlierCount)
    at += 4
    for (const { producerId, batches } of entries) {
      for (const mark of batches.slice(0, -1)) {
        writeInt64(bytes, at, producerId)
        writeInt32(bytes, at + 8, mark.lastSequence)
        writeInt64(bytes, at + 12, mark.lastOffset)
        writeInt32(bytes, at + 20, mark.offsetDelta)
        writeInt64(bytes, at + 24, mark.timestampMs)
        at += EARLIER_BATCH_BYTES
      }
    }
  }
  writeInt32(bytes, CRC_AT, crc32c(bytes, COUNT_AT, bytes.length))
  return bytes
}

/** Null when the bytes are no snapshot, or damaged. */
export function decodeProducerSnapshot(bytes: Uint8Array): ProducerState[] | null {
  if (bytes.length < ENTRIES_AT || readInt16(bytes, 0) !== VERSION) return null
  if (readInt32(bytes, CRC_AT) !== (crc32c(bytes, COUNT_AT, bytes.length) | 0)) return null
  const count = readInt32(bytes, COUNT_AT)
  const entriesEnd = ENTRIES_AT + count * ENTRY_BYTES
  if (count < 0 || entriesEnd > bytes.length) return null
  const earlier = decodeEarlierBatches(bytes, entriesEnd)
  const producers: ProducerState[] = []
  for (let at = ENTRIES_AT; at < entriesEnd; at += ENTRY_BYTES) {
    const producerId = readInt64(bytes, at)
    const lastTimestampMs = readInt64(bytes, at + 26)
    const lastOffset = readInt64(bytes, at + 14)
    const last: BatchMark = {
      lastSequence: readInt32(bytes, at + 10),
      lastOffset,
      offsetDelta: readInt32(bytes, at + 22),
      timestampMs: lastTimestampMs,
    }
    producers.push({
      producerId,
      epoch: readInt16(bytes, at + 8),
      coordinatorEpoch: readInt32(bytes, at + 34),
      lastTimestampMs,
      transactionFirstOffset: readInt64(bytes, at + 38),
      batches: lastOffset === NO_OFFSET ? [] : [...(earlier.get(producerId) ?? []), last],
    })
  }
  return producers
}

/** Kafka's own snapshots have none. */
function decodeEarlierBatches(bytes: Uint8Array, start: number): Map<number, BatchMark[]> {
  const marks = new Map<number, BatchMark[]>()
  if (bytes.length < start + 4) return marks
  const count = readInt32(bytes, start)
  if (bytes.length !== start + 4 + count * EARLIER_BATCH_BYTES) return marks
  for (let at = start + 4; at < bytes.length; at += EARLIER_BATCH_BYTES) {
    const producerId = readInt64(bytes, at)
    const mark = {
      lastSequence: readInt32(bytes, at + 8),
      lastOffset: readInt64(bytes, at + 12),
      offsetDelta: readInt32(bytes, at + 20),
      timestampMs: readInt64(bytes, at + 24),
    }
    const known = marks.get(producerId)
    if (known === undefined) marks.set(producerId, [mark])
    else known.push(mark)
  }
  return marks
}
