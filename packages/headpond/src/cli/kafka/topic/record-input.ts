import type { NewRecord, RecordHeader } from '../../../log/records/record.ts'
import type { Arguments } from '../arguments.ts'
import { parseBytes, parseJsonValue } from '../byte-format.ts'
import { UsageError } from '../kafka-cli-error.ts'
import { assignments } from '../lookup.ts'
import { type Formats, recordFormats, unescapeText } from '../record-line.ts'

export interface InputRecord {
  readonly record: NewRecord
  /** Where it says so itself. */
  readonly partition?: number
}

/** Makes a record of a line, whose number is for messages. Throws UsageError. */
export type RecordFactory = (line: Buffer, lineNumber: number) => InputRecord

const LINE_FEED = 10
const CARRIAGE_RETURN = 13

/** By the options of the command line. Throws UsageError. */
export function recordFactory(args: Arguments, nowMs: () => number): RecordFactory {
  const formats = recordFormats(args)
  const headers = [...assignments('--header', args.texts('--header'))].map(([key, value]) => ({
    key,
    value: Buffer.from(value),
  }))
  if (args.has('--json')) return (line, lineNumber) => jsonRecord(line, lineNumber, formats, headers, nowMs)
  const nullText = args.has('--null') ? Buffer.from(unescapeText(args.text('--null') ?? '')) : null
  const keyText = args.text('--key')
  const fixedKey = keyText === undefined ? null : parseBytes(keyText, formats.key)
  const separator = args.has('--key-separator') ? Buffer.from(unescapeText(args.text('--key-separator') ?? '')) : null
  if (separator?.length === 0) throw new UsageError('--key-separator: at least one character')
  // Bytes that need no other form are taken as they are, whatever they are.
  const bytesOf = (bytes: Buffer, format: Formats['key']) => {
    if (nullText?.equals(bytes)) return null
    return format === 'text' ? bytes : parseBytes(bytes.toString(), format)
  }
  return (line, lineNumber) => {
    const at = separator === null ? -1 : line.indexOf(separator)
    if (separator !== null && at < 0) {
      throw new UsageError(`line ${lineNumber}: there is no ${JSON.stringify(separator.toString())} in it`)
    }
    const key = separator === null ? fixedKey : bytesOf(line.subarray(0, at), formats.key)
    const value = bytesOf(separator === null ? line : line.subarray(at + separator.length), formats.value)
    return { record: { timestampMs: nowMs(), key, value, headers } }
  }
}

function jsonRecord(
  line: Buffer,
  lineNumber: number,
  formats: Formats,
  common: readonly RecordHeader[],
  nowMs: () => number,
): InputRecord {
  const document = parseDocument(line, lineNumber)
  const { partition, timestamp } = document
  if (partition !== undefined && !isWhole(partition)) throw new UsageError(`line ${lineNumber}: partition: a number`)
  if (timestamp !== undefined && !isWhole(timestamp)) {
    throw new UsageError(`line ${lineNumber}: timestamp: milliseconds since 1970`)
  }
  return {
    record: {
      timestampMs: (timestamp as number | undefined) ?? nowMs(),
      key: parseJsonValue(document['key'], formats.key),
      value: parseJsonValue(document['value'], formats.value),
      headers: [...headersOf(document['headers'], lineNumber), ...common],
    },
    ...(partition === undefined ? {} : { partition: partition as number }),
  }
}

function parseDocument(line: Buffer, lineNumber: number): Readonly<Record<string, unknown>> {
  let document: unknown
  try {
    document = JSON.parse(line.toString())
  } catch (error) {
    throw new UsageError(`line ${lineNumber} is no JSON: ${(error as Error).message}`)
  }
  if (typeof document !== 'object' || document === null || !('value' in document)) {
    throw new UsageError(`line ${lineNumber}: an object with "value" (null for a tombstone), and perhaps "key"`)
  }
  return document as Readonly<Record<string, unknown>>
}

function headersOf(headers: unknown, lineNumber: number): RecordHeader[] {
  if (headers === undefined || headers === null) return []
  const pairs = Array.isArray(headers)
    ? headers.map((header) => [(header as { key?: unknown })?.key, (header as { value?: unknown })?.value])
    : typeof headers === 'object'
      ? Object.entries(headers)
      : [[undefined, undefined]]
  return pairs.map(([key, value]) => {
    if (typeof key !== 'string')
      throw new UsageError(`line ${lineNumber}: headers: [{"key", "value"}] or {name: value}`)
    return { key, value: parseJsonValue(value, 'text') }
  })
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value)
}

/** Lines without their ends; a last one without an end counts, an empty one at the end does not. */
export async function* lineReader(input: AsyncIterable<string | Uint8Array>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = []
  for await (const piece of input) {
    const chunk = Buffer.from(piece as Uint8Array)
    let start = 0
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start)
      if (end < 0) break
      const line = chunk.subarray(start, end)
      yield withoutReturn(rest.length === 0 ? line : Buffer.concat([...rest, line]))
      rest = []
      start = end + 1
    }
    if (start < chunk.length) rest.push(chunk.subarray(start))
  }
  if (rest.length > 0) yield withoutReturn(Buffer.concat(rest))
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line
}

/** The whole input as one. */
export async function* wholeReader(input: AsyncIterable<string | Uint8Array>): AsyncGenerator<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of input) pieces.push(Buffer.from(piece as Uint8Array))
  yield Buffer.concat(pieces)
}
