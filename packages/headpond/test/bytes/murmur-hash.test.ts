import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MurmurHash64 } from '#src/bytes/murmur-hash.ts'

// The model follows the definition in whole 64-bit numbers.
const MULTIPLIER = 0xc6a4a7935bd1e995n
const multiply = (value: bigint) => BigInt.asUintN(64, value * MULTIPLIER)
const fold = (value: bigint) => value ^ (value >> 47n)

function model(bytes: Uint8Array, seed: bigint): bigint {
  let hash = seed ^ multiply(BigInt(bytes.length))
  const wordsEnd = bytes.length - (bytes.length % 8)
  const view = Buffer.from(bytes)
  for (let at = 0; at < wordsEnd; at += 8) hash = multiply(hash ^ multiply(fold(multiply(view.readBigUInt64LE(at)))))
  if (wordsEnd < bytes.length) {
    for (let at = wordsEnd; at < bytes.length; at++) hash ^= BigInt(bytes[at]) << BigInt(8 * (at - wordsEnd))
    hash = multiply(hash)
  }
  return fold(multiply(fold(hash)))
}

test('bytes of any length, anywhere in an array and with any seed', () => {
  const hasher = new MurmurHash64()
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 50 }),
      fc.nat(9),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      (content, start, seed) => {
        const bytes = new Uint8Array(start + content.length + 9).fill(0xa5)
        bytes.set(content, start)
        hasher.hash(bytes, start, start + content.length, Number(seed & 0xffffffffn), Number(seed >> 32n))
        const hash = (BigInt(hasher.high >>> 0) << 32n) | BigInt(hasher.low >>> 0)
        assert.equal(hash, model(content, seed))
      },
    ),
    { numRuns: 1000 },
  )
})
