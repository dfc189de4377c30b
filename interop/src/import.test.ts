/**
 * `headpond import` from redis-server: a snapshot while clients write, then every change, through lost connections and a
 * restart of the source. In the end both servers have the same DEBUG DIGEST.
 *
 *   SEED=<n> npm run interop -- import
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createServer } from 'headpond'
import { encodeCommand, RawClient } from 'headpond/test/raw-client.ts'
import { chooseSeed, SeededRandom } from 'headpond/test/seeded-random.ts'
import { EXECUTABLE } from 'headpond/test/server-process.ts'
import { CommandGenerator, KEYS } from './command-generator.ts'
import { RedisServer } from './redis-server.ts'

const WAIT_MS = 60_000
/** Diskless transfers begin at once, and a lost connection is gone on with. */
const SOURCE_SETTINGS = ['--repl-diskless-sync-delay', '0', '--repl-backlog-size', '64mb']

/** `headpond import` in a process of its own. */
class ImportProcess {
  readonly #child: ChildProcess
  output = ''

  constructor(t: TestContext, ...args: string[]) {
    this.#child = spawn(process.execPath, [EXECUTABLE, 'import', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on('data', (chunk) => (this.output += chunk))
    t.after(() => this.#child.kill('SIGKILL'))
  }

  /** Resolves when the output has this so many times. */
  async printed(text: string, count = 1): Promise<void> {
    const deadline = AbortSignal.timeout(WAIT_MS)
    while (this.output.split(text).length <= count) {
      if (this.#child.exitCode !== null) throw new Error(`it ended:\n${this.output}`)
      await once(this.#child.stdout!, 'data', { signal: deadline }).catch(() => {
        throw new Error(`'${text}' was not printed:\n${this.output}`)
      })
    }
  }

  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
    return this.#child.exitCode
  }

  stop(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    return this.ended()
  }
}

async function startSource(t: TestContext, ...args: string[]): Promise<{ redis: RedisServer; client: RawClient }> {
  const redis = await RedisServer.start(...SOURCE_SETTINGS, ...args)
  t.after(() => redis.stop())
  const client = await redis.connect()
  t.after(() => client.close())
  return { redis, client }
}

async function startTarget(t: TestContext, options: object = {}): Promise<{ url: string; client: RawClient }> {
  const server = await createServer({ enableDebugCommand: 'yes', ...options } as never)
  t.after(() => server.close())
  const client = await RawClient.connect(server.port)
  t.after(() => client.close())
  return { url: server.urls.redis, client }
}

/** Commands of all kinds, as fast as the server takes them, until `stop`. */
class Writer {
  readonly #client: RawClient
  readonly #generator: CommandGenerator
  readonly #running: Promise<void>
  #isStopped = false

  constructor(client: RawClient, random: SeededRandom, commandNames: Set<string>) {
    this.#client = client
    this.#generator = new CommandGenerator(random, commandNames)
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const commands = Array.from({ length: 50 }, () => this.#generator.next())
        .flat()
        .map(({ args }) => args)
        .filter(([name]) => !/^(B[LRZ]|WAIT|XREAD|FLUSH|SWAPDB|SELECT|MULTI|EXEC|DISCARD|WATCH)/i.test(String(name)))
      if (commands.length === 0) continue
      this.#client.sendBytes(Buffer.concat(commands.map((command) => encodeCommand(command))))
      await this.#client.waitFor(commands.length, WAIT_MS)
      this.#client.take()
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }
}

async function commandNames(client: RawClient): Promise<Set<string>> {
  client.send('COMMAND', 'LIST')
  await client.waitFor(1, WAIT_MS)
  const [reply] = client.take()
  const items = 'items' in reply ? (reply.items ?? []) : []
  return new Set(items.map((item) => ('items' in item ? '' : String(item.text))))
}

async function fill(client: RawClient): Promise<void> {
  for (const command of [
    ['DEBUG', 'POPULATE', '30000', 'key', '100'],
    ['FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('one', function() return 1 end)"],
    ['SET', 'expiring', 'value', 'PXAT', '4102444800000'],
    ['RPUSH', 'a long list', ...Array.from({ length: 5000 }, (_, index) => `element ${index}`)],
    ['SELECT', '9'],
    ['SET', 'elsewhere', 'yes'],
    ['SELECT', '0'],
  ]) {
    assert.doesNotMatch(await client.call(...command), /^-/)
  }
}

/** Both hold the same, once what the source has written has arrived, and what expires just now has gone from both. */
async function assertSame(source: RawClient, target: RawClient): Promise<void> {
  const deadlineMs = Date.now() + WAIT_MS
  for (;;) {
    while ((await source.call('WAIT', '1', '1000')) === ':0') {
      assert.ok(Date.now() < deadlineMs, 'the import does not acknowledge')
    }
    // What has expired is deleted by whoever looks, and counts until then.
    for (const client of [source, target]) await client.call('EXISTS', ...KEYS)
    const [theirs, ours] = [await source.call('DEBUG', 'DIGEST'), await target.call('DEBUG', 'DIGEST')]
    if (theirs === ours) return
    if (Date.now() > deadlineMs) assert.equal(ours, theirs)
  }
}

for (const diskless of ['yes', 'no']) {
  test(`a snapshot while clients write, then every change (repl-diskless-sync ${diskless})`, async (t) => {
    const seed = chooseSeed()
    t.diagnostic(`SEED=${seed}`)
    const { redis, client } = await startSource(t, '--repl-diskless-sync', diskless, '--requirepass', 'secret')
    assert.equal(await client.call('AUTH', 'secret'), '+OK')
    await fill(client)
    const writerClient = await redis.connect()
    t.after(() => writerClient.close())
    await writerClient.call('AUTH', 'secret')
    const writer = new Writer(writerClient, new SeededRandom(seed), await commandNames(client))
    const target = await startTarget(t)
    const run = new ImportProcess(t, `redis://:secret@127.0.0.1:${redis.port}`, '--to', target.url, '--follow')
    await run.printed('following until stopped')
    // Connections break while there is much on its way.
    for (let round = 1; round <= 3; round++) {
      assert.match(await client.call('CLIENT', 'KILL', 'TYPE', 'replica'), /^:1/)
      await run.printed('again, from where it was', round)
    }
    await writer.stop()
    await assertSame(client, target.client)
    assert.equal(await target.client.call('FCALL', 'one', '0'), ':1')
    assert.equal(await run.stop(), 0, run.output)
    assert.doesNotMatch(run.output, /refused|secret/)
  })
}

test('a snapshot alone is the state of one moment', async (t) => {
  const { redis, client } = await startSource(t)
  await fill(client)
  const writerClient = await redis.connect()
  t.after(() => writerClient.close())
  // Each transaction writes one number into both keys.
  let isStopped = false
  const writing = (async () => {
    for (let number = 1; !isStopped; number++) {
      for (const command of [['MULTI'], ['SET', 'first', `${number}`], ['SET', 'second', `${number}`], ['EXEC']]) {
        writerClient.send(...command)
      }
      await writerClient.waitFor(4, WAIT_MS)
      writerClient.take()
    }
  })()
  for (let round = 0; round < 3; round++) {
    const target = await startTarget(t)
    const run = new ImportProcess(t, `redis://127.0.0.1:${redis.port}`, '--to', target.url)
    assert.equal(await run.ended(), 0, run.output)
    const first = await target.client.call('GET', 'first')
    assert.notEqual(first, '_')
    assert.equal(await target.client.call('GET', 'second'), first)
    assert.equal(await target.client.call('LLEN', 'a long list'), ':5000')
  }
  isStopped = true
  await writing
})

test('a source that is restarted is followed on', async (t) => {
  const { redis, client } = await startSource(t)
  await fill(client)
  const target = await startTarget(t)
  const run = new ImportProcess(t, `redis://127.0.0.1:${redis.port}`, '--to', target.url, '--follow')
  await run.printed('following until stopped')
  await client.call('SET', 'before', '1')
  await assertSame(client, target.client)
  // It forgets everything, and comes back on the same port.
  await redis.stop()
  await run.printed('trying again')
  const second = await RedisServer.start(...SOURCE_SETTINGS, '--port', String(redis.port))
  t.after(() => second.stop())
  const secondClient = await RawClient.connect(redis.port)
  t.after(() => secondClient.close())
  await secondClient.call('SET', 'after', '2')
  await run.printed('imported anew')
  await run.printed('following until stopped', 2)
  await secondClient.call('INCR', 'after')
  await assertSame(secondClient, target.client)
  assert.equal(await target.client.call('EXISTS', 'before'), ':0')
  assert.equal(await target.client.call('GET', 'after'), '$ "3"')
  assert.equal(await run.stop(), 0, run.output)
})

test('a data directory follows, and both servers start with it', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-import-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const { redis, client } = await startSource(t)
  await fill(client)
  const run = new ImportProcess(t, `redis://127.0.0.1:${redis.port}`, '--dir', dir, '--follow')
  await run.printed('following until stopped')
  for (let index = 0; index < 200; index++) await client.call('LPUSH', 'a long list', `later ${index}`)
  await client.call('EVAL', "redis.call('INCR', 'a') redis.call('INCR', 'b')", '0')
  while ((await client.call('WAIT', '1', '1000')) === ':0');
  const digest = await client.call('DEBUG', 'DIGEST')
  assert.equal(await run.stop(), 0, run.output)

  const target = await startTarget(t, { dir, appendonly: true, save: [] })
  assert.equal(await target.client.call('DEBUG', 'DIGEST'), digest)
  await target.client.call('SHUTDOWN', 'NOSAVE').catch(() => {})
  const theirs = await RedisServer.start('--dir', dir, '--appendonly', 'yes')
  t.after(() => theirs.stop())
  const theirClient = await theirs.connect()
  t.after(() => theirClient.close())
  assert.equal(await theirClient.call('DEBUG', 'DIGEST'), digest)
})

test('what Headpond imports from a file of redis-server is what that holds', async (t) => {
  const { redis, client } = await startSource(t)
  await fill(client)
  assert.equal(await client.call('SAVE'), '+OK')
  const target = await startTarget(t)
  const run = new ImportProcess(t, join(redis.directory, 'dump.rdb'), '--to', target.url)
  assert.equal(await run.ended(), 0, run.output)
  assert.equal(await target.client.call('DEBUG', 'DIGEST'), await client.call('DEBUG', 'DIGEST'))
  // Any server that knows RESTORE can be the target.
  const other = await RedisServer.start()
  t.after(() => other.stop())
  const fromFile = new ImportProcess(t, join(redis.directory, 'dump.rdb'), '--to', `redis://127.0.0.1:${other.port}`)
  assert.equal(await fromFile.ended(), 0, fromFile.output)
  const otherClient = await other.connect()
  t.after(() => otherClient.close())
  assert.equal(await otherClient.call('DEBUG', 'DIGEST'), await client.call('DEBUG', 'DIGEST'))
})
