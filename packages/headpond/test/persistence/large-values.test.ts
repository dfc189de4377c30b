/**
 * Large values that change, move and go while a snapshot writes them: the file holds what was there in the moment of the
 * snapshot, and nothing of what they took stays behind.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import type { ReplyValue } from '#src/resp/decoder.ts'
import { type Argument, LocalClient } from '#src/server/local-client.ts'
import { Server } from '#src/server/server.ts'
import { chooseSeed, SeededRandom } from '../seeded-random.ts'
import { loadBytes, takeSnapshot } from './snapshots.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 4)
const COMMANDS_PER_ROUND = 2500
const DATABASES = 3
const KINDS = ['hash', 'set', 'zset', 'list', 'stream', 'string'] as const
type Kind = (typeof KINDS)[number]
const NAMES = KINDS.flatMap((kind) => [0, 1, 2].map((number) => `${kind}:${number}`))
/**
 * What a round is about, in turn: all kinds, and those of nodes alone, whose neighbours have to change in the short time in which
 * a value is written.
 */
const FOCUSES: readonly (readonly Kind[])[] = [KINDS, ['list'], ['stream'], KINDS]
/** Nodes of a few entries, or of the size that they have by default. */
const NODE_SIZES = [
  { listMaxListpackSize: 4, streamNodeMaxEntries: 5 },
  { listMaxListpackSize: -1, streamNodeMaxBytes: 1000 },
  {},
] as const

interface Session {
  readonly server: Server
  readonly run: (...args: Argument[]) => Promise<ReplyValue>
}

function newServer(sizes: object = {}): Session {
  const config = Config.load({
    options: { port: 0, save: [], appendonly: 'no', enableDebugCommand: 'yes', ...sizes } as never,
  })
  const log = { info() {}, warn() {}, error() {} }
  const server = new Server({ config, log, firstArenaBytes: 2 ** 20 })
  const client = new LocalClient(server.resp)
  return { server, run: (...args) => client.execute(...args) }
}

/** What the digest of a server's data leaves out is added to it: groups, and the expiries of fields. */
async function stateOf({ run }: Session): Promise<string[]> {
  const state: string[] = [String(await run('DEBUG', 'DIGEST'))]
  for (let database = 0; database < DATABASES; database++) {
    await run('SELECT', database)
    for (const key of ((await run('KEYS', '*')) as string[]).sort()) {
      const type = await run('TYPE', key)
      if (type === 'stream')
        state.push(`${database} ${key} ${JSON.stringify(await run('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0))}`)
      if (type !== 'hash') continue
      const fields = ((await run('HKEYS', key)) as string[]).sort()
      const expiries = await run('HPEXPIRETIME', key, 'FIELDS', fields.length, ...fields)
      state.push(`${database} ${key} ${JSON.stringify(expiries)}`)
    }
  }
  await run('SELECT', 0)
  return state
}

/** Of one piece, or of several; with much to gain from compressing it, little, or nothing at first. */
function longString(random: SeededRandom): Buffer {
  const noise = random.bytes(1000 + random.below(70_000))
  const text = Buffer.from('some text '.repeat(random.below(40_000)))
  return Buffer.concat(random.pick([[noise, text], [text, noise], [noise, noise.subarray(0, 100), noise], [text]]))
}

/** Some hundred elements more than a part of a large value has, or a few. */
async function fill({ run }: Session, random: SeededRandom, key: string): Promise<void> {
  const count = random.once(6) ? 10 : 600 + random.below(2500)
  const [kind] = key.split(':')
  if (kind === 'string') {
    await run('SET', key, longString(random))
    return
  }
  const args: Argument[] = []
  for (let index = 0; index < count; index++) {
    const name = `element ${random.below(6000)}`
    if (kind === 'hash') args.push(name, `value ${index}`)
    else if (kind === 'zset') args.push(random.below(500), name)
    else args.push(name.repeat(random.once(400) ? 1000 : kind === 'list' ? 10 : 1))
  }
  if (kind === 'hash') await run('HSET', key, ...args)
  else if (kind === 'set') await run('SADD', key, ...args)
  else if (kind === 'zset') await run('ZADD', key, ...args)
  else if (kind === 'list') await run('RPUSH', key, ...args)
  else {
    for (const [index, arg] of args.entries()) await run('XADD', key, `${index}-1`, 'field', String(arg).repeat(20))
    await run('XGROUP', 'CREATE', key, 'group', '0')
    await run('XREADGROUP', 'GROUP', 'group', 'consumer', 'COUNT', 1 + random.below(60), 'STREAMS', key, '>')
  }
  if (kind === 'hash' && random.once(2)) {
    const fields = Array.from({ length: 50 }, (_, index) => `expiring ${index}`)
    await run('HSET', key, ...fields.flatMap((field) => [field, 'value']))
    await run('HPEXPIRE', key, 10_000_000, 'FIELDS', fields.length, ...fields)
  }
  if (random.once(3)) await run('PEXPIRE', key, 1e9)
}

/** @param goesOutOf once in so many times, a whole value may come, go or move */
function change(random: SeededRandom, goesOutOf: number): Argument[] {
  const key = (kind?: string) => `${kind ?? random.pick(KINDS)}:${random.below(3)}`
  const element = () => `element ${random.below(6000)}`
  const expiring = () => `expiring ${random.below(50)}`
  const text = () => 'x'.repeat(random.once(50) ? 20_000 : random.below(30))
  const [hash, set, zset, list, stream, string] = KINDS.map((kind) => key(kind)) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  const any = key()
  const sameKind = `${any.split(':')[0]}:${random.below(3)}`
  return random.pick<() => Argument[]>([
    () => ['HSET', hash, element(), text(), element(), text()],
    () => ['HDEL', hash, element(), element(), element(), element()],
    () => ['HINCRBY', hash, `counter ${random.below(20)}`, 1],
    () => ['HPEXPIRE', hash, 1_000_000 + random.below(1e6), 'FIELDS', 2, expiring(), element()],
    () => ['HPERSIST', hash, 'FIELDS', 1, expiring()],
    () => ['HSET', hash, expiring(), text()],
    () => ['SADD', set, element(), element()],
    () => ['SREM', set, element(), element(), element(), element()],
    () => ['SPOP', set, 1 + random.below(5)],
    () => ['SMOVE', set, key('set'), element()],
    () => ['ZADD', zset, random.below(500), element(), random.below(500), element()],
    () => ['ZINCRBY', zset, random.below(100) - 50, element()],
    () => ['ZREM', zset, element(), element(), element(), element()],
    () => [random.pick(['ZPOPMIN', 'ZPOPMAX']), zset, 1 + random.below(5)],
    () => ['ZREMRANGEBYRANK', zset, random.below(500), random.below(600)],
    () => [random.pick(['LPUSH', 'RPUSH']), list, element(), text()],
    () => [random.pick(['LPOP', 'RPOP']), list],
    () => [random.pick(['LPOP', 'RPOP']), list, 1 + random.below(40)],
    () => ['LSET', list, random.below(1000) - 500, text()],
    () => ['LINSERT', list, random.pick(['BEFORE', 'AFTER']), element().repeat(10), text()],
    () => ['LREM', list, random.below(5) - 2, element().repeat(10)],
    () => ['LTRIM', list, random.below(20), -1 - random.below(20)],
    () => ['LMOVE', list, key('list'), 'LEFT', 'RIGHT'],
    () => ['XADD', stream, '*', 'field', text()],
    () => ['XADD', stream, '*', 'field', 'x'.repeat(5000)],
    () => [random.pick(['APPEND', 'SET']), string, random.once(5) ? longString(random) : text()],
    () => ['SETRANGE', string, random.below(500_000), text()],
    () => ['SETBIT', string, random.below(1_000_000), random.below(2)],
    () => ['XDEL', stream, `${random.below(3000)}-1`, `${random.below(3000)}-1`],
    () => ['XTRIM', stream, 'MAXLEN', random.pick(['~', '=']), 300 + random.below(2000)],
    () => ['XREADGROUP', 'GROUP', 'group', 'other', 'COUNT', 5, 'STREAMS', stream, '>'],
    () => ['XGROUP', 'SETID', stream, 'group', '$'],
    ...(random.once(goesOutOf)
      ? [
          () => [random.pick(['DEL', 'UNLINK']), any],
          () => ['RENAME', any, sameKind],
          () => ['COPY', any, sameKind, 'REPLACE'],
          () => ['MOVE', any, 1 + random.below(DATABASES - 1)],
          () => ['SWAPDB', 0, 1 + random.below(DATABASES - 1)],
          () => ['SORT', list, 'ALPHA', 'STORE', key('list')],
          () => ['SUNIONSTORE', set, key('set'), key('set')],
          () => ['ZUNIONSTORE', zset, 2, key('zset'), key('zset')],
          () => ['FLUSHDB', random.pick(['SYNC', 'ASYNC'])],
          () => ['PEXPIRE', any, 1],
          () => ['PERSIST', any],
        ]
      : []),
  ])()
}

/** As `change`, of a key of one of these kinds. */
function changeOf(kinds: readonly Kind[], random: SeededRandom, goesOutOf: number): Argument[] {
  for (;;) {
    const command = change(random, goesOutOf)
    if (kinds === KINDS || kinds.some((kind) => command.some((arg) => String(arg).startsWith(`${kind}:`))))
      return command
  }
}

async function empty({ server, run }: Session): Promise<void> {
  for (let database = 0; database < DATABASES; database++) {
    await run('SELECT', database)
    // KEYS passes over those that are due, though they are there.
    await run('DEL', 'key', ...NAMES)
  }
  server.store.lazyFree.finish()
}

/** What the tables of databases keep when all keys are gone. */
async function emptyBytes(): Promise<number> {
  const session = newServer()
  const { server, run } = session
  for (let database = 0; database < DATABASES; database++) {
    await run('SELECT', database)
    await run('SET', 'key', 'value')
  }
  await empty(session)
  const { usedBytes } = server.store.heap
  await server.close()
  return usedBytes
}

for (const whenFlushed of ['abort', 'keep'] as const) {
  test(`a snapshot holds one moment of large values (${whenFlushed})`, async (t) => {
    const seed = chooseSeed()
    t.diagnostic(`SEED=${seed}`)
    for (let round = 0; round < ROUNDS; round++) {
      const random = new SeededRandom(seed + round)
      const focus = FOCUSES[round % FOCUSES.length]
      const session = newServer(NODE_SIZES[round % NODE_SIZES.length])
      const { server, run } = session
      for (const name of NAMES.filter((name) => focus.some((kind) => name.startsWith(kind)))) {
        await run('SELECT', random.below(DATABASES))
        await fill(session, random, name)
      }
      await run('SELECT', 0)
      const before = await stateOf(session)
      const nowMs = server.clock.nowMs()
      const { snapshot, target } = takeSnapshot(server.store, {}, { whenFlushed })
      const slices = random.pick([4, 12])
      const goesOutOf = random.pick([2, 20])
      for (let count = 0; count < COMMANDS_PER_ROUND; count++) {
        await run(...changeOf(focus, random, goesOutOf)).catch(() => {}) // a command in vain is none
        if (random.once(300)) await run('SELECT', random.below(DATABASES))
        if (random.once(slices) && snapshot.isRunning) snapshot.step()
        if (random.once(8)) server.store.lazyFree.run(() => true)
        if (random.once(400)) server.clock.advance(1)
        if (whenFlushed === 'keep' && random.once(1500)) await run('FLUSHALL')
      }
      snapshot.walkNow()
      await snapshot.done

      const loaded = newServer()
      loaded.server.clock.advance(nowMs - loaded.server.clock.nowMs())
      loadBytes(loaded.server.store, target.toBytes())
      assert.deepEqual(await stateOf(loaded), before, `seed ${seed + round}`)

      // Everything that was kept for the snapshot has been freed.
      await empty(session)
      assert.equal(server.store.structures.count, 0)
      const leftBytes = server.store.heap.usedBytes - (await emptyBytes())
      assert.ok(leftBytes <= 0, `${leftBytes} bytes left behind, seed ${seed + round}`)
      await Promise.all([server.close(), loaded.server.close()])
    }
  })
}

test('a large value that is evicted during a snapshot makes room, and no other key has to go', async (t) => {
  const { server, run } = newServer()
  t.after(() => server.close())
  const others = Array.from({ length: 5 }, (_, index) => `other ${index}`)
  for (const key of others) await run('SET', key, 'x'.repeat(10_000), 'EX', 10_000)
  const members = Array.from({ length: 20_000 }, (_, index) => [index, `member ${index}`]).flat()
  await run('ZADD', 'large', ...members)
  await run('EXPIRE', 'large', 5000)
  const before = await stateOf({ server, run })
  const { snapshot, target } = takeSnapshot(server.store)
  await run('ZADD', 'large', 0, 'member 19999')
  await run('CONFIG', 'SET', 'maxmemory-policy', 'volatile-ttl', 'maxmemory-samples', 64)
  await run(
    'CONFIG',
    'SET',
    'maxmemory',
    Number(/used_memory:(\d+)/.exec(String(await run('INFO', 'memory')))?.[1]) - 30_000,
  )
  await run('SET', 'other 0', 'y', 'EX', 10_000)
  assert.equal(await run('EXISTS', 'large'), 0)
  assert.equal(await run('EXISTS', ...others), others.length)
  snapshot.walkNow()
  const loaded = newServer()
  t.after(() => loaded.server.close())
  loadBytes(loaded.server.store, target.toBytes())
  assert.deepEqual(await stateOf(loaded), before)
})
