/**
 * Lets a server work for many clients, kills its process at a random moment, starts it again, and looks whether everything
 * is there that should be; again and again. The same seed gives the same load and the same moments.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SeededRandom } from '../seeded-random.ts'
import { EXECUTABLE, ServerProcess } from '../server-process.ts'
import { type Keyspace, readKeyspaces } from './keyspace.ts'
import { LoadConnection } from './load-connection.ts'
import { performanceNowMs } from './operations.ts'
import { type Cut, type Participant, verifyOrder } from './participant.ts'
import { MovingQueue, Pool, PoppedQueue } from './queues.ts'
import { Writer } from './writer.ts'

export type Policy = 'always' | 'everysec' | 'no'

/** What one crash came to. */
export interface CrashResult {
  readonly index: number
  readonly seed: number
  readonly policy: Policy
  readonly settings: string
  /** Acknowledged since the last crash; of these, what is not there. */
  readonly ackedCount: number
  readonly lostCount: number
  /** How long before the crash the first that is lost was acknowledged. */
  readonly lostMs: number
  /** Not acknowledged, and there nevertheless, which is allowed. */
  readonly unacknowledgedCount: number
  /** A rewrite or snapshot was in progress. */
  readonly hadSnapshot: boolean
}

export interface CrashRunOptions {
  readonly count: number
  readonly seed: number
  readonly policies?: readonly Policy[]
  /** After so many it begins anew, with other settings. */
  readonly crashesPerDirectory?: number
  readonly onResult?: (result: CrashResult) => void
  /** Reads what another server makes of the directory that the crash left (a copy). */
  readonly readElsewhere?: (directory: string) => Promise<Keyspace[]>
}

const DATABASES = 2
const CRASHES_PER_DIRECTORY = 8
/** It dies when so many operations are acknowledged, or when that takes too long. */
const LOAD_OPERATIONS_MAX = 1500
const LOAD_MS_MAX = 1000
/** After two seconds of waiting for a slow sync the server writes all the same, at its next look. */
const LOOK_MS_MAX = 500
/** What `everysec` may lose at most. */
export const EVERYSEC_MS = 2000
const WRITERS = 5
/** Later than anything that happened, but not than what never happened. */
const AFTERWARDS = Number.MAX_VALUE

export function makeParticipants(random: SeededRandom): Participant[] {
  const chance = () => new SeededRandom(random.below(2 ** 32))
  const writers = Array.from({ length: WRITERS }, (_, index) => new Writer(`w${index}`, index % DATABASES, chance()))
  return [
    ...writers,
    new MovingQueue('moving', chance()),
    new PoppedQueue('popped', chance()),
    new Pool('pool', chance()),
  ]
}

/** Settings that make much happen in a short time. */
export function chooseSettings(random: SeededRandom, policy: Policy): string[] {
  return [
    ...['--appendonly', 'yes', '--appendfsync', policy, '--enable-debug-command', 'yes'],
    ...['--auto-aof-rewrite-percentage', String(random.pick([0, 20, 100])), '--auto-aof-rewrite-min-size', '64kb'],
    ...['--aof-use-rdb-preamble', random.once(4) ? 'no' : 'yes'],
    ...['--aof-timestamp-enabled', random.once(4) ? 'yes' : 'no'],
    ...['--lazyfree-lazy-expire', random.once(2) ? 'yes' : 'no'],
    ...(random.once(3) ? ['--save', '1 1'] : ['--save', '']),
  ]
}

/** The load on one server until it is gone. */
export class Load {
  readonly #port: number
  readonly #participants: readonly Participant[]
  readonly #connections: LoadConnection[] = []
  #work: Promise<unknown> = Promise.resolve()

  constructor(port: number, participants: readonly Participant[]) {
    this.#port = port
    this.#participants = participants
  }

  async start(): Promise<void> {
    const work: Promise<void>[] = []
    for (const participant of this.#participants) {
      const connections: LoadConnection[] = []
      for (let index = 0; index < participant.connectionCount; index++) {
        connections.push(await LoadConnection.connect(this.#port))
      }
      this.#connections.push(...connections)
      work.push(participant.work(connections))
    }
    this.#work = Promise.all(work)
    this.#work.catch(() => {}) // told by `ended`
  }

  /** Asks for rewrites and snapshots now and then, until the time is up or it is enough. */
  async disturb(random: SeededRandom, durationMs: number, isEnough = () => false): Promise<void> {
    const connection = await LoadConnection.connect(this.#port)
    const untilMs = performanceNowMs() + durationMs
    for (;;) {
      const leftMs = untilMs - performanceNowMs()
      if (leftMs <= 0 || connection.isClosed || isEnough()) break
      const kind = random.below(40)
      if (kind < 3) void connection.ask('BGREWRITEAOF')
      if (kind === 3) void connection.ask('BGSAVE', 'SCHEDULE')
      await new Promise((resolve) => setTimeout(resolve, random.below(20)))
    }
    this.#connections.push(connection)
  }

  /** Rejects when somebody was answered wrongly. */
  async ended(): Promise<void> {
    await Promise.all(this.#connections.map(({ closed }) => closed))
    await this.#work
  }
}

export async function crashRepeatedly(options: CrashRunOptions): Promise<CrashResult[]> {
  const { count, seed, policies = ['always', 'everysec'], crashesPerDirectory = CRASHES_PER_DIRECTORY } = options
  const results: CrashResult[] = []
  for (let life = 0; results.length < count; life++) {
    const lifeSeed = (seed + life * 7919) >>> 0
    const random = new SeededRandom(lifeSeed)
    const policy = policies[life % policies.length]
    const crashCount = Math.min(crashesPerDirectory, count - results.length)
    await liveAndDie(options, random, policy, crashCount, lifeSeed, results)
  }
  return results
}

async function liveAndDie(
  options: CrashRunOptions,
  random: SeededRandom,
  policy: Policy,
  crashCount: number,
  seed: number,
  results: CrashResult[],
): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), 'headpond-crash-'))
  const directory = join(base, 'data')
  mkdirSync(directory)
  const settings = chooseSettings(random, policy)
  const participants = makeParticipants(random)
  let server: ServerProcess | null = null
  try {
    server = await start(directory, settings)
    for (let crash = 0; crash < crashCount; crash++) {
      const ackedBefore = total(participants)
      const load = new Load(server.port, participants)
      await load.start()
      const enough = ackedBefore + random.below(LOAD_OPERATIONS_MAX)
      await load.disturb(random, LOAD_MS_MAX, () => total(participants) >= enough)
      const atMs = performanceNowMs()
      await server.stop('SIGKILL')
      await load.ended()
      const hadSnapshot = isSnapshotUnderWay(directory)
      const copy = join(base, `copy-${crash}`)
      if (options.readElsewhere !== undefined) cpSync(directory, copy, { recursive: true })
      // Sometimes it dies again before it has come up.
      if (random.once(4)) await dieWhileStarting(directory, settings, random)
      server = await start(directory, settings)
      const keyspaces = await readAll(server.port)
      const cuts: Cut[] = []
      const bounds = {
        atMs: AFTERWARDS,
        keptUntilMs: policy === 'always' ? AFTERWARDS : atMs - EVERYSEC_MS - LOOK_MS_MAX,
      }
      for (const participant of participants) cuts.push(...participant.verify(keyspaces, bounds, true))
      verifyOrder(cuts)
      if (options.readElsewhere !== undefined) {
        verifySame(keyspaces, await options.readElsewhere(copy))
        rmSync(copy, { recursive: true, force: true })
      }
      const lostAtMs = Math.min(...cuts.map(({ firstLostAckedAtMs }) => firstLostAckedAtMs))
      const result: CrashResult = {
        index: results.length,
        seed,
        policy,
        settings: settings.join(' '),
        ackedCount: total(participants) - ackedBefore,
        lostCount: cuts.reduce((sum, { lostCount }) => sum + lostCount, 0),
        lostMs: Number.isFinite(lostAtMs) ? atMs - lostAtMs : 0,
        unacknowledgedCount: cuts.reduce((sum, { unacknowledgedCount }) => sum + unacknowledgedCount, 0),
        hadSnapshot,
      }
      results.push(result)
      options.onResult?.(result)
    }
    rmSync(base, { recursive: true, force: true })
  } catch (error) {
    throw new Error(
      `crash ${results.length + 1}, seed ${seed} (${settings.join(' ')}), files kept in ${base}: ${(error as Error).message}`,
      { cause: error },
    )
  } finally {
    await server?.stop('SIGKILL')
  }
}

function start(directory: string, settings: readonly string[]): Promise<ServerProcess> {
  return ServerProcess.startIn(directory, '--dir', directory, ...settings)
}

async function dieWhileStarting(directory: string, settings: readonly string[], random: SeededRandom): Promise<void> {
  const args = [EXECUTABLE, '--dir', directory, ...settings, '--port', 'auto', '--memcached-port', '0']
  const child = spawn(process.execPath, args, { cwd: directory, stdio: 'ignore' })
  await new Promise((resolve) => setTimeout(resolve, 100 + random.below(250)))
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

function isSnapshotUnderWay(directory: string): boolean {
  const names = readdirSync(directory, { recursive: true }).map(String)
  return names.some((name) => /temp-[\d-]+\.rdb$/.test(name))
}

function total(participants: readonly Participant[]): number {
  return participants.reduce((sum, { ackedCount }) => sum + ackedCount, 0)
}

export async function readAll(port: number): Promise<Keyspace[]> {
  const connection = await LoadConnection.connect(port)
  try {
    return await readKeyspaces(connection, DATABASES)
  } finally {
    connection.close()
  }
}

/** Two servers make the same of the same files. */
function verifySame(ours: readonly Keyspace[], theirs: readonly Keyspace[]): void {
  for (const [database, keyspace] of ours.entries()) {
    const other = theirs[database]
    for (const key of new Set([...keyspace.keys(), ...other.keys()])) {
      const [one, two] = [keyspace.get(key), other.get(key)].map((found) => JSON.stringify(found))
      if (one !== two) throw new Error(`${key} of database ${database} is ${one} here, and ${two} elsewhere`)
    }
  }
}
