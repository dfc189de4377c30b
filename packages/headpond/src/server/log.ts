import { type Logger, pino } from 'pino'
import type { Settings } from '../config/directives.ts'

/** Redis's four levels in pino's words. */
const LEVELS = { debug: 'trace', verbose: 'debug', notice: 'info', warning: 'warn' } as const

/**
 * The log of the executable: lines of JSON on standard output, or lines for people on a terminal. pino-pretty is loaded
 * only then, since it would slow down every other start.
 */
export async function createLog(settings: Settings, isTerminal: boolean): Promise<Logger> {
  const isPretty = settings.logFormat === 'pretty' || (settings.logFormat === 'auto' && isTerminal)
  const options = { level: LEVELS[settings.loglevel], base: null }
  if (!isPretty) return pino(options, pino.destination({ fd: 1, sync: true }))
  const { default: pretty } = await import('pino-pretty')
  return pino(options, pretty({ colorize: isTerminal, sync: true, translateTime: 'SYS:HH:MM:ss.l' }))
}
