import type { LogRecord } from '../../log/records/record.ts'
import type { Arguments, Flag } from './arguments.ts'
import { BYTE_FORMATS, type ByteFormat, byteFormat, jsonBytes, showBytes } from './byte-format.ts'
import { UsageError } from './kafka-cli-error.ts'

const FORMATS = BYTE_FORMATS.join(', ')

export const RECORD_FORMAT_FLAGS: readonly Flag[] = [
  { name: '--key-format', value: '<format>', summary: `How keys are written: ${FORMATS}` },
  { name: '--value-format', value: '<format>', summary: 'How values are written, the same' },
]

/** Turns a record into what is printed of it. */
export type RecordPrinter = (topic: string, partition: number, record: LogRecord) => string

export interface Formats {
  readonly key: ByteFormat
  readonly value: ByteFormat
}

/** Throws UsageError. */
export function recordFormats(args: Arguments): Formats {
  return {
    key: byteFormat('--key-format', args.text('--key-format')),
    value: byteFormat('--value-format', args.text('--value-format')),
  }
}

/** By `--json`, `--values`, `--format`, else a line for people. Throws UsageError. */
export function recordPrinter(args: Arguments): RecordPrinter {
  const formats = recordFormats(args)
  const way = args.oneOf(['--json', '--values', '--format'])
  if (way === '--json') return (topic, partition, record) => jsonLine(topic, partition, record, formats)
  if (way === '--values') return (_topic, _partition, record) => `${show(record.value, formats.value, '')}\n`
  if (way === '--format') return templatePrinter(args.text('--format') ?? '', formats)
  return (_topic, partition, record) => personLine(partition, record, formats)
}

function jsonLine(topic: string, partition: number, record: LogRecord, formats: Formats): string {
  const { offset, timestampMs, key, value, headers } = record
  const document = {
    topic,
    partition,
    offset,
    timestamp: timestampMs,
    key: jsonBytes(key, formats.key),
    value: jsonBytes(value, formats.value),
    headers: headers.map((header) => ({ key: header.key, value: jsonBytes(header.value, 'text') })),
  }
  return `${JSON.stringify(document)}\n`
}

/** `0:15  2026-11-21T10:00:00.000Z  key  value  {header: value}` */
function personLine(partition: number, record: LogRecord, formats: Formats): string {
  const parts = [
    `${partition}:${record.offset}`,
    timeText(record.timestampMs),
    show(record.key, formats.key, '-'),
    show(record.value, formats.value, '(null)'),
  ]
  if (record.headers.length > 0) {
    parts.push(`{${record.headers.map(({ key, value }) => `${key}: ${show(value, 'text', '(null)')}`).join(', ')}}`)
  }
  return `${parts.join('  ')}\n`
}

const DATE_MS_MAX = 8.64e15

/** ISO 8601 in UTC; what is no time stays a number. */
export function timeText(timestampMs: number): string {
  return timestampMs < 0 || timestampMs > DATE_MS_MAX ? String(timestampMs) : new Date(timestampMs).toISOString()
}

function show(bytes: Uint8Array | null, format: ByteFormat, ifNull: string): string {
  return bytes === null ? ifNull : showBytes(bytes, format)
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0', '\\': '\\' }

/** What `\n` and its like in an option stand for. */
export function unescapeText(text: string): string {
  return text.replace(/\\(.)/g, (whole, letter: string) => ESCAPES[letter] ?? whole)
}

/** As kcat's: `%p:%o %k %v\n`. Throws UsageError. */
function templatePrinter(template: string, formats: Formats): RecordPrinter {
  const parts: (string | Token)[] = []
  for (const [, literal, name] of unescapeText(template).matchAll(/([^%]+)|%(.?)/gs)) {
    if (literal !== undefined) parts.push(literal)
    else if (name === '%') parts.push('%')
    else if (TOKENS[name] === undefined) throw new UsageError(`--format: there is no %${name}; there are ${TOKEN_HELP}`)
    else parts.push(TOKENS[name])
  }
  return (topic, partition, record) =>
    parts.map((part) => (typeof part === 'string' ? part : part(record, { topic, partition, formats }))).join('')
}

type Token = (
  record: LogRecord,
  place: { readonly topic: string; readonly partition: number; readonly formats: Formats },
) => string

const TOKENS: Readonly<Record<string, Token>> = {
  t: (_record, { topic }) => topic,
  p: (_record, { partition }) => String(partition),
  o: (record) => String(record.offset),
  k: (record, { formats }) => show(record.key, formats.key, ''),
  v: (record, { formats }) => show(record.value, formats.value, ''),
  s: (record, { formats }) => show(record.value, formats.value, ''),
  T: (record) => String(record.timestampMs),
  d: (record) => timeText(record.timestampMs),
  h: ({ headers }) => headers.map(({ key, value }) => `${key}=${show(value, 'text', '')}`).join(','),
  K: ({ key }) => String(key?.length ?? -1),
  V: ({ value }) => String(value?.length ?? -1),
}

export const TOKEN_HELP =
  '%t topic, %p partition, %o offset, %k key, %v value, %h headers, %T milliseconds, %d date, %K and %V sizes in bytes'
