/** A connection of the load: requests in pipelines, and a callback for each reply as it comes. */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { encodeCommand, RawDecoder, type RawReply } from '../raw-client.ts'

export class LoadConnection {
  readonly #socket: Socket
  readonly #waiting: ((reply: RawReply) => void)[] = []
  #whenIdle: () => void = () => {}
  isClosed = false
  /** Resolves when the server is gone. */
  readonly closed: Promise<void>

  static async connect(port: number): Promise<LoadConnection> {
    const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new LoadConnection(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    const decoder = new RawDecoder()
    socket.on('data', (bytes) => {
      for (const reply of decoder.push(bytes as Buffer)) this.#waiting.shift()?.(reply)
      if (this.#waiting.length === 0) this.#whenIdle()
    })
    socket.on('error', () => {}) // 'close' follows
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.isClosed = true
        this.#whenIdle()
        resolve()
      })
    })
  }

  /** Sends commands in one piece, or cut in two somewhere; each has its own callback. */
  send(
    requests: readonly { args: readonly string[]; onReply: (reply: RawReply) => void }[],
    cut: (sizeBytes: number) => number,
  ): void {
    if (this.isClosed) return
    for (const { onReply } of requests) this.#waiting.push(onReply)
    const bytes = Buffer.concat(requests.map(({ args }) => encodeCommand(args)))
    const at = cut(bytes.length)
    if (at > 0) this.#socket.write(bytes.subarray(0, at))
    this.#socket.write(bytes.subarray(at))
  }

  /** Sends one command and gives its reply; null when the server went away. */
  ask(...args: readonly string[]): Promise<RawReply | null> {
    return new Promise((resolve) => {
      void this.closed.then(() => resolve(null))
      this.send([{ args, onReply: resolve }], () => 0)
    })
  }

  /** Every reply has come, or the server has gone. */
  async idle(): Promise<void> {
    if (this.#waiting.length === 0 || this.isClosed) return
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve
    })
    this.#whenIdle = () => {}
  }

  close(): void {
    this.#socket.destroy()
  }
}
