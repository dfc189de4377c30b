import type { Client } from '../resp/client.ts'
import { PushMessage, ReplyDecoder, ReplyError, type ReplyValue } from '../resp/decoder.ts'
import type { RespEngine } from '../resp/engine.ts'
import { Request } from '../resp/request.ts'

/** What a command or a value is made of: text, numbers as text, bytes as they are. */
export type Argument = string | number | bigint | Uint8Array

/** For programs whose types are not checked: what is something else would be stored as "undefined" or "[object Object]". */
export function isArgument(value: unknown): value is Argument {
  return ['string', 'number', 'bigint'].includes(typeof value) || value instanceof Uint8Array
}

export interface LocalClientOptions {
  /** Replies come as bytes instead of text. */
  readonly binary?: boolean
  /** Called once, whoever closes it. */
  readonly onClosed?: () => void
}

/**
 * A client in the server's own process: the same commands and the same replies, without a socket. It speaks RESP3, so
 * replies come typed: numbers, booleans, objects for maps, null for nothing.
 */
export class LocalClient {
  readonly #engine: RespEngine
  readonly #client: Client
  readonly #decoder: ReplyDecoder
  readonly #waiting: Waiting[] = []
  readonly #onClosed: () => void
  #isClosed = false
  /** Called with messages that answer no request: of channels subscribed to. */
  onPush: (items: ReplyValue[]) => void = () => {}

  constructor(engine: RespEngine, { onClosed = () => {}, ...options }: LocalClientOptions = {}) {
    this.#engine = engine
    this.#onClosed = onClosed
    this.#decoder = new ReplyDecoder(options)
    this.#client = engine.openLocal({
      write: (bytes) => {
        this.#receive(Buffer.from(bytes))
        return true
      },
    })
    this.#client.onEnded = () => this.#end()
    this.#client.protocol = 3
  }

  /** By `close`, by QUIT, or cut off by a fault. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Runs a command. Rejects with ReplyError when the reply is an error, with TypeError for an argument that is none, and
   * with Error when there can be no reply: the client is closed, or its server is, or the command answers with something
   * else than one reply. SUBSCRIBE and its like are
   * answered with messages: the first of them, [kind, name, count], is the reply here too.
   */
  execute(...args: readonly Argument[]): Promise<ReplyValue> {
    if (this.#isClosed) return Promise.reject(closedError())
    const wrongAt = args.findIndex((arg) => !isArgument(arg))
    if (wrongAt >= 0) {
      const kind = args[wrongAt] === null ? 'null' : typeof args[wrongAt]
      return Promise.reject(new TypeError(`argument ${wrongAt} of ${args[0]} is ${kind}: give text, a number or bytes`))
    }
    const parts = args.map((arg) => (arg instanceof Uint8Array ? arg : String(arg)))
    if (WITHOUT_ONE_REPLY.test(parts.slice(0, 2).join(' '))) {
      return Promise.reject(new Error(`${parts[0]} does not answer with one reply: use a client with a connection`))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        answer: (reply) => (reply instanceof ReplyError ? reject(reply) : resolve(reply)),
        reject,
        isSubscription: SUBSCRIPTION.test(String(parts[0])),
      })
      this.#engine.run(this.#client, Request.of(parts))
    })
  }

  /** What waits for a reply is rejected. */
  close(): void {
    if (this.#isClosed) return
    this.#engine.closed(this.#client)
    this.#end()
  }

  #end(): void {
    this.#isClosed = true
    this.#onClosed()
    for (const { reject } of this.#waiting.splice(0)) reject(closedError())
  }

  #receive(bytes: Buffer): void {
    for (const reply of this.#decoder.push(bytes)) {
      if (reply instanceof PushMessage) {
        const [waiting] = this.#waiting
        if (waiting?.isSubscription && SUBSCRIPTION.test(String(reply.items[0]))) {
          this.#waiting.shift()
          waiting.answer(reply.items)
        }
        this.onPush(reply.items)
      } else {
        this.#waiting.shift()?.answer(reply)
      }
    }
  }
}

interface Waiting {
  readonly answer: (reply: ReplyValue) => void
  readonly reject: (error: Error) => void
  readonly isSubscription: boolean
}

/** Commands that are confirmed by messages of the same name. */
const SUBSCRIPTION = /^[ps]?(un)?subscribe$/i
/** Commands that go on answering, or keep other commands from being answered. */
const WITHOUT_ONE_REPLY = /^(monitor\b|client reply$)/i

const closedError = () => new Error('the client is closed')
