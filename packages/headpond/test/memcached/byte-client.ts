/** A connection of which one sees nothing but bytes, as both protocols of memcached need. */
import { once } from 'node:events'
import { createConnection, type NetConnectOpts, type Socket } from 'node:net'

const TIMEOUT_MS = 20_000

export class ByteClient {
  readonly socket: Socket
  #chunks: Buffer[] = []
  #sizeBytes = 0
  #wake: () => void = () => {}
  isClosed = false

  static async connect(target: number | string): Promise<ByteClient> {
    const options: NetConnectOpts =
      typeof target === 'number' ? { port: target, host: '127.0.0.1', noDelay: true } : { path: target }
    const socket = createConnection(options)
    await once(socket, 'connect')
    return new ByteClient(socket)
  }

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#sizeBytes += chunk.length
      this.#wake()
    })
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  send(bytes: string | Uint8Array): void {
    if (!this.isClosed) this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** What has come until `isEnough` says so, or the connection is closed. Throws when that takes too long. */
  async receive(isEnough: (received: Buffer) => boolean): Promise<Buffer> {
    const untilMs = performance.now() + TIMEOUT_MS
    while (!isEnough(this.#joined()) && !this.isClosed) {
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0) throw new Error(`no end after ${JSON.stringify(this.#joined().toString('latin1').slice(-200))}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = () => {}
    }
    const received = this.#joined()
    this.#chunks = []
    this.#sizeBytes = 0
    return received
  }

  receiveBytes(sizeBytes: number): Promise<Buffer> {
    return this.receive((received) => received.length >= sizeBytes)
  }

  /** Sends lines and gives what they are answered with, up to the answer of a last command that always has the same. */
  async ask(text: string): Promise<string> {
    this.send(`${text}mn\r\n`)
    // The lines may say the same themselves.
    const count = 1 + (text.match(/^mn\r$/gm)?.length ?? 0)
    const received = await this.receive((bytes) => {
      if (bytes.length < 4 || bytes.toString('latin1', bytes.length - 4) !== 'MN\r\n') return false
      return count === 1 || (bytes.toString('latin1').match(/^MN\r$/gm)?.length ?? 0) >= count
    })
    const answer = received.toString('latin1')
    return answer.endsWith('MN\r\n') ? answer.slice(0, -4) : `${answer}<closed>\r\n`
  }

  async untilClosed(): Promise<void> {
    if (!this.isClosed) await once(this.socket, 'close', { signal: AbortSignal.timeout(TIMEOUT_MS) })
  }

  close(): void {
    this.socket.destroy()
  }

  #joined(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks, this.#sizeBytes)]
    return this.#chunks[0] ?? EMPTY
  }
}

const EMPTY = Buffer.alloc(0)
