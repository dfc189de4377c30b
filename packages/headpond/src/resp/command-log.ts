import type { Settings } from '../config/directives.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import { redactedArguments } from './redaction.ts'
import type { Request } from './request.ts'

/** What of a command is kept: so many arguments, each up to so many bytes. */
const ARGUMENTS_MAX = 32
const ARGUMENT_BYTES_MAX = 128

export interface CommandLogEntry {
  readonly id: number
  readonly atSeconds: number
  /** What the threshold is compared with: microseconds or bytes. */
  readonly value: number
  readonly args: readonly Buffer[]
  readonly address: string
  readonly clientName: string
}

/** The settings of a log. */
export interface CommandLogSettings {
  /** What takes at least so many microseconds or bytes is logged; -1: nothing. */
  readonly threshold: 'slowlogLogSlowerThan' | 'commandlogRequestLargerThan' | 'commandlogReplyLargerThan'
  readonly entriesMax: 'slowlogMaxLen' | 'commandlogLargeRequestMaxLen' | 'commandlogLargeReplyMaxLen'
}

/** The last commands that were slow, or whose requests or replies were large. */
export class CommandLog {
  readonly #settings: Settings
  readonly #own: CommandLogSettings
  /** The oldest first; those before `#start` are gone. */
  #entries: CommandLogEntry[] = []
  #start = 0
  #nextId = 0

  constructor(settings: Settings, own: CommandLogSettings) {
    this.#settings = settings
    this.#own = own
  }

  get length(): number {
    return this.#entries.length - this.#start
  }

  /** From where on a value is logged; Infinity when none is. */
  get threshold(): number {
    const threshold = this.#settings[this.#own.threshold]
    return threshold < 0 || this.#settings[this.#own.entriesMax] === 0 ? Number.POSITIVE_INFINITY : threshold
  }

  /** What an entry shows of a command, for one that ends later than its request is there. */
  argumentsOf(command: Command, request: Request): readonly Buffer[] {
    return shortened(redactedArguments(command, request))
  }

  add(client: Client, args: readonly Buffer[], value: number, nowMs: number): void {
    this.#entries.push({
      id: this.#nextId++,
      atSeconds: Math.floor(nowMs / 1000),
      value,
      args,
      address: client.connection?.remoteAddress ?? '',
      clientName: client.name,
    })
    this.#start = Math.max(this.#start, this.#entries.length - this.#settings[this.#own.entriesMax])
    // Cut in large steps: taking the first entry away each time would move all others.
    if (this.#start * 2 < this.#entries.length) return
    this.#entries = this.#entries.slice(this.#start)
    this.#start = 0
  }

  /** The newest first. */
  newest(count: number): readonly CommandLogEntry[] {
    return this.#entries.slice(Math.max(this.#start, this.#entries.length - count)).reverse()
  }

  reset(): void {
    this.#entries = []
    this.#start = 0
  }
}

function shortened(args: readonly Buffer[]): Buffer[] {
  const kept = args.length > ARGUMENTS_MAX ? ARGUMENTS_MAX - 1 : args.length
  const shown = args.slice(0, kept).map((arg) => {
    if (arg.length <= ARGUMENT_BYTES_MAX) return arg
    const more = Buffer.from(`... (${arg.length - ARGUMENT_BYTES_MAX} more bytes)`)
    return Buffer.concat([arg.subarray(0, ARGUMENT_BYTES_MAX), more])
  })
  if (kept < args.length) shown.push(Buffer.from(`... (${args.length - kept} more arguments)`))
  return shown
}
