import { globMatch } from '../bytes/glob.ts'

/** What a key is needed for, and what a pattern allows: bits. */
export const access = { READ: 1, WRITE: 2 } as const

type Kind = 'literal' | 'prefix' | 'glob'

interface Pattern {
  /** A character for each byte. */
  readonly text: string
  readonly bytes: Uint8Array
  readonly kind: Kind
  /** The bytes before the first one that has a meaning of its own. */
  readonly literalSize: number
  access: number
}

/** Patterns that begin with the same literal bytes. */
interface Entry {
  readonly hash: number
  readonly literal: Uint8Array
  readonly patterns: Pattern[]
}

interface Index {
  /** The sizes of literal beginnings, each once, in ascending order. */
  readonly sizes: readonly number[]
  /** Open addressing over the hash of the literal beginning. */
  readonly slots: readonly (Entry | null)[]
}

/**
 * Glob patterns that names are matched against: of keys, each with the access that it allows, or of channels.
 *
 * A name is hashed once from its first byte on, and at each size that a pattern's literal beginning has, the patterns
 * with exactly that beginning are looked up. So a hundred patterns `user:1:*`, `user:2:*` ... cost one pass over the
 * name instead of a hundred comparisons, and only those that can match are tried.
 */
export class PatternSet {
  #patterns: Pattern[] = []
  #index: Index | null = null

  /** The patterns as they were given, in order. */
  get patterns(): readonly { readonly text: string; readonly access: number }[] {
    return this.#patterns
  }

  copy(): PatternSet {
    const copy = new PatternSet()
    copy.#patterns = this.#patterns.map((pattern) => ({ ...pattern }))
    return copy
  }

  clear(): void {
    this.#patterns = []
    this.#index = null
  }

  /** Adds a pattern, or more access to one that is there. @param text a character for each byte */
  add(text: string, allowed: number): void {
    const known = this.#patterns.find((pattern) => pattern.text === text)
    if (known !== undefined) {
      known.access |= allowed
      return
    }
    const literalSize = /[*?[\\]/.exec(text)?.index ?? text.length
    const rest = text.slice(literalSize)
    const kind = rest === '' ? 'literal' : rest === '*' ? 'prefix' : 'glob'
    this.#patterns.push({ text, bytes: Buffer.from(text, 'latin1'), kind, literalSize, access: allowed })
    this.#index = null
  }

  /** Whether a pattern is spelled exactly like this: a pattern to subscribe to is not matched, it has to be allowed. */
  has(text: string): boolean {
    return this.#patterns.some((pattern) => pattern.text === text)
  }

  /**
   * Whether one pattern matches bytes[start, end) and allows all of `needed` (bits of `access`).
   * O(size of the name), unless patterns have wildcards in their middle.
   * hot: once for each key of a restricted user's command.
   */
  matches(bytes: Uint8Array, start: number, end: number, needed: number): boolean {
    this.#index ??= indexOf(this.#patterns)
    const { sizes, slots } = this.#index
    const mask = slots.length - 1
    let hash = 0
    let at = start
    for (let index = 0; index < sizes.length; index++) {
      const literalEnd = start + sizes[index]
      if (literalEnd > end) return false
      while (at < literalEnd) hash = (Math.imul(hash, HASH_FACTOR) + bytes[at++]) | 0
      let slot = slotOf(hash, mask)
      for (let entry = slots[slot]; entry !== null; entry = slots[slot]) {
        if (
          entry.hash === hash &&
          entry.literal.length === sizes[index] &&
          beginsWith(bytes, start, entry.literal) &&
          anyMatches(entry.patterns, bytes, start, end, needed)
        ) {
          return true
        }
        slot = (slot + 1) & mask
      }
    }
    return false
  }
}

const HASH_FACTOR = 0x01000193

function slotOf(hash: number, mask: number): number {
  return (hash ^ (hash >>> 15)) & mask
}

function beginsWith(bytes: Uint8Array, start: number, literal: Uint8Array): boolean {
  for (let at = 0; at < literal.length; at++) {
    if (bytes[start + at] !== literal[at]) return false
  }
  return true
}

/** `patterns` begin with the same literal bytes, which the name begins with too. */
function anyMatches(
  patterns: readonly Pattern[],
  bytes: Uint8Array,
  start: number,
  end: number,
  needed: number,
): boolean {
  for (let index = 0; index < patterns.length; index++) {
    const pattern = patterns[index]
    if ((pattern.access & needed) !== needed) continue
    // An empty name matches an empty pattern only: see `globMatch`.
    if (pattern.kind === 'prefix' && end > start) return true
    if (pattern.kind === 'literal' && end - start === pattern.literalSize) return true
    if (pattern.kind === 'glob' && globMatch(pattern.bytes, 0, pattern.bytes.length, bytes, start, end, false)) {
      return true
    }
  }
  return false
}

function indexOf(patterns: readonly Pattern[]): Index {
  let slotCount = 4
  while (slotCount < patterns.length * 2) slotCount *= 2
  const mask = slotCount - 1
  const slots = new Array<Entry | null>(slotCount).fill(null)
  for (const pattern of patterns) {
    const literal = pattern.bytes.subarray(0, pattern.literalSize)
    let hash = 0
    for (const byte of literal) hash = (Math.imul(hash, HASH_FACTOR) + byte) | 0
    let slot = slotOf(hash, mask)
    let entry = slots[slot]
    while (entry !== null && !(entry.literal.length === literal.length && beginsWith(literal, 0, entry.literal))) {
      slot = (slot + 1) & mask
      entry = slots[slot]
    }
    if (entry === null) slots[slot] = { hash, literal, patterns: [pattern] }
    else entry.patterns.push(pattern)
  }
  const sizes = [...new Set(patterns.map(({ literalSize }) => literalSize))].sort((a, b) => a - b)
  return { sizes, slots }
}
