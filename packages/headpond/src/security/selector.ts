import type { CommandCatalog, CommandDescription } from './command-catalog.ts'
import { access, PatternSet } from './pattern-set.ts'
import type { RuleError } from './rule-error.ts'

/**
 * One set of permissions: commands, keys and channels. A user has one of its own and may have more in parentheses; what
 * one of them allows as a whole is allowed.
 *
 * Rules, names and patterns are texts of one character for each byte.
 */
export class Selector {
  readonly #catalog: CommandCatalog
  /** A bit for each command. */
  #commands: Uint32Array
  /** Every command, and no rule since has taken one away: the bits need not be looked at. */
  #allowsAllCommands = false
  /** It began with `+@all`: commands of later versions are allowed as well. */
  #beganWithAll = false
  /** Arguments with which a command is allowed that is not allowed otherwise (`+select|0`), by its id. */
  #firstArguments: ReadonlyMap<number, readonly string[]> = new Map()
  /** The rules about commands since the last `+@all` or `-@all`, without those that later ones made pointless. */
  #commandRules: string[] = []
  #allowsAllKeys = false
  #allowsAllChannels: boolean
  #keys = new PatternSet()
  #channels = new PatternSet()

  constructor(catalog: CommandCatalog, allowsAllChannels: boolean) {
    this.#catalog = catalog
    this.#commands = new Uint32Array((catalog.idEnd + 31) >>> 5)
    this.#allowsAllChannels = allowsAllChannels
  }

  copy(): Selector {
    const copy = new Selector(this.#catalog, this.#allowsAllChannels)
    copy.#commands = this.#commands.slice()
    copy.#allowsAllCommands = this.#allowsAllCommands
    copy.#beganWithAll = this.#beganWithAll
    copy.#firstArguments = this.#firstArguments
    copy.#commandRules = [...this.#commandRules]
    copy.#allowsAllKeys = this.#allowsAllKeys
    copy.#keys = this.#keys.copy()
    copy.#channels = this.#channels.copy()
    return copy
  }

  // ---- Decisions ----

  get allowsAllCommands(): boolean {
    return this.#allowsAllCommands
  }

  get allowsAllKeys(): boolean {
    return this.#allowsAllKeys
  }

  get allowsAllChannels(): boolean {
    return this.#allowsAllChannels
  }

  /** hot: once for each command of a restricted user. */
  allowsCommand(id: number): boolean {
    return this.#allowsAllCommands || ((this.#commands[id >>> 5] >>> (id & 31)) & 1) === 1
  }

  /** The first arguments, in lower case, with which a command is allowed that is not allowed as such. */
  firstArgumentsOf(id: number): readonly string[] | undefined {
    return this.#firstArguments.get(id)
  }

  /** @param needed bits of `access` */
  allowsKey(bytes: Uint8Array, start: number, end: number, needed: number): boolean {
    return this.#allowsAllKeys || this.#keys.matches(bytes, start, end, needed)
  }

  /** Whether any key may be read, so that a command may read keys which its arguments do not name. */
  get allowsReadingAnyKey(): boolean {
    return (
      this.#allowsAllKeys ||
      this.#keys.patterns.some((pattern) => pattern.text === '*' && (pattern.access & access.READ) !== 0)
    )
  }

  allowsChannel(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#allowsAllChannels || this.#channels.matches(bytes, start, end, 0)
  }

  /** Whether a pattern of channels may be listened to. */
  allowsChannelPattern(pattern: string): boolean {
    return this.#allowsAllChannels || this.#channels.has(pattern)
  }

  // ---- Rules ----

  /** Applies one rule, or does nothing and says why not. */
  apply(rule: string): RuleError | null {
    switch (rule.toLowerCase()) {
      case 'allkeys':
      case '~*':
        this.#keys.clear()
        this.#allowsAllKeys = true
        return null
      case 'resetkeys':
        this.#keys.clear()
        this.#allowsAllKeys = false
        return null
      case 'allchannels':
      case '&*':
        this.#channels.clear()
        this.#allowsAllChannels = true
        return null
      case 'resetchannels':
        this.#channels.clear()
        this.#allowsAllChannels = false
        return null
      case 'allcommands':
      case '+@all':
        this.#setAllCommands(true)
        return null
      case 'nocommands':
      case '-@all':
        this.#setAllCommands(false)
        return null
    }
    switch (rule[0]) {
      case '~':
        return this.#addKeyPattern(rule.slice(1), access.READ | access.WRITE)
      case '%':
        return this.#addQualifiedKeyPattern(rule)
      case '&':
        return this.#addChannelPattern(rule.slice(1))
      case '+':
      case '-': {
        const outcome = this.#applyToCommands(rule)
        return typeof outcome === 'string' ? outcome : null
      }
      default:
        return 'SYNTAX'
    }
  }

  /** A rule about a command or a category: whether it makes a difference. */
  #applyToCommands(rule: string): boolean | RuleError {
    return rule[1] === '@' ? this.#setCategory(rule) : this.#setCommand(rule)
  }

  #addQualifiedKeyPattern(rule: string): RuleError | null {
    if (this.#allowsAllKeys) return 'AFTER_ALL_KEYS'
    // Without the ~ the pattern is empty, as in Redis.
    const match = /^%(R|W|RW|WR)(?:~|$)/i.exec(rule)
    if (match === null) return 'SYNTAX'
    const letters = match[1].toUpperCase()
    const allowed = (letters.includes('R') ? access.READ : 0) | (letters.includes('W') ? access.WRITE : 0)
    return this.#addKeyPattern(rule.slice(match[0].length), allowed)
  }

  #addKeyPattern(pattern: string, allowed: number): RuleError | null {
    if (this.#allowsAllKeys) return 'AFTER_ALL_KEYS'
    if (hasBlanks(pattern)) return 'SYNTAX'
    this.#keys.add(pattern, allowed)
    return null
  }

  #addChannelPattern(pattern: string): RuleError | null {
    if (this.#allowsAllChannels) return 'AFTER_ALL_CHANNELS'
    if (hasBlanks(pattern)) return 'SYNTAX'
    this.#channels.add(pattern, 0)
    return null
  }

  #setAllCommands(isAllowed: boolean): void {
    this.#commands.fill(isAllowed ? 0xffffffff : 0)
    this.#allowsAllCommands = isAllowed
    this.#beganWithAll = isAllowed
    this.#firstArguments = new Map()
    this.#commandRules = []
  }

  #setCategory(rule: string): boolean | RuleError {
    const commands = this.#catalog.inCategory(rule.slice(2))
    if (commands === undefined) return 'UNKNOWN_COMMAND'
    let hasChanged = false
    for (const command of commands) hasChanged = this.#setPermission(command, rule[0] === '+') || hasChanged
    this.#note(rule)
    return hasChanged
  }

  #setCommand(rule: string): boolean | RuleError {
    const name = rule.slice(1)
    const barAt = name.lastIndexOf('|')
    const isAllowed = rule[0] === '+'
    if (barAt >= 0 && isAllowed) {
      const container = this.#catalog.find(name.slice(0, barAt))
      if (container === undefined) return 'UNKNOWN_COMMAND'
      if (container.name.includes('|')) return 'FIRST_ARGUMENT_OF_SUBCOMMAND'
      if (barAt === name.length - 1) return 'SYNTAX'
      if (container.subcommands.length === 0) {
        const hasChanged = this.#allowFirstArgument(container, name.slice(barAt + 1).toLowerCase())
        this.#note(rule)
        return hasChanged
      }
    }
    const command = this.#catalog.find(name)
    if (command === undefined) return 'UNKNOWN_COMMAND'
    const hasChanged = this.#setPermission(command, isAllowed)
    this.#note(rule)
    return hasChanged
  }

  /** Of a command with all its subcommands; whether that makes a difference. */
  #setPermission(command: CommandDescription, isAllowed: boolean): boolean {
    let hasChanged = false
    for (const { id } of [command, ...command.subcommands]) {
      const bit = 1 << (id & 31)
      if (((this.#commands[id >>> 5] & bit) !== 0) === isAllowed) continue
      this.#commands[id >>> 5] ^= bit
      hasChanged = true
    }
    if (!isAllowed) this.#allowsAllCommands = false
    if (!this.#firstArguments.has(command.id)) return hasChanged
    this.#firstArguments = new Map([...this.#firstArguments].filter(([id]) => id !== command.id))
    return true
  }

  #allowFirstArgument({ id }: CommandDescription, argument: string): boolean {
    const known = this.#firstArguments.get(id) ?? []
    if (known.includes(argument) || this.allowsCommand(id)) return false
    this.#firstArguments = new Map(this.#firstArguments).set(id, [...known, argument])
    return true
  }

  /** Keeps a rule for the description, in place of those before it that it makes pointless. */
  #note(rule: string): void {
    const name = rule.slice(1).toLowerCase()
    const end = name.length + 1
    // Without a string of its own for each: there may be thousands of rules, each noted among those before it.
    this.#commandRules = this.#commandRules.filter(
      (each) => !each.startsWith(name, 1) || (each.length !== end && each[end] !== '|'),
    )
    this.#commandRules.push(rule[0] + name)
  }

  // ---- Descriptions, which are rules again ----

  /** `+@all -flushall`: applied to nothing, they give the same permissions. */
  describeCommands(): string {
    const beginning = this.#beganWithAll ? '+@all' : '-@all'
    const replayed = new Selector(this.#catalog, false)
    replayed.apply(beginning)
    // Redis does not tell of rules that make no difference (`+@all +get`).
    const telling = this.#commandRules.filter((rule) => replayed.#applyToCommands(rule) === true)
    return [beginning, ...telling].join(' ')
  }

  describeKeys(): string {
    if (this.#allowsAllKeys) return '~*'
    return this.#keys.patterns.map(({ text, access: allowed }) => keyPrefix(allowed) + text).join(' ')
  }

  describeChannels(): string {
    return this.#allowsAllChannels ? '&*' : this.#channels.patterns.map(({ text }) => `&${text}`).join(' ')
  }

  describe(): string {
    const channels = this.describeChannels()
    const parts = [
      this.describeKeys(),
      this.#allowsAllChannels ? channels : `resetchannels ${channels}`.trimEnd(),
      this.describeCommands(),
    ]
    return parts.filter((part) => part !== '').join(' ')
  }
}

function keyPrefix(allowed: number): string {
  if (allowed === access.READ) return '%R~'
  return allowed === access.WRITE ? '%W~' : '~'
}

/** Blanks and NUL, which would not survive in a file of rules. */
export function hasBlanks(text: string): boolean {
  return /[\t-\r \0]/.test(text)
}
