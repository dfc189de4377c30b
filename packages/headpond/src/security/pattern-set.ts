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

/**
 * The literal beginnings of all patterns as one tree, a node for each byte, in two arrays by open addressing: an edge is
 * the node that it comes from and a byte, its target the node that it leads to. Node 0 is the root.
 */
interface Index {
  /** node * 256 + byte; -1 where there is none. */
  readonly edges: Int32Array
  readonly targets: Int32Array
  /** Of each node, bits of `ending` and of `access`: what patterns allow that are its beginning and `*`. */
  readonly endings: Uint8Array
  /** Of each node, the pattern that is its beginning and `*`. */
  readonly prefixes: readonly (Pattern | null)[]
  /** Of each node, the patterns of other kinds that begin so. */
  readonly others: readonly (readonly Pattern[])[]
}

/** Whether a node ends the literal beginning of a pattern `beginning*`, and of patterns of other kinds. */
const ending = { PREFIX: 4, OTHER: 8 } as const

/**
 * Glob patterns that names are matched against: of keys, each with the access that it allows, or of channels.
 *
 * A name is followed from its first byte on through the tree of the patterns' literal beginnings. So a hundred patterns
 * `user:1:*`, `user:2:*` ... cost one pass over the beginning of the name instead of a hundred comparisons, and of patterns
 * with other wildcards only those that can match are tried. The pattern that the last name began with is tried before the tree:
 * the keys of one command, and of one client's commands, mostly begin alike.
 */
export class PatternSet {
  #patterns: Pattern[] = []
  #index: Index | null = null
  /** What matched last, of the kind `beginning*`. */
  #latest: Pattern | null = null

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
    this.#forgetIndex()
  }

  /** Adds a pattern, or more access to one that is there. @param text a character for each byte */
  add(text: string, allowed: number): void {
    const known = this.#patterns.find((pattern) => pattern.text === text)
    this.#forgetIndex()
    if (known !== undefined) {
      known.access |= allowed
      return
    }
    const literalSize = /[*?[\\]/.exec(text)?.index ?? text.length
    const rest = text.slice(literalSize)
    const kind = rest === '' ? 'literal' : rest === '*' ? 'prefix' : 'glob'
    this.#patterns.push({ text, bytes: Buffer.from(text, 'latin1'), kind, literalSize, access: allowed })
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
    const latest = this.#latest
    if (latest !== null && (latest.access & needed) === needed && beginsWith(bytes, start, end, latest)) return true
    this.#index ??= indexOf(this.#patterns)
    const { edges, targets, endings, prefixes } = this.#index
    const mask = edges.length - 1
    const wanted = needed | ending.PREFIX
    let node = 0
    for (let at = start; ; at++) {
      const ends = endings[node]
      // An empty name matches an empty pattern only: see `globMatch`.
      if ((ends & wanted) === wanted && end > start) {
        this.#latest = prefixes[node]
        return true
      }
      if ((ends & ending.OTHER) !== 0 && anyMatches(this.#index.others[node], bytes, start, end, needed)) return true
      if (at >= end) return false
      const edge = node * 256 + bytes[at]
      let slot = slotOf(edge, mask)
      while (edges[slot] !== edge) {
        if (edges[slot] === -1) return false
        slot = (slot + 1) & mask
      }
      node = targets[slot]
    }
  }

  #forgetIndex(): void {
    this.#index = null
    this.#latest = null
  }
}

/** Whether bytes[start, end) matches `pattern`, which is of the kind `beginning*`. An empty name matches none. */
function beginsWith(bytes: Uint8Array, start: number, end: number, { bytes: text, literalSize }: Pattern): boolean {
  if (end - start < literalSize || end === start) return false
  for (let at = 0; at < literalSize; at++) {
    if (bytes[start + at] !== text[at]) return false
  }
  return true
}

function slotOf(edge: number, mask: number): number {
  return (Math.imul(edge, 0x9e3779b1) >>> 15) & mask
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
    if (pattern.kind === 'literal' && end - start === pattern.literalSize) return true
    if (pattern.kind === 'glob' && globMatch(pattern.bytes, 0, pattern.bytes.length, bytes, start, end, false)) {
      return true
    }
  }
  return false
}

function indexOf(patterns: readonly Pattern[]): Index {
  const nodes: { targets: Map<number, number>; ends: number; prefix: Pattern | null; others: Pattern[] }[] = []
  const newNode = () => nodes.push({ targets: new Map(), ends: 0, prefix: null, others: [] }) - 1
  newNode()
  for (const pattern of patterns) {
    let node = nodes[0]
    for (const byte of pattern.bytes.subarray(0, pattern.literalSize)) {
      const target = node.targets.get(byte) ?? newNode()
      node.targets.set(byte, target)
      node = nodes[target]
    }
    if (pattern.kind === 'prefix') {
      node.ends |= ending.PREFIX | pattern.access
      node.prefix = pattern
    } else {
      node.ends |= ending.OTHER
      node.others.push(pattern)
    }
  }
  let slotCount = 4
  while (slotCount < nodes.length * 2) slotCount *= 2
  const edges = new Int32Array(slotCount).fill(-1)
  const targets = new Int32Array(slotCount)
  for (const [number, node] of nodes.entries()) {
    for (const [byte, target] of node.targets) {
      const edge = number * 256 + byte
      let slot = slotOf(edge, slotCount - 1)
      while (edges[slot] !== -1) slot = (slot + 1) & (slotCount - 1)
      edges[slot] = edge
      targets[slot] = target
    }
  }
  return {
    edges,
    targets,
    endings: Uint8Array.from(nodes, ({ ends }) => ends),
    prefixes: nodes.map(({ prefix }) => prefix),
    others: nodes.map(({ others }) => others),
  }
}
