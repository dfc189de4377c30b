/**
 * The configuration in force. Sources count in this order, later ones over earlier ones:
 *
 *   defaults < defaults of the program < configuration file < HEADPOND_* variables < command line < options of an embedding program
 *
 * Directives that accumulate (`save`, `user` ...) do so across all sources, as if all were one file: this is what
 * redis-server makes of a file and flags.
 *
 * Nothing is read when the module is loaded, and nothing is shared between two configurations.
 */

import { isAbsolute, resolve } from 'node:path'
import { globMatch } from '../bytes/glob.ts'
import { ConfigError, remedyForUnknown } from './config-error.ts'
import {
  type Directive,
  type DirectiveName,
  directives,
  findDirective,
  KAFKA_PREFIX,
  OWN_SECTION,
  type SettingOf,
  type Settings,
} from './directives.ts'
import { type ConfigFiles, diskFiles, systemMessage } from './files.ts'
import { parseStatements, readStatements, type Statement } from './parse.ts'
import { quoteText, splitArguments } from './quoting.ts'
import { type RewrittenDirective, rewriteText } from './rewrite.ts'
import { type DirectiveOptions, parseCommandLine, parseEnvironment, parseOptions } from './sources.ts'
import { WRONG_COUNT } from './value-types.ts'

export interface ConfigSources {
  /** The command line without interpreter and script: `process.argv.slice(2)`. */
  readonly argv?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly options?: DirectiveOptions
  /** What this program takes for what no source has set, in place of the table's defaults. */
  readonly defaults?: (config: Config) => DirectiveOptions
  readonly files?: ConfigFiles
  readonly workingDirectory?: string
}

/**
 * Called when a value has changed, with `settings` showing it already. A returned text refuses the change, in the words
 * that the client of CONFIG SET is to read: the old value is put back, and listeners that had agreed are called again
 * with it. A promise does the same later, for what cannot be done at once, such as listening on another port.
 */
export type ChangeListener<V> = (value: V, previous: V) => Refusal | Promise<Refusal>
type Refusal = string | undefined

/** What a broker that runs knows of its settings: names are without `kafka.`. */
export interface KafkaSettings {
  /** Why a directive cannot be changed to this, in the words that the client of CONFIG SET is to read. */
  refuseChange(name: string, text: string): string | undefined
  /** After the directives' values were changed by CONFIG SET. A reason means that they cannot be, and are put back. */
  directivesChanged(names: readonly string[]): string | undefined
  /** The value in force; undefined when there is no such setting. */
  shown(name: string): string | undefined
  /** Those with a value other than by default. */
  namesSet(): readonly string[]
}

export interface SetContext {
  /** Whether the client is on this machine: `enable-protected-configs local` asks. */
  readonly isLocalClient?: boolean
}

/** A value that CONFIG SET is about to put in force. */
interface Change {
  readonly directive: Directive
  readonly previous: unknown
  readonly value: unknown
  /** As the client called it, in lower case: an alias stays one. */
  readonly shownName: string
}

interface KafkaChange {
  readonly name: string
  readonly previous: string | undefined
  readonly value: string
}

/** A directive that says where a protocol is spoken. */
export type PortDirective = 'port' | 'tls-port' | 'memcached-port' | 'kafka-port'

export class Config {
  /** Live: CONFIG SET changes its values in place. Reading one is a property load. */
  readonly settings: Settings
  /** The configuration file's absolute path; undefined without one, and for standard input. */
  readonly file: string | undefined
  readonly #files: ConfigFiles
  readonly #workingDirectory: string
  readonly #kafka = new Map<string, string>()
  /** Set while a broker runs; without one, `kafka.` directives are kept as they are. */
  kafkaSettings: KafkaSettings | undefined
  /** Sets `kafkaSettings`, where a broker is to run as soon as somebody needs it: CONFIG SET of its settings does. */
  loadKafkaSettings: (() => Promise<void>) | undefined
  /** Directives that some source has set. */
  readonly #isSet = new Set<DirectiveName>()
  readonly #listeners = new Map<DirectiveName, ChangeListener<never>[]>()
  readonly #boundPorts = new Map<DirectiveName, number>()
  readonly #lineSources = new Map<DirectiveName, () => readonly string[]>()
  /** The last CONFIG SET that waits for a listener: the next one waits for it. */
  #lastSet: Promise<unknown> | undefined

  /** Throws ConfigError. */
  static load(sources: ConfigSources = {}): Config {
    return new Config(sources)
  }

  private constructor(sources: ConfigSources) {
    this.#files = sources.files ?? diskFiles
    this.#workingDirectory = resolve(sources.workingDirectory ?? process.cwd())
    // Object.fromEntries, because it alone gives V8 an object of this many properties that is not a hash table: reading
    // one of 260 settings costs 1 ns instead of 20.
    this.settings = Object.fromEntries(
      directives.map((directive) => [directive.key, this.#absolute(directive, directive.defaultValue)]),
    ) as unknown as Settings

    const commandLine = parseCommandLine(sources.argv ?? [])
    const context = { files: this.#files, workingDirectory: this.#workingDirectory }
    const { file } = commandLine
    if (file === '-') {
      this.#adopt(parseStatements(this.#files.readStandardInput(), 'standard input', context))
    } else if (file !== undefined) {
      this.file = resolve(this.#workingDirectory, file)
      this.#adopt(readStatements(file, context))
    }
    this.#adopt(parseEnvironment(sources.env ?? {}))
    this.#adopt(commandLine.statements)
    this.#adopt(parseOptions(sources.options ?? {}))
    this.#adoptDefaults(parseOptions(sources.defaults?.(this) ?? {}))
  }

  /** They count as defaults: CONFIG SET and flags that accumulate begin anew. */
  #adoptDefaults(statements: readonly Statement[]): void {
    const isSet = (name: string) => this.#isSet.has(name as DirectiveName) || this.#kafka.has(kafkaNameOf(name))
    const unset = statements.filter(({ name }) => !isSet(name))
    this.isKafkaSet = this.#kafka.size > 0
    this.#adopt(unset)
    for (const { name } of unset) this.#isSet.delete(name as DirectiveName)
  }

  /** Whether some source has set a setting of Kafka's broker. */
  isKafkaSet = false

  /** Broker settings of Kafka that were set, under their names without the prefix. */
  get kafka(): ReadonlyMap<string, string> {
    return this.#kafka
  }

  /** Whether a listener of Kafka's wants clients to log in: these are decided at the start. */
  get asksForSasl(): boolean {
    return ['listeners', 'listener.security.protocol.map'].some((name) => /SASL_/i.test(this.#kafka.get(name) ?? ''))
  }

  /** Whether some source, or CONFIG SET since, has set this directive; false where the default is in force. */
  isSet(name: DirectiveName): boolean {
    return this.#isSet.has(name)
  }

  /** Directives that were set and do nothing yet, because the part that they speak of is not there. */
  notYetActing(): string[] {
    const names: string[] = directives
      .filter((directive) => directive.acting === false && this.#isSet.has(directive.name))
      .map((directive) => directive.name)
    const ofKafka = this.settings.kafkaPort === 0 ? [...this.#kafka.keys()] : []
    return [...names, ...ofKafka.map((name) => KAFKA_PREFIX + name)]
  }

  /** The port that `auto` turned out to be: CONFIG GET shows it from now on, while CONFIG REWRITE keeps `auto`. */
  setBoundPort(name: PortDirective, port: number): void {
    this.#boundPorts.set(name, port)
  }

  /**
   * CONFIG GET: names and values of what the patterns match, each name once. A name without wildcards is shown in the
   * asker's own spelling, as in Redis, and finds hidden directives too.
   */
  get(patterns: readonly string[]): [name: string, value: string][] {
    const found = new Map<string, [string, string]>()
    for (const pattern of patterns) {
      if (/[*?[]/.test(pattern)) {
        for (const [name, value] of this.#parameters()) {
          if (!found.has(name) && matches(pattern, name)) found.set(name, [name, value])
        }
        continue
      }
      const name = pattern.toLowerCase()
      const value = this.#shown(name)
      if (value !== undefined && !found.has(name)) found.set(name, [pattern, value])
    }
    return [...found.values()]
  }

  /**
   * CONFIG SET: all of the pairs or none. Returns undefined when done, or the error that the client is to read; a
   * promise of it only where a listener needs time, or while an earlier CONFIG SET still does.
   */
  set(
    pairs: readonly (readonly [name: string, value: string])[],
    context: SetContext = {},
  ): Refusal | Promise<Refusal> {
    const isOfKafka = pairs.some(([name]) => name.toLowerCase().startsWith(KAFKA_PREFIX))
    if (isOfKafka && this.kafkaSettings === undefined && this.loadKafkaSettings !== undefined) {
      return this.loadKafkaSettings().then(() => this.set(pairs, context))
    }
    // Changes that overlap in time could roll back each other's values.
    const result = this.#lastSet?.then(() => this.#setNow(pairs, context)) ?? this.#setNow(pairs, context)
    if (!(result instanceof Promise)) return result
    const settled = result
      .catch(() => {})
      .then(() => {
        if (this.#lastSet === settled) this.#lastSet = undefined
      })
    this.#lastSet = settled
    return result
  }

  /** Calls the listener after each change by CONFIG SET. Returns a function that ends it. */
  onChange<Name extends DirectiveName>(name: Name, listener: ChangeListener<SettingOf<Name>>): () => void {
    const listeners = this.#listeners.get(name) ?? []
    this.#listeners.set(name, listeners)
    listeners.push(listener as ChangeListener<never>)
    return () => {
      const at = listeners.indexOf(listener as ChangeListener<never>)
      if (at >= 0) listeners.splice(at, 1)
    }
  }

  /** Lets CONFIG REWRITE ask for the lines of a directive whose values live elsewhere: what follows its name in each. */
  rewriteLines(name: DirectiveName, source: () => readonly string[]): void {
    this.#lineSources.set(name, source)
  }

  /**
   * CONFIG REWRITE: writes what is in force into the configuration file. Returns undefined when done, or the error that
   * the client is to read. Blocks until the file is on disk, as in Redis.
   * @param isWhole writes directives too that have their defaults and no line in the file
   */
  rewrite(isWhole = false): Refusal {
    if (this.file === undefined) return 'ERR The server is running without a config file'
    try {
      const rewritten = rewriteText(this.#readOrEmpty(this.file), this.#rewrittenDirectives(isWhole), ownNameOf)
      this.#files.replace(this.file, rewritten)
      return undefined
    } catch (error) {
      return `ERR Rewriting config file: ${systemMessage(error)}`
    }
  }

  #adopt(statements: readonly Statement[]): void {
    for (const statement of statements) {
      if (statement.name.startsWith(KAFKA_PREFIX)) {
        this.#kafka.set(statement.name.slice(KAFKA_PREFIX.length), statement.args.join(' '))
      } else if (statement.name === 'include') {
        // Of a flag, variable or option: those of files have been read in their place.
        this.#adopt(this.#readIncluded(statement))
      } else {
        this.#adoptOne(statement)
      }
    }
  }

  #readIncluded(statement: Statement): Statement[] {
    const [path] = statement.args
    if (statement.args.length !== 1) {
      throw new ConfigError(statement.place, 'wrong number of arguments', 'Write one path.')
    }
    return readStatements(path, { files: this.#files, workingDirectory: this.#workingDirectory })
  }

  #adoptOne(statement: Statement): void {
    const directive = findDirective(statement.name)
    if (directive === undefined) {
      const isFlag = statement.origin === 'flag'
      const problem = isFlag ? 'there is no such directive' : `there is no directive '${statement.name}'`
      const remedy = remedyForUnknown(statement.name, (name) => (isFlag ? `--${name}` : `'${name}'`))
      throw new ConfigError(statement.place, problem, remedy)
    }
    const { type } = directive
    const args = wordsOf(directive, statement.args)
    const parsed = type.parse(args, this.#value(directive), this.#isSet.has(directive.name))
    if ('problem' in parsed) {
      const usage = parsed === WRONG_COUNT ? `Write: ${directive.name} ${type.placeholder}` : undefined
      throw badStatement(statement, directive, parsed.problem, type.remedy ?? usage)
    }
    this.#assign(directive, this.#absolute(directive, parsed.value))
    this.#isSet.add(directive.name)
  }

  #value(directive: Directive): unknown {
    return this.settings[directive.key]
  }

  #assign(directive: Directive, value: unknown): void {
    ;(this.settings as Record<keyof Settings, unknown>)[directive.key] = value
  }

  /** The path of a file that a directive names. Redis changes into `dir`, if that is set. */
  absolutePath(path: string): string {
    if (isAbsolute(path)) return path
    return resolve(this.#workingDirectory, this.isSet('dir') ? this.settings.dir : '.', path)
  }

  /** Redis changes into `dir`, and CONFIG GET shows an absolute path that clients may rely on. */
  #absolute(directive: Directive, value: unknown): unknown {
    const isRelative = directive.name === 'dir' && !isAbsolute(value as string)
    return isRelative ? resolve(this.#workingDirectory, value as string) : value
  }

  /** All parameters that a pattern of CONFIG GET may match, aliases after their directive. */
  *#parameters(): Generator<[name: string, value: string]> {
    for (const directive of directives) {
      if (directive.fileOnly || directive.hidden) continue
      const value = this.#format(directive)
      for (const name of [directive.name, ...directive.aliases]) yield [name, value]
    }
    const names = this.kafkaSettings?.namesSet() ?? this.#kafka.keys()
    for (const name of names) yield [KAFKA_PREFIX + name, this.#shownOfKafka(name) ?? '']
  }

  #shownOfKafka(name: string): string | undefined {
    return this.kafkaSettings?.shown(name) ?? this.#kafka.get(name)
  }

  #shown(name: string): string | undefined {
    if (name.startsWith(KAFKA_PREFIX)) return this.#shownOfKafka(name.slice(KAFKA_PREFIX.length))
    const directive = findDirective(name)
    return directive === undefined || directive.fileOnly ? undefined : this.#format(directive)
  }

  #format(directive: Directive): string {
    const value = this.#value(directive)
    const boundPort = value === 'auto' ? this.#boundPorts.get(directive.name) : undefined
    return boundPort === undefined ? directive.type.format(value) : String(boundPort)
  }

  #setNow(pairs: readonly (readonly [string, string])[], context: SetContext): Refusal | Promise<Refusal> {
    const refused = this.#refuseBeforeParsing(pairs, context)
    if (refused !== undefined) return refused

    const changes: Change[] = []
    const kafkaChanges: KafkaChange[] = []
    for (const [spelling, text] of pairs) {
      const shownName = spelling.toLowerCase()
      const directive = findDirective(shownName)
      if (directive === undefined) {
        const name = shownName.slice(KAFKA_PREFIX.length)
        const problem = this.kafkaSettings?.refuseChange(name, text)
        if (problem !== undefined) return failed(shownName, problem)
        kafkaChanges.push({ name, previous: this.#kafka.get(name), value: text })
        continue
      }
      if (directive.startOnly) continue // and unchanged
      const args = directive.type.isList ? text.split(' ') : [text]
      // An alias may set again what its directive has just set, so the value before is that of the last change.
      const previous = changes.findLast((change) => change.directive === directive)?.value ?? this.#value(directive)
      const parsed = directive.type.parse(args, previous, false)
      const problem = 'problem' in parsed ? parsed.problem : this.#refuseValue(directive, parsed.value)
      if (problem !== undefined) return failed(shownName, problem)
      if ('value' in parsed) {
        changes.push({ directive, previous, value: this.#absolute(directive, parsed.value), shownName })
      }
    }

    const wasSet = changes.filter(({ directive }) => this.#isSet.has(directive.name)).map(({ directive }) => directive)
    for (const { directive, value } of changes) {
      this.#assign(directive, value)
      this.#isSet.add(directive.name)
    }
    for (const { name, value } of kafkaChanges) this.#kafka.set(name, value)
    const refusal = this.#tellKafka(kafkaChanges)
    const effective = changes.filter(
      ({ directive, previous, value }) =>
        directive.namesFile || directive.type.format(previous) !== directive.type.format(value),
    )

    const undo = () => {
      for (const { directive, previous } of changes.toReversed()) {
        this.#assign(directive, previous)
        if (!wasSet.includes(directive)) this.#isSet.delete(directive.name)
      }
      for (const { name, previous } of kafkaChanges.toReversed()) {
        if (previous === undefined) this.#kafka.delete(name)
        else this.#kafka.set(name, previous)
      }
      this.#tellKafka(kafkaChanges)
    }
    if (refusal !== undefined) {
      undo()
      return failed(`kafka.${kafkaChanges[0].name}`, refusal)
    }
    return this.#tell(effective, undo)
  }

  #tellKafka(changes: readonly KafkaChange[]): Refusal {
    return changes.length === 0 ? undefined : this.kafkaSettings?.directivesChanged(changes.map(({ name }) => name))
  }

  /** What Redis finds before it looks at any value, pair by pair. */
  #refuseBeforeParsing(pairs: readonly (readonly [string, string])[], context: SetContext): Refusal {
    const names = new Set<string>()
    for (const [spelling, text] of pairs) {
      const name = spelling.toLowerCase()
      const isKafka = name.startsWith(KAFKA_PREFIX) && name.length > KAFKA_PREFIX.length
      const directive = findDirective(name)
      if (!isKafka && (directive === undefined || directive.fileOnly)) {
        return `ERR Unknown option or number of arguments for CONFIG SET - '${spelling}'`
      }
      if (directive?.startOnly && !this.#isOwnAndUnchanged(directive, name, text))
        return failed(spelling, "can't set immutable config")
      if (directive?.guarded && !this.#allowsGuarded(context)) return failed(spelling, "can't set protected config")
      if (names.has(name)) return failed(spelling, 'duplicate parameter')
      names.add(name)
    }
    return undefined
  }

  /**
   * What sets every parameter to what it is (Redis's own tests) leaves out those of Redis 7.0 that are fixed, and does not
   * know the others: ours, and names that came later. (Of the fixed ones, `slaveof` is a name of its own.)
   */
  #isOwnAndUnchanged(directive: Directive, name: string, text: string): boolean {
    const isLaterName = name !== directive.name && name !== 'slaveof'
    const isUnknownToRedis = directive.section === OWN_SECTION || isLaterName
    return isUnknownToRedis && this.#format(directive) === text
  }

  #allowsGuarded(context: SetContext): boolean {
    const allowed = this.settings.enableProtectedConfigs
    return allowed === 'yes' || (allowed === 'local' && context.isLocalClient === true)
  }

  /** What a type cannot know. At start there is no such check: the directory is made then. */
  #refuseValue(directive: Directive, value: unknown): Refusal {
    if (directive.name !== 'dir') return undefined
    const isThere = this.#files.isDirectory(this.#absolute(directive, value) as string)
    return isThere ? undefined : 'No such file or directory'
  }

  /** Tells the listeners of each change. When one refuses, `undo` is run, and those told before hear the old value. */
  #tell(changes: readonly Change[], undo: () => void): Refusal | Promise<Refusal> {
    const calls = changes.flatMap((change) =>
      (this.#listeners.get(change.directive.name) ?? []).map((listener) => ({
        change,
        listener: listener as ChangeListener<unknown>,
      })),
    )
    const refuse = (at: number, reason: string): Refusal | Promise<Refusal> => {
      undo()
      const answer = failed(calls[at].change.shownName, reason)
      // What they say to the old value changes nothing: there is none to go back to.
      const again = calls
        .slice(0, at)
        .toReversed()
        .map(({ change, listener }) => listener(change.previous, change.value))
        .filter((result) => result instanceof Promise)
      return again.length === 0 ? answer : Promise.all(again).then(() => answer)
    }
    const continueAt = (start: number): Refusal | Promise<Refusal> => {
      for (let at = start; at < calls.length; at++) {
        const { change, listener } = calls[at]
        const result = listener(change.value, change.previous)
        if (result instanceof Promise) {
          return result.then((reason) => (reason === undefined ? continueAt(at + 1) : refuse(at, reason)))
        }
        if (result !== undefined) return refuse(at, result)
      }
      return undefined
    }
    return continueAt(0)
  }

  #readOrEmpty(path: string): Uint8Array {
    try {
      return this.#files.read(path)
    } catch (error) {
      // A file that has been deleted meanwhile is written anew.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Uint8Array()
      throw error
    }
  }

  #rewrittenDirectives(isWhole: boolean): RewrittenDirective[] {
    const ofTable = directives
      .filter((directive) => !directive.fileOnly)
      .map((directive) => {
        const { type, name } = directive
        const value = this.#value(directive)
        const isChanged = type.format(value) !== type.format(this.#absolute(directive, directive.defaultValue))
        const defaultLines = type.linesStandAlone ? type.lines(directive.defaultValue) : []
        const lines = type.lines(value)
        return {
          name,
          lines: lines.map((text) => ({ text, isForced: isWhole || (isChanged && !defaultLines.includes(text)) })),
          belongTogether: type.linesStandAlone !== true,
        }
      })
    const ofKafka = [...this.#kafka].map(([name, value]) => ({
      name: KAFKA_PREFIX + name,
      lines: [{ text: quoteText(value), isForced: true }],
      belongTogether: true,
    }))
    const ofOthers = [...this.#lineSources].map(([name, source]) => ({
      name,
      lines: source().map((text) => ({ text, isForced: true })),
      belongTogether: true,
    }))
    return [...ofTable, ...ofKafka, ...ofOthers]
  }
}

function failed(name: string, problem: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${problem}`
}

function matches(pattern: string, name: string): boolean {
  const patternBytes = Buffer.from(pattern)
  const nameBytes = Buffer.from(name)
  return globMatch(patternBytes, 0, patternBytes.length, nameBytes, 0, nameBytes.length, true)
}

/** A list in one argument, `--save "60 1000"`, is cut as in Redis. */
function wordsOf(directive: Directive, args: readonly string[]): readonly string[] {
  if (!directive.type.isList || directive.fileOnly || args.length !== 1 || args[0] === '') return args
  return splitArguments(Buffer.from(args[0]))?.map((word) => Buffer.from(word).toString()) ?? args
}

/** `redis.conf:12: maxmemory abc: ...`, `--maxmemory abc: ...`, `HEADPOND_MAXMEMORY=abc: ...` */
function badStatement(statement: Statement, directive: Directive, problem: string, remedy?: string): ConfigError {
  const { name, args, place, origin } = statement
  const shown = directive.secret ? [] : args.map((arg) => (/^[\w.:/*-]+$/.test(arg) ? arg : quoteText(arg)))
  if (origin === 'file') return new ConfigError(place, `${[name, ...shown].join(' ')}: ${problem}`, remedy)
  const separator = origin === 'variable' && shown.length > 0 ? '=' : ' '
  return new ConfigError(`${place}${separator}${shown.join(' ')}`.trimEnd(), problem, remedy)
}

/** For CONFIG REWRITE: the name under which a line of the file is known. */
function ownNameOf(spelling: string): string | undefined {
  const name = spelling.toLowerCase()
  return name.startsWith(KAFKA_PREFIX) ? name : findDirective(name)?.name
}

/** A setting's name without the prefix; '' for other directives. */
function kafkaNameOf(name: string): string {
  return name.startsWith(KAFKA_PREFIX) ? name.slice(KAFKA_PREFIX.length) : ''
}
