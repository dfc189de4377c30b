/**
 * Replies as they stand on the wire: every type of RESP2 and RESP3 kept apart, numbers as the text that came. For those
 * who show replies or pass them on; `decoder.ts` makes plain values of them.
 */
export type WireReply = ScalarReply | AggregateReply

export type ScalarReply =
  | { readonly kind: 'status' | 'error' | 'integer' | 'double' | 'big-number' | 'bulk'; readonly bytes: Buffer }
  /** `format` is its three letters: txt, mkd. */
  | { readonly kind: 'verbatim'; readonly format: string; readonly bytes: Buffer }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** RESP3's nil, and RESP2's null bulk and null array. */
  | { readonly kind: 'nil' }

export interface AggregateReply {
  readonly kind: 'array' | 'set' | 'map' | 'push'
  /** Of a map: key, value, key, value ... */
  readonly items: readonly WireReply[]
}

/** The bytes are no RESP. */
export class ReplyProtocolError extends Error {
  override readonly name = 'ReplyProtocolError'
}

/** An aggregate whose items are still coming. Attributes are read like maps, and dropped. */
interface OpenAggregate {
  readonly kind: AggregateReply['kind'] | 'attribute'
  readonly items: WireReply[]
  readonly itemCount: number
}

const NIL: ScalarReply = { kind: 'nil' }
const RETURN = 0x0d

/**
 * Cuts a stream of bytes into replies. What has been read is never read again: a reply of many items that comes in many
 * pieces costs as much as one that comes at once. The bytes of replies are views of what was pushed.
 */
export class WireDecoder {
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  /** Came after `#bytes`, joined with it only when it is enough to go on. */
  #later: Buffer[] = []
  #laterBytes = 0
  /** How many bytes from `#at` on are needed at least to go on. */
  #neededBytes = 1
  readonly #open: OpenAggregate[] = []

  /** Calls `onReply` for each reply that is complete with these bytes. Throws ReplyProtocolError. */
  push(bytes: Buffer, onReply: (reply: WireReply) => void): void {
    this.#later.push(bytes)
    this.#laterBytes += bytes.length
    if (this.#bytes.length - this.#at + this.#laterBytes < this.#neededBytes) return
    this.#join()
    for (;;) {
      const scalar = this.#next()
      if (scalar === 'incomplete') return
      if (scalar === 'opened') continue
      const whole = this.#enter(scalar)
      if (whole !== undefined) onReply(whole)
    }
  }

  #join(): void {
    const restBytes = this.#bytes.length - this.#at
    if (restBytes === 0 && this.#later.length === 1) this.#bytes = this.#later[0]
    else this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), ...this.#later])
    this.#at = 0
    this.#later = []
    this.#laterBytes = 0
  }

  /** Puts a complete reply where it belongs, and gives what is now complete as a whole. */
  #enter(reply: WireReply): WireReply | undefined {
    for (;;) {
      const parent = this.#open.at(-1)
      if (parent === undefined) return reply
      parent.items.push(reply)
      if (parent.items.length < parent.itemCount) return undefined
      this.#open.pop()
      if (parent.kind === 'attribute') return undefined // the reply that it describes follows
      reply = { kind: parent.kind, items: parent.items }
    }
  }

  #next(): WireReply | 'opened' | 'incomplete' {
    const start = this.#at
    const lineEnd = this.#bytes.indexOf('\r\n', start)
    if (lineEnd < 0) return this.#wait(start, this.#bytes.length - start + 1)
    const marker = String.fromCharCode(this.#bytes[start])
    const line = this.#bytes.subarray(start + 1, lineEnd)
    this.#at = lineEnd + 2
    switch (marker) {
      case '+':
        return { kind: 'status', bytes: line }
      case '-':
        return { kind: 'error', bytes: line }
      case ':':
        return { kind: 'integer', bytes: line }
      case ',':
        return { kind: 'double', bytes: line }
      case '(':
        return { kind: 'big-number', bytes: line }
      case '#':
        return { kind: 'boolean', value: line.toString('latin1') === 't' }
      case '_':
        return NIL
      case '$':
      case '!':
      case '=':
        return this.#bulk(marker, line, start)
      case '*':
        return this.#aggregate('array', line, 1)
      case '~':
        return this.#aggregate('set', line, 1)
      case '>':
        return this.#aggregate('push', line, 1)
      case '%':
        return this.#aggregate('map', line, 2)
      case '|':
        return this.#aggregate('attribute', line, 2)
      default:
        throw new ReplyProtocolError(`Protocol error, got ${JSON.stringify(marker)} as reply type byte`)
    }
  }

  #bulk(marker: string, line: Buffer, start: number): WireReply | 'incomplete' {
    const sizeBytes = countOf(line)
    if (sizeBytes < 0) return NIL
    const end = this.#at + sizeBytes
    if (this.#bytes.length < end + 2) return this.#wait(start, end + 2 - start)
    if (this.#bytes[end] !== RETURN) throw new ReplyProtocolError('Protocol error, a bulk is longer than it says')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end + 2
    if (marker === '$') return { kind: 'bulk', bytes }
    if (marker === '!') return { kind: 'error', bytes }
    return { kind: 'verbatim', format: bytes.toString('latin1', 0, 3), bytes: bytes.subarray(4) }
  }

  #aggregate(kind: OpenAggregate['kind'], line: Buffer, itemsEach: number): WireReply | 'opened' {
    const itemCount = countOf(line) * itemsEach
    if (itemCount > 0) {
      this.#open.push({ kind, items: [], itemCount })
      return 'opened'
    }
    if (kind === 'attribute') return 'opened'
    return itemCount < 0 ? NIL : { kind, items: [] }
  }

  #wait(start: number, neededBytes: number): 'incomplete' {
    this.#at = start
    this.#neededBytes = neededBytes
    return 'incomplete'
  }
}

function countOf(line: Buffer): number {
  const text = line.toString('latin1')
  if (!/^-?\d{1,15}$/.test(text)) throw new ReplyProtocolError(`Protocol error, ${JSON.stringify(text)} is no length`)
  return Number(text)
}

/** A request as it goes out: an array of bulk strings. */
export function encodeRequest(args: readonly (string | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = typeof arg === 'string' ? Buffer.from(arg) : arg
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF)
  }
  return Buffer.concat(parts)
}

const CRLF = Buffer.from('\r\n')
