import { globMatch } from '../bytes/glob.ts'
import { DelayedRequests, Fault, FaultList } from '../net/faults.ts'
import type { Client } from './client.ts'
import { type Command, fullNameOf } from './command.ts'
import type { RespEngine } from './engine.ts'
import { keysOf } from './key-extraction.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'
import type { Restriction } from './restrictions.ts'

/** Which commands a fault strikes. */
export interface CommandFaultTarget {
  /** In any case: 'GET', 'CLIENT|LIST', or a container for all its subcommands. Every command when absent. */
  readonly command?: string
  /** A glob pattern: only commands with a key that matches. */
  readonly key?: string
  /** Only clients that called themselves so (CLIENT SETNAME). */
  readonly clientName?: string
  /** How many commands it strikes, one by default; Infinity: until it is removed. */
  readonly times?: number
}

export type CommandFaultEffect =
  | { readonly kind: 'delay'; readonly durationMs: number }
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'drop' }

export class CommandFault extends Fault<CommandFaultTarget, CommandFaultEffect> {
  matches(client: Client, command: Command, request: Request): boolean {
    const { command: name, key, clientName } = this.target
    if (clientName !== undefined && client.name !== clientName) return false
    if (name !== undefined) {
      const wanted = fullNameOf(name)
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
export class CommandFaults {
  isOn = false
  /** While data is seeded, which is the test's own doing. */
  isSuspended = false
  readonly #engine: RespEngine
  readonly #faults = new FaultList<CommandFault>()
  readonly #delayed: DelayedRequests<Client>
  /** Faults are no restriction with an error of its own: this makes dispatch look here. */
  readonly #restriction: Restriction = () => null

  constructor(engine: RespEngine) {
    this.#engine = engine
    this.#delayed = new DelayedRequests(engine.clock)
  }

  add(fault: CommandFault): CommandFault {
    this.#faults.add(fault)
    this.#update()
    return fault
  }

  remove(fault: CommandFault): void {
    this.#faults.remove(fault)
    this.#update()
  }

  /** Removes all faults; commands that are delayed run at once. */
  clear(): void {
    this.#faults.clear()
    this.#delayed.releaseAll()
    this.#update()
  }

  #update(): void {
    this.isOn = !this.#faults.isEmpty || this.#delayed.hasDue
    this.#engine.restrictions.set(this.#restriction, this.isOn)
  }

  /** Whether a fault takes a command over: answered, cut off, or to wait (then `client.isHeld`). */
  strikes(client: Client, command: Command, request: Request, reply: Reply): boolean {
    if (this.#delayed.takeDue(client)) {
      this.#update()
      return false
    }
    if (this.isSuspended) return false
    const effect = this.#faults.strike((fault) => fault.matches(client, command, request))?.effect
    if (effect === undefined) return false
    this.#update()
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
      this.#delayed.delay(client, effect.durationMs, () => {
        this.#update()
        client.isHeld = false
        this.#engine.resumeSoon(client)
      })
    }
    return true
  }

  /** A client has gone. */
  forget(client: Client): void {
    const hadDue = this.#delayed.hasDue
    this.#delayed.forget(client)
    if (hadDue) this.#update()
  }
}
