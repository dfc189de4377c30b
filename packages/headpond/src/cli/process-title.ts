import { expandProcTitle } from '../config/proc-title.ts'
import type { Server } from '../server/server.ts'

/**
 * Shows in the process list what `proc-title-template` says. The system gives it no more room than the command line had
 * that started the process.
 */
export function showTitle(server: Server): void {
  const { config, port, tlsPort } = server
  const show = () => {
    const { procTitleTemplate, bind, unixsocket } = config.settings
    const listened = port || tlsPort
    const title = expandProcTitle(procTitleTemplate, {
      title: 'headpond',
      'listen-addr': listened === 0 ? `unixsocket:${unixsocket}` : `${bind[0] ?? '*'}:${listened}`,
      'server-mode': '',
      port: String(port),
      'tls-port': String(tlsPort),
      unixsocket,
      'config-file': config.file ?? '-',
    })
    if (title === undefined) return 'failed to set process title'
    process.title = title
    return undefined
  }
  config.onChange('proc-title-template', show)
  if (config.settings.setProcTitle) show()
}
