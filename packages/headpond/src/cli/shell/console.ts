import type { EventEmitter } from 'node:events'
import type { Readable, Writable } from 'node:stream'

/** Where a shell reads and writes: the process's own streams, or those of a test. */
export interface ShellStreams {
  readonly input: Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown }
  readonly output: Writable & { readonly isTTY?: boolean; readonly columns?: number }
  readonly errorOutput: Writable
  readonly env: NodeJS.ProcessEnv
  /** Tells of SIGINT. */
  readonly signals: EventEmitter
}

/** Writes for a person or a program. */
export class Console {
  readonly #streams: ShellStreams
  /** Set while a line is edited: what is written then must not run into it. */
  aroundLine: ((write: () => void) => void) | null = null

  constructor(streams: ShellStreams) {
    this.#streams = streams
  }

  /** FAKETTY in the environment is for tests, as in redis-cli. */
  get isTerminal(): boolean {
    return this.#streams.output.isTTY === true || this.#streams.env['FAKETTY'] !== undefined
  }

  /** Binary text (a character for each byte). False when the reader cannot keep up: wait for `drained`. */
  write(text: string): boolean {
    const bytes = Buffer.from(text, 'latin1')
    let hasRoom = true
    if (this.aroundLine === null) hasRoom = this.#streams.output.write(bytes)
    else this.aroundLine(() => this.#streams.output.write(bytes))
    return hasRoom
  }

  /** Text of our own, or bytes. */
  print(text: string | Uint8Array): void {
    this.#streams.output.write(text)
  }

  printError(text: string): void {
    this.#streams.errorOutput.write(`${text}\n`)
  }

  drained(): Promise<void> {
    return new Promise((resolve) => this.#streams.output.once('drain', resolve))
  }
}
