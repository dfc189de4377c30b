import type { Connection } from '../net/connection.ts'
import type { RespEngine } from './engine.ts'

/** Rates are means of so many samples, one every so often (as Redis: the last 1.6 seconds). */
const SAMPLE_COUNT = 16
const SAMPLE_INTERVAL_MS = 100
/** Timers run early by up to a millisecond, and late by more. */
const TIMER_SLACK_MS = 10

/** How fast a counter rises. */
class Rate {
  readonly #perSecond = new Float64Array(SAMPLE_COUNT)
  #at = 0
  #lastValue = 0
  #lastAtMs = 0

  sample(value: number, atMs: number): void {
    const elapsedMs = atMs - this.#lastAtMs
    const difference = value - this.#lastValue
    this.#perSecond[this.#at] = elapsedMs > 0 && difference > 0 ? (difference * 1000) / elapsedMs : 0
    this.#at = (this.#at + 1) % SAMPLE_COUNT
    this.#lastValue = value
    this.#lastAtMs = atMs
  }

  restart(value: number, atMs: number): void {
    this.#perSecond.fill(0)
    this.#lastValue = value
    this.#lastAtMs = atMs
  }

  get perSecond(): number {
    return this.#perSecond.reduce((sum, value) => sum + value, 0) / SAMPLE_COUNT
  }
}

/** Errors sent, by their first word. */
export class ErrorCounts {
  /** A script can make up codes without end: beyond so many, the rest counts in the sum alone. */
  static readonly #CODES_MAX = 128
  readonly byCode = new Map<string, number>()
  total = 0

  count(text: string): void {
    this.total++
    const codeEnd = text.indexOf(' ')
    const code = codeEnd > 0 && codeEnd < 32 ? text.slice(0, codeEnd) : 'ERR'
    const count = this.byCode.get(code) ?? 0
    if (count > 0 || this.byCode.size < ErrorCounts.#CODES_MAX) this.byCode.set(code, count + 1)
  }

  reset(): void {
    this.byCode.clear()
    this.total = 0
  }
}

/** What the server counts for INFO beside what each part counts itself. */
export class Statistics {
  readonly #engine: RespEngine
  readonly errors = new ErrorCounts()
  /** Batches of requests read, and of replies written. */
  readCount = 0
  /** Time spent on expiring keys and freeing memory between commands. */
  backgroundUs = 0
  /** The most memory that was in use, as far as it was looked at. */
  usedBytesPeak = 0
  readonly commandRate = new Rate()
  readonly inputRate = new Rate()
  readonly outputRate = new Rate()
  #closedInputBytes = 0
  #closedOutputBytes = 0
  #inputBytesAtReset = 0
  #outputBytesAtReset = 0
  #sampledAtMs = Number.NEGATIVE_INFINITY

  constructor(engine: RespEngine) {
    this.#engine = engine
  }

  /** Bytes received from clients. O(clients). */
  get inputBytes(): number {
    return this.#allInputBytes() - this.#inputBytesAtReset
  }

  /** Bytes sent to clients. O(clients). */
  get outputBytes(): number {
    return this.#allOutputBytes() - this.#outputBytesAtReset
  }

  connectionClosed(connection: Connection): void {
    this.#closedInputBytes += connection.receivedBytes
    this.#closedOutputBytes += connection.sentBytes
  }

  /** Called by the cron, as often as it likes. The time is that of no clock which a test could move. */
  sample(usedBytes: () => number, atMs = performance.now()): void {
    if (atMs - this.#sampledAtMs < SAMPLE_INTERVAL_MS - TIMER_SLACK_MS) return
    this.#sampledAtMs = atMs
    this.commandRate.sample(this.#engine.commandCount, atMs)
    this.inputRate.sample(this.inputBytes, atMs)
    this.outputRate.sample(this.outputBytes, atMs)
    this.usedBytesPeak = Math.max(this.usedBytesPeak, usedBytes())
  }

  reset(atMs = performance.now()): void {
    this.errors.reset()
    this.readCount = 0
    this.backgroundUs = 0
    this.usedBytesPeak = 0
    this.#inputBytesAtReset = this.#allInputBytes()
    this.#outputBytesAtReset = this.#allOutputBytes()
    this.commandRate.restart(0, atMs)
    this.inputRate.restart(0, atMs)
    this.outputRate.restart(0, atMs)
  }

  #allInputBytes(): number {
    let bytes = this.#closedInputBytes
    for (const client of this.#engine.clients.values()) bytes += client.connection?.receivedBytes ?? 0
    return bytes
  }

  #allOutputBytes(): number {
    let bytes = this.#closedOutputBytes
    for (const client of this.#engine.clients.values()) bytes += client.connection?.sentBytes ?? 0
    return bytes
  }
}
