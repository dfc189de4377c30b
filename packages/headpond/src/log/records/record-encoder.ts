import type { GrowingBuffer } from '../../bytes/growing-buffer.ts'
import type { NewRecord, RecordHeader } from './record.ts'
import { VARLONG_BYTES_MAX, varlongLength, writeVarlong } from './varint.ts'

const NULL_SIZE = -1

/** Appends one record, see `RecordCursor` for its form. */
export function appendRecord(out: GrowingBuffer, record: NewRecord, timestampDelta: number, offsetDelta: number): void {
  const { key, value } = record
  const headers = (record.headers ?? []).map(encodeHeader)
  const sizeBytes =
    1 +
    varlongLength(timestampDelta) +
    varlongLength(offsetDelta) +
    fieldLength(key) +
    fieldLength(value) +
    varlongLength(headers.length) +
    headers.reduce((sum, header) => sum + fieldLength(header.key) + fieldLength(header.value), 0)

  appendVarlong(out, sizeBytes)
  out.appendByte(0)
  appendVarlong(out, timestampDelta)
  appendVarlong(out, offsetDelta)
  appendField(out, key)
  appendField(out, value)
  appendVarlong(out, headers.length)
  for (const header of headers) {
    appendField(out, header.key)
    appendField(out, header.value)
  }
}

function encodeHeader(header: RecordHeader): { key: Uint8Array; value: Uint8Array | null } {
  return { key: Buffer.from(header.key, 'utf8'), value: header.value }
}

function fieldLength(field: Uint8Array | null): number {
  return field === null ? varlongLength(NULL_SIZE) : varlongLength(field.length) + field.length
}

function appendField(out: GrowingBuffer, field: Uint8Array | null): void {
  appendVarlong(out, field === null ? NULL_SIZE : field.length)
  if (field !== null) out.append(field)
}

function appendVarlong(out: GrowingBuffer, value: number): void {
  const at = out.reserve(VARLONG_BYTES_MAX)
  out.length = writeVarlong(out.bytes, at, value)
}
