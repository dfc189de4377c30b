import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NONE } from '#src/memory/heap.ts'
import { Bound } from '#src/memory/ordered-tree.ts'
import type { Database } from '#src/store/database.ts'
import { SortedSet } from '#src/store/sorted-set.ts'
import { Store } from '#src/store/store.ts'
import { SeededRandom } from '../seeded-random.ts'

const KEY = Buffer.from('key')

function newStore(entriesMax: number): Store {
  const packedLimits = { ...new Store({ databaseCount: 1, firstArenaBytes: 2 ** 20, random: () => 0.5 }).packedLimits }
  return new Store({
    databaseCount: 1,
    firstArenaBytes: 2 ** 20,
    random: () => 0.5,
    packedLimits: { ...packedLimits, zsetMaxListpackEntries: entriesMax },
  })
}

/** The set at a key as the model has it: in order, by score and then bytes. */
function ordered(model: Map<string, number>): [member: string, score: number][] {
  return [...model].sort(([first, one], [second, other]) => one - other || (first < second ? -1 : 1))
}

function contents(sortedSet: SortedSet): [member: string, score: number][] {
  const found: [string, number][] = []
  sortedSet.seek(0)
  do {
    const { bytes, start, end, score } = sortedSet
    found.push([Buffer.from(bytes.subarray(start, end)).toString('latin1'), score])
  } while (sortedSet.next())
  return found
}

function openAt(database: Database): SortedSet {
  const handle = database.write(KEY, 0, KEY.length)
  if (handle !== NONE) return new SortedSet(database, handle)
  return SortedSet.create(database, KEY, 0, KEY.length, 1, 1)
}

for (const entriesMax of [0, 8, 128]) {
  test(`a sorted set is an ordered map, with up to ${entriesMax} members packed`, () => {
    const random = new SeededRandom(entriesMax + 1)
    const pick = (end: number) => random.below(end)
    const store = newStore(entriesMax)
    const [database] = store.databases
    const emptyBytes = store.heap.usedBytes
    const model = new Map<string, number>()
    const bound = new Bound()
    for (let turn = 0; turn < 6000; turn++) {
      const sortedSet = openAt(database)
      const name = ['', 'm', '1', '-7', 'long '.repeat(9)][pick(5)] + String(pick(60))
      const member = Buffer.from(name)
      const score = [pick(10), pick(1e6) / 7, 0 - pick(5), pick(2) === 0 ? Infinity : -Infinity][pick(4)]
      const isThere = sortedSet.find(member, 0, member.length)
      assert.equal(isThere, model.has(name))
      if (isThere) assert.equal(sortedSet.score, model.get(name))
      if (pick(3) > 0) {
        if (isThere) sortedSet.changeScore(score)
        else sortedSet.add(score, member, 0, member.length)
        model.set(name, score)
      } else if (isThere) {
        assert.equal(
          sortedSet.rankOfFound(),
          ordered(model).findIndex(([each]) => each === name),
        )
        sortedSet.removeFound()
        model.delete(name)
      } else if (model.size > 4 && pick(10) === 0) {
        const first = pick(model.size)
        const count = 1 + pick(Math.min(3, model.size - first))
        for (const [each] of ordered(model).slice(first, first + count)) model.delete(each)
        sortedSet.removeRange(first, count)
      }
      assert.equal(sortedSet.count, model.size)
      if (model.size === 0) {
        database.remove(sortedSet.handle)
        continue
      }
      if (turn % 50 !== 0) continue
      assert.deepEqual(contents(sortedSet), ordered(model))
      const below = ordered(model).filter(([, each]) => each < score).length
      assert.equal(sortedSet.countBefore(bound.byScore(score, false)), below)
    }
    const copyKey = Buffer.from('copy')
    const handle = database.write(KEY, 0, KEY.length)
    const copy = database.copyTo(database, handle, copyKey, 0, copyKey.length)
    assert.deepEqual(contents(new SortedSet(database, copy)), ordered(model))
    database.remove(database.write(KEY, 0, KEY.length))
    assert.deepEqual(contents(new SortedSet(database, database.write(copyKey, 0, copyKey.length))), ordered(model))
    database.remove(database.write(copyKey, 0, copyKey.length))
    store.lazyFree.finish()
    store.heap.verify()
    assert.ok(store.heap.usedBytes <= emptyBytes + 64, 'everything was given back')
    assert.equal(store.structures.count, 0)
  })
}

test('a large set is freed in the background, in slices', () => {
  const store = newStore(0)
  const [database] = store.databases
  const sortedSet = openAt(database)
  for (let index = 0; index < 20_000; index++) {
    const member = Buffer.from(`member:${index}`)
    sortedSet.find(member, 0, member.length)
    sortedSet.add(index % 100, member, 0, member.length)
  }
  const fullBytes = store.heap.usedBytes
  database.remove(sortedSet.handle)
  assert.ok(store.heap.usedBytes > fullBytes * 0.9, 'deleting is over before anything large is freed')
  let slices = 0
  while (store.lazyFree.run(() => true)) slices++
  assert.ok(slices > 20, `${slices} slices`)
  store.heap.verify()
  assert.ok(store.heap.usedBytes < 4096, `${store.heap.usedBytes} bytes left`)
})

test('a result takes the form that its size asks for', () => {
  const store = newStore(3)
  const [database] = store.databases
  for (const [count, isPacked] of [
    [3, true],
    [4, false],
  ] as const) {
    const result = SortedSet.temporary(database)
    for (let index = 0; index < count; index++) {
      const member = Buffer.from(`m${index}`)
      result.find(member, 0, member.length)
      result.add(-index, member, 0, member.length)
    }
    const stored = new SortedSet(database, result.storeAs(KEY, 0, KEY.length))
    assert.equal(stored.isPacked, isPacked)
    assert.equal(contents(stored)[0][0], `m${count - 1}`)
  }
})
