import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LargeValues } from '#src/memory/large-values.ts'
import { InputCarry } from '#src/net/input-carry.ts'
import { chooseSeed, SeededRandom } from '../seeded-random.ts'

test('bytes come out as they went in, whatever is added and taken', () => {
  const random = new SeededRandom(chooseSeed())
  // Two at once, since they take turns with one buffer.
  const carries = [new InputCarry(), new InputCarry()]
  const models = [Buffer.alloc(0), Buffer.alloc(0)]
  for (let step = 0; step < 3000; step++) {
    const which = random.below(2)
    const carry = carries[which]
    if (random.once(2)) {
      const sizeBytes = random.below(random.once(4) ? 65536 : 300)
      const chunk = Buffer.alloc(sizeBytes + 5, step & 255)
      assert.ok(carry.append(chunk, 5, 5 + sizeBytes, random.once(4) ? random.below(2 ** 20) : 0))
      models[which] = Buffer.concat([models[which], chunk.subarray(5)])
    } else if (carry.sizeBytes > 0) {
      const countBytes = random.once(3) ? carry.sizeBytes : random.below(carry.sizeBytes + 1)
      carry.take(countBytes)
      models[which] = models[which].subarray(countBytes)
    } else if (random.once(10)) {
      carry.clear()
    }
    for (const index of [0, 1]) {
      const { buffer, start, end } = carries[index]
      const held = buffer?.subarray(start, end) ?? Buffer.alloc(0)
      assert.ok(models[index].equals(held), `SEED=${random.seed}, step ${step}`)
    }
  }
})

test('room follows what has arrived, not what was announced', () => {
  const carry = new InputCarry()
  const piece = Buffer.alloc(1000)
  carry.append(piece, 0, 1000, 512 * 2 ** 20)
  assert.ok(carry.ownBytes <= 2 ** 18, `${carry.ownBytes}`)
  for (let count = 0; count < 1000; count++) carry.append(piece, 0, 1000, 512 * 2 ** 20)
  // Sixty-four times what was there when room was made.
  assert.ok(carry.ownBytes <= 64 * 1_001_000, `${carry.ownBytes}`)
  // And leaves with it.
  carry.take(1_000_000)
  assert.ok(carry.ownBytes <= 2 ** 18, `${carry.ownBytes}`)
  carry.take(1000)
  assert.equal(carry.ownBytes, 0)
})

test('what takes up most of a buffer is kept without a copy, and stays as it is until it is given back', () => {
  const random = new SeededRandom(chooseSeed())
  const large = new LargeValues()
  const kept: { index: number; copy: Buffer }[] = []
  let wholeCount = 0
  const carries = [new InputCarry(), new InputCarry()]
  for (let request = 0; request < 400; request++) {
    const carry = random.pick(carries)
    const valueBytes = random.once(20) ? 4.5 * 2 ** 20 + random.below(2 ** 20) : 30_000 + random.below(300_000)
    const behindBytes = random.pick([2, 2, 2, 10])
    const firstOne = carry.sizeBytes
    const requestBytes = 30 + valueBytes + behindBytes
    while (carry.sizeBytes < firstOne + requestBytes) {
      const pieceBytes = Math.min(2 ** 17, firstOne + requestBytes - carry.sizeBytes)
      const piece = Buffer.alloc(pieceBytes, random.below(256))
      assert.ok(carry.append(piece, 0, pieceBytes, random.once(10) ? 0 : firstOne + requestBytes))
    }
    // The next request may have come with it.
    const next = Buffer.alloc(random.pick([0, 0, 0, 10, 100_000]), random.below(256))
    assert.ok(carry.append(next, 0, next.length, 0))

    carry.offer()
    const buffer = carry.buffer!
    const start = carry.start + firstOne + 30
    const copy = Buffer.from(buffer.subarray(start, start + valueBytes))
    const index = large.keep(buffer, start, start + valueBytes)
    const isWhole = large.get(index).buffer === buffer.buffer
    if (isWhole) {
      wholeCount++
      const again = large.keep(buffer, start, start + valueBytes)
      assert.notEqual(large.get(again).buffer, buffer.buffer, 'one alone has it')
      large.free(again)
      // What is given back at once is used again at once: nothing that is yet to be read may lie there.
      if (random.once(2)) kept.push({ index, copy })
      else large.free(index)
    } else {
      kept.push({ index, copy })
    }
    const other = large.allocate(valueBytes)
    large.get(other).fill(0xee)
    const rest = Buffer.from(buffer.subarray(start + valueBytes + behindBytes, carry.end))
    assert.ok(rest.equals(next), `SEED=${random.seed}: what follows was overwritten`)
    large.free(other)
    carry.take(firstOne + requestBytes)
    const held = carry.buffer?.subarray(carry.start, carry.end) ?? Buffer.alloc(0)
    assert.ok(held.equals(next), `SEED=${random.seed}: what is carried over was overwritten`)
    if (random.once(2)) carry.clear()

    for (const { index: each, copy: expected } of kept) {
      assert.ok(expected.equals(large.get(each).subarray(0, expected.length)), `SEED=${random.seed}`)
    }
    while (kept.length > 8) large.free(kept.splice(random.below(kept.length), 1)[0].index)
  }
  assert.ok(wholeCount > 50, `${wholeCount}`)
})
