import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { splitArguments } from '../../config/quoting.ts'
import { systemWords } from '../../net/remote-socket.ts'
import { ShellError } from './shell-error.ts'

/** How replies are shown. `terminal` quotes strings and numbers elements; `raw` is for other programs. */
export type OutputForm = 'terminal' | 'raw' | 'csv' | 'json' | 'quoted-json'

export type Mode =
  | 'commands'
  | 'eval'
  | 'pipe'
  | 'scan'
  | 'bigkeys'
  | 'memkeys'
  | 'hotkeys'
  | 'latency'
  | 'latency-history'
  | 'latency-dist'
  | 'stat'
  | 'replica'
  | 'rdb'
  | 'functions-rdb'
  | 'help'
  | 'version'

export interface ShellOptions {
  mode: Mode
  host: string
  port: number
  socketPath: string | undefined
  user: string | undefined
  password: string | undefined
  asksPassword: boolean
  warnsOfPassword: boolean
  /** The password stands on the command line, where other users of the machine can see it. */
  isPasswordVisible: boolean
  database: number
  protocol: 2 | 3 | undefined
  tls: ConnectionOptions | undefined
  followsRedirections: boolean
  form: OutputForm | undefined
  delimiter: string
  replyDelimiter: string
  showsPushes: boolean | undefined
  /** Negative: for ever. */
  repeatCount: number
  intervalSeconds: number
  failsOnError: boolean
  takesQuotedArguments: boolean
  /** The last argument comes from standard input, or the one that equals the tag. */
  inputArgument: 'none' | 'last' | { tag: string }
  pipeTimeoutSeconds: number
  pattern: Buffer | undefined
  scanCount: number | undefined
  scanType: string | undefined
  memoryUsageSamples: number | undefined
  scriptFile: string | undefined
  /** Where --rdb writes; '-' is standard output. */
  rdbFile: string
  /** The command with its arguments; empty: commands are read from standard input. */
  command: string[]
}

const DEFAULTS: Readonly<ShellOptions> = {
  mode: 'commands',
  host: '127.0.0.1',
  port: 6379,
  socketPath: undefined,
  user: undefined,
  password: undefined,
  asksPassword: false,
  warnsOfPassword: true,
  isPasswordVisible: false,
  database: 0,
  protocol: undefined,
  tls: undefined,
  followsRedirections: false,
  form: undefined,
  delimiter: '\n',
  replyDelimiter: '\n',
  showsPushes: undefined,
  repeatCount: 1,
  intervalSeconds: 0,
  failsOnError: false,
  takesQuotedArguments: false,
  inputArgument: 'none',
  pipeTimeoutSeconds: 30,
  pattern: undefined,
  scanCount: undefined,
  scanType: undefined,
  memoryUsageSamples: undefined,
  scriptFile: undefined,
  rdbFile: '',
  command: [],
}

interface Flag {
  readonly names: readonly string[]
  /** What stands for its value in the help; absent when it takes none. */
  readonly value?: string
  readonly help: string
  readonly apply: (options: ShellOptions, value: string) => void
}

interface FlagGroup {
  readonly title: string
  readonly flags: readonly Flag[]
}

const FLAG_GROUPS: readonly FlagGroup[] = [
  {
    title: 'Connection',
    flags: [
      { names: ['-h'], value: 'host', help: 'Host (127.0.0.1)', apply: (o, value) => (o.host = value) },
      { names: ['-p'], value: 'port', help: 'Port (6379)', apply: (o, value) => (o.port = portOf(value)) },
      {
        names: ['-s'],
        value: 'path',
        help: 'Unix socket, instead of host and port',
        apply: (o, v) => (o.socketPath = v),
      },
      {
        names: ['-u'],
        value: 'uri',
        help: 'redis://user:password@host:port/db, or rediss:// for TLS',
        apply: applyUri,
      },
      { names: ['--user'], value: 'name', help: 'User to authenticate as', apply: (o, value) => (o.user = value) },
      {
        names: ['-a', '--pass'],
        value: 'password',
        help: 'Password; HEADPOND_AUTH or REDISCLI_AUTH in the environment is not seen by other users',
        apply: (o, value) => {
          o.password = value
          o.isPasswordVisible = true
        },
      },
      { names: ['--askpass'], help: 'Ask for the password', apply: (o) => (o.asksPassword = true) },
      { names: ['--no-auth-warning'], help: 'Do not warn of -a', apply: (o) => (o.warnsOfPassword = false) },
      { names: ['-n'], value: 'db', help: 'Database', apply: (o, v) => (o.database = wholeNumber('-n', v, 0)) },
      { names: ['-2'], help: 'Speak RESP2', apply: setProtocol(2) },
      { names: ['-3'], help: 'Speak RESP3', apply: setProtocol(3) },
      { names: ['-c'], help: 'Follow redirections of a cluster', apply: (o) => (o.followsRedirections = true) },
    ],
  },
  {
    title: 'TLS',
    flags: [
      { names: ['--tls'], help: 'Connect by TLS', apply: (o) => (o.tls ??= {}) },
      { names: ['--sni'], value: 'host', help: 'Name the server is asked for', apply: tlsSetting('servername') },
      { names: ['--cacert'], value: 'file', help: 'Certificates of authorities to trust', apply: tlsFile('ca') },
      { names: ['--cert'], value: 'file', help: 'Certificate of this client', apply: tlsFile('cert') },
      { names: ['--key'], value: 'file', help: 'Its private key', apply: tlsFile('key') },
      {
        names: ['--insecure'],
        help: 'Do not check the certificate of the server',
        apply: (o) => (o.tls = { ...o.tls, rejectUnauthorized: false }),
      },
      {
        names: ['--tls-ciphers'],
        value: 'list',
        help: 'Ciphers, in order of preference',
        apply: tlsSetting('ciphers'),
      },
    ],
  },
  {
    title: 'Commands',
    flags: [
      {
        names: ['-r'],
        value: 'n',
        help: 'Run the command n times; -1: for ever',
        apply: (o, v) => (o.repeatCount = wholeNumber('-r', v)),
      },
      {
        names: ['-i'],
        value: 'seconds',
        help: 'Pause between them, and between the steps of --scan, --stat, --bigkeys and their like',
        apply: (o, v) => (o.intervalSeconds = secondsOf('-i', v)),
      },
      { names: ['-x'], help: 'Read the last argument from standard input', apply: (o) => setInputArgument(o, 'last') },
      {
        names: ['-X'],
        value: 'tag',
        help: 'Read the argument that equals the tag from standard input',
        apply: (o, tag) => setInputArgument(o, { tag }),
      },
      {
        names: ['--quoted-input'],
        help: 'Arguments are quoted strings: "\\x00"',
        apply: (o) => (o.takesQuotedArguments = true),
      },
      { names: ['-e'], help: 'End with exit code 1 when a command fails', apply: (o) => (o.failsOnError = true) },
      {
        names: ['--eval'],
        value: 'file',
        help: 'Run a Lua script: --eval file key ... , argument ...',
        apply: (o, value) => {
          o.mode = 'eval'
          o.scriptFile = value
        },
      },
      {
        names: ['--pipe'],
        help: 'Send commands or RESP from standard input as fast as they go',
        apply: setMode('pipe'),
      },
      {
        names: ['--pipe-timeout'],
        value: 'seconds',
        help: 'How long to wait for the last reply (30; 0: for ever)',
        apply: (o, v) => (o.pipeTimeoutSeconds = secondsOf('--pipe-timeout', v)),
      },
    ],
  },
  {
    title: 'Output',
    flags: [
      {
        names: ['--raw'],
        help: 'Replies as they are (when the output is no terminal)',
        apply: (o) => (o.form = 'raw'),
      },
      { names: ['--no-raw'], help: 'Replies as on a terminal', apply: (o) => (o.form = 'terminal') },
      { names: ['--csv'], help: 'Replies as comma-separated values', apply: (o) => (o.form = 'csv') },
      { names: ['--json'], help: 'Replies as JSON (by RESP3, unless -2)', apply: (o) => (o.form = 'json') },
      { names: ['--quoted-json'], help: 'The same in ASCII', apply: (o) => (o.form = 'quoted-json') },
      {
        names: ['-d'],
        value: 'text',
        help: 'Between the elements of a raw reply (newline)',
        apply: (o, v) => (o.delimiter = v),
      },
      { names: ['-D'], value: 'text', help: 'After each raw reply (newline)', apply: (o, v) => (o.replyDelimiter = v) },
      {
        names: ['--show-pushes'],
        value: 'yes|no',
        help: 'Show what RESP3 servers push (on terminals)',
        apply: setShowsPushes,
      },
    ],
  },
  {
    title: 'Looking inside',
    flags: [
      { names: ['--scan'], help: 'List all keys', apply: setMode('scan') },
      {
        names: ['--pattern'],
        value: 'glob',
        help: 'Keys to look at, for --scan, --bigkeys, --memkeys and --hotkeys',
        apply: (o, v) => (o.pattern = Buffer.from(v)),
      },
      { names: ['--quoted-pattern'], value: 'glob', help: 'The same, as a quoted string', apply: setQuotedPattern },
      {
        names: ['--count'],
        value: 'n',
        help: 'Keys for each step of these',
        apply: (o, v) => (o.scanCount = wholeNumber('--count', v, 1)),
      },
      { names: ['--type'], value: 'type', help: 'Type of the keys, for --scan', apply: (o, v) => (o.scanType = v) },
      { names: ['--bigkeys'], help: 'The keys with the most elements, by type', apply: setMode('bigkeys') },
      { names: ['--memkeys'], help: 'The keys that take the most memory, by type', apply: setMode('memkeys') },
      {
        names: ['--memkeys-samples'],
        value: 'n',
        help: 'The same, from so many elements of each key (0: all)',
        apply: (o, v) => {
          o.mode = 'memkeys'
          o.memoryUsageSamples = wholeNumber('--memkeys-samples', v, 0)
        },
      },
      { names: ['--hotkeys'], help: 'The keys most in use (with an LFU policy)', apply: setMode('hotkeys') },
      { names: ['--stat'], help: 'What the server does, a line each second', apply: setMode('stat') },
      { names: ['--latency'], help: 'How long a PING takes', apply: setMode('latency') },
      { names: ['--latency-history'], help: 'The same, a line each 15 seconds', apply: setMode('latency-history') },
      { names: ['--latency-dist'], help: 'The same, as a spectrum in 256 colours', apply: setMode('latency-dist') },
      {
        names: ['--replica', '--slave'],
        help: 'Follow the server as a replica does, and show the writes',
        apply: setMode('replica'),
      },
      {
        names: ['--rdb'],
        value: 'file',
        help: 'Fetch a snapshot of the data (-: to standard output)',
        apply: setRdbFile('rdb'),
      },
      {
        names: ['--functions-rdb'],
        value: 'file',
        help: 'The same, of the functions alone',
        apply: setRdbFile('functions-rdb'),
      },
    ],
  },
  {
    title: 'Others',
    flags: [
      { names: ['--help'], help: 'Show this text', apply: setMode('help') },
      { names: ['-v', '--version'], help: 'Show the version', apply: setMode('version') },
    ],
  },
]

const FLAGS: ReadonlyMap<string, Flag> = new Map(
  FLAG_GROUPS.flatMap((group) => group.flags.flatMap((flag) => flag.names.map((name) => [name, flag] as const))),
)

/** Reads the command line of the shell: options up to the first word that is none. Throws ShellError. */
export function parseOptions(argv: readonly string[], env: NodeJS.ProcessEnv): ShellOptions {
  const options = { ...DEFAULTS, password: env['HEADPOND_AUTH'] ?? env['REDISCLI_AUTH'] }
  let at = 0
  for (; at < argv.length && argv[at].startsWith('-'); at++) {
    const name = argv[at]
    const flag = FLAGS.get(name)
    if (name === '-h' && at + 1 === argv.length) {
      options.mode = 'help'
      continue
    }
    if (flag === undefined || (flag.value !== undefined && at + 1 === argv.length)) {
      throw new ShellError(`Unrecognized option or bad number of args for: '${name}'`)
    }
    flag.apply(options, flag.value === undefined ? '' : argv[++at])
  }
  if (options.followsRedirections && options.socketPath !== undefined) {
    throw new ShellError('Options -c and -s are mutually exclusive.')
  }
  options.command = argv.slice(at)
  return options
}

function setMode(mode: Mode): Flag['apply'] {
  return (options) => (options.mode = mode)
}

function setRdbFile(mode: 'rdb' | 'functions-rdb'): Flag['apply'] {
  return (options, file) => {
    if (options.rdbFile !== '' && options.mode !== mode) {
      throw new ShellError('Option --functions-rdb and --rdb are mutually exclusive.')
    }
    options.mode = mode
    options.rdbFile = file
  }
}

function setProtocol(protocol: 2 | 3): Flag['apply'] {
  return (options) => {
    if (options.protocol !== undefined && options.protocol !== protocol) {
      throw new ShellError('Options -2 and -3 are mutually exclusive.')
    }
    options.protocol = protocol
  }
}

function setInputArgument(options: ShellOptions, value: 'last' | { tag: string }): void {
  if (options.inputArgument !== 'none' && typeof options.inputArgument !== typeof value) {
    throw new ShellError('Options -x and -X are mutually exclusive.')
  }
  options.inputArgument = value
}

function setShowsPushes(options: ShellOptions, value: string): void {
  if (!/^[yn]/i.test(value)) throw new ShellError(`Unknown --show-pushes value '${value}' (valid: '[y]es', '[n]o')`)
  options.showsPushes = /^y/i.test(value)
}

function setQuotedPattern(options: ShellOptions, value: string): void {
  const pattern = unquote(value)
  if (pattern === undefined) throw new ShellError('Invalid quoted string specified for --quoted-pattern.')
  options.pattern = pattern
}

/** The bytes of one quoted string, or of a word without quotes; undefined when it is neither. */
export function unquote(text: string): Buffer | undefined {
  const parts = splitArguments(Buffer.from(text))
  return parts?.length === 1 ? Buffer.from(parts[0]) : undefined
}

function tlsSetting(name: 'servername' | 'ciphers'): Flag['apply'] {
  return (options, value) => (options.tls = { ...options.tls, [name]: value })
}

function tlsFile(name: 'ca' | 'cert' | 'key'): Flag['apply'] {
  return (options, path) => {
    try {
      options.tls = { ...options.tls, [name]: readFileSync(path) }
    } catch (error) {
      throw new ShellError(`Can't open file '${path}': ${systemWords(error)}`)
    }
  }
}

function wholeNumber(name: string, value: string, least = Number.NEGATIVE_INFINITY): number {
  const number = Number(value)
  if (!/^-?\d+$/.test(value) || !Number.isSafeInteger(number) || number < least) {
    throw new ShellError(`Invalid number for ${name}: '${value}'`)
  }
  return number
}

function portOf(value: string): number {
  const port = Number(value)
  if (!/^\d+$/.test(value) || port > 65535) throw new ShellError('Invalid server port.')
  return port
}

function secondsOf(name: string, value: string): number {
  const seconds = Number(value)
  if (value === '' || !Number.isFinite(seconds) || seconds < 0) {
    throw new ShellError(`Invalid number for ${name}: '${value}'`)
  }
  return seconds
}

/** `redis://[[user]:password@]host[:port][/db]`; what it leaves out stays as it is. */
function applyUri(options: ShellOptions, uri: string): void {
  const match =
    /^(rediss?):\/\/(?:(?<userInfo>[^@/]*)@)?(?<host>\[[^\]]*\]|[^:/]*)(?::(?<port>\d*))?(?:\/(?<database>.*))?$/i.exec(
      uri,
    )
  if (!/^rediss?:\/\//i.test(uri)) throw new ShellError('Invalid URI scheme')
  if (match === null) throw new ShellError(`Invalid URI: '${uri}'`)
  const { userInfo, host = '', port = '', database = '' } = match.groups ?? {}
  if (match[1].length === 'rediss'.length) options.tls ??= {}
  if (userInfo !== undefined && userInfo !== '') {
    const colonAt = userInfo.indexOf(':')
    if (colonAt > 0) options.user = percentDecoded(userInfo.slice(0, colonAt))
    options.password = percentDecoded(userInfo.slice(colonAt + 1))
    options.isPasswordVisible = true
  }
  if (host !== '') options.host = host.replace(/^\[(.*)\]$/, '$1')
  if (port !== '') options.port = portOf(port)
  if (database !== '') options.database = wholeNumber('the database of the URI', database, 0)
}

function percentDecoded(text: string): string {
  if (text.endsWith('%')) throw new ShellError('Incomplete URI encoding')
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ShellError('Illegal character in URI encoding')
  }
}

const HELP_WIDTH = 28

/** The text of `headpond cli --help`. */
export function optionsHelp(): string {
  const lines = FLAG_GROUPS.flatMap(({ title, flags }) => [
    '',
    title,
    ...flags.map(({ names, value, help }) => {
      const head = `  ${names.join(', ')}${value === undefined ? '' : ` <${value}>`} `
      return head.length > HELP_WIDTH
        ? `${head.trimEnd()}\n${' '.repeat(HELP_WIDTH)}${help}`
        : head.padEnd(HELP_WIDTH) + help
    }),
  ])
  return `${USAGE}${lines.join('\n')}\n${EXAMPLES}`
}

const USAGE = `\
Usage: headpond cli [options] [command [argument ...]]

A client for any server that speaks the Redis protocol. Without a command it reads commands: from
the terminal with history, completion and hints, or line by line from what is piped in.
`

const EXAMPLES = `
Examples
  headpond cli set greeting hello
  headpond cli -p 7000 --json hgetall user:1
  cat photo.jpg | headpond cli -x set photo
  headpond cli -r 5 -i 1 incr ticks
  headpond cli --scan --pattern 'user:*'
  headpond cli --eval limiter.lua user:1 , 10 60
  headpond cli --pipe < commands.txt
`
