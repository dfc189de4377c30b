/**
 * Lists in every layout that RDB files have had. Old ones are written out here byte by byte, since no server of today
 * makes them.
 */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { GrowingBuffer } from '#src/bytes/growing-buffer.ts'
import { createDumpPayload } from '#src/persistence/rdb/dump-payload.ts'
import type { RdbWriter } from '#src/persistence/rdb/encoding.ts'
import { RDB_TYPE } from '#src/persistence/rdb/object-type.ts'
import { createServer, type HeadpondServer } from '#src/server/create-server.ts'

let server: HeadpondServer

before(async () => {
  server = await createServer()
})
beforeEach(() => server.reset())
after(() => server.close())

async function restore(type: number, writeBody: (writer: RdbWriter) => void): Promise<unknown> {
  await server.execute('RESTORE', 'l', 0, createDumpPayload(type, writeBody), 'REPLACE')
  return server.execute('LRANGE', 'l', 0, -1)
}

/** Entries, each without the size of the one before it, as a ziplist. */
function ziplist(...entries: (readonly number[])[]): Uint8Array {
  const buffer = new GrowingBuffer()
  let previousBytes = 0
  let tail = 10
  for (const [index, entry] of entries.entries()) {
    if (index === entries.length - 1) tail = 10 + buffer.length
    const start = buffer.length
    if (previousBytes < 254) buffer.appendByte(previousBytes)
    else buffer.append(Uint8Array.of(254, previousBytes, previousBytes >>> 8, 0, 0))
    buffer.append(Uint8Array.from(entry))
    previousBytes = buffer.length - start
  }
  const bytes = Buffer.alloc(11 + buffer.length)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt32LE(tail, 4)
  bytes.writeUInt16LE(entries.length, 8)
  bytes.set(buffer.toBytes(), 10)
  bytes[bytes.length - 1] = 0xff
  return bytes
}

const ENTRIES: readonly (readonly [entry: readonly number[], text: string])[] = [
  [[2, 0x68, 0x69], 'hi'],
  [[0], ''],
  [[0x41, 0x2c, ...Buffer.from('x'.repeat(300))], 'x'.repeat(300)],
  [[0x80, 0, 0, 0, 3, 0x61, 0x62, 0x63], 'abc'],
  [[0xf1], '0'],
  [[0xfd], '12'],
  [[0xfe, 0x80], '-128'],
  [[0xc0, 0xff, 0x7f], '32767'],
  [[0xf0, 0x00, 0x00, 0x80], '-8388608'],
  [[0xd0, 0xff, 0xff, 0xff, 0x7f], '2147483647'],
  [[0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80], '-9223372036854775808'],
]
const TEXTS = ENTRIES.map(([, text]) => text)

test('a list of plain strings, as up to Redis 2.4', async () => {
  const elements = await restore(RDB_TYPE.LIST, (writer) => {
    writer.writeLength(TEXTS.length)
    for (const text of TEXTS) writer.writeString(Buffer.from(text))
  })
  assert.deepEqual(elements, TEXTS)
  assert.equal(await server.execute('OBJECT', 'ENCODING', 'l'), 'quicklist')
})

test('a ziplist, as up to Redis 3.0', async () => {
  const elements = await restore(RDB_TYPE.LIST_ZIPLIST, (writer) =>
    writer.writeString(ziplist(...ENTRIES.map(([entry]) => entry))),
  )
  assert.deepEqual(elements, TEXTS)
})

test('a quicklist of ziplists, as up to Redis 6.2', async () => {
  const elements = await restore(RDB_TYPE.LIST_QUICKLIST, (writer) => {
    writer.writeLength(3)
    writer.writeString(ziplist(...ENTRIES.map(([entry]) => entry)))
    writer.writeString(ziplist([1, 0x61]))
    writer.writeString(ziplist())
  })
  assert.deepEqual(elements, [...TEXTS, 'a'])
})

test('a long list, with elements too large for a node and for a block, comes back as it was', async () => {
  const elements = Array.from({ length: 5000 }, (_, index) => `element ${index}`)
  elements.splice(2500, 0, 'y'.repeat(10_000), 'z'.repeat(100_000), 'again small')
  await server.execute('RPUSH', 'long', ...elements)
  const client = server.client({ binary: true })
  const payload = (await client.execute('DUMP', 'long')) as Buffer
  client.close()
  await server.execute('RESTORE', 'copy', 0, payload)
  assert.deepEqual(await server.execute('LRANGE', 'copy', 0, -1), elements)
  assert.equal(await server.execute('OBJECT', 'ENCODING', 'copy'), 'quicklist')
})

test('what is damaged, or no list, is refused and leaves nothing', async () => {
  const good = ziplist([2, 0x68, 0x69], [1, 0x61])
  const cut = good.slice(0, -2)
  const wrongSize = Uint8Array.from(good)
  wrongSize[0]++
  const beyondEnd = Uint8Array.from(good)
  beyondEnd[11] = 60
  const wrongCount = Uint8Array.from(good)
  wrongCount[8] = 9
  const unknownEntry = Uint8Array.from(good)
  unknownEntry[15] = 0xc7
  const bodies: [number, (writer: RdbWriter) => void][] = [
    ...[cut, wrongSize, beyondEnd, wrongCount, unknownEntry, new Uint8Array(0)].map(
      (bytes): [number, (writer: RdbWriter) => void] => [RDB_TYPE.LIST_ZIPLIST, (writer) => writer.writeString(bytes)],
    ),
    [RDB_TYPE.LIST_ZIPLIST, (writer) => writer.writeString(ziplist())],
    [RDB_TYPE.LIST, (writer) => writer.writeLength(0)],
    [RDB_TYPE.LIST, (writer) => writer.writeLength(2 ** 40)],
    [RDB_TYPE.LIST_QUICKLIST_2, (writer) => writer.writeLength(0)],
    [RDB_TYPE.LIST_QUICKLIST_2, (writer) => writer.writeLength(1)],
    [
      RDB_TYPE.LIST_QUICKLIST_2,
      (writer) => {
        writer.writeLength(1)
        writer.writeLength(3)
        writer.writeString(Buffer.from('x'))
      },
    ],
    [
      RDB_TYPE.LIST_QUICKLIST_2,
      (writer) => {
        writer.writeLength(1)
        writer.writeLength(2)
        writer.writeString(Buffer.from('no listpack'))
      },
    ],
  ]
  for (const [index, [type, writeBody]] of bodies.entries()) {
    const payload = createDumpPayload(type, writeBody)
    await assert.rejects(server.execute('RESTORE', 'l', 0, payload), /Bad data format/, `body ${index}`)
    assert.equal(await server.execute('EXISTS', 'l'), 0)
  }
})
