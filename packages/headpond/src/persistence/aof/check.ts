import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { CommandParser, parsedAof } from './command-parser.ts'
import { CommandWindow } from './command-window.ts'
import type { Replay } from './replay.ts'

export interface CommandsChecked {
  readonly commandCount: number
  /** Up to here whole commands and transactions stand. */
  readonly validBytes: number
  readonly sizeBytes: number
  /** What is wrong behind that; null when all is well. */
  readonly problem: string | null
  /** Where it was noticed. */
  readonly problemAtByte: number
}

/** What a check needs of a replay: it looks at commands without running them. */
export type CommandCheck = Pick<Replay, 'command' | 'isInTransaction'> & { look(): string | null }

/** Reads the commands of a file from a byte on, to the first that is damaged or cut short. */
export function checkCommands(path: string, fromByte: number, check: CommandCheck): CommandsChecked {
  const fd = openSync(path, 'r')
  try {
    const parser = new CommandParser()
    const window = new CommandWindow(fromByte)
    const read = (bytes: Uint8Array, at: number, byte: number) => readSync(fd, bytes, at, bytes.length - at, byte)
    let validBytes = fromByte
    let commandCount = 0
    const done = (problem: string | null, problemAtByte: number): CommandsChecked => {
      return { commandCount, validBytes, sizeBytes: fstatSync(fd).size, problem, problemAtByte }
    }
    for (;;) {
      const next = parser.parse(window.bytes, window.at, window.end, check.command)
      if (next === parsedAof.INCOMPLETE) {
        if (window.fill(read)) continue
        if (window.end > 0) return done('it ends in the middle of a command', window.atByte)
        return done(check.isInTransaction ? 'it ends in the middle of a transaction' : null, window.atByte)
      }
      if (next === parsedAof.BROKEN) return done(parser.problem, window.startByte + parser.problemAt)
      if (check.command.count > 0) {
        const problem = check.look()
        if (problem !== null) return done(problem, window.atByte)
        commandCount++
      }
      window.at = next
      if (!check.isInTransaction) validBytes = window.atByte
    }
  } finally {
    closeSync(fd)
  }
}
