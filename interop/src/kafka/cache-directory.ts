import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where what tests install on demand is kept from one run to the next, outside of the repository and its lock file. */
export function cacheDirectory(name: string): string {
  const root = process.env['HEADPOND_INTEROP_CACHE'] ?? join(homedir(), '.cache', 'headpond')
  const directory = join(root, name)
  mkdirSync(directory, { recursive: true })
  return directory
}
