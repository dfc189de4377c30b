import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesEqual, compareBytes, equalsIgnoreCase } from '#src/bytes/ascii.ts'
import { Crc64 } from '#src/bytes/crc64.ts'
import { parseDouble } from '#src/bytes/double.ts'
import { globMatch } from '#src/bytes/glob.ts'
import { decimalLength, isCanonicalInteger, parseInteger, writeInteger } from '#src/bytes/integer.ts'
import { lzfCompress, lzfDecompress } from '#src/bytes/lzf.ts'
import { HalfSipHash } from '#src/bytes/sip-hash.ts'
import { heapBytesPerCall } from '../heap-bytes.ts'

const keys = Array.from({ length: 64 }, (_, i) => Buffer.from(`key:{tag}:${i}:${'x'.repeat(i)}`))
const integers = Array.from({ length: 64 }, (_, i) => Buffer.from(String(4 ** (i % 27) - i)))
const decimals = Array.from({ length: 64 }, (_, i) => Buffer.from(`${i * 37}.${i}5`))
const pattern = Buffer.from('key:*1?[:x]*x')
const room = Buffer.alloc(200)
const compressedRoom = Buffer.alloc(200)
const hasher = new HalfSipHash(0x12345678, 0x9abcdef0)
const crc = new Crc64()

// Results go here, so that no call is optimized away; an Int32Array, because a variable would box large numbers.
const sink = new Int32Array(1)

const hotCalls: [name: string, call: (i: number) => void][] = [
  ['HalfSipHash.hash', (i) => void (sink[0] ^= hasher.hash(keys[i & 63], 0, keys[i & 63].length))],
  ['bytesEqual', (i) => void (sink[0] ^= Number(bytesEqual(keys[i & 63], 0, 10, keys[(i + 1) & 63], 0, 10)))],
  ['compareBytes', (i) => void (sink[0] ^= compareBytes(keys[i & 63], 0, 11, keys[(i + 1) & 63], 0, 11))],
  ['equalsIgnoreCase', (i) => void (sink[0] ^= Number(equalsIgnoreCase(keys[i & 63], 0, 3, 'KEY')))],
  [
    'globMatch',
    (i) => void (sink[0] ^= Number(globMatch(pattern, 0, 13, keys[i & 63], 0, keys[i & 63].length, false))),
  ],
  [
    'isCanonicalInteger',
    (i) => void (sink[0] ^= Number(isCanonicalInteger(integers[i & 63], 0, integers[i & 63].length))),
  ],
  ['decimalLength', (i) => void (sink[0] ^= decimalLength(i * 1_000_003))],
  ['writeInteger', (i) => void (sink[0] ^= writeInteger(room, 0, i * 1_000_003))],
  ['Crc64.update', (i) => crc.update(keys[i & 63], 0, keys[i & 63].length)],
  ['lzfCompress', (i) => void (sink[0] ^= lzfCompress(keys[i & 63], 0, keys[i & 63].length, compressedRoom, 0, 200))],
  ['lzfDecompress', (i) => void (sink[0] ^= lzfDecompress(compressedRoom, 0, 1 + (i & 7), room, 0, 200))],
  ['parseInteger', (i) => void (sink[0] ^= parseInteger(integers[i & 63], 0, integers[i & 63].length))],
  ['parseDouble', (i) => void (sink[0] ^= parseDouble(decimals[i & 63], 0, decimals[i & 63].length))],
]

for (const [name, call] of hotCalls) {
  test(`${name} leaves no garbage`, () => {
    const bytes = heapBytesPerCall(call)
    assert.ok(bytes < 1, `${name} leaves ${bytes} bytes a call`)
  })
}
