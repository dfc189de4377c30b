import { HEADPOND_VERSION } from '../../server/version.ts'
import type { CommandDocs } from './command-docs.ts'
import { Commands } from './commands.ts'
import { Console, type ShellStreams } from './console.ts'
import { findHotKeys } from './hot-keys.ts'
import { inputLines, readInput } from './input.ts'
import { findBigKeys } from './key-sizes.ts'
import { measureLatency, showLatencySpectrum } from './latency.ts'
import { askSecret } from './line-editor.ts'
import { optionsHelp, parseOptions, type ShellOptions, unquote } from './options.ts'
import { sendPipe } from './pipe.ts'
import { loadDocs, Repl } from './repl.ts'
import { fetchSnapshot, followWrites } from './replication.ts'
import { listKeys } from './scan.ts'
import { readScript } from './script.ts'
import { Session } from './session.ts'
import { ShellError } from './shell-error.ts'
import { showStatistics } from './stat.ts'

/** `headpond cli [options] [command]`. Resolves with the exit code. */
export async function runShell(argv: readonly string[], streams: ShellStreams): Promise<number> {
  const console = new Console(streams)
  try {
    const options = parseOptions(argv, streams.env)
    if (options.mode === 'help') {
      console.print(optionsHelp())
      return 0
    }
    if (options.mode === 'version') {
      console.print(`headpond cli ${HEADPOND_VERSION}\n`)
      return 0
    }
    if (options.isPasswordVisible && options.warnsOfPassword) {
      console.printError(
        "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.",
      )
    }
    if (options.asksPassword) options.password = await askSecret(streams, 'Please input password: ')
    const session = new Session(options, console)
    try {
      return await runMode(options, session, streams)
    } finally {
      session.close()
    }
  } catch (error) {
    if (!(error instanceof ShellError)) throw error
    console.printError(error.message)
    return 1
  }
}

async function runMode(options: ShellOptions, session: Session, streams: ShellStreams): Promise<number> {
  if (options.mode === 'commands') return runCommands(options, session, streams)
  if (options.mode === 'eval') return runOnce(readScript(options), session)
  await session.client() // nothing is printed when there is none
  switch (options.mode) {
    case 'pipe':
      return sendPipe(session, streams.input)
    case 'scan':
      return listKeys(session)
    case 'bigkeys':
    case 'memkeys':
      return findBigKeys(session)
    case 'hotkeys':
      return findHotKeys(session)
    case 'latency':
    case 'latency-history':
      return measureLatency(session)
    case 'latency-dist':
      return showLatencySpectrum(session)
    case 'stat':
      return showStatistics(session)
    case 'replica':
      return followWrites(session)
    case 'rdb':
    case 'functions-rdb':
      return fetchSnapshot(session)
    default:
      throw new ShellError(`There is no mode ${options.mode}`)
  }
}

async function runCommands(options: ShellOptions, session: Session, streams: ShellStreams): Promise<number> {
  if (options.command.length > 0) {
    const args = await commandOf(options, streams)
    if (args !== undefined) return runOnce(args, session)
    session.console.print('Invalid quoted string\n') // where redis-cli says it
    return 1
  }
  if (streams.input.isTTY === true) {
    await new Repl(session, streams).run()
    return 0
  }
  return runLines(session, streams)
}

async function runOnce(args: readonly Uint8Array[], session: Session): Promise<number> {
  const commands = new Commands(session, () => loadDocs(session, null), { setHints: () => {} })
  const outcome = await commands.run(args, session.options.repeatCount)
  return exitCodeOf(outcome, session)
}

/** The command line's words, with what standard input has to add; undefined when they are quoted wrongly. */
async function commandOf(options: ShellOptions, streams: ShellStreams): Promise<Uint8Array[] | undefined> {
  const args: Uint8Array[] = []
  for (const word of options.command) {
    const bytes = options.takesQuotedArguments ? unquote(word) : Buffer.from(word)
    if (bytes === undefined) return undefined
    args.push(bytes)
  }
  const { inputArgument } = options
  if (inputArgument === 'none') return args
  const input = await readInput(streams.input)
  if (inputArgument === 'last') return [...args, input]
  const tag = Buffer.from(inputArgument.tag)
  const at = args.findIndex((arg) => tag.equals(arg))
  if (at < 0) throw new ShellError('Using -X option but stdin tag not match.')
  return args.with(at, input)
}

/** Commands line by line from what is piped in. */
async function runLines(session: Session, streams: ShellStreams): Promise<number> {
  let docs: CommandDocs | null = null
  const commands = new Commands(session, async () => (docs = await loadDocs(session, docs)), { setHints: () => {} })
  let exitCode = 0
  for await (const line of inputLines(streams.input)) {
    const outcome = await commands.runLine(line)
    if (outcome === 'ended') break
    exitCode = exitCodeOf(outcome, session)
    if (exitCode !== 0 && session.options.failsOnError) break
  }
  return exitCode
}

/** An error reply is an answer like others, unless -e says that it is a failure. No reply is always one. */
function exitCodeOf(outcome: string, session: Session): number {
  if (outcome === 'lost' || outcome === 'interrupted') return 1
  return outcome === 'failed' && session.options.failsOnError ? 1 : 0
}
