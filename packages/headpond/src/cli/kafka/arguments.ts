import { UsageError } from './kafka-cli-error.ts'

/** An option of a command: one row feeds the parser and the help. */
export interface Flag {
  /** With both dashes. */
  readonly name: string
  /** One letter, with its dash. */
  readonly short?: string
  /** What its value is, for the help; a flag without it takes none. */
  readonly value?: string
  readonly summary: string
}

/** The words and options of a command line, as they were written. */
export class Arguments {
  readonly words: readonly string[]
  readonly #values: ReadonlyMap<string, readonly string[]>

  private constructor(words: readonly string[], values: ReadonlyMap<string, readonly string[]>) {
    this.words = words
    this.#values = values
  }

  /** `--name value`, `--name=value`, `-n value`, `-nvalue`; `--` ends the options. Throws UsageError. */
  static parse(argv: readonly string[], flags: readonly Flag[]): Arguments {
    const words: string[] = []
    const values = new Map<string, string[]>()
    for (let at = 0; at < argv.length; at++) {
      const word = argv[at]
      if (word === '--') {
        words.push(...argv.slice(at + 1))
        break
      }
      if (word === '-' || !word.startsWith('-')) {
        words.push(word)
        continue
      }
      const { flag, attached } = findFlag(word, flags)
      if (flag.value === undefined && attached !== undefined) throw new UsageError(`${flag.name} takes no value`)
      const value = attached ?? (flag.value === undefined ? '' : argv[++at])
      if (value === undefined) throw new UsageError(`${flag.name} needs a value: ${flag.name} ${flag.value}`)
      const seen = values.get(flag.name)
      if (seen === undefined) values.set(flag.name, [value])
      else seen.push(value)
    }
    return new Arguments(words, values)
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  /** The value of an option; the last one counts. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.at(-1)
  }

  /** All values of an option that may be repeated. */
  texts(name: string): readonly string[] {
    return this.#values.get(name) ?? []
  }

  /** As `texts`, each of which may be a list with commas. */
  list(name: string): readonly string[] {
    return this.texts(name).flatMap((text) => text.split(',').filter((each) => each !== ''))
  }

  /** A whole number. Throws UsageError for anything else. */
  integer(name: string, { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = {}): number | undefined {
    const text = this.text(name)
    return text === undefined ? undefined : wholeNumber(text, name, { min, max })
  }

  /** Of options that exclude each other the one that is there. Throws UsageError when there are several. */
  oneOf(names: readonly string[]): string | undefined {
    const given = names.filter((name) => this.has(name))
    if (given.length > 1) throw new UsageError(`${given.join(' and ')} exclude each other`)
    return given[0]
  }

  /** The only word of the command line. Throws UsageError. */
  onlyWord(what: string): string {
    if (this.words.length === 0) throw new UsageError(`which ${what}?`)
    if (this.words.length > 1) throw new UsageError(`one ${what} at a time, and not ${this.words.join(', ')}`)
    return this.words[0]
  }

  /** One word or more. Throws UsageError. */
  someWords(what: string): readonly string[] {
    if (this.words.length === 0) throw new UsageError(`which ${what}?`)
    return this.words
  }
}

/** Throws UsageError. */
export function wholeNumber(
  text: string,
  name: string,
  { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = {},
): number {
  const number = Number(text)
  if (/^[+-]?\d+$/.test(text) && number >= min && number <= max) return number
  const range =
    min === Number.MIN_SAFE_INTEGER
      ? 'a whole number'
      : max === Number.MAX_SAFE_INTEGER
        ? `a whole number from ${min}`
        : `a whole number from ${min} to ${max}`
  throw new UsageError(`${name}: ${range}, not ${text}`)
}

function findFlag(word: string, flags: readonly Flag[]): { flag: Flag; attached: string | undefined } {
  if (word.startsWith('--')) {
    const [name, ...rest] = word.split('=')
    const flag = flags.find((each) => each.name === name)
    if (flag !== undefined) return { flag, attached: rest.length > 0 ? rest.join('=') : undefined }
    const near = flags.filter((each) => each.name.startsWith(name)).map((each) => each.name)
    throw new UsageError(`unknown option ${name}${near.length > 0 ? ` (did you mean ${near.join(' or ')}?)` : ''}`)
  }
  const flag = flags.find((each) => each.short === word.slice(0, 2))
  if (flag !== undefined) return { flag, attached: word.length > 2 ? word.slice(2) : undefined }
  throw new UsageError(`unknown option ${word.slice(0, 2)}`)
}
