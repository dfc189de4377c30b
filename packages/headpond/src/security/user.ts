import { quoteBytes, splitArguments } from '../config/quoting.ts'
import type { CommandCatalog } from './command-catalog.ts'
import { Credentials } from './credentials.ts'
import type { RuleError } from './rule-error.ts'
import { Selector } from './selector.ts'

/** What a new user depends on. */
export interface UserContext {
  readonly catalog: CommandCatalog
  /** `acl-pubsub-default`: whether new permissions begin with all channels. */
  readonly allowsChannelsByDefault: () => boolean
  /** Told of each password that a rule has in clear. */
  readonly passwordGiven?: (name: string, password: Uint8Array) => void
}

/**
 * Who may do what: passwords, and permissions in selectors. Everything is said in rules, as ACL SETUSER takes them.
 * Texts have one character for each byte.
 */
export class User {
  readonly name: string
  readonly #context: UserContext
  isEnabled = false
  /** For RESTORE; undefined until a rule speaks of it. Payloads are always checked here, so it is kept for files only. */
  sanitizesPayload: boolean | undefined
  #credentials = new Credentials()
  /** The user's own first. Never empty. */
  #selectors: Selector[]
  #isUnrestricted = false

  /** A new user is disabled, has no password, and may do nothing. */
  constructor(name: string, context: UserContext) {
    this.name = name
    this.#context = context
    this.#selectors = [new Selector(context.catalog, context.allowsChannelsByDefault())]
  }

  get credentials(): Readonly<Credentials> {
    return this.#credentials
  }

  get selectors(): readonly Selector[] {
    return this.#selectors
  }

  /** It may do everything: nothing needs to be checked. */
  get isUnrestricted(): boolean {
    return this.#isUnrestricted
  }

  /** The same rules under another name, or the same. */
  copy(name = this.name): User {
    const copy = new User(name, this.#context)
    copy.copyFrom(this)
    return copy
  }

  copyFrom(other: User): void {
    this.isEnabled = other.isEnabled
    this.sanitizesPayload = other.sanitizesPayload
    this.#credentials = other.#credentials.copy()
    this.#selectors = other.#selectors.map((selector) => selector.copy())
    this.#isUnrestricted = other.#isUnrestricted
  }

  /** Applies one rule, or does nothing and says why not. */
  apply(rule: string): RuleError | null {
    const error = this.#apply(rule)
    this.#isUnrestricted = this.#selectors.some(
      (selector) => selector.allowsAllCommands && selector.allowsAllKeys && selector.allowsAllChannels,
    )
    return error
  }

  #apply(rule: string): RuleError | null {
    switch (rule.toLowerCase()) {
      case '':
        return null
      case 'on':
      case 'off':
        this.isEnabled = rule.toLowerCase() === 'on'
        return null
      case 'sanitize-payload':
      case 'skip-sanitize-payload':
        this.sanitizesPayload = rule.toLowerCase() === 'sanitize-payload'
        return null
      case 'nopass':
        this.#credentials.acceptAny()
        return null
      case 'resetpass':
        this.#credentials.reset()
        return null
      case 'clearselectors':
        this.#selectors.length = 1
        return null
      case 'reset':
        this.#credentials.reset()
        this.#selectors = [new Selector(this.#context.catalog, this.#context.allowsChannelsByDefault())]
        this.isEnabled = false
        this.sanitizesPayload = true
        return null
    }
    const rest = rule.slice(1)
    switch (rule[0]) {
      case '>':
        this.#credentials.addPassword(Buffer.from(rest, 'latin1'))
        this.#context.passwordGiven?.(this.name, Buffer.from(rest, 'latin1'))
        return null
      case '<':
        return this.#credentials.removePassword(Buffer.from(rest, 'latin1'))
      case '#':
        return this.#credentials.addHash(rest)
      case '!':
        return this.#credentials.removeHash(rest)
    }
    if (rule.startsWith('(') && rule.endsWith(')')) return this.#addSelector(rule.slice(1, -1))
    return this.#selectors[0].apply(rule)
  }

  #addSelector(rules: string): RuleError | null {
    const selector = new Selector(this.#context.catalog, this.#context.allowsChannelsByDefault())
    // Unbalanced quotes are no rules at all, as in Redis.
    for (const rule of splitArguments(Buffer.from(rules, 'latin1')) ?? []) {
      const error = selector.apply(Buffer.from(rule).toString('latin1'))
      if (error !== null) return error
    }
    this.#selectors.push(selector)
    return null
  }

  /** Its flags in Redis's words. */
  get flags(): string[] {
    const { isEnabled, sanitizesPayload } = this
    return [
      isEnabled ? 'on' : 'off',
      ...(this.#credentials.acceptsAny ? ['nopass'] : []),
      ...(sanitizesPayload === undefined ? [] : [sanitizesPayload ? 'sanitize-payload' : 'skip-sanitize-payload']),
    ]
  }

  /** The rules that make this user, as in a file of users: `on #<hash> ~cache:* resetchannels -@all +get`. */
  describe(): string {
    const [own, ...others] = this.#selectors
    return [
      ...this.flags,
      ...this.#credentials.hashes.map((hash) => `#${hash}`),
      own.describe(),
      ...others.map((selector) => `(${selector.describe().split(' ').map(quoteWithinSelector).join(' ')})`),
    ].join(' ')
  }
}

/** Quotes mean something within parentheses, and one that closes ends them. */
function quoteWithinSelector(rule: string): string {
  return /["')]/.test(rule) ? quoteBytes(Buffer.from(rule, 'latin1')) : rule
}

/**
 * Joins what stands within parentheses and was cut at blanks: a selector is one rule. Gives the index of a parenthesis
 * that is never closed.
 */
export function mergeSelectors(words: readonly string[]): readonly string[] | { readonly unmatchedIndex: number } {
  const rules: string[] = []
  let open: { index: number; words: string[] } | null = null
  for (const [index, word] of words.entries()) {
    // As in Redis, a parenthesis that opens within another begins anew.
    if (word.startsWith('(') && !word.endsWith(')')) open = { index, words: [word] }
    else if (open === null) rules.push(word)
    else {
      open.words.push(word)
      if (!word.endsWith(')')) continue
      rules.push(open.words.join(' '))
      open = null
    }
  }
  return open === null ? rules : { unmatchedIndex: open.index }
}
