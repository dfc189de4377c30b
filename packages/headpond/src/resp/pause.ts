import type { ScheduledCall } from '../net/clock.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import type { RespEngine } from './engine.ts'
import { mayWrite, type Restriction } from './restrictions.ts'

/**
 * CLIENT PAUSE: requests wait where they are, unconsumed, and go on in their order when the pause ends. Either all
 * requests, or those alone that may change data.
 */
export class Pause {
  isOn = false
  readonly #engine: RespEngine
  #holdsAll = false
  #endsAtMs = 0
  #timer: ScheduledCall | null = null
  readonly #held = new Set<Client>()
  /** Commands are held rather than refused: this makes dispatch look here. */
  readonly #restriction: Restriction = () => null

  constructor(engine: RespEngine) {
    this.#engine = engine
  }

  /** Clients whose requests wait for the end of the pause. */
  get heldCount(): number {
    return this.#held.size
  }

  /** What waits now; null when there is no pause. */
  get scope(): 'all' | 'write' | null {
    if (!this.isOn) return null
    return this.#holdsAll ? 'all' : 'write'
  }

  /** How long the pause goes on; 0 when there is none. */
  get remainingMs(): number {
    return this.isOn ? Math.max(0, Math.ceil(this.#endsAtMs - this.#engine.clock.nowMs())) : 0
  }

  /** Begins a pause, or makes one that is on stricter and longer: never milder or shorter. */
  begin(holdsAll: boolean, endsAtMs: number): void {
    this.#holdsAll = holdsAll || (this.isOn && this.#holdsAll)
    this.#endsAtMs = this.isOn ? Math.max(this.#endsAtMs, endsAtMs) : endsAtMs
    this.isOn = true
    this.#engine.restrictions.set(this.#restriction, true)
    this.#engine.store.defersExpiry = true
    this.#timer?.cancel()
    const { clock } = this.#engine
    this.#timer = clock.schedule(this.#endsAtMs - clock.nowMs(), () => this.end())
  }

  end(): void {
    if (!this.isOn) return
    this.isOn = false
    this.#engine.restrictions.set(this.#restriction, false)
    this.#engine.store.defersExpiry = this.#engine.settings.importMode
    this.#timer?.cancel()
    this.#timer = null
    const held = [...this.#held]
    this.#held.clear()
    for (const client of held) {
      client.isHeld = false
      this.#engine.resumeSoon(client)
    }
  }

  /** Whether a command of a client, which is of the kind of `kind`, has to wait; the client is held from then on. */
  holds(client: Client, command: Command, kind: Command): boolean {
    if (!this.#holdsAll && !kind.mayReplicate && !mayWrite(client, kind)) return false
    client.isHeld = true
    client.lastCommand = command
    this.#held.add(client)
    return true
  }

  /** A client has gone. */
  forget(client: Client): void {
    client.isHeld = false
    this.#held.delete(client)
  }
}
