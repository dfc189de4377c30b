import {
  ATTRIBUTES_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  LAST_OFFSET_DELTA_AT,
  LOG_OVERHEAD_BYTES,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  stampCrc,
  writeInt32,
  writeInt64,
} from '#src/log/record-batch.ts'

export interface BatchOptions {
  readonly recordCount?: number
  readonly valueBytes?: number
  readonly timestampMs?: number
  readonly attributes?: number
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isKeyless?: boolean
}

/** A batch as a client sends it: uncompressed, all records alike, CRC right. */
export function makeBatch(options: BatchOptions = {}): Buffer {
  const { recordCount = 1, valueBytes = 10, timestampMs = 1000, attributes = 0 } = options
  const { producerId = -1, producerEpoch = -1, baseSequence = -1, isKeyless = false } = options
  const records = Array.from({ length: recordCount }, (_, index) => {
    const body = Buffer.concat([
      Buffer.from([0]),
      varint(0),
      varint(index),
      isKeyless ? varint(-1) : Buffer.concat([varint(1), Buffer.from('k')]),
      varint(valueBytes),
      Buffer.alloc(valueBytes, 97 + (index % 26)),
      varint(0),
    ])
    return Buffer.concat([varint(body.length), body])
  })
  const batch = Buffer.concat([Buffer.alloc(BATCH_HEADER_BYTES), ...records])
  writeInt32(batch, BATCH_LENGTH_AT, batch.length - LOG_OVERHEAD_BYTES)
  batch[MAGIC_AT] = 2
  batch.writeInt16BE(attributes, ATTRIBUTES_AT)
  writeInt32(batch, LAST_OFFSET_DELTA_AT, recordCount - 1)
  writeInt64(batch, BASE_TIMESTAMP_AT, timestampMs)
  writeInt64(batch, MAX_TIMESTAMP_AT, timestampMs)
  writeInt64(batch, PRODUCER_ID_AT, producerId)
  batch.writeInt16BE(producerEpoch, PRODUCER_EPOCH_AT)
  writeInt32(batch, BASE_SEQUENCE_AT, baseSequence)
  writeInt32(batch, RECORD_COUNT_AT, recordCount)
  stampCrc(batch, 0)
  return batch
}

function varint(value: number): Buffer {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  const bytes: number[] = []
  for (; zigzag >= 128; zigzag >>>= 7) bytes.push((zigzag & 127) | 128)
  bytes.push(zigzag)
  return Buffer.from(bytes)
}
