import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HalfSipHash } from '#src/bytes/sip-hash.ts'

/**
 * HalfSipHash as its authors describe it, with the rounds as parameters: slow, and checked against their vectors for
 * 2-4, so that it can vouch for our 1-3.
 */
function referenceHash(wordRounds: number, finalRounds: number, key0: number, key1: number, bytes: Uint8Array): number {
  const v = Uint32Array.of(key0, key1, 0x6c796765 ^ key0, 0x74656462 ^ key1)
  const rotate = (i: number, bits: number) => {
    v[i] = (v[i] << bits) | (v[i] >>> (32 - bits))
  }
  const rounds = (count: number) => {
    for (let i = 0; i < count; i++) {
      v[0] += v[1]
      rotate(1, 5)
      v[1] ^= v[0]
      rotate(0, 16)
      v[2] += v[3]
      rotate(3, 8)
      v[3] ^= v[2]
      v[0] += v[3]
      rotate(3, 7)
      v[3] ^= v[0]
      v[2] += v[1]
      rotate(1, 13)
      v[1] ^= v[2]
      rotate(2, 16)
    }
  }
  const padded = Buffer.alloc((bytes.length & ~3) + 4)
  padded.set(bytes)
  padded[padded.length - 1] = bytes.length
  for (let i = 0; i < padded.length; i += 4) {
    const word = padded.readUInt32LE(i)
    v[3] ^= word
    rounds(wordRounds)
    v[0] ^= word
  }
  v[2] ^= 0xff
  rounds(finalRounds)
  return (v[1] ^ v[3]) >>> 0
}

const countingBytes = Uint8Array.from({ length: 300 }, (_, i) => i)

test("the test's own reference gives the authors' vectors for HalfSipHash-2-4", () => {
  // Key 00 01 .. 07; the message of vector n is the bytes 0 to n - 1.
  const vectors = [
    0x5b9f35a9, 0xb85a4727, 0x03a662fa, 0x04e7fe8a, 0x89466e2a, 0x69b6fac5, 0x23fc6358, 0xc563cf8b, 0x8f84b8d0,
    0x79e706f8, 0x3479b094, 0x50300808, 0x2f87f057, 0xff63e677, 0x7cf8ffd6, 0x972bfe74, 0x84acb5d9, 0x5b6474c4,
  ]
  for (const [length, expected] of vectors.entries()) {
    assert.equal(referenceHash(2, 4, 0x03020100, 0x07060504, countingBytes.subarray(0, length)), expected)
  }
})

test('HalfSipHash-1-3 agrees with the reference, wherever the bytes lie', () => {
  for (let length = 0; length <= countingBytes.length; length++) {
    const bytes = countingBytes.subarray(0, length)
    const expected = referenceHash(1, 3, 0x03020100, 0x07060504, bytes)
    assert.equal(new HalfSipHash(0x03020100, 0x07060504).hash(bytes, 0, length), expected)
  }
  fc.assert(
    fc.property(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1), fc.uint8Array(), fc.nat(5), (key0, key1, bytes, start) => {
      const shifted = Buffer.concat([Buffer.alloc(start, 7), bytes, Buffer.from([7])])
      const hash = new HalfSipHash(key0, key1).hash(shifted, start, start + bytes.length)
      assert.equal(hash, referenceHash(1, 3, key0, key1, bytes))
    }),
  )
})

test('bits of similar keys spread evenly', () => {
  const hasher = new HalfSipHash(1, 2)
  const bitCounts = new Array<number>(32).fill(0)
  const keyCount = 20_000
  for (let i = 0; i < keyCount; i++) {
    const key = Buffer.from(`user:${i}`)
    const hash = hasher.hash(key, 0, key.length)
    for (let bit = 0; bit < 32; bit++) bitCounts[bit] += (hash >>> bit) & 1
  }
  for (const count of bitCounts) assert.ok(Math.abs(count / keyCount - 0.5) < 0.02)
})
