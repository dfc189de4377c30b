import { appendFileSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { Config } from '../../config/config.ts'
import { ConfigError } from '../../config/config-error.ts'
import type { ServerLog } from '../../config/server-log.ts'
import type { DirectiveOptions } from '../../config/sources.ts'
import { parseUsers } from '../../memcached/authentication.ts'
import type { MemcachedOptions } from '../../memcached/settings.ts'
import { firstArenaBytes } from '../../memory/arena.ts'
import { DataDirectoryError } from '../../persistence/data-directory-error.ts'
import { RdbError } from '../../persistence/rdb/rdb-error.ts'
import { Server } from '../../server/server.ts'
import { environmentOf, isDaemonProcess, reportReady, startDaemon } from '../daemon.ts'
import { holdYoungGeneration, setRuntimeFlags } from '../runtime-flags.ts'
import { addressesOf } from './addresses.ts'
import { parseCommandLine } from './command-line.ts'
import { helpText, licenseText, versionText } from './help.ts'
import { assumeIdentity } from './identity.ts'
import { exitCode, LaunchError, type LaunchPlan } from './launch-plan.ts'
import { removePidFile, writePidFile } from './pid-file.ts'

/** `headpond memcached`: Headpond in memcached's place, by memcached's flags. Resolves with the exit code. */
export async function runMemcached(argv: readonly string[]): Promise<number> {
  try {
    const request = parseCommandLine(argv)
    if ('show' in request) {
      const texts = { help: helpText, license: licenseText, version: versionText }
      process.stdout.write(texts[request.show]())
      return 0
    }
    const plan = request.start
    const isDaemon = isDaemonProcess(process.env)
    if (plan.isDaemon && !isDaemon) {
      return await startDaemon(['memcached', ...argv], {
        keepsErrorOutput: plan.verbosity > 0,
        failure: 'failed to daemon() in order to daemonize',
      })
    }
    return await launch(plan, isDaemon)
  } catch (error) {
    if (error instanceof LaunchError) {
      process.stderr.write(`${error.message}\n`)
      return error.exitCode
    }
    const isExpected = error instanceof ConfigError || error instanceof DataDirectoryError || error instanceof RdbError
    if (!isExpected) throw error
    process.stderr.write(`${error.message}\n`)
    return exitCode.SYSTEM
  }
}

async function launch(plan: LaunchPlan, isDaemon: boolean): Promise<number> {
  for (const warning of plan.warnings) say(warning)
  assumeIdentity(plan.user)
  setRuntimeFlags()
  const config = Config.load({ env: environmentOf(process.env), options: directivesOf(plan), defaults: () => DEFAULTS })
  const log: ServerLog = {
    info: (message) => {
      if (server.memcached.verbosity > 0) say(message)
    },
    warn: (message) => say(message),
    error: (details, message) => {
      const { err } = details as { err?: Error }
      say(err === undefined ? message : `${message}: ${err.stack ?? err.message}`)
    },
  }
  const server: Server = new Server({
    config,
    log,
    firstArenaBytes: firstArenaBytes(),
    memcached: optionsOf(plan),
    memcachedAddresses: await addressesOf(plan),
  })
  if (plan.sasl && !server.memcached.canAuthenticate) {
    throw new LaunchError(
      'SASL: there are no users. Name a file of user:password lines in MEMCACHED_SASL_PWDB, or set HEADPOND_USER or HEADPOND_ACLFILE.',
      exitCode.USAGE,
    )
  }

  let hasEnded = false
  process.on('SIGINT', () => server.shutdown('nosave', true))
  process.on('SIGTERM', () => server.shutdown('nosave', true))
  process.on('SIGUSR1', () => {
    say('Gracefully stopping')
    hasEnded = true
    server.shutdown(plan.memoryFile === '' ? 'nosave' : 'save', true)
  })
  process.on('SIGHUP', () => {
    if (plan.authFile !== '') reloadUsers(server, plan.authFile)
  })

  await server.start()
  holdYoungGeneration()
  // What was kept is in memory now; after a crash it would be out of date.
  if (plan.memoryFile !== '') rmSync(plan.memoryFile, { force: true })
  writePortFile(server, process.env['MEMCACHED_PORT_FILENAME'])
  const pidFile = plan.pidFile === '' ? '' : resolve(plan.pidFile)
  if (pidFile !== '') writePidFile(pidFile, say)
  if (isDaemon) {
    reportReady()
    process.chdir('/')
  }

  await server.ended
  if (server.failure !== null) return 1
  if (plan.verbosity > 0 && !hasEnded) say('Exiting normally')
  if (plan.isDaemon && pidFile !== '') removePidFile(pidFile, say)
  return 0
}

function say(message: string): void {
  process.stderr.write(`${message}\n`)
}

/** It is a cache: unless a variable says otherwise, there is no other protocol, and nothing is kept. */
const DEFAULTS: DirectiveOptions = { port: 0, kafkaPort: 0, ephemeral: true, maxmemoryPolicy: 'allkeys-lru' }

/** What memcached's flags decide, decides over everything else. */
function directivesOf(plan: LaunchPlan): DirectiveOptions {
  return {
    memcachedPort: 0,
    memcachedUnixsocket: plan.unixSocket === '' ? '' : resolve(plan.unixSocket),
    unixsocketperm: plan.unixMode.toString(8),
    memcachedMaxItemSize: plan.itemBytesMax,
    maxmemory: plan.memoryBytes,
    ...(plan.evicts ? {} : { maxmemoryPolicy: 'noeviction' }),
    maxclients: plan.maxConnections,
    tcpBacklog: plan.backlog,
    timeout: plan.idleSeconds,
    // Who starts memcached on all addresses means all of them.
    protectedMode: false,
    ...(plan.isDebug ? { enableDebugCommand: 'yes' } : {}),
    ...(plan.memoryFile === ''
      ? {}
      : {
          dir: dirname(resolve(plan.memoryFile)),
          dbfilename: basename(plan.memoryFile),
          ephemeral: false,
          appendonly: false,
          save: '',
        }),
    ...(plan.isEncrypted ? tlsDirectives(plan) : {}),
  }
}

const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

function tlsDirectives(plan: LaunchPlan): DirectiveOptions {
  return {
    tlsCertFile: resolve(plan.certificateFile),
    tlsKeyFile: resolve(plan.keyFile === '' ? plan.certificateFile : plan.keyFile),
    tlsCaCertFile: plan.authorityFile === '' ? '' : resolve(plan.authorityFile),
    // Nobody vouches for a certificate that a client may show, and who shows none is welcome: none is asked for.
    tlsAuthClients:
      plan.clientCertificates === 'optional' && plan.authorityFile === '' ? 'no' : plan.clientCertificates,
    tlsCiphers: plan.ciphers,
    tlsProtocols: TLS_VERSIONS.slice(plan.tlsVersionMin).join(' '),
    tlsSessionCaching: plan.hasTlsSessionCache,
  }
}

function optionsOf(plan: LaunchPlan): Partial<MemcachedOptions> {
  const usersFile = plan.sasl ? (process.env['MEMCACHED_SASL_PWDB'] ?? '') : plan.authFile
  return {
    protocol: plan.protocol,
    sasl: plan.sasl,
    users: usersFile === '' ? null : readUsers(usersFile),
    hasCas: plan.hasCas,
    hasShutdown: plan.hasShutdown,
    hasFlush: plan.hasFlush,
    hasDump: plan.hasDump,
    hasWatch: plan.hasWatch,
    ...(plan.prefixDelimiter === '' ? {} : { prefixDelimiter: plan.prefixDelimiter, hasDetail: true }),
    verbosity: plan.verbosity,
    hasCrawler: plan.hasCrawler,
    hasMaintainer: plan.hasMaintainer,
    hasReassign: plan.hasReassign,
    tracksSizes: plan.tracksSizes,
    requestsPerTurn: plan.requestsPerTurn,
    shown: {
      ...plan.shown,
      inter: plan.listen.join(',') || 'NULL',
      ...(plan.memoryFile === '' ? {} : { memory_file: plan.memoryFile }),
      ...(plan.isEncrypted
        ? {
            ssl_chain_cert: plan.certificateFile,
            ssl_key: plan.keyFile === '' ? 'NULL' : plan.keyFile,
            ssl_verify_mode: String(['no', 'optional', 'yes'].indexOf(plan.clientCertificates)),
            ssl_keyformat: '1',
            ssl_ciphers: plan.ciphers === '' ? 'NULL' : plan.ciphers,
            ssl_ca_cert: plan.authorityFile === '' ? 'NULL' : plan.authorityFile,
            ssl_wbuf_size: plan.shown['ssl_wbuf_size'] ?? '16384',
            ssl_session_cache: plan.hasTlsSessionCache ? 'yes' : 'no',
            ssl_kernel_tls: 'no',
            ssl_min_version: `tlsv1.${plan.tlsVersionMin}`,
          }
        : {}),
    },
  }
}

function readUsers(path: string): ReadonlyMap<string, string> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new LaunchError(`Could not open authfile [${path}] for reading, error ${(error as Error).message}`)
  }
  try {
    return parseUsers(text)
  } catch {
    throw new LaunchError(`Authfile [${path}] has a malformed entry. Should be 'user:password'`)
  }
}

/** What is wrong with the file now leaves the users as they were. */
function reloadUsers(server: Server, path: string): void {
  try {
    server.memcached.users = readUsers(path)
  } catch (error) {
    say((error as Error).message)
  }
}

/** For those who start it on a port that it chooses itself (-p -1). */
function writePortFile(server: Server, path: string | undefined): void {
  if (path === undefined || path === '') return
  const unfinished = `${path}.lck`
  try {
    if (existsSync(unfinished)) rmSync(unfinished)
    for (const { host, port } of server.listeners.memcachedListening) {
      appendFileSync(unfinished, `TCP ${host.includes(':') ? 'INET6' : 'INET'}: ${port}\n`)
    }
    renameSync(unfinished, path)
  } catch (error) {
    say(`Failed to open "${unfinished}": ${(error as Error).message}`)
  }
}
