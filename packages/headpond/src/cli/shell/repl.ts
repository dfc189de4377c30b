import { completionsFor, hintFor } from './assistance.ts'
import { type CommandDocs, loadDocs } from './command-docs.ts'
import { Commands } from './commands.ts'
import type { ShellStreams } from './console.ts'
import { History, historyPath } from './history.ts'
import { LineEditor } from './line-editor.ts'
import type { Session } from './session.ts'
import { ShellError } from './shell-error.ts'

/** Reads commands from a terminal until the user has enough. */
export class Repl {
  readonly #session: Session
  readonly #streams: ShellStreams
  readonly #editor: LineEditor
  readonly #history: History
  readonly #commands: Commands
  #docs: CommandDocs | null = null
  #showsHints: boolean

  constructor(session: Session, streams: ShellStreams) {
    this.#session = session
    this.#streams = streams
    this.#history = new History(historyPath(streams.env))
    this.#showsHints = streams.env['TERM'] !== 'dumb'
    this.#editor = new LineEditor(streams, session.console, {
      hint: (line) => (this.#showsHints && this.#docs !== null ? hintFor(line, this.#docs) : ''),
      complete: (line) => (this.#docs === null ? [[], line] : completionsFor(line, this.#docs)),
    })
    this.#commands = new Commands(session, () => loadDocs(session, this.#docs), {
      setHints: (on) => (this.#showsHints = on),
    })
    session.observer = {
      entered: () => void this.#learnCommands(),
      streaming: (canTypeCommands, signal) => this.#editor.waitForKey(canTypeCommands, signal),
    }
  }

  async run(): Promise<void> {
    const interrupt = () => this.#session.interrupt()
    this.#streams.signals.on('SIGINT', interrupt)
    try {
      await this.#connect()
      for (;;) {
        const answer = await this.#editor.ask(this.#session.prompt, this.#history.newestFirst)
        if (answer.kind === 'ended') return
        if (answer.kind === 'interrupted') continue
        this.#history.add(answer.text)
        if ((await this.#commands.runLine(Buffer.from(answer.text))) === 'ended') return
        // After Ctrl-C the prompt is that of a new connection, as before.
        if (!this.#session.isConnected) await this.#reconnect()
      }
    } finally {
      this.#streams.signals.off('SIGINT', interrupt)
      this.#session.close()
    }
  }

  async #connect(): Promise<void> {
    try {
      await this.#session.client()
    } catch (error) {
      if (!(error instanceof ShellError)) throw error
      this.#session.console.printError(error.message)
    }
  }

  /** Without a word: the next command tries again, and tells. */
  async #reconnect(): Promise<void> {
    try {
      await this.#session.client()
    } catch (error) {
      if (!(error instanceof ShellError)) throw error
    }
  }

  /** In the background: typing needs not wait for it. */
  async #learnCommands(): Promise<void> {
    try {
      this.#docs = await loadDocs(this.#session, null)
    } catch (error) {
      if (!(error instanceof ShellError)) throw error // the connection is gone: the next one tries again
    }
  }
}
