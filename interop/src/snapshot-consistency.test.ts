/**
 * A snapshot holds the state of one moment, whatever commands run while it is saved: random commands of every type
 * between its steps, and what is loaded from it has the digest that the store had when it was taken.
 *
 *   SEED=<n> SNAPSHOTS=<n> npm run interop -- snapshot-consistency
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from 'headpond/src/config/config.ts'
import { dumpObject } from 'headpond/src/persistence/rdb/objects.ts'
import { LocalClient } from 'headpond/src/server/local-client.ts'
import { Server } from 'headpond/src/server/server.ts'
import { valueDigest } from 'headpond/src/store/digest.ts'
import { type } from 'headpond/src/store/record.ts'
import type { Store } from 'headpond/src/store/store.ts'
import { loadBytes, newStore, takeSnapshot } from 'headpond/test/persistence/snapshots.ts'
import { chooseSeed, SeededRandom } from 'headpond/test/seeded-random.ts'
import { CommandGenerator } from './command-generator.ts'

const SNAPSHOT_COUNT = Number(process.env['SNAPSHOTS'] ?? 300)

/** Keys that change in ways of their own: fields that expire, groups of streams, cached counts, expiries. */
const SPECIAL_COUNT = 20
const SPECIAL_SETUP = (n: number): string[][] => [
  ['XADD', `stream ${n}`, '1-1', 'a', 'b'],
  ['XADD', `stream ${n}`, '2-1', 'a', 'b'],
  ['XGROUP', 'CREATE', `stream ${n}`, 'g', '0'],
  ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'STREAMS', `stream ${n}`, '>'],
  ['HSET', `hash ${n}`, 'a', '1', 'b', '2', 'c', '3'],
  ['HPEXPIRE', `hash ${n}`, String(1 + n * 40), 'FIELDS', '1', 'a'],
  ['PFADD', `visitors ${n}`, 'one', 'two', 'three'],
  ['SET', `text ${n}`, 'value', 'PX', String(1 + n * 40)],
  ['SET', `lasting ${n}`, 'value', 'PX', '1000000'],
  ['BF.ADD', `filter ${n}`, 'one'],
]
const SPECIAL = (n: number): string[][] => [
  ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', `stream ${n}`, '>'],
  ['XREADGROUP', 'GROUP', 'g', 'd', 'STREAMS', `stream ${n}`, '0'],
  ['XACK', `stream ${n}`, 'g', '1-1'],
  ['XCLAIM', `stream ${n}`, 'g', 'd', '0', '1-1'],
  ['XGROUP', 'DELCONSUMER', `stream ${n}`, 'g', 'c'],
  ['XTRIM', `stream ${n}`, 'MAXLEN', '1'],
  ['HGET', `hash ${n}`, 'a'],
  ['HGETALL', `hash ${n}`],
  ['HPERSIST', `hash ${n}`, 'FIELDS', '1', 'a'],
  ['HPEXPIRE', `hash ${n}`, '5', 'FIELDS', '1', 'b'],
  ['PFCOUNT', `visitors ${n}`],
  ['GET', `text ${n}`],
  ['PERSIST', `lasting ${n}`],
  ['PERSIST', `text ${n}`],
  ['PEXPIRE', `text ${n}`, '30'],
  ['APPEND', `text ${n}`, 'x'.repeat(40_000)],
  ['RENAME', `text ${n}`, `hash ${n}`],
  ['MOVE', `stream ${n}`, '1'],
  ['COPY', `filter ${n}`, `text ${n}`, 'REPLACE'],
  ['BF.ADD', `filter ${n}`, 'two'],
  ['FLUSHDB'],
  ['SWAPDB', '0', '1'],
]

test('a snapshot is the state of one moment', { timeout: 600_000 }, async (t) => {
  const baseSeed = chooseSeed()
  t.diagnostic(`SEED=${baseSeed}`)
  for (let index = 0; index < SNAPSHOT_COUNT; index++) await checkOne(baseSeed + index)
})

async function checkOne(seed: number): Promise<void> {
  const random = new SeededRandom(seed)
  const config = Config.load({ options: { port: 0, ephemeral: true, enableDebugCommand: 'yes' } })
  const log = { info() {}, warn() {}, error() {} }
  const server = new Server({ config, log, firstArenaBytes: 2 ** 20 })
  const client = new LocalClient(server.resp)
  const names = new Set(server.resp.table.withSubcommands().map((command) => command.fullName))
  const generator = new CommandGenerator(random, names)
  const play = async (count: number) => {
    for (let left = count; left > 0; left--) {
      if (random.once(30)) server.advance(random.below(50))
      // What is due by now is still there for the next one who looks.
      if (random.once(6)) server.clock.advance(random.below(100))
      const commands = random.once(2)
        ? [random.pick(SPECIAL(random.below(SPECIAL_COUNT)))]
        : generator.next().map(({ args }) => args)
      for (const args of commands) {
        if (BLOCKING.test(String(args[0]))) continue
        await client.execute(...args).catch(() => {})
      }
    }
  }
  for (const step of generator.settings()) {
    for (const { args } of step) await client.execute(...args).catch(() => {})
  }
  await play(100 + random.below(150))
  for (let round = 0; round < 3; round++) {
    const { store } = server
    for (let n = 0; n < SPECIAL_COUNT; n++) {
      for (const args of SPECIAL_SETUP(n)) await client.execute(...args).catch(() => {})
    }
    await play(random.below(20))
    const expected = describe(store)
    const takenAtMs = store.nowMs
    const { snapshot, target } = takeSnapshot(store, {}, { whenFlushed: 'keep' })
    if (random.once(10)) {
      snapshot.abort('this one is not wanted')
      continue
    }
    while (store.guard !== null) {
      for (let steps = random.below(6); steps > 0 && store.guard !== null; steps--) snapshot.step()
      await play(random.below(4))
    }
    await snapshot.done
    // A listpack does not keep the sign of a score of -0, and a small sorted set becomes one when it is loaded.
    const loaded = newStore(takenAtMs, { zsetMaxListpackEntries: 0 })
    loadBytes(loaded, target.toBytes(), { keepsExpired: true })
    assert.deepEqual(describe(loaded), expected, `SEED=${seed}`)
  }
  client.close()
  await server.close()
}

/** Every key with its value, whatever the encoding, and with all that expires. */
function describe(store: Store): string[] {
  const lines: string[] = []
  for (const database of store.databases) {
    database.dict.forEach((handle) => {
      const { records } = store
      const line = [database.index, records.keyCopy(handle).toString('latin1'), records.expireAtMs(handle)]
      line.push(valueDigest(database, handle).toString())
      // Digests leave out groups of streams, and when fields expire.
      if (records.type(handle) === type.STREAM) line.push(Buffer.from(dumpObject(store, handle, false)).toString('hex'))
      if (records.type(handle) === type.HASH) {
        const expiries: string[] = []
        store.hashes.open(database, handle).forEach((field, _value, expireAtMs) => {
          expiries.push(`${field.copy()} ${expireAtMs}`)
        })
        line.push(expiries.sort().join())
      }
      lines.push(line.join(' '))
    })
  }
  return lines.sort()
}

const BLOCKING = /^(B[LRZ]|WAIT|SHUTDOWN|DEBUG)/i
