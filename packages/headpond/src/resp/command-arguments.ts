/**
 * The arguments of a command as its row writes them down, and as COMMAND DOCS tells of them: as a tree.
 *
 *   key value                     arguments by name; the type follows from the name (see TYPE_OF_NAME)
 *   score:double                  ... or is given
 *   destination#1                 a key, of the command's key specification 1; `key` alone is of specification 0
 *   pattern:pattern#1             ... of another type
 *   EX seconds                    a token, and the argument that follows it
 *   NX   sorting=ALPHA   ID!      a token alone; its name, where it is not the token; marked, where an argument follows
 *   condition(NX | XX)            one of several
 *   field_value{field value}      several that belong together
 *   [GET]   key...   GET p+...    optional; once or more; once or more with the token each time
 *   GET@6.2.0   ip:port~2.8.12    since and deprecated since
 */
export interface Argument {
  readonly name: string
  readonly type: ArgumentType
  readonly keySpecIndex?: number
  readonly token?: string
  readonly since?: string
  readonly deprecatedSince?: string
  readonly isOptional: boolean
  readonly isMultiple: boolean
  readonly repeatsToken: boolean
  readonly children: readonly Argument[]
}

type ArgumentType = PlainType | 'pure-token' | 'oneof' | 'block'
type PlainType = 'string' | 'integer' | 'double' | 'key' | 'pattern' | 'unix-time'

const INTEGER_NAMES = new Set([
  'count',
  'seconds',
  'milliseconds',
  'numkeys',
  'start',
  'stop',
  'end',
  'offset',
  'index',
  'cursor',
  'increment',
  'decrement',
  'port',
  'ttl',
])

function typeOfName(name: string): PlainType {
  if (name === 'key' || name === 'pattern') return name
  if (name.startsWith('unix-time')) return 'unix-time'
  return INTEGER_NAMES.has(name) ? 'integer' : 'string'
}

/** Throws when the text does not follow the notation: it is ours, and tests read all of it. */
export function parseArguments(text: string): Argument[] {
  return new ArgumentParser(text).sequence('')
}

class ArgumentParser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Arguments up to `end` ('' is the end of the text), or up to '|' between alternatives. */
  sequence(end: string): Argument[] {
    const items: Argument[] = []
    for (;;) {
      this.#skip(/ */y)
      const next = this.#text[this.#at] ?? ''
      if (next === end || next === '|') return items
      if (next === '') throw this.#wrong(`'${end}' is missing`)
      items.push(this.#item())
    }
  }

  #item(): Argument {
    if (!this.#take('[')) return this.#single(false)
    const item = this.#single(true)
    if (!this.#take(']')) throw this.#wrong("']' is missing")
    return item
  }

  #single(isOptional: boolean): Argument {
    const alone = this.#skip(/([a-z0-9_-]*)=([^ \])|@]*)|([A-Z][A-Z0-9_-]*)(!|(?= *[\])}|@.+]|$))/y)
    if (alone !== null) {
      const [, name, sign, word] = alone
      const token = word ?? sign
      return this.#marked({ name: name ?? token.toLowerCase(), type: 'pure-token', token, children: [] }, isOptional)
    }
    const token = this.#skip(/([A-Z][A-Z0-9_-]*) /y)?.[1]
    const name = this.#skip(/[a-zA-Z0-9_/-]+(?::(?!(?:string|integer|double|key|pattern|unix-time)\b)[a-z]+)?/y)?.[0]
    if (name === undefined) throw this.#wrong('a name is missing')
    const ofToken = token === undefined ? {} : { token }
    if (this.#take('(')) {
      return this.#marked({ name, type: 'oneof', ...ofToken, children: this.#alternatives() }, isOptional)
    }
    if (this.#take('{')) {
      const children = this.sequence('}')
      this.#at++
      return this.#marked({ name, type: 'block', ...ofToken, children }, isOptional)
    }
    const givenType = this.#skip(/:([a-z-]+)/y)?.[1] as PlainType | undefined
    const keySpec = this.#skip(/#(\d+)/y)?.[1]
    const type = givenType ?? (keySpec === undefined ? typeOfName(name) : 'key')
    const isFirstKey = keySpec === undefined && givenType === undefined && type === 'key'
    const ofKey = keySpec === undefined && !isFirstKey ? {} : { keySpecIndex: Number(keySpec ?? 0) }
    return this.#marked({ name, type, ...ofKey, ...ofToken, children: [] }, isOptional)
  }

  #alternatives(): Argument[] {
    const items: Argument[] = []
    do items.push(...this.sequence(')'))
    while (this.#take('|'))
    this.#at++
    return items
  }

  #marked(argument: Omit<Argument, 'isOptional' | 'isMultiple' | 'repeatsToken'>, isOptional: boolean): Argument {
    const since = this.#skip(/@(\d+\.\d+\.\d+)/y)?.[1]
    const deprecatedSince = this.#skip(/~(\d+\.\d+\.\d+)/y)?.[1]
    const repeat = this.#skip(/(\+?)\.\.\./y)
    return {
      ...argument,
      ...(since === undefined ? {} : { since }),
      ...(deprecatedSince === undefined ? {} : { deprecatedSince }),
      isOptional,
      isMultiple: repeat !== null,
      repeatsToken: repeat?.[1] === '+',
    }
  }

  #take(sign: string): boolean {
    if (this.#text[this.#at] !== sign) return false
    this.#at++
    return true
  }

  #skip(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match !== null) this.#at = pattern.lastIndex
    return match
  }

  #wrong(problem: string): Error {
    return new Error(`arguments '${this.#text}': ${problem} at ${this.#at}`)
  }
}
