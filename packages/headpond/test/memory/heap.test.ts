import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BLOCK_BYTES_MAX, byteAt, type Handle, Heap } from '#src/memory/heap.ts'
import { SeededRandom } from '../seeded-random.ts'

/** Writes a mark at both ends of a block, so that blocks which overlap betray each other. */
function mark(heap: Heap, handle: Handle, sizeBytes: number, value: number): void {
  const bytes = heap.arenaOf(handle).u8
  bytes[byteAt(handle)] = value
  bytes[byteAt(handle) + sizeBytes - 1] = value
}

function assertMarked(heap: Heap, handle: Handle, sizeBytes: number, value: number): void {
  const bytes = heap.arenaOf(handle).u8
  assert.equal(bytes[byteAt(handle)], value)
  assert.equal(bytes[byteAt(handle) + sizeBytes - 1], value)
}

/** Sizes as records have them: mostly small, now and then up to the largest block. */
function randomSize(random: SeededRandom): number {
  if (random.once(20)) return 1 + random.below(BLOCK_BYTES_MAX)
  return 1 + random.below(random.once(3) ? 2000 : 120)
}

test('blocks never overlap, and every byte is accounted for, whatever is allocated and freed in whatever order', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 9 }), (seed, growth) => {
      const random = new SeededRandom(seed)
      const heap = new Heap(2 ** 17) // a small first arena, so that more follow
      const live: { handle: Handle; sizeBytes: number; value: number }[] = []
      let usedBytes = 0
      for (let step = 0; step < 40_000; step++) {
        // Growth, then shrinking, so that pages empty and serve other sizes.
        const isGrowing = step % 10_000 < growth * 1000
        if (live.length === 0 || random.below(10) < (isGrowing ? 7 : 3)) {
          const sizeBytes = randomSize(random)
          const handle = heap.allocate(sizeBytes)
          const value = random.below(256)
          mark(heap, handle, sizeBytes, value)
          live.push({ handle, sizeBytes, value })
          usedBytes += Heap.classBytes(sizeBytes)
          assert.ok(heap.blockBytes(handle) >= sizeBytes)
        } else {
          const index = random.below(live.length)
          const { handle, sizeBytes, value } = live[index]
          assertMarked(heap, handle, sizeBytes, value)
          heap.free(handle)
          usedBytes -= Heap.classBytes(sizeBytes)
          live[index] = live[live.length - 1]
          live.pop()
        }
        if (step % 10_000 === 0) heap.verify()
      }
      heap.verify()
      assert.equal(heap.usedBytes, usedBytes)
      assert.ok(heap.activeBytes >= usedBytes && heap.residentBytes >= heap.activeBytes)
      for (const { handle, sizeBytes, value } of live) {
        assertMarked(heap, handle, sizeBytes, value)
        heap.free(handle)
      }
      heap.verify()
      assert.equal(heap.usedBytes, 0)
      assert.equal(heap.activeBytes, 0)
    }),
    { numRuns: 50 },
  )
})

test('memory that blocks of one size give back serves every other size', () => {
  const heap = new Heap(2 ** 24)
  const sizes = [48, 20_000, 16, 512, BLOCK_BYTES_MAX, 80, 3000]
  const budgetBytes = 4 * 2 ** 20
  for (const sizeBytes of sizes) {
    const handles = Array.from({ length: Math.floor(budgetBytes / Heap.classBytes(sizeBytes)) }, () =>
      heap.allocate(sizeBytes),
    )
    for (const handle of handles) heap.free(handle)
  }
  heap.verify()
  // Classes that do not divide a page leave some room in it; nothing beyond that may be lost.
  assert.ok(heap.residentBytes <= budgetBytes * 1.15, `${heap.residentBytes} bytes for ${budgetBytes}`)
})

test('a reset gives all blocks back, and memory touched before it is not counted twice', () => {
  const heap = new Heap(2 ** 24)
  const fill = () => {
    for (let count = 0; count < 10_000; count++) heap.allocate(100)
  }
  fill()
  const { residentBytes } = heap
  for (let round = 0; round < 20; round++) {
    heap.reset()
    heap.verify()
    assert.equal(heap.usedBytes, 0)
    fill()
  }
  assert.equal(heap.residentBytes, residentBytes)
})

test('memory that a reset kept is given back when it is asked for, unless it is in use again', () => {
  const heap = new Heap(2 ** 26)
  const fill = () => {
    for (let count = 0; count < 1000; count++) heap.allocate(32_000)
  }
  fill()
  const { residentBytes } = heap
  assert.ok(residentBytes > 30_000_000)
  heap.reset()
  assert.equal(heap.residentBytes, residentBytes)
  heap.allocate(100)
  heap.giveBack()
  assert.equal(heap.residentBytes, residentBytes)
  heap.reset()
  heap.giveBack()
  heap.verify()
  assert.equal(heap.residentBytes, 0)
  fill()
  heap.verify()
  assert.equal(heap.residentBytes, residentBytes)
})

test('a large value that a reader holds is copied before it is written, and only then', () => {
  const heap = new Heap(2 ** 17)
  const index = heap.large.allocate(100_000)
  const own = heap.large.writable(index)
  assert.equal(heap.large.writable(index), own)
  own.fill(1)
  const lent = heap.large.lend(index)
  const written = heap.large.writable(index)
  written.fill(2)
  assert.equal(lent[0], 1)
  assert.equal(heap.large.get(index)[0], 2)
  // At most a sixteenth more than what is needed.
  assert.ok(heap.usedBytes >= 100_000 && heap.usedBytes <= 106_250, `${heap.usedBytes}`)
  heap.large.free(index)
  assert.equal(heap.usedBytes, 0)
  assert.throws(() => heap.large.free(index), /not a live large value/)
})

test('the buffer of a large value is used again, unless a reader still holds it', () => {
  const heap = new Heap(2 ** 17)
  const index = heap.large.allocate(100_000)
  const buffer = heap.large.get(index)
  heap.large.free(index)
  // Another size of the same class.
  const next = heap.large.keep(Buffer.alloc(99_000, 1), 0, 99_000)
  assert.equal(heap.large.get(next), buffer)
  heap.large.lend(next)
  heap.large.takeBack(next)
  heap.large.free(next)
  const lent = heap.large.allocate(100_000)
  assert.equal(heap.large.get(lent), buffer, 'the reader gave it back')
  heap.large.lend(lent).fill(2)
  heap.large.free(lent)
  heap.large.get(heap.large.allocate(100_000)).fill(3)
  assert.equal(buffer[0], 2)
})
