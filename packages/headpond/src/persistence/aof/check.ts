import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { CommandParser, parsedAof } from './command-parser.ts'
import type { Replay } from './replay.ts'

const WINDOW_BYTES = 2 ** 20

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
    let window = new Uint8Array(WINDOW_BYTES)
    let at = 0
    let end = 0
    let base = fromByte
    let validBytes = fromByte
    let commandCount = 0
    const done = (problem: string | null, problemAtByte: number): CommandsChecked => {
      return { commandCount, validBytes, sizeBytes: fstatSync(fd).size, problem, problemAtByte }
    }
    for (;;) {
      const next = parser.parse(window, at, end, check.command)
      if (next === parsedAof.INCOMPLETE) {
        const left = end - at
        const target = left * 2 > window.length ? new Uint8Array(window.length * 2) : window
        target.set(window.subarray(at, end))
        window = target
        base += at
        at = 0
        end = left
        const count = readSync(fd, window, end, window.length - end, base + end)
        end += count
        if (count > 0) continue
        if (end > 0) return done('it ends in the middle of a command', base)
        return check.isInTransaction ? done('it ends in the middle of a transaction', base) : done(null, base)
      }
      const problem = next === parsedAof.BROKEN ? parser.problem : check.command.count > 0 ? check.look() : null
      if (problem !== null) {
        return done(problem, base + (next === parsedAof.BROKEN ? parser.problemAt : at))
      }
      if (check.command.count > 0) commandCount++
      at = next
      if (!check.isInTransaction) validBytes = base + at
    }
  } finally {
    closeSync(fd)
  }
}
