// A control connection: one command at a time, for INFO, DBSIZE and FLUSHALL beside the measured traffic.

import { createConnection, type Socket } from 'node:net'

interface Waiter {
  resolve: (reply: string) => void
  reject: (error: Error) => void
}

export class Client {
  readonly #socket: Socket
  #received = ''
  #waiter: Waiter | undefined
  #failure: Error | undefined

  /** Resolves when connected; rejects when nobody listens. */
  static connect(port: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new Client(socket))
      })
    })
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#take(text))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the server closed the control connection')))
  }

  /** The reply as text: a simple string, an integer's digits, a bulk string, or an array's elements by lines. Rejects on an error reply. */
  run(...args: string[]): Promise<string> {
    if (this.#failure) return Promise.reject(this.#failure)
    if (this.#waiter) return Promise.reject(new Error('one command at a time'))
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
      this.#socket.write(encodeCommand(args))
    })
  }

  /** One `name:value` line of an INFO section, as a number. */
  async infoNumber(section: string, name: string): Promise<number> {
    const info = await this.run('INFO', section)
    const match = new RegExp(`^${name}:(\\d+)`, 'm').exec(info)
    if (!match) throw new Error(`INFO ${section} has no number "${name}"`)
    return Number(match[1])
  }

  close(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }

  #take(text: string): void {
    this.#received += text
    const reply = parseReply(this.#received, 0)
    if (!reply) return
    this.#received = this.#received.slice(reply.end)
    const waiter = this.#waiter
    this.#waiter = undefined
    if (reply.isError) waiter?.reject(new Error(`the server answered: ${reply.text}`))
    else waiter?.resolve(reply.text)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#waiter?.reject(error)
    this.#waiter = undefined
  }
}

export function encodeCommand(args: readonly string[]): string {
  let text = `*${args.length}\r\n`
  for (const arg of args) text += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`
  return text
}

interface ParsedReply {
  text: string
  end: number
  isError?: boolean
}

/** The reply at `at` and where it ends; undefined while more is to come. */
function parseReply(received: string, at: number): ParsedReply | undefined {
  const lineEnd = received.indexOf('\r\n', at)
  if (lineEnd < 0) return undefined
  const line = received.slice(at + 1, lineEnd)
  const bodyAt = lineEnd + 2
  switch (received[at]) {
    case '$': {
      if (line === '-1') return { text: '', end: bodyAt }
      const bodyEnd = bodyAt + Number(line)
      return received.length < bodyEnd + 2 ? undefined : { text: received.slice(bodyAt, bodyEnd), end: bodyEnd + 2 }
    }
    case '*': {
      const elements: string[] = []
      let end = bodyAt
      for (let i = 0; i < Number(line); i++) {
        const element = parseReply(received, end)
        if (!element) return undefined
        elements.push(element.text)
        end = element.end
      }
      return { text: elements.join('\n'), end }
    }
    default:
      return { text: line, end: bodyAt, isError: received[at] === '-' }
  }
}
