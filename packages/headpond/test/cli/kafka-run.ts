/** `headpond topic` and `headpond group` to their end, in this process. */
import { EventEmitter, once } from 'node:events'
import { PassThrough } from 'node:stream'
import { groupFamily } from '#src/cli/kafka/group/family.ts'
import { runVerb } from '#src/cli/kafka/run.ts'
import { topicFamily } from '#src/cli/kafka/topic/family.ts'
import type { HeadpondServer } from '#src/index.ts'

export interface Ending {
  output: string
  errors: string
  exitCode: number
}

export interface RunOptions {
  readonly input?: string | Buffer
  /** Sends SIGINT when the output satisfies this. */
  readonly until?: (output: string) => boolean
  /** The error output is a terminal. */
  readonly isTerminal?: boolean
  /** Beside KAFKA_BROKERS. */
  readonly env?: Readonly<Record<string, string>>
}

const families = [topicFamily, groupFamily]

/** `headpondKafka(server, 'topic', 'list')`. Without a server there is only what the environment says. */
export async function runKafkaCli(
  server: HeadpondServer | null,
  words: readonly string[],
  { input = '', until, isTerminal = false, env: ownEnv = {} }: RunOptions = {},
): Promise<Ending> {
  const [familyName, ...argv] = words
  const family = families.find(({ name }) => name === familyName)
  if (family === undefined) throw new Error(`no family ${familyName}`)
  const inputStream = new PassThrough()
  inputStream.end(input)
  const signals = new EventEmitter()
  const ending: Ending = { output: '', errors: '', exitCode: -1 }
  const output = new PassThrough()
  output.on('data', (chunk: Buffer) => {
    ending.output += chunk.toString()
    if (until?.(ending.output)) signals.emit('SIGINT')
  })
  const errorOutput = Object.assign(new PassThrough(), isTerminal ? { isTTY: true, columns: 100 } : {})
  errorOutput.on('data', (chunk: Buffer) => (ending.errors += chunk.toString()))
  const env = server === null ? ownEnv : { KAFKA_BROKERS: server.urls.kafka, ...ownEnv }
  ending.exitCode = await runVerb(family, argv, { input: inputStream, output, errorOutput, env, signals })
  for (const stream of [output, errorOutput]) {
    stream.end()
    if (!stream.readableEnded) await once(stream, 'end')
  }
  return ending
}
