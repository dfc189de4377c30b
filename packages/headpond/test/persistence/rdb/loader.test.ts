/** RDB files of every version: what is read, what is left out, and what is refused, with its place. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import type { RdbWriter } from '#src/persistence/rdb/encoding.ts'
import { OPCODE } from '#src/persistence/rdb/file-format.ts'
import { RdbLoadError } from '#src/persistence/rdb/loader.ts'
import { encodeModuleId } from '#src/persistence/rdb/module-fields.ts'
import { RDB_TYPE } from '#src/persistence/rdb/object-type.ts'
import { LocalClient } from '#src/server/local-client.ts'
import { Server } from '#src/server/server.ts'
import { storeDigest } from '#src/store/digest.ts'
import { chooseSeed, SeededRandom } from '../../seeded-random.ts'
import { loadBytes, loaderFor, newStore, rdbOf } from '../snapshots.ts'
import { intset, RdbFileBuilder, ziplist, zipmap } from './rdb-file-builder.ts'

const NOW_MS = 1_700_000_000_000

const text = (value: string) => (writer: { writeString(bytes: Uint8Array): void }) =>
  writer.writeString(Buffer.from(value))

function newServer(): { server: Server; client: LocalClient } {
  const config = Config.load({ options: { port: 0, ephemeral: true, enableDebugCommand: 'yes' } })
  const server = new Server({ config, log: { info() {}, warn() {}, error() {} }, firstArenaBytes: 2 ** 18 })
  return { server, client: new LocalClient(server.resp) }
}

/** Loads a file into a server, to be asked by commands. */
async function withLoaded(file: Uint8Array, run: (client: LocalClient) => Promise<void>): Promise<void> {
  const { server, client } = newServer()
  loadBytes(server.store, file, { onFunction: (code) => server.persistence.functions.load(code, false) })
  await run(client)
  client.close()
  await server.close()
}

// ---- Versions and layouts ----

/** What each version of Redis wrote collections as: the newest layout that it knew. */
const VERSIONS: readonly { writer: string; version: number; build: (file: RdbFileBuilder) => RdbFileBuilder }[] = [
  {
    writer: 'Redis 2.4',
    version: 2,
    build: (file) =>
      file
        .opcode(OPCODE.EXPIRE_SECONDS, (writer) => writer.writeBytes(Uint8Array.of(0xff, 0xff, 0xff, 0x7f)))
        .key(RDB_TYPE.STRING, 'string', text('value'))
        .key(RDB_TYPE.HASH_ZIPMAP, 'hash', (writer) => writer.writeString(zipmap('a', '1', 'b', '2')))
        .key(RDB_TYPE.LIST, 'list', (writer) => {
          writer.writeLength(2)
          writer.writeString(Buffer.from('x'))
          writer.writeString(Buffer.from('y'))
        })
        .key(RDB_TYPE.SET, 'set', (writer) => {
          writer.writeLength(2)
          writer.writeString(Buffer.from('m'))
          writer.writeString(Buffer.from('n'))
        })
        .key(RDB_TYPE.ZSET, 'zset', (writer) => {
          writer.writeLength(2)
          writer.writeString(Buffer.from('one'))
          writer.writeBytes(Buffer.from('\x031.5'))
          writer.writeString(Buffer.from('two'))
          writer.writeByte(254)
        }),
  },
  {
    writer: 'Redis 2.8',
    version: 6,
    build: (file) =>
      file
        .key(RDB_TYPE.STRING, 'string', text('value'))
        .key(RDB_TYPE.HASH_ZIPLIST, 'hash', (writer) => writer.writeString(ziplist('a', 1, 'b', 2)))
        .key(RDB_TYPE.LIST_ZIPLIST, 'list', (writer) => writer.writeString(ziplist('x', 'y')))
        .key(RDB_TYPE.SET, 'set', (writer) => {
          writer.writeLength(2)
          writer.writeString(Buffer.from('m'))
          writer.writeString(Buffer.from('n'))
        })
        .key(RDB_TYPE.SET_INTSET, 'integers', (writer) => writer.writeString(intset(-5, 300)))
        .key(RDB_TYPE.ZSET_ZIPLIST, 'zset', (writer) => writer.writeString(ziplist('one', '1.5', 'two', 'inf'))),
  },
  {
    writer: 'Redis 3.2',
    version: 7,
    build: (file) =>
      file
        .aux('redis-ver', '3.2.0')
        .aux('redis-bits', '64')
        .select(0)
        .opcode(OPCODE.RESIZE_DB, (writer) => {
          writer.writeLength(5)
          writer.writeLength(0)
        })
        .key(RDB_TYPE.STRING, 'string', text('value'))
        .key(RDB_TYPE.HASH_ZIPLIST, 'hash', (writer) => writer.writeString(ziplist('a', 1, 'b', 2)))
        .key(RDB_TYPE.LIST_QUICKLIST, 'list', (writer) => {
          writer.writeLength(2)
          writer.writeString(ziplist('x'))
          writer.writeString(ziplist('y'))
        })
        .key(RDB_TYPE.SET, 'set', (writer) => {
          writer.writeLength(2)
          writer.writeString(Buffer.from('m'))
          writer.writeString(Buffer.from('n'))
        })
        .key(RDB_TYPE.ZSET_ZIPLIST, 'zset', (writer) => writer.writeString(ziplist('one', '1.5', 'two', 'inf'))),
  },
  {
    writer: 'Redis 5.0',
    version: 9,
    build: (file) =>
      file
        .aux('redis-ver', '5.0.0')
        .aux('aof-preamble', '0')
        .select(0)
        .opcode(OPCODE.FREQUENCY, (writer) => writer.writeByte(7))
        .key(RDB_TYPE.STRING, 'string', text('value'))
        .opcode(OPCODE.IDLE, (writer) => writer.writeLength(100))
        .key(RDB_TYPE.HASH_ZIPLIST, 'hash', (writer) => writer.writeString(ziplist('a', 1, 'b', 2)))
        .key(RDB_TYPE.LIST_QUICKLIST, 'list', (writer) => {
          writer.writeLength(1)
          writer.writeString(ziplist('x', 'y'))
        })
        .key(RDB_TYPE.SET, 'set', (writer) => {
          writer.writeLength(2)
          writer.writeString(Buffer.from('m'))
          writer.writeString(Buffer.from('n'))
        })
        .key(RDB_TYPE.ZSET_2, 'zset', (writer) => {
          writer.writeLength(2)
          writer.writeString(Buffer.from('two'))
          writer.writeDouble(Number.POSITIVE_INFINITY)
          writer.writeString(Buffer.from('one'))
          writer.writeDouble(1.5)
        }),
  },
  {
    writer: 'Redis 7.2 and Valkey 8',
    version: 11,
    build: (file) =>
      file
        .aux('valkey-ver', '8.0.0')
        .select(0)
        .opcode(OPCODE.SLOT_INFO, (writer) => {
          for (const figure of [866, 5, 0]) writer.writeLength(figure)
        })
        .key(RDB_TYPE.STRING, 'string', text('value'))
        .key(RDB_TYPE.HASH_LISTPACK, 'hash', (writer) => writer.writeString(listpack('a', '1', 'b', '2')))
        .key(RDB_TYPE.LIST_QUICKLIST_2, 'list', (writer) => {
          writer.writeLength(1)
          writer.writeLength(2)
          writer.writeString(listpack('x', 'y'))
        })
        .key(RDB_TYPE.SET_LISTPACK, 'set', (writer) => writer.writeString(listpack('m', 'n')))
        .key(RDB_TYPE.ZSET_LISTPACK, 'zset', (writer) => writer.writeString(listpack('one', '1.5', 'two', 'inf'))),
  },
  {
    writer: 'Redis 7.4',
    version: 12,
    build: (file) =>
      file
        .select(0)
        .key(RDB_TYPE.STRING, 'string', text('value'))
        .key(RDB_TYPE.HASH_METADATA, 'hash', (writer) => {
          writer.writeMilliseconds(NOW_MS * 2)
          writer.writeLength(2)
          for (const [expiry, field, value] of [[1, 'a', '1'] as const, [0, 'b', '2'] as const]) {
            writer.writeLength(expiry)
            writer.writeString(Buffer.from(field))
            writer.writeString(Buffer.from(value))
          }
        })
        .key(RDB_TYPE.LIST_QUICKLIST_2, 'list', (writer) => {
          writer.writeLength(2)
          for (const element of ['x', 'y']) {
            writer.writeLength(1)
            writer.writeString(Buffer.from(element))
          }
        })
        .key(RDB_TYPE.SET_LISTPACK, 'set', (writer) => writer.writeString(listpack('m', 'n')))
        .key(RDB_TYPE.ZSET_LISTPACK, 'zset', (writer) => writer.writeString(listpack('one', '1.5', 'two', 'inf'))),
  },
]

/** A listpack of short texts, small numbers, and numbers of 64 bits. */
function listpack(...elements: readonly (string | number | bigint)[]): Buffer {
  const body = elements.flatMap((element) => {
    if (typeof element === 'number') return [element, 1]
    if (typeof element === 'bigint') {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(element)
      return [0xf4, ...bytes, 9]
    }
    const bytes = [...Buffer.from(element)]
    return [0x80 | bytes.length, ...bytes, bytes.length + 1]
  })
  const header = Buffer.alloc(6)
  header.writeUInt32LE(7 + body.length, 0)
  header.writeUInt16LE(elements.length, 4)
  return Buffer.concat([header, Buffer.from([...body, 0xff])])
}

for (const { writer, version, build } of VERSIONS) {
  test(`a file as ${writer} writes it (version ${version})`, () =>
    withLoaded(build(new RdbFileBuilder(version)).end(), async (client) => {
      assert.equal(await client.execute('GET', 'string'), 'value')
      assert.deepEqual(await client.execute('HGETALL', 'hash'), { a: '1', b: '2' })
      assert.deepEqual(await client.execute('LRANGE', 'list', 0, -1), ['x', 'y'])
      assert.deepEqual([...((await client.execute('SMEMBERS', 'set')) as Iterable<string>)].sort(), ['m', 'n'])
      assert.deepEqual(await client.execute('ZRANGE', 'zset', 0, -1), ['one', 'two'])
      assert.equal(await client.execute('ZSCORE', 'zset', 'one'), 1.5)
    }))
}

/** An id as it stands in keys of nodes and lists of pending entries: big-endian, so that bytes are in order. */
function streamId(ms: number, sequence: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeBigUInt64BE(BigInt(ms))
  bytes.writeBigUInt64BE(BigInt(sequence), 8)
  return bytes
}

/** A stream of two entries with a group, in whose consumer one is pending. */
function writeStream(writer: RdbWriter, layout: 1 | 2 | 3): void {
  const lengths = (...values: number[]) => {
    for (const value of values) writer.writeLength(value)
  }
  lengths(1)
  writer.writeString(streamId(1, 1))
  // How many, how many deleted, the fields of most; then each entry: flags, id beyond the first one's, values, size.
  const entries = [2, 0, 1, 'field', 0, 2, 0, 0, 'a', 4, 2, 4, 0, 'b', 4]
  writer.writeString(listpack(...entries))
  lengths(2, 5, 1)
  if (layout >= 2) lengths(1, 1, 3, 0, 7)
  lengths(1)
  writer.writeString(Buffer.from('group'))
  lengths(1, 1)
  if (layout >= 2) lengths(1)
  lengths(1)
  writer.writeBytes(streamId(1, 1))
  writer.writeMilliseconds(NOW_MS)
  lengths(3, 1)
  writer.writeString(Buffer.from('consumer'))
  writer.writeMilliseconds(NOW_MS)
  if (layout >= 3) writer.writeMilliseconds(NOW_MS - 1)
  lengths(1)
  writer.writeBytes(streamId(1, 1))
}

for (const [writer, version, rdbType, layout] of [
  ['Redis 5.0', 9, RDB_TYPE.STREAM_LISTPACKS, 1],
  ['Redis 7.0', 10, RDB_TYPE.STREAM_LISTPACKS_2, 2],
  ['Redis 7.2', 11, RDB_TYPE.STREAM_LISTPACKS_3, 3],
] as const) {
  test(`a stream as ${writer} writes it`, () =>
    withLoaded(
      new RdbFileBuilder(version).key(rdbType, 'stream', (to) => writeStream(to, layout)).end(),
      async (client) => {
        assert.deepEqual(await client.execute('XRANGE', 'stream', '-', '+'), [
          ['1-1', ['field', 'a']],
          ['5-1', ['field', 'b']],
        ])
        const pending = (await client.execute('XPENDING', 'stream', 'group', '-', '+', 10)) as unknown[][]
        assert.deepEqual([pending[0][0], pending[0][1], pending[0][3]], ['1-1', 'consumer', 3])
        const info = (await client.execute('XINFO', 'STREAM', 'stream')) as Record<string, unknown>
        assert.equal(info['last-generated-id'], '5-1')
        assert.equal(info['entries-added'], layout === 1 ? 2 : 7)
        assert.equal(info['max-deleted-entry-id'], layout === 1 ? '0-0' : '3-0')
        const [group] = (await client.execute('XINFO', 'GROUPS', 'stream')) as Record<string, unknown>[]
        assert.equal(group['last-delivered-id'], '1-1')
        assert.equal(group['entries-read'], 1)
      },
    ))
}

test('a small hash with expiring fields as Redis 7.4 writes it', () => {
  const atMs = 4_102_444_800_000n
  const file = new RdbFileBuilder(12).key(RDB_TYPE.HASH_LISTPACK_EX, 'hash', (writer) => {
    writer.writeMilliseconds(Number(atMs))
    writer.writeString(listpack('a', '1', atMs, 'b', '2', 0))
  })
  return withLoaded(file.end(), async (client) => {
    assert.deepEqual(await client.execute('HGETALL', 'hash'), { a: '1', b: '2' })
    assert.deepEqual(await client.execute('HPEXPIRETIME', 'hash', 'FIELDS', 2, 'a', 'b'), [Number(atMs), -1])
  })
})

test('a file of redis-server 7.0, as it came from there', async () => {
  const golden = (name: string) =>
    readFileSync(new URL(`../../../test/persistence/rdb/golden/${name}`, import.meta.url))
  await withLoaded(golden('redis-7.0.rdb'), async (client) => {
    assert.equal(await client.execute('DEBUG', 'DIGEST'), golden('redis-7.0.digest').toString().trim())
    assert.equal(await client.execute('FCALL', 'answer', 0), 42)
    assert.equal(await client.execute('PEXPIRETIME', 'expiring'), 4_102_444_800_000)
  })
})

// ---- Expiry, access, duplicates ----

test('keys whose time has come are left out, unless they are to be kept', () => {
  const file = new RdbFileBuilder(10)
    .expireAt(NOW_MS - 1)
    .key(RDB_TYPE.STRING, 'gone', text('1'))
    .expireAt(NOW_MS + 1000)
    .key(RDB_TYPE.STRING, 'there', text('2'))
    .expireAt(NOW_MS - 1)
    .key(RDB_TYPE.SET, 'gone too', (writer) => {
      writer.writeLength(1)
      writer.writeString(Buffer.from('m'))
    })
    .end()
  const store = newStore(NOW_MS)
  const loader = loadBytes(store, file)
  assert.equal(loader.loadedCount, 1)
  assert.equal(loader.expiredCount, 2)
  assert.equal(store.databases[0].expires.count, 1)
  assert.equal(loadBytes(newStore(NOW_MS), file, { keepsExpired: true }).loadedCount, 3)
})

test('a key that is there twice is damage, or meant', () => {
  const file = new RdbFileBuilder(10)
    .key(RDB_TYPE.STRING, 'key', text('first'))
    .key(RDB_TYPE.STRING, 'key', text('second'))
    .end()
  assert.throws(() => loadBytes(newStore(), file), /a key that is there twice/)
  const store = newStore()
  loadBytes(store, file, { duplicates: 'replace' })
  assert.equal(store.keyCount, 1)
})

test('empty collections, which a defect of old versions wrote, are left out', () => {
  const warnings: string[] = []
  const file = new RdbFileBuilder(9)
    .key(RDB_TYPE.SET, 'empty', (writer) => writer.writeLength(0))
    .key(RDB_TYPE.STRING, 'next', text('value'))
    .end()
  const store = newStore()
  const loader = loadBytes(store, file, { warn: (message) => warnings.push(message) })
  assert.equal(loader.emptyCount, 1)
  assert.equal(store.keyCount, 1)
  assert.match(warnings[0], /'empty'/)
})

// ---- What is refused ----

const REFUSED: readonly (readonly [name: string, file: Buffer, message: RegExp])[] = [
  ['what is no RDB file', Buffer.from('hello, I am a text'), /no RDB file/],
  ['a version of the future', new RdbFileBuilder(99).end(), /RDB version 99 is not known \(at byte 5\)/],
  ['version 0', new RdbFileBuilder(0).end(), /version 0/],
  [
    'an unknown type',
    new RdbFileBuilder(10).key(99, 'k', text('v')).end(),
    /unknown opcode or type of value 99 \(at byte 9\)/,
  ],
  [
    'a hash of a release candidate',
    new RdbFileBuilder(12).key(22, 'k', text('v')).end(),
    /release candidates of Redis 7.4/,
  ],
  ['an unknown database', new RdbFileBuilder(10).select(16).end(), /keys of database 16, where there are 16/],
  [
    'functions of a release candidate',
    new RdbFileBuilder(10).opcode(OPCODE.FUNCTION_PRE, text('code')).end(),
    /release candidate of Redis 7.0/,
  ],
  [
    'functions where there are none',
    new RdbFileBuilder(10).opcode(OPCODE.FUNCTION, text('code')).end(),
    /no functions here/,
  ],
  [
    'the value of an unknown module',
    new RdbFileBuilder(10)
      .key(RDB_TYPE.MODULE_2, 'k', (writer) => writer.writeBytes(encodeModuleId('ReJSON-RL', 3)))
      .end(),
    /unknown module: its type is 'ReJSON-RL', in the value of key 'k'/,
  ],
  [
    'a wrong checksum',
    new RdbFileBuilder(10).key(RDB_TYPE.STRING, 'k', text('v')).end('wrong'),
    /the checksum is [0-9a-f]{16}/,
  ],
  [
    'a damaged value',
    new RdbFileBuilder(10).key(RDB_TYPE.HASH_ZIPLIST, 'k', (writer) => writer.writeString(Buffer.from('xyz'))).end(),
    /a ziplist is damaged, in the value of key 'k' \(at byte 16\)/,
  ],
  [
    'a field that expires beyond 48 bits of milliseconds',
    new RdbFileBuilder(12)
      .key(RDB_TYPE.HASH_METADATA, 'k', (writer) => {
        writer.writeMilliseconds(2 ** 48)
        writer.writeLength(1)
        writer.writeLength(1)
        writer.writeString(Buffer.from('field'))
        writer.writeString(Buffer.from('value'))
      })
      .end(),
    /an expiry that is no moment, in the value of key 'k'/,
  ],
]

for (const [name, file, message] of REFUSED) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => loadBytes(newStore(), file),
      (error) =>
        error instanceof RdbLoadError && message.test(error.message) ? true : assert.fail(String(error)) === undefined,
    )
  })
}

test('checksums may be missing, or not looked at', () => {
  const builder = () => new RdbFileBuilder(10).key(RDB_TYPE.STRING, 'k', text('v'))
  const warnings: string[] = []
  loadBytes(newStore(), builder().end('none'), { warn: (message) => warnings.push(message) })
  assert.match(warnings[0], /without a checksum/)
  loadBytes(newStore(), builder().end('wrong'), { verifiesChecksum: false })
})

test('a newer version may be read as far as it is known', () => {
  const file = new RdbFileBuilder(80).key(RDB_TYPE.STRING, 'k', text('v')).end()
  const store = newStore()
  loadBytes(store, file, { allowsNewerVersion: true })
  assert.equal(store.keyCount, 1)
})

test('what modules keep beside keys is left out', () => {
  const file = new RdbFileBuilder(10)
    .opcode(OPCODE.MODULE_AUX, (writer) => {
      writer.writeBytes(encodeModuleId('ft_index0', 1))
      for (const kind of [2, 1]) writer.writeLength(kind)
      writer.writeLength(5)
      writer.writeString(Buffer.from('a schema'))
      writer.writeLength(4)
      writer.writeDouble(1.5)
      writer.writeLength(0)
    })
    .key(RDB_TYPE.STRING, 'k', text('v'))
    .end()
  const warnings: string[] = []
  const store = newStore()
  loadBytes(store, file, { warn: (message) => warnings.push(message) })
  assert.equal(store.keyCount, 1)
  assert.match(warnings[0], /ft_index0/)
})

// ---- Cuts and damage ----

/** Compressed, so many entries take more than a window. */
const STREAM_LENGTH_MAX = 10_000

/** A file with a value of every type, large ones among them. */
async function sampleFile(elementCount: number): Promise<Buffer> {
  const { server, client } = newServer()
  const many = (each: (index: number) => (string | number)[]) => Array.from({ length: elementCount }, (_, i) => each(i))
  const inBatches = (command: string[], elements: (string | number)[][]): (string | number)[][] =>
    elements.flatMap((_, at) => (at % 1000 === 0 ? [[...command, ...elements.slice(at, at + 1000).flat()]] : []))
  const commands: (string | number)[][] = [
    ['SET', 'text', 'value'],
    ['SET', 'expiring', 'value', 'PX', 100_000],
    ['SET', 'compressible', 'abc'.repeat(500)],
    ...inBatches(
      ['RPUSH', 'list'],
      many((index) => [`element ${index}`]),
    ),
    ...inBatches(
      ['SADD', 'set'],
      many((index) => [`member ${index}`]),
    ),
    ...inBatches(
      ['HSET', 'hash'],
      many((index) => [`field ${index}`, index]),
    ),
    ...inBatches(
      ['ZADD', 'zset'],
      many((index) => [index / 3, `member ${index}`]),
    ),
    ...many((index) => ['XADD', 'stream', `${index + 1}-0`, 'field', `${index} `.repeat(20)]).slice(
      0,
      STREAM_LENGTH_MAX,
    ),
    ['HSET', 'expiring hash', 'a', 1, 'b', 2],
    ['HPEXPIRE', 'expiring hash', 100_000, 'FIELDS', 1, 'a'],
    ['XGROUP', 'CREATE', 'stream', 'group', 0],
    ['XREADGROUP', 'GROUP', 'group', 'consumer', 'COUNT', 5, 'STREAMS', 'stream', '>'],
    ['BF.ADD', 'filter', 'item'],
    ['PFADD', 'visitors', 'a', 'b'],
    ['SELECT', 3],
    ['SET', 'elsewhere', 1],
  ]
  for (const args of commands) await client.execute(...args)
  server.store.finishBackground()
  const file = rdbOf(server.store)
  client.close()
  await server.close()
  return file
}

test('a file that ends anywhere is refused there', async () => {
  const file = await sampleFile(20)
  for (let end = 0; end < file.length; end++) {
    assert.throws(
      () => loadBytes(newStore(), file.subarray(0, end)),
      (error) => error instanceof RdbLoadError && error.atByte <= end,
      `cut at ${end} of ${file.length}`,
    )
  }
})

test('a file may come in pieces of any size', async () => {
  const file = await sampleFile(20)
  const expected = newStore()
  loadBytes(expected, file)
  for (const pieceBytes of [1, 2, 3, 7, 64, 1000]) {
    const store = newStore()
    const loader = loaderFor(store)
    let at = 0
    while (loader.run(() => false) !== 'done') {
      const room = loader.room()
      const piece = file.subarray(at, at + pieceBytes)
      room.bytes.set(piece, room.at)
      loader.filled(piece.length)
      at += piece.length
    }
    assert.equal(storeDigest(store).toString(), storeDigest(expected).toString())
    assert.equal(loader.atByte, file.length)
  }
})

test('collections larger than the window go into the store as they are read', async () => {
  const file = await sampleFile(60_000)
  const store = newStore()
  const loader = loaderFor(store, { totalBytes: file.length })
  let at = 0
  let turnCount = 0
  let roomBytesMax = 0
  for (;;) {
    // Time is up at each look: nothing takes long between two of them.
    const state = loader.run(() => true)
    if (state === 'done') break
    if (state === 'time') {
      turnCount++
      continue
    }
    const room = loader.room()
    roomBytesMax = Math.max(roomBytesMax, room.bytes.length)
    const piece = file.subarray(at, at + Math.min(65_536, room.bytes.length - room.at))
    room.bytes.set(piece, room.at)
    loader.filled(piece.length)
    at += piece.length
  }
  const { server, client } = newServer()
  loadBytes(server.store, file)
  assert.equal(await client.execute('SCARD', 'set'), 60_000)
  assert.equal(await client.execute('XLEN', 'stream'), STREAM_LENGTH_MAX)
  assert.equal(storeDigest(store).toString(), storeDigest(server.store).toString())
  assert.ok(turnCount > 100, `${turnCount} turns`)
  assert.ok(roomBytesMax <= 2 ** 21, `a window of ${roomBytesMax} bytes`)
  client.close()
  await server.close()
})

test('a damaged large collection is refused', async () => {
  const file = await sampleFile(60_000)
  // Within the members of the set: one of them occurs twice then.
  const at = file.indexOf('member 31234')
  file.write('member 31235', at)
  assert.throws(() => loadBytes(newStore(), file), /there twice, in the value of key|a key that is there twice/)
})

test('damage anywhere is refused or harmless: no crash, no endless work, no memory out of proportion', async (t) => {
  const file = await sampleFile(40)
  const seed = chooseSeed()
  t.diagnostic(`SEED=${seed}`)
  const random = new SeededRandom(seed)
  let refusedCount = 0
  for (let round = 0; round < 1000; round++) {
    const damaged = Buffer.from(file)
    for (let change = random.below(4); change >= 0; change--) {
      const at = 9 + random.below(damaged.length - 9)
      if (random.once(2)) damaged[at] = random.below(256)
      else damaged[at] = random.pick([0, 0x3f, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xff])
    }
    const store = newStore()
    try {
      loadBytes(store, damaged, { verifiesChecksum: false, onFunction: () => {} })
    } catch (error) {
      if (!(error instanceof RdbLoadError)) throw new Error(`SEED=${seed} round ${round}`, { cause: error })
      refusedCount++
    }
    assert.ok(store.heap.usedBytes < 16 * 2 ** 20, `SEED=${seed} round ${round}: ${store.heap.usedBytes} bytes`)
  }
  assert.ok(refusedCount > 250, `${refusedCount} refused`)
})
