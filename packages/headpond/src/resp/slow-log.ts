import type { Settings } from '../config/directives.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import { redactedArguments } from './redaction.ts'
import type { Request } from './request.ts'

/** What of a command is kept: so many arguments, each up to so many bytes. */
const ARGUMENTS_MAX = 32
const ARGUMENT_BYTES_MAX = 128

export interface SlowLogEntry {
  readonly id: number
  readonly atSeconds: number
  readonly durationUs: number
  readonly args: readonly Buffer[]
  readonly address: string
  readonly clientName: string
}

/** The last commands that took longer than `slowlog-log-slower-than`. */
export class SlowLog {
  readonly #settings: Settings
  /** The oldest first; those before `#start` are gone. */
  #entries: SlowLogEntry[] = []
  #start = 0
  #nextId = 0

  constructor(settings: Settings) {
    this.#settings = settings
  }

  get length(): number {
    return this.#entries.length - this.#start
  }

  isSlow(durationUs: number): boolean {
    const thresholdUs = this.#settings.slowlogLogSlowerThan
    return thresholdUs >= 0 && durationUs >= thresholdUs
  }

  /** What an entry shows of a command, for one that ends later than its request is there. */
  argumentsOf(command: Command, request: Request): readonly Buffer[] {
    return shortened(redactedArguments(command, request))
  }

  add(client: Client, args: readonly Buffer[], durationUs: number, nowMs: number): void {
    this.#entries.push({
      id: this.#nextId++,
      atSeconds: Math.floor(nowMs / 1000),
      durationUs,
      args,
      address: client.connection?.remoteAddress ?? '',
      clientName: client.name,
    })
    this.#start = Math.max(this.#start, this.#entries.length - this.#settings.slowlogMaxLen)
    // Cut in large steps: taking the first entry away each time would move all others.
    if (this.#start * 2 < this.#entries.length) return
    this.#entries = this.#entries.slice(this.#start)
    this.#start = 0
  }

  /** The newest first. */
  newest(count: number): readonly SlowLogEntry[] {
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
