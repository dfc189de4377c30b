import { appendFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Logger, pino } from 'pino'
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { systemMessage } from '../config/files.ts'
import { makeDirectory } from '../persistence/file-target.ts'

/** Redis's four levels in pino's words. */
const LEVELS = { debug: 'trace', verbose: 'debug', notice: 'info', warning: 'warn' } as const

/**
 * The log of the executable: lines of JSON on standard output or in the file of `logfile`, or lines for people on a
 * terminal. pino-pretty is loaded only then, since it would slow down every other start. Throws ConfigError for a file
 * that cannot be written.
 */
export async function createLog(config: Config, isTerminal: boolean): Promise<Logger> {
  const { logFormat, loglevel, logfile } = config.settings
  const isPretty = logFormat === 'pretty' || (logFormat === 'auto' && isTerminal)
  const options = { level: LEVELS[loglevel], base: null }
  const write = logfile === '' ? null : fileWriter(config.absolutePath(logfile), config)
  const log = await create()
  config.onChange('loglevel', (level) => {
    log.level = LEVELS[level]
    return undefined
  })
  return log

  async function create(): Promise<Logger> {
    if (!isPretty) return pino(options, write === null ? pino.destination({ fd: 1, sync: true }) : { write })
    const { default: pretty, prettyFactory } = await import('pino-pretty')
    const shape = { colorize: isTerminal, translateTime: 'SYS:HH:MM:ss.l' }
    if (write === null) return pino(options, pretty({ ...shape, sync: true }))
    const prettify = prettyFactory(shape)
    return pino(options, { write: (line: string) => write(prettify(line)) })
  }
}

/**
 * Opens the file for each line, as Redis does: whoever moves it away to keep it, moves all of it, and need not tell the
 * server. A full disk costs lines, not the server.
 */
function fileWriter(path: string, { settings }: Config): (line: string) => void {
  try {
    // The data directory, which is made when there is none, may hold the log: and that begins before.
    if (dirname(path) === settings.dir && !settings.ephemeral) makeDirectory(settings.dir)
    appendFileSync(path, '')
  } catch (error) {
    throw new ConfigError(`logfile ${path}`, `Can't open the log file: ${systemMessage(error)}`, 'Choose another file.')
  }
  return (line) => {
    try {
      appendFileSync(path, line)
    } catch {
      // There is no other place to say so.
    }
  }
}
