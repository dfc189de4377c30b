/**
 * Statements that do not come from a file: command line, environment, and the options of an embedding program.
 */

import { ConfigError, remedyForUnknown } from './config-error.ts'
import { directiveNames, directives, findDirective, KAFKA_PREFIX, type Settings } from './directives.ts'
import type { Statement } from './parse.ts'
import { splitArguments } from './quoting.ts'

export interface CommandLine {
  /** The configuration file; `-` for standard input. */
  readonly file: string | undefined
  readonly statements: readonly Statement[]
}

/**
 * `[file|-] [--directive [value ...]] ...`, as redis-server takes it: the values of a flag run up to the next word
 * that begins with `--`. The first value may begin so itself (`--proc-title-template --mine--`), but not where a flag says
 * something alone (`--ephemeral --port 7000`). A flag and its values may be one word (`"--maxmemory 1gb"`), or `--maxmemory=1gb`.
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const hasFile = argv.length > 0 && (argv[0] === '-' || !argv[0].startsWith('-'))
  const statements: Statement[] = []
  let args: string[] | undefined
  let needsValue = false
  for (const word of hasFile ? argv.slice(1) : argv) {
    if (word.startsWith('--') && !needsValue) {
      const flag = flagOf(word)
      args = [...flag.args]
      statements.push({ name: flag.name.slice(2).toLowerCase(), args, place: flag.name, origin: 'flag' })
      needsValue = args.length === 0 && saysNothingAlone(flag.name.slice(2).toLowerCase())
    } else if (args !== undefined) {
      args.push(word)
      needsValue = false
    } else if (findDirective(word) !== undefined) {
      // Redis takes what follows the file for a line of it.
      args = []
      statements.push({ name: word.toLowerCase(), args, place: word, origin: 'flag' })
    } else {
      const problem = word.startsWith('-') ? 'unknown flag' : 'unexpected argument'
      throw new ConfigError(word, problem, 'Usage: headpond [file|-] [--directive value ...]; see headpond --help')
    }
  }
  return { file: hasFile ? argv[0] : undefined, statements: statements.map(withBareValue) }
}

/** `--maxmemory`, `--maxmemory=1gb` or `--maxmemory 1gb`. */
function flagOf(word: string): { name: string; args: readonly string[] } {
  const [name] = /^[^=\s]+/.exec(word)!
  if (word[name.length] === '=') return { name, args: [word.slice(name.length + 1)] }
  return { name, args: splitText(word.slice(name.length), name) }
}

function saysNothingAlone(name: string): boolean {
  const directive = findDirective(name)
  return directive !== undefined && directive.type.whenBare === undefined
}

/** `--ephemeral` means `--ephemeral yes`. */
function withBareValue(statement: Statement): Statement {
  const whenBare = statement.args.length === 0 ? findDirective(statement.name)?.type.whenBare : undefined
  return whenBare === undefined ? statement : { ...statement, args: [whenBare] }
}

const VARIABLE_PREFIX = 'HEADPOND_'
const KAFKA_VARIABLE_PREFIX = `${VARIABLE_PREFIX}KAFKA_`

const nameByVariable: ReadonlyMap<string, string> = new Map(directiveNames.map((name) => [variableOf(name), name]))

function variableOf(name: string): string {
  return VARIABLE_PREFIX + name.toUpperCase().replace(/[-.]/g, '_')
}

/**
 * `HEADPOND_MAXMEMORY=1gb`. A list is cut into arguments as a line of a file is (`HEADPOND_SAVE='3600 1 300 100'`);
 * any other value is taken as it stands. An empty variable counts as not set.
 */
export function parseEnvironment(env: Readonly<Record<string, string | undefined>>): Statement[] {
  const statements: Statement[] = []
  for (const variable of Object.keys(env).sort()) {
    const value = env[variable]
    if (!variable.startsWith(VARIABLE_PREFIX) || value === undefined || value === '') continue
    if (isServiceLink(variable, value)) continue
    const name = nameByVariable.get(variable) ?? kafkaName(variable)
    if (name === undefined) {
      const remedy = remedyForUnknown(variable.slice(VARIABLE_PREFIX.length), variableOf)
      throw new ConfigError(variable, 'there is no such directive', remedy)
    }
    statements.push({ name, args: argsOfVariable(name, value, variable), place: variable, origin: 'variable' })
  }
  return statements
}

/** Kubernetes and Docker put the address of a service called "headpond" into variables that look like ours. */
function isServiceLink(variable: string, value: string): boolean {
  if (/_SERVICE_(HOST|PORT(_.+)?)$/.test(variable)) return true
  if (/_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(variable)) return true
  return variable.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value)
}

function kafkaName(variable: string): string | undefined {
  const isKafka = variable.startsWith(KAFKA_VARIABLE_PREFIX) && variable.length > KAFKA_VARIABLE_PREFIX.length
  return isKafka
    ? KAFKA_PREFIX + variable.slice(KAFKA_VARIABLE_PREFIX.length).toLowerCase().replaceAll('_', '.')
    : undefined
}

const WORDS_OF_ENVIRONMENTS: ReadonlyMap<string, string> = new Map([
  ['true', 'yes'],
  ['1', 'yes'],
  ['false', 'no'],
  ['0', 'no'],
])

function argsOfVariable(name: string, value: string, variable: string): readonly string[] {
  const type = findDirective(name)?.type
  // Container files say `true` and `1` where a configuration file says `yes`.
  if (type?.whenBare === 'yes') return [WORDS_OF_ENVIRONMENTS.get(value.toLowerCase()) ?? value]
  return type?.isList ? splitText(value, variable) : [value]
}

function splitText(list: string, place: string): string[] {
  const words = splitArguments(Buffer.from(list))
  if (words === undefined) {
    throw new ConfigError(place, 'unbalanced quotes', 'Close each quote, and leave a space after it.')
  }
  return words.map((word) => Buffer.from(word).toString())
}

type OptionValue = string | number | boolean | readonly (string | number)[]

/**
 * Directives as an embedding program gives them: under the names of `Settings`, or `kafka.` names in quotes. Values
 * are what a file says (`'1gb'`), or numbers and booleans that mean the same.
 */
export type DirectiveOptions = {
  readonly [Key in keyof Settings | `${typeof KAFKA_PREFIX}${string}`]?: OptionValue | undefined
}

const nameByKey: ReadonlyMap<string, string> = new Map(directives.map((directive) => [directive.key, directive.name]))

export function parseOptions(options: DirectiveOptions): Statement[] {
  const statements: Statement[] = []
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue
    const name = nameByKey.get(key) ?? key.toLowerCase()
    const place = `option ${key}`
    statements.push({ name, args: argsOfOption(name, value, place), place, origin: 'option' })
  }
  return statements
}

function argsOfOption(name: string, value: OptionValue, place: string): readonly string[] {
  refuseUnfit(value, place)
  // Kafka says true and false, and puts commas into its lists.
  if (name.startsWith(KAFKA_PREFIX)) return [String(value)]
  if (typeof value === 'boolean') {
    // Nobody means the password "yes".
    const type = findDirective(name)?.type
    if (type?.isFreeText || type?.isList) throw new ConfigError(place, `cannot be ${value}`, type.remedy)
    return [value ? 'yes' : 'no']
  }
  if (typeof value === 'object') return value.length === 0 ? [''] : value.map(String)
  const isLine = value !== '' && findDirective(name)?.type.isList
  return isLine ? splitText(String(value), place) : [String(value)]
}

/** Who writes JavaScript is not kept by types from giving what would become the text "null" or "[object Object]". */
function refuseUnfit(value: unknown, place: string): void {
  for (const part of Array.isArray(value) ? value : [value]) {
    if (['string', 'boolean', 'bigint'].includes(typeof part) || Number.isFinite(part)) continue
    const kind = typeof part === 'number' || part == null ? String(part) : `a value of type ${typeof part}`
    throw new ConfigError(place, `cannot be ${kind}`, 'Write text, a number, true or false, or an array of these.')
  }
}
