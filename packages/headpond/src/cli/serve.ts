import { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { diskFiles } from '../config/files.ts'
import type { DirectiveOptions } from '../config/sources.ts'
import { firstArenaBytes } from '../memory/arena.ts'
import { DataDirectoryError } from '../persistence/data-directory-error.ts'
import { createLog } from '../server/log.ts'
import { Server } from '../server/server.ts'
import { HEADPOND_VERSION } from '../server/version.ts'
import { bannerText } from './banner.ts'
import { environmentOf, isDaemonProcess, reportReady, startDaemon } from './daemon.ts'
import { showLoading } from './loading-bar.ts'
import { adjustOomScore } from './oom-score.ts'
import { writePidFile } from './pid-file.ts'
import { showTitle } from './process-title.ts'
import { holdYoungGeneration, releaseYoungGeneration, setRuntimeFlags } from './runtime-flags.ts'
import { stopOnSignals } from './signals.ts'

/** The server, to its end. Resolves with the exit code. */
export async function serve(argv: readonly string[]): Promise<number> {
  try {
    return await runServer(argv)
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof DataDirectoryError)) throw error
    process.stderr.write(`headpond: ${error.message}\n`)
    return 1
  }
}

/**
 * Without a configuration file, data is kept: in ./headpond-data, in an append-only file that is synced every second. With
 * one, what it does not say is as in Redis.
 */
function dataDefaults(config: Config): DirectiveOptions {
  if (config.file !== undefined) return { dir: './' }
  if (config.settings.ephemeral || config.isSet('appendonly') || config.isSet('save')) return {}
  return { appendonly: true, save: '' }
}

/**
 * In the words of Redis, for which test containers, service managers and its own test suite wait in the log of a server
 * that they have started.
 */
/** Set by scripts/start.mjs. */
const PREPARED_MARK = 'headpond prepared'
const READY = 'Ready to accept connections'
const STOPPED = 'Headpond is now ready to exit, bye bye...'
const INITIALIZED = 'Server initialized'
const HOLDING_INTERVAL_MS = 2 ** 31 - 1
const startingText = () => `Headpond ${HEADPOND_VERSION} is starting, PID: ${process.pid}`

/** Resolves with the exit code. */
async function runServer(argv: readonly string[]): Promise<number> {
  let input: Uint8Array | undefined
  const readStandardInput = () => (input ??= diskFiles.readStandardInput())
  const files = { ...diskFiles, readStandardInput }
  const config = Config.load({ argv, env: environmentOf(process.env), defaults: dataDefaults, files })
  const isDaemon = isDaemonProcess(process.env)
  if (config.settings.daemonize && !isDaemon) {
    return startDaemon(argv, { failure: 'headpond: it cannot run in the background', ...(input && { input }) })
  }
  setRuntimeFlags()
  const isTerminal = process.stdout.isTTY === true && config.settings.logfile === ''
  const log = await createLog(config, isTerminal)
  const server = new Server({ config, log, firstArenaBytes: firstArenaBytes() })

  stopOnSignals(server, config.settings, log, process, (exitCode) => process.exit(exitCode))
  if (isTerminal) showLoading(server.persistence)

  // Who waits for these lines connects next, though the data is still being loaded.
  const onListening = () => {
    if (isTerminal) return
    log.info(startingText())
    log.info(INITIALIZED)
  }
  await server.start(onListening).catch((error: unknown) => {
    // Who reads the log alone has to see it too; a terminal shows both.
    if (!isTerminal && error instanceof DataDirectoryError) log.error(error.message)
    throw error
  })
  // Nobody could ever reach it, and nothing would keep the process alive.
  if (!server.isClosing && Object.keys(server.addresses).length === 0) {
    await server.close()
    throw new ConfigError(
      'port 0',
      'nothing is listened on',
      'Give port or another one a number, or unixsocket a path.',
    )
  }
  if (server.kafka.service === null) {
    holdYoungGeneration()
    server.kafka.onLoad = releaseYoungGeneration
  }
  writePidFile(config)
  showTitle(server)
  adjustOomScore(config, log)
  // `npm start` installs and builds in this very process, and marks when it has: that is no time of the server's.
  const preparedMs = performance.getEntriesByName(PREPARED_MARK)[0]?.startTime ?? 0
  const readyMs = Math.round(performance.now() - preparedMs)
  const notYetActing = config.notYetActing()
  if (notYetActing.length > 0) log.warn({ directives: notYetActing }, 'accepted, but not acting yet')
  if (isTerminal) process.stdout.write(bannerText(server, readyMs))
  else log.info({ version: HEADPOND_VERSION, pid: process.pid, ...server.addresses, readyMs }, READY)
  if (isDaemon) reportReady()

  // CONFIG SET can close the last port: who is connected goes on, and only a shutdown ends the server.
  const holding = setInterval(() => {}, HOLDING_INTERVAL_MS)
  await server.ended
  clearInterval(holding)
  log.info(STOPPED)
  return server.failure === null ? 0 : 1
}
