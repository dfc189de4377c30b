import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline'
import { PassThrough } from 'node:stream'
import type { Console, ShellStreams } from './console.ts'

/** `interrupted`: Ctrl-C on a line with text. `ended`: Ctrl-D, Ctrl-C on an empty line, or the end of the input. */
export type Answer =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'ended' }

export interface Assistance {
  readonly hint: (line: string) => string
  readonly complete: (line: string) => [candidates: string[], typed: string]
}

const NEWLINE = 0x0a
const RETURN = 0x0d
const CTRL_C = 0x03

/**
 * Reads lines from a terminal: Node's readline, with hints behind the cursor. The terminal is raw only while a line is
 * edited, and no more is read of it than the line, so that Ctrl-C ends a command that runs and what was typed or pasted
 * meanwhile becomes the next lines.
 */
export class LineEditor {
  readonly #streams: ShellStreams
  readonly #console: Console
  readonly #assistance: Assistance
  /** Was read, and belongs to later lines. */
  #held: Buffer = Buffer.alloc(0)
  #hasEnded = false
  #onBytes: ((bytes: Buffer) => void) | null = null
  #onEnd: () => void = () => {}

  constructor(streams: ShellStreams, console: Console, assistance: Assistance) {
    this.#streams = streams
    this.#console = console
    this.#assistance = assistance
    streams.input.on('data', (bytes: Buffer) => {
      this.#held = Buffer.concat([this.#held, bytes])
      this.#deliver()
    })
    streams.input.on('end', () => {
      this.#hasEnded = true
      this.#onEnd()
    })
    streams.input.pause()
  }

  /** `history` has the newest line first. */
  async ask(prompt: string, history: readonly string[]): Promise<Answer> {
    if (this.#hasEnded && this.#held.length === 0) return { kind: 'ended' }
    const keys = new PassThrough()
    const output = this.#streams.output
    const editor = createInterface({
      input: keys,
      output,
      terminal: true,
      prompt,
      history: [...history],
      historySize: history.length + 1,
      completer: (line: string) => this.#assistance.complete(line),
    })
    const hint = new Hint(editor, output, this.#assistance.hint)
    // Before readline sees a key the hint must be gone, and after it a new one is due.
    keys.prependListener('keypress', () => hint.hide())
    keys.on('keypress', () => hint.show())
    this.#setRaw(true)
    this.#console.aroundLine = (write) => {
      hint.hide()
      moveCursor(output, 0, -editor.getCursorPos().rows)
      cursorTo(output, 0)
      clearScreenDown(output)
      write()
      editor.prompt(true)
    }
    try {
      return await new Promise<Answer>((resolve) => {
        editor.on('line', (text) => resolve({ kind: 'line', text }))
        editor.on('close', () => {
          if (this.#console.aroundLine === null) return // it was closed below
          output.write('\n')
          resolve({ kind: 'ended' })
        })
        editor.on('SIGINT', () => {
          output.write('^C\n')
          resolve({ kind: editor.line === '' ? 'ended' : 'interrupted' })
        })
        editor.prompt()
        this.#onEnd = () => keys.end()
        let isWhole = false
        this.#take((bytes) => {
          if (isWhole) return 0
          const end = lineEndOf(bytes)
          isWhole = end > 0 && isLineEnd(bytes[end - 1])
          keys.write(bytes.subarray(0, end))
          return end
        })
        if (this.#hasEnded) keys.end()
      })
    } finally {
      this.#console.aroundLine = null
      this.#onEnd = () => {}
      this.#leave()
      editor.close()
    }
  }

  /** Waits for a key. Ctrl-C is 'leave'; any other begins the next line, where that is wanted, else it goes. */
  waitForKey(canType: boolean, signal: AbortSignal): Promise<'type' | 'leave'> {
    this.#setRaw(true)
    return new Promise((resolve) => {
      const done = (end: 'type' | 'leave') => {
        signal.removeEventListener('abort', leave)
        this.#onEnd = () => {}
        this.#leave()
        resolve(end)
      }
      const leave = () => done('leave')
      signal.addEventListener('abort', leave)
      this.#onEnd = leave
      this.#take((bytes) => {
        if (bytes.includes(CTRL_C)) leave()
        else if (canType) {
          done('type')
          return isLineEnd(bytes[0]) ? 1 : 0
        }
        return bytes.length
      })
      if (this.#hasEnded) leave()
    })
  }

  /** Gives the terminal's bytes to `take`, which says how many it took, as long as it takes all of them. */
  #take(take: (bytes: Buffer) => number): void {
    this.#onBytes = (bytes) => {
      const takenBytes = take(bytes)
      this.#held = bytes.subarray(takenBytes)
    }
    this.#streams.input.resume()
    this.#deliver()
  }

  #deliver(): void {
    if (this.#held.length > 0) this.#onBytes?.(this.#held)
  }

  #leave(): void {
    this.#onBytes = null
    this.#streams.input.pause()
    this.#setRaw(false)
  }

  #setRaw(on: boolean): void {
    this.#streams.input.setRawMode?.(on)
  }
}

/** Text behind the cursor that is not part of the line. */
class Hint {
  readonly #editor: Interface
  readonly #output: ShellStreams['output']
  readonly #hintFor: (line: string) => string
  #isShown = false

  constructor(editor: Interface, output: ShellStreams['output'], hintFor: (line: string) => string) {
    this.#editor = editor
    this.#output = output
    this.#hintFor = hintFor
  }

  hide(): void {
    if (!this.#isShown) return
    this.#isShown = false
    clearScreenDown(this.#output)
  }

  show(): void {
    const { line, cursor } = this.#editor
    if (line === '' || cursor !== line.length) return
    const room = (this.#output.columns || 80) - this.#editor.getCursorPos().cols - 1
    const text = this.#hintFor(line).slice(0, Math.max(0, room))
    if (text === '') return
    this.#output.write(`\x1b[90m${text}\x1b[0m`)
    moveCursor(this.#output, -text.length, 0)
    this.#isShown = true
  }
}

/** Behind the first line's end; all bytes when there is none. A return and a newline are one end. */
function lineEndOf(bytes: Buffer): number {
  const at = bytes.findIndex(isLineEnd)
  if (at < 0) return bytes.length
  return bytes[at] === RETURN && bytes[at + 1] === NEWLINE ? at + 2 : at + 1
}

function isLineEnd(byte: number): boolean {
  return byte === NEWLINE || byte === RETURN
}

/** Asks for a secret without showing it. */
export async function askSecret(streams: ShellStreams, question: string): Promise<string> {
  streams.errorOutput.write(question)
  const silent = new PassThrough()
  silent.resume()
  const editor = createInterface({ input: streams.input, output: silent, terminal: streams.input.isTTY === true })
  try {
    return await new Promise<string>((resolve) => {
      editor.on('line', resolve)
      editor.on('close', () => resolve(''))
      editor.on('SIGINT', () => editor.close())
    })
  } finally {
    editor.close()
    streams.errorOutput.write('\n')
  }
}
