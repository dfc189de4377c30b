import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { decompress } from '#src/log/compression/codec.ts'
import { crc32c } from '#src/log/crc32c.ts'
import { ATTRIBUTES_AT, CODECS, crcOf, RECORD_COUNT_AT } from '#src/log/record-batch.ts'
import { decodeBatch, encodeBatch } from '#src/log/records/batch.ts'
import { controlTypeOf, coordinatorEpochOf, encodeMarker } from '#src/log/records/control-record.ts'
import { RecordCursor } from '#src/log/records/record-cursor.ts'
import { varlongLength, writeVarlong } from '#src/log/records/varint.ts'

const bytes = () => fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const newRecord = fc.record(
  {
    timestampMs: fc.oneof(fc.integer({ min: 0, max: 2 ** 43 }), fc.constant(-1)),
    key: nullable(bytes()),
    value: nullable(bytes()),
    headers: fc.array(
      fc.record({ key: fc.string({ unit: 'grapheme' }), value: nullable(bytes()) }, { noNullPrototype: true }),
      { maxLength: 4 },
    ),
  },
  { noNullPrototype: true },
)

test('what is encoded is decoded, in every codec', () => {
  fc.assert(
    fc.property(fc.array(newRecord, { minLength: 1, maxLength: 20 }), fc.constantFrom(...CODECS), (records, codec) => {
      const encoded = encodeBatch(records, {
        codec,
        baseOffset: 2 ** 40,
        producerId: 7,
        producerEpoch: 3,
        baseSequence: 5,
      })
      assert.equal(crcOf(encoded, 0), crc32c(encoded, ATTRIBUTES_AT, encoded.length))
      const decoded = decodeBatch(encoded, 0)
      assert.equal(decoded.sizeBytes, encoded.length)
      assert.equal(decoded.codec, codec)
      assert.equal(decoded.maxTimestampMs, Math.max(...records.map((record) => record.timestampMs)))
      assert.equal(decoded.lastOffset, 2 ** 40 + records.length - 1)
      // Cloned, all arrays of bytes are of one kind.
      assert.deepEqual(
        structuredClone(decoded.records),
        structuredClone(records.map((record, index) => ({ offset: 2 ** 40 + index, ...record }))),
      )
    }),
  )
})

test('a known batch, byte for byte as Kafka has it', () => {
  const encoded = encodeBatch([
    { timestampMs: 1000, key: Buffer.from('k'), value: Buffer.from('v'), headers: [{ key: 'h', value: null }] },
    { timestampMs: 999, key: null, value: Buffer.alloc(0) },
  ])
  assert.equal(
    encoded.subarray(21).toString('hex'),
    // attributes, last offset delta, timestamps, producer, count
    ['0000', '00000001', '00000000000003e8', '00000000000003e8', 'f'.repeat(16), 'ffff', 'ffffffff', '00000002'].join(
      '',
    ) +
      ['16', '00', '00', '00', '026b', '0276', '02', '0268', '01'].join('') +
      ['0c', '00', '01', '02', '01', '00', '00'].join(''),
  )
})

test("CRC-32C is Castagnoli's", () => {
  assert.equal(crc32c(Buffer.from('123456789'), 0, 9), 0xe3069283)
})

test('varlongs go there and back, within 2^53 exactly', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const out = new Uint8Array(10)
      const end = writeVarlong(out, 0, value)
      assert.equal(end, varlongLength(value))
      if (Math.abs(value) > 2 ** 52) return
      // The timestamp of a record is the varlong that there is.
      const body = Buffer.concat([Buffer.from([2 * (1 + end + 4), 0]), out.subarray(0, end), Buffer.from([0, 1, 1, 0])])
      const cursor = new RecordCursor(body, 0, body.length)
      cursor.next()
      assert.equal(cursor.timestampDelta, value)
    }),
  )
})

test('a transaction marker', () => {
  const batch = decodeBatch(
    encodeMarker({ type: 'COMMIT', producerId: 9, producerEpoch: 2, coordinatorEpoch: 4, timestampMs: 77 }),
  )
  assert.ok(batch.isControl && batch.isTransactional)
  assert.equal(batch.baseSequence, -1)
  assert.equal(controlTypeOf(batch.records[0].key), 'COMMIT')
  assert.equal(coordinatorEpochOf(batch.records[0].value), 4)
})

test('damaged batches are refused with a word about why, or read: never more than that', () => {
  const whole = encodeBatch(
    [
      { timestampMs: 5, key: Buffer.from('key'), value: Buffer.from('value'), headers: [{ key: 'a', value: null }] },
      { timestampMs: 6, key: null, value: null },
    ],
    {},
  )
  fc.assert(
    fc.property(
      fc.integer({ min: RECORD_COUNT_AT, max: whole.length - 1 }),
      fc.integer({ min: 0, max: 255 }),
      (at, byte) => {
        const damaged = Buffer.from(whole)
        damaged[at] = byte
        try {
          decodeBatch(damaged)
        } catch (error) {
          assert.match((error as Error).constructor.name, /^(RecordFormatError|CompressionError)$/)
        }
      },
    ),
    { numRuns: 2000 },
  )
  for (let length = 61; length < whole.length; length++) {
    assert.throws(() => decodeBatch(whole.subarray(0, length)), { name: 'Error' })
  }
})

test('gzip: several members, and a cap', () => {
  const members = Buffer.concat([gzipSync('one '), gzipSync('two')])
  assert.equal(Buffer.from(decompress('gzip', members)).toString(), 'one two')
  assert.throws(() => decompress('gzip', gzipSync(Buffer.alloc(100_000)), 99_999), /would be larger than 99999 bytes/)
  assert.throws(() => decompress('gzip', Buffer.from('nonsense')), /damaged gzip data/)
})
