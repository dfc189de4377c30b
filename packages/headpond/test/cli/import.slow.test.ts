/** `headpond import`: from servers that can be replicated and from snapshots, into servers and data directories. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { runImport } from '#src/cli/import/import.ts'
import { type CreateServerOptions, createServer, type HeadpondServer } from '#src/server/create-server.ts'
import { CertificateFiles, createAuthority, createCertificate } from '../certificates.ts'
import { encodeCommand } from '../raw-client.ts'
import { ServerProcess } from '../server-process.ts'
import { PsyncSource, type PsyncSourceOptions } from './psync-source.ts'

/** An import that runs: what it prints, and how it is stopped. */
class Import {
  text = ''
  readonly #stop = new AbortController()
  readonly exitCode: Promise<number>
  #onWrite: () => void = () => {}

  constructor(argv: readonly string[], { isTerminal = false, env = {} } = {}) {
    const console = {
      isTerminal,
      write: (text: string) => {
        this.text += text
        this.#onWrite()
      },
    }
    this.exitCode = runImport(argv, { console, env, stop: this.#stop.signal })
  }

  /** Resolves when something was printed. */
  async printed(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      await new Promise<void>((resolve) => {
        this.#onWrite = resolve
      })
    }
  }

  stop(): Promise<number> {
    this.#stop.abort()
    return this.exitCode
  }
}

async function importing(...argv: string[]): Promise<{ exitCode: number; text: string }> {
  const run = new Import(argv)
  return { exitCode: await run.exitCode, text: run.text }
}

function newDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-import-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function startServer(t: TestContext, options: CreateServerOptions = {}): Promise<HeadpondServer> {
  const server = await createServer({ enableDebugCommand: 'yes', ...options })
  t.after(() => server.close())
  return server
}

async function startSource(t: TestContext, snapshot: Buffer, options?: PsyncSourceOptions): Promise<PsyncSource> {
  const source = await PsyncSource.start(snapshot, options)
  t.after(() => source.close())
  return source
}

const digest = (server: HeadpondServer) => server.execute('DEBUG', 'DIGEST')

/** What a server would write that has run these commands. */
async function snapshotOf(...commands: readonly (readonly (string | number)[])[]): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-import-'))
  try {
    const server = await createServer({ dir: directory, save: [] })
    for (const command of commands) await server.execute(...command)
    await server.execute('SAVE')
    await server.close()
    return readFileSync(join(directory, 'dump.rdb'))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const FAR_MS = 4_102_444_800_000

/** Something of everything; the set is larger than what is read at once. */
const SAMPLES: readonly (readonly (string | number)[])[] = [
  ['SET', 'text', 'value'],
  ['SET', 'expiring', 'value', 'PXAT', FAR_MS],
  ['HSET', 'hash', 'a', 1, 'b', 2],
  ['RPUSH', 'list', 'x', 'y', 'z'],
  ['ZADD', 'zset', 1.5, 'm'],
  ['XADD', 'stream', '1-1', 'f', 'v'],
  ['XGROUP', 'CREATE', 'stream', 'group', 0],
  ...Array.from({ length: 20 }, (_, batch) => [
    'SADD',
    'large set',
    ...Array.from({ length: 1000 }, (_each, index) => `${'member '.repeat(10)}${batch * 1000 + index}`),
  ]),
  ['FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('one', function() return 1 end)"],
  ['SELECT', 7],
  ['SET', 'elsewhere', 'yes'],
]
const samples = await snapshotOf(...SAMPLES)

async function assertSamples(server: HeadpondServer): Promise<void> {
  const client = server.client()
  assert.equal(await client.execute('GET', 'text'), 'value')
  assert.equal(await client.execute('PEXPIRETIME', 'expiring'), FAR_MS)
  assert.equal(await client.execute('SCARD', 'large set'), 20_000)
  assert.equal(await client.execute('XLEN', 'stream'), 1)
  assert.equal(await client.execute('FCALL', 'one', 0), 1)
  await client.execute('SELECT', 7)
  assert.equal(await client.execute('GET', 'elsewhere'), 'yes')
  client.close()
}

// ---- Snapshots ----

test('a running server goes into a data directory', async (t) => {
  const directory = newDirectory(t)
  const source = await startSource(t, samples)
  const { exitCode, text } = await importing(source.url, '--dir', join(directory, 'data'))
  assert.equal(exitCode, 0, text)
  assert.match(text, /imported 8 keys, 1 libraries of functions into .*data in/)
  assert.deepEqual(source.heard, ['PING', 'REPLCONF capa eof capa psync2', 'PSYNC ? -1'])
  await assertSamples(await startServer(t, { dir: join(directory, 'data'), appendonly: true, save: [] }))
})

test('a running server goes into a running server, whatever the pieces of a snapshot of unknown size', async (t) => {
  for (const [pieceBytes, snapshot] of [
    [1, await snapshotOf(['SET', 'text', 'value'])],
    [39, await snapshotOf(['SET', 'text', 'value'], ['RPUSH', 'list', ...Array.from({ length: 500 }, String)])],
    [65_536, samples],
  ] as const) {
    const expected = await startServer(t)
    const target = await startServer(t)
    const file = join(newDirectory(t), 'dump.rdb')
    writeFileSync(file, snapshot)
    assert.equal((await importing(file, '--to', expected.urls.redis)).exitCode, 0)
    const source = await startSource(t, snapshot, { isDiskless: true, pieceBytes })
    const { exitCode, text } = await importing(source.url, '--to', target.urls.redis)
    assert.equal(exitCode, 0, text)
    assert.equal(await target.execute('GET', 'text'), 'value')
    assert.equal(await digest(target), await digest(expected))
    if (snapshot === samples) await assertSamples(target)
  }
})

test('a snapshot goes into a running server and into a directory', async (t) => {
  const directory = newDirectory(t)
  const file = join(directory, 'dump.rdb')
  writeFileSync(file, samples)
  const running = await startServer(t)
  const { exitCode, text } = await importing(file, '--to', running.urls.redis)
  assert.equal(exitCode, 0, text)
  await assertSamples(running)
  assert.equal((await importing(file, '--dir', join(directory, 'data'))).exitCode, 0)
  await assertSamples(await startServer(t, { dir: join(directory, 'data'), appendonly: true, save: [] }))
})

test('passwords, users and TLS on both sides', async (t) => {
  const authority = await createAuthority()
  using files = new CertificateFiles()
  const identity = await createCertificate(authority)
  const source = await startSource(t, samples, { password: 'p@ss:word', tls: identity })
  const target = await startServer(t, {
    requirepass: 'other',
    port: 0,
    tlsPort: 'auto',
    tlsCertFile: files.write('server.crt', identity.cert),
    tlsKeyFile: files.write('server.key', identity.key),
    tlsAuthClients: 'no',
  } as CreateServerOptions)
  const from = `rediss://default:p%40ss%3Aword@127.0.0.1:${source.port}`
  const to = ['--to', target.urls.redis]
  const untrusted = await importing(from, ...to)
  assert.equal(untrusted.exitCode, 1)
  assert.match(untrusted.text, /certificate/)
  const ca = files.write('ca.crt', authority.cert)
  const { exitCode, text } = await importing(from, ...to, '--cacert', ca)
  assert.equal(exitCode, 0, text)
  assert.ok(source.heard.includes('AUTH default p@ss:word'))
  assert.doesNotMatch(text, /p@ss|p%40ss|other@/)
  await assertSamples(target)
  const byEnvironment = new Import([`rediss://127.0.0.1:${source.port}`, ...to, '--insecure', '--merge'], {
    env: { HEADPOND_AUTH: 'p@ss:word' },
  })
  assert.equal(await byEnvironment.exitCode, 0, byEnvironment.text)
})

test('on a terminal there is a bar', async (t) => {
  const target = await startServer(t)
  for (const isDiskless of [false, true]) {
    const source = await startSource(t, samples, { isDiskless, pieceBytes: 16_384 })
    const run = new Import([source.url, '--to', target.urls.redis, '--replace'], { isTerminal: true })
    assert.equal(await run.exitCode, 0, run.text)
    assert.match(run.text, isDiskless ? /\r\x1b\[Kimporting {2}[\d.]+ MB, [\d,]+ keys/ : /importing \[[=> ]+\] +\d+ %/)
    assert.match(run.text, /\r\x1b\[Kimported 8 keys/)
  }
})

// ---- What is there already ----

test('what is there is not touched unless that is asked for', async (t) => {
  const directory = newDirectory(t)
  const file = join(directory, 'dump.rdb')
  writeFileSync(file, await snapshotOf(['SET', 'both', 'theirs'], ['SET', 'theirs', 'yes']))
  const running = await startServer(t)
  const data = join(directory, 'data')
  const own = join(directory, 'own.rdb')
  writeFileSync(own, await snapshotOf(['SET', 'both', 'ours'], ['SET', 'ours', 'yes']))
  for (const to of [
    ['--to', running.urls.redis],
    ['--dir', data],
  ]) {
    const state = async () => {
      const server = to[0] === '--to' ? running : await createServer({ dir: data, appendonly: true, save: [] })
      const values = await server.execute('MGET', 'both', 'ours', 'theirs')
      if (server !== running) await server.close()
      return values
    }
    assert.equal((await importing(own, ...to)).exitCode, 0)
    const refused = await importing(file, ...to)
    assert.equal(refused.exitCode, 1)
    assert.match(refused.text, /holds 2 keys already: --replace deletes them, --merge keeps/)
    assert.deepEqual(await state(), ['ours', 'yes', null])
    assert.equal((await importing(file, ...to, '--merge')).exitCode, 0)
    assert.deepEqual(await state(), ['theirs', 'yes', 'yes'])
    assert.equal((await importing(file, ...to, '--replace')).exitCode, 0)
    assert.deepEqual(await state(), ['theirs', null, 'yes'])
  }
})

test('a directory that a running server uses is left to it', { skip: process.platform !== 'linux' }, async (t) => {
  const directory = newDirectory(t)
  const file = join(directory, 'dump.rdb')
  writeFileSync(file, samples)
  const server = await ServerProcess.startIn(directory, '--dir', join(directory, 'data'))
  try {
    const refused = await importing(file, '--dir', join(directory, 'data'), '--replace')
    assert.equal(refused.exitCode, 1)
    assert.match(
      refused.text,
      new RegExp(`is in use by process ${server.child.pid}: import into that server with --to`),
    )
  } finally {
    await server.stop()
  }
  assert.equal((await importing(file, '--dir', join(directory, 'data'))).exitCode, 0)
})

test('--replace deletes nothing when the source has nothing to give', async (t) => {
  const target = await startServer(t)
  await target.execute('SET', 'key', 'value')
  const to = ['--to', target.urls.redis, '--replace']
  const locked = await startSource(t, samples, { password: 'secret' })
  const noSnapshot = join(newDirectory(t), 'notes.txt')
  writeFileSync(noSnapshot, 'hello')
  for (const [source, message] of [
    [`redis://:wrong@127.0.0.1:${locked.port}`, /WRONGPASS/],
    [`redis://127.0.0.1:${locked.port}`, /NOAUTH/],
    ['redis://127.0.0.1:1', /Connection refused/],
    [noSnapshot, /no snapshot: it does not begin with 'REDIS'/],
    [`${noSnapshot}.rdb`, /No such file/i],
  ] as const) {
    const { exitCode, text } = await importing(source, ...to)
    assert.equal(exitCode, 1)
    assert.match(text, message)
  }
  assert.equal(await target.execute('GET', 'key'), 'value')
})

test('a snapshot that is damaged or cut is refused', async (t) => {
  const directory = newDirectory(t)
  const file = join(directory, 'dump.rdb')
  const target = await startServer(t)
  writeFileSync(file, samples.subarray(0, samples.length - 100))
  const cut = await importing(file, '--to', target.urls.redis)
  assert.equal(cut.exitCode, 1)
  assert.match(cut.text, /dump\.rdb cannot be read: .*ends in the middle/)
  const source = await startSource(t, Buffer.concat([samples.subarray(0, -8), Buffer.alloc(8, 1)]))
  const wrong = await importing(source.url, '--dir', join(directory, 'data'))
  assert.equal(wrong.exitCode, 1)
  assert.match(wrong.text, /the snapshot of redis:.* cannot be read: CRC error/)
  // What was read is nowhere: the directory is as before.
  const started = await startServer(t, { dir: join(directory, 'data'), appendonly: true, save: [] })
  assert.equal(await started.execute('DBSIZE'), 0)
})

test('a target that refuses a key ends the import', async (t) => {
  const source = await startSource(t, samples)
  const target = await startServer(t, { maxmemory: '1mb', maxmemoryPolicy: 'noeviction' } as CreateServerOptions)
  const { exitCode, text } = await importing(source.url, '--to', target.urls.redis)
  assert.equal(exitCode, 1)
  assert.match(text, /refused a key: OOM/)
})

// ---- Following ----

test('changes are passed on and acknowledged until it is stopped', async (t) => {
  const source = await startSource(t, samples)
  const target = await startServer(t)
  const run = new Import([source.url, '--to', target.urls.redis, '--follow'])
  await run.printed(/following until stopped/)
  source.write(['SELECT', '0'], ['SET', 'text', 'changed'], ['PING'], ['INCR', 'counter'])
  source.write(['SELECT', '7'], ['SET', 'elsewhere', 'changed'], ['REPLCONF', 'GETACK', '*'])
  await source.acknowledged()
  assert.deepEqual(await target.execute('MGET', 'text', 'counter'), ['changed', '1'])
  // A transaction is there as a whole or not at all.
  const transaction = Buffer.concat(
    [['MULTI'], ['SELECT', '0'], ['INCR', 'counter'], ['INCR', 'counter'], ['EXEC']].map((words) =>
      encodeCommand(words),
    ),
  )
  source.writeBytes(transaction.subarray(0, -3))
  source.writeBytes(transaction.subarray(-3))
  await source.acknowledged()
  assert.equal(await target.execute('GET', 'counter'), '3')
  assert.equal(await run.stop(), 0)
  assert.match(run.text, /stopped; 10 commands were passed on/)
  assert.deepEqual(source.heard.filter((words) => words === 'PING').length, 1)
})

test('changes go into a directory, and are there when a server is started on it', async (t) => {
  const data = join(newDirectory(t), 'data')
  const source = await startSource(t, samples, { isDiskless: true })
  const run = new Import([source.url, '--dir', data, '--follow'])
  await run.printed(/following until stopped/)
  source.write(
    ['SELECT', '7'],
    ['SET', 'elsewhere', 'yes'],
    ['SELECT', '0'],
    ['SADD', 'new', 'member'],
    ['DEL', 'hash'],
  )
  source.write(['SET', 'large', 'x'.repeat(1_000_000)])
  await source.acknowledged()
  assert.equal(await run.stop(), 0)
  const started = await startServer(t, { dir: data, appendonly: true, save: [] })
  await assertSamples(started)
  assert.equal(await started.execute('SISMEMBER', 'new', 'member'), 1)
  assert.equal(await started.execute('EXISTS', 'hash'), 0)
  assert.equal(await started.execute('STRLEN', 'large'), 1_000_000)
})

test('after a lost connection it goes on where it was: nothing twice, nothing missing, no half transaction', async (t) => {
  const source = await startSource(t, samples)
  const target = await startServer(t)
  const run = new Import([source.url, '--to', target.urls.redis, '--follow'])
  await run.printed(/following until stopped/)
  source.write(['SELECT', '0'], ['INCR', 'counter'])
  const knownTo = source.offset
  // The connection is lost within a transaction, with which it begins again.
  const transaction = Buffer.concat(
    [['MULTI'], ['INCR', 'counter'], ['INCR', 'counter'], ['EXEC']].map((words) => encodeCommand(words)),
  )
  source.writeBytes(transaction.subarray(0, 70))
  await source.untilHeard(`REPLCONF ACK ${knownTo}`)
  assert.equal(await target.execute('GET', 'counter'), '1')
  source.cutConnections()
  source.writeBytes(transaction.subarray(70))
  await source.untilHeard(`PSYNC ${'a'.repeat(40)} ${knownTo + 1}`)
  source.write(['INCR', 'counter'])
  await source.acknowledged()
  assert.equal(await target.execute('GET', 'counter'), '4')
  assert.equal(await run.stop(), 0)
  assert.match(run.text, /was lost .*; trying again\n.*in sync with .* again, from where it was/)
})

test('a source that begins anew is imported anew', async (t) => {
  const source = await startSource(t, samples)
  const target = await startServer(t)
  const data = join(newDirectory(t), 'data')
  const runs = [
    ['--to', target.urls.redis],
    ['--dir', data],
  ].map((to) => new Import([source.url, ...to, '--follow']))
  for (const run of runs) await run.printed(/following until stopped/)
  source.beginAnew(await snapshotOf(['SET', 'only', 'this']))
  source.cutConnections()
  for (const run of runs) await run.printed(/following until stopped.*imported anew.*following until stopped/s)
  source.write(['SELECT', '0'], ['SET', 'and', 'that'])
  for (const run of runs) {
    await source.acknowledged()
    await run.printed(/following/)
  }
  while ((await target.execute('GET', 'and')) === null) await new Promise((resolve) => setImmediate(resolve))
  for (const run of runs) assert.equal(await run.stop(), 0, run.text)
  assert.deepEqual([...((await target.execute('KEYS', '*')) as string[])].sort(), ['and', 'only'])
  const started = await startServer(t, { dir: data, appendonly: true, save: [] })
  assert.equal(await started.execute('GET', 'only'), 'this')
  assert.equal(await started.execute('EXISTS', 'text'), 0)
})

test('a snapshot that breaks off is fetched again when following, and ends the import otherwise', async (t) => {
  const source = await startSource(t, samples, { pieceBytes: 4096 })
  source.cutsSnapshotAt = 20_000
  const target = await startServer(t)
  const once = await importing(source.url, '--to', target.urls.redis)
  assert.equal(once.exitCode, 1)
  assert.match(once.text, /the server closed the connection/)
  const run = new Import([source.url, '--to', target.urls.redis, '--follow', '--replace'])
  await run.printed(/trying again/)
  source.cutsSnapshotAt = Number.POSITIVE_INFINITY
  await run.printed(/following until stopped/)
  assert.equal(await run.stop(), 0)
  await assertSamples(target)
})

test('a command that the target refuses is told, and the exit code tells it too', async (t) => {
  const source = await startSource(t, samples)
  const target = await startServer(t)
  const run = new Import([source.url, '--to', target.urls.redis, '--follow'])
  await run.printed(/following until stopped/)
  source.write(['SELECT', '0'], ['JSON.SET', 'k', '$', '1'], ['SET', 'after', 'yes'])
  await source.acknowledged()
  assert.equal(await target.execute('GET', 'after'), 'yes')
  assert.equal(await run.stop(), 1)
  assert.match(run.text, /refused a command: ERR unknown command 'JSON.SET'/)
  assert.match(run.text, /of which 1 were refused/)
})

test('a target that is lost ends the import', async (t) => {
  const source = await startSource(t, samples)
  const target = await createServer()
  const run = new Import([source.url, '--to', target.urls.redis, '--follow'])
  await run.printed(/following until stopped/)
  await target.close()
  source.write(['SET', 'a', 'b'])
  source.write(['SET', 'a', 'b'])
  const timer = setInterval(() => source.write(['SET', 'a', 'b']), 5)
  assert.equal(await run.exitCode, 1)
  clearInterval(timer)
  assert.match(run.text, /the target redis:.* was lost/)
})

test('stopped before everything is there, it says so', async (t) => {
  const source = await startSource(t, samples, { pieceBytes: 100 })
  const data = join(newDirectory(t), 'data')
  const run = new Import([source.url, '--dir', data, '--follow'])
  await run.printed(/prepares a snapshot/)
  assert.equal(await run.stop(), 1)
  assert.match(run.text, /stopped before everything was there/)
  const started = await startServer(t, { dir: data, appendonly: true, save: [] })
  assert.equal(await started.execute('DBSIZE'), 0)
})

// ---- Refusals ----

test('servers that cannot be replicated are told apart from those that cannot now', async (t) => {
  const target = await startServer(t)
  for (const [answers, message] of [
    [{ PSYNC: "-ERR unknown command 'PSYNC'\r\n" }, /cannot be replicated. Take a snapshot of it/],
    [{ PSYNC: '-NOPERM this user has no permissions\r\n' }, /NOPERM/],
    [{ PING: 'HTTP/1.1 400 Bad Request\r\n\r\n', REPLCONF: 'x\r\n', PSYNC: 'x\r\n' }, /: x$/m],
    [{ PSYNC: '-LOADING Redis is loading the dataset in memory\r\n' }, /LOADING/],
  ] as const) {
    const source = await startSource(t, samples, { answers })
    const { exitCode, text } = await importing(source.url, '--to', target.urls.redis)
    assert.equal(exitCode, 1)
    assert.match(text, message)
  }
  const busy = await startSource(t, samples, { answers: { PSYNC: '-LOADING wait\r\n' } })
  const run = new Import([busy.url, '--to', target.urls.redis, '--follow'])
  await run.printed(/LOADING wait\); trying again/)
  assert.equal(await run.stop(), 1)
})

test('a stream that is none ends the import', async (t) => {
  const source = await startSource(t, samples)
  const target = await startServer(t)
  const run = new Import([source.url, '--to', target.urls.redis, '--follow'])
  await run.printed(/following until stopped/)
  source.writeBytes(Buffer.from('hello\r\n'))
  assert.equal(await run.exitCode, 1)
  assert.match(run.text, /sent what is no command/)
})

for (const [argv, message] of [
  [[], /import from where/],
  [['a', 'b'], /one source at a time/],
  [['redis://h', '--folow'], /unknown option --folow/],
  [['redis://h', '--to'], /--to needs a value/],
  [['redis://h', '--to', 'redis://a', '--dir', 'x'], /either --to/],
  [['redis://h', '--replace', '--merge'], /either --replace or --merge/],
  [['redis://h', '--follow', '--merge'], /nothing can be merged/],
  [['dump.rdb', '--follow'], /a file does not change/],
  [['http://h'], /http:\/\/ is not known/],
  [['redis://h:port'], /an address is written/],
  [['redis://h/3'], /all databases are imported/],
  [['redis://%zz@h'], /not written correctly/],
  [['redis://h', '--databases', '0'], /a number from 1 to 1024/],
  [['redis://h', '--cacert', '/nowhere'], /--cacert \/nowhere: No such file/],
  [['redis://127.0.0.1:7000', '--to', 'redis://127.0.0.1:7000'], /the same server/],
  [['redis://127.0.0.1:7000', '--to', 'redis://127.0.0.1:1'], /redis:\/\/127.0.0.1:1: Connection refused/],
] as const) {
  test(`refused: import ${argv.join(' ')}`, async () => {
    const { exitCode, text } = await importing(...argv)
    assert.equal(exitCode, 1)
    assert.match(text, message)
  })
}

test('the help tells the options', async () => {
  const hadData = existsSync('headpond-data')
  const { exitCode, text } = await importing('--help')
  assert.equal(exitCode, 0)
  assert.match(text, /--follow/)
  assert.equal(existsSync('headpond-data'), hadData)
})
