/** Large collections in payloads of DUMP: their elements are stored while the rest may still be damaged, or not be wanted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDumpPayload, verifyDumpPayload } from '#src/persistence/rdb/dump-payload.ts'
import type { RdbWriter } from '#src/persistence/rdb/encoding.ts'
import { RDB_TYPE } from '#src/persistence/rdb/object-type.ts'
import { readObject } from '#src/persistence/rdb/objects.ts'
import { RdbError } from '#src/persistence/rdb/rdb-error.ts'
import { valueDigest } from '#src/store/digest.ts'
import { DEFAULT_PACKED_LIMITS } from '#src/store/packed-limits.ts'
import { NEVER } from '#src/store/record.ts'
import { Store } from '#src/store/store.ts'

const COUNT = 3000
const ALL_PACKED = {
  ...DEFAULT_PACKED_LIMITS,
  hashMaxListpackEntries: COUNT,
  setMaxListpackEntries: COUNT,
  zsetMaxListpackEntries: COUNT,
}
const KEY = Buffer.from('the key')

interface Kind {
  readonly type: number
  readonly writeElement: (writer: RdbWriter, name: string, index: number) => void
  readonly writeHead?: (writer: RdbWriter) => void
}

const kinds: { readonly [name: string]: Kind } = {
  'a set': { type: RDB_TYPE.SET, writeElement: (writer, name) => writer.writeString(Buffer.from(name)) },
  'a hash': {
    type: RDB_TYPE.HASH,
    writeElement(writer, name, index) {
      writer.writeString(Buffer.from(name))
      writer.writeString(Buffer.from(`value ${index}`))
    },
  },
  'a hash of fields that expire': {
    type: RDB_TYPE.HASH_METADATA,
    writeHead: (writer) => writer.writeMilliseconds(2_000_000_000_000),
    writeElement(writer, name, index) {
      writer.writeLength(index % 2 === 0 ? 0 : index)
      writer.writeString(Buffer.from(name))
      writer.writeString(Buffer.from(`value ${index}`))
    },
  },
  'a sorted set': {
    type: RDB_TYPE.ZSET_2,
    writeElement(writer, name, index) {
      writer.writeString(Buffer.from(name))
      writer.writeDouble(index % 100)
    },
  },
}

/** The name of the last element may be that of another one. */
function payloadOf({ type, writeHead, writeElement }: Kind, lastName: string): Uint8Array {
  return createDumpPayload(type, (writer) => {
    writeHead?.(writer)
    writer.writeLength(COUNT)
    for (let index = 0; index < COUNT; index++) {
      writeElement(writer, index === COUNT - 1 ? lastName : `element ${index}`, index)
    }
  })
}

function newStore(packedLimits = DEFAULT_PACKED_LIMITS): Store {
  const store = new Store({
    databaseCount: 1,
    firstArenaBytes: 2 ** 22,
    random: () => 0.5,
    packedLimits,
  })
  store.setNow(1_700_000_000_000)
  return store
}

function read(store: Store, payload: Uint8Array) {
  const { type, reader } = verifyDumpPayload(payload)!
  return readObject(type, reader, store.databases[0])
}

function assertNothingIsLeft(store: Store): void {
  store.finishBackground()
  assert.ok(store.heap.usedBytes <= 128, 'an empty database keeps its smallest segment alone')
  assert.equal(store.structures.count, 0)
  store.heap.verify()
}

for (const [name, kind] of Object.entries(kinds)) {
  test(`${name} holds what a smaller form of it would hold`, () => {
    const payload = payloadOf(kind, 'the last')
    const digests = [DEFAULT_PACKED_LIMITS, ALL_PACKED].map((limits) => {
      const store = newStore(limits)
      const [database] = store.databases
      const handle = read(store, payload)(database, KEY, 0, KEY.length, NEVER)
      const digest = valueDigest(database, handle).toString()
      if (kind.type === RDB_TYPE.HASH_METADATA) assert.ok(store.records.hasFieldExpiry(handle))
      database.remove(handle)
      assertNothingIsLeft(store)
      return digest
    })
    assert.equal(digests[0], digests[1])
  })

  test(`${name} whose last element is there twice leaves nothing behind`, () => {
    const store = newStore()
    assert.throws(() => read(store, payloadOf(kind, 'element 5')), RdbError)
    assertNothingIsLeft(store)
  })

  test(`${name} that is not stored after all leaves nothing behind`, () => {
    const store = newStore()
    read(store, payloadOf(kind, 'the last')).discard?.()
    assertNothingIsLeft(store)
  })
}
