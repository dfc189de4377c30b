import type { KafkaClient } from '../../kafka/client/client.ts'
import type { Arguments, Flag } from './arguments.ts'
import type { KafkaCliStreams, Output } from './output.ts'

/** What a verb works with. */
export interface VerbContext {
  readonly args: Arguments
  readonly output: Output
  readonly streams: KafkaCliStreams
  /** Connects at the first call. */
  readonly connect: () => Promise<KafkaClient>
  /** Ends a long run: Ctrl-C, SIGTERM. */
  readonly stop: AbortSignal
}

/** `headpond topic list`: one row feeds the parser, the help, and what is done. */
export interface Verb {
  readonly name: string
  /** What follows the name. */
  readonly usage: string
  readonly summary: string
  readonly flags: readonly Flag[]
  /** More for its own help. */
  readonly details?: string
  readonly examples: readonly string[]
  /** Resolves with the exit code. */
  readonly run: (context: VerbContext) => Promise<number>
}

/** `headpond topic`, with its verbs. */
export interface VerbFamily {
  readonly name: string
  readonly summary: string
  /** Works on files: there is nothing to connect to. */
  readonly isLocal?: boolean
  readonly verbs: readonly Verb[]
}

export const JSON_FLAG: Flag = { name: '--json', summary: 'JSON instead of tables' }

export const DONE = 0
export const FAILED = 1
export const WRONG_USAGE = 2
