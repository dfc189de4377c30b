import { loadingLine } from '../loading-bar.ts'

export interface ImportConsole {
  write(text: string): void
  /** Lines can be written over. */
  readonly isTerminal: boolean
}

const BAR_INTERVAL_MS = 100
const LINE_INTERVAL_MS = 5000
const ERASE = '\r\x1b[K'

/** Tells how an import goes: on a terminal in one line that changes, otherwise in a line now and then. */
export class Progress {
  readonly #console: ImportConsole
  #startedMs = performance.now()
  #shownMs = 0
  #isShown = false

  constructor(console: ImportConsole) {
    this.#console = console
  }

  /** A line that stays. */
  tell(text: string): void {
    this.#erase()
    this.#console.write(`${text}\n`)
  }

  /** A snapshot begins. */
  begin(): void {
    this.#startedMs = performance.now()
    this.#shownMs = this.#console.isTerminal ? 0 : this.#startedMs
  }

  /** So much of the snapshot is there. */
  show(readBytes: number, totalBytes: number | undefined, keyCount: number): void {
    const nowMs = performance.now()
    if (nowMs - this.#shownMs < (this.#console.isTerminal ? BAR_INTERVAL_MS : LINE_INTERVAL_MS)) return
    this.#shownMs = nowMs
    const keys = `${keyCount.toLocaleString('en')} keys`
    if (!this.#console.isTerminal) {
      const share = totalBytes === undefined ? megabytes(readBytes) : `${percent(readBytes, totalBytes)} %`
      this.#console.write(`importing: ${share}, ${keys}\n`)
      return
    }
    const bar =
      totalBytes === undefined
        ? `importing  ${megabytes(readBytes)}`
        : loadingLine(readBytes, totalBytes, nowMs - this.#startedMs, 'importing')
    this.#showLine(`${bar}, ${keys}`)
  }

  /** On a terminal: where the stream is. */
  showStream(text: string): void {
    if (this.#console.isTerminal) this.#showLine(text)
  }

  get elapsedSeconds(): string {
    return ((performance.now() - this.#startedMs) / 1000).toFixed(1)
  }

  #showLine(text: string): void {
    this.#isShown = true
    this.#console.write(`${ERASE}${text}`)
  }

  #erase(): void {
    if (this.#isShown) this.#console.write(ERASE)
    this.#isShown = false
  }
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 100 : Math.floor((100 * part) / whole)
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`
}
