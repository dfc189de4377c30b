import { globMatch } from '../bytes/glob.ts'
import type { ScheduledCall } from '../net/clock.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import type { RespEngine } from './engine.ts'
import { keysOf } from './key-extraction.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'
import type { Restriction } from './restrictions.ts'

/** Which commands a fault strikes. */
export interface FaultTarget {
  /** In any case: 'GET', 'CLIENT|LIST', or a container for all its subcommands. Every command when absent. */
  readonly command?: string
  /** A glob pattern: only commands with a key that matches. */
  readonly key?: string
  /** Only clients that called themselves so (CLIENT SETNAME). */
  readonly clientName?: string
  /** How many commands it strikes, one by default; Infinity: until it is removed. */
  readonly times?: number
}

export type FaultEffect =
  | { readonly kind: 'delay'; readonly durationMs: number }
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'drop' }

/** A fault that waits for its commands. */
export class Fault {
  readonly target: FaultTarget
  readonly effect: FaultEffect
  /** Commands that it will still strike. */
  remaining: number
  struckCount = 0

  constructor(target: FaultTarget, effect: FaultEffect) {
    this.target = target
    this.effect = effect
    this.remaining = target.times ?? 1
  }

  matches(client: Client, command: Command, request: Request): boolean {
    const { command: name, key, clientName } = this.target
    if (this.remaining <= 0) return false
    if (clientName !== undefined && client.name !== clientName) return false
    if (name !== undefined) {
      const wanted = name.toLowerCase().replace(/[\s]+/, '|')
      if (command.fullName !== wanted && !command.fullName.startsWith(`${wanted}|`)) return false
    }
    if (key === undefined) return true
    const pattern = Buffer.from(key)
    const places = keysOf(command, request) ?? []
    return places.some(({ index }) =>
      globMatch(pattern, 0, pattern.length, request.chunk, request.start(index), request.end(index), false),
    )
  }
}

/**
 * Things that go wrong on purpose, so that a test can see what an application makes of a slow server, an error or a lost
 * connection. Commands are struck as they arrive: within MULTI when they are queued, and scripts as a whole.
 */
export class Faults {
  isOn = false
  /** While data is seeded, which is the test's own doing. */
  isSuspended = false
  readonly #engine: RespEngine
  #faults: Fault[] = []
  readonly #delayed = new Map<Client, ScheduledCall>()
  /** Clients whose command has been delayed and is due. */
  readonly #due = new Set<Client>()
  /** Faults are no restriction with an error of its own: this makes dispatch look here. */
  readonly #restriction: Restriction = () => null

  constructor(engine: RespEngine) {
    this.#engine = engine
  }

  add(fault: Fault): Fault {
    this.#faults.push(fault)
    this.#update()
    return fault
  }

  remove(fault: Fault): void {
    this.#faults = this.#faults.filter((each) => each !== fault)
    this.#update()
  }

  /** Removes all faults; commands that are delayed run at once. */
  clear(): void {
    this.#faults = []
    for (const client of [...this.#delayed.keys()]) this.#release(client)
    this.#update()
  }

  #update(): void {
    this.isOn = this.#faults.length > 0 || this.#due.size > 0
    this.#engine.restrictions.set(this.#restriction, this.isOn)
  }

  /** Whether a fault takes a command over: answered, cut off, or to wait (then `client.isHeld`). */
  strikes(client: Client, command: Command, request: Request, reply: Reply): boolean {
    if (this.#due.delete(client)) {
      this.#update()
      return false
    }
    if (this.isSuspended) return false
    const fault = this.#faults.find((each) => each.matches(client, command, request))
    if (fault === undefined) return false
    fault.remaining--
    fault.struckCount++
    if (fault.remaining <= 0) this.remove(fault)
    const { effect } = fault
    if (effect.kind === 'error') {
      if (client.transaction !== null) client.transaction.isAborted = true
      reply.error(effect.message)
    } else if (effect.kind === 'drop') {
      client.closesAfterReply = true
      if (client.connection === null) reply.error('ERR connection dropped')
      client.connection?.destroy()
    } else {
      client.isHeld = true
      client.lastCommand = command
      this.#delayed.set(
        client,
        this.#engine.clock.schedule(effect.durationMs, () => this.#release(client)),
      )
    }
    return true
  }

  #release(client: Client): void {
    this.#delayed.get(client)?.cancel()
    if (!this.#delayed.delete(client)) return
    this.#due.add(client)
    this.#update()
    client.isHeld = false
    this.#engine.resumeSoon(client)
  }

  /** A client has gone. */
  forget(client: Client): void {
    this.#delayed.get(client)?.cancel()
    this.#delayed.delete(client)
    if (this.#due.delete(client)) this.#update()
  }
}
