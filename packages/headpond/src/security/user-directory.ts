import type { CommandCatalog } from './command-catalog.ts'
import type { RuleError } from './rule-error.ts'
import { hasBlanks } from './selector.ts'
import { mergeSelectors, User, type UserContext } from './user.ts'

/** Why a user could not be changed. */
export type UserProblem =
  | { readonly kind: 'name' }
  | { readonly kind: 'parenthesis'; readonly index: number }
  | { readonly kind: 'rule'; readonly rule: string; readonly error: RuleError }

/** A password in clear, as somebody gave it to a user. */
export interface GivenPassword {
  readonly name: string
  readonly password: Uint8Array
}

/**
 * The users of a server, the same for every protocol. There is always a user `default`: who connects and says nothing
 * is that user.
 *
 * Names, like all texts of rules, have one character for each byte.
 */
export class UserDirectory {
  readonly catalog: CommandCatalog
  readonly default: User
  readonly #context: UserContext
  readonly #users = new Map<string, User>()
  /** Passwords that came before anybody wanted to know them; null: nobody will. */
  #unclaimedPasswords: GivenPassword[] | null
  #passwordListener: ((given: GivenPassword) => void) | null = null
  /** Called when the rules of a user have changed. */
  onChanged: (user: User) => void = () => {}
  /** Called when a user is gone. Whoever still holds it holds one that may do nothing. */
  onDeleted: (user: User) => void = () => {}

  /** @param keepsPasswords those of the start are wanted: see `claimPasswords` */
  constructor(context: UserContext, keepsPasswords = false) {
    this.catalog = context.catalog
    this.#unclaimedPasswords = keepsPasswords ? [] : null
    this.#context = { ...context, passwordGiven: (name, password) => this.#passwordGiven({ name, password }) }
    this.default = this.defaultUser()
    this.#users.set(this.default.name, this.default)
  }

  /** The default user as it is when nothing is said about it. */
  defaultUser(): User {
    const user = this.newUser('default')
    for (const rule of ['+@all', '~*', '&*', 'on', 'nopass']) user.apply(rule)
    return user
  }

  /** A user that is not in the directory (yet). */
  newUser(name: string): User {
    return new User(name, this.#context)
  }

  get(name: string): User | undefined {
    return this.#users.get(name)
  }

  /** In the order of their names. */
  all(): User[] {
    return [...this.#users.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Changes a user, or makes a new one: by all rules or by none. */
  set(name: string, words: readonly string[]): UserProblem | null {
    if (!isUserName(name)) return { kind: 'name' }
    const rules = mergeSelectors(words)
    if ('unmatchedIndex' in rules) return { kind: 'parenthesis', index: rules.unmatchedIndex }
    const known = this.#users.get(name)
    const changed = known?.copy() ?? this.newUser(name)
    for (const rule of rules) {
      const error = changed.apply(rule)
      if (error !== null) return { kind: 'rule', rule, error }
    }
    this.#put(changed)
    return null
  }

  /** Whether there was such a user. The default user stays: asking for that is the caller's mistake. */
  delete(name: string): boolean {
    const user = this.#users.get(name)
    if (user === undefined || user === this.default) return false
    this.#users.delete(name)
    user.apply('reset')
    this.onDeleted(user)
    return true
  }

  /**
   * Puts these users in the place of all. Every user from before is gone, even where there is a new one of that name, as in
   * Redis; the default user alone stays, and goes on with the new rules.
   */
  replaceAll(users: readonly User[]): void {
    for (const user of this.all()) this.delete(user.name)
    for (const user of users) this.#put(user)
    if (!users.some((user) => user.name === this.default.name)) this.#put(this.defaultUser())
  }

  /** The default user has this password and no other; an empty one means that it needs none. */
  setDefaultPassword(password: Uint8Array): void {
    this.default.apply('resetpass')
    this.default.apply(password.length === 0 ? 'nopass' : `>${Buffer.from(password).toString('latin1')}`)
    this.onChanged(this.default)
  }

  /** The user of this name, if it is enabled and this is its password; else null. */
  authenticate(name: string, password: Uint8Array): User | null {
    const user = this.#users.get(name)
    return user?.isEnabled && user.credentials.accepts(password) ? user : null
  }

  /**
   * For mechanisms that derive something of their own from a password: whoever calls is told of those that were given since
   * the start, if they were kept, and of each from now on, as a rule names it. Whether it became the user's is not said.
   */
  claimPasswords(listener: (given: GivenPassword) => void): void {
    for (const given of this.#unclaimedPasswords ?? []) listener(given)
    this.#unclaimedPasswords = null
    this.#passwordListener = listener
  }

  #passwordGiven(given: GivenPassword): void {
    if (this.#passwordListener !== null) this.#passwordListener(given)
    else this.#unclaimedPasswords?.push(given)
  }

  /** A user keeps its object, since clients hold it. */
  #put(changed: User): void {
    const known = this.#users.get(changed.name)
    if (known === undefined) this.#users.set(changed.name, changed)
    else known.copyFrom(changed)
    this.onChanged(known ?? changed)
  }
}

/** Names stand in files between blanks. */
export function isUserName(name: string): boolean {
  return !hasBlanks(name)
}
