/** Snapshots as clients and operators see them. */
import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { DataDirectoryError } from '#src/persistence/data-directory-error.ts'
import { FileTarget } from '#src/persistence/file-target.ts'
import { type CreateServerOptions, createServer, type HeadpondServer } from '#src/server/create-server.ts'
import { LocalClient } from '#src/server/local-client.ts'
import { Server } from '#src/server/server.ts'
import { RawClient } from '../raw-client.ts'
import { loadBytes, newStore } from './snapshots.ts'

function newDirectory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-snapshots-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function start(t: TestContext, options: CreateServerOptions): Promise<HeadpondServer> {
  const server = await createServer({
    enableDebugCommand: 'yes',
    enableProtectedConfigs: 'yes',
    appendonly: 'no',
    ...options,
  })
  t.after(() => server.close())
  return server
}

async function infoOf(server: HeadpondServer): Promise<Record<string, string>> {
  const text = String(await server.execute('INFO', 'persistence'))
  return Object.fromEntries(
    text
      .split('\r\n')
      .filter((line) => line.includes(':'))
      .map((line) => line.split(':') as [string, string]),
  )
}

/** Until a snapshot in the background has ended. */
async function untilSaved(server: HeadpondServer): Promise<void> {
  while ((await infoOf(server))['rdb_bgsave_in_progress'] === '1') await new Promise((resolve) => setImmediate(resolve))
}

function keyCountOf(path: string): number {
  return loadBytes(newStore(Date.now()), readFileSync(path), { onFunction: () => {} }).loadedCount
}

test('what was saved is there after the next start', async (t) => {
  const dir = newDirectory(t)
  const first = await start(t, { dir, save: [] })
  await first.execute('SET', 'key', 'value')
  await first.execute('HSET', 'hash', 'field', 'value')
  await first.execute('HPEXPIRE', 'hash', 100_000, 'FIELDS', 1, 'field')
  await first.execute('FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('one', function() return 1 end)")
  assert.equal(await first.execute('SAVE'), 'OK')
  await first.execute('SET', 'later', 'lost')
  await first.close()
  const second = await start(t, { dir, save: [] })
  assert.equal(await second.execute('GET', 'key'), 'value')
  assert.equal(await second.execute('EXISTS', 'later'), 0)
  assert.equal(await second.execute('FCALL', 'one', 0), 1)
  assert.ok(Number(((await second.execute('HPTTL', 'hash', 'FIELDS', 1, 'field')) as number[])[0]) > 0)
  assert.equal((await infoOf(second))['rdb_last_load_keys_loaded'], '2')
  assert.deepEqual(readdirSync(dir), ['dump.rdb'])
})

test('closing saves when there are save points, and SHUTDOWN as it is told', async (t) => {
  for (const [save, args, isSaved] of [
    ['900 1', null, true],
    ['', null, false],
    ['900 1', ['NOSAVE'], false],
    ['', ['SAVE'], true],
  ] as const) {
    const dir = newDirectory(t)
    const server = await start(t, { dir, save: save as never })
    await server.execute('SET', 'key', 'value')
    if (args === null) await server.close()
    else await server.execute('SHUTDOWN', ...args)
    await server.close()
    assert.equal(existsSync(join(dir, 'dump.rdb')), isSaved, `save '${save}', SHUTDOWN ${args}`)
  }
})

test('BGSAVE answers as Redis does, and the figures follow', async (t) => {
  const dir = newDirectory(t)
  const server = await start(t, { dir, save: [] })
  for (let index = 0; index < 200; index++) await server.execute('SET', `key ${index}`, 'value')
  assert.equal((await infoOf(server))['rdb_changes_since_last_save'], '200')
  await server.execute('CONFIG', 'SET', 'rdb-key-save-delay', '1000')
  assert.equal(await server.execute('BGSAVE'), 'Background saving started')
  await assert.rejects(server.execute('BGSAVE'), /ERR Background save already in progress/)
  await assert.rejects(server.execute('BGSAVE', 'SCHEDULE'), /ERR Background save already in progress/)
  await assert.rejects(server.execute('SAVE'), /ERR Background save already in progress/)
  await assert.rejects(server.execute('BGSAVE', 'NOW'), /ERR syntax error/)
  const during = await infoOf(server)
  assert.equal(during['rdb_bgsave_in_progress'], '1')
  assert.equal(during['current_save_keys_total'], '200')
  await server.execute('SET', 'key 0', 'changed meanwhile')
  await server.execute('CONFIG', 'SET', 'rdb-key-save-delay', '0')
  await untilSaved(server)
  const after = await infoOf(server)
  assert.equal(after['rdb_last_bgsave_status'], 'ok')
  assert.equal(after['rdb_changes_since_last_save'], '1')
  assert.equal(after['rdb_saves'], '1')
  await server.execute('SAVE')
  assert.equal((await infoOf(server))['rdb_saves'], '2')
  await server.execute('DEBUG', 'RELOAD')
  assert.equal((await infoOf(server))['rdb_saves'], '2')
  assert.equal(keyCountOf(join(dir, 'dump.rdb')), 200)
})

test('BGSAVE CANCEL ends a snapshot in progress, or one that waits for its turn', async (t) => {
  const dir = newDirectory(t)
  const server = await start(t, { dir, save: [], hz: 1 })
  const NOTHING = /ERR Background saving is currently not in progress or scheduled/
  for (let index = 0; index < 200; index++) await server.execute('SET', `key ${index}`, 'value')
  await assert.rejects(server.execute('BGSAVE', 'CANCEL'), NOTHING)
  await server.execute('CONFIG', 'SET', 'rdb-key-save-delay', '1000000')
  await server.execute('BGSAVE')
  assert.equal(await server.execute('BGSAVE', 'cancel'), 'Background saving cancelled')
  await server.execute('CONFIG', 'SET', 'rdb-key-save-delay', '0')
  await untilSaved(server)
  assert.equal((await infoOf(server))['rdb_last_bgsave_status'], 'ok')
  assert.deepEqual(readdirSync(dir), [])
  await assert.rejects(server.execute('BGSAVE', 'CANCEL'), NOTHING)

  await server.execute('DEBUG', 'PAUSE-CRON', '1')
  const client = await RawClient.connect(server.port)
  t.after(() => client.close())
  for (const args of [['MULTI'], ['BGSAVE']]) await client.call(...args)
  assert.match(await client.call('EXEC'), /Background saving scheduled/)
  assert.equal(await server.execute('BGSAVE', 'CANCEL'), 'Scheduled background saving cancelled')
  await assert.rejects(server.execute('BGSAVE', 'CANCEL'), NOTHING)
  await assert.rejects(server.execute('BGSAVE', 'CANCEL', 'NOW'), /ERR syntax error/)
})

test('within a transaction BGSAVE waits for its end', async (t) => {
  const dir = newDirectory(t)
  const server = await start(t, { dir, save: [] })
  const client = await RawClient.connect(server.port)
  t.after(() => client.close())
  for (const args of [['MULTI'], ['SET', 'a', '1'], ['BGSAVE'], ['SET', 'b', '2']]) await client.call(...args)
  assert.match(await client.call('EXEC'), /Background saving scheduled/)
  while (!existsSync(join(dir, 'dump.rdb'))) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(keyCountOf(join(dir, 'dump.rdb')), 2)
})

test('save points take snapshots by themselves, and not before their time', async (t) => {
  const dir = newDirectory(t)
  const server = await start(t, { dir, save: '60 2' as never, hz: 500 })
  await server.execute('SET', 'a', '1')
  server.clock.advance('61s')
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(existsSync(join(dir, 'dump.rdb')), false)
  await server.execute('SET', 'b', '2')
  while (!existsSync(join(dir, 'dump.rdb'))) await new Promise((resolve) => setTimeout(resolve, 5))
  await untilSaved(server)
  assert.equal(Number(await server.execute('LASTSAVE')), Math.floor(server.clock.nowMs() / 1000))
})

test('FLUSHALL ends a snapshot, and with save points leaves an empty one', async (t) => {
  const dir = newDirectory(t)
  const server = await start(t, { dir, save: '3600 1' as never })
  for (let index = 0; index < 100; index++) await server.execute('SET', `key ${index}`, 'value')
  await server.execute('SAVE')
  await server.execute('CONFIG', 'SET', 'rdb-key-save-delay', '1000')
  await server.execute('BGSAVE')
  await server.execute('FLUSHALL')
  const info = await infoOf(server)
  assert.equal(info['rdb_bgsave_in_progress'], '0')
  assert.equal(info['rdb_last_bgsave_status'], 'ok')
  assert.equal(keyCountOf(join(dir, 'dump.rdb')), 0)
  assert.deepEqual(readdirSync(dir), ['dump.rdb'])
})

test('FLUSHDB, SWAPDB and the removal of what is unsaved leave the snapshot as it was', async (t) => {
  const dir = newDirectory(t)
  const server = await start(t, { dir, save: [] })
  for (let index = 0; index < 300; index++) await server.execute('SET', `key ${index}`, 'value')
  await server.execute('SELECT', 1)
  for (let index = 0; index < 300; index++) await server.execute('RPUSH', `list ${index}`, 'element')
  await server.execute('CONFIG', 'SET', 'rdb-key-save-delay', '1000')
  await server.execute('BGSAVE')
  await server.execute('SWAPDB', 0, 1)
  await server.execute('FLUSHDB')
  await server.execute('SET', 'new', 'not saved')
  await server.execute('SELECT', 0)
  await server.execute('FLUSHDB')
  await server.execute('CONFIG', 'SET', 'rdb-key-save-delay', '0')
  await untilSaved(server)
  const loaded = newStore(Date.now())
  loadBytes(loaded, readFileSync(join(dir, 'dump.rdb')))
  assert.equal(loaded.databases[0].count, 300)
  assert.equal(loaded.databases[1].count, 300)
  assert.equal(await server.execute('DBSIZE'), 0)
})

test('a snapshot that cannot be written is told of, and writes are refused until one can', async (t) => {
  const dir = newDirectory(t)
  const server = await start(t, { dir, save: '3600 1' as never })
  await server.execute('SET', 'key', 'value')
  // In the place of the file there is a directory, which nothing replaces.
  mkdirSync(join(dir, 'dump.rdb', 'in the way'), { recursive: true })
  await assert.rejects(server.execute('SAVE'), /^ReplyError: ERR/)
  assert.equal(await server.execute('BGSAVE'), 'Background saving started')
  await untilSaved(server)
  assert.equal((await infoOf(server))['rdb_last_bgsave_status'], 'err')
  await assert.rejects(server.execute('SET', 'key', 'other'), /MISCONF Redis is configured to save RDB snapshots/)
  await assert.rejects(server.execute('PING'), /MISCONF/)
  assert.equal(await server.execute('GET', 'key'), 'value')
  await assert.rejects(server.execute('SHUTDOWN'), /ERR Errors trying to SHUTDOWN. Check logs./)
  await server.execute('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no')
  assert.equal(await server.execute('SET', 'key', 'other'), 'OK')
  await server.execute('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'yes')
  rmSync(join(dir, 'dump.rdb'), { recursive: true })
  await server.execute('BGSAVE')
  await untilSaved(server)
  assert.equal(await server.execute('SET', 'key', 'again'), 'OK')
  assert.deepEqual(readdirSync(dir), ['dump.rdb'])
})

test('CONFIG SET dir and dbfilename move what is saved next', async (t) => {
  const dir = newDirectory(t)
  const other = newDirectory(t)
  const server = await start(t, { dir, save: [] })
  await server.execute('SET', 'key', 'value')
  await assert.rejects(server.execute('CONFIG', 'SET', 'dir', join(dir, 'nowhere')), /No such file or directory/)
  await server.execute('CONFIG', 'SET', 'dir', other)
  await server.execute('CONFIG', 'SET', 'dbfilename', 'other.rdb')
  await server.execute('SAVE')
  assert.deepEqual(readdirSync(dir), [])
  assert.deepEqual(readdirSync(other), ['other.rdb'])
})

test('DEBUG RELOAD keeps everything, merges, and loads what others left', async (t) => {
  const dir = newDirectory(t)
  const server = await start(t, { dir, save: [] })
  await server.execute('SET', 'a', '1')
  await server.execute('DEBUG', 'RELOAD')
  assert.equal(await server.execute('GET', 'a'), '1')
  await server.execute('SET', 'a', '2')
  await server.execute('SET', 'b', '2')
  await server.execute('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH', 'MERGE')
  assert.deepEqual(await server.execute('MGET', 'a', 'b'), ['1', '2'])
  await assert.rejects(
    server.execute('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH'),
    /ERR Error trying to load the RDB dump, check server logs./,
  )
  await server.execute('DEBUG', 'RELOAD', 'NOSAVE')
  assert.deepEqual(await server.execute('MGET', 'a', 'b'), ['1', null])
  await assert.rejects(
    server.execute('DEBUG', 'RELOAD', 'TWICE'),
    /only supports the MERGE, NOFLUSH and NOSAVE options/,
  )
})

test('without a disk DEBUG RELOAD goes through memory, and nothing else does', async (t) => {
  const server = await start(t, {})
  await server.execute('SET', 'a', '1')
  await assert.rejects(server.execute('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH'), /Error trying to load the RDB dump/)
  await server.execute('DEBUG', 'RELOAD')
  assert.equal(await server.execute('GET', 'a'), '1')
  await server.execute('SET', 'a', '2')
  await server.execute('DEBUG', 'RELOAD', 'NOSAVE')
  assert.equal(await server.execute('GET', 'a'), '1')
  for (const args of [['SAVE'], ['BGSAVE']]) {
    await assert.rejects(server.execute(...args), /keeps nothing on disk/)
  }
})

test('a file that cannot be loaded is told of, and the server does not start', async (t) => {
  const dir = newDirectory(t)
  writeFileSync(join(dir, 'dump.rdb'), 'REDIS0010 and then something else')
  mkdirSync(join(dir, 'directory'))
  await assert.rejects(createServer({ dir, appendonly: 'no' }), {
    name: 'DataDirectoryError',
    message:
      /\/dump\.rdb: the snapshot cannot be loaded: unknown opcode or type of value 32 \(at byte 9\)\. Bring back a copy/,
  })
  // What is on disk stays as it is, for whoever can make something of it.
  assert.equal(readFileSync(join(dir, 'dump.rdb'), 'latin1'), 'REDIS0010 and then something else')
  await assert.rejects(createServer({ dir, appendonly: 'no', dbfilename: 'directory' }), {
    name: 'DataDirectoryError',
    message: /\/directory: the file cannot be read \(EISDIR\)/,
  })
})

test('a directory that cannot be used is told of', async (t) => {
  const dir = newDirectory(t)
  writeFileSync(join(dir, 'file'), '')
  await assert.rejects(createServer({ dir: join(dir, 'file') }), DataDirectoryError)
  if (process.getuid?.() === 0) return // to root every directory is open
  const closed = join(dir, 'closed')
  mkdirSync(closed)
  chmodSync(closed, 0o500)
  await assert.rejects(createServer({ dir: closed }), DataDirectoryError)
})

test('what a server that died was writing is removed', async (t) => {
  const dir = newDirectory(t)
  const underWay = new FileTarget(join(dir, 'of-another-server.rdb'), { syncsIncrementally: false })
  t.after(() => underWay.discard())
  const [own] = readdirSync(dir)
  writeFileSync(join(dir, 'temp-999999999-1.rdb'), 'half')
  // In a container, the server that died had the number that this one has.
  writeFileSync(join(dir, `temp-${process.pid}-1000000.rdb`), 'half')
  await start(t, { dir, save: [] })
  assert.deepEqual(readdirSync(dir), [own])
})

test('clients that come while data is loaded are told to wait', async (t) => {
  const dir = newDirectory(t)
  const first = await start(t, { dir, save: [] })
  await first.execute('DEBUG', 'POPULATE', 300_000)
  await first.execute('SAVE')
  await first.close()
  const config = Config.load({
    options: { port: 'auto', bind: ['127.0.0.1'], dir, save: [], appendonly: 'no' } as never,
  })
  const server = new Server({ config, log: { info() {}, warn() {}, error() {} }, firstArenaBytes: 2 ** 20 })
  t.after(() => server.close())
  const client = new LocalClient(server.resp)
  const asked: { args: string[]; answer: string }[] = []
  let asks = 0
  server.persistence.onProgress = () => {
    if (asks++ > 0) return
    for (const args of [
      ['GET', 'key:1'],
      ['PING'],
      ['INFO', 'persistence'],
      ['CONFIG', 'GET', 'port'],
      ['CONFIG', 'SET', 'appendonly', 'yes'],
      ['MULTI'],
    ]) {
      client.execute(...args).then(
        (reply) => asked.push({ args, answer: typeof reply === 'string' ? reply : JSON.stringify(reply) }),
        (error: Error) => asked.push({ args, answer: error.message }),
      )
    }
  }
  await server.start()
  const answers = asked.map(({ answer }) => answer)
  assert.equal(answers[0], 'LOADING Redis is loading the dataset in memory')
  assert.match(answers[1], /^PONG$|^LOADING/)
  assert.match(answers[2], /^loading:1\r$/m)
  assert.match(answers[2], /^loading_total_bytes:[1-9]\d+\r$/m)
  assert.match(answers[2], /^loading_loaded_perc:\d+\.\d\d\r$/m)
  assert.match(answers[3], /port/)
  assert.equal(answers[4], 'LOADING Redis is loading the dataset in memory')
  assert.equal(answers[5], 'OK')
  assert.equal(server.store.keyCount, 300_000)
  await client.execute('DISCARD')
  assert.equal(await client.execute('DBSIZE'), 300_000)
})
