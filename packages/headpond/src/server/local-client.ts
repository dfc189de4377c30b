import type { Client } from '../resp/client.ts'
import { PushMessage, ReplyDecoder, ReplyError, type ReplyValue } from '../resp/decoder.ts'
import type { RespEngine } from '../resp/engine.ts'
import { Request } from '../resp/request.ts'

export type Argument = string | number | bigint | Uint8Array

/**
 * A client in the server's own process: the same commands and the same replies, without a socket. It speaks RESP3, so
 * replies come typed: numbers, booleans, objects for maps, null for nothing.
 */
export class LocalClient {
  readonly #engine: RespEngine
  readonly #client: Client
  readonly #decoder: ReplyDecoder
  readonly #waiting: Waiting[] = []
  #isClosed = false
  /** Called with messages that answer no request: of channels subscribed to. */
  onPush: (items: ReplyValue[]) => void = () => {}

  constructor(engine: RespEngine, options: { binary?: boolean } = {}) {
    this.#engine = engine
    this.#decoder = new ReplyDecoder(options)
    this.#client = engine.openLocal({
      write: (bytes) => {
        this.#receive(Buffer.from(bytes))
        return true
      },
    })
    this.#client.protocol = 3
  }

  /**
   * Runs a command. Rejects with ReplyError when the reply is an error. Never answers after `close`. SUBSCRIBE and its
   * like are answered with messages: the first of them, [kind, name, count], is the reply here too.
   */
  execute(...args: readonly Argument[]): Promise<ReplyValue> {
    if (this.#isClosed) return Promise.reject(new Error('the client is closed'))
    return new Promise((resolve, reject) => {
      const parts = args.map((arg) => (arg instanceof Uint8Array ? arg : String(arg)))
      this.#waiting.push({
        answer: (reply) => (reply instanceof ReplyError ? reject(reply) : resolve(reply)),
        isSubscription: SUBSCRIPTION.test(String(parts[0])),
      })
      this.#engine.run(this.#client, Request.of(parts))
    })
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#engine.closed(this.#client)
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
  readonly isSubscription: boolean
}

/** Commands that are confirmed by messages of the same name. */
const SUBSCRIPTION = /^[ps]?(un)?subscribe$/i
