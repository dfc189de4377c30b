/**
 * Lets a broker work for producers and consumers, kills its process at a random moment, starts it again, and looks whether
 * its logs hold what they should; again and again. And the same for what a loss of power may leave of its files.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTopicsRequest, createTopicsResponse } from '#src/kafka/schemas/create-topics.ts'
import { WireClient } from '../../kafka/wire-client.ts'
import { LogFixture, readToEnd } from '../../log/log-fixture.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { ServerProcess } from '../../server-process.ts'
import { chooseMoments, DiskRecord } from '../disk-states.ts'
import { type Crash, type CrashOptions, crashRepeatedly, type Life } from '../lives.ts'
import { performanceNowMs } from '../operations.ts'
import type { LogBounds, SeenRecord } from './log-bounds.ts'
import { LogProducer } from './log-producer.ts'
import { LogReader, readBatches } from './log-reader.ts'

export interface LogCrashResult {
  readonly ackedCount: number
  /** Not acknowledged, and there nevertheless, which is allowed. */
  readonly unacknowledgedCount: number
}

interface Place {
  readonly topic: string
  readonly partition: number
  readonly isCompacted?: boolean
  /** What is acknowledged has been synced: a loss of power takes nothing of it either. */
  readonly isDurable: boolean
}

const PLACES: readonly Place[] = [
  { topic: 'durable', partition: 0, isDurable: true },
  { topic: 'durable', partition: 1, isDurable: true },
  { topic: 'table', partition: 0, isCompacted: true, isDurable: true },
  { topic: 'plain', partition: 0, isDurable: false },
]
const ACKED_MAX = 4000
const LOAD_MS_MAX = 800
const LOGS = 'kafka-logs'
const SETTINGS = ['--save', '', '--appendonly', 'no', '--kafka-port', 'auto', '--kafka.log.cleaner.backoff.ms', '50']
const RECORDER = new URL('../disk-recorder.js', import.meta.url).href

/** Those who work on a broker, and know what must be there. */
class Workers {
  readonly producers: LogProducer[] = []
  readonly readers: LogReader[]
  #clients: WireClient[] = []
  #work: Promise<unknown> = Promise.resolve()

  constructor(random: SeededRandom) {
    for (const place of PLACES) {
      for (const kind of ['idempotent', 'simple']) {
        const name = `${kind}-${place.topic}-${place.partition}`
        this.producers.push(
          new LogProducer(name, place, kind === 'idempotent', new SeededRandom(random.below(2 ** 32))),
        )
      }
    }
    this.readers = PLACES.map((place) => new LogReader(place))
  }

  get ackedCount(): number {
    return this.producers.reduce((sum, { ackedCount }) => sum + ackedCount, 0)
  }

  async start(address: string): Promise<void> {
    const connect = async () => {
      const client = await WireClient.connect(address)
      this.#clients.push(client)
      return client
    }
    const work: Promise<unknown>[] = []
    for (const worker of [...this.producers, ...this.readers]) work.push(worker.work(await connect()))
    this.#work = Promise.all(work)
    this.#work.catch(() => {}) // told by `ended`
  }

  /** Until so many records more are acknowledged, or the time is up. */
  async until(ackedCount: number, durationMs: number): Promise<void> {
    const endMs = performanceNowMs() + durationMs
    while (this.ackedCount < ackedCount && performanceNowMs() < endMs)
      await new Promise((resolve) => setTimeout(resolve, 2))
  }

  /** Rejects when somebody was answered wrongly. */
  async ended(): Promise<void> {
    await Promise.all(this.#clients.map(({ closed }) => closed))
    this.#clients = []
    await this.#work
  }

  /** How many records are there that nobody was told of. */
  verify(
    all: ReadonlyMap<Place, readonly SeenRecord[]>,
    boundsOf: (place: Place) => LogBounds,
    isContinued: boolean,
  ): number {
    let unacknowledgedCount = 0
    for (const [place, records] of all) {
      const isHere = (worker: { topic: string; partition: number }) =>
        worker.topic === place.topic && worker.partition === place.partition
      for (const reader of this.readers.filter(isHere)) reader.verify(records, boundsOf(place))
      for (const producer of this.producers.filter(isHere)) {
        unacknowledgedCount += producer.verify(records, boundsOf(place), isContinued)
      }
    }
    return unacknowledgedCount
  }
}

/** Segments of a few batches, so that much happens in a short time. */
async function createTopics(address: string, random: SeededRandom): Promise<void> {
  const client = await WireClient.connect(address)
  const topic = (name: string, numPartitions: number, configs: Record<string, string>) => ({
    name,
    numPartitions,
    replicationFactor: 1,
    assignments: [],
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  })
  const segments = {
    'segment.bytes': String(random.pick([3000, 20_000, 200_000])),
    'index.interval.bytes': '500',
    // Records have times of long ago: a broker that runs for ten seconds would delete them.
    'retention.ms': '-1',
  }
  const answer = await client.call(createTopicsRequest, createTopicsResponse, 5, {
    topics: [
      topic('durable', 2, { ...segments, 'flush.messages': '1' }),
      topic('table', 1, {
        ...segments,
        'flush.messages': '1',
        'cleanup.policy': 'compact',
        'min.cleanable.dirty.ratio': '0.01',
        'file.delete.delay.ms': '100',
      }),
      topic('plain', 1, { ...segments, 'compression.type': random.pick(['producer', 'lz4', 'zstd']) }),
    ],
    timeoutMs: 10_000,
  })
  client.close()
  for (const { name, errorCode, errorMessage } of answer.topics) {
    if (errorCode !== 0) throw new Error(`topic ${name}: error ${errorCode} ${errorMessage}`)
  }
}

export function crashLogsRepeatedly(options: CrashOptions<LogCrashResult>): Promise<Crash<LogCrashResult>[]> {
  return crashRepeatedly('log', options, beginLife)
}

function beginLife(random: SeededRandom, directory: string): Life<LogCrashResult> {
  const workers = new Workers(random)
  const bounds = { atMs: Number.MAX_VALUE, isEverythingKept: true }
  let server: ServerProcess | null = null
  const start = async () => {
    server = await ServerProcess.startIn(directory, '--dir', directory, ...SETTINGS)
    return server
  }
  const stop = async () => void (await server?.stop('SIGKILL'))
  return {
    stop,
    async start() {
      const { kafkaAddress } = await start()
      await createTopics(kafkaAddress, random)
    },
    async crash() {
      const ackedBefore = workers.ackedCount
      await workers.start(server!.kafkaAddress)
      await workers.until(ackedBefore + random.below(ACKED_MAX), LOAD_MS_MAX)
      await stop()
      await workers.ended()
      const { kafkaAddress } = await start()
      const unacknowledgedCount = workers.verify(await readOverWire(kafkaAddress), () => bounds, true)
      return { ackedCount: workers.ackedCount - ackedBefore, unacknowledgedCount }
    },
  }
}

async function readOverWire(address: string): Promise<Map<Place, SeenRecord[]>> {
  const all = new Map<Place, SeenRecord[]>()
  const client = await WireClient.connect(address)
  for (const place of PLACES) all.set(place, await new LogReader(place).work(client, true))
  client.close()
  return all
}

/** Returns how many steps to the disk were recorded, and in how many of the disks that they may have left records were looked at. */
export async function losePowerOfLogs(options: {
  seed: number
  loadMs: number
  stateCount: number
}): Promise<{ eventCount: number; stateCount: number }> {
  const { seed, loadMs, stateCount } = options
  const random = new SeededRandom(seed)
  const base = mkdtempSync(join(tmpdir(), 'headpond-log-power-'))
  const [directory, shadows] = [join(base, 'data'), join(base, 'record')]
  mkdirSync(directory)
  const workers = new Workers(random)
  let message = ''
  try {
    const env = { RECORDED_DIRECTORY: directory, RECORDED_TO: shadows }
    const server = await ServerProcess.startWith(RECORDER, env, directory, '--dir', directory, ...SETTINGS)
    let startedAtMs: number
    try {
      await createTopics(server.kafkaAddress, random)
      startedAtMs = performanceNowMs()
      await workers.start(server.kafkaAddress)
      await workers.until(Number.POSITIVE_INFINITY, loadMs)
      await server.stop('SIGKILL')
      await workers.ended()
    } finally {
      await server.stop('SIGKILL')
    }
    const record = new DiskRecord(shadows)
    for (const atMs of chooseMoments(record.events, startedAtMs, stateCount, random)) {
      const state = join(base, 'state')
      mkdirSync(state)
      const story = record.writeState(directory, state, atMs, random)
      message = `at ${atMs.toFixed(3)}: ${story.join('; ')}`
      const boundsOf = ({ isDurable }: Place) => ({ atMs, isEverythingKept: isDurable })
      // Twice: what was repaired the first time is well the second time.
      for (let round = 0; round < 2; round++) workers.verify(await readDirectory(join(state, LOGS)), boundsOf, false)
      rmSync(state, { recursive: true })
    }
    rmSync(base, { recursive: true })
    return { eventCount: record.events.length, stateCount }
  } catch (error) {
    const problem = (error as Error).message
    throw new Error(`seed ${seed}, files kept in ${base}: ${problem}\n${message}`, { cause: error })
  }
}

async function readDirectory(directory: string): Promise<Map<Place, SeenRecord[]>> {
  const fixture = new LogFixture(directory)
  const logs = await fixture.start()
  const all = new Map<Place, SeenRecord[]>()
  for (const place of PLACES) {
    const log = logs.partition(place.topic, place.partition)
    if (log === undefined) throw new Error(`topic ${place.topic} is gone`)
    if (log.storageProblem !== null) throw new Error(`${log.describe()}: ${log.storageProblem}`)
    const bytes = Buffer.concat(await readToEnd(log))
    all.set(place, readBatches(bytes, log.logStartOffset, place.isCompacted === true).records)
  }
  await logs.close()
  return all
}
