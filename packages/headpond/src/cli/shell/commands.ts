import { splitArguments } from '../../config/quoting.ts'
import { helpOn } from './assistance.ts'
import type { CommandDocs } from './command-docs.ts'
import type { Outcome, Session } from './session.ts'
import { ShellError } from './shell-error.ts'

/** From this time on a reply is followed by how long it took. */
const SLOW_MS = 500

/** What a line may do to the one who reads lines. */
export interface LineReader {
  /** Shows hints, or does not. */
  setHints(on: boolean): void
}

/** Runs what a user writes: commands of the server, and the few of the shell itself. */
export class Commands {
  readonly #session: Session
  readonly #docs: () => Promise<CommandDocs>
  readonly #reader: LineReader

  constructor(session: Session, docs: () => Promise<CommandDocs>, reader: LineReader) {
    this.#session = session
    this.#docs = docs
    this.#reader = reader
  }

  /** 'ended' when the line says so. */
  async runLine(line: Uint8Array): Promise<Outcome | 'ended'> {
    const { console } = this.#session
    const args = splitArguments(line)
    if (args === undefined) {
      console.print('Invalid argument(s)\n')
      return 'failed'
    }
    if (args.length === 0) return 'done'
    const words = args.map((arg) => Buffer.from(arg).toString())
    const name = words[0].toLowerCase()
    if (name === 'quit' || name === 'exit') return 'ended'
    if (name.startsWith(':')) return this.#set(words)
    if (name === 'connect' && args.length === 3) return this.#connect(words[1], words[2])
    if (name === 'clear' && args.length === 1) {
      console.print('\x1b[H\x1b[2J')
      return 'done'
    }
    const isRepeated = args.length > 1 && /^-?\d+$/.test(name)
    if (isRepeated && Number(name) <= 0) {
      console.print('Invalid repeat count.\n')
      return 'failed'
    }
    const startMs = performance.now()
    const outcome = await this.run(isRepeated ? args.slice(1) : args, isRepeated ? Number(name) : 1)
    const elapsedMs = performance.now() - startMs
    if (elapsedMs >= SLOW_MS && this.#session.form === 'terminal' && outcome !== 'interrupted') {
      console.print(`(${(elapsedMs / 1000).toFixed(2)}s)\n`)
    }
    return outcome
  }

  async run(args: readonly Uint8Array[], repeatCount: number): Promise<Outcome> {
    const [name, ...topics] = args.map((arg) => Buffer.from(arg).toString())
    if (name === '?' || name.toLowerCase() === 'help') return this.#help(topics)
    return this.#session.run(args, repeatCount)
  }

  async #help(topics: readonly string[]): Promise<Outcome> {
    const { console } = this.#session
    const text = helpOn(topics, await this.#docs(), console.isTerminal)
    console.print(
      text ?? `No help on '${topics.join(' ')}'. Try "help" alone, or a command or @group of this server.\n`,
    )
    return text === null ? 'failed' : 'done'
  }

  #set([command, preference, ...others]: readonly string[]): Outcome {
    const isHints = preference === 'hints' || preference === 'nohints'
    if (command.toLowerCase() === ':set' && isHints && others.length === 0) {
      this.#reader.setHints(preference === 'hints')
      return 'done'
    }
    this.#session.console.print(
      `Unknown preference '${[command, preference, ...others].join(' ').trim()}'. There are ":set hints" and ":set nohints".\n`,
    )
    return 'failed'
  }

  async #connect(host: string, portText: string): Promise<Outcome> {
    try {
      const port = Number(portText)
      if (!/^\d+$/.test(portText) || port > 65535) throw new ShellError('Invalid server port.')
      await this.#session.connectTo(host, port)
      return 'done'
    } catch (error) {
      if (!(error instanceof ShellError)) throw error
      this.#session.console.printError(error.message)
      return 'lost'
    }
  }
}
