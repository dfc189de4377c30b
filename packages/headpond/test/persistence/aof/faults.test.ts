import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { notation, RawClient } from '../../raw-client.ts'
import { DataServer, inDirectory } from './data-server.ts'
import { FaultyDisk } from './faulty-disk.ts'

const increment = (dir: string) => join(dir, 'appendonlydir', 'appendonly.aof.1.incr.aof')
const FULL = 'MISCONF Errors writing to the AOF file: No space left on device'

async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    assert.ok(turn < 10_000, 'it did not happen')
    await turns(1)
  }
}

function textOf(client: RawClient): string[] {
  return client.take().flatMap(notation)
}

test('always: replies of all connections wait for one sync, those of readers too', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    const server = await DataServer.start(dir, { appendfsync: 'always' }, disk.open)
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(server.server.port)))
    disk.isSlow = true
    await server.ask('SET a 0') // which shows how slow it is
    disk.syncCount = 0
    clients[0].sendBytes('SET a 1\r\n')
    await until(() => disk.waitingSyncCount === 1)
    // While the disk is busy: they run, are written together, and share the next sync.
    for (const client of clients.slice(1)) client.sendBytes('INCR a\r\nGET a\r\n')
    await until(() => server.server.store.dirtyCount >= 6)
    await turns()
    assert.deepEqual(clients.flatMap(textOf), [])
    disk.finishSync()
    await until(() => disk.waitingSyncCount === 1)
    await clients[0].waitFor(1, 5000)
    assert.deepEqual(textOf(clients[0]), ['+OK'])
    assert.deepEqual(clients.flatMap(textOf), [])
    disk.finishSync()
    for (const client of clients.slice(1)) await client.waitFor(2, 5000)
    assert.equal(clients.slice(1).flatMap(textOf).length, 8)
    assert.equal(disk.syncCount, 2)
    disk.isSlow = false
    for (const client of clients) client.close()
    await server.stop()
  }))

test('always: a disk that is quick is waited for', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    const server = await DataServer.start(dir, { appendfsync: 'always' }, disk.open)
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(server.server.port)))
    disk.syncCount = 0
    for (const client of clients) client.sendBytes('INCR a\r\nGET a\r\n')
    for (const client of clients) await client.waitFor(2, 5000)
    assert.ok(disk.syncCount >= 1 && disk.syncCount <= 5, String(disk.syncCount))
    assert.equal(server.server.persistence.aof.writer.isSyncing, false)
    for (const client of clients) client.close()
    await server.stop()
  }))

test('always: replies in this process wait as well; who only reads waits for nothing while all is safe', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    const server = await DataServer.start(dir, { appendfsync: 'always' }, disk.open)
    disk.isSlow = true
    await server.ask('SET b 0')
    let isAnswered = false
    assert.equal(await server.ask('GET a'), null)
    const answer = server.ask('SET a 1').then(() => {
      isAnswered = true
    })
    await until(() => disk.waitingSyncCount === 1)
    assert.equal(isAnswered, false)
    disk.finishSync()
    await answer
    disk.isSlow = false
    await server.stop()
  }))

test('always: a connection that is closed after its reply gets it first', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    const server = await DataServer.start(dir, { appendfsync: 'always' }, disk.open)
    disk.isSlow = true
    await server.ask('SET b 0')
    const client = await RawClient.connect(server.server.port)
    client.sendBytes('SET a 1\r\nQUIT\r\n')
    await until(() => disk.waitingSyncCount === 1)
    await turns()
    assert.equal(client.isClosed, false)
    disk.finishSync()
    await client.waitFor(2, 5000)
    assert.deepEqual(textOf(client), ['+OK', '+OK'])
    await until(() => client.isClosed)
    disk.isSlow = false
    await server.stop()
  }))

for (const fault of ['writeError', 'syncError'] as const) {
  test(`always: after a ${fault} nothing is acknowledged any more, and the server ends`, () =>
    inDirectory(async (dir) => {
      const disk = new FaultyDisk()
      const server = await DataServer.start(dir, { appendfsync: 'always' }, disk.open)
      const client = await RawClient.connect(server.server.port)
      disk[fault] = 'EIO'
      client.sendBytes('SET a 1\r\nPING\r\n')
      await until(() => client.isClosed)
      assert.deepEqual(textOf(client), [])
      await server.server.ended
      assert.match(server.server.failure ?? '', /when the AOF fsync policy is 'always': Input\/output error/)
    }))
}

test('everysec: replies come after the write; a full disk refuses writes until there is room', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    let server = await DataServer.start(dir, {}, disk.open)
    await server.ask('SET a 1')
    const sizeBytes = statSync(increment(dir)).size
    assert.ok(sizeBytes > 0)
    // A part of it fits, and is taken back.
    disk.freeBytes = 10
    await server.ask('SET b 2')
    assert.equal(statSync(increment(dir)).size, sizeBytes)
    assert.equal(await server.ask('SET c 3'), `-${FULL}`)
    assert.equal(await server.ask('PING'), `-${FULL}`)
    assert.equal(await server.ask('GET a'), '1')
    assert.equal(await server.info('aof_last_write_status'), 'err')
    assert.ok(
      server.log.some((line) => /Short write while writing to the AOF file: \(nwritten=10, expected=/.test(line)),
    )
    // What was acknowledged is still to be written.
    assert.equal(await server.ask('GET b'), '2')
    disk.freeBytes = Number.POSITIVE_INFINITY
    server.server.clock.advance(1000) // it tries again every second
    server.server.persistence.cron()
    assert.equal(await server.info('aof_last_write_status'), 'ok')
    assert.equal(await server.ask('SET c 3'), 'OK')
    await server.stop()
    server = await DataServer.start(dir)
    assert.deepEqual(await server.ask('MGET a b c'), ['1', '2', '3'])
    await server.stop()
  }))

test('everysec: a part that cannot be taken back is continued', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    let server = await DataServer.start(dir, {}, disk.open)
    disk.freeBytes = 10
    disk.truncateError = 'EIO'
    await server.ask('SET a 1')
    assert.equal(statSync(increment(dir)).size, 10)
    disk.freeBytes = Number.POSITIVE_INFINITY
    assert.ok(server.server.persistence.aof.flush())
    await server.stop()
    server = await DataServer.start(dir)
    assert.equal(await server.ask('GET a'), '1')
    await server.stop()
  }))

test('everysec: while a sync takes long, writing waits and replies do not; after two seconds it goes on', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    const server = await DataServer.start(dir, {}, disk.open)
    disk.isSlow = true
    await server.ask('SET a 1')
    assert.equal(disk.waitingSyncCount, 1)
    const { writeCount } = disk
    await server.ask('SET b 2')
    await server.ask('SET c 3')
    assert.equal(disk.writeCount, writeCount)
    assert.ok(Number(await server.info('aof_buffer_length')) > 0)
    assert.equal(await server.info('aof_pending_bio_fsync'), '1')
    server.server.clock.advance(2000)
    server.server.persistence.cron()
    assert.equal(disk.writeCount, writeCount + 1)
    assert.equal(await server.info('aof_delayed_fsync'), '1')
    disk.isSlow = false
    disk.finishSync()
    await server.stop()
  }))

test('everysec: a sync that fails refuses writes, until one succeeds', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    const server = await DataServer.start(dir, {}, disk.open)
    disk.syncError = 'EIO'
    await server.ask('SET a 1')
    await turns()
    assert.equal(await server.ask('SET b 2'), '-MISCONF Errors writing to the AOF file: Input/output error')
    disk.syncError = null
    server.server.clock.advance(1000) // it tries again every second
    server.server.persistence.cron()
    await turns()
    assert.equal(await server.ask('SET b 2'), 'OK')
    await server.stop()
  }))

test('no: the server never syncs by itself', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    const server = await DataServer.start(dir, { appendfsync: 'no' }, disk.open)
    for (let index = 0; index < 20; index++) await server.ask(`SET key ${index}`)
    server.server.persistence.cron()
    assert.equal(disk.syncCount, 0)
    assert.deepEqual(await server.ask('WAITAOF 1 0 1'), [0, 0])
    await server.stop()
    assert.equal(disk.syncCount, 1)
  }))

test('no-appendfsync-on-rewrite: no sync while a snapshot is in progress', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    const server = await DataServer.start(dir, { noAppendfsyncOnRewrite: true, rdbKeySaveDelay: 0 }, disk.open)
    await server.ask('DEBUG POPULATE 50000')
    await server.ask('BGREWRITEAOF')
    disk.syncCount = 0
    await server.ask('SET a 1')
    if (server.server.persistence.snapshots.active !== null) assert.equal(disk.syncCount, 0)
    await server.rewritten()
    server.server.persistence.cron()
    assert.equal(disk.syncCount, 1)
    await server.stop()
  }))

test('WAITAOF answers when what its client wrote is on the disk', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    const server = await DataServer.start(dir, {}, disk.open)
    disk.isSlow = true
    assert.deepEqual(await server.ask('WAITAOF 1 0 0'), [1, 0])
    await server.ask('SET a 1')
    let reply: unknown = null
    const waiting = server.ask('WAITAOF 1 0 0').then((answer) => {
      reply = answer
    })
    await turns()
    assert.equal(reply, null)
    disk.finishSync()
    await waiting
    assert.deepEqual(reply, [1, 0])
    disk.isSlow = false
    await server.stop()
  }))

test('a rewrite that fails is told and leaves everything as it was', () =>
  inDirectory(async (dir) => {
    const disk = new FaultyDisk()
    let server = await DataServer.start(dir, {}, disk.open)
    await server.ask('SET a 1')
    disk.freeBytes = 0
    // What is gathered cannot be written, so there is no moment to begin at.
    server.client.execute('SET', 'b', '2').catch(() => {})
    assert.match(String(await server.ask('BGREWRITEAOF')), /Can't execute an AOF background rewriting/)
    assert.equal(await server.info('aof_last_bgrewrite_status'), 'err')
    disk.freeBytes = Number.POSITIVE_INFINITY
    assert.ok(server.server.persistence.aof.flush())
    await server.ask('BGREWRITEAOF')
    await server.rewritten()
    assert.equal(await server.info('aof_last_bgrewrite_status'), 'ok')
    await server.stop()
    server = await DataServer.start(dir)
    assert.deepEqual(await server.ask('MGET a b'), ['1', '2'])
    await server.stop()
  }))

test('what is appended is the bytes that came', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir)
    const client = await RawClient.connect(server.server.port)
    client.sendBytes('*3\r\n$3\r\nSeT\r\n$1\r\na\r\n$1\r\n1\r\nset b 2\r\n')
    await client.waitFor(2, 5000)
    assert.equal(
      readFileSync(increment(dir), 'latin1'),
      '*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSeT\r\n$1\r\na\r\n$1\r\n1\r\n*3\r\n$3\r\nset\r\n$1\r\nb\r\n$1\r\n2\r\n',
    )
    client.close()
    await server.stop()
  }))
