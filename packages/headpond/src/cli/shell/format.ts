import { quoteBytes } from '../../config/quoting.ts'
import type { AggregateReply, WireReply } from '../../resp/wire-reply.ts'
import type { OutputForm } from './options.ts'

/**
 * Replies as text, byte for byte as redis-cli shows them. All text is binary here: one character for each byte
 * (latin1), since values are bytes and go out as they came.
 */
export interface FormatOptions {
  readonly form: OutputForm
  /** Between the elements of a raw reply. */
  readonly delimiter: string
  /** After each raw reply. */
  readonly replyDelimiter: string
}

export function formatReply(reply: WireReply, options: FormatOptions): string {
  switch (options.form) {
    case 'terminal':
      return terminalText(reply, '')
    case 'raw':
      return rawText(reply, options.delimiter) + options.replyDelimiter
    case 'csv':
      return `${csvText(reply)}\n`
    case 'json':
      return `${jsonText(reply, jsonString)}\n`
    case 'quoted-json':
      return `${jsonText(reply, quotedJsonString)}\n`
  }
}

/** The text of a bulk, status, error or number; of what an aggregate contains, in raw form. */
export function rawText(reply: WireReply, delimiter = '\n'): string {
  switch (reply.kind) {
    case 'nil':
      return ''
    case 'boolean':
      return reply.value ? '(true)' : '(false)'
    case 'error':
      return `${latin1(reply.bytes)}\n`
    case 'array':
    case 'set':
    case 'push':
      return reply.items.map((item) => rawText(item, delimiter)).join(delimiter)
    case 'map':
      return pairsOf(reply)
        .map(([key, value]) => `${rawText(key, delimiter)} ${rawText(value, delimiter)}`)
        .join(delimiter)
    default:
      return latin1(reply.bytes)
  }
}

/** What an error reply says, as text to be read. */
export function errorText(reply: WireReply): string {
  return reply.kind === 'error' ? reply.bytes.toString() : ''
}

const EMPTY_NAMES: Readonly<Record<AggregateReply['kind'], string>> = {
  array: '(empty array)\n',
  set: '(empty set)\n',
  map: '(empty hash)\n',
  push: '(empty push)\n',
}

const NUMBER_SIGNS: Readonly<Record<AggregateReply['kind'], string>> = { array: ')', set: '~', map: '#', push: ')' }

/** `indent` stands before every line but the first. */
function terminalText(reply: WireReply, indent: string): string {
  switch (reply.kind) {
    case 'nil':
      return '(nil)\n'
    case 'boolean':
      return reply.value ? '(true)\n' : '(false)\n'
    case 'error':
      return `(error) ${latin1(reply.bytes)}\n`
    case 'integer':
      return `(integer) ${latin1(reply.bytes)}\n`
    case 'double':
      return `(double) ${latin1(reply.bytes)}\n`
    case 'big-number':
      return `(big number) ${latin1(reply.bytes)}\n`
    case 'bulk':
      return `${quoteBytes(reply.bytes)}\n`
    case 'status':
    case 'verbatim':
      return `${latin1(reply.bytes)}\n`
    default:
      return terminalAggregate(reply, indent)
  }
}

function terminalAggregate(reply: AggregateReply, indent: string): string {
  if (reply.items.length === 0) return EMPTY_NAMES[reply.kind]
  const isMap = reply.kind === 'map'
  const count = isMap ? reply.items.length / 2 : reply.items.length
  const numberWidth = String(count).length
  const inner = indent + ' '.repeat(numberWidth + 2)
  let text = ''
  for (let index = 0; index < count; index++) {
    const number = String(index + 1).padStart(numberWidth) + NUMBER_SIGNS[reply.kind]
    text += `${index === 0 ? '' : indent}${number} `
    if (isMap) text += terminalPair(reply.items[index * 2], reply.items[index * 2 + 1], inner)
    else text += terminalText(reply.items[index], inner)
  }
  return text
}

function terminalPair(key: WireReply, value: WireReply, indent: string): string {
  const name = terminalText(key, indent).slice(0, -1)
  const text = terminalText(value, indent)
  const isOneLine = text.indexOf('\n') === text.length - 1
  return `${name} => ${isOneLine ? '' : `\n${indent}`}${text}`
}

function csvText(reply: WireReply): string {
  switch (reply.kind) {
    case 'nil':
      return 'NULL'
    case 'boolean':
      return String(reply.value)
    case 'error':
      return `ERROR,${quoteBytes(reply.bytes)}`
    case 'integer':
    case 'double':
    case 'big-number':
      return latin1(reply.bytes)
    case 'bulk':
    case 'status':
    case 'verbatim':
      return quoteBytes(reply.bytes)
    default:
      return reply.items.map(csvText).join(',')
  }
}

type StringForm = (text: string) => string

function jsonText(reply: WireReply, stringForm: StringForm): string {
  switch (reply.kind) {
    case 'nil':
      return 'null'
    case 'boolean':
      return String(reply.value)
    case 'error':
      return `error:${stringForm(latin1(reply.bytes))}`
    case 'double': {
      const text = latin1(reply.bytes)
      return /\d/.test(text) ? text : `"${text}"` // JSON has no inf and no nan
    }
    case 'integer':
    case 'big-number':
      return latin1(reply.bytes)
    case 'bulk':
    case 'status':
    case 'verbatim':
      return stringForm(latin1(reply.bytes))
    case 'map': {
      const members = pairsOf(reply).map(([key, value]) => {
        const keyText = jsonText(key, stringForm)
        const name =
          key.kind === 'bulk' || key.kind === 'status' || key.kind === 'verbatim' ? keyText : stringForm(keyText)
        return `${name}:${jsonText(value, stringForm)}`
      })
      return `{${members.join(',')}}`
    }
    default:
      return `[${reply.items.map((item) => jsonText(item, stringForm)).join(',')}]`
  }
}

/** Bytes beyond ASCII stay as they are: UTF-8 is shown as UTF-8. */
function jsonString(text: string): string {
  return `"${text.replace(/[\\"\x00-\x1f]/g, jsonEscape)}"`
}

function jsonEscape(character: string): string {
  return JSON.stringify(character).slice(1, -1)
}

/** ASCII alone: the string that JSON carries is itself quoted, but for its quotes. */
function quotedJsonString(text: string): string {
  return jsonString(quoteBytes(Buffer.from(text, 'latin1')).slice(1, -1))
}

function pairsOf(map: AggregateReply): (readonly [WireReply, WireReply])[] {
  const pairs: (readonly [WireReply, WireReply])[] = []
  for (let index = 0; index < map.items.length; index += 2) pairs.push([map.items[index], map.items[index + 1]])
  return pairs
}

function latin1(bytes: Buffer): string {
  return bytes.toString('latin1')
}

/** Commands whose reply is a page of text, and is shown as it is in every form. */
const PAGES: ReadonlySet<string> = new Set([
  'info',
  'lolwut',
  'debug htstats',
  'debug htstats-key',
  'memory malloc-stats',
  'memory doctor',
  'cluster nodes',
  'cluster info',
  'client list',
  'client info',
  'latency graph',
  'latency doctor',
])

export function isPage(args: readonly Uint8Array[]): boolean {
  const [name = '', subcommand = ''] = args.slice(0, 2).map((arg) => Buffer.from(arg).toString('latin1').toLowerCase())
  return PAGES.has(name) || PAGES.has(`${name} ${subcommand}`)
}
