import { errorText, rawText } from './format.ts'
import type { Session } from './session.ts'
import { ShellError } from './shell-error.ts'

const DEFAULT_PAUSE_SECONDS = 1
const HEAD_EVERY_ROWS = 20
const HEAD = `\
------- data ------ --------------------- load -------------------- - child -
keys       mem      clients blocked requests            connections          
`

/** `--stat`: a line each second (-i) of what the server does. */
export async function showStatistics(session: Session): Promise<number> {
  const { console, options } = session
  let requestsBefore: number | undefined
  for (let row = 0; ; row++) {
    const reply = await session.callAgain('INFO')
    if (reply.kind === 'error') throw new ShellError(`ERROR: ${errorText(reply)}`)
    const info = rawText(reply)
    const requestCount = numberIn(info, 'total_commands_processed')
    if (row % HEAD_EVERY_ROWS === 0) console.print(HEAD)
    const cells = [
      String(keyCountIn(info)).padEnd(11),
      sizeText(numberIn(info, 'used_memory')).padEnd(9),
      String(numberIn(info, 'connected_clients')).padEnd(8),
      String(numberIn(info, 'blocked_clients')).padEnd(8),
      `${requestCount} (+${requestCount - (requestsBefore ?? requestCount)})`.padEnd(20),
      String(numberIn(info, 'total_connections_received')).padEnd(12),
      childText(info),
    ]
    console.print(`${cells.join('')}\n`)
    requestsBefore = requestCount
    await session.pause(options.intervalSeconds || DEFAULT_PAUSE_SECONDS)
  }
}

function numberIn(info: string, field: string): number {
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
}

function keyCountIn(info: string): number {
  return [...info.matchAll(/^db\d+:keys=(\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
}

/** What the server does beside answering. */
function childText(info: string): string {
  if (numberIn(info, 'loading') > 0) return 'LOAD'
  const isSaving = numberIn(info, 'rdb_bgsave_in_progress') > 0
  const isRewriting = numberIn(info, 'aof_rewrite_in_progress') > 0
  return [isSaving ? 'SAVE' : '', isRewriting ? 'AOF' : ''].filter((text) => text !== '').join('+')
}

function sizeText(sizeBytes: number): string {
  if (sizeBytes < 1024) return `${sizeBytes}B`
  const unit = sizeBytes < 1024 ** 2 ? 1 : sizeBytes < 1024 ** 3 ? 2 : 3
  return `${(sizeBytes / 1024 ** unit).toFixed(2)}${'BKMG'[unit]}`
}
