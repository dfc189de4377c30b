import { KafkaClient } from '../../kafka/client/client.ts'
import { KafkaClientError } from '../../kafka/client/kafka-client-error.ts'
import { Arguments, type Flag } from './arguments.ts'
import { CONNECTION_FLAGS, clientOptions } from './connection-flags.ts'
import { familyHelp, verbHelp } from './help.ts'
import { KafkaCliError, UsageError } from './kafka-cli-error.ts'
import { type KafkaCliStreams, Output } from './output.ts'
import { DONE, FAILED, type Verb, type VerbFamily, WRONG_USAGE } from './verb.ts'

const HELP_FLAG: Flag = { name: '--help', short: '-h', summary: 'Show this text' }

/** `headpond topic <verb> ...`, `headpond group <verb> ...`. Resolves with the exit code. */
export async function runVerb(family: VerbFamily, argv: readonly string[], streams: KafkaCliStreams): Promise<number> {
  const [first, ...rest] = argv
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const isAsked = first !== undefined
    ;(isAsked ? streams.output : streams.errorOutput).write(familyHelp(family))
    return isAsked ? DONE : WRONG_USAGE
  }
  const complain = (message: string) => streams.errorOutput.write(`headpond ${family.name}: ${message}\n`)
  const verb = family.verbs.find(({ name }) => name === first)
  if (verb === undefined) {
    complain(`no verb ${first}: ${family.verbs.map(({ name }) => name).join(', ')}`)
    return WRONG_USAGE
  }
  try {
    return await run(family, verb, rest, streams)
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`${error.message}\n(headpond ${family.name} ${verb.name} --help shows how it is used)`)
      return WRONG_USAGE
    }
    if (!(error instanceof KafkaCliError || error instanceof KafkaClientError)) throw error
    complain(error.message)
    return FAILED
  }
}

async function run(family: VerbFamily, verb: Verb, argv: readonly string[], streams: KafkaCliStreams): Promise<number> {
  const args = Arguments.parse(argv, [...verb.flags, ...(family.isLocal ? [] : CONNECTION_FLAGS), HELP_FLAG])
  if (args.has(HELP_FLAG.name)) {
    streams.output.write(verbHelp(family, verb))
    return DONE
  }
  const options = clientOptions(args, streams.env)
  const stopping = new AbortController()
  const stop = () => stopping.abort()
  for (const signal of STOPPING_SIGNALS) streams.signals.once(signal, stop)
  // A reader that has seen enough, as `head`, ends the command and is no error.
  streams.output.once('error', stop)
  let client: Promise<KafkaClient> | null = null
  try {
    return await verb.run({
      args,
      output: new Output(streams, args.has('--json')),
      streams,
      stop: stopping.signal,
      connect: () => {
        client ??= KafkaClient.connect(options)
        return client
      },
    })
  } finally {
    for (const signal of STOPPING_SIGNALS) streams.signals.off(signal, stop)
    streams.output.off('error', stop)
    await (client as Promise<KafkaClient> | null)?.then(
      (connected) => connected.close(),
      () => {}, // it has been told
    )
  }
}

const STOPPING_SIGNALS = ['SIGINT', 'SIGTERM'] as const
