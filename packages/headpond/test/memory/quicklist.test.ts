import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Heap } from '#src/memory/heap.ts'
import { ListCursor } from '#src/memory/list-cursor.ts'
import * as listpack from '#src/memory/listpack.ts'
import { NodeLimit } from '#src/memory/node-limit.ts'
import { Quicklist } from '#src/memory/quicklist.ts'
import { chooseSeed, SeededRandom } from '../seeded-random.ts'

const HEAP_BYTES = 2 ** 24

function elementsOf(quicklist: Quicklist): string[] {
  const cursor = new ListCursor()
  cursor.openQuicklist(quicklist)
  const elements: string[] = []
  for (let has = cursor.toIndex(0); has; has = cursor.next()) elements.push(cursor.toBytes().toString('latin1'))
  return elements
}

function elementsBackwards(quicklist: Quicklist): string[] {
  const cursor = new ListCursor()
  cursor.openQuicklist(quicklist)
  const elements: string[] = []
  for (let has = cursor.toIndex(-1); has; has = cursor.previous()) elements.push(cursor.toBytes().toString('latin1'))
  return elements
}

/** Few different ones, so that removing equal ones finds some; sizes on both sides of every limit. */
function someElement(random: SeededRandom): string {
  if (random.once(3)) return String(random.below(6))
  if (random.once(40))
    return 'x'.repeat(random.pick([4086, 4087, 8184, 8192, 8193, 16384, 32750, 32764, 32765, 50_000]))
  if (random.once(4)) return 'y'.repeat(random.below(1500))
  return 'z'.repeat(random.below(30))
}

for (const maxListpackSize of [-1, -2, -3, -5, 0, 1, 7, 1000]) {
  test(`a quicklist with list-max-listpack-size ${maxListpackSize} does what an array does`, () => {
    const seed = chooseSeed()
    const random = new SeededRandom(seed)
    const heap = new Heap(HEAP_BYTES)
    const quicklist = new Quicklist(heap, new NodeLimit(maxListpackSize))
    const cursor = new ListCursor()
    let model: string[] = []
    for (let step = 0; step < 4000; step++) {
      const element = someElement(random)
      const bytes = Buffer.from(element)
      const index = random.below(Math.max(model.length, 1))
      cursor.openQuicklist(quicklist)
      switch (random.below(model.length > 300 ? 9 : 7)) {
        case 0:
        case 1:
          quicklist.push(true, bytes, 0, bytes.length)
          model.push(element)
          break
        case 2:
          quicklist.push(false, bytes, 0, bytes.length)
          model.unshift(element)
          break
        case 3: {
          if (model.length === 0) break
          const isAfter = random.once(2)
          cursor.toIndex(index)
          quicklist.insert(cursor, isAfter, bytes, 0, bytes.length)
          model.splice(isAfter ? index + 1 : index, 0, element)
          break
        }
        case 4:
          if (model.length === 0) break
          cursor.toIndex(index)
          quicklist.replace(cursor, bytes, 0, bytes.length)
          model[index] = element
          break
        case 5: {
          if (model.length === 0) break
          const atTail = random.once(2)
          quicklist.removeEnd(atTail)
          if (atTail) model.pop()
          else model.shift()
          break
        }
        case 6: {
          const fromTail = random.once(2)
          const countMax = random.pick([1, 2, Number.POSITIVE_INFINITY])
          const removed = quicklist.removeEqual(bytes, 0, bytes.length, countMax, fromTail)
          assert.equal(removed, removeEqual(model, element, countMax, fromTail), `seed ${seed}`)
          break
        }
        default: {
          const count = random.below(Math.min(model.length - index, 200) + 1)
          quicklist.removeRange(index, count)
          model.splice(index, count)
        }
      }
      assert.equal(quicklist.count, model.length, `seed ${seed}, step ${step}`)
      if (step % 50 !== 0) continue
      assert.ok(quicklist.verify(), `seed ${seed}, step ${step}`)
      assert.deepEqual(elementsOf(quicklist), model, `seed ${seed}, step ${step}`)
      assert.deepEqual(elementsBackwards(quicklist), model.toReversed(), `seed ${seed}, step ${step}`)
      cursor.openQuicklist(quicklist)
      if (model.length > 0) {
        assert.ok(cursor.toIndex(index % model.length))
        assert.equal(cursor.toBytes().toString(), model[index % model.length])
      }
      assert.equal(cursor.toIndex(model.length), false)
      assert.equal(cursor.toIndex(-model.length - 1), false)
    }
    const copy = quicklist.clone()
    assert.ok(copy.verify())
    quicklist.dismantle(Number.POSITIVE_INFINITY)
    assert.equal(quicklist.count, 0)
    assert.deepEqual(elementsOf(copy), model)
    copy.dismantle(Number.POSITIVE_INFINITY)
    model = []
    heap.verify()
    assert.equal(heap.usedBytes, 0, 'every node went back to the heap')
  })
}

function removeEqual(model: string[], element: string, countMax: number, fromTail: boolean): number {
  let removed = 0
  for (let left = model.length; left > 0 && removed < countMax; left--) {
    const index = fromTail ? left - 1 : model.length - left
    if (model[index] !== element) continue
    model.splice(index, 1)
    removed++
  }
  return removed
}

test('a long list costs little more than its elements, and a queue gives back what it has passed', () => {
  const heap = new Heap(HEAP_BYTES)
  const quicklist = new Quicklist(heap, new NodeLimit(-2))
  const element = Buffer.from('ten  bytes')
  for (let count = 0; count < 100_000; count++) quicklist.push(true, element, 0, element.length)
  // A frame of two bytes each, and the nodes' headers.
  assert.ok(quicklist.sizeBytes < 100_000 * 12 * 1.02, String(quicklist.sizeBytes))
  for (let count = 0; count < 300_000; count++) {
    quicklist.push(true, element, 0, element.length)
    quicklist.removeEnd(false)
  }
  assert.ok(quicklist.sizeBytes < 100_000 * 12 * 1.05, String(quicklist.sizeBytes))
  quicklist.removeRange(0, 99_990)
  assert.ok(quicklist.sizeBytes < 20_000, String(quicklist.sizeBytes))
  assert.ok(quicklist.verify())
})

test('the row of nodes outgrows a block of the heap and comes back to one, whichever end it grows at', () => {
  for (const atTail of [true, false]) {
    const heap = new Heap(HEAP_BYTES)
    const quicklist = new Quicklist(heap, new NodeLimit(1))
    const expected: string[] = []
    for (let index = 0; index < 9000; index++) {
      const element = Buffer.from(String(index))
      quicklist.push(atTail, element, 0, element.length)
      expected.push(String(index))
    }
    if (!atTail) expected.reverse()
    assert.ok(quicklist.verify())
    assert.deepEqual(elementsOf(quicklist), expected)
    while (quicklist.count > 3) {
      quicklist.removeEnd(atTail)
      expected.pop()
      quicklist.removeEnd(!atTail)
      expected.shift()
    }
    assert.ok(quicklist.verify())
    assert.deepEqual(elementsOf(quicklist), expected)
    assert.ok(quicklist.sizeBytes < 1000, String(quicklist.sizeBytes))
    while (quicklist.count > 0) quicklist.removeEnd(atTail)
    assert.ok(quicklist.verify())
    heap.verify()
    assert.equal(heap.usedBytes, 0)
  }
})

test('listpacks join as nodes; what is too large for one is spread', () => {
  const heap = new Heap(HEAP_BYTES)
  const quicklist = new Quicklist(heap, new NodeLimit(4))
  const pack = new Uint8Array(4096)
  for (const count of [1, 4, 9]) {
    listpack.initialize(pack, 0)
    for (let index = 0; index < count; index++) listpack.append(pack, 0, Buffer.from(`e${index}`), 0, 2)
    quicklist.appendListpack(pack, 0)
  }
  quicklist.appendPlain(Buffer.from('alone'), 0, 5)
  assert.ok(quicklist.verify())
  assert.equal(quicklist.count, 15)
  assert.equal(elementsOf(quicklist).at(-1), 'alone')
  assert.equal(quicklist.isOneListpack, false)
})
