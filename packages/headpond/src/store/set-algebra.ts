import { GrowingBuffer } from '../bytes/growing-buffer.ts'
import { Text } from '../memory/text.ts'
import { MemberTable } from './member-table.ts'
import type { UnorderedSet } from './set.ts'
import type { Store } from './store.ts'

/** Unions, intersections and differences of sets. */

/** What takes the members of a result, and gives them. */
export interface Members {
  readonly count: number
  /** Whether the member is new, as far as the result can tell. */
  add(bytes: Uint8Array, start: number, end: number): boolean
  forEach(visit: (member: Text) => void): void
}

/** A result that is only sent: members one after the other, each behind its size. Cheaper than a table. */
export class MemberRun implements Members {
  readonly #buffer = new GrowingBuffer()
  count = 0

  /** The member must not be in the run already. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    const size = end - start
    for (let shift = 0; shift < 32; shift += 8) this.#buffer.appendByte(size >>> shift)
    this.#buffer.append(bytes, start, end)
    this.count++
    return true
  }

  forEach(visit: (member: Text) => void): void {
    const { bytes, length } = this.#buffer
    const member = new Text()
    for (let at = 0; at < length; at = member.end) {
      const size = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
      member.set(bytes, at + 4, at + 4 + size)
      visit(member)
    }
  }
}

/** Every member of any set. O(n), n being the members of all sets. */
export function unionInto(result: MemberTable, sets: readonly UnorderedSet[]): void {
  for (const set of sets) addAll(result, set)
}

/** The members that all sets have. O(n k): n of the smallest, k sets. */
export function intersectionInto(result: Members, sets: readonly UnorderedSet[]): void {
  eachCommon(sets, ({ bytes, start, end }) => {
    result.add(bytes, start, end)
    return true
  })
}

/** How many members all sets have, counted up to `limit` (0: all). */
export function intersectionCount(sets: readonly UnorderedSet[], limit: number): number {
  let count = 0
  eachCommon(sets, () => ++count !== limit)
  return count
}

/** Visits what all sets have, until `visit` returns false. */
function eachCommon(sets: readonly UnorderedSet[], visit: (member: Text) => boolean): void {
  const [smallest, ...others] = sets.toSorted((first, second) => first.count - second.count)
  const { member } = smallest
  smallest.rewind()
  while (smallest.next()) {
    if (hasInAll(others, member) && !visit(member)) return
  }
}

function hasInAll(sets: readonly UnorderedSet[], { bytes, start, end }: Text): boolean {
  for (const set of sets) {
    if (!set.has(bytes, start, end)) return false
  }
  return true
}

/**
 * The members of the first set that no other has. Either each is looked up in the others, or the others' are taken out of
 * a copy: whatever is less work.
 */
export function differenceInto(
  result: Members,
  store: Store,
  first: UnorderedSet,
  others: readonly UnorderedSet[],
): void {
  const lookups = first.count * others.length
  const removals = others.reduce((sum, set) => sum + set.count, first.count)
  // Lookups end with the first set that has the member, and need no copy.
  if (lookups / 2 <= removals) return lookedUpDifference(result, first, others)
  const left = result instanceof MemberTable ? result : new MemberTable(store)
  addAll(left, first)
  for (const set of others) {
    const { member } = set
    set.rewind()
    while (left.count > 0 && set.next()) left.remove(member.bytes, member.start, member.end)
  }
  if (left === result) return
  left.forEach(({ bytes, start, end }) => {
    result.add(bytes, start, end)
  })
  left.dispose()
}

function lookedUpDifference(result: Members, first: UnorderedSet, others: readonly UnorderedSet[]): void {
  // The largest is the likeliest to have a member.
  const largestFirst = others.toSorted((one, other) => other.count - one.count)
  const { member } = first
  first.rewind()
  while (first.next()) {
    const { bytes, start, end } = member
    if (!largestFirst.some((set) => set.has(bytes, start, end))) result.add(bytes, start, end)
  }
}

function addAll(table: MemberTable, set: UnorderedSet): void {
  const { member } = set
  table.reserve(set.count)
  set.rewind()
  while (set.next()) table.add(member.bytes, member.start, member.end)
}
