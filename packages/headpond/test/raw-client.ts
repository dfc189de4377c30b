/**
 * A RESP client that hides nothing: it sends arguments or bare bytes, and keeps every reply with its type on the wire,
 * so that a test can show the difference between `$-1`, `*-1` and `_`.
 */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { quoteBytes } from '#src/config/quoting.ts'

/** One reply. `marker` is its first byte on the wire; null stands for a size or count of -1. */
export type RawReply =
  | { readonly marker: '+' | '-' | ':' | ',' | '#' | '(' | '_'; readonly text: Buffer }
  | { readonly marker: '$' | '!' | '='; readonly text: Buffer | null }
  | { readonly marker: '*' | '~' | '%' | '>' | '|'; readonly items: readonly RawReply[] | null }

/**
 * A reply in the notation of transcripts, one line for each value, what it contains indented by two spaces:
 * `+simple`, `-error`, `:integer`, `,double`, `#t`, `(big number`, `$ "bulk"`, `! "bulk error"`, `=txt "verbatim"`,
 * `*2` array, `~2` set, `%1` map (key and value below one another), `>3` push, `|1` attribute, `_` nil, `*_` nil array.
 */
export function notation(reply: RawReply): string[] {
  switch (reply.marker) {
    case '_':
      return ['_']
    case '$':
      return [reply.text === null ? '_' : `$ ${quoteBytes(reply.text)}`]
    case '!':
      return [`! ${quoteBytes(reply.text ?? Buffer.alloc(0))}`]
    case '=': {
      const text = reply.text ?? Buffer.alloc(0)
      return [`=${text.toString('latin1', 0, 3)} ${quoteBytes(text.subarray(4))}`]
    }
    case '*':
    case '~':
    case '%':
    case '>':
    case '|': {
      if (reply.items === null) return [`${reply.marker}_`]
      const count = reply.marker === '%' || reply.marker === '|' ? reply.items.length / 2 : reply.items.length
      return [`${reply.marker}${count}`, ...reply.items.flatMap(notation).map((line) => `  ${line}`)]
    }
    default:
      return [reply.marker + printable(reply.text)]
  }
}

/** A line as it came, other bytes than ASCII's printable ones escaped, and a space that ends it (editors remove those). */
function printable(line: Buffer): string {
  return quoteBytes(line).slice(1, -1).replaceAll('\\"', '"').replace(/ $/, '\\x20')
}

/** Cuts a stream of bytes into replies. */
export class RawDecoder {
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  /** Came after `#bytes`, and not joined with it before it is enough: large replies come in many pieces. */
  #later: Buffer[] = []
  #laterBytes = 0
  /** The size that `#bytes` must have at least to go on. */
  #neededBytes = 0

  /** The replies that are complete with these bytes. Throws when they are no RESP. */
  push(bytes: Buffer): RawReply[] {
    this.#later.push(bytes)
    this.#laterBytes += bytes.length
    const restBytes = this.#bytes.length - this.#at
    if (restBytes + this.#laterBytes < this.#neededBytes) return []
    this.#bytes = restBytes === 0 && this.#later.length === 1 ? bytes : this.#joined()
    this.#at = 0
    this.#later = []
    this.#laterBytes = 0
    this.#neededBytes = 0
    const replies: RawReply[] = []
    for (;;) {
      const start = this.#at
      const reply = this.#read()
      if (reply === undefined) {
        this.#at = start
        this.#neededBytes = Math.max(0, this.#neededBytes - start)
        return replies
      }
      replies.push(reply)
    }
  }

  #joined(): Buffer {
    return Buffer.concat([this.#bytes.subarray(this.#at), ...this.#later])
  }

  #read(): RawReply | undefined {
    if (this.#at >= this.#bytes.length) return undefined
    const lineEnd = this.#bytes.indexOf('\r\n', this.#at)
    if (lineEnd < 0) return undefined
    const marker = String.fromCharCode(this.#bytes[this.#at]) as RawReply['marker']
    const text = this.#bytes.subarray(this.#at + 1, lineEnd)
    this.#at = lineEnd + 2
    switch (marker) {
      case '+':
      case '-':
      case ':':
      case ',':
      case '#':
      case '(':
      case '_':
        return { marker, text }
      case '$':
      case '!':
      case '=': {
        const size = numberOf(text)
        if (size < 0) return { marker, text: null }
        if (this.#bytes.length - this.#at < size + 2) {
          this.#neededBytes = this.#at + size + 2
          return undefined
        }
        const bulk = this.#bytes.subarray(this.#at, this.#at + size)
        if (this.#bytes.toString('latin1', this.#at + size, this.#at + size + 2) !== '\r\n') {
          throw new Error(`a bulk of ${size} bytes does not end there`)
        }
        this.#at += size + 2
        return { marker, text: bulk }
      }
      case '*':
      case '~':
      case '%':
      case '>':
      case '|': {
        const count = numberOf(text) * (marker === '%' || marker === '|' ? 2 : 1)
        if (count < 0) return { marker, items: null }
        const items: RawReply[] = []
        while (items.length < count) {
          const item = this.#read()
          if (item === undefined) return undefined
          items.push(item)
        }
        return { marker, items }
      }
      default:
        throw new Error(`no reply begins with ${quoteBytes(Buffer.from(marker, 'latin1'))}`)
    }
  }
}

function numberOf(text: Buffer): number {
  const value = Number(text.toString('latin1'))
  if (text.length === 0 || !Number.isSafeInteger(value)) throw new Error(`no count or size: ${quoteBytes(text)}`)
  return value
}

/** A command as clients send it. */
export function encodeCommand(args: readonly (string | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = typeof arg === 'string' ? Buffer.from(arg) : arg
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF)
  }
  return Buffer.concat(parts)
}

const CRLF = Buffer.from('\r\n')

/** One connection. Replies are gathered until they are asked for. */
export class RawClient {
  readonly socket: Socket
  readonly #decoder = new RawDecoder()
  #replies: RawReply[] = []
  #wake: () => void = () => {}
  #failure: Error | null = null
  isClosed = false

  static async connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = createConnection({ port, host, noDelay: true })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes) => {
      try {
        this.#replies.push(...this.#decoder.push(bytes as Buffer))
      } catch (error) {
        this.#failure = error as Error
        socket.destroy()
      }
      this.#wake()
    })
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  send(...args: readonly (string | Uint8Array)[]): void {
    this.socket.write(encodeCommand(args))
  }

  sendBytes(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Sends a command and gives the next reply in the notation of transcripts. */
  async call(...args: readonly (string | Uint8Array)[]): Promise<string> {
    this.send(...args)
    return this.next()
  }

  /** The next reply, in the notation of transcripts. */
  async next(timeoutMs = 20_000): Promise<string> {
    await this.waitFor(1, timeoutMs)
    const reply = this.#replies.shift()
    if (reply === undefined)
      throw new Error(this.isClosed ? 'the connection was closed' : `no reply in ${timeoutMs} ms`)
    return notation(reply).join('\n')
  }

  /** Returns when `count` replies are there, or the connection is closed, or the time is up. */
  async waitFor(count: number, timeoutMs: number): Promise<void> {
    const untilMs = performance.now() + timeoutMs
    while (this.#replies.length < count && !this.isClosed) {
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0) break
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = () => {}
    }
    if (this.#failure !== null) throw this.#failure
  }

  /** All replies that have come. */
  take(): RawReply[] {
    const replies = this.#replies
    this.#replies = []
    return replies
  }

  /** Resolves when the server has closed the connection, with an error or without. */
  async untilClosed(timeoutMs = 20_000): Promise<void> {
    if (this.isClosed) return
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not closed in ${timeoutMs} ms`)), timeoutMs)
      this.socket.on('close', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  close(): void {
    this.socket.destroy()
  }
}
