import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Heap } from '#src/memory/heap.ts'
import { verifyDumpPayload } from '#src/persistence/rdb/dump-payload.ts'
import { dumpObject, readObject } from '#src/persistence/rdb/objects.ts'
import { ConsumerGroup } from '#src/store/consumer-group.ts'
import { IdTable } from '#src/store/id-table.ts'
import { NEVER } from '#src/store/record.ts'
import { Store } from '#src/store/store.ts'
import { createStream, type Stream, StreamCursor, streamOf } from '#src/store/stream.ts'
import { StreamId } from '#src/store/stream-id.ts'

const KEY = Buffer.from('the stream')

interface Entry {
  id: StreamId
  pairs: string[]
}

function openStore(): Store {
  const store = new Store({ databaseCount: 1, firstArenaBytes: 2 ** 22, random: () => 0.5 })
  store.setNow(1_700_000_000_000)
  return store
}

function append(
  stream: Stream,
  id: StreamId,
  pairs: readonly string[],
  limits: [bytes: number, entries: number],
): void {
  const parts = pairs.map((text) => Buffer.from(text, 'latin1'))
  const places = new Int32Array(parts.length * 2)
  let at = 0
  for (const [index, part] of parts.entries()) {
    places[index * 2] = at
    at += part.length
    places[index * 2 + 1] = at
  }
  const [streamNodeMaxBytes, streamNodeMaxEntries] = limits
  stream.append(id, Buffer.concat(parts), places, 0, parts.length / 2, { streamNodeMaxBytes, streamNodeMaxEntries })
}

function read(stream: Stream, start: StreamId, end: StreamId, isReverse: boolean): string[] {
  const cursor = new StreamCursor()
  const found: string[] = []
  cursor.open(stream, start, end, isReverse)
  while (cursor.next()) {
    const texts = [cursor.id.toString()]
    for (let left = cursor.fieldCount; left > 0; left--) {
      cursor.nextPair()
      texts.push(cursor.field.copy().toString('latin1'), cursor.value.copy().toString('latin1'))
    }
    found.push(texts.join(' '))
  }
  return found
}

function expected(entries: readonly Entry[], start: StreamId, end: StreamId, isReverse: boolean): string[] {
  const found = entries
    .filter(({ id }) => id.compare(start) >= 0 && id.compare(end) <= 0)
    .map(({ id, pairs }) => [id.toString(), ...pairs].join(' '))
  return isReverse ? found.reverse() : found
}

const text = fc.constantFrom(
  '',
  'v',
  '0',
  '-70000',
  '9223372036854775807',
  'x'.repeat(64),
  'y'.repeat(5000),
  'z'.repeat(40_000),
)
const step = fc.record({
  kind: fc.constantFrom(
    ...(['add', 'add', 'add', 'add', 'delete', 'delete', 'keep', 'below', 'range', 'clone', 'dump'] as const),
  ),
  /** Steps from one id to the next; the largest leave 2^53 behind. */
  ms: fc.constantFrom(0n, 0n, 1n, 1n, 300n, 2n ** 40n, 2n ** 60n),
  seq: fc.constantFrom(1n, 2n, 2n ** 55n),
  fields: fc.constantFrom(['f'], ['f'], ['f', 'g'], ['7', '']),
  value: text,
  index: fc.nat(40),
})

for (const limits of [
  [4096, 100],
  [4096, 3],
  [0, 0],
  [100, 0],
] as [number, number][]) {
  test(`a stream gives what a list gives, nodes of ${limits[0]} bytes and ${limits[1]} entries`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const store = openStore()
        const database = store.databases[0]
        createStream(database, KEY, 0, KEY.length)
        const open = () => streamOf(store, database.peek(KEY, 0, KEY.length))
        let entries: Entry[] = []
        let added = 0
        const last = new StreamId()
        for (const { kind, ms, seq, fields, value, index } of steps) {
          const stream = open()
          if (kind === 'add') {
            if (last.bigMs + ms >= 2n ** 64n || last.bigSeq + seq >= 2n ** 64n) continue
            last.bigMs += ms
            last.bigSeq = ms === 0n ? last.bigSeq + seq : seq
            const pairs = fields.flatMap((field) => [field, value])
            append(stream, last, pairs, limits)
            entries.push({ id: last.copy(), pairs })
            added++
          } else if (kind === 'delete') {
            const entry = entries[index]
            assert.equal(stream.delete(entry?.id ?? StreamId.max()), entry !== undefined)
            entries = entries.filter((other) => other !== entry)
          } else if (kind === 'keep') {
            const removed = stream.trim({ maxLength: index, minId: null, isApproximate: false, limit: 0 })
            assert.equal(removed, Math.max(entries.length - index, 0))
            entries = entries.slice(removed)
          } else if (kind === 'below') {
            const minId = entries[index]?.id ?? new StreamId()
            const removed = stream.trim({ maxLength: null, minId, isApproximate: false, limit: 0 })
            assert.equal(removed, entries.filter(({ id }) => id.compare(minId) < 0).length)
            entries = entries.slice(removed)
          } else if (kind === 'range') {
            const start = entries[index]?.id ?? StreamId.min()
            const end = entries[index * 2]?.id ?? StreamId.max()
            for (const isReverse of [false, true]) {
              assert.deepEqual(read(stream, start, end, isReverse), expected(entries, start, end, isReverse))
            }
          } else if (kind === 'clone') {
            const handle = database.peek(KEY, 0, KEY.length)
            const copy = database.copyTo(database, handle, Buffer.from('copy'), 0, 4)
            database.remove(database.peek(KEY, 0, KEY.length))
            database.moveTo(database, copy, KEY, 0, KEY.length)
          } else {
            const payload = verifyDumpPayload(dumpObject(store, database.peek(KEY, 0, KEY.length), true))!
            readObject(payload.type, payload.reader, database)(database, KEY, 0, KEY.length, NEVER)
          }
        }
        const stream = open()
        assert.equal(stream.length, entries.length)
        assert.equal(stream.entriesAdded, added)
        assert.equal(stream.lastId.toString(), last.toString())
        assert.equal(stream.firstId.toString(), (entries[0]?.id ?? new StreamId()).toString())
        for (const isReverse of [false, true]) {
          const all = expected(entries, StreamId.min(), StreamId.max(), isReverse)
          assert.deepEqual(read(stream, StreamId.min(), StreamId.max(), isReverse), all)
        }
        store.heap.verify()
        database.remove(database.peek(KEY, 0, KEY.length))
        store.lazyFree.finish()
        assert.equal(store.heap.large.usedBytes, 0)
        assert.equal(store.structures.count, 0)
      }),
      { numRuns: 60 },
    )
  })
}

test('a table of ids gives what a sorted array gives', () => {
  const change = fc.record({ isRemoval: fc.boolean(), ms: fc.nat(400), seq: fc.nat(2) })
  fc.assert(
    fc.property(fc.array(change, { minLength: 200, maxLength: 1500 }), (changes) => {
      const heap = new Heap(2 ** 20)
      const table = new IdTable(heap, 1)
      const model = new Map<string, number>()
      const id = new StreamId()
      for (const [index, { isRemoval, ms, seq }] of changes.entries()) {
        id.setNumbers(ms, seq)
        assert.equal(table.find(id), model.has(id.toString()))
        if (model.has(id.toString())) {
          assert.equal(table.word(0), model.get(id.toString()))
          if (!isRemoval) continue
          table.remove()
          model.delete(id.toString())
        } else {
          table.insert(id)
          table.setWord(0, index)
          model.set(id.toString(), index)
        }
        assert.equal(table.count, model.size)
      }
      const order = (text: string) => text.split('-').map(Number)
      const sorted = [...model.keys()].sort((a, b) => order(a)[0] - order(b)[0] || order(a)[1] - order(b)[1])
      const walked: string[] = []
      for (let has = table.toFirst(); has; has = table.next()) walked.push(table.readId(id).toString())
      assert.deepEqual(walked, sorted)
      const back: string[] = []
      for (let has = table.clone().toLast() && table.toLast(); has; has = table.previous()) {
        back.push(table.readId(id).toString())
      }
      assert.deepEqual(back.reverse(), sorted)
      heap.verify()
    }),
    { numRuns: 30 },
  )
})

test('what is pending belongs to one consumer at a time', () => {
  const group = new ConsumerGroup(new Heap(2 ** 20), 'group')
  const ann = group.createConsumer('ann', 1)
  const bob = group.createConsumer('bob', 1)
  for (let seq = 0; seq < 1000; seq++) group.deliver(StreamId.of(1, seq), seq % 2 === 0 ? ann : bob, 5)
  assert.deepEqual([group.pending.count, ann.pending.count, bob.pending.count], [1000, 500, 500])
  const id = StreamId.of(1, 10)
  group.deliver(id, bob, 6)
  assert.deepEqual([group.pending.count, ann.pending.count, bob.pending.count], [1000, 499, 501])
  assert.equal(group.pending.find(id) && group.owner, bob)
  assert.deepEqual([group.deliveredAtMs, group.deliveryCount], [6, 1])
  assert.equal(group.deleteConsumer(ann), 499)
  assert.deepEqual([group.pending.count, bob.pending.count], [501, 501])
  const twin = group.clone()
  twin.pending.find(id)
  twin.removePending(id)
  assert.deepEqual([twin.pending.count, twin.consumers.get('bob')?.pending.count], [500, 500])
  assert.deepEqual([group.pending.count, bob.pending.count], [501, 501])
})
