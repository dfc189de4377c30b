/** A PostgreSQL of the test's own, in a directory of its own with its socket, where its programs are installed. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where Debian keeps it. */
const INSTALLED = '/usr/lib/postgresql'
/** PostgreSQL refuses to run as root; Debian's package makes this user. */
const USER = 'postgres'

function programs(): string | undefined {
  if (!existsSync(INSTALLED)) return undefined
  const version = readdirSync(INSTALLED).sort().at(-1)
  const directory = join(INSTALLED, version ?? '', 'bin')
  return existsSync(join(directory, 'initdb')) ? directory : undefined
}

/** Why there cannot be one here; false when there can. */
export function postgresProblem(): string | false {
  if (programs() === undefined) return 'PostgreSQL is not installed (apt-get install postgresql)'
  if (process.getuid?.() !== 0) return false
  try {
    execFileSync('runuser', ['-u', USER, 'true'], { stdio: 'ignore' })
    return false
  } catch {
    return `as root it needs a user ${USER}`
  }
}

export async function startPostgres(): Promise<{ url: string; stop: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'jackpot-postgres-'))
  chmodSync(directory, 0o777)
  const data = join(directory, 'data')
  const bin = programs()!
  const asUser = (program: string, args: string[]): [string, string[]] =>
    process.getuid?.() === 0 ? ['runuser', ['-u', USER, '--', join(bin, program), ...args]] : [join(bin, program), args]
  execFileSync(...asUser('initdb', ['-D', data, '-U', USER, '-A', 'trust', '--no-sync']), { stdio: 'ignore' })
  const child = spawn(...asUser('postgres', ['-D', data, '-k', directory, '-c', 'listen_addresses=']), {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      output += chunk
      if (output.includes('database system is ready to accept connections')) resolve()
    })
    child.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${output}`)))
  })
  return {
    url: `postgres://${USER}@${encodeURIComponent(directory)}/postgres`,
    stop: async () => {
      const ended = once(child, 'exit')
      execFileSync(...asUser('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']), { stdio: 'ignore' })
      await ended
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
