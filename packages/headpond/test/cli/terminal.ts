/** A terminal without one: keys go in, and what a person would see is there to be read. */
import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import { runShell } from '#src/cli/shell/shell.ts'

const WIDTH = 200

/** Lines of text with a cursor, driven by the control sequences that the client uses. */
export class Screen {
  #lines: string[] = ['']
  #row = 0
  #column = 0

  /** Throws when there is a sequence that it does not know. */
  write(text: string): void {
    for (const [part, parameter, command] of text.matchAll(/\x1b\[([\d;]*)([A-Za-z])|[\s\S]/gu)) {
      if (command !== undefined) this.#control(command, parameter)
      else if (part === '\n') this.#newLine()
      else if (part === '\r') this.#column = 0
      else this.#put(part)
    }
  }

  get lines(): string[] {
    return this.#lines.map((line) => line.trimEnd())
  }

  /** The line of the cursor. */
  get line(): string {
    return this.lines[this.#row]
  }

  get text(): string {
    return this.lines.join('\n')
  }

  #put(character: string): void {
    const cells = [...this.#lines[this.#row].padEnd(this.#column)]
    cells[this.#column++] = character
    this.#lines[this.#row] = cells.join('')
  }

  #newLine(): void {
    this.#column = 0
    if (++this.#row === this.#lines.length) this.#lines.push('')
  }

  #control(command: string, parameter: string): void {
    const count = Number(parameter || 1)
    switch (command) {
      case 'G':
        this.#column = count - 1
        break
      case 'A':
        this.#row -= count
        break
      case 'B':
        this.#row += count
        break
      case 'C':
        this.#column += count
        break
      case 'D':
        this.#column -= count
        break
      case 'J':
        if (parameter === '2') this.#lines = ['']
        else this.#lines.splice(this.#row + 1)
        this.#lines[this.#row] = [...this.#lines[this.#row]].slice(0, this.#column).join('')
        break
      case 'K':
        this.#lines[this.#row] = [...this.#lines[this.#row]].slice(0, this.#column).join('')
        break
      case 'H':
        this.#row = 0
        this.#column = 0
        break
      case 'm':
        break
      default:
        throw new Error(`The screen does not know CSI ${parameter}${command}`)
    }
  }
}

/** `headpond cli` at a terminal. */
export class Terminal {
  readonly screen = new Screen()
  readonly #input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => (this.#isRaw = on) })
  readonly #signals = new EventEmitter()
  readonly #exitCode: Promise<number>
  #isRaw = false
  #watchers: (() => void)[] = []

  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    const output = Object.assign(new PassThrough(), { isTTY: true, columns: WIDTH })
    const errorOutput = new PassThrough()
    for (const stream of [output, errorOutput]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.screen.write(text)
        for (const watch of this.#watchers) watch()
      })
    }
    this.#exitCode = runShell(args, { input: this.#input, output, errorOutput, env, signals: this.#signals })
  }

  /** Bytes as they come from the keyboard. Ctrl-C is a signal unless the terminal is raw, as the system has it. */
  type(keys: string | Buffer): void {
    if (keys === CTRL_C && !this.#isRaw) this.#signals.emit('SIGINT')
    else this.#input.write(keys)
  }

  /** Resolves when the screen satisfies this. Rejects when it does not within a time that no machine needs. */
  async until(isShown: (screen: Screen) => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`The screen stays as it is:\n${this.screen.text}`)), 30_000)
      const watch = () => {
        if (!isShown(this.screen)) return
        clearTimeout(timer)
        this.#watchers = this.#watchers.filter((other) => other !== watch)
        resolve()
      }
      this.#watchers.push(watch)
      watch()
    })
  }

  /** Until the line of the cursor ends so. */
  async untilLine(end: string | RegExp): Promise<void> {
    await this.until(({ line }) => (typeof end === 'string' ? line === end : end.test(line)))
  }

  ended(): Promise<number> {
    return this.#exitCode
  }
}

export const CTRL_C = '\x03'
export const CTRL_D = '\x04'
export const CTRL_U = '\x15'
export const TAB = '\t'
export const UP = '\x1b[A'
export const LEFT = '\x1b[D'
export const END = '\x1b[F'
