import type { CommandPlaces } from './command-parser.ts'

/** Who runs the commands of an append-only file. */
export interface Replay {
  /** To be filled with a command, which `run` then runs. */
  readonly command: CommandPlaces
  /** Runs it. Returns what is wrong with it, if it cannot be run at all; its own errors count as part of what happened. */
  run(): string | null
  /** An annotation, without its '#', stands before the next command. */
  annotated(text: string): void
  /** Between MULTI and EXEC, where nothing has happened yet. */
  readonly isInTransaction: boolean
  /** Forgets the transaction that is open. */
  discard(): void
}
