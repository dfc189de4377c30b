import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { compress } from '#src/log/compression/codec.ts'
import { CODECS, type Codec } from '#src/log/record-batch.ts'
import { decodeLegacyMessage } from '#src/log/records/legacy-message.ts'

/** A message as brokers before 0.11 kept it. */
function message(
  magic: 0 | 1,
  offset: number,
  key: string | null,
  value: Uint8Array | null,
  { codec = 'none' as Codec, timestampMs = 0, isLogAppendTime = false } = {},
): Buffer {
  const field = (bytes: Uint8Array | null) => {
    const size = Buffer.alloc(4)
    size.writeInt32BE(bytes?.length ?? -1)
    return Buffer.concat([size, bytes ?? Buffer.alloc(0)])
  }
  const time = Buffer.alloc(8)
  time.writeBigInt64BE(BigInt(timestampMs))
  const attributes = CODECS.indexOf(codec) | (isLogAppendTime ? 8 : 0)
  const covered = Buffer.concat([
    Buffer.from([magic, attributes]),
    magic === 1 ? time : Buffer.alloc(0),
    field(key === null ? null : Buffer.from(key)),
    field(value),
  ])
  const head = Buffer.alloc(16)
  head.writeBigInt64BE(BigInt(offset))
  head.writeInt32BE(covered.length + 4, 8)
  head.writeUInt32BE(crc32(covered), 12)
  return Buffer.concat([head, covered])
}

const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())

test('single messages', () => {
  const old = decodeLegacyMessage(message(0, 7, 'k', Buffer.from('v')))
  assert.deepEqual([old.magic, old.isCrcRight, old.baseOffset, old.records[0].timestampMs], [0, true, 7, -1])
  const newer = decodeLegacyMessage(message(1, 8, null, null, { timestampMs: 99 }))
  assert.deepEqual([newer.records[0].key, newer.records[0].value, newer.records[0].timestampMs], [null, null, 99])
  const damaged = message(1, 8, 'k', null)
  damaged[damaged.length - 5] ^= 1
  assert.equal(decodeLegacyMessage(damaged).isCrcRight, false)
})

test('compressed sets: relative offsets in magic 1, absolute ones in magic 0', () => {
  for (const codec of ['gzip', 'snappy', 'lz4'] as const) {
    for (const magic of [0, 1] as const) {
      const inner = [0, 1, 2].map((index) =>
        message(magic, magic === 1 ? index : 40 + index, `k${index}`, Buffer.from(`v${index}`), { timestampMs: index }),
      )
      const set = Buffer.from(compress(codec, Buffer.concat(inner)))
      // As the writers of that time computed it, over the frame's magic as well: wrong.
      if (codec === 'lz4' && magic === 0) set[6] ^= 0xff
      const outer = decodeLegacyMessage(message(magic, 42, null, set, { codec, timestampMs: 2 }))
      assert.deepEqual([outer.codec, outer.baseOffset, outer.lastOffset], [codec, 40, 42])
      assert.deepEqual(
        outer.records.map((record) => [record.offset, text(record.key), text(record.value), record.timestampMs]),
        [0, 1, 2].map((index) => [40 + index, `k${index}`, `v${index}`, magic === 1 ? index : -1]),
      )
    }
  }
  const stamped = message(1, 0, null, compress('gzip', message(1, 0, 'k', null, { timestampMs: 5 })), {
    codec: 'gzip',
    timestampMs: 77,
    isLogAppendTime: true,
  })
  assert.equal(decodeLegacyMessage(stamped).records[0].timestampMs, 77)
})

test('what does not fit is refused', () => {
  const whole = message(1, 3, 'key', Buffer.from('value'))
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decodeLegacyMessage(whole.subarray(0, length)), /beyond the end of its bytes/)
  }
  const tooLong = Buffer.from(whole)
  tooLong.writeInt32BE(100, 26)
  assert.throws(() => decodeLegacyMessage(tooLong), /a field beyond its message/)
})
