import { type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

export type { Logger }

/** A line of JSON for each event, or a readable line on a terminal. Synchronous, so that the last words of a process are not lost. */
export function serviceLog(name: string): Logger {
  const options = { name, level: process.env['LOG_LEVEL'] ?? 'info' }
  if (!process.stdout.isTTY) return pino(options, pino.destination({ dest: 1, sync: true }))
  return pino(options, pretty({ sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' }))
}
