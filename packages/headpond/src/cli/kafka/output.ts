import type { EventEmitter } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { type Cell, type Column, formatTable } from './table.ts'

/** Where a command reads and writes: the process's own streams, or those of a test. */
export interface KafkaCliStreams {
  readonly input: Readable & { readonly isTTY?: boolean }
  readonly output: Writable & { readonly isTTY?: boolean }
  readonly errorOutput: Writable & { readonly isTTY?: boolean; readonly columns?: number }
  readonly env: NodeJS.ProcessEnv
  /** Tells of SIGINT and SIGTERM. */
  readonly signals: EventEmitter
}

const STATUS_INTERVAL_MS = 200
const ERASE = '\r\x1b[K'

/**
 * What a command says: its answer goes to the standard output, as tables for people or as JSON, and nothing else does;
 * notes, progress and errors go to the error output.
 */
export class Output {
  readonly #streams: KafkaCliStreams
  readonly isJson: boolean
  #statusShownMs = 0
  #isStatusShown = false

  constructor(streams: KafkaCliStreams, isJson: boolean) {
    this.#streams = streams
    this.isJson = isJson
  }

  /** Rows for people. Nothing but the titles when there are none. */
  table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): void {
    this.#clearStatus()
    this.#streams.output.write(formatTable(columns, rows))
  }

  /** A line for people. */
  line(text: string): void {
    this.#clearStatus()
    this.#streams.output.write(`${text}\n`)
  }

  /** One JSON document. */
  json(value: unknown): void {
    this.#clearStatus()
    this.#streams.output.write(`${JSON.stringify(value, null, 2)}\n`)
  }

  /** Resolves when there is room for more. False when nobody reads any more. */
  async write(bytes: string | Uint8Array): Promise<boolean> {
    this.#clearStatus()
    const { output } = this.#streams
    if (!output.writable) return false
    if (output.write(bytes)) return true
    await new Promise<void>((resolve) => {
      const done = () => {
        for (const event of ['drain', 'close', 'error']) output.off(event, done)
        resolve()
      }
      for (const event of ['drain', 'close', 'error']) output.on(event, done)
    })
    return output.writable
  }

  /** A line that is no part of the answer. */
  note(text: string): void {
    this.#clearStatus()
    this.#streams.errorOutput.write(`${text}\n`)
  }

  /** How far a long run has come, in one line that is written over; on a terminal only. */
  status(text: () => string, isLast = false): void {
    if (this.#streams.errorOutput.isTTY !== true) return
    const nowMs = performance.now()
    if (!isLast && nowMs - this.#statusShownMs < STATUS_INTERVAL_MS) return
    this.#statusShownMs = nowMs
    this.#isStatusShown = true
    const width = (this.#streams.errorOutput.columns ?? 80) - 1
    this.#streams.errorOutput.write(`${ERASE}${text().slice(0, width)}`)
  }

  #clearStatus(): void {
    if (!this.#isStatusShown) return
    this.#isStatusShown = false
    this.#streams.errorOutput.write(ERASE)
  }

  /** Asks on a terminal; true where there is nobody to ask. */
  async confirm(question: string): Promise<boolean> {
    const { input, errorOutput } = this.#streams
    if (input.isTTY !== true) return true
    const { createInterface } = await import('node:readline/promises')
    const reader = createInterface({ input, output: errorOutput })
    try {
      return /^y(es)?$/i.test((await reader.question(`${question} [y/N] `)).trim())
    } finally {
      reader.close()
    }
  }
}
