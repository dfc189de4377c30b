/** A server that can be replicated and nothing else, for tests of those who replicate: it says what it is told to. */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { encodeCommand } from '../raw-client.ts'

export interface PsyncSourceOptions {
  readonly password?: string
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Answers to commands in place of its own, by name. */
  readonly answers?: Readonly<Record<string, string>>
  /** A snapshot of a size that is not known beforehand. */
  readonly isDiskless?: boolean
  /** The snapshot leaves in pieces of so many bytes. */
  readonly pieceBytes?: number
}

const FIRST_OFFSET = 1000

export class PsyncSource {
  readonly #options: PsyncSourceOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Those that take part in the stream. */
  readonly #online = new Set<Socket>()
  #replicationId = 'a'.repeat(40)
  /** All of the stream since FIRST_OFFSET. */
  #history = Buffer.alloc(0)
  /** What a replica gets that begins anew. */
  snapshot: Buffer
  /** Every command that came, in words. */
  readonly heard: string[] = []
  #onHeard: () => void = () => {}
  /** Sent to a replica after which the connection is cut: so much of the snapshot. */
  cutsSnapshotAt = Number.POSITIVE_INFINITY

  static async start(snapshot: Buffer, options: PsyncSourceOptions = {}): Promise<PsyncSource> {
    const source = new PsyncSource(snapshot, options)
    source.#server.listen(0, '127.0.0.1')
    await once(source.#server, 'listening')
    return source
  }

  private constructor(snapshot: Buffer, options: PsyncSourceOptions) {
    this.snapshot = snapshot
    this.#options = options
    const accept = (socket: Socket) => this.#accept(socket)
    this.#server = options.tls === undefined ? createServer(accept) : createTlsServer(options.tls, accept)
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('it does not listen')
    return address.port
  }

  get url(): string {
    const { password, tls } = this.#options
    return `${tls === undefined ? 'redis' : 'rediss'}://${password === undefined ? '' : `:${password}@`}127.0.0.1:${this.port}`
  }

  get offset(): number {
    return FIRST_OFFSET + this.#history.length
  }

  /** Commands happen. */
  write(...commands: readonly (readonly string[])[]): void {
    this.writeBytes(Buffer.concat(commands.map((command) => encodeCommand(command))))
  }

  /** They may be cut anywhere. */
  writeBytes(bytes: Buffer): void {
    this.#history = Buffer.concat([this.#history, bytes])
    for (const socket of this.#online) socket.write(bytes)
  }

  /** Resolves when a replica has acknowledged everything so far. */
  acknowledged(): Promise<void> {
    return this.untilHeard(`REPLCONF ACK ${this.offset}`)
  }

  /** Resolves when a command like this has come since `from`. */
  async untilHeard(words: string, from = 0): Promise<void> {
    while (!this.heard.slice(from).some((each) => each.startsWith(words))) {
      await new Promise<void>((resolve) => {
        this.#onHeard = resolve
      })
    }
  }

  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** What it was is no more: nobody can go on where they were. */
  beginAnew(snapshot: Buffer): void {
    this.snapshot = snapshot
    this.#replicationId = 'b'.repeat(40)
    this.#history = Buffer.alloc(0)
  }

  async close(): Promise<void> {
    this.cutConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#online.delete(socket)
    })
    let isKnown = this.#options.password === undefined
    let text = ''
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
      for (;;) {
        const command = /^\*(\d+)\r\n(?:\$\d+\r\n[^\r]*\r\n)*/.exec(text)
        const words = [...(command?.[0] ?? '').matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, word]) => word)
        if (command === null || words.length < Number(command[1])) return
        text = text.slice(command[0].length)
        this.heard.push(words.join(' '))
        this.#onHeard()
        const [name] = words
        if (name === 'AUTH') isKnown = words.at(-1) === this.#options.password
        const own = this.#options.answers?.[name]
        if (own !== undefined) socket.write(own)
        else if (name === 'AUTH' && !isKnown) socket.write('-WRONGPASS invalid username-password pair\r\n')
        else if (!isKnown) socket.write('-NOAUTH Authentication required.\r\n')
        else if (name === 'PSYNC') void this.#synchronize(socket, words[1], Number(words[2]))
        else if (name === 'PING') socket.write('+PONG\r\n')
        else if (words[1] !== 'ACK') socket.write('+OK\r\n')
      }
    })
  }

  async #synchronize(socket: Socket, id: string, next: number): Promise<void> {
    if (id === this.#replicationId && next > FIRST_OFFSET && next <= this.offset + 1) {
      socket.write('+CONTINUE\r\n')
      socket.write(this.#history.subarray(next - 1 - FIRST_OFFSET))
      this.#online.add(socket)
      return
    }
    socket.write(`+FULLRESYNC ${this.#replicationId} ${this.offset}\r\n\n\n`)
    const from = this.#history.length
    const { isDiskless = false, pieceBytes = 65_536 } = this.#options
    const mark = 'e'.repeat(40)
    socket.write(isDiskless ? `$EOF:${mark}\r\n` : `$${this.snapshot.length}\r\n`)
    const body = isDiskless ? Buffer.concat([this.snapshot, Buffer.from(mark)]) : this.snapshot
    for (let at = 0; at < body.length; at += pieceBytes) {
      if (at >= this.cutsSnapshotAt) return void socket.destroy()
      socket.write(body.subarray(at, at + pieceBytes))
      await new Promise((resolve) => setImmediate(resolve))
    }
    socket.write(this.#history.subarray(from))
    this.#online.add(socket)
  }
}
