import type { KafkaListener } from '../kafka/listener.ts'
import type { KafkaSession } from '../kafka/session.ts'
import type { Connection } from '../net/connection.ts'
import type { Protocol } from '../net/protocol.ts'
import type { KafkaService } from './kafka-service.ts'

/** A connection, and its session once the broker is there. */
interface Visitor {
  readonly connection: Connection
  session: KafkaSession | null
}

/** The broker as a listener sees it, which may be open before the broker is there. */
export interface KafkaHouse {
  /** Null until it is loaded. */
  readonly service: KafkaService | null
  load(): Promise<KafkaService>
  /** It could not be loaded. */
  failed(error: unknown): void
}

/** What comes in by one listener: the broker's, once it is there. */
export class KafkaDoor implements Protocol<Visitor> {
  readonly name = 'kafka'
  readonly #listener: KafkaListener
  readonly #house: KafkaHouse

  constructor(listener: KafkaListener, house: KafkaHouse) {
    this.#listener = listener
    this.#house = house
  }

  open(connection: Connection): Visitor {
    const engine = this.#house.service?.engine
    const visitor: Visitor = { connection, session: engine?.open(connection, this.#listener) ?? null }
    if (engine === undefined) void this.#welcomeWhenLoaded(visitor)
    return visitor
  }

  async #welcomeWhenLoaded(visitor: Visitor): Promise<void> {
    const { connection } = visitor
    try {
      const { engine } = await this.#house.load()
      if (connection.isClosing) return
      visitor.session = engine.open(connection, this.#listener)
      connection.resume()
    } catch (error) {
      this.#house.failed(error)
      connection.destroy()
    }
  }

  consume({ session, connection }: Visitor, chunk: Uint8Array, start: number, end: number): number {
    if (session !== null) return this.#house.service!.engine.consume(session, chunk, start, end)
    connection.pauseInput()
    return start
  }

  closed({ session }: Visitor): void {
    if (session !== null) this.#house.service!.engine.closed(session)
  }

  ended({ session }: Visitor): boolean {
    return session === null ? false : this.#house.service!.engine.ended(session)
  }

  outputDrained({ session }: Visitor): void {
    if (session !== null) this.#house.service!.engine.outputDrained(session)
  }

  inputOverflowed({ session }: Visitor): void {
    if (session !== null) this.#house.service!.engine.inputOverflowed(session)
  }
}
