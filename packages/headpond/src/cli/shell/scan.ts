import { quoteBytes } from '../../config/quoting.ts'
import type { WireReply } from '../../resp/wire-reply.ts'
import { errorText, rawText } from './format.ts'
import type { Session } from './session.ts'
import { ShellError } from './shell-error.ts'

/** The keyspace in steps of SCAN, by the pattern, count and type of the options. Rejects with ShellError. */
async function* scanSteps(session: Session): AsyncGenerator<Buffer[]> {
  const { pattern, scanCount, scanType } = session.options
  const filters: (string | Uint8Array)[] = []
  if (pattern !== undefined) filters.push('MATCH', pattern)
  if (scanCount !== undefined) filters.push('COUNT', String(scanCount))
  if (scanType !== undefined) filters.push('TYPE', scanType)
  let cursor = '0'
  do {
    const reply = await session.call('SCAN', cursor, ...filters)
    if (reply.kind === 'error') throw new ShellError(`SCAN error: ${errorText(reply)}`)
    const [next, keys] = 'items' in reply ? reply.items : []
    if (next === undefined || keys === undefined || !('items' in keys))
      throw new ShellError('Non ARRAY response from SCAN!')
    cursor = rawText(next)
    yield keys.items.map(bytesOf)
  } while (cursor !== '0')
}

function bytesOf(reply: WireReply): Buffer {
  return Buffer.from(rawText(reply), 'latin1')
}

/** `--scan`: a key in each line. */
export async function listKeys(session: Session): Promise<number> {
  const { console, options } = session
  for await (const keys of scanSteps(session)) {
    const lines = keys.map((key) => `${session.form === 'terminal' ? quoteBytes(key) : key.toString('latin1')}\n`)
    if (!console.write(lines.join(''))) await console.drained()
    if (options.intervalSeconds > 0) await session.pause(options.intervalSeconds)
  }
  return 0
}

const PAUSE_STEPS = 100

/**
 * Walks the keyspace for a survey: `look` gets the keys of each step and how much of the keyspace had been seen before, in
 * per cent. Gives the number of keys and the sum of their lengths.
 */
export async function surveyKeys(
  session: Session,
  what: 'biggest' | 'hot',
  look: (keys: readonly Buffer[], percent: string) => Promise<void>,
): Promise<{ keyCount: number; keyBytes: number }> {
  const total = await session.call('DBSIZE')
  if (total.kind !== 'integer') throw new ShellError(`Couldn't determine DBSIZE: ${errorText(total)}`)
  const totalCount = Number(rawText(total))
  session.console.print(surveyHead(what))
  let keyCount = 0
  let keyBytes = 0
  let stepCount = 0
  for await (const keys of scanSteps(session)) {
    await look(keys, percentText(keyCount, totalCount))
    keyCount += keys.length
    keyBytes += keys.reduce((sum, key) => sum + key.length, 0)
    const isPause = ++stepCount % PAUSE_STEPS === 0 && session.options.intervalSeconds > 0
    if (isPause) await session.pause(session.options.intervalSeconds)
  }
  return { keyCount, keyBytes }
}

/** `05.26` */
export function percentText(part: number, whole: number): string {
  return (whole === 0 ? 0 : (100 * part) / whole).toFixed(2).padStart(5, '0')
}

function surveyHead(what: string): string {
  return `
# Scanning the entire keyspace to find ${what} keys as well as
# average sizes per key type.  You can use -i 0.1 to sleep 0.1 sec
# per 100 SCAN commands (not usually needed).

`
}
