import type { Database } from './database.ts'
import type { UnorderedSet } from './set.ts'
import { SortedSet } from './sorted-set.ts'

/** Unions, intersections and differences of sorted sets and sets, as ZUNION, ZINTER and ZDIFF make them. */

/** A set of either type: its members can be walked, and looked up; members of a plain set have the score 1. */
export interface ScoredMembers {
  readonly count: number
  /** What `seek`, `next` and `find` have reached; `bytes[start, end)` only `seek` and `next`. */
  readonly score: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** To the first member, of a set that is not empty. */
  seek(rank: 0): void
  next(): boolean
  find(bytes: Uint8Array, start: number, end: number): boolean
}

/** What a missing key holds. */
export const NO_MEMBERS: ScoredMembers = {
  count: 0,
  score: 0,
  bytes: new Uint8Array(0),
  start: 0,
  end: 0,
  seek() {},
  next: () => false,
  find: () => false,
}

/** A plain set seen as a sorted one. */
export function scoredMembersOf(set: UnorderedSet): ScoredMembers {
  const { member } = set
  return {
    count: set.count,
    score: 1,
    get bytes() {
      return member.bytes
    },
    get start() {
      return member.start
    },
    get end() {
      return member.end
    },
    seek() {
      set.rewind()
      set.next()
    },
    next: () => set.next(),
    find: (bytes, start, end) => set.has(bytes, start, end),
  }
}

export interface Input {
  readonly members: ScoredMembers
  readonly weight: number
}

export type Aggregate = 'SUM' | 'MIN' | 'MAX'

/** Every member of any input; a temporary set. O(n log n), n being the members of all inputs. */
export function unionOf(database: Database, inputs: readonly Input[], aggregate: Aggregate): SortedSet {
  // As many at least.
  const result = SortedSet.temporary(database, Math.max(...inputs.map(({ members }) => members.count)))
  for (const { members, weight } of bySize(inputs)) {
    if (members.count === 0) continue
    members.seek(0)
    do {
      const { bytes, start, end } = members
      const score = weighted(members.score, weight)
      if (!result.find(bytes, start, end)) result.addUnordered(score, bytes, start, end)
      else result.changeScoreUnordered(combine(aggregate, result.score, score))
    } while (members.next())
  }
  result.order()
  return result
}

/** The members that all inputs have; a temporary set. O(n k + m log m): n of the smallest, k inputs, m of the result. */
export function intersectionOf(database: Database, inputs: readonly Input[], aggregate: Aggregate): SortedSet {
  const result = SortedSet.temporary(database)
  eachCommon(inputs, aggregate, (members, score) => {
    result.find(members.bytes, members.start, members.end)
    result.addUnordered(score, members.bytes, members.start, members.end)
    return true
  })
  result.order()
  return result
}

/** How many members all inputs have, counted up to `limit` (0: all). */
export function intersectionCount(inputs: readonly Input[], limit: number): number {
  let count = 0
  eachCommon(inputs, 'SUM', () => ++count !== limit)
  return count
}

/** The members of the first input that no other has, with their scores; a temporary set. */
export function differenceOf(database: Database, inputs: readonly Input[]): SortedSet {
  const result = SortedSet.temporary(database)
  const [{ members }, ...others] = inputs
  if (members.count > 0) {
    members.seek(0)
    do {
      const { bytes, start, end, score } = members
      if (others.some((other) => other.members.find(bytes, start, end))) continue
      result.find(bytes, start, end)
      result.addUnordered(score, bytes, start, end)
    } while (members.next())
  }
  result.order()
  return result
}

/** Visits what all inputs have, until `visit` returns false. */
function eachCommon(
  inputs: readonly Input[],
  aggregate: Aggregate,
  visit: (members: ScoredMembers, score: number) => boolean,
): void {
  const [{ members, weight }, ...others] = bySize(inputs)
  if (members.count === 0) return
  members.seek(0)
  do {
    const { bytes, start, end } = members
    let score = weighted(members.score, weight)
    const isCommon = others.every((other) => {
      if (!other.members.find(bytes, start, end)) return false
      score = combine(aggregate, score, other.members.score * other.weight)
      return true
    })
    if (isCommon && !visit(members, score)) return
  } while (members.next())
}

/** Smallest first: few lookups, and Redis adds scores in this order. */
function bySize(inputs: readonly Input[]): Input[] {
  return inputs.toSorted((first, second) => first.members.count - second.members.count)
}

/** Zero times infinity counts as zero. */
function weighted(score: number, weight: number): number {
  const value = score * weight
  return Number.isNaN(value) ? 0 : value
}

function combine(aggregate: Aggregate, first: number, second: number): number {
  if (aggregate === 'MIN') return second < first ? second : first
  if (aggregate === 'MAX') return second > first ? second : first
  const sum = first + second
  return Number.isNaN(sum) ? 0 : sum // infinities of opposite signs
}
