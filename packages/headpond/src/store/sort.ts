import { compareBytes } from '../bytes/ascii.ts'
import { parseDouble } from '../bytes/double.ts'
import { NONE } from '../memory/heap.ts'
import type { Database } from './database.ts'
import { type } from './record.ts'
import { stringBytes } from './string.ts'

/** SORT: elements in the order of their numbers or bytes, or of values that other keys hold for them. */

/**
 * Names a value that belongs to an element, as BY and GET of SORT do: the star stands for the element.
 *
 *   weight_*        the string at that key
 *   object_*->name  a field of the hash at that key
 *   #               the element itself
 *
 * A pattern without a star names nothing.
 */
export class KeyPattern {
  readonly #isElement: boolean
  readonly #prefix: Uint8Array
  readonly #postfix: Uint8Array
  readonly #field: Uint8Array | null
  readonly hasStar: boolean

  constructor(pattern: Buffer) {
    const starAt = pattern.indexOf('*')
    const arrowAt = starAt < 0 ? -1 : pattern.indexOf('->', starAt + 1)
    const hasField = arrowAt >= 0 && arrowAt + 2 < pattern.length
    this.hasStar = starAt >= 0
    this.#isElement = pattern.length === 1 && pattern[0] === 0x23
    this.#prefix = pattern.subarray(0, Math.max(starAt, 0))
    this.#postfix = pattern.subarray(starAt + 1, hasField ? arrowAt : pattern.length)
    this.#field = hasField ? pattern.subarray(arrowAt + 2) : null
  }

  /** A copy of the value that belongs to an element, or null. */
  valueFor(database: Database, element: Uint8Array): Uint8Array | null {
    if (this.#isElement) return element
    if (!this.hasStar) return null
    const key = Buffer.concat([this.#prefix, element, this.#postfix])
    const handle = database.read(key, 0, key.length)
    if (handle === NONE) return null
    const { store, records } = database
    if (this.#field === null) {
      if (records.type(handle) !== type.STRING) return null
      const { bytes, start, end } = stringBytes(store, handle)
      return Buffer.from(bytes.subarray(start, end))
    }
    if (records.type(handle) !== type.HASH) return null
    const hash = store.hashes.open(database, handle)
    const value = hash.get(this.#field, 0, this.#field.length) ? hash.value.copy() : null
    hash.close(key, 0, key.length)
    return value
  }
}

export interface Order {
  readonly isAlphabetic: boolean
  readonly isDescending: boolean
  /** What to compare in the elements' place. */
  readonly by: KeyPattern | null
}

/** Elements in order, or null when one should be compared as a number and is none. O(n log n). */
export function sorted(database: Database, elements: readonly Uint8Array[], order: Order): Uint8Array[] | null {
  const sign = order.isDescending ? -1 : 1
  const { by } = order
  const values = by === null ? elements : elements.map((element) => by.valueFor(database, element))
  const scores = order.isAlphabetic
    ? leadingNumbers(values)
    : Float64Array.from(values, (value) => (value === null ? 0 : scoreOf(value)))
  if (scores.some(Number.isNaN)) return null
  // Equal numbers are ordered by the elements, so that the result is the same everywhere.
  const texts = order.isAlphabetic ? values : elements
  const indexes = Uint32Array.from(elements.keys()).sort((a, b) => {
    const difference = scores[a] === scores[b] ? compareOrMissing(texts[a], texts[b]) : scores[a] - scores[b]
    return sign * difference
  })
  return Array.from(indexes, (index) => elements[index])
}

const LEADING_BYTES = 6

/**
 * For each text a number by which it stands in order, or beside its equals: the first bytes behind what all have in common.
 * Of a million texts, twenty million pairs are compared.
 */
function leadingNumbers(texts: readonly (Uint8Array | null)[]): Float64Array {
  const first = texts.find((text) => text !== null) ?? EMPTY
  let shared = first.length
  for (const text of texts) {
    if (text === null) continue
    let at = 0
    while (at < shared && text[at] === first[at]) at++
    shared = at
  }
  return Float64Array.from(texts, (text) => {
    if (text === null) return -1
    let number = 0
    for (let at = shared; at < shared + LEADING_BYTES; at++) number = number * 256 + (at < text.length ? text[at] : 0)
    return number
  })
}

const EMPTY = new Uint8Array(0)

/** What is missing comes first. */
function compareOrMissing(a: Uint8Array | null, b: Uint8Array | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1
  return compareBytes(a, 0, a.length, b, 0, b.length)
}

/** As C's strtod reads all of a text: white space in front is passed over, and nothing at all is 0. NaN: no number. */
function scoreOf(text: Uint8Array): number {
  const nulAt = text.indexOf(0)
  const end = nulAt < 0 ? text.length : nulAt
  if (end === 0) return 0
  let start = 0
  while (start < end && (text[start] === 0x20 || (text[start] >= 0x09 && text[start] <= 0x0d))) start++
  return parseDouble(text, start, end)
}
