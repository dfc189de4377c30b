import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keptBytes } from '#src/memory/written-once.ts'
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
  // Sixteen times what was there when room was made.
  assert.ok(carry.ownBytes <= 16 * 1_001_000, `${carry.ownBytes}`)
  // And leaves with it.
  carry.take(1_000_000)
  assert.ok(carry.ownBytes <= 2 ** 18, `${carry.ownBytes}`)
  carry.take(1000)
  assert.equal(carry.ownBytes, 0)
})

test('what takes up most of a large buffer is kept without a copy, and never written again', () => {
  const random = new SeededRandom(chooseSeed())
  for (let round = 0; round < 3; round++) {
    const carry = new InputCarry()
    const kept: { bytes: Uint8Array; copy: Buffer }[] = []
    let copiedCount = 0
    for (let request = 0; request < 5; request++) {
      const sizeBytes = 4.5 * 2 ** 20 + random.below(2 ** 20)
      const firstOne = carry.sizeBytes
      while (carry.sizeBytes < firstOne + sizeBytes) {
        const piece = Buffer.alloc(Math.min(2 ** 18, firstOne + sizeBytes - carry.sizeBytes), random.below(256))
        assert.ok(carry.append(piece, 0, piece.length, carry.sizeBytes === 0 ? 0 : firstOne + sizeBytes))
      }
      const start = carry.start + firstOne + 30
      const end = carry.end - 2
      const bytes = keptBytes(carry.buffer!, start, end)
      const again = keptBytes(carry.buffer!, start, end)
      assert.notEqual(again.buffer, carry.buffer!.buffer, 'one alone has it')
      if (bytes.buffer !== carry.buffer!.buffer) copiedCount++
      kept.push({ bytes, copy: Buffer.from(bytes) })
      // The next request may have begun behind it.
      const rest = Buffer.alloc(random.pick([0, 10, 100_000]), random.below(256))
      assert.ok(carry.append(rest, 0, rest.length, 0))
      carry.take(firstOne + sizeBytes)
      for (const { bytes: held, copy } of kept) assert.ok(copy.equals(held), `SEED=${random.seed}`)
    }
    assert.ok(copiedCount < 5)
  }
})
