import { MEMCACHED_VERSION } from '../../memcached/settings.ts'
import { HEADPOND_VERSION } from '../../server/version.ts'
import { extendedOptions } from './extended-options.ts'
import { flags } from './flags.ts'

/** Scripts read the version that clients are told, in memcached's form. */
export function versionText(): string {
  return `memcached ${MEMCACHED_VERSION} (Headpond ${HEADPOND_VERSION})\n`
}

export function licenseText(): string {
  return `Headpond ${HEADPOND_VERSION}, under the Apache License, Version 2.0\n`
}

const COLUMN = 33

export function helpText(): string {
  const entry = (head: string, summary: string) =>
    head.length < COLUMN ? `${head.padEnd(COLUMN)}${summary}` : `${head}\n${' '.repeat(COLUMN)}${summary}`
  const lines = flags.map(({ short, long, argument, summary }) => {
    const value = argument === undefined ? '' : `<${argument}>`
    const head = long === undefined ? `-${short} ${value}` : `-${short}, --${long}${value === '' ? '' : `=${value}`}`
    return entry(head.trimEnd(), summary)
  })
  const effective = extendedOptions.filter(({ summary }) => summary !== 'no effect')
  const others = extendedOptions.filter(({ summary }) => summary === 'no effect')
  return [
    versionText().trimEnd(),
    "memcached's protocols and flags, on Headpond. Nothing is kept on disk; HEADPOND_PORT=<num> serves the same items to",
    'clients of Redis as database 0, and every other directive can be set by its variable (see headpond --help).',
    '',
    ...lines,
    entry('-h, --help', 'print this help and exit'),
    entry('-i, --license', 'print the license and exit'),
    entry('-V, --version', 'print version and exit'),
    '',
    'Extended options (-o):',
    ...effective.map(({ name, summary }) => entry(`   - ${name}:`, summary)),
    '',
    'Taken and without effect:',
    ...wrapped(others.map(({ name }) => name)),
    '',
  ].join('\n')
}

function wrapped(words: readonly string[]): string[] {
  const lines: string[] = []
  let line = '  '
  for (const word of words) {
    if (line.length + word.length > 110) {
      lines.push(line)
      line = '  '
    }
    line += ` ${word}`
  }
  return [...lines, line]
}
