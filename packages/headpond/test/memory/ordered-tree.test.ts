import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Handle, Heap } from '#src/memory/heap.ts'
import { Bound, OrderedTree, TreeCursor } from '#src/memory/ordered-tree.ts'
import {
  createElement,
  elementScore,
  freeElement,
  memberArray,
  memberSize,
  memberStart,
} from '#src/memory/scored-element.ts'

/** A tree beside a sorted array that says what it should hold. */
class Pair {
  readonly heap = new Heap(2 ** 20)
  readonly tree = new OrderedTree(this.heap)
  readonly model: { score: number; member: Buffer; element: Handle }[] = []

  #place(score: number, member: Buffer): number {
    let low = 0
    let high = this.model.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = this.model[middle]
      const isBefore = entry.score < score || (entry.score === score && Buffer.compare(entry.member, member) < 0)
      if (isBefore) low = middle + 1
      else high = middle
    }
    return low
  }

  add(score: number, text: string): void {
    const member = Buffer.from(text)
    const place = this.#place(score, member)
    const found = this.model[place]
    if (found?.score === score && found.member.equals(member)) return
    const element = createElement(this.heap, score, member, 0, member.length)
    this.tree.insert(element)
    this.model.splice(place, 0, { score, member, element })
  }

  remove(rank: number, byRank: boolean): void {
    const [entry] = this.model.splice(rank, 1)
    if (byRank) assert.equal(this.tree.removeAt(rank), entry.element)
    else this.tree.remove(entry.element)
    freeElement(this.heap, entry.element)
  }

  memberOf(element: Handle): string {
    const start = memberStart(this.heap, element)
    return Buffer.from(
      memberArray(this.heap, element).subarray(start, start + memberSize(this.heap, element)),
    ).toString()
  }

  check(): void {
    this.tree.verify()
    assert.equal(this.tree.count, this.model.length)
    if (this.model.length === 0) return
    const cursor = new TreeCursor()
    this.tree.seek(cursor, 0)
    for (const entry of this.model) {
      assert.equal(cursor.element, entry.element)
      assert.equal(cursor.score, entry.score)
      assert.equal(this.memberOf(cursor.element), entry.member.toString())
      assert.equal(cursor.next(), entry !== this.model.at(-1))
    }
    for (const entry of this.model.toReversed()) {
      assert.equal(cursor.element, entry.element)
      assert.equal(cursor.previous(), entry !== this.model[0])
    }
  }

  checkRanks(rank: number): void {
    const { element, score, member } = this.model[rank]
    assert.equal(this.tree.at(rank), element)
    assert.equal(this.tree.rankOf(element), rank)
    assert.equal(elementScore(this.heap, element), score)
    const bound = new Bound()
    assert.equal(this.tree.countBefore(bound.byKey(score, member, 0, member.length, true)), rank + 1)
    for (const probe of [score, score - 0.5, score + 0.5]) {
      const below = this.model.filter((entry) => entry.score < probe).length
      const upTo = this.model.filter((entry) => entry.score <= probe).length
      assert.equal(this.tree.countBefore(bound.byScore(probe, false)), below)
      assert.equal(this.tree.countBefore(bound.byScore(probe, true)), upTo)
    }
  }

  /** Empties both, and makes sure that nothing stays behind. */
  clear(): void {
    while (this.tree.dismantle((element) => freeElement(this.heap, element))) this.tree.count
    assert.equal(this.tree.count, 0)
    assert.equal(this.tree.sizeBytes, 0)
    this.heap.verify()
    assert.equal(this.heap.usedBytes, 0)
  }
}

/** Small numbers that repeat, so that a failing run can be played again. */
function randomOf(seed: number): (end: number) => number {
  let state = seed
  return (end) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * end)
  }
}

test('a small tree is a sorted array', () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('add' as const),
      score: fc.integer({ min: -3, max: 3 }),
      member: fc.string({ maxLength: 2 }),
    }),
    fc.record({ do: fc.constant('remove' as const), at: fc.nat(), byRank: fc.boolean() }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const pair = new Pair()
      for (const each of steps) {
        if (each.do === 'add') pair.add(each.score, each.member)
        else if (pair.model.length > 0) pair.remove(each.at % pair.model.length, each.byRank)
      }
      pair.check()
      for (let rank = 0; rank < pair.model.length; rank += 7) pair.checkRanks(rank)
      pair.clear()
    }),
    { numRuns: 60 },
  )
})

const fillings: [name: string, scoreOf: (index: number, random: (end: number) => number) => number][] = [
  ['rising scores', (index) => index],
  ['falling scores', (index) => -index],
  ['scores at random', (_index, random) => random(1e9)],
  ['few scores', (_index, random) => random(3)],
  ['one score', () => 7],
  ['rising towards the middle', (index) => (index % 2 === 0 ? index : 100_000 - index)],
]

for (const [name, scoreOf] of fillings) {
  test(`a tree of some levels grows and shrinks: ${name}`, () => {
    const random = randomOf(42)
    const pair = new Pair()
    for (let index = 0; index < 12_000; index++) {
      pair.add(scoreOf(index, random), `member:${random(1e9)}`)
      if (index % 3000 === 0) pair.check()
    }
    pair.check()
    for (let probe = 0; probe < 30; probe++) pair.checkRanks(random(pair.model.length))
    const removals = [
      (count: number) => random(count),
      () => 0,
      (count: number) => count - 1,
      (count: number) => count >> 1,
    ]
    for (let turn = 0; pair.model.length > 0; turn++) {
      const removal = removals[Math.floor(turn / 500) % removals.length]
      pair.remove(removal(pair.model.length), turn % 2 === 0)
      if (turn % 2500 === 0) pair.check()
    }
    pair.clear()
  })
}

test('growing and shrinking at once keeps the tree in order', () => {
  const random = randomOf(7)
  const pair = new Pair()
  for (let turn = 0; turn < 60_000; turn++) {
    // In waves of growth and decline.
    const grows = random(100) < (Math.floor(turn / 10_000) % 2 === 0 ? 75 : 25)
    if (grows || pair.model.length === 0) pair.add(random(2000), `m${random(50)}`)
    else pair.remove(random(pair.model.length), random(2) === 0)
    if (turn % 5000 === 0) pair.check()
  }
  pair.check()
  pair.clear()
})

test('members of one score are found by their bytes', () => {
  const pair = new Pair()
  for (let index = 0; index < 5000; index++) pair.add(0, String(index).padStart(5, '0'))
  const bound = new Bound()
  for (const [text, isBehindEqual, expected] of [
    ['', false, 0],
    ['00000', false, 0],
    ['00000', true, 1],
    ['02500', false, 2500],
    ['02500', true, 2501],
    ['025', true, 2500],
    ['0250099', false, 2501],
    ['\xff', false, 5000],
  ] as const) {
    const bytes = Buffer.from(text, 'latin1')
    assert.equal(pair.tree.countBefore(bound.byMember(bytes, 0, bytes.length, isBehindEqual)), expected, text)
  }
  pair.clear()
})

test('infinite scores and members longer than a block stand where they belong', () => {
  const pair = new Pair()
  const long = 'x'.repeat(100_000)
  for (const score of [Number.POSITIVE_INFINITY, 0, Number.NEGATIVE_INFINITY]) {
    pair.add(score, `${long}b`)
    pair.add(score, `${long}a`)
    pair.add(score, 'z')
  }
  pair.check()
  assert.deepEqual(
    pair.model.map(({ score }) => score),
    [-Infinity, -Infinity, -Infinity, 0, 0, 0, Infinity, Infinity, Infinity],
  )
  pair.clear()
})

test('an element takes at most 18 bytes of the tree, 14 when scores rise', () => {
  const random = randomOf(1)
  for (const [scoreOf, bytesMax] of [
    [(index: number) => index, 14],
    [() => random(1e9), 19],
  ] as const) {
    const heap = new Heap(2 ** 20)
    const tree = new OrderedTree(heap)
    for (let index = 0; index < 50_000; index++) {
      const member = Buffer.from(`member:${index}`)
      tree.insert(createElement(heap, scoreOf(index), member, 0, member.length))
    }
    assert.ok(tree.sizeBytes / tree.count < bytesMax, `${tree.sizeBytes / tree.count} bytes an element`)
  }
})
