import { WireDecoder, type WireReply } from './wire-reply.ts'

/**
 * Replies as plain values, for those who work with them: the in-process client and tests. Takes bytes as they come and
 * gives whole replies.
 *
 * Bulk and simple strings become strings (or Buffers when `binary`), maps plain objects, sets arrays, nil null, errors
 * ReplyError values (not thrown: they may stand within an array).
 */
export type ReplyValue =
  | string
  | Buffer
  | number
  | bigint
  | boolean
  | null
  | ReplyError
  | PushMessage
  | ReplyValue[]
  | { [key: string]: ReplyValue }

/** An error reply. `code` is its first word: 'WRONGTYPE', 'ERR' ... */
export class ReplyError extends Error {
  override readonly name = 'ReplyError'
  readonly code: string

  constructor(text: string) {
    super(text)
    this.code = text.split(' ', 1)[0]
  }
}

/** A message that answers no request. */
export class PushMessage {
  readonly items: ReplyValue[]

  constructor(items: ReplyValue[]) {
    this.items = items
  }
}

export class ReplyDecoder {
  readonly #binary: boolean
  readonly #wire = new WireDecoder()

  constructor(options: { binary?: boolean } = {}) {
    this.#binary = options.binary ?? false
  }

  /** Takes bytes and returns the replies that are complete. Throws when the bytes are no RESP. */
  push(bytes: Buffer): ReplyValue[] {
    const replies: ReplyValue[] = []
    this.#wire.push(bytes, (reply) => replies.push(plainValue(reply, this.#binary)))
    return replies
  }
}

function plainValue(reply: WireReply, binary: boolean): ReplyValue {
  switch (reply.kind) {
    case 'status':
    case 'bulk':
    case 'verbatim':
      return binary ? Buffer.from(reply.bytes) : reply.bytes.toString()
    case 'error':
      return new ReplyError(reply.bytes.toString())
    case 'integer': {
      const text = reply.bytes.toString('latin1')
      const value = Number(text)
      return Number.isSafeInteger(value) ? value : BigInt(text)
    }
    case 'big-number':
      return BigInt(reply.bytes.toString('latin1'))
    case 'double':
      return doubleOf(reply.bytes.toString('latin1'))
    case 'boolean':
      return reply.value
    case 'nil':
      return null
    case 'array':
    case 'set':
      return reply.items.map((item) => plainValue(item, binary))
    case 'push':
      return new PushMessage(reply.items.map((item) => plainValue(item, binary)))
    case 'map': {
      const entries: [string, ReplyValue][] = []
      for (let index = 0; index < reply.items.length; index += 2) {
        entries.push([String(plainValue(reply.items[index], binary)), plainValue(reply.items[index + 1], binary)])
      }
      return Object.fromEntries(entries)
    }
  }
}

function doubleOf(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY
  return text === '-inf' ? Number.NEGATIVE_INFINITY : Number(text)
}
