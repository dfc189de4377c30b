import { LatestList } from '../net/latest-list.ts'
import type { Client } from './client.ts'
import { type Command, fullNameOf } from './command.ts'
import { redactedArguments } from './redaction.ts'
import type { Request } from './request.ts'

/** A command that a client called. */
export interface Call {
  /** In upper case; with a subcommand 'CLIENT|LIST'. */
  readonly command: string
  /** What stood behind the command's name, as text; passwords are hidden. */
  readonly args: readonly string[]
  /** The number of the client's database. */
  readonly database: number
  /** What the client called itself (CLIENT SETNAME). */
  readonly clientName: string
  readonly atMs: number
}

/**
 * The last commands that clients called, for tests that want to know what was asked of the server. What a script calls is
 * not among them, its EVAL is. Commands of a transaction follow their EXEC's order.
 */
export class CallLog {
  readonly #calls: LatestList<Call>
  /** While data is seeded, which nobody asked for. */
  isPaused = false

  constructor(capacity: number) {
    this.#calls = new LatestList(capacity)
  }

  add(client: Client, command: Command, request: Request, atMs: number): void {
    if (this.isPaused || client.scriptOf !== null) return
    const nameParts = command.parent === null ? 1 : 2
    this.#calls.add({
      command: command.fullName.toUpperCase(),
      args: redactedArguments(command, request)
        .slice(nameParts)
        .map((bytes) => Buffer.from(bytes).toString()),
      database: client.database.index,
      clientName: client.name,
      atMs,
    })
  }

  /** The calls of a command (in any case; of a container those of all its subcommands), or all; the oldest first. */
  of(name?: string): readonly Call[] {
    const calls = this.#calls.toArray()
    if (name === undefined) return calls
    const wanted = fullNameOf(name).toUpperCase()
    return calls.filter(({ command }) => command === wanted || command.startsWith(`${wanted}|`))
  }

  clear(): void {
    this.#calls.clear()
  }
}
