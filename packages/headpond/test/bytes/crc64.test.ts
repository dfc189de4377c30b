import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { Crc64 } from '#src/bytes/crc64.ts'
import { crc32c } from '#src/log/crc32c.ts'
import { chooseSeed, SeededRandom } from '../seeded-random.ts'

const digits = Buffer.from('x123456789x')

/** Bit by bit, as the textbook has it. */
function naiveCrc64(bytes: Uint8Array): bigint {
  let crc = 0n
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n
  }
  return crc
}

function crc64(...pieces: Uint8Array[]): Crc64 {
  const crc = new Crc64()
  for (const piece of pieces) crc.update(piece, 0, piece.length)
  return crc
}

test('the check value', () => {
  const crc = new Crc64()
  crc.update(digits, 1, 10)
  assert.equal(crc.toString(), 'e9c6d914c4b8d9ca')
})

test('a CRC-64 is the same in one piece, in two, and bit by bit', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 100 }), (first, second) => {
      const expected = naiveCrc64(Buffer.concat([first, second]))
      const crc = crc64(first, second)
      assert.equal(crc.toString(), expected.toString(16).padStart(16, '0'))
      assert.equal(crc64(Buffer.concat([first, second])).toString(), crc.toString())

      const footer = Buffer.alloc(10)
      crc.writeTo(footer, 1)
      assert.equal(footer.readBigUInt64LE(1), expected)
      assert.ok(crc.equals(footer, 1))
      footer[1 + (first.length % 8)] ^= 0x80
      assert.ok(!crc.equals(footer, 1))
    }),
  )
})

test('a CRC-64 is the same in large pieces and in small ones', () => {
  const random = new SeededRandom(chooseSeed())
  // The last one is larger than what goes into the module's memory at once.
  const sizes = [...Array.from({ length: 300 }, () => random.below(20_000)), 600_000]
  for (const sizeBytes of sizes) {
    const bytes = random.bytes(sizeBytes)
    const small = new Crc64()
    for (let at = 0; at < sizeBytes; at += 100) small.update(bytes, at, Math.min(at + 100, sizeBytes))
    const large = new Crc64()
    const cut = random.below(sizeBytes + 1)
    large.update(bytes, 0, cut)
    large.update(bytes, cut, sizeBytes)
    assert.equal(large.toString(), small.toString(), `${cut} and ${sizeBytes - cut} bytes, seed ${random.seed}`)
  }
})

test('processors without vectors get the same', { skip: process.arch !== 'x64' }, () => {
  const bytes = new SeededRandom(chooseSeed()).bytes(20_000)
  const crc = crc64(bytes)
  const script = `
    const [{ Crc64 }, { crc32c }] = [await import('${import.meta.resolve('#src/bytes/crc64.ts')}'), await import('${import.meta.resolve('#src/log/crc32c.ts')}')]
    const bytes = Buffer.from('${Buffer.from(bytes).toString('base64')}', 'base64')
    const crc = new Crc64()
    crc.update(bytes, 0, bytes.length)
    console.log(crc.toString(), crc32c(bytes, 0, bytes.length))`
  const flags = ['--no-enable-ssse3', '--no-enable-sse4-1', '--no-enable-sse4-2', '--no-enable-avx', '--no-enable-avx2']
  const output = execFileSync(process.execPath, [...flags, '--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.equal(output.trim(), `${crc} ${crc32c(bytes, 0, bytes.length)}`)
})

test('reset starts anew', () => {
  const crc = crc64(digits)
  crc.reset()
  assert.equal(crc.toString(), '0000000000000000')
})
