/**
 * What Headpond propagates, command by command, beside what redis-server writes into its append-only file for the same
 * commands: the transcripts, and random commands.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Config } from 'headpond/src/config/config.ts'
import { quoteBytes } from 'headpond/src/config/quoting.ts'
import { CommandParser } from 'headpond/src/persistence/aof/command-parser.ts'
import { Request } from 'headpond/src/resp/request.ts'
import { Server } from 'headpond/src/server/server.ts'
import { encodeCommand, RawClient } from 'headpond/test/raw-client.ts'
import { chooseSeed, SeededRandom } from 'headpond/test/seeded-random.ts'
import { listTranscripts, play, readTranscript } from 'headpond/test/transcript.ts'
import { CommandGenerator, RESET } from './command-generator.ts'
import { RedisServer } from './redis-server.ts'
import { socketStage } from './socket-stage.ts'

const SEQUENCE_COUNT = Number(process.env['SEQUENCES'] ?? 60)
const STEP_COUNT = 100
/** What the moments may differ by, as the servers are asked one after the other. */
const NEAR_MS = 20_000

interface Fed {
  readonly database: number
  readonly args: readonly Buffer[]
}

function commandsIn(bytes: Uint8Array): Buffer[][] {
  const parser = new CommandParser()
  const request = new Request()
  const commands: Buffer[][] = []
  for (let at = 0; at < bytes.length; ) {
    const next = parser.parse(bytes, at, bytes.length, request)
    assert.ok(next > at, `${parser.problem} at ${parser.problemAt}`)
    if (request.count > 0) commands.push(request.toArray())
    at = next
  }
  return commands
}

function withoutSelect(commands: readonly Buffer[][]): Fed[] {
  const fed: Fed[] = []
  let database = 0
  for (const args of commands) {
    if (String(args[0]) === 'SELECT') database = Number(args[1])
    else fed.push({ database, args })
  }
  return fed
}

class Recorded {
  readonly server: Server
  readonly fed: Fed[] = []

  constructor() {
    const config = Config.load({
      options: { port: 'auto', bind: ['127.0.0.1'], ephemeral: true, enableDebugCommand: 'yes' },
    })
    this.server = new Server({ config, log: { info() {}, warn() {}, error() {} }, firstArenaBytes: 2 ** 24 })
    this.server.resp.propagation.attach({
      append: (database, bytes, start, end) => {
        for (const args of commandsIn(Buffer.from(bytes.subarray(start, end)))) this.fed.push({ database, args })
      },
    })
  }
}

function startRedis(): Promise<RedisServer> {
  return RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always')
}

function fedBy(redis: RedisServer): Fed[] {
  return withoutSelect(commandsIn(readFileSync(join(redis.directory, 'appendonlydir', 'appendonly.aof.1.incr.aof'))))
}

/** A command as text; its moments of now stand apart, since they differ from server to server. */
interface Line {
  readonly text: string
  readonly momentsMs: readonly number[]
}

function lineOf({ database, args }: Fed): Line {
  const momentsMs: number[] = []
  const nowMs = Date.now()
  const text = args.map((arg) => quoteBytes(arg)).join(' ')
  const withoutMoments = text.replace(/\b(\d{13})(-\d+)?\b/g, (moment, ms: string, sequence?: string) => {
    if (Math.abs(Number(ms) - nowMs) > 10 * 86_400_000) return moment
    momentsMs.push(Number(ms))
    return sequence === undefined ? '<moment>' : '<moment>-<n>'
  })
  // Far moments are doubles here.
  const rounded = withoutMoments.replace(/\b\d{17,}\b/g, (number) => String(Number(number)))
  return { text: `${database}: ${rounded}`, momentsMs }
}

function areSame(one: Line | undefined, other: Line | undefined): boolean {
  if (one === undefined || other === undefined || one.text !== other.text) return one === other
  return one.momentsMs.every((ms, index) => Math.abs(ms - other.momentsMs[index]) < NEAR_MS)
}

function shown({ text, momentsMs }: Line): string {
  return momentsMs.reduce((line, ms) => line.replace('<moment>', `<${ms}>`), text)
}

/** Which members SPOP drew is chance. */
function comparable(fed: Fed): Line {
  const { text, momentsMs } = lineOf(fed)
  if (!/^\d+: "SREM"/.test(text)) return { text, momentsMs }
  return { text: `${text.split(' ').slice(0, 3).join(' ')} (${fed.args.length})`, momentsMs: [] }
}

function nameOf(fed: Fed | undefined): string {
  return String(fed?.args[0] ?? '').toUpperCase()
}

/**
 * Without what Headpond says on purpose beyond redis-server 7.0: after the claims, how many entries the group has read.
 * (XCLAIM does not tell; later versions propagate it too.)
 */
function withoutGroupIds(ours: readonly Fed[]): Fed[] {
  return ours.filter((fed, index) => {
    if (nameOf(fed) !== 'XGROUP' || nameOf(ours[index - 1]) !== 'XCLAIM') return true
    const lastId = ours[index - 1].args.at(-1)
    const isSaidByServer = String(fed.args[1]) === 'SETID' && String(fed.args[4]) === String(lastId)
    return !(isSaidByServer && String(fed.args[5]) === 'ENTRIESREAD')
  })
}

/** Without MULTI and EXEC around a single command, which is what may be left without the above. */
function withoutLonelyTransactions(all: readonly Fed[]): Fed[] {
  return all.filter((fed, index) => {
    if (nameOf(fed) === 'MULTI') return nameOf(all[index + 2]) !== 'EXEC'
    return !(nameOf(fed) === 'EXEC' && nameOf(all[index - 2]) === 'MULTI')
  })
}

/** Which key is evicted first where all of them go is chance: deletions in a row are put in order. */
function withSortedDeletions(lines: readonly Line[]): Line[] {
  const isDeletion = (line: Line | undefined) => line !== undefined && /^\d+: "DEL"/.test(line.text)
  const sorted = [...lines]
  for (let start = 0; start < sorted.length; ) {
    let end = start
    while (isDeletion(sorted[end])) end++
    const deletions = sorted.slice(start, end).sort((one, other) => (one.text < other.text ? -1 : 1))
    sorted.splice(start, end - start, ...deletions)
    start = end + 1
  }
  return sorted
}

function compare(theirs: readonly Fed[], ours: readonly Fed[]): string[] {
  const differences: string[] = []
  const [their, our] = [theirs, withoutGroupIds(ours)].map((fed) =>
    withSortedDeletions(withoutLonelyTransactions(fed).map(comparable)),
  )
  for (let t = 0, o = 0; t < their.length || o < our.length; ) {
    if (areSame(their[t], our[o])) {
      t++
      o++
      continue
    }
    // Go on where both agree again.
    let skip = 1
    for (; skip < 50; skip++) {
      const ahead = Array.from({ length: skip + 1 }, (_, index) => [index, skip - index] as const)
      const found = ahead.find(([dt, d]) => their[t + dt] !== undefined && areSame(their[t + dt], our[o + d]))
      if (found === undefined) continue
      differences.push(...their.slice(t, t + found[0]).map((line) => `- ${shown(line)}`))
      differences.push(...our.slice(o, o + found[1]).map((line) => `+ ${shown(line)}`))
      t += found[0]
      o += found[1]
      break
    }
    if (skip === 50) {
      differences.push(
        ...their.slice(t).map((line) => `- ${shown(line)}`),
        ...our.slice(o).map((line) => `+ ${shown(line)}`),
      )
      break
    }
  }
  return differences
}

for (const name of listTranscripts()) {
  test(`${name}: as redis-server's append-only file`, async (t) => {
    const redis = await startRedis()
    const recorded = new Recorded()
    try {
      await recorded.server.start()
      const transcript = readTranscript(name)
      await play(
        transcript,
        socketStage(() => redis.connect()),
      )
      await play(
        transcript,
        socketStage(() => RawClient.connect(recorded.server.port)),
      )
      const theirs = fedBy(redis)
      const differences = compare(theirs, recorded.fed)
      t.diagnostic(`${theirs.length} commands compared`)
      assert.ok(differences.length === 0, `\n${differences.join('\n')}\n`)
    } finally {
      await recorded.server.close()
      await redis.stop()
    }
  })
}

async function commandNames(client: RawClient): Promise<Set<string>> {
  client.send('COMMAND', 'LIST')
  await client.waitFor(1, 10_000)
  const [reply] = client.take()
  return new Set('items' in reply ? (reply.items ?? []).map((name) => ('text' in name ? String(name.text) : '')) : [])
}

test('random commands: as redis-server propagates them', async (t) => {
  const redis = await startRedis()
  const recorded = new Recorded()
  const seed = chooseSeed()
  t.diagnostic(`SEED=${seed}`)
  try {
    await recorded.server.start()
    const [toThem, toUs] = await Promise.all([redis.connect(), RawClient.connect(recorded.server.port)])
    // The commands that both have.
    const theirNames = await commandNames(toThem)
    const names = new Set([...(await commandNames(toUs))].filter((name) => theirNames.has(name)))
    let theirCount = 0
    for (let sequence = 0; sequence < SEQUENCE_COUNT; sequence++) {
      const generator = new CommandGenerator(new SeededRandom(seed + sequence), names)
      const steps = [...generator.settings(), ...Array.from({ length: STEP_COUNT }, () => generator.next())]
      // Chance would let the two go apart.
      const commands = [...RESET, ...steps]
        .flat()
        .filter(({ comparison }) => comparison !== 'shape' && comparison !== 'exchange')
        .map(({ args }) => args)
      const bytes = Buffer.concat(commands.map((command) => encodeCommand(command)))
      recorded.fed.length = 0
      for (const client of [toThem, toUs]) {
        client.sendBytes(bytes)
        await client.waitFor(commands.length, 10_000)
        client.take()
      }
      const theirs = fedBy(redis)
      const differences = compare(theirs.slice(theirCount), recorded.fed)
      theirCount = theirs.length
      assert.ok(differences.length === 0, `SEED=${seed + sequence} SEQUENCES=1\n${differences.join('\n')}\n`)
    }
    t.diagnostic(`${theirCount} commands compared`)
    toThem.close()
    toUs.close()
  } finally {
    await recorded.server.close()
    await redis.stop()
  }
})
