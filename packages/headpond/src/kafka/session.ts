import type { Clock } from '../net/clock.ts'
import type { Connection } from '../net/connection.ts'
import type { Api, RequestContext } from './api.ts'
import type { DecisionCache } from './authorizer/decision-cache.ts'
import type { KafkaListener } from './listener.ts'
import { ANONYMOUS, type KafkaPrincipal } from './principal.ts'
import type { SaslConversation } from './security/sasl.ts'

/** A request that is being worked on, or whose answer waits for that of an earlier one. */
export interface OpenRequest {
  readonly api: Api
  readonly correlationId: number
  readonly context: RequestContext
  /** Undefined while it is being worked on; null when nothing is to be sent. */
  answer: unknown
  /** The connection is cut in place of the answer. */
  readonly isAnswerLost: boolean
}

/** One connection of a Kafka client. */
export class KafkaSession {
  readonly id: number
  readonly connection: Connection
  /** By which it came in. */
  readonly listener: KafkaListener
  /** Where the client is: an address without its port, as access control lists name hosts. */
  readonly remoteHost: string
  /** The address of this machine that the client has connected to. */
  readonly localHost: string
  readonly localPort: number
  /** Who the client has proved to be: whoever authenticates it says so here. */
  principal: KafkaPrincipal = ANONYMOUS
  /** It has done so by a delegation token. */
  isTokenLogin = false
  /** What the authorizer has decided for it so far. */
  decisions: DecisionCache | null = null
  /** Looks at its requests first: until it has logged in, and afterwards where it must do so again. Null: nobody needs to. */
  sasl: SaslConversation | null = null
  /** Why the connection ends as soon as what is open has been answered. */
  farewell: string | null = null
  /** What the client has said of itself (ApiVersions). */
  clientSoftwareName = 'unknown'
  clientSoftwareVersion = 'unknown'
  lastRequestAtMs: number
  /** In the order of their arrival, which is that of the answers. */
  readonly open: OpenRequest[] = []
  /** The request that comes next has begun in an earlier turn: see UNFINISHED. */
  unfinished: OpenRequest | null = null
  /** Answers that the client has not taken are so many that the next request waits. */
  isStalled = false
  /** Its next request waits until somebody lets it go on: see RequestHook. */
  isHeld = false
  /** Its next request waits for the next turn of the event loop. */
  isDeferred = false
  /** It is over a quota: what it sends from now on is left in the kernel. */
  isMuted = false
  #mutedUntilMs = 0
  isGone = false
  /**
   * Called once when the connection is gone. Whoever parks a request (a long poll, a join) is here as long as it is parked,
   * and lets go then; for a client that shuts down its side such a request is not waited for.
   */
  readonly onClosed = new Set<() => void>()
  readonly #close: (reason: string) => void

  constructor(
    id: number,
    connection: Connection,
    listener: KafkaListener,
    nowMs: number,
    close: (session: KafkaSession, reason: string) => void,
  ) {
    this.id = id
    this.connection = connection
    this.listener = listener
    this.lastRequestAtMs = nowMs
    this.#close = (reason) => close(this, reason)
    this.remoteHost = splitAddress(connection.remoteAddress).host
    const local = splitAddress(connection.localAddress)
    this.localHost = local.host
    this.localPort = local.port
  }

  /** Reads no more requests for that long. Answers leave as always, and tell the client of it (KIP-219). */
  throttle(throttleMs: number, clock: Clock): void {
    const untilMs = clock.nowMs() + throttleMs
    if (throttleMs <= 0 || untilMs <= this.#mutedUntilMs) return
    this.#mutedUntilMs = untilMs
    this.isMuted = true
    this.connection.pauseInput()
    clock.schedule(throttleMs, () => {
      if (this.isGone || this.#mutedUntilMs !== untilMs) return
      this.isMuted = false
      this.connection.resume()
      if (!this.isMuted) this.connection.resumeInput()
    })
  }

  /** Ends the connection, and says in the log why. What was answered before still reaches the client. */
  close(reason: string): void {
    this.#close(reason)
  }
}

/** `127.0.0.1:9092`, `[::1]:9092`, `[::ffff:10.0.0.1]:9092`. */
function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  return { host: host.replace(/^::ffff:(?=\d+\.)/i, ''), port: Number(address.slice(colon + 1)) }
}
