/**
 * The reply side of RESP, for those who read replies: the in-process client, tools and tests. Takes bytes as they come
 * and gives whole replies.
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

const INCOMPLETE = Symbol('incomplete')

export class ReplyDecoder {
  readonly #binary: boolean
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(options: { binary?: boolean } = {}) {
    this.#binary = options.binary ?? false
  }

  /** Takes bytes and returns the replies that are complete. Throws when the bytes are no RESP. */
  push(bytes: Buffer): ReplyValue[] {
    this.#bytes = this.#at < this.#bytes.length ? Buffer.concat([this.#bytes.subarray(this.#at), bytes]) : bytes
    this.#at = 0
    const replies: ReplyValue[] = []
    while (this.#at < this.#bytes.length) {
      const start = this.#at
      const reply = this.#read()
      if (reply === INCOMPLETE) {
        this.#at = start
        break
      }
      replies.push(reply)
    }
    return replies
  }

  #line(): string | typeof INCOMPLETE {
    const end = this.#bytes.indexOf('\r\n', this.#at)
    if (end < 0) return INCOMPLETE
    const line = this.#bytes.toString('utf8', this.#at, end)
    this.#at = end + 2
    return line
  }

  #read(): ReplyValue | typeof INCOMPLETE {
    const marker = String.fromCharCode(this.#bytes[this.#at++])
    const line = this.#line()
    if (line === INCOMPLETE) return INCOMPLETE
    switch (marker) {
      case '+':
        return this.#binary ? Buffer.from(line) : line
      case '-':
        return new ReplyError(line)
      case ':': {
        const value = Number(line)
        return Number.isSafeInteger(value) ? value : BigInt(line)
      }
      case '(':
        return BigInt(line)
      case ',':
        return line === 'inf' ? Number.POSITIVE_INFINITY : line === '-inf' ? Number.NEGATIVE_INFINITY : Number(line)
      case '#':
        return line === 't'
      case '_':
        return null
      case '$':
        return this.#bulk(Number(line), 0)
      case '=':
        return this.#bulk(Number(line), 4)
      case '!': {
        const text = this.#bulk(Number(line), 0)
        return text === INCOMPLETE ? INCOMPLETE : new ReplyError(String(text))
      }
      case '*':
      case '~':
        return this.#items(Number(line))
      case '>': {
        const items = this.#items(Number(line))
        return items === INCOMPLETE ? INCOMPLETE : new PushMessage(items as ReplyValue[])
      }
      case '%': {
        const items = this.#items(Number(line) * 2)
        if (items === INCOMPLETE) return INCOMPLETE
        const pairs = items as ReplyValue[]
        return Object.fromEntries(
          Array.from({ length: pairs.length / 2 }, (_, index) => [String(pairs[index * 2]), pairs[index * 2 + 1]]),
        )
      }
      case '|': {
        // Attributes precede the reply that they describe.
        if (this.#items(Number(line) * 2) === INCOMPLETE || this.#at >= this.#bytes.length) return INCOMPLETE
        return this.#read()
      }
      default:
        throw new Error(`reply begins with an unknown marker: ${JSON.stringify(marker)}`)
    }
  }

  #bulk(sizeBytes: number, prefixBytes: number): string | Buffer | null | typeof INCOMPLETE {
    if (sizeBytes < 0) return null
    if (this.#bytes.length - this.#at < sizeBytes + 2) return INCOMPLETE
    const start = this.#at + prefixBytes
    const end = this.#at + sizeBytes
    this.#at = end + 2
    return this.#binary ? Buffer.from(this.#bytes.subarray(start, end)) : this.#bytes.toString('utf8', start, end)
  }

  #items(count: number): ReplyValue[] | null | typeof INCOMPLETE {
    if (count < 0) return null
    const items: ReplyValue[] = []
    for (let index = 0; index < count; index++) {
      if (this.#at >= this.#bytes.length) return INCOMPLETE
      const item = this.#read()
      if (item === INCOMPLETE) return INCOMPLETE
      items.push(item)
    }
    return items
  }
}
