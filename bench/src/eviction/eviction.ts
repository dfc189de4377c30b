// How often a cache hits: traces replayed against redis-server and Headpond, in the same memory.

import { type EvictionOptions, UsageError } from '../options.ts'
import { alignedTable } from '../report.ts'
import { isInstalled, type Role, ServerProcess, type ServerSpec, specFor } from '../servers.ts'
import { madeTraces } from './made-traces.ts'
import { type Panel, toSvg, toText } from './picture.ts'
import { fill, ReplayConnection, replay, type ValueSize } from './replay.ts'
import { createServerClock, type ServerClock } from './server-clock.ts'
import { recordedTraces, type Trace } from './traces.ts'

/** How near to the wanted number of keys a limit must bring a server. */
const HELD_TOLERANCE = 0.003
const CALIBRATIONS_MAX = 6
/** As long as buffers need to find their size: three seconds of the server's time. */
const FILL_MIN = 30_000
const WARM_UP_GETS = 100
/** What Headpond is to reach: how far it may fall behind on a trace, and lead in the mean. */
const BEHIND_MAX = 0.5
const LEAD_MEAN_MIN = 4.6

interface Run {
  readonly ratio: number
  /** At the end of the replay. */
  readonly heldCount: number
}

/** Hit ratios in percent of one trace at one size. */
export interface SizeResult {
  readonly trace: string
  readonly size: number
  readonly memoryBytes: number
  readonly redisLru: Run
  readonly redisLfu: Run
  /** With as much memory above an empty server as Redis. */
  readonly sameMemory: Run
  /** With as much memory as takes it to hold as many keys as Redis; null where keys of different sizes make that meaningless. */
  readonly sameKeys: Run | null
}

export interface EvictionResult {
  readonly text: string
  readonly svg: string
  readonly results: readonly SizeResult[]
}

export async function measureEviction(
  options: EvictionOptions,
  progress: (text: string) => void,
): Promise<EvictionResult> {
  const traces = chooseTraces(options)
  const redis = await specFor('redis', options.redisCommand, options.node)
  const headpond = await specFor('headpond', options.headpondCommand, options.node)
  if (!(await isInstalled(redis.command[0]))) {
    throw new UsageError(`${redis.command[0]} is not installed: there is nothing to compare with`)
  }
  const clock = await createServerClock()
  progress(
    clock.isMoved
      ? '10,000 accesses to a second of server time, which the replay writes'
      : '10,000 accesses a second in real time: with a C compiler (cc) the replay could move the clock',
  )
  const bench = new Bench(redis, headpond, clock, options.valueBytes, options.policy)
  try {
    const results: SizeResult[] = []
    for (const trace of traces) {
      const keys = trace.load()
      const sizes = options.sizes ?? (options.quick ? [trace.sizes[trace.sizes.length >> 1]] : trace.sizes)
      for (const size of sizes) {
        const result = await bench.measure(trace.name, keys, size)
        results.push(result)
        progress(
          `${trace.name} ${size}: LRU ${percent(result.redisLru)}, LFU ${percent(result.redisLfu)}, ` +
            `${options.policy} ${percent(result.sameMemory)} in the same memory, ${percent(result.sameKeys)} with as many keys`,
        )
      }
    }
    const panels = panelsOf(results, options.policy)
    const heading = `redis-server: ${redis.version}\nheadpond: ${headpond.version}, ${options.policy}\nvalues: ${options.valueBytes === 'varied' ? '10 to 4,000 bytes, the same for a key each time' : `${options.valueBytes} bytes`}, keys: 16 bytes`
    const text = [heading, tableOf(results), verdictOf(results), toText(panels)].join('\n\n')
    return { text: `${text}\n`, svg: toSvg(panels), results }
  } finally {
    clock.close()
  }
}

class Bench {
  readonly #specs: Record<Role, ServerSpec>
  readonly #clock: ServerClock
  readonly #valueSize: ValueSize
  readonly #isVaried: boolean
  readonly #policy: string

  constructor(
    redis: ServerSpec,
    headpond: ServerSpec,
    clock: ServerClock,
    valueBytes: EvictionOptions['valueBytes'],
    policy: string,
  ) {
    const withClock = (spec: ServerSpec) => ({
      ...spec,
      command: [...clock.prefixFor(spec.role), ...spec.command],
    })
    this.#specs = { redis: withClock(redis), headpond: withClock(headpond) }
    this.#clock = clock
    this.#valueSize = valueSizeOf(valueBytes)
    this.#isVaried = valueBytes === 'varied'
    this.#policy = policy
  }

  async measure(trace: string, keys: Int32Array, size: number): Promise<SizeResult> {
    const redis = await this.#limitFor('redis', 'allkeys-lru', size)
    const headpond = await this.#limitFor('headpond', this.#policy, size)
    const memoryBytes = redis.limitBytes - redis.emptyBytes
    return {
      trace,
      size,
      memoryBytes,
      redisLru: await this.#replay('redis', 'allkeys-lru', redis.limitBytes, keys),
      redisLfu: await this.#replay('redis', 'allkeys-lfu', redis.limitBytes, keys),
      sameMemory: await this.#replay('headpond', this.#policy, headpond.emptyBytes + memoryBytes, keys),
      sameKeys: this.#isVaried ? null : await this.#replay('headpond', this.#policy, headpond.limitBytes, keys),
    }
  }

  /**
   * The `maxmemory` with which a server comes to hold so many keys, and what it uses without any, before it has a policy.
   * Each try is a new process, as each replay will be: one that has held more keys before keeps more than they took.
   */
  async #limitFor(role: Role, policy: string, size: number): Promise<{ emptyBytes: number; limitBytes: number }> {
    const [emptyBytes, filledBytes] = await this.#withServer(role, async (server, connection) => {
      for (let count = 0; count < WARM_UP_GETS; count++) await connection.get([0])
      const before = await server.client.infoNumber('memory', 'used_memory')
      await limit(server, policy, 0)
      await fill(connection, this.#clock, size)
      return [before, await server.client.infoNumber('memory', 'used_memory')]
    })
    let limitBytes = filledBytes
    const bytesPerKeyGuess = (filledBytes - emptyBytes) / size
    let bytesPerKey = bytesPerKeyGuess
    let last = { limitBytes: 0, heldCount: 0 }
    for (let round = 0; round < CALIBRATIONS_MAX; round++) {
      const heldCount = await this.#withServer(role, async (server, connection) => {
        await limit(server, policy, limitBytes)
        await fill(connection, this.#clock, Math.max(size * 2, FILL_MIN))
        return Number(await server.client.run('DBSIZE'))
      })
      if (Math.abs(heldCount - size) <= size * HELD_TOLERANCE) break
      const slope = (limitBytes - last.limitBytes) / (heldCount - last.heldCount)
      // Which keys are held decides how many, when their sizes differ: a policy that prefers small ones holds far more.
      if (role === 'headpond' && this.#isVaried) break
      // Where chance has a part in how many are held, two tries near each other tell nothing of a key's size.
      if (round > 0 && slope > bytesPerKeyGuess / 2 && slope < bytesPerKeyGuess * 2) bytesPerKey = slope
      last = { limitBytes, heldCount }
      limitBytes = Math.round(limitBytes + (size - heldCount) * bytesPerKey)
    }
    return { emptyBytes, limitBytes }
  }

  #replay(role: Role, policy: string, limitBytes: number, keys: Int32Array): Promise<Run> {
    return this.#withServer(role, async (server, connection) => {
      await limit(server, policy, limitBytes)
      const hitCount = await replay(connection, this.#clock, keys)
      return { ratio: (hitCount / keys.length) * 100, heldCount: Number(await server.client.run('DBSIZE')) }
    })
  }

  async #withServer<T>(
    role: Role,
    use: (server: ServerProcess, connection: ReplayConnection) => Promise<T>,
  ): Promise<T> {
    this.#clock.restart()
    const server = await ServerProcess.start(this.#specs[role])
    try {
      const connection = await ReplayConnection.connect(server.port, this.#valueSize)
      try {
        return await use(server, connection)
      } finally {
        connection.close()
      }
    } finally {
      // A server whose clock stands still would not come to see the signal.
      const ticking = setInterval(() => this.#clock.reach(this.#clock.elapsedNs + 1e9), 50)
      await server.stop()
      clearInterval(ticking)
    }
  }
}

async function limit(server: ServerProcess, policy: string, limitBytes: number): Promise<void> {
  await server.client.run('CONFIG', 'SET', 'maxmemory-policy', policy)
  await server.client.run('CONFIG', 'SET', 'maxmemory', String(limitBytes))
}

function chooseTraces(options: EvictionOptions): Trace[] {
  const recorded = options.traceDirectory === undefined ? [] : recordedTraces(options.traceDirectory)
  const all = [...recorded, ...madeTraces]
  if (options.traceNames === undefined) return recorded.length > 0 ? recorded : [...madeTraces]
  return options.traceNames.flatMap((name) => {
    if (name === 'made') return [...madeTraces]
    const found = all.find((trace) => trace.name === name)
    if (found === undefined) {
      throw new UsageError(
        `--trace ${name}: there are made (all of those), ${all.map((trace) => trace.name).join(', ')}`,
      )
    }
    return [found]
  })
}

function valueSizeOf(valueBytes: EvictionOptions['valueBytes']): ValueSize {
  if (valueBytes !== 'varied') return () => valueBytes
  // As many of 10 to 40 bytes as of 1,000 to 4,000.
  return (key) => Math.floor(10 * 400 ** (((Math.imul(key, 0x9e3779b1) >>> 8) & 0xffff) / 0x10000))
}

// ---- What comes out ----

const percent = (run: Run | null) => run?.ratio.toFixed(2) ?? '-'
const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(2)}`
const betterOf = ({ redisLru, redisLfu }: SizeResult) => Math.max(redisLru.ratio, redisLfu.ratio)

function tableOf(results: readonly SizeResult[]): string {
  const rows = results.map((result) => [
    result.trace,
    result.size.toLocaleString('en-US'),
    percent(result.redisLru),
    percent(result.redisLfu),
    result.redisLfu.heldCount.toLocaleString('en-US'),
    percent(result.sameMemory),
    signed(result.sameMemory.ratio - betterOf(result)),
    result.sameMemory.heldCount.toLocaleString('en-US'),
    percent(result.sameKeys),
    result.sameKeys === null ? '-' : signed(result.sameKeys.ratio - betterOf(result)),
    Math.round(result.memoryBytes / 1024).toLocaleString('en-US'),
  ])
  const head = [
    'trace',
    'keys',
    'Redis LRU',
    'Redis LFU',
    'same memory',
    'lead',
    'keys held',
    'same keys',
    'lead',
    'KiB',
  ]
  return alignedTable([head, ...rows])
}

/** Of each trace, the middle one of its sizes. */
function verdictOf(results: readonly SizeResult[]): string {
  const names = [...new Set(results.map(({ trace }) => trace))]
  const middle = names.map((name) => {
    const own = results.filter(({ trace }) => trace === name)
    return own[own.length >> 1]
  })
  const lines = (['sameMemory', 'sameKeys'] as const).flatMap((kind) => {
    const leads = middle.flatMap((result) => (result[kind] === null ? [] : [result[kind].ratio - betterOf(result)]))
    if (leads.length === 0) return []
    const mean = leads.reduce((sum, lead) => sum + lead, 0) / leads.length
    const worst = Math.min(...leads)
    const isMet = mean >= LEAD_MEAN_MIN && worst >= -BEHIND_MAX
    return `${kind === 'sameMemory' ? 'in the same memory' : 'with as many keys'}: mean lead ${signed(mean)}, least ${signed(worst)}: ${isMet ? 'met' : 'NOT MET'}`
  })
  const bar = `Bar, at the middle size: a mean lead of ${LEAD_MEAN_MIN} points over the better of Redis's two, nowhere more than ${BEHIND_MAX} behind.`
  return [bar, ...lines].join('\n')
}

function panelsOf(results: readonly SizeResult[], policy: string): Panel[] {
  const names = [...new Set(results.map(({ trace }) => trace))]
  return names.map((name) => {
    const own = results.filter(({ trace }) => trace === name).toSorted((a, b) => a.size - b.size)
    const curve = (label: string, colour: string, kind: 'redisLru' | 'redisLfu' | 'sameMemory') => ({
      name: label,
      colour,
      ratios: own.map((result) => result[kind].ratio),
    })
    return {
      title: name,
      sizes: own.map(({ size }) => size),
      curves: [
        curve(`Headpond ${policy}`, '#0b7a75', 'sameMemory'),
        curve('Redis allkeys-lru', '#d1495b', 'redisLru'),
        curve('Redis allkeys-lfu', '#edae49', 'redisLfu'),
      ],
    }
  })
}
