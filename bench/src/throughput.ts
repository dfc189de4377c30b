// redis-benchmark against each server in turn: commands per second, the slowest percent, and the CPU each command costs.
//
// Both servers stay up for the whole suite and every key exists before it is measured, so each pair meets the same
// state. One server idles while the other is loaded.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { load } from './loader.ts'
import { lineMatches, type RespOptions, UsageError } from './options.ts'
import { type Metric, noSamples, type Report } from './report.ts'
import { isInstalled, type ServerProcess, type ServerSpec, withServers } from './servers.ts'

const run = promisify(execFile)

const keyCount = 1_000_000
const connectionCount = 50
const pipelines = [1, 16, 100]
const keysPerMset = 10

/** The tests of redis-benchmark by the size of value that each needs; the first group has none that matters. */
const groups = [
  { valueBytes: 3, label: '', tests: ['ping', 'incr'] },
  { valueBytes: 20, label: ' 20B', tests: ['set', 'get', 'mset'] },
  { valueBytes: 1024, label: ' 1KB', tests: ['set', 'get', 'mset'] },
] as const

export interface Line {
  name: string
  test: 'ping' | 'incr' | 'set' | 'get' | 'mset'
  pipeline: number
  valueBytes: number
}

export const lines: readonly Line[] = groups.flatMap(({ valueBytes, label, tests }) =>
  tests.flatMap((test) =>
    pipelines.map((pipeline) => ({ name: `${test} P${pipeline}${label}`, test, pipeline, valueBytes })),
  ),
)

const throughput: Metric = {
  suite: 'throughput',
  name: 'throughput',
  unit: 'commands/s',
  precision: 0,
  bar: { on: 'ratio', atLeast: 1 },
  note: `redis-benchmark, ${connectionCount} connections, ${keyCount.toLocaleString('en-US')} keys; an mset writes ${keysPerMset} keys`,
}
const p99: Metric = {
  suite: 'throughput',
  name: 'p99 latency',
  unit: 'ms',
  precision: 3,
  bar: { on: 'ratio', atMost: 1.2 },
}
const cpu: Metric = {
  suite: 'throughput',
  name: 'CPU time of the server',
  unit: 'µs/command',
  precision: 3,
  note: 'all threads, user and system; tells the servers apart where the client is what limits',
}

export async function measureThroughput(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  await requireRedisBenchmark()
  const wanted = lines.filter((line) => lineMatches(line.name, options.lineWords))
  if (wanted.length === 0) return
  await withServers(specs, async (servers) => {
    const filled = new Fill()
    for (const line of wanted) {
      for (const server of servers) await filled.prepare(server, line)
      await measureLine(line, servers, options, report)
      progress(`${line.name}: ${report.progress(line.name)}`)
    }
  })
}

/** Makes every key that a line touches exist, with a value of the line's size, unless it does already. */
export class Fill {
  readonly #done = new Map<ServerProcess, string>()

  async prepare(server: ServerProcess, line: Line): Promise<void> {
    if (line.test === 'ping') return
    const counters = line.test === 'incr'
    const wanted = counters ? 'counters' : `${line.valueBytes} bytes`
    if (this.#done.get(server) === wanted) return
    await server.client.run('FLUSHALL')
    const { port } = server
    await load(
      counters
        ? { port, keyCount, valueBytes: 1, prefix: 'counter:', value: '0' }
        : { port, keyCount, valueBytes: line.valueBytes },
    )
    this.#done.set(server, wanted)
  }
}

/** How many commands keep `server` busy for about `seconds`. Warms it up in passing. */
export async function calibrate(server: ServerProcess, line: Line, seconds: number): Promise<number> {
  const perMset = line.test === 'mset' ? keysPerMset : 1
  const first = Math.ceil((line.pipeline === 1 ? 20_000 : 200_000) / perMset / (line.valueBytes > 100 ? 4 : 1))
  const { perSecond } = await runRedisBenchmark(server, line, first)
  return Math.max(1000, Math.round(perSecond * seconds))
}

export interface RunResult {
  perSecond: number
  p99Ms: number
  cpuUserMs: number
  cpuSystemMs: number
}

export async function runRedisBenchmark(server: ServerProcess, line: Line, commandCount: number): Promise<RunResult> {
  const test = line.test === 'ping' ? 'ping_mbulk' : line.test
  const args = ['-h', '127.0.0.1', '-p', server.port, '-t', test, '-c', connectionCount, '-P', line.pipeline]
  args.push('-n', commandCount, '-r', keyCount, '-d', line.valueBytes, '--csv')
  const before = server.cpuMs()
  const { stdout, stderr } = await run('redis-benchmark', args.map(String))
  const after = server.cpuMs()
  return {
    ...parseCsv(stdout, stderr),
    cpuUserMs: after.user - before.user,
    cpuSystemMs: after.system - before.system,
  }
}

export async function requireRedisBenchmark(): Promise<void> {
  if (await isInstalled('redis-benchmark')) return
  throw new UsageError('redis-benchmark is missing: install the package redis-tools (or redis)')
}

async function measureLine(
  line: Line,
  servers: readonly ServerProcess[],
  options: RespOptions,
  report: Report,
): Promise<void> {
  const seconds = options.quick ? 0.5 : 1.4
  let commandCount = Number.POSITIVE_INFINITY
  for (const server of servers) commandCount = Math.min(commandCount, await calibrate(server, line, seconds))

  const samples = { throughput: noSamples(), p99: noSamples(), cpu: noSamples() }
  for (let pair = 0; pair < options.pairCount; pair++) {
    for (const server of servers) {
      const result = await runRedisBenchmark(server, line, commandCount)
      samples.throughput[server.role].push(result.perSecond)
      samples.p99[server.role].push(result.p99Ms)
      samples.cpu[server.role].push(((result.cpuUserMs + result.cpuSystemMs) * 1000) / commandCount)
    }
  }
  const ceiling = line.test === 'ping' ? "Node's ceiling here is about 0.95" : undefined
  report.add(throughput, line.name, samples.throughput, ceiling)
  report.add(p99, line.name, samples.p99)
  report.add(cpu, line.name, samples.cpu)
}

/** `"SET","806451.62","0.882",...` under a line of column names. */
function parseCsv(stdout: string, stderr: string): { perSecond: number; p99Ms: number } {
  const table = stdout
    .split('\n')
    .filter((text) => text.startsWith('"'))
    .map((text) => text.split(',').map((cell) => cell.replaceAll('"', '')))
  const [names, values] = table
  const perSecond = Number(values?.[names.indexOf('rps')])
  const p99Ms = Number(values?.[names.indexOf('p99_latency_ms')])
  if (Number.isNaN(perSecond) || Number.isNaN(p99Ms)) {
    throw new Error(`redis-benchmark printed no figures:\n${stdout}${stderr}`)
  }
  return { perSecond, p99Ms }
}
