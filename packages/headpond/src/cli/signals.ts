import type { EventEmitter } from 'node:events'
import type { Settings } from '../config/directives.ts'
import type { ServerLog } from '../config/server-log.ts'
import type { Server } from '../server/server.ts'

/**
 * SIGTERM and SIGINT end the server as the directives shutdown-on-sigterm and shutdown-on-sigint say. A second Ctrl-C does
 * not wait for what the end still has to do. The terminal's going away is no reason to end.
 */
export function stopOnSignals(
  server: Pick<Server, 'shutdown'>,
  settings: Pick<Settings, 'shutdownOnSigterm' | 'shutdownOnSigint'>,
  log: Pick<ServerLog, 'info' | 'warn'>,
  signals: EventEmitter,
  exit: (exitCode: number) => void,
): void {
  let isStopping = false
  const stop = (signal: 'SIGTERM' | 'SIGINT') => {
    if (isStopping && signal === 'SIGINT') {
      log.warn('You insist... exiting now.')
      exit(1)
      return
    }
    const hint = signal === 'SIGINT' ? '; a second Ctrl-C ends at once, and what is not saved by then is lost' : ''
    log.info(`${signal}: stopping${hint}`)
    const wanted = signal === 'SIGTERM' ? settings.shutdownOnSigterm : settings.shutdownOnSigint
    const saving = wanted.includes('save') ? 'save' : wanted.includes('nosave') ? 'nosave' : 'default'
    // The snapshot is written in one go: nothing here would hear of a signal before it is done, so the system acts on it.
    signals.off('SIGINT', interrupt)
    isStopping = server.shutdown(saving, wanted.includes('force'))
    signals.on('SIGINT', interrupt)
    if (isStopping) return
    log.warn("Error trying to save the DB, can't exit: SHUTDOWN NOSAVE ends the server all the same")
  }
  const interrupt = () => stop('SIGINT')
  signals.on('SIGTERM', () => stop('SIGTERM'))
  signals.on('SIGINT', interrupt)
  signals.on('SIGHUP', () => {})
}
