import { type Directive, directives } from './directives.ts'

const WIDTH = 100
/** Where summaries begin; a flag that is longer has its summary on the next line. */
const SUMMARY_AT = 40

const USAGE = `\
Usage: headpond [path/to/headpond.conf | -] [--directive value ...] ...

A server that speaks the Redis protocol. Configuration is redis.conf syntax; - reads it from
standard input. A directive can stand in that file (maxmemory 1gb), on the command line
(--maxmemory 1gb) and in the environment (HEADPOND_MAXMEMORY=1gb); most can be changed while
running, by CONFIG SET. The command line counts over the environment, the environment over the file.

  headpond --port 7000 --ephemeral
  headpond /etc/redis/redis.conf --maxclients 500 --save 3600 1 300 100

A port is 1 to 65535, auto (any free port) or 0 (do not listen). Sizes take units: 1kb is 1024
bytes, 1k is 1000. Kafka's broker settings stand under their own names behind "kafka.":
kafka.log.retention.ms 604800000.
`

/** What the executable offers beside the server. */
export interface SubcommandHelp {
  readonly name: string
  readonly usage: string
  readonly summary: string
}

/** The text of `headpond --help`: what acts with its meaning, what does not by its name. */
export function helpText(subcommands: readonly SubcommandHelp[] = []): string {
  const shown = directives.filter((directive) => !directive.hidden)
  const acting = shown.filter((directive) => directive.acting === true)
  const sections = [...new Set(acting.map((directive) => directive.section))]
  return [
    USAGE,
    ...subcommands.flatMap(({ name, usage, summary }) => entry(`headpond ${name} ${usage}`, summary)),
    ...(subcommands.length > 0 ? [''] : []),
    ...entry('--help', 'Show this text'),
    ...entry('--version', 'Show the version'),
    ...sections.flatMap((section) => [
      '',
      section,
      ...acting.filter((directive) => directive.section === section).flatMap(describe),
    ]),
    '',
    'Accepted, not acting yet',
    ...fill('  ', namesOf(shown, false)),
    '',
    'Accepted for the sake of existing files; what they tune does not exist here',
    ...fill('  ', namesOf(shown, 'never')),
    '',
  ].join('\n')
}

function namesOf(shown: readonly Directive[], acting: Directive['acting']): string[] {
  return shown.filter((directive) => directive.acting === acting).map((directive) => directive.name)
}

function describe(directive: Directive): string[] {
  const summary = directive.default === '' ? directive.summary : `${directive.summary} (${directive.default})`
  return entry(`--${directive.name} ${directive.type.placeholder}`, summary)
}

function entry(flag: string, summary: string): string[] {
  const indent = ' '.repeat(SUMMARY_AT)
  const lines = fill(indent, summary.split(' '))
  const head = `  ${flag} `
  if (head.length > SUMMARY_AT) return [head.trimEnd(), ...lines]
  return [head.padEnd(SUMMARY_AT) + lines[0].trimStart(), ...lines.slice(1)]
}

/** Words in lines as long as the width allows. */
function fill(indent: string, words: readonly string[]): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of words) {
    if (line !== '' && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(indent + line)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  return [...lines, indent + line]
}
