import { rmSync, writeFileSync } from 'node:fs'
import type { Config } from '../config/config.ts'

/** Where a daemon has its process id that was not told a place. */
const DEFAULT_PATH = '/var/run/headpond.pid'

/** Writes the file of `pidfile`, which is gone when the process ends. As in Redis, a file that cannot be is no reason to end. */
export function writePidFile(config: Config): void {
  const { pidfile, daemonize } = config.settings
  if (pidfile === '' && !daemonize) return
  const path = pidfile === '' ? DEFAULT_PATH : config.absolutePath(pidfile)
  try {
    writeFileSync(path, `${process.pid}\n`)
  } catch {
    return
  }
  process.on('exit', () => rmSync(path, { force: true }))
}
