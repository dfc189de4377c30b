/**
 * Transcripts: commands and their replies as plain text. The same file is played in this process, over a socket, and
 * against redis-server.
 *
 *   # why                     a comment
 *   > SET key "a\x00b"        a command; quoting as in redis-cli
 *   +OK                       its reply, in the notation of raw-client.ts
 *   >3 HGETALL h              the same client under RESP3 (the player sends HELLO when the protocol changes)
 *   b> SUBSCRIBE news         another client, named b, with a connection of its own; b>3 as well
 *   b<                        what a client received that did not ask: follows the reply of the command that caused it
 *   *3
 *     $ "message"
 *     ...
 *
 * Lines before a command say how to treat it:
 *
 *   @unordered                elements of arrays, sets and maps may come in any order
 *   @any                      the reply varies: only its type is compared
 *   @match <regex>            the reply (in notation) is to match this instead; flags: m, s
 *   @only headpond            redis-server 7.0 does not have this, or differs on purpose
 *   @only socket              makes no sense without a connection
 *   @advance 10s              moves the clock. redis-server has no such clock, so it plays no further
 *
 * A command with nothing below it is one that gets no reply. A file whose first line is `# requires: socket` is not
 * played in process.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { splitArguments } from '#src/config/quoting.ts'
import { notation, type RawClient, type RawReply } from './raw-client.ts'

/** Seen from the compiled file. */
const DIRECTORY = fileURLToPath(new URL('../test/transcripts/', import.meta.url))

export function listTranscripts(): string[] {
  return readdirSync(DIRECTORY, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.txt'))
    .sort()
}

export function pathOf(name: string): string {
  return DIRECTORY + name
}

export function readTranscript(name: string): Transcript {
  return parseTranscript(name, readFileSync(pathOf(name), 'utf8'))
}

// ---- The file ----

/** Replies of one client, as written in the file. */
interface Block {
  readonly client: string
  readonly lines: string[]
}

/** A command, and everything that is received because of it. */
interface Exchange {
  readonly kind: 'exchange'
  /** Of the command's line. */
  readonly lineNumber: number
  readonly line: string
  readonly client: string
  readonly protocol: 2 | 3
  readonly args: readonly Uint8Array[]
  /** Its reply, then what others received. */
  readonly blocks: Block[]
  readonly isUnordered: boolean
  readonly isAny: boolean
  readonly match: RegExp | null
  readonly only: 'headpond' | 'socket' | null
}

type Part =
  | Exchange
  | { readonly kind: 'text'; readonly line: string }
  | { readonly kind: 'advance'; readonly duration: string; readonly line: string }

export interface Transcript {
  readonly name: string
  readonly needsSocket: boolean
  readonly parts: readonly Part[]
}

const COMMAND = /^(\w*)>(3?) (.+)$/
const RECEIVED = /^(\w*)<$/

export function parseTranscript(name: string, content: string): Transcript {
  const parts: Part[] = []
  let pending = noMarks()
  let block: Block | null = null
  let exchange: Exchange | null = null
  const lines = content.split('\n')
  if (lines.at(-1) === '') lines.pop()
  for (const [index, line] of lines.entries()) {
    const fail = (problem: string): never => {
      throw new Error(`${name}:${index + 1}: ${problem}: ${line}`)
    }
    const command = COMMAND.exec(line)
    const received = RECEIVED.exec(line)
    if (command !== null) {
      const args = splitArguments(Buffer.from(command[3])) ?? fail('unbalanced quotes')
      block = { client: command[1], lines: [] }
      exchange = {
        kind: 'exchange',
        lineNumber: index + 1,
        line,
        client: command[1],
        protocol: command[2] === '3' ? 3 : 2,
        args,
        blocks: [block],
        ...pending,
      }
      parts.push(exchange)
      pending = noMarks()
    } else if (received !== null) {
      if (exchange === null) fail('nothing was sent yet')
      block = { client: received[1], lines: [] }
      exchange?.blocks.push(block)
    } else if (line.startsWith('@')) {
      block = null
      const [mark, ...rest] = line.split(' ')
      const argument = rest.join(' ')
      if (mark === '@advance') {
        parts.push({ kind: 'advance', duration: argument, line })
        continue
      }
      if (mark === '@unordered') pending.isUnordered = true
      else if (mark === '@any') pending.isAny = true
      else if (mark === '@match') pending.match = new RegExp(argument, 'ms')
      else if (mark === '@only' && (argument === 'headpond' || argument === 'socket')) pending.only = argument
      else fail('unknown mark')
      parts.push({ kind: 'text', line })
    } else if (line.trim() === '' || (line.startsWith('#') && !/^#[tf]$/.test(line))) {
      block = null
      parts.push({ kind: 'text', line })
    } else if (block !== null) {
      block.lines.push(line.trimEnd())
    } else {
      fail('neither a command nor the reply of one')
    }
  }
  return { name, needsSocket: lines[0] === '# requires: socket', parts }
}

function noMarks() {
  return { isUnordered: false, isAny: false, match: null as RegExp | null, only: null as Exchange['only'] }
}

// ---- Playing it ----

/** One client of the server that a transcript is played against. */
export interface Conversation {
  readonly isClosed: boolean
  send(args: readonly Uint8Array[]): void
  /** Returns when `count` replies are there, or cannot be expected any more. */
  waitFor(count: number, timeoutMs: number): Promise<void>
  take(): RawReply[]
  close(): void
}

/** By a connection. */
export function conversationOf(client: RawClient): Conversation {
  return {
    get isClosed() {
      return client.isClosed
    },
    send: (args) => client.send(...args),
    waitFor: (count, timeoutMs) => client.waitFor(count, timeoutMs),
    take: () => client.take(),
    close: () => client.close(),
  }
}

/** Where a transcript is played. */
export interface Stage {
  readonly kind: 'process' | 'socket' | 'redis'
  connect(): Promise<Conversation>
  /** Returns when what is under way to the clients has most probably arrived. */
  settle(): Promise<void>
  /** Returns when the server has run what was sent. Needed after a command without a reply, which tells that otherwise. */
  untilRun?(): Promise<void>
  /** Moves the clock; absent where there is none to move. */
  advance?(duration: string): void
}

export interface Difference {
  readonly place: string
  readonly command: string
  readonly expected: string
  readonly got: string
}

const REPLY_TIMEOUT_MS = 5000
/** When updating, nobody knows how many replies come. */
const UPDATE_TIMEOUT_MS = 50

export interface Played {
  readonly differences: Difference[]
  readonly exchangeCount: number
  /** The transcript with the replies that came. */
  readonly text: string
}

export async function play(transcript: Transcript, stage: Stage, isUpdate = false): Promise<Played> {
  const clients = new Map<string, { conversation: Conversation; protocol: 2 | 3 }>()
  const differences: Difference[] = []
  const written: string[] = []
  let exchangeCount = 0

  const clientOf = async (name: string, protocol: 2 | 3): Promise<Conversation> => {
    let client = clients.get(name)
    if (client === undefined || client.conversation.isClosed) {
      client = { conversation: await stage.connect(), protocol: 2 }
      clients.set(name, client)
    }
    if (client.protocol !== protocol) {
      client.conversation.send([Buffer.from('HELLO'), Buffer.from(String(protocol))])
      await client.conversation.waitFor(1, REPLY_TIMEOUT_MS)
      client.conversation.take()
      client.protocol = protocol
    }
    return client.conversation
  }

  const receive = async (exchange: Exchange): Promise<Block[]> => {
    for (const block of exchange.blocks) {
      const count = block.lines.filter((line) => !line.startsWith(' ')).length
      const conversation = clients.get(block.client)?.conversation
      if (isUpdate) await conversation?.waitFor(1, UPDATE_TIMEOUT_MS)
      else await conversation?.waitFor(count, REPLY_TIMEOUT_MS)
    }
    if (exchange.blocks[0].lines.length === 0) await stage.untilRun?.()
    await stage.settle()
    const blocks: Block[] = []
    for (const [name, { conversation }] of clients) {
      const lines = conversation.take().flatMap(notation)
      if (name === exchange.client) blocks.unshift({ client: name, lines })
      else if (lines.length > 0) blocks.push({ client: name, lines })
    }
    return blocks
  }

  try {
    for (const part of transcript.parts) {
      if (part.kind !== 'exchange') {
        written.push(part.line)
        if (part.kind === 'text') continue
        if (stage.advance === undefined) break
        stage.advance(part.duration)
        continue
      }
      written.push(part.line)
      if (isSkipped(part, stage)) {
        written.push(...textOf(part.blocks))
        continue
      }
      exchangeCount++
      const conversation = await clientOf(part.client, part.protocol)
      conversation.send(part.args)
      const got = await receive(part)
      const isSame = isAsExpected(part, got)
      const keepsText =
        isSame && part.blocks[0].lines.length > 0 && (part.isAny || part.isUnordered || part.match !== null)
      written.push(...textOf(keepsText ? part.blocks : got))
      if (isSame) continue
      differences.push({
        place: `${pathOf(transcript.name)}:${part.lineNumber}`,
        command: part.line,
        expected: part.match === null ? textOf(part.blocks).join('\n') : `a match of ${part.match}`,
        got: textOf(got).join('\n'),
      })
    }
  } finally {
    for (const { conversation } of clients.values()) conversation.close()
  }
  return { differences, exchangeCount, text: `${written.join('\n')}\n` }
}

function isSkipped(exchange: Exchange, stage: Stage): boolean {
  if (exchange.only === 'headpond') return stage.kind === 'redis'
  if (exchange.only === 'socket') return stage.kind === 'process'
  return false
}

/** Blocks as they stand in a file, the reply first. */
function textOf(blocks: readonly Block[]): string[] {
  return blocks.flatMap((block, index) => (index === 0 ? block.lines : [`${block.client}<`, ...block.lines]))
}

function isAsExpected(exchange: Exchange, got: readonly Block[]): boolean {
  const [reply, ...others] = got
  const [expectedReply, ...expectedOthers] = exchange.blocks
  if (!isSameReply(exchange, expectedReply.lines, reply.lines)) return false
  // Clients that received something may be listed in any order.
  const inOrder = (blocks: readonly Block[]) => [...blocks].sort((a, b) => (a.client < b.client ? -1 : 1))
  return (
    textOf([{ client: '', lines: [] }, ...inOrder(others)]).join('\n') ===
    textOf([{ client: '', lines: [] }, ...inOrder(expectedOthers)]).join('\n')
  )
}

function isSameReply(exchange: Exchange, expected: readonly string[], got: readonly string[]): boolean {
  if (exchange.match !== null) return exchange.match.test(got.join('\n'))
  if (exchange.isAny) return got.length > 0 && (expected[0] ?? '')[0] === got[0][0]
  if (exchange.isUnordered) return sortedText(expected) === sortedText(got)
  return expected.join('\n') === got.join('\n')
}

/** Lines with the elements of every collection sorted; of a map the pairs. */
function sortedText(lines: readonly string[]): string {
  const values: string[] = []
  for (let at = 0; at < lines.length; ) {
    let end = at + 1
    while (end < lines.length && lines[end].startsWith('  ')) end++
    const inner = lines.slice(at + 1, end).map((line) => line.slice(2))
    const elements = valuesOf(inner).map(sortedText)
    const isMap = lines[at].startsWith('%')
    const units = isMap ? pairs(elements) : elements
    values.push([lines[at], ...units.sort().map((unit) => unit.replace(/^/gm, '  '))].join('\n'))
    at = end
  }
  return values.join('\n')
}

/** Lines cut into values, each with what it contains. */
function valuesOf(lines: readonly string[]): string[][] {
  const values: string[][] = []
  for (const line of lines) {
    if (line.startsWith('  ')) values.at(-1)?.push(line)
    else values.push([line])
  }
  return values
}

function pairs(elements: readonly string[]): string[] {
  return Array.from({ length: elements.length / 2 }, (_, index) => `${elements[index * 2]}\n${elements[index * 2 + 1]}`)
}

/** Differences for a person: where, what was sent, what should have come and what came. */
export function describeDifferences(differences: readonly Difference[], side: string): string {
  const indent = (text: string) => (text === '' ? '    (nothing)' : text.replace(/^/gm, '    '))
  return differences
    .map(({ place, command, expected, got }) =>
      [`${place}`, `  ${command}`, '  expected:', indent(expected), `  ${side}:`, indent(got)].join('\n'),
    )
    .join('\n\n')
}
