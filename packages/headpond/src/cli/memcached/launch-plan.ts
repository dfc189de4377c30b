/** What memcached's flags ask for. */
export interface LaunchPlan {
  /** -p; -1: any free port, 0: none. */
  port: number
  hasPortFlag: boolean
  /** -U */
  udpPort: number
  /** -l, as given: addresses with or without a port. */
  listen: string[]
  /** -s; '' without. */
  unixSocket: string
  /** -a: the mode of the unix socket. */
  unixMode: number
  backlog: number
  /** -u; '' without. */
  user: string
  isDaemon: boolean
  /** -P; '' without. */
  pidFile: string
  /** -m */
  memoryBytes: number
  /** -M turns it off. */
  evicts: boolean
  maxConnections: number
  itemBytesMax: number
  idleSeconds: number
  verbosity: number
  protocol: 'auto' | 'ascii' | 'binary'
  hasProtocolFlag: boolean
  sasl: boolean
  /** -Y; '' without. */
  authFile: string
  /** -e: where the items are kept from a graceful stop to the next start; '' without. */
  memoryFile: string
  hasCas: boolean
  hasShutdown: boolean
  hasFlush: boolean
  hasDump: boolean
  hasWatch: boolean
  /** -D; '' without. */
  prefixDelimiter: string
  tracksSizes: boolean
  isEncrypted: boolean
  certificateFile: string
  keyFile: string
  authorityFile: string
  clientCertificates: 'no' | 'optional' | 'yes'
  ciphers: string
  /** The oldest version of TLS: 0 is 1.0, 3 is 1.3. */
  tlsVersionMin: number
  hasTlsSessionCache: boolean
  /** What the checks between flags need, though it has no effect of its own. */
  slabChunkBytesMax: number
  hasSlabChunkFlag: boolean
  hotPercent: number
  warmPercent: number
  hasTemporaryTtl: boolean
  hasReassign: boolean
  hasMaintainer: boolean
  hasCrawler: boolean
  /** What memcached's debug build alone can: `debugtime`. */
  isDebug: boolean
  threads: number
  /** -R */
  requestsPerTurn: number
  /** Flags without effect, as `stats settings` shows them. */
  shown: Record<string, string>
  /** What the one who starts it should know. */
  warnings: string[]
}

export const MEGABYTE = 2 ** 20

export function defaultPlan(): LaunchPlan {
  return {
    port: 11211,
    hasPortFlag: false,
    udpPort: 0,
    listen: [],
    unixSocket: '',
    unixMode: 0o700,
    backlog: 1024,
    user: '',
    isDaemon: false,
    pidFile: '',
    memoryBytes: 64 * MEGABYTE,
    evicts: true,
    maxConnections: 1024,
    itemBytesMax: MEGABYTE,
    idleSeconds: 0,
    verbosity: 0,
    protocol: 'auto',
    hasProtocolFlag: false,
    sasl: false,
    authFile: '',
    memoryFile: '',
    hasCas: true,
    hasShutdown: false,
    hasFlush: true,
    hasDump: true,
    hasWatch: true,
    prefixDelimiter: '',
    tracksSizes: false,
    isEncrypted: false,
    certificateFile: '',
    keyFile: '',
    authorityFile: '',
    clientCertificates: 'no',
    ciphers: '',
    tlsVersionMin: 2,
    hasTlsSessionCache: false,
    slabChunkBytesMax: MEGABYTE / 2,
    hasSlabChunkFlag: false,
    hotPercent: 20,
    warmPercent: 40,
    hasTemporaryTtl: false,
    hasReassign: true,
    hasMaintainer: true,
    hasCrawler: true,
    isDebug: false,
    threads: 4,
    requestsPerTurn: Number.POSITIVE_INFINITY,
    shown: { num_threads: '4' },
    warnings: [],
  }
}

/** Exit codes, as in memcached: those of <sysexits.h>, and 1. */
export const exitCode = { FAILURE: 1, USAGE: 64, NO_USER: 67, SYSTEM: 71 } as const

/** Why it does not start: what is told, and how the process ends. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError'
  readonly exitCode: number

  constructor(message: string, code: number = exitCode.FAILURE) {
    super(message)
    this.exitCode = code
  }
}
