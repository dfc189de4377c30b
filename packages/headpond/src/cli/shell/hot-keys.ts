import { quoteBytes } from '../../config/quoting.ts'
import { errorText, rawText } from './format.ts'
import { surveyKeys } from './scan.ts'
import type { Session } from './session.ts'
import { ShellError } from './shell-error.ts'

const SHOWN_MAX = 16

/** `--hotkeys`: the keys with the highest counters of use, which servers keep under an LFU policy. */
export async function findHotKeys(session: Session): Promise<number> {
  const { console } = session
  /** Lowest counter first. */
  let hot: { readonly key: Buffer; readonly counter: number }[] = []
  const { keyCount } = await surveyKeys(session, 'hot', async (keys, percent) => {
    const replies = await Promise.all(keys.map((key) => session.call('OBJECT', 'FREQ', key)))
    for (const [index, key] of keys.entries()) {
      const reply = replies[index]
      if (reply.kind === 'error') throw new ShellError(`Error: ${errorText(reply)}`)
      if (reply.kind !== 'integer') {
        console.printError(`Warning: OBJECT freq on ${quoteBytes(key)} failed (may have been deleted)`)
        continue
      }
      const counter = Number(rawText(reply))
      if (counter <= (hot.length < SHOWN_MAX ? 0 : hot[0].counter)) continue
      const at = hot.findIndex((other) => other.counter >= counter)
      hot = hot.toSpliced(at < 0 ? hot.length : at, 0, { key, counter }).slice(-SHOWN_MAX)
      console.print(`[${percent}%] Hot key '${quoteBytes(key)}' found so far with counter ${counter}\n`)
    }
  })
  const lines = hot
    .toReversed()
    .map(({ key, counter }) => `hot key found with counter: ${counter}\tkeyname: ${quoteBytes(key)}\n`)
  console.print(`\n-------- summary -------\n\nSampled ${keyCount} keys in the keyspace!\n${lines.join('')}`)
  return 0
}
