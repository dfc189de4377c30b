import type { ConnectionOptions } from 'node:tls'
import type { RemoteAddress } from '../../net/remote-socket.ts'
import type { Credentials } from '../../resp/replication-link.ts'
import { type TlsFileFlags, tlsOptions } from '../tls-flags.ts'
import { ImportError } from './import-error.ts'

export interface ServerUrl {
  /** Without the password, for messages. */
  readonly text: string
  readonly address: RemoteAddress
  readonly credentials: Credentials | null
}

export interface ImportOptions {
  readonly source: { readonly file: string } | { readonly server: ServerUrl }
  readonly target: { readonly directory: string } | { readonly server: ServerUrl }
  readonly follows: boolean
  /** What to do with keys that are there already. */
  readonly existing: 'refuse' | 'replace' | 'merge'
  readonly databaseCount: number
}

export const IMPORT_USAGE = `Usage: headpond import <source> [options]

Brings all data of another server here: keys of all databases with their expiries, and functions.

Source
  redis://[[user:]password@]host[:port]    a running server, as it is now, by its replication protocol
  rediss://...                             the same over TLS
  dump.rdb                                 a snapshot that Redis, Valkey or Headpond wrote

Options
  --to <url>           Into a server that is running, at redis://... or rediss://...
  --dir <directory>    Into a data directory, for the server that is started on it afterwards (./headpond-data)
  --follow             Then stay in sync, change by change, until stopped (Ctrl-C, SIGTERM)
  --replace            Delete what is there already
  --merge              Keep what is there already; keys of the same name are replaced
  --databases <n>      Databases of the data directory (16)
  --cacert <file>      Certificates of authorities to trust, for rediss://
  --cert <file>, --key <file>    Certificate of this client, and its private key
  --insecure           Do not check certificates of servers

A password may also stand in the environment, as HEADPOND_AUTH or REDISCLI_AUTH: it is the source's.
Exit code: 0 when everything is there, 1 otherwise.
`

const DEFAULT_DIRECTORY = './headpond-data'
const DEFAULT_PORT = 6379
const DATABASES_MAX = 1024

/** Reads the command line; null when the help is asked for. Throws ImportError. */
export function parseImportOptions(argv: readonly string[], env: NodeJS.ProcessEnv): ImportOptions | null {
  const words: string[] = []
  const flags = new Map<string, string>()
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]
    if (!word.startsWith('-')) {
      words.push(word)
      continue
    }
    if (word === '--help' || word === '-h') return null
    const takesValue = FLAGS[word]
    if (takesValue === undefined) throw new ImportError(`unknown option ${word}`)
    if (takesValue && at + 1 === argv.length) throw new ImportError(`${word} needs a value`)
    flags.set(word, takesValue ? argv[++at] : '')
  }
  if (words.length !== 1) throw new ImportError(words.length === 0 ? 'import from where?' : 'one source at a time')
  const has = (name: string) => flags.has(name)
  if (has('--to') && has('--dir')) throw new ImportError('either --to a server or --dir, a directory')
  if (has('--replace') && has('--merge')) throw new ImportError('either --replace or --merge')
  const tls = tlsOptions(
    TLS_FILES,
    (flag) => flags.get(flag),
    (message) => new ImportError(message),
  )
  const password = env['HEADPOND_AUTH'] ?? env['REDISCLI_AUTH']
  const source = isUrl(words[0]) ? { server: parseServerUrl(words[0], tls, password) } : { file: words[0] }
  const to = flags.get('--to')
  const options: ImportOptions = {
    source,
    target:
      to === undefined ? { directory: flags.get('--dir') ?? DEFAULT_DIRECTORY } : { server: parseServerUrl(to, tls) },
    follows: has('--follow'),
    existing: has('--replace') ? 'replace' : has('--merge') ? 'merge' : 'refuse',
    databaseCount: databaseCount(flags.get('--databases') ?? '16'),
  }
  if (options.follows && 'file' in source)
    throw new ImportError('--follow needs a running server: a file does not change')
  if (options.follows && options.existing === 'merge') {
    throw new ImportError('--follow keeps the target equal to the source, so nothing can be merged: --replace deletes')
  }
  return options
}

const TLS_FILES: TlsFileFlags = [
  ['--cacert', 'ca'],
  ['--cert', 'cert'],
  ['--key', 'key'],
]

/** Whether it takes a value. */
const FLAGS: Readonly<Record<string, boolean>> = {
  '--to': true,
  '--dir': true,
  '--follow': false,
  '--replace': false,
  '--merge': false,
  '--databases': true,
  '--cacert': true,
  '--cert': true,
  '--key': true,
  '--insecure': false,
}

function databaseCount(text: string): number {
  const count = Number(text)
  if (!/^\d+$/.test(text) || count < 1 || count > DATABASES_MAX) {
    throw new ImportError(`--databases: a number from 1 to ${DATABASES_MAX}, not ${text}`)
  }
  return count
}

function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
}

/** `redis://[[user:]password@]host[:port]`. The password of the URL goes before the other. Throws ImportError. */
function parseServerUrl(text: string, tls: ConnectionOptions = {}, password?: string): ServerUrl {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new ImportError('an address is written redis://[[user:]password@]host[:port]')
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw new ImportError(`${url.protocol}// is not known: an address begins with redis:// or rediss://`)
  }
  if (!/^\/?0?$/.test(url.pathname)) {
    throw new ImportError(`all databases are imported: leave out ${url.pathname} of the address`)
  }
  const host = url.hostname === '' ? '127.0.0.1' : url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port)
  const isEncrypted = url.protocol === 'rediss:'
  return {
    text: `${url.protocol}//${host.includes(':') ? `[${host}]` : host}:${port}`,
    address: { host, port, ...(isEncrypted ? { tls } : {}) },
    credentials: credentialsOf(url, password),
  }
}

function credentialsOf(url: URL, otherPassword: string | undefined): Credentials | null {
  try {
    const user = decodeURIComponent(url.username)
    const password = decodeURIComponent(url.password)
    if (password !== '') return { user: user === '' ? undefined : user, password }
    // redis://secret@host: a name alone is the password, unless there is one elsewhere.
    if (otherPassword !== undefined) return { user: user === '' ? undefined : user, password: otherPassword }
    return user === '' ? null : { user: undefined, password: user }
  } catch {
    throw new ImportError('the user or the password of an address is not written correctly: % needs two hex digits')
  }
}
