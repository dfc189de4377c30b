import type { Logger, StringMessage } from 'headpond-examples-shared'
import { decodeWin, type Win } from './win.ts'

/** The wins among messages; what is none is told of and passed over. */
export function winsOf(messages: readonly StringMessage[], log: Logger): Win[] {
  const wins: Win[] = []
  for (const { value, partition, offset } of messages) {
    const win = decodeWin(value)
    if (win !== null) wins.push(win)
    else log.error({ partition, offset: Number(offset) }, 'skipped: not a win')
  }
  return wins
}
