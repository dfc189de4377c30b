/**
 * The same random commands to Headpond and to redis-server: replies, encodings, expiry and contents must agree, and
 * each must be able to read what the other dumps.
 *
 *   SEED=<n> SEQUENCES=<n> npm run interop -- differential
 *
 * Each sequence has a seed of its own. A failure names it, and shows the few commands that are enough for it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { quoteBytes } from 'headpond/src/config/quoting.ts'
import { encodeCommand, notation, RawClient, type RawReply } from 'headpond/test/raw-client.ts'
import { chooseSeed, SeededRandom } from 'headpond/test/seeded-random.ts'
import {
  type Argument,
  CommandGenerator,
  type Comparison,
  type GeneratedCommand,
  KEYS,
  RESET,
  type Step,
} from './command-generator.ts'
import { RedisServer } from './redis-server.ts'

const SEQUENCE_COUNT = Number(process.env['SEQUENCES'] ?? 300)
const STEP_COUNT = 100
/** Differences of so many commands are enough to read at a time. */
const FAILURES_MAX = 5
const SHRINKING_PLAYS_MAX = 400
const REPLY_TIMEOUT_MS = 10_000
/** What `TTL` and `PTTL` may differ by, as the servers are asked one after the other. */
const NEAR = 2000

type Command = readonly Argument[]

interface Mismatch {
  readonly command: Command
  readonly theirs: string
  readonly ours: string
}

// ---- Replies ----

/** A reply as text that is the same when the replies agree as far as Redis promises. */
function comparable(reply: RawReply, comparison: Comparison): string {
  const items = 'items' in reply ? reply.items : null
  if (reply.marker === '-') return notation(reply).join('\n')
  if (comparison === 'shape') return shapeOf(reply)
  if (items === null || (comparison !== 'unordered' && comparison !== 'pairs')) return notation(reply).join('\n')
  const texts = items.map((item) => notation(item).join('\n'))
  const units = comparison === 'pairs' ? pairsOf(texts) : texts
  return [`${reply.marker}${items.length}`, ...units.sort()].join('\n')
}

function pairsOf(texts: readonly string[]): string[] {
  return Array.from({ length: texts.length / 2 }, (_, index) => `${texts[2 * index]}\n${texts[2 * index + 1]}`)
}

function shapeOf(reply: RawReply): string {
  if ('items' in reply)
    return reply.items === null ? `${reply.marker}_` : `${reply.marker}[${reply.items.map(shapeOf)}]`
  return reply.text === null ? '_' : reply.marker
}

function repliesAgree(theirs: RawReply, ours: RawReply, comparison: Comparison): boolean {
  if (comparable(theirs, comparison) === comparable(ours, comparison)) return true
  if (comparison === 'near' && theirs.marker === ':' && ours.marker === ':') {
    const [theirTime, ourTime] = [Number(theirs.text), Number(ours.text)]
    return theirTime > 0 && ourTime > 0 && Math.abs(theirTime - ourTime) <= NEAR
  }
  return comparison === 'encoding' && encodingsAgree(plainText(theirs), plainText(ours))
}

/** Differences that differences.md gives the reasons of. */
function isMeant(command: Command, theirs: RawReply, ours: RawReply): boolean {
  return /^(Z|BZ|GEO|X|EXEC$)/.test(String(command[0])) && asLater(theirs) === asLater(ours)
}

/** As later versions answer: doubles with no more digits than it takes, and another error of unbalanced streams. */
function asLater(reply: RawReply): string {
  return notation(reply)
    .join('\n')
    .replace(/-?\d+\.\d+(e[-+]\d+)?/g, (double) => String(Number(double)))
    .replace(/Unbalanced .* list of streams.*/g, 'Unbalanced list of streams')
}

function plainText(reply: RawReply): string {
  return 'items' in reply ? '' : String(reply.text)
}

/**
 * Redis 7.2 keeps short lists and small sets in listpacks, as Headpond does. `type` tells sets and hashes apart.
 * `steps` tell why a sorted set may differ; without them it may.
 */
function encodingsAgree(theirs: string, ours: string, type?: string, steps?: readonly Step[]): boolean {
  if (theirs === ours) return true
  if (type === undefined || type === 'zset') {
    // SORT makes redis-server unpack a sorted set, and many members at once make Headpond begin with a large one.
    const wasSent = (isReason: (args: Command) => boolean) => steps?.flat().some(({ args }) => isReason(args)) ?? true
    if (theirs === 'skiplist') return ours === 'listpack' && wasSent(([name]) => /^SORT/.test(String(name)))
    if (ours === 'skiplist') {
      return theirs === 'listpack' && wasSent((args) => args.length > 6 && /^(ZADD|GEOADD)$/.test(String(args[0])))
    }
  }
  return ours === 'listpack' && (theirs === 'quicklist' || (theirs === 'hashtable' && type !== 'hash'))
}

// ---- Playing a sequence ----

class Side {
  readonly #client: RawClient

  constructor(client: RawClient) {
    this.#client = client
  }

  async ask(commands: readonly Command[]): Promise<RawReply[]> {
    if (commands.length === 0) return []
    this.#client.sendBytes(Buffer.concat(commands.map((command) => encodeCommand(command))))
    await this.#client.waitFor(commands.length, REPLY_TIMEOUT_MS)
    const replies = this.#client.take()
    if (replies.length === commands.length) return replies
    const unanswered = commands[Math.min(replies.length, commands.length - 1)]
    throw new Error(`${replies.length} replies to ${commands.length} commands; next was: ${lineOf(unanswered)}`)
  }

  close(): void {
    this.#client.close()
  }
}

class Players {
  readonly #theirs: Side
  readonly #ours: Side

  constructor(theirs: Side, ours: Side) {
    this.#theirs = theirs
    this.#ours = ours
  }

  /** Asks both the same, or each its own. */
  ask(commands: readonly Command[], ourCommands = commands): Promise<[RawReply[], RawReply[]]> {
    return Promise.all([this.#theirs.ask(commands), this.#ours.ask(ourCommands)])
  }

  /** The first mismatch. What they answered on the way is added to `told`. */
  async play(steps: readonly Step[], told: string[] = []): Promise<Mismatch | null> {
    let pending: GeneratedCommand[] = []
    const flush = async (): Promise<Mismatch | null> => {
      const commands = pending
      pending = []
      const [theirs, ours] = await this.ask(commands.map(({ args }) => args))
      for (const [index, { args, comparison }] of commands.entries()) {
        told.push(`> ${lineOf(args)}`, ...notation(theirs[index]))
        if (repliesAgree(theirs[index], ours[index], comparison)) continue
        if (!isMeant(args, theirs[index], ours[index])) return mismatch(args, theirs[index], ours[index])
      }
      return null
    }
    for (const step of steps) {
      const [{ args, comparison }] = step
      if (comparison !== 'scan' && comparison !== 'exchange') {
        pending.push(...step)
        continue
      }
      const failure =
        (await flush()) ?? (comparison === 'scan' ? await this.#scan(args, told) : await this.#exchange(args, told))
      if (failure !== null) return failure
    }
    return (await flush()) ?? (await this.#compareContents(steps))
  }

  /** Elements may be given twice. */
  async #scan(args: Command, told: string[]): Promise<Mismatch | null> {
    const [theirs, ours] = await Promise.all([scanAll(this.#theirs, args), scanAll(this.#ours, args)])
    told.push(`> ${lineOf(args)}`, theirs)
    return theirs === ours ? null : { command: args, theirs, ours }
  }

  async #exchange(args: Command, told: string[]): Promise<Mismatch | null> {
    const key = args[1]
    const [[theirDump, theirTime], [ourDump, ourTime]] = await this.ask([args, ['PEXPIRETIME', key]])
    told.push(`> ${lineOf(args)}`, ...notation(theirDump))
    if (comparable(theirTime, 'exact') !== comparable(ourTime, 'exact')) return mismatch(args, theirTime, ourTime)
    if (isNil(theirDump) || isNil(ourDump)) {
      return isNil(theirDump) === isNil(ourDump) ? null : mismatch(args, theirDump, ourDump)
    }
    const atMs = String(Math.max(0, Number(plainText(theirTime))))
    const restore = (dump: RawReply) => ['RESTORE', key, atMs, bytesOf(dump), 'REPLACE', 'ABSTTL']
    const [[toThem], [toUs]] = await this.ask([restore(ourDump)], [restore(theirDump)])
    return toThem.marker === '+' && toUs.marker === '+' ? null : mismatch(['RESTORE', key], toThem, toUs)
  }

  /** Every key: its type, encoding, expiry and content, and the content of its copy in the other server. */
  async #compareContents(steps: readonly Step[]): Promise<Mismatch | null> {
    const compare = async (
      commands: readonly GeneratedCommand[],
    ): Promise<Mismatch | { theirs: RawReply[]; ours: RawReply[] }> => {
      const [theirs, ours] = await this.ask(commands.map(({ args }) => args))
      for (const [index, { args, comparison }] of commands.entries()) {
        if (repliesAgree(theirs[index], ours[index], comparison)) continue
        if (!isMeant(args, theirs[index], ours[index])) return mismatch(args, theirs[index], ours[index])
      }
      return { theirs, ours }
    }
    const kept = await compare(
      KEYS.flatMap((key): GeneratedCommand[] => [
        { args: ['TYPE', key], comparison: 'exact' },
        { args: ['PEXPIRETIME', key], comparison: 'exact' },
        { args: ['OBJECT', 'ENCODING', key], comparison: 'encoding' },
      ]),
    )
    if ('command' in kept) return kept
    const typed = KEYS.map((key, index) => ({ key, type: plainText(kept.theirs[3 * index]), index }))
    for (const { key, type, index } of typed) {
      const [theirs, ours] = [kept.theirs[3 * index + 2], kept.ours[3 * index + 2]]
      if (!encodingsAgree(plainText(theirs), plainText(ours), type, steps)) {
        return mismatch(['OBJECT', 'ENCODING', key], theirs, ours)
      }
    }
    const there = typed.filter(({ type }) => type !== 'none')
    const contents = await compare(there.flatMap(({ key, type }) => contentCommands(key, type)))
    if ('command' in contents) return contents
    const [theirDumps, ourDumps] = await this.ask(there.map(({ key }) => ['DUMP', key]))
    const restore = (dumps: readonly RawReply[]) =>
      there.map(({ key }, index) => ['RESTORE', `copy:${key}`, '0', bytesOf(dumps[index])])
    const [toThem, toUs] = await this.ask(restore(ourDumps), restore(theirDumps))
    for (const [index, { key }] of there.entries()) {
      if (toThem[index].marker !== '+' || toUs[index].marker !== '+') {
        return mismatch(['RESTORE', `copy:${key}`], toThem[index], toUs[index])
      }
    }
    const copies = await compare(
      there.flatMap(({ key, type }) => [
        ...contentCommands(`copy:${key}`, type),
        { args: ['OBJECT', 'ENCODING', `copy:${key}`], comparison: 'encoding' },
      ]),
    )
    return 'command' in copies ? copies : null
  }
}

function mismatch(command: Command, theirs: RawReply, ours: RawReply): Mismatch {
  return { command, theirs: notation(theirs).join('\n'), ours: notation(ours).join('\n') }
}

function isNil(reply: RawReply): boolean {
  return reply.marker === '_' || (reply.marker === '$' && reply.text === null)
}

function bytesOf(reply: RawReply): Buffer {
  if ('items' in reply || reply.text === null) throw new Error(`no bytes: ${notation(reply).join(' ')}`)
  return reply.text
}

const CONTENT_COMMANDS: Readonly<Record<string, (key: string) => readonly GeneratedCommand[]>> = {
  string: (key) => [{ args: ['GET', key], comparison: 'exact' }],
  list: (key) => [{ args: ['LRANGE', key, '0', '-1'], comparison: 'exact' }],
  hash: (key) => [{ args: ['HGETALL', key], comparison: 'pairs' }],
  set: (key) => [{ args: ['SMEMBERS', key], comparison: 'unordered' }],
  zset: (key) => [{ args: ['ZRANGE', key, '0', '-1', 'WITHSCORES'], comparison: 'exact' }],
  stream: (key) => [
    { args: ['XRANGE', key, '-', '+'], comparison: 'exact' },
    { args: ['XINFO', 'GROUPS', key], comparison: 'exact' },
  ],
}

function contentCommands(key: string, type: string): readonly GeneratedCommand[] {
  const make = CONTENT_COMMANDS[type]
  if (make === undefined) throw new Error(`nothing asks for the content of a ${type}`)
  return make(key)
}

/** What a whole iteration gives, each element once and in order, or the error. */
async function scanAll(side: Side, args: Command): Promise<string> {
  const cursorAt = args[0] === 'SCAN' ? 1 : 2
  const seen = new Set<string>()
  for (let cursor = '0'; ; ) {
    const [reply] = await side.ask([args.map((arg, index) => (index === cursorAt ? cursor : arg))])
    if (reply.marker === '-') return notation(reply).join('\n')
    const [next, elements] = ('items' in reply && reply.items) || []
    const texts = (elements !== undefined && 'items' in elements && elements.items ? elements.items : []).map((item) =>
      notation(item).join('\n'),
    )
    const hasPairs = args[0] === 'HSCAN' || args[0] === 'ZSCAN'
    for (const text of hasPairs ? pairsOf(texts) : texts) seen.add(text)
    cursor = plainText(next)
    if (cursor === '0') return [...seen].sort().join('\n')
  }
}

// ---- Failures ----

function lineOf(command: Command): string {
  return command
    .map((arg) => {
      const bytes = Buffer.from(arg)
      return /^[\w*#.+\-:>()[\]^$?=@]+$/.test(bytes.toString('latin1')) ? bytes.toString() : quoteBytes(bytes)
    })
    .join(' ')
}

/** Leaves out steps as long as the same command still fails. */
async function shrink(players: Players, steps: readonly Step[], failure: Mismatch): Promise<readonly Step[]> {
  let plays = 0
  const stillFails = async (fewer: readonly Step[]) => {
    if (++plays > SHRINKING_PLAYS_MAX) return false
    await players.play(RESET)
    const other = await players.play(fewer)
    return other !== null && String(other.command[0]) === String(failure.command[0])
  }
  let kept = steps
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length; ) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)]
      if (await stillFails(fewer)) kept = fewer
      else at += size
    }
  }
  return kept
}

async function describe(players: Players, steps: readonly Step[], failure: Mismatch, seed: number): Promise<string> {
  const kept = await shrink(players, steps, failure)
  await players.play(RESET)
  const told: string[] = []
  const { command, theirs, ours } = (await players.play(kept, told)) ?? failure
  return [`SEED=${seed} SEQUENCES=1`, ...told, `# differs in: ${lineOf(command)}`, theirs, '# Headpond:', ours].join(
    '\n',
  )
}

async function commandNames(side: Side): Promise<Set<string>> {
  const [reply] = await side.ask([['COMMAND', 'LIST']])
  return new Set('items' in reply ? (reply.items ?? []).map(plainText) : [])
}

test('random commands have the same effect as in redis-server', { timeout: 3_600_000 }, async (t) => {
  const redis = await RedisServer.start('--hz', '500') // it looks so often whether somebody waits for too long
  const headpond = await createServer({ ephemeral: true })
  const sides = [new Side(await redis.connect()), new Side(await RawClient.connect(headpond.port))]
  try {
    const [theirs, ours] = sides
    const theirNames = await commandNames(theirs)
    const names = new Set([...(await commandNames(ours))].filter((name) => theirNames.has(name)))
    const players = new Players(theirs, ours)
    const baseSeed = chooseSeed()
    t.diagnostic(`compared with redis-server ${redis.version}, SEED=${baseSeed}`)
    const failures = new Map<string, string>()
    for (let index = 0; index < SEQUENCE_COUNT && failures.size < FAILURES_MAX; index++) {
      const seed = baseSeed + index
      const random = new SeededRandom(seed)
      const generator = new CommandGenerator(random, names)
      const steps = [
        [{ args: ['HELLO', String(2 + random.below(2))], comparison: 'shape' }] as const,
        ...generator.settings(),
        ...Array.from({ length: STEP_COUNT }, () => generator.next()),
      ]
      await players.play(RESET)
      const failure = await players.play(steps)
      if (failure === null) continue
      const name = String(failure.command[0]).toLowerCase()
      if (!failures.has(name)) failures.set(name, await describe(players, steps, failure, seed))
    }
    assert.ok(failures.size === 0, `\n\n${[...failures.values()].join('\n\n')}\n`)
  } finally {
    for (const side of sides) side.close()
    await redis.stop()
    await headpond.close()
  }
})
