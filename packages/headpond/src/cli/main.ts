#!/usr/bin/env node
import { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { helpText } from '../config/help.ts'
import { ARENA_BYTES_MAX } from '../memory/arena.ts'
import { createLog } from '../server/log.ts'
import { Server } from '../server/server.ts'
import { HEADPOND_VERSION } from '../server/version.ts'
import { bannerText } from './banner.ts'

/** The executable: `headpond [path/to/headpond.conf] [--directive value ...]`. */
async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(helpText())
    return
  }
  if (argv.includes('--version') || argv.includes('-v')) {
    process.stdout.write(`Headpond ${HEADPOND_VERSION} (Node ${process.versions.node})\n`)
    return
  }
  const config = Config.load({ argv, env: process.env })
  const isTerminal = process.stdout.isTTY === true
  const log = await createLog(config.settings, isTerminal)
  const server = new Server({ config, log, firstArenaBytes: ARENA_BYTES_MAX })

  const stop = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping')
    void server.close()
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)

  await server.start()
  const readyMs = Math.round(performance.now())
  const notYetActing = config.notYetActing()
  if (notYetActing.length > 0) log.warn({ directives: notYetActing }, 'accepted, but not acting yet')
  if (isTerminal) process.stdout.write(bannerText(server, readyMs))
  else log.info({ version: HEADPOND_VERSION, pid: process.pid, ...server.addresses, readyMs }, 'ready')

  await server.ended
  log.info('stopped')
}

main(process.argv.slice(2)).catch((error: unknown) => {
  if (error instanceof ConfigError) process.stderr.write(`headpond: ${error.message}\n`)
  else process.stderr.write(`headpond: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exitCode = 1
})
