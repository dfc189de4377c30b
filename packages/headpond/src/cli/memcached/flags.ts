import { applySuboptions } from './extended-options.ts'
import { exitCode, LaunchError, type LaunchPlan, MEGABYTE } from './launch-plan.ts'
import { fraction, leadingInteger, leadingOctal } from './numbers.ts'

/**
 * The flags of memcached 1.6, with its own words where it objects. What has no meaning here (slabs, threads) is checked as
 * there and then left alone; what would make one believe in something that does not happen is refused.
 */
export interface Flag {
  readonly short: string
  /** Without one where memcached has none. */
  readonly long?: string
  /** What its argument is called in the help; absent when it takes none. */
  readonly argument?: string
  readonly summary: string
  readonly apply: (plan: LaunchPlan, value: string) => void
}

function usage(message: string): LaunchError {
  return new LaunchError(message, exitCode.USAGE)
}

/** A whole number, where a wrong one would be taken for another meaning. */
function strictInteger(flag: string, value: string): number {
  if (/^\s*[+-]?\d+$/.test(value)) return Number(value)
  throw usage(`Invalid value for ${flag}: "${value}" is not a number`)
}

export const flags: readonly Flag[] = [
  {
    short: 'p',
    long: 'port',
    argument: 'num',
    summary: 'TCP port to listen on (default: 11211)',
    apply: (plan, value) => {
      plan.port = strictInteger('-p', value)
      plan.hasPortFlag = true
    },
  },
  {
    short: 'U',
    long: 'udp-port',
    argument: 'num',
    summary: 'UDP port: there is no UDP, a port other than 0 is warned about',
    apply: (plan, value) => {
      plan.udpPort = strictInteger('-U', value)
    },
  },
  {
    short: 's',
    long: 'unix-socket',
    argument: 'file',
    summary: 'UNIX socket to listen on (disables network support)',
    apply: (plan, value) => {
      plan.unixSocket = value
    },
  },
  {
    short: 'a',
    long: 'unix-mask',
    argument: 'mask',
    summary: 'access mask for UNIX socket, in octal (default: 700)',
    apply: (plan, value) => {
      plan.unixMode = leadingOctal(value) & 0o777
    },
  },
  {
    short: 'A',
    long: 'enable-shutdown',
    summary: 'enable ascii "shutdown" command',
    apply: (plan) => {
      plan.hasShutdown = true
    },
  },
  {
    short: 'l',
    long: 'listen',
    argument: 'addr',
    summary: 'interface to listen on (default: all), <addr>[:<port>][,...]; with TLS, notls:<addr> is without',
    apply: (plan, value) => {
      plan.listen.push(...value.split(/[;,]/).filter((address) => address !== '' && !plan.listen.includes(address)))
    },
  },
  {
    short: 'd',
    long: 'daemon',
    summary: 'run as a daemon',
    apply: (plan) => {
      plan.isDaemon = true
    },
  },
  { short: 'r', long: 'enable-coredumps', summary: 'no effect', apply: () => {} },
  {
    short: 'u',
    long: 'user',
    argument: 'user',
    summary: 'assume identity of <user> (only when run as root)',
    apply: (plan, value) => {
      plan.user = value
    },
  },
  {
    short: 'm',
    long: 'memory-limit',
    argument: 'num',
    summary: 'memory for items in megabytes (default: 64)',
    apply: (plan, value) => {
      plan.memoryBytes = Math.max(0, strictInteger('-m', value)) * MEGABYTE
    },
  },
  {
    short: 'M',
    long: 'disable-evictions',
    summary: 'return error on memory exhausted instead of evicting',
    apply: (plan) => {
      plan.evicts = false
    },
  },
  {
    short: 'c',
    long: 'conn-limit',
    argument: 'num',
    summary: 'max simultaneous connections (default: 1024)',
    apply: (plan, value) => {
      plan.maxConnections = leadingInteger(value)
      if (plan.maxConnections <= 0) throw new LaunchError('Maximum connections must be greater than 0')
    },
  },
  {
    short: 'k',
    long: 'lock-memory',
    summary: 'not possible here: warned about',
    apply: (plan) => {
      plan.warnings.push('warning: -k invalid, memory cannot be locked. Proceeding without.')
    },
  },
  {
    short: 'v',
    long: 'verbose',
    summary: 'verbose; -vv also prints what clients send',
    apply: (plan) => {
      plan.verbosity++
    },
  },
  {
    short: 'P',
    long: 'pidfile',
    argument: 'file',
    summary: 'save the process id in <file>',
    apply: (plan, value) => {
      plan.pidFile = value
    },
  },
  {
    short: 'f',
    long: 'slab-growth-factor',
    argument: 'num',
    summary: 'no effect (default: 1.25)',
    apply: (plan, value) => {
      const factor = fraction(value)
      if (factor <= 1) throw new LaunchError('Factor must be greater than 1')
      plan.shown['growth_factor'] = factor.toFixed(2)
    },
  },
  {
    short: 'n',
    long: 'slab-min-size',
    argument: 'bytes',
    summary: 'no effect (default: 48)',
    apply: (plan, value) => {
      const sizeBytes = leadingInteger(value)
      if (sizeBytes === 0) throw new LaunchError('Chunk size must be greater than 0')
      plan.shown['chunk_size'] = String(sizeBytes)
    },
  },
  {
    short: 'L',
    long: 'enable-largepages',
    summary: 'not possible here: refused',
    apply: () => {
      throw new LaunchError('Cannot enable large pages on this system\n(There is no support as of this version)')
    },
  },
  {
    short: 'D',
    argument: 'char',
    summary: 'delimiter between key prefixes and IDs (default: ":"); turns "stats detail" on',
    apply: (plan, value) => {
      if (value === '') throw new LaunchError('No delimiter specified')
      plan.prefixDelimiter = value[0]
    },
  },
  {
    short: 't',
    long: 'threads',
    argument: 'num',
    summary: 'no effect: one thread serves everybody (default: 4)',
    apply: (plan, value) => {
      plan.threads = leadingInteger(value)
      if (plan.threads <= 0) throw new LaunchError('Number of threads must be greater than 0')
      plan.shown['num_threads'] = String(plan.threads)
    },
  },
  {
    short: 'R',
    long: 'max-reqs-per-event',
    argument: 'num',
    summary: 'requests of one connection in a row, before others have their turn',
    apply: (plan, value) => {
      const count = leadingInteger(value)
      if (count === 0) throw new LaunchError('Number of requests per event must be greater than 0')
      if (count > 0) plan.requestsPerTurn = count
      plan.shown['reqs_per_event'] = String(count)
    },
  },
  {
    short: 'C',
    long: 'disable-cas',
    summary: 'disable use of CAS',
    apply: (plan) => {
      plan.hasCas = false
    },
  },
  {
    short: 'b',
    long: 'listen-backlog',
    argument: 'num',
    summary: 'set the backlog queue limit (default: 1024)',
    apply: (plan, value) => {
      plan.backlog = Math.max(0, leadingInteger(value))
    },
  },
  {
    short: 'B',
    long: 'protocol',
    argument: 'name',
    summary: 'protocol - one of ascii, binary, or auto (default: auto-negotiate)',
    apply: (plan, value) => {
      if (value !== 'auto' && value !== 'ascii' && value !== 'binary') {
        throw usage(`Invalid value for binding protocol: ${value}\n -- should be one of auto, binary, or ascii`)
      }
      plan.protocol = value
      plan.hasProtocolFlag = true
    },
  },
  {
    short: 'I',
    long: 'max-item-size',
    argument: 'num',
    summary: 'adjusts max item size, in bytes, k or m (default: 1m, min: 1k, max: 1024m)',
    apply: (plan, value) => {
      const [, digits, unit] = /^(.*?)([kKmM]?)$/.exec(value)!
      const scale = unit === '' ? 1 : unit.toLowerCase() === 'k' ? 1024 : MEGABYTE
      plan.itemBytesMax = strictInteger('-I', digits) * scale
    },
  },
  {
    short: 'S',
    long: 'enable-sasl',
    summary: 'turn on SASL authentication, with the users of $MEMCACHED_SASL_PWDB (user:password lines) or of Headpond',
    apply: (plan) => {
      plan.sasl = true
    },
  },
  {
    short: 'F',
    long: 'disable-flush-all',
    summary: 'disable flush_all command',
    apply: (plan) => {
      plan.hasFlush = false
    },
  },
  {
    short: 'X',
    long: 'disable-dumping',
    summary: 'disable stats cachedump and lru_crawler metadump',
    apply: (plan) => {
      plan.hasDump = false
    },
  },
  {
    short: 'W',
    long: 'disable-watch',
    summary: 'disable watch commands (live logging)',
    apply: (plan) => {
      plan.hasWatch = false
    },
  },
  {
    short: 'Y',
    long: 'auth-file',
    argument: 'file',
    summary: 'authentication in the ASCII protocol, by lines of user:password; read again on SIGHUP',
    apply: (plan, value) => {
      plan.authFile = value
    },
  },
  {
    short: 'e',
    long: 'memory-file',
    argument: 'file',
    summary: 'keep the items in <file> at a stop by SIGUSR1, and load them at the next start',
    apply: (plan, value) => {
      plan.memoryFile = value
    },
  },
  {
    short: 'Z',
    long: 'enable-ssl',
    summary: 'enable TLS/SSL (see ssl_chain_cert and ssl_key below)',
    apply: (plan) => {
      plan.isEncrypted = true
    },
  },
  {
    short: 'N',
    long: 'napi-ids',
    argument: 'num',
    summary: 'not possible here: refused',
    apply: (_plan, value) => {
      if (leadingInteger(value) <= 0) throw new LaunchError('Maximum number of NAPI IDs must be greater than 0')
      throw new LaunchError('-N <num_napi_ids> option not supported')
    },
  },
  {
    short: 'o',
    long: 'extended',
    argument: 'list',
    summary: 'comma separated list of extended options',
    apply: applySuboptions,
  },
]
