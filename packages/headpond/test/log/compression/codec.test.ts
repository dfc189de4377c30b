import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { codecOf, compress, decompress } from '#src/log/compression/codec.ts'
import { CompressionError } from '#src/log/compression/compression-error.ts'
import { decompressLz4OfMagic0 } from '#src/log/compression/lz4.ts'
import { xxHash32 } from '#src/log/compression/xx-hash.ts'
import { webAssemblyZstd } from '#src/log/compression/zstd.ts'
import { CODECS } from '#src/log/record-batch.ts'

const COMPRESSED = CODECS.filter((codec) => codec !== 'none')
const SAMPLE = Buffer.from('headpond '.repeat(9000))

/** Bytes that compress, do not, and cross the limits of blocks. */
const payload = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .record({ byte: fc.nat(255), count: fc.nat(40_000) })
        .map(({ byte, count }) => new Uint8Array(count).fill(byte)),
      fc
        .record({ word: fc.uint8Array({ minLength: 1, maxLength: 20 }), count: fc.nat(4000) })
        .map(({ word, count }) => Buffer.concat(new Array(count).fill(word))),
    ),
    { maxLength: 6 },
  )
  .map((parts) => Buffer.concat(parts))

for (const codec of COMPRESSED) {
  test(`${codec}: what is compressed is decompressed`, () => {
    fc.assert(
      fc.property(payload, (bytes) => {
        assert.ok(Buffer.from(decompress(codec, compress(codec, bytes))).equals(bytes))
      }),
      { numRuns: 60 },
    )
  })

  test(`${codec}: no more than is allowed`, () => {
    const packed = compress(codec, SAMPLE)
    assert.equal(decompress(codec, packed, SAMPLE.length).length, SAMPLE.length)
    assert.throws(() => decompress(codec, packed, SAMPLE.length - 1), {
      message: `would be larger than ${SAMPLE.length - 1} bytes`,
    })
  })

  test(`${codec}: damage is an error that says so, or goes unnoticed; cut bytes never do`, () => {
    const packed = compress(codec, SAMPLE.subarray(0, 70_000))
    fc.assert(
      fc.property(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(packed)
        damaged[at] ^= flip
        try {
          decompress(codec, damaged, 2 ** 20)
        } catch (error) {
          assert.ok(error instanceof CompressionError, String(error))
        }
      }),
      { numRuns: 500 },
    )
    for (let length = packed.length - 1; length > Math.max(packed.length - 40, 0); length--) {
      let cut: Uint8Array | null = null
      try {
        cut = decompress(codec, packed.subarray(0, length))
      } catch (error) {
        assert.ok(error instanceof CompressionError, String(error))
      }
      // Xerial's framing of snappy has no end: a cut between two blocks is a shorter value.
      if (cut !== null) assert.equal(codec, 'snappy')
    }
  })
}

test('zstd, of any size and by any writer', () => {
  const zstd = webAssemblyZstd()
  assert.ok(Buffer.from(zstd.decompress(zstd.compress(SAMPLE), SAMPLE.length)).equals(SAMPLE))
  assert.throws(() => zstd.decompress(zstd.compress(SAMPLE), SAMPLE.length - 1), /would be larger/)
  for (const frame of Object.values(ZSTD_FRAMES)) {
    assert.ok(Buffer.from(zstd.decompress(Buffer.from(frame, 'base64'), 2 ** 20)).equals(SAMPLE))
  }
})

// Written by the reference programs `lz4` 1.9 and `zstd` 1.5.
const LZ4_FRAMES = {
  'independent blocks of 4 MiB, content checksum':
    'BCJNGGRQCFABAACfaGVhZHBvbmQgCQD//////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////4RQcG9uZCAAAAAASWGNkA==',
  'linked blocks of 64 KiB, content size and checksum':
    'BCJNGExAaDwBAAAAAABUEwEAAJ9oZWFkcG9uZCAJAP/////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////fUGFkcG9uRgAAAA/5/////////////////////////////////////////////////////////////////////////////////4xQcG9uZCAAAAAASWGNkA==',
  'block checksums':
    'BCJNGHBArRMBAACfaGVhZHBvbmQgCQD/////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////31BhZHBvboZ45whPAAAAn2QgaGVhZHBvbgkA////////////////////////////////////////////////////////////////////////////////g1Bwb25kIOszyCkAAAAA',
}
const ZSTD_FRAMES = {
  'a stream without content size': 'KLUv/QRYjQAASGhlYWRwb25kIAEAXDzMyxHoBrb5',
  'with content size': 'KLUv/aBoPAEAjQAASGhlYWRwb25kIAEAXDzMyxE=',
}

test('frames of other writers', () => {
  for (const [name, frame] of Object.entries(LZ4_FRAMES)) {
    assert.ok(Buffer.from(decompress('lz4', Buffer.from(frame, 'base64'))).equals(SAMPLE), name)
  }
  for (const [name, frame] of Object.entries(ZSTD_FRAMES)) {
    assert.ok(Buffer.from(decompress('zstd', Buffer.from(frame, 'base64'))).equals(SAMPLE), name)
  }
  // Two in a row are one.
  const two = Buffer.concat([ZSTD_FRAMES, LZ4_FRAMES].map((frames) => Buffer.from(Object.values(frames)[0], 'base64')))
  assert.throws(() => decompress('lz4', two), CompressionError)
  for (const codec of ['gzip', 'lz4', 'zstd'] as const) {
    const members = Buffer.concat([compress(codec, Buffer.from('one ')), compress(codec, Buffer.from('two'))])
    assert.equal(Buffer.from(decompress(codec, members)).toString(), 'one two', codec)
  }
})

test('lz4: checksums are looked at', () => {
  const frame = (name: keyof typeof LZ4_FRAMES) => Buffer.from(LZ4_FRAMES[name], 'base64')
  const content = frame('independent blocks of 4 MiB, content checksum')
  content[content.length - 1] ^= 1
  assert.throws(() => decompress('lz4', content), /a frame of lz4 whose checksum is wrong/)
  const blocks = frame('block checksums')
  blocks[blocks.length - 5] ^= 1
  assert.throws(() => decompress('lz4', blocks), /a block of lz4 whose checksum is wrong/)
  const header = frame('block checksums')
  header[6] ^= 1
  assert.throws(() => decompress('lz4', header), /a frame of lz4 whose header is damaged/)
  assert.ok(Buffer.from(decompressLz4OfMagic0(header, 2 ** 20)).equals(SAMPLE))
})

test('lz4: bytes that do not compress are stored', () => {
  const noise = Buffer.from(
    Uint8Array.from({ length: 70_000 }, (_, index) => xxHash32(Uint8Array.of(index, index >> 8), 0, 2)),
  )
  const packed = compress('lz4', noise)
  assert.equal(packed.length, 7 + 4 + 65_536 + 4 + (70_000 - 65_536) + 4)
  assert.ok(Buffer.from(decompress('lz4', packed)).equals(noise))
})

test('snappy: xerial is written, bare blocks are read', () => {
  const packed = Buffer.from(compress('snappy', SAMPLE))
  assert.equal(packed.subarray(0, 16).toString('hex'), '82534e41505059000000000100000001')
  // One block of 32 KiB of three.
  assert.equal(decompress('snappy', packed.subarray(0, 20 + packed.readInt32BE(16))).length, 32 * 1024)
  assert.equal(
    Buffer.from(decompress('snappy', Buffer.from('tAEgaGVhZHBvbmQg/gkA/gkAqgkA', 'base64'))).toString(),
    'headpond '.repeat(20),
  )
})

test('gzip of any level', () => {
  assert.ok(Buffer.from(decompress('gzip', gzipSync(SAMPLE, { level: 0 }))).equals(SAMPLE))
})

test('xxHash32 has its well-known values', () => {
  const hash = (text: string) => xxHash32(Buffer.from(text), 0, text.length).toString(16)
  assert.deepEqual([hash(''), hash('a'), hash('abc')], ['2cc5d05', '550d7456', '32d153ff'])
  assert.equal(hash('Nobody inspects the spammish repetition'), 'e2293b2f')
})

test('the numbers of the codecs', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5].map(codecOf), ['none', 'gzip', 'snappy', 'lz4', 'zstd', undefined])
})
