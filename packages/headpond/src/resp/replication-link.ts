import type { Socket } from 'node:net'
import { openSocket, type RemoteAddress, RemoteError, systemWords } from '../net/remote-socket.ts'
import { ConnectionLostError } from './remote-client.ts'
import { encodeRequest } from './wire-reply.ts'

export interface Credentials {
  readonly user: string | undefined
  readonly password: string
}

/** A place in the history of a server: up to this byte of the stream with this name everything is known. */
export interface ReplicationPoint {
  readonly replicationId: string
  readonly offset: number
}

export interface ReplicationLinkOptions {
  readonly address: RemoteAddress
  readonly credentials: Credentials | null
  /** Where to go on, if the server can. */
  readonly resumesFrom: ReplicationPoint | null
}

/** The server cannot be replicated: not now (`isTransient`), or not by us. */
export class ReplicationRefused extends RemoteError {
  readonly isTransient: boolean

  constructor(message: string, isTransient: boolean) {
    super(message)
    this.isTransient = isTransient
  }
}

/** A server says something at least every ten seconds: it is gone when nothing is heard for so long. */
const SILENCE_MS_MAX = 60_000
const LINE_BYTES_MAX = 1024
/** Of a snapshot whose size is not known beforehand: what stands before it and behind it. */
const END_MARK_BYTES = 40

/**
 * What a server tells its replicas: a snapshot, then every change from that moment on, as commands. We say the words of
 * a replica that can take snapshots of unknown size and go on where it was (capa eof psync2), as redis-server does:
 *
 *   PING, AUTH, REPLCONF capa ..., PSYNC <id> <next byte>
 *   +FULLRESYNC <id> <offset>, $<size> or $EOF:<mark>, the snapshot, the stream
 *   +CONTINUE [<id>], the stream
 */
export class ReplicationLink {
  readonly #socket: Socket
  readonly #chunks: AsyncIterator<Buffer>
  /** Came, and was not read yet. */
  #rest: Buffer = Buffer.alloc(0)
  #isClosed = false
  /** Where the stream begins that `read` gives. */
  start: ReplicationPoint = { replicationId: '', offset: 0 }
  /** The stream begins with a snapshot: `openSnapshot` comes before `read`. */
  isFull = false

  /** Rejects with RemoteError, of which ReplicationRefused is one. */
  static async open(options: ReplicationLinkOptions): Promise<ReplicationLink> {
    const link = new ReplicationLink(await openSocket(options.address))
    try {
      await link.#shakeHands(options.credentials)
      await link.#synchronize(options.resumesFrom)
      return link
    } catch (error) {
      link.close()
      throw error
    }
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#chunks = socket[Symbol.asyncIterator]()
    socket.setNoDelay(true)
    socket.on('error', () => {}) // whoever reads hears of it
    socket.on('timeout', () => socket.destroy(new Error('nothing was heard of it for a minute')))
  }

  // ---- Greeting ----

  async #shakeHands(credentials: Credentials | null): Promise<void> {
    const greeting = await this.#ask('PING')
    // Who has to say a password first, and who may not PING, is greeted all the same.
    if (greeting.startsWith('-') && !/^-(NOAUTH|NOPERM|ERR operation not permitted)/.test(greeting)) refuse(greeting)
    if (credentials !== null) {
      const { user, password } = credentials
      const reply = await this.#ask('AUTH', ...(user === undefined ? [password] : [user, password]))
      if (reply.startsWith('-')) refuse(reply)
    } else if (greeting.startsWith('-NOAUTH')) refuse(greeting)
    const reply = await this.#ask('REPLCONF', 'capa', 'eof', 'capa', 'psync2')
    if (/^-(NOPERM|NOAUTH|ERR unknown command)/i.test(reply)) refuse(reply)
  }

  async #synchronize(from: ReplicationPoint | null): Promise<void> {
    const [id, next] = from === null ? ['?', '-1'] : [from.replicationId, String(from.offset + 1)]
    const reply = await this.#ask('PSYNC', id, next)
    const full = /^\+FULLRESYNC ([0-9a-z]{40}) (\d+)$/i.exec(reply)
    if (full !== null) {
      this.isFull = true
      this.start = { replicationId: full[1], offset: Number(full[2]) }
      return
    }
    const going = /^\+CONTINUE(?: ([0-9a-z]{40}))?$/i.exec(reply)
    // Another name comes with a change of its master, whose history is the same up to here.
    if (going !== null && from !== null) this.start = { ...from, replicationId: going[1] ?? from.replicationId }
    else refuse(reply)
  }

  async #ask(...args: string[]): Promise<string> {
    this.#socket.write(encodeRequest(args))
    return this.#line()
  }

  // ---- Snapshot ----

  /** The snapshot that comes next. Resolves when its first byte is about to come, which may take the server a while. */
  async openSnapshot(): Promise<SnapshotTransfer> {
    const header = await this.#line()
    const marked = /^\$EOF:(.{40})$/.exec(header)
    if (marked !== null) return new MarkedTransfer(this, Buffer.from(marked[1], 'latin1'))
    const sized = /^\$(\d{1,15})$/.exec(header)
    if (sized !== null) return new SizedTransfer(this, Number(sized[1]))
    return refuse(header)
  }

  // ---- Bytes ----

  /** The next bytes. Rejects with ConnectionLostError at the end. */
  async read(): Promise<Buffer> {
    const { length } = this.#rest
    if (length === 0) return this.#receive()
    const bytes = this.#rest
    this.#rest = bytes.subarray(length)
    return bytes
  }

  /** Bytes that were read too far: `read` gives them again. */
  unread(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([bytes, this.#rest])
  }

  /** A line that is not empty: servers send line ends while there is nothing to say. */
  async #line(): Promise<string> {
    for (;;) {
      let bytes = await this.read()
      let lineEnd = bytes.indexOf('\n')
      while (lineEnd < 0) {
        if (bytes.length > LINE_BYTES_MAX) throw new ReplicationRefused('it does not speak the Redis protocol', false)
        bytes = Buffer.concat([bytes, await this.#receive()])
        lineEnd = bytes.indexOf('\n')
      }
      this.unread(bytes.subarray(lineEnd + 1))
      const line = bytes.toString('latin1', 0, lineEnd).trimEnd()
      if (line !== '') return line
    }
  }

  async #receive(): Promise<Buffer> {
    this.#socket.setTimeout(SILENCE_MS_MAX)
    try {
      const { done, value } = await this.#chunks.next()
      if (done) throw new ConnectionLostError('the server closed the connection')
      return value
    } catch (error) {
      throw this.#isClosed || error instanceof RemoteError ? error : new ConnectionLostError(systemWords(error))
    } finally {
      this.#socket.setTimeout(0)
    }
  }

  /** Tells up to where everything has been taken over. */
  acknowledge(offset: number): void {
    if (!this.#isClosed && this.#socket.writable) {
      this.#socket.write(encodeRequest(['REPLCONF', 'ACK', String(offset)]))
    }
  }

  close(): void {
    this.#isClosed = true
    this.#socket.destroy()
  }
}

function refuse(reply: string): never {
  const words = reply.replace(/^[-+]/, '')
  if (/^-(LOADING|NOMASTERLINK|MASTERDOWN|BUSY|TRYAGAIN)/.test(reply)) throw new ReplicationRefused(words, true)
  if (/^-ERR unknown command/i.test(reply)) {
    throw new ReplicationRefused(
      `${words}: this server cannot be replicated. Take a snapshot of it, and import that file.`,
      false,
    )
  }
  throw new ReplicationRefused(words, false)
}

/** The bytes of a snapshot, and no others. */
export interface SnapshotTransfer {
  /** Undefined when the server does not know. */
  readonly totalBytes: number | undefined
  /** Fills bytes from `at` on as far as it goes. Returns how many bytes there were; 0 at the end. */
  read(bytes: Uint8Array, at: number): Promise<number>
}

class SizedTransfer implements SnapshotTransfer {
  readonly #link: ReplicationLink
  readonly totalBytes: number
  #leftBytes: number

  constructor(link: ReplicationLink, sizeBytes: number) {
    this.#link = link
    this.totalBytes = sizeBytes
    this.#leftBytes = sizeBytes
  }

  async read(bytes: Uint8Array, at: number): Promise<number> {
    if (this.#leftBytes === 0) return 0
    const chunk = await this.#link.read()
    const count = Math.min(chunk.length, this.#leftBytes, bytes.length - at)
    bytes.set(chunk.subarray(0, count), at)
    if (count < chunk.length) this.#link.unread(chunk.subarray(count))
    this.#leftBytes -= count
    return count
  }
}

class MarkedTransfer implements SnapshotTransfer {
  readonly #link: ReplicationLink
  readonly totalBytes = undefined
  readonly #mark: Buffer
  #isEnded = false

  constructor(link: ReplicationLink, mark: Buffer) {
    this.#link = link
    this.#mark = mark
  }

  async read(bytes: Uint8Array, at: number): Promise<number> {
    if (this.#isEnded) return 0
    let chunk = await this.#link.read()
    // What may be the beginning of the mark has to wait for what follows.
    while (chunk.length < END_MARK_BYTES) chunk = Buffer.concat([chunk, await this.#link.read()])
    const markAt = chunk.indexOf(this.#mark)
    if (markAt === 0) {
      this.#isEnded = true
      this.#link.unread(chunk.subarray(END_MARK_BYTES))
      return 0
    }
    const safeBytes = markAt > 0 ? markAt : chunk.length - END_MARK_BYTES + 1
    const count = Math.min(safeBytes, bytes.length - at)
    bytes.set(chunk.subarray(0, count), at)
    this.#link.unread(chunk.subarray(count))
    return count
  }
}
