/** Data directories move between Headpond and redis-server, both ways, and hold the same data on either side. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Config } from 'headpond/src/config/config.ts'
import { Server } from 'headpond/src/server/server.ts'
import { encodeCommand, RawClient, type RawReply } from 'headpond/test/raw-client.ts'
import { chooseSeed, SeededRandom } from 'headpond/test/seeded-random.ts'
import { CommandGenerator, RESET } from './command-generator.ts'
import { RedisServer } from './redis-server.ts'

const ROUND_COUNT = 4
const STEP_COUNT = 300

interface Peer {
  readonly client: RawClient
  stop(): Promise<void>
}

async function startHeadpond(dir: string): Promise<Peer> {
  const config = Config.load({
    options: { port: 'auto', bind: ['127.0.0.1'], dir, save: '', appendonly: true, enableDebugCommand: 'yes' },
  })
  const log = { info() {}, warn() {}, error() {} }
  const server = new Server({ config, log, firstArenaBytes: 2 ** 24 })
  await server.start()
  const client = await RawClient.connect(server.port)
  return {
    client,
    async stop() {
      client.close()
      server.shutdown('default', true)
      await server.close()
    },
  }
}

async function startRedis(dir: string): Promise<Peer> {
  const redis = await RedisServer.start('--dir', dir, '--appendonly', 'yes')
  const client = await redis.connect()
  return {
    client,
    async stop() {
      await ask(client, ['SHUTDOWN', 'NOSAVE']).catch(() => {})
      client.close()
      await redis.stop()
    },
  }
}

async function ask(client: RawClient, command: readonly (string | Buffer)[]): Promise<RawReply> {
  const [reply] = await askAll(client, [command])
  return reply
}

async function askAll(client: RawClient, commands: readonly (readonly (string | Buffer)[])[]): Promise<RawReply[]> {
  client.sendBytes(Buffer.concat(commands.map((command) => encodeCommand(command))))
  await client.waitFor(commands.length, 20_000)
  const replies = client.take()
  if (replies.length !== commands.length) throw new Error(`${replies.length} replies to ${commands.length} commands`)
  return replies
}

function text(reply: RawReply): string {
  return 'text' in reply ? String(reply.text) : ''
}

async function untilRewritten(client: RawClient): Promise<void> {
  for (;;) {
    if (/aof_rewrite_in_progress:0/.test(text(await ask(client, ['INFO', 'persistence'])))) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function namesOf(client: RawClient): Promise<string[]> {
  const reply = await ask(client, ['COMMAND', 'LIST'])
  return 'items' in reply ? (reply.items ?? []).map(text) : []
}

for (const first of ['headpond', 'redis-server'] as const) {
  test(`random data moves to and fro, written first by ${first}`, { timeout: 300_000 }, async (t) => {
    const seed = chooseSeed()
    t.diagnostic(`SEED=${seed}`)
    const dir = mkdtempSync(join(tmpdir(), 'headpond-move-'))
    const starts = first === 'headpond' ? [startHeadpond, startRedis] : [startRedis, startHeadpond]
    let peer: Peer | null = null
    try {
      const redis = await RedisServer.start()
      const theirs = new Set(await namesOf(await redis.connect()))
      await redis.stop()
      let digest: string | null = null
      for (let round = 0; round < ROUND_COUNT; round++) {
        peer = await starts[round % 2](dir)
        const { client } = peer
        // What the other one has left is what this one has loaded.
        if (digest !== null) assert.equal(text(await ask(client, ['DEBUG', 'DIGEST'])), digest, `round ${round}`)
        const names = new Set((await namesOf(client)).filter((name) => theirs.has(name)))
        const generator = new CommandGenerator(new SeededRandom(seed + round), names)
        const steps = Array.from({ length: STEP_COUNT }, () => generator.next())
        const commands = [...(round === 0 ? RESET.flat() : []), ...steps.flat()]
          .filter(({ comparison }) => comparison !== 'exchange')
          .map(({ args }) => args)
        await askAll(client, commands.slice(0, commands.length / 2))
        // Half of it in the base, half of it in the increment.
        if (round % 3 !== 2) await ask(client, ['BGREWRITEAOF'])
        await askAll(client, commands.slice(commands.length / 2))
        await untilRewritten(client)
        digest = text(await ask(client, ['DEBUG', 'DIGEST']))
        await peer.stop()
        peer = null
      }
    } finally {
      await peer?.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  })
}

test('redis-check-aof finds nothing wrong with what Headpond wrote, and where a cut begins', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-move-'))
  try {
    const headpond = await startHeadpond(dir)
    await askAll(headpond.client, [
      ['SET', 'a', '1'],
      ['MULTI'],
      ['INCR', 'a'],
      ['RPUSH', 'l', 'x'],
      ['EXEC'],
      ['SET', 'b', '2', 'EX', '1000'],
    ])
    await headpond.stop()
    const directory = join(dir, 'appendonlydir')
    const told = execFileSync('redis-check-aof', [join(directory, 'appendonly.aof.manifest')], { encoding: 'utf8' })
    assert.match(told, /All AOF files and manifest are valid/)
    const last = readdirSync(directory).find((name) => name.endsWith('.1.incr.aof'))!
    truncateSync(join(directory, last), statSync(join(directory, last)).size - 5)
    // Both drop the command that was cut.
    const again = await startRedis(dir)
    assert.equal(text(await ask(again.client, ['GET', 'a'])), '2')
    assert.equal(text(await ask(again.client, ['EXISTS', 'b'])), '0')
    await again.stop()
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
