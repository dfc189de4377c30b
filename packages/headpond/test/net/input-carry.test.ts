import assert from 'node:assert/strict'
import { test } from 'node:test'
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
