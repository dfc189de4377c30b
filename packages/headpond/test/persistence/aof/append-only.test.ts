import assert from 'node:assert/strict'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { RawClient } from '../../raw-client.ts'
import { DataServer, inDirectory } from './data-server.ts'

const OF_EVERY_TYPE = [
  'SET s text',
  'SET n 42 EX 1000',
  'RPUSH list a b c',
  'SADD set 1 2 3',
  'SADD names x y',
  'ZADD z 1.5 a inf b',
  'HSET h f v g w',
  'HPEXPIRE h 1000000 FIELDS 1 f',
  'XADD stream 1-1 f v',
  'XGROUP CREATE stream g 0',
  'XREADGROUP GROUP g alice COUNT 1 STREAMS stream >',
  'PFADD hll a b c',
  'SETBIT bits 100 1',
  'GEOADD geo 13.36 38.11 Palermo',
  'BF.ADD bloom x',
  'SELECT 3',
  'SET other-database 1',
  'MOVE other-database 5',
  'SELECT 0',
]

const directoryOf = (dir: string) => join(dir, 'appendonlydir')
const namesIn = (dir: string) => readdirSync(directoryOf(dir)).sort()
const manifestOf = (dir: string) => readFileSync(join(directoryOf(dir), 'appendonly.aof.manifest'), 'utf8')
const increment = (dir: string, sequence = 1) => join(directoryOf(dir), `appendonly.aof.${sequence}.incr.aof`)

async function fill(server: DataServer): Promise<void> {
  for (const line of OF_EVERY_TYPE) {
    const reply = await server.ask(line)
    assert.ok(!String(reply).startsWith('-'), `${line}: ${reply}`)
  }
}

for (const [form, options] of [
  ['a snapshot as its base', {}],
  ['commands as its base', { aofUseRdbPreamble: false, aofTimestampEnabled: true }],
] as const) {
  test(`what was written is there after a restart, before and after a rewrite, with ${form}`, () =>
    inDirectory(async (dir) => {
      let server = await DataServer.start(dir, options)
      await fill(server)
      const digest = await server.digest()
      const groups = JSON.stringify(await server.ask('XINFO STREAM stream FULL'))
      await server.stop()

      server = await DataServer.start(dir, options)
      assert.equal(await server.digest(), digest)
      assert.equal(await server.ask('BGREWRITEAOF'), 'Background append only file rewriting started')
      assert.match(String(await server.ask('BGREWRITEAOF')), /already in progress/)
      await server.ask('APPEND s -during')
      await server.rewritten()
      await server.ask('APPEND s -after')
      const rewrittenDigest = await server.digest()
      const suffix = form.startsWith('commands') ? 'aof' : 'rdb'
      assert.deepEqual(namesIn(dir), [
        `appendonly.aof.2.base.${suffix}`,
        'appendonly.aof.2.incr.aof',
        'appendonly.aof.manifest',
      ])
      assert.equal(await server.info('aof_rewrites'), '1')
      assert.equal(await server.info('aof_last_bgrewrite_status'), 'ok')
      await server.stop()

      server = await DataServer.start(dir, options)
      assert.equal(await server.digest(), rewrittenDigest)
      assert.equal(await server.ask('GET s'), 'text-during-after')
      assert.ok(Number(await server.ask('TTL n')) > 900)
      const withoutTimes = (text: string) => text.replace(/\d{13}/g, '')
      assert.equal(withoutTimes(JSON.stringify(await server.ask('XINFO STREAM stream FULL'))), withoutTimes(groups))
      await server.stop()
    }))
}

test('a rewrite is the state of one moment, whatever is written meanwhile', () =>
  inDirectory(async (dir) => {
    let server = await DataServer.start(dir)
    await server.ask('DEBUG POPULATE 20000')
    await server.ask('CONFIG SET rdb-key-save-delay 0')
    await server.ask('BGREWRITEAOF')
    // Each step makes a pair that belongs together.
    for (let step = 0; await isRewriting(server); step++) {
      await server.ask('MULTI')
      await server.ask(`SET key:${step % 20_000} ${step}`)
      await server.ask(`SET last ${step}`)
      await server.ask('EXEC')
    }
    await server.rewritten()
    const digest = await server.digest()
    await server.stop()
    server = await DataServer.start(dir)
    assert.equal(await server.digest(), digest)
    await server.stop()
  }))

async function isRewriting(server: DataServer): Promise<boolean> {
  await new Promise((resolve) => setImmediate(resolve))
  return (await server.info('aof_rewrite_in_progress')) === '1'
}

test('FLUSHALL during a rewrite empties the data, not the snapshot that it began with', () =>
  inDirectory(async (dir) => {
    let server = await DataServer.start(dir)
    await server.ask('SET a 1')
    await server.ask('BGREWRITEAOF')
    await server.ask('FLUSHALL')
    await server.ask('SET b 2')
    await server.rewritten()
    assert.equal(await server.info('aof_last_bgrewrite_status'), 'ok')
    await server.stop()
    server = await DataServer.start(dir)
    assert.deepEqual(await server.ask('KEYS *'), ['b'])
    await server.stop()
  }))

test('within a transaction a rewrite waits for its end', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir)
    await server.ask('MULTI')
    await server.ask('SET a 1')
    await server.ask('BGREWRITEAOF')
    await server.ask('SET b 1')
    const replies = await server.ask('EXEC')
    assert.deepEqual(replies, ['OK', 'Background append only file rewriting scheduled', 'OK'])
    assert.equal(await server.info('aof_rewrite_scheduled'), '1')
    server.server.persistence.cron()
    await server.rewritten()
    assert.equal(await server.info('aof_rewrites'), '1')
    assert.equal(readFileSync(increment(dir, 2), 'utf8'), '')
    await server.stop()
  }))

test('switched on within a transaction, it begins after it', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir, { appendonly: false })
    await server.ask('MULTI')
    await server.ask('SET a 1')
    await server.ask('CONFIG SET appendonly yes')
    await server.ask('SET b 1')
    assert.deepEqual(await server.ask('EXEC'), ['OK', 'OK', 'OK'])
    assert.equal(await server.info('aof_rewrite_scheduled'), '1')
    assert.ok(server.log.some((line) => /AOF background was scheduled/.test(line)))
    server.server.persistence.cron()
    await server.rewritten()
    assert.equal(readFileSync(increment(dir), 'utf8'), '')
    await server.stop()
  }))

test('it is rewritten by itself when it has grown enough', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir, {
      appendfsync: 'no',
      autoAofRewriteMinSize: '1kb',
      autoAofRewritePercentage: 100,
    })
    for (let index = 0; index < 30; index++) await server.ask(`SET key ${'x'.repeat(100)}`)
    // What was written has to be on the disk first, which takes a moment.
    while ((await server.info('aof_rewrites')) === '0') {
      server.server.persistence.cron()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await server.rewritten()
    assert.equal(await server.info('aof_rewrites'), '1')
    assert.ok(Number(await server.info('aof_current_size')) < 1024)
    server.server.persistence.cron()
    assert.equal(await server.info('aof_rewrites'), '1')
    assert.ok(server.log.some((line) => /Starting automatic rewriting of AOF on \d+% growth/.test(line)))
    await server.stop()
  }))

test('CONFIG SET switches it on and off: what is there becomes the base', () =>
  inDirectory(async (dir) => {
    let server = await DataServer.start(dir, { appendonly: false })
    assert.equal(await server.info('aof_enabled'), '0')
    await server.ask('SET a 1')
    assert.equal(await server.ask('CONFIG SET appendonly yes'), 'OK')
    assert.equal(await server.info('aof_enabled'), '1')
    await server.ask('SET b 2')
    await server.rewritten()
    await server.ask('SET c 3')
    assert.deepEqual(namesIn(dir), [
      'appendonly.aof.1.base.rdb',
      'appendonly.aof.1.incr.aof',
      'appendonly.aof.manifest',
    ])
    await server.ask('CONFIG SET appendonly no')
    await server.ask('SET d 4')
    await server.ask('CONFIG SET appendonly yes')
    await server.rewritten()
    await server.ask('SET e 5')
    assert.equal(
      manifestOf(dir),
      'file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n',
    )
    const digest = await server.digest()
    await server.stop()
    server = await DataServer.start(dir)
    assert.equal(await server.digest(), digest)
    await server.stop()
  }))

test('switched on during a snapshot, it begins when that is complete', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir, { appendonly: false })
    await server.ask('SET a 1')
    await server.ask('BGSAVE')
    await server.ask('CONFIG SET appendonly yes')
    assert.equal(await server.info('aof_rewrite_scheduled'), '1')
    await server.rewritten()
    server.server.persistence.cron()
    await server.rewritten()
    await server.ask('SET b 2')
    assert.deepEqual(await server.ask('WAITAOF 1 0 5000'), [1, 0])
    await server.stop()
    assert.match(readFileSync(increment(dir), 'latin1'), /SET\r\n\$1\r\nb/)
  }))

test('rewritten while it is off, it goes on with the numbers that were given', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir)
    await server.ask('CONFIG SET appendonly no')
    await server.ask('BGREWRITEAOF')
    await server.rewritten()
    assert.equal(manifestOf(dir), 'file appendonly.aof.2.base.rdb seq 2 type b\n')
    await server.ask('CONFIG SET appendonly yes')
    await server.rewritten()
    assert.equal(
      manifestOf(dir),
      'file appendonly.aof.3.base.rdb seq 3 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n',
    )
    await server.ask('CONFIG SET appendonly no')
    rmSync(directoryOf(dir), { recursive: true })
    await server.ask('CONFIG SET appendonly yes')
    await server.rewritten()
    assert.equal(
      manifestOf(dir),
      'file appendonly.aof.4.base.rdb seq 4 type b\nfile appendonly.aof.3.incr.aof seq 3 type i\n',
    )
    // What is loaded anew is all that is known.
    await server.ask('CONFIG SET appendonly no')
    await server.ask('BGREWRITEAOF')
    await server.rewritten()
    await server.ask('DEBUG LOADAOF')
    await server.ask('CONFIG SET appendonly yes')
    await server.rewritten()
    assert.equal(
      manifestOf(dir),
      'file appendonly.aof.6.base.rdb seq 6 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n',
    )
    await server.stop()
  }))

test('switched on during a rewrite, it ends that one and begins its own', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir, { appendonly: false })
    await server.ask('SET a 1')
    await server.ask('BGREWRITEAOF')
    await server.ask('CONFIG SET appendonly yes')
    await server.ask('SET b 2')
    await server.rewritten()
    assert.equal(
      manifestOf(dir),
      'file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n',
    )
    assert.match(readFileSync(increment(dir), 'latin1'), /SET\r\n\$1\r\nb/)
    assert.equal(await server.info('aof_rewrites_consecutive_failures'), '0')
    await server.stop()
  }))

test('history is kept while aof-disable-auto-gc says so, over a restart too', () =>
  inDirectory(async (dir) => {
    const keeps = { aofDisableAutoGc: true }
    let server = await DataServer.start(dir, keeps)
    await server.ask('BGREWRITEAOF')
    await server.rewritten()
    const withHistory =
      'file appendonly.aof.2.base.rdb seq 2 type b\n' +
      'file appendonly.aof.1.incr.aof seq 1 type h\n' +
      'file appendonly.aof.1.base.rdb seq 1 type h\n' +
      'file appendonly.aof.2.incr.aof seq 2 type i\n'
    const withoutHistory = withHistory.replace(/.* h\n/g, '')
    assert.equal(manifestOf(dir), withHistory)
    await server.ask('CONFIG SET aof-disable-auto-gc no')
    assert.equal(manifestOf(dir), withoutHistory)
    assert.deepEqual(namesIn(dir), [
      'appendonly.aof.2.base.rdb',
      'appendonly.aof.2.incr.aof',
      'appendonly.aof.manifest',
    ])
    await server.stop()

    writeFileSync(join(directoryOf(dir), 'appendonly.aof.manifest'), withHistory)
    server = await DataServer.start(dir, { ...keeps, appendonly: false })
    assert.equal(manifestOf(dir), withHistory)
    await server.stop()
    server = await DataServer.start(dir, { appendonly: false })
    assert.equal(manifestOf(dir), withoutHistory)
    await server.stop()
  }))

test('a damaged manifest is told at the start even without an append-only file', () =>
  inDirectory(async (dir) => {
    mkdirSync(directoryOf(dir))
    writeFileSync(join(directoryOf(dir), 'appendonly.aof.manifest'), 'damaged\n')
    await assert.rejects(DataServer.start(dir, { appendonly: false }), /Invalid AOF manifest file format/)
  }))

test('a first rewrite that fails is tried again, at longer intervals after three failures', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir, { appendonly: false })
    const { persistence } = server.server
    // A directory in its place: the base cannot get its name.
    const obstacle = join(directoryOf(dir), 'appendonly.aof.1.base.rdb')
    mkdirSync(obstacle, { recursive: true })
    await server.ask('CONFIG SET appendonly yes')
    for (const failures of ['1', '2', '3']) {
      await assert.rejects(persistence.snapshots.active!.snapshot.done)
      await server.rewritten()
      assert.equal(await server.info('aof_rewrites_consecutive_failures'), failures)
      assert.equal(await server.info('aof_rewrite_scheduled'), '1')
      assert.deepEqual(namesIn(dir), ['appendonly.aof.1.base.rdb'])
      persistence.cron()
    }
    assert.equal(persistence.snapshots.active, null)
    assert.ok(server.log.some((line) => /triggered the limit, will retry in 1 minutes/.test(line)))
    rmSync(obstacle, { recursive: true })
    await server.ask('BGREWRITEAOF')
    await server.rewritten()
    assert.equal(
      manifestOf(dir),
      'file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n',
    )
    assert.equal(await server.info('aof_rewrite_scheduled'), '0')
    await server.stop()
  }))

test('it cannot be switched on where there is no place for it', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir, { appendonly: false })
    writeFileSync(directoryOf(dir), '')
    assert.equal(
      await server.ask('CONFIG SET appendonly yes'),
      "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to turn on AOF. Check server logs.",
    )
    assert.equal(await server.info('aof_enabled'), '0')
    assert.equal(await server.info('aof_rewrite_scheduled'), '0')
    assert.equal(await server.info('aof_rewrites'), '0')
    await server.stop()
  }))

test('it begins with the snapshot that is there', () =>
  inDirectory(async (dir) => {
    let server = await DataServer.start(dir, { appendonly: false })
    await fill(server)
    await server.ask('SAVE')
    const digest = await server.digest()
    await server.stop()
    server = await DataServer.start(dir)
    assert.equal(await server.digest(), digest)
    await server.stop()
    rmSync(join(dir, 'dump.rdb'))
    server = await DataServer.start(dir)
    assert.equal(await server.digest(), digest)
    await server.stop()
  }))

test('the single file of Redis before 7 becomes the base, with a snapshot at its beginning or without', () =>
  inDirectory(async (dir) => {
    writeFileSync(
      join(dir, 'appendonly.aof'),
      '*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n',
    )
    let server = await DataServer.start(dir)
    await server.ask('SET b 2')
    const snapshot = join(directoryOf(dir), 'appendonly.aof.2.base.rdb')
    await server.ask('BGREWRITEAOF')
    await server.rewritten()
    await server.stop()
    assert.ok(!existsSync(join(dir, 'appendonly.aof')))

    const old = Buffer.concat([readFileSync(snapshot), Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$1\r\n3\r\n')])
    rmSync(directoryOf(dir), { recursive: true })
    writeFileSync(join(dir, 'appendonly.aof'), old)
    server = await DataServer.start(dir)
    assert.deepEqual(await server.ask('MGET a b c'), ['1', '2', '3'])
    assert.match(manifestOf(dir), /^file appendonly\.aof seq 1 type b\n/)
    await server.stop()
  }))

test('what a crash cut off at the end is dropped, a transaction as a whole', () =>
  inDirectory(async (dir) => {
    let server = await DataServer.start(dir)
    await server.ask('SET a 1')
    for (const line of ['MULTI', 'SET a 2', 'SET b 2', 'EXEC']) await server.ask(line)
    await server.stop()
    const whole = readFileSync(increment(dir))
    const transactionAt = whole.indexOf('*1\r\n$5\r\nMULTI')
    for (let size = whole.length - 1; size > transactionAt; size -= 7) {
      truncateSync(increment(dir), size)
      server = await DataServer.start(dir)
      assert.deepEqual(await server.ask('MGET a b'), ['1', null], `${size} bytes`)
      assert.equal(statSync(increment(dir)).size, transactionAt)
      await server.ask('SET c 3')
      await server.stop()
      server = await DataServer.start(dir)
      assert.deepEqual(await server.ask('MGET a b c'), ['1', null, '3'])
      await server.stop()
      writeFileSync(increment(dir), whole)
    }
    truncateSync(increment(dir), whole.length - 3)
    await assert.rejects(DataServer.start(dir, { aofLoadTruncated: false }), /ends in the middle .* aof-load-truncated/)
    assert.equal(statSync(increment(dir)).size, whole.length - 3)
  }))

test('damage is told with its place and what to do, and nothing is changed', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir)
    await server.ask('SET a 1')
    await server.ask('SET b 2')
    await server.stop()
    const whole = readFileSync(increment(dir))
    const at = whole.indexOf('*3\r\n$3\r\nSET\r\n$1\r\nb')
    const cases: [(bytes: Buffer) => void, RegExp][] = [
      [
        (bytes) => bytes.write('?', at),
        new RegExp(
          `incr\\.aof: Bad file format reading the append only file appendonly\\.aof\\.1\\.incr\\.aof: damaged at byte ${at} of ${whole.length}: neither .*headpond check --fix`,
        ),
      ],
      [(bytes) => bytes.write('$9', at + 4), /an argument that is not as long|ends in the middle/],
      [(bytes) => bytes.write('NIX', at + 8), /Unknown command 'NIX' reading the append only file .*: damaged at byte/],
      [(bytes) => bytes.write('GET', at + 8), /the command "GET" has 2 arguments/],
    ]
    for (const [damage, message] of cases) {
      const bytes = Buffer.from(whole)
      damage(bytes)
      writeFileSync(increment(dir), bytes)
      await assert.rejects(DataServer.start(dir, { aofLoadTruncated: false }), message)
      assert.deepEqual(readFileSync(increment(dir)), bytes)
    }
    writeFileSync(increment(dir), whole)
    const base = join(directoryOf(dir), 'appendonly.aof.1.base.rdb')
    const snapshot = readFileSync(base)
    snapshot[20] ^= 0xff
    writeFileSync(base, snapshot)
    await assert.rejects(DataServer.start(dir), /base\.rdb: the snapshot in it cannot be loaded: /)
    rmSync(base)
    await assert.rejects(
      DataServer.start(dir),
      /base\.rdb: The append log file .* doesn't exist: No such file or directory, though the manifest beside it names this file/,
    )
  }))

test('a cut that is not at the end of the last file is damage', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir, { aofDisableAutoGc: true })
    await server.ask('SET a 1')
    await server.stop()
    writeFileSync(increment(dir, 2), '')
    appendFileSync(join(directoryOf(dir), 'appendonly.aof.manifest'), 'file appendonly.aof.2.incr.aof seq 2 type i\n')
    truncateSync(increment(dir), statSync(increment(dir)).size - 1)
    await assert.rejects(DataServer.start(dir), /1\.incr\.aof: .*Only the last file can be cut short/)
  }))

test('a directory that cannot be used is told at the start', { skip: process.getuid?.() === 0 }, () =>
  inDirectory(async (dir) => {
    mkdirSync(directoryOf(dir))
    chmodSync(directoryOf(dir), 0o500)
    await assert.rejects(DataServer.start(dir), /cannot be written/)
    chmodSync(directoryOf(dir), 0o700)
  }),
)

test('a file in the place of the directory is told at the start', () =>
  inDirectory(async (dir) => {
    writeFileSync(directoryOf(dir), '')
    await assert.rejects(DataServer.start(dir), /appendonlydir/)
  }))

test('DEBUG LOADAOF loads it anew; statistics stay as they are', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir)
    await fill(server)
    const digest = await server.digest()
    await server.ask('CONFIG RESETSTAT')
    assert.equal(await server.ask('DEBUG LOADAOF'), 'OK')
    assert.equal(await server.digest(), digest)
    assert.doesNotMatch(String(await server.ask('INFO commandstats')), /cmdstat_(set|xadd|rpush)/)
    const before = statSync(increment(dir)).size
    await server.ask('SET after 1')
    await server.stop()
    assert.equal(readFileSync(increment(dir)).subarray(before).includes('FLUSHALL'), false)
  }))

test('what expires while the server is down is gone; what a command found expired stays gone', () =>
  inDirectory(async (dir) => {
    let server = await DataServer.start(dir)
    server.server.store.activeExpiry.isEnabled = false
    await server.ask('SET a 1 PX 100')
    await server.ask('HSET h f 1 g 2')
    await server.ask('HPEXPIRE h 100 FIELDS 1 f')
    await server.ask('SET later 1 PX 100')
    server.server.clock.advance(101)
    await server.ask('RPUSH a x')
    await server.ask('HSETNX h f 3')
    await server.stop()
    server = await DataServer.start(dir)
    assert.deepEqual(await server.ask('LRANGE a 0 -1'), ['x'])
    assert.equal(await server.ask('HGET h f'), '3')
    server.server.clock.advance(101)
    assert.equal(await server.ask('GET later'), null)
    await server.stop()
  }))

test('what a waiting client was served with is repeated as a move', () =>
  inDirectory(async (dir) => {
    let server = await DataServer.start(dir)
    const waiting = await RawClient.connect(server.server.port)
    waiting.send('BLMOVE', 'l', 'm', 'LEFT', 'RIGHT', '0')
    while (
      (await server.ask('INFO clients')) !== null &&
      !/blocked_clients:1/.test(String(await server.ask('INFO clients')))
    ) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    await server.ask('RPUSH l a b')
    await waiting.waitFor(1, 5000)
    waiting.close()
    await server.stop()
    server = await DataServer.start(dir)
    assert.deepEqual(await server.ask('LRANGE l 0 -1'), ['b'])
    assert.deepEqual(await server.ask('LRANGE m 0 -1'), ['a'])
    await server.stop()
  }))

test('annotations tell when what follows was written', () =>
  inDirectory(async (dir) => {
    let server = await DataServer.start(dir, { aofTimestampEnabled: true })
    await server.ask('SET a 1')
    server.server.clock.advance(5000)
    await server.ask('SET b 1')
    await server.stop()
    const written = readFileSync(increment(dir), 'latin1')
    assert.match(written, /^#TS:\d+\r\n\*2\r\n\$6\r\nSELECT\r\n/)
    const seconds = [...written.matchAll(/^#TS:(\d+)\r\n/gm)].map(([, text]) => Number(text))
    assert.equal(seconds.length, 2)
    assert.ok(seconds[1] - seconds[0] >= 5)
    server = await DataServer.start(dir)
    assert.deepEqual(await server.ask('MGET a b'), ['1', '1'])
    await server.stop()
  }))

test('a server that keeps nothing has no append-only file', () =>
  inDirectory(async (dir) => {
    const server = await DataServer.start(dir, { ephemeral: true, appendonly: false })
    assert.match(String(await server.ask('CONFIG SET appendonly yes')), /keeps nothing on disk/)
    assert.match(String(await server.ask('BGREWRITEAOF')), /keeps nothing on disk/)
    assert.match(String(await server.ask('DEBUG LOADAOF')), /keeps nothing on disk/)
    await server.stop()
    assert.deepEqual(readdirSync(dir), [])
  }))

test('what memcached clients do is kept as well', () =>
  inDirectory(async (dir) => {
    let server = await DataServer.start(dir, { memcachedPort: 'auto' })
    const client = createConnection(server.server.memcachedPort, '127.0.0.1')
    let received = ''
    client.on('data', (chunk) => {
      received += chunk
    })
    const commands = [
      'set a 0 0 1\r\n1\r\n',
      'set gone 0 0 1\r\n1\r\n',
      'set short 0 1000 2\r\nxy\r\n',
      'incr a 41\r\n',
      'append short 0 0 1\r\nz\r\n',
      'delete gone\r\n',
      'touch a 500\r\n',
      'version\r\n',
    ]
    client.write(commands.join(''))
    while (!received.includes('VERSION')) await new Promise((resolve) => client.once('data', resolve))
    client.destroy()
    await server.stop()
    server = await DataServer.start(dir)
    assert.deepEqual(await server.ask('MGET a gone short'), ['42', null, 'xyz'])
    assert.ok(Number(await server.ask('TTL a')) > 400)
    assert.ok(Number(await server.ask('TTL short')) > 900)
    await server.stop()
  }))
