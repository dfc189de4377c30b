import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NONE } from '#src/memory/heap.ts'
import { verifyDumpPayload } from '#src/persistence/rdb/dump-payload.ts'
import { dumpObject, readObject } from '#src/persistence/rdb/objects.ts'
import type { Database } from '#src/store/database.ts'
import { MemberTable } from '#src/store/member-table.ts'
import { DEFAULT_PACKED_LIMITS, type PackedLimits } from '#src/store/packed-limits.ts'
import { encoding, NEVER } from '#src/store/record.ts'
import { UnorderedSet } from '#src/store/set.ts'
import { differenceInto, intersectionCount, intersectionInto, MemberRun, unionInto } from '#src/store/set-algebra.ts'
import { Store } from '#src/store/store.ts'
import { typeOperations } from '#src/store/types.ts'
import { SeededRandom } from '../seeded-random.ts'

const KEY = Buffer.from('the set')
const OTHER = Buffer.from('another')

function openStore(limits: Partial<PackedLimits> = {}): Store {
  const chance = new SeededRandom(1)
  const store = new Store({
    databaseCount: 2,
    firstArenaBytes: 2 ** 22,
    random: () => chance.below(2 ** 32) / 2 ** 32,
    packedLimits: { ...DEFAULT_PACKED_LIMITS, ...limits },
  })
  store.setNow(1_700_000_000_000)
  return store
}

const ALL_LARGE = { setMaxIntsetEntries: 0, setMaxListpackEntries: 0 }

function handleOf(database: Database, key = KEY): number {
  return database.peek(key, 0, key.length)
}

function contents(database: Database, key = KEY): Set<string> {
  const found = new Set<string>()
  const handle = handleOf(database, key)
  if (handle === NONE) return found
  database.store.sets.open(database, handle).forEach((member) => {
    const text = member.copy().toString('latin1')
    assert.ok(!found.has(text), 'a member is visited twice')
    found.add(text)
  })
  return found
}

function put(store: Store, name: string, members: Iterable<string>): void {
  const database = store.databases[0]
  const key = Buffer.from(name)
  let handle = handleOf(database, key)
  for (const text of members) {
    const member = Buffer.from(text, 'latin1')
    const set =
      handle === NONE
        ? store.sets.create(database, key, 0, key.length, 1, member, 0, member.length)
        : store.sets.open(database, handle)
    set.add(member, 0, member.length)
    handle = set.handle
  }
}

const memberText = fc.oneof(
  fc.integer({ min: -10, max: 30 }).map(String),
  fc.integer({ min: -70_000, max: 70_000 }).map(String),
  fc.constantFrom('9223372036854775807', '-9223372036854775808', '4294967296', '007', ''),
  fc.integer({ min: 0, max: 12 }).map((n) => `member ${n}`),
  fc.constantFrom('\x00\xff', 'x'.repeat(64), 'x'.repeat(65), 'y'.repeat(3000), 'z'.repeat(40_000)),
)
const step = fc.record({
  kind: fc.constantFrom(
    ...(['add', 'add', 'add', 'add', 'remove', 'pop', 'expect'] as const),
    ...(['rename', 'copy', 'keyExpiry', 'dump'] as const),
  ),
  member: memberText,
})

for (const [name, limits] of [
  ['with the usual limits', {}],
  ['with small limits', { setMaxIntsetEntries: 6, setMaxListpackEntries: 9, setMaxListpackValue: 8 }],
  ['packed as far as a record reaches', { setMaxIntsetEntries: 10 ** 6, setMaxListpackEntries: 10 ** 6 }],
  ['never packed', ALL_LARGE],
] as const) {
  test(`a set gives what a Set gives, ${name}`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const store = openStore(limits)
        const [database, second] = store.databases
        const model = new Set<string>()
        for (const { kind, member } of steps) {
          const bytes = Buffer.from(member, 'latin1')
          const handle = handleOf(database)
          if (kind === 'add') {
            const set =
              handle === NONE
                ? store.sets.create(database, KEY, 0, KEY.length, 1, bytes, 0, bytes.length)
                : store.sets.open(database, handle)
            assert.equal(set.add(bytes, 0, bytes.length), !model.has(member))
            assert.ok(set.has(bytes, 0, bytes.length))
            model.add(member)
          } else if (handle === NONE) {
            assert.equal(model.size, 0)
          } else if (kind === 'remove') {
            const set = store.sets.open(database, handle)
            assert.equal(set.has(bytes, 0, bytes.length), model.has(member))
            assert.equal(set.remove(bytes, 0, bytes.length), model.delete(member))
            assert.equal(set.close(KEY, 0, KEY.length), model.size === 0)
          } else if (kind === 'pop') {
            const set = store.sets.open(database, handle)
            set.pick()
            assert.ok(model.delete(set.member.copy().toString('latin1')))
            set.removePicked()
            set.close(KEY, 0, KEY.length)
          } else if (kind === 'expect') {
            store.sets.open(database, handle).expect(member.length)
          } else if (kind === 'rename') {
            database.moveTo(second, handle, OTHER, 0, OTHER.length)
            second.moveTo(database, handleOf(second, OTHER), KEY, 0, KEY.length)
          } else if (kind === 'copy') {
            database.copyTo(second, handle, OTHER, 0, OTHER.length)
            database.remove(handle)
            second.moveTo(database, handleOf(second, OTHER), KEY, 0, KEY.length)
          } else if (kind === 'keyExpiry') {
            if (database.records.hasExpiry(handle)) database.clearExpiry(handle)
            else database.setExpiry(handle, store.nowMs + 10 ** 9)
          } else {
            const { type, reader } = verifyDumpPayload(dumpObject(store, handle, true))!
            readObject(type, reader, database)(database, KEY, 0, KEY.length, NEVER)
          }
          assert.deepEqual(contents(database), model)
          const found = handleOf(database)
          assert.equal(found === NONE ? 0 : store.sets.open(database, found).count, model.size)
        }
        store.heap.verify()
        for (const each of store.databases) {
          while (each.count > 0) each.remove(each.dict.random(store.random))
        }
        store.finishBackground()
        assert.equal(store.heap.large.usedBytes, 0)
        assert.ok(store.heap.usedBytes <= 128, 'an empty database keeps its smallest segment alone')
        assert.equal(store.structures.count, 0)
        store.heap.verify()
      }),
      { numRuns: 120, includeErrorInReport: true },
    )
  })
}

const memberSet = fc.uniqueArray(
  fc.oneof(
    fc.integer({ min: 0, max: 40 }).map(String),
    fc.integer({ min: 0, max: 10 }).map((n) => `m${n}`),
  ),
  { maxLength: 40 },
)

test('unions, intersections and differences are those of Sets', () => {
  fc.assert(
    fc.property(
      fc.array(memberSet, { minLength: 1, maxLength: 5 }),
      fc.constantFrom({}, { setMaxIntsetEntries: 5, setMaxListpackEntries: 20 }, ALL_LARGE),
      (inputs, limits) => {
        const store = openStore(limits)
        const database = store.databases[0]
        const models = inputs.map((members) => new Set(members))
        // A value that is kept is never empty, but a table may be.
        const sets = inputs.map((members, index) => {
          const key = Buffer.from(`input ${index}`)
          put(store, `input ${index}`, members.length > 0 ? members : ['0'])
          const set = new UnorderedSet(store).open(database, handleOf(database, key))
          if (members.length === 0) set.remove(Buffer.from('0'), 0, 1)
          return set
        })
        const common = [...models[0]].filter((member) => models.every((model) => model.has(member)))
        const own = [...models[0]].filter((member) => !models.slice(1).some((model) => model.has(member)))
        const all = new Set(inputs.flat())
        const [first, ...others] = sets

        const runOf = (put: (run: MemberRun) => void) => {
          const run = new MemberRun()
          put(run)
          const members = new Set<string>()
          run.forEach((member) => {
            members.add(member.copy().toString())
          })
          assert.equal(run.count, members.size)
          return members
        }
        const tableOf = (put: (table: MemberTable) => void) => {
          const table = new MemberTable(store)
          put(table)
          if (table.count === 0) return new Set<string>()
          const handle = store.sets.adoptTable(database, OTHER, 0, OTHER.length, table)
          assert.equal(store.sets.open(database, handle).count, contents(database, OTHER).size)
          return contents(database, OTHER)
        }
        assert.deepEqual(
          runOf((run) => intersectionInto(run, sets)),
          new Set(common),
        )
        assert.deepEqual(
          tableOf((table) => intersectionInto(table, sets)),
          new Set(common),
        )
        assert.equal(intersectionCount(sets, 0), common.length)
        assert.equal(intersectionCount(sets, 2), Math.min(common.length, 2))
        assert.deepEqual(
          runOf((run) => differenceInto(run, store, first, others)),
          new Set(own),
        )
        assert.deepEqual(
          tableOf((table) => differenceInto(table, store, first, others)),
          new Set(own),
        )
        assert.deepEqual(
          tableOf((table) => unionInto(table, sets)),
          all,
        )
        store.heap.verify()
      },
    ),
    { numRuns: 200 },
  )
})

test('a difference with many small sets is made by removal', () => {
  const store = openStore()
  const database = store.databases[0]
  put(
    store,
    'large',
    Array.from({ length: 1000 }, (_, index) => `member ${index}`),
  )
  const open = (name: string) => {
    const key = Buffer.from(name)
    return new UnorderedSet(store).open(database, handleOf(database, key))
  }
  const others = Array.from({ length: 20 }, (_, index) => {
    put(store, `small ${index}`, [`member ${index * 7}`, 'elsewhere'])
    return open(`small ${index}`)
  })
  const usedBytes = store.heap.usedBytes
  const run = new MemberRun()
  differenceInto(run, store, open('large'), others)
  assert.equal(run.count, 980)
  run.forEach((member) => {
    const index = Number(member.copy().toString().slice('member '.length))
    assert.ok(index % 7 !== 0 || index >= 140)
  })
  store.finishBackground()
  assert.equal(store.heap.usedBytes, usedBytes)
})

/** The form that a set is kept in, of which OBJECT ENCODING tells less. */
function encodingName(store: Store, key = KEY): string {
  const handle = handleOf(store.databases[0], key)
  if (store.records.encoding(handle) === encoding.LISTPACK) return 'listpack'
  return typeOperations[store.records.type(handle)].encodingName(store, handle)
}

test('a set takes the form that Redis 7.2 gives it', () => {
  const integers = (count: number) => Array.from({ length: count }, (_, index) => String(index))
  const words = (count: number) => Array.from({ length: count }, (_, index) => `word ${index}`)
  for (const [members, expected] of [
    [integers(512), 'intset'],
    [integers(513), 'hashtable'],
    [words(128), 'listpack'],
    [words(129), 'hashtable'],
    [[...integers(127), 'word'], 'listpack'],
    [[...integers(128), 'word'], 'hashtable'],
    [['word', ...integers(127)], 'listpack'],
    [['word', ...integers(128)], 'hashtable'],
    [['x'.repeat(64)], 'listpack'],
    [['x'.repeat(65)], 'hashtable'],
    [['1', 'x'.repeat(65)], 'hashtable'],
    [['01'], 'listpack'],
    [['9223372036854775807'], 'intset'],
    [['9223372036854775808'], 'listpack'],
  ] as const) {
    const store = openStore()
    put(store, 'the set', members)
    assert.equal(encodingName(store), expected, `${members.length} members, ${members[0].slice(0, 20)} ...`)
    assert.deepEqual(contents(store.databases[0]), new Set(members))
  }
})

test('members too many for a record make a table, whatever the limits say', () => {
  const store = openStore({
    setMaxIntsetEntries: 10 ** 6,
    setMaxListpackEntries: 10 ** 6,
    setMaxListpackValue: 10 ** 6,
  })
  const integers = Array.from({ length: 4000 }, (_, index) => String(index * 2 ** 33))
  put(store, 'the set', integers)
  assert.equal(encodingName(store), 'hashtable')
  assert.deepEqual(contents(store.databases[0]), new Set(integers))
  put(store, 'another', ['w'.repeat(20_000)])
  assert.equal(encodingName(store, OTHER), 'listpack')
  put(store, 'another', ['v'.repeat(20_000)])
  assert.equal(encodingName(store, OTHER), 'hashtable')
  store.heap.verify()
})

test('members are picked about equally often', () => {
  for (const [name, limits, members] of [
    ['an intset', {}, Array.from({ length: 50 }, (_, index) => String(index * 1000))],
    ['a listpack', {}, Array.from({ length: 50 }, (_, index) => `member ${index}`)],
    ['a small table', ALL_LARGE, Array.from({ length: 50 }, (_, index) => `member ${index}`)],
    ['a large table', ALL_LARGE, Array.from({ length: 6000 }, (_, index) => `member ${index}`)],
  ] as const) {
    const store = openStore(limits)
    put(store, 'the set', members)
    const set = store.sets.open(store.databases[0], handleOf(store.databases[0]))
    const counts = new Map<string, number>()
    const mean = 100
    for (let picked = 0; picked < members.length * mean; picked++) {
      set.pick()
      const member = set.member.copy().toString()
      counts.set(member, (counts.get(member) ?? 0) + 1)
    }
    assert.equal(counts.size, members.length, name)
    for (const count of counts.values()) assert.ok(count > mean * 0.4 && count < mean * 1.7, `${name}: ${count}`)
  }
})

test('a walk by cursor meets every member that is there all the time', () => {
  const store = openStore(ALL_LARGE)
  const database = store.databases[0]
  const staying = Array.from({ length: 5000 }, (_, index) => `member ${index}`)
  put(store, 'the set', staying)
  const seen = new Set<string>()
  let cursor = 0
  let step = 0
  do {
    const set = store.sets.open(database, handleOf(database))
    cursor = set.scan(cursor, 10, (member) => seen.add(member.copy().toString()))
    // Members come and go while the walk lasts.
    const passing = Buffer.from(`passing ${step % 700}`)
    if (step++ % 3 === 0) set.remove(passing, 0, passing.length)
    else set.add(passing, 0, passing.length)
  } while (cursor !== 0)
  for (const member of staying) assert.ok(seen.has(member))
})

test('a large set is deleted at once, and its memory comes back in slices', () => {
  const store = openStore(ALL_LARGE)
  const database = store.databases[0]
  // An empty table of keys keeps its smallest segment.
  put(store, 'the set', ['1'])
  database.remove(handleOf(database))
  const emptyBytes = store.heap.usedBytes
  put(
    store,
    'the set',
    Array.from({ length: 100_000 }, (_, index) => `member ${index}`),
  )
  assert.equal(store.records.encoding(handleOf(database)), encoding.MEMBER_TABLE)
  const fullBytes = store.heap.usedBytes
  database.remove(handleOf(database))
  assert.ok(store.heap.usedBytes > fullBytes * 0.9)
  assert.equal(store.lazyFree.pendingCount, 100_000)
  const left: number[] = []
  while (store.background(() => true)) left.push(store.lazyFree.pendingCount)
  assert.ok(left.length > 20)
  assert.equal(store.heap.usedBytes, emptyBytes)
  store.heap.verify()
})

test('a large set takes less than 32 bytes for a member of 10 bytes', () => {
  const store = openStore(ALL_LARGE)
  put(store, 'the set', ['the first!'])
  const before = store.heap.usedBytes
  put(
    store,
    'the set',
    Array.from({ length: 50_000 }, (_, index) => String(index).padStart(10, '_')),
  )
  const handle = handleOf(store.databases[0])
  const perMember = (store.heap.usedBytes - before) / 50_000
  assert.ok(perMember < 32, `${perMember} bytes`)
  const referredBytes = typeOperations[store.records.type(handle)].referredBytes(store, handle)
  assert.ok(Math.abs(referredBytes - 50_000 * perMember) < 50_000)
})
