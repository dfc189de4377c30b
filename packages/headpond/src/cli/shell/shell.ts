import { HEADPOND_VERSION } from '../../server/version.ts'
import { type CommandDocs, loadDocs } from './command-docs.ts'
import { Commands } from './commands.ts'
import { Console, type ShellStreams } from './console.ts'
import { optionsHelp, parseOptions, type ShellOptions, unquote } from './options.ts'
import { Session } from './session.ts'
import { ShellError } from './shell-error.ts'

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
    if (options.asksPassword) {
      const { askSecret } = await import('./line-editor.ts')
      options.password = await askSecret(streams, 'Please input password: ')
    }
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

/** Only what a mode needs is loaded: a single command shall be answered at once. */
async function runMode(options: ShellOptions, session: Session, streams: ShellStreams): Promise<number> {
  if (options.mode === 'commands') return runCommands(options, session, streams)
  if (options.mode === 'eval') {
    const { readScript } = await import('./script.ts')
    return runOnce(readScript(options), session)
  }
  await session.client() // nothing is printed when there is none
  switch (options.mode) {
    case 'pipe':
      return (await import('./pipe.ts')).sendPipe(session, streams.input)
    case 'scan':
      return (await import('./scan.ts')).listKeys(session)
    case 'bigkeys':
    case 'memkeys':
      return (await import('./key-sizes.ts')).findBigKeys(session)
    case 'hotkeys':
      return (await import('./hot-keys.ts')).findHotKeys(session)
    case 'latency':
    case 'latency-history':
      return (await import('./latency.ts')).measureLatency(session)
    case 'latency-dist':
      return (await import('./latency.ts')).showLatencySpectrum(session)
    case 'stat':
      return (await import('./stat.ts')).showStatistics(session)
    case 'replica':
      return (await import('./replication.ts')).followWrites(session)
    case 'rdb':
    case 'functions-rdb':
      return (await import('./replication.ts')).fetchSnapshot(session)
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
    const { Repl } = await import('./repl.ts')
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
  const { readInput } = await import('./input.ts')
  const input = await readInput(streams.input)
  if (inputArgument === 'last') return [...args, input]
  const tag = Buffer.from(inputArgument.tag)
  const at = args.findIndex((arg) => tag.equals(arg))
  if (at < 0) throw new ShellError('Using -X option but stdin tag not match.')
  return args.with(at, input)
}

/** Commands line by line from what is piped in. */
async function runLines(session: Session, streams: ShellStreams): Promise<number> {
  const { inputLines } = await import('./input.ts')
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
