import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Crc64 } from '#src/bytes/crc64.ts'
import { createDumpPayload, RDB_VERSION, verifyDumpPayload } from '#src/persistence/rdb/dump-payload.ts'
import { RDB_TYPE } from '#src/persistence/rdb/object-type.ts'
import { dumpString, readStringObject } from '#src/persistence/rdb/objects/string.ts'
import { RdbError } from '#src/persistence/rdb/rdb-error.ts'

/** The string in a payload; undefined if the payload is refused. */
function restoreString(payload: Uint8Array): Buffer | undefined {
  const padded = Buffer.concat([Buffer.from('*3'), payload, Buffer.from('\r\n')])
  const dump = verifyDumpPayload(padded, 2, 2 + payload.length)
  if (dump === undefined) return undefined
  assert.equal(dump.type, RDB_TYPE.STRING)
  return Buffer.from(readStringObject(dump.reader))
}

/** Puts a right CRC on what stands before it. */
function sealed(...parts: number[]): Uint8Array {
  const payload = Uint8Array.of(...parts, 0, 0, 0, 0, 0, 0, 0, 0)
  const crc = new Crc64()
  crc.update(payload, 0, parts.length)
  crc.writeTo(payload, parts.length)
  return payload
}

// Taken from redis-server 7.0.15 with DUMP; it takes the same bytes with RESTORE.
const goldenPayloads: [text: string, payload: string][] = [
  ['', '00000a005d9b5c400f7fa2da'],
  ['hello', '000568656c6c6f0a006372df766534200a'],
  ['0', '00c0000a009840a778f8500308'],
  ['-128', '00c0800a009966326d2f0c5bd9'],
  ['127', '00c07f0a000db5eb315254c514'],
  ['128', '00c180000a00eb7ab3b510cf4b65'],
  ['-32769', '00c2ff7fffff0a00aee34c4d06c68536'],
  ['2147483647', '00c2ffffff7f0a002c74e59ee02eada1'],
  ['-2147483648', '00c2000000800a00c74f873e33558187'],
  ['2147483648', '000a323134373438333634380a00e7b129a34c1d76ee'],
  ['-2147483649', '000b2d323134373438333634390a00c261377908f2028c'],
  ['007', '00033030370a007258e27b4c69bad9'],
  ['x'.repeat(63), '00c3093f017878e032000178780a0072a017a560edf6e5'],
  ['x'.repeat(64), '00c3094040017878e033000178780a007671d576c5795442'],
  ['ab'.repeat(40), '00c30a405002616261e042010161620a00949d5f0eb1dea445'],
  [
    'The pond holds the water, the water holds the pond, the pond holds the sky.',
    '00c32e404b0f54686520706f6e6420686f6c64732074200e0577617465722ce0010ae0021a40298019' +
      '4009e0021803736b792e0a002b3d84f415fd3a99',
  ],
]

test('payloads are those of redis-server, byte by byte', () => {
  for (const [text, payload] of goldenPayloads) {
    assert.equal(Buffer.from(dumpString(Buffer.from(text))).toString('hex'), payload, text)
    assert.equal(restoreString(Buffer.from(payload, 'hex'))?.toString(), text)
  }
})

test('any string survives, alone and out of a larger buffer', () => {
  const text = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 400, max: 1 }),
    fc.maxSafeInteger().map((n) => Buffer.from(String(n))),
  )
  fc.assert(
    fc.property(text, (text) => {
      assert.deepEqual(restoreString(dumpString(text)), Buffer.from(text))
      const line = Buffer.concat([Buffer.from('+'), text, Buffer.from('\r\n')])
      assert.deepEqual(restoreString(dumpString(line, 1, 1 + text.length)), Buffer.from(text))
    }),
    { numRuns: 1000 },
  )
})

test('a changed bit anywhere is refused', () => {
  const payload = dumpString(Buffer.from('a pond, a pond, a pond'))
  for (let bit = 0; bit < payload.length * 8; bit++) {
    const damaged = payload.slice()
    damaged[bit >> 3] ^= 1 << (bit & 7)
    assert.equal(verifyDumpPayload(damaged), undefined, `bit ${bit}`)
  }
  for (let length = 0; length < payload.length; length++) {
    assert.equal(verifyDumpPayload(payload.subarray(0, length)), undefined)
  }
})

test('a CRC of zero is no excuse, as in Redis', () => {
  const payload = dumpString(Buffer.from('hello'))
  assert.equal(verifyDumpPayload(payload.fill(0, payload.length - 8)), undefined)
})

test('versions up to that of Redis 8 are read, newer ones are refused', () => {
  const versions: [version: number, isRead: boolean][] = [
    [1, true],
    [RDB_VERSION, true],
    [12, true],
    [13, false],
    [0x100, false],
  ]
  for (const [version, isRead] of versions) {
    const payload = sealed(RDB_TYPE.STRING, 1, 0x61, version & 0xff, version >> 8)
    assert.equal(restoreString(payload)?.toString(), isRead ? 'a' : undefined)
  }
})

test('a sound footer on unsound data is told apart: the body throws', () => {
  assert.throws(() => verifyDumpPayload(sealed(10, 0)), RdbError) // not even a type
  const bodies: [why: string, body: number[]][] = [
    ['no body', []],
    ['a string past the footer', [3, 0x61, 0x61]],
    ['an integer cut short', [0xc1, 1]],
    ['an unknown encoding', [0xc4]],
    ['an unknown length', [0x82, 0, 0, 0, 0]],
    ['a damaged compressed string', [0xc3, 2, 4, 0x20, 9]],
    ['a compressed string of gigabytes', [0xc3, 2, 0x80, 0x7f, 0xff, 0xff, 0xff, 0, 0x61]],
  ]
  for (const [why, body] of bodies) {
    const payload = sealed(RDB_TYPE.STRING, ...body, 10, 0)
    assert.throws(() => restoreString(payload), { name: 'RdbError', code: 'RDB_DAMAGED' }, why)
  }
})

test('a body of any other type is written by its own function', () => {
  const payload = createDumpPayload(RDB_TYPE.LIST, (writer) => {
    writer.writeLength(2)
    writer.writeString(Buffer.from('a'))
    writer.writeString(Buffer.from('7'))
  })
  const { type, reader } = verifyDumpPayload(payload)!
  assert.equal(type, RDB_TYPE.LIST)
  assert.equal(reader.readLength(), 2)
  assert.equal(Buffer.from(reader.readString()).toString(), 'a')
  assert.equal(Buffer.from(reader.readString()).toString(), '7')
  assert.equal(reader.left, 0)
})
