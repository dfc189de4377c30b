// redis-benchmark against each server in turn: commands per second, the slowest percent, and the CPU each command costs.
//
// Both servers stay up for the whole suite and meet the same state: what a line needs is there before it is measured.
// One server idles while the other is loaded.

import { counters, Fill, nothing, strings } from './fixtures.ts'
import { lineMatches, type RespOptions, type Suite } from './options.ts'
import {
  calibrate,
  connectionCount,
  keyCount,
  type Line,
  requireRedisBenchmark,
  runRedisBenchmark,
} from './redis-benchmark.ts'
import { type Metric, noSamples, type Report } from './report.ts'
import { type ServerProcess, type ServerSpec, withServers } from './servers.ts'

const pipelines = [1, 16, 100]
const keysPerMset = 10

/** The tests of redis-benchmark by the size of value that each needs; the first group has none that matters. */
const groups = [
  { valueBytes: 3, label: '', tests: ['ping', 'incr'] },
  { valueBytes: 20, label: ' 20B', tests: ['set', 'get', 'mset'] },
  { valueBytes: 1024, label: ' 1KB', tests: ['set', 'get', 'mset'] },
] as const

export const samples = {
  ping: ['PING'],
  incr: ['INCR', 'counter:000000000000'],
  set: ['SET', 'key:000000000000', ''],
  get: ['GET', 'key:000000000000'],
  mset: ['MSET', 'key:000000000000', ''],
}

export const stringLines: readonly Line[] = groups.flatMap(({ valueBytes, label, tests }) =>
  tests.flatMap((test) =>
    pipelines.map((pipeline) => ({
      name: `${test} P${pipeline}${label}`,
      pipeline,
      workload: ['-t', test === 'ping' ? 'ping_mbulk' : test, '-d', String(valueBytes)],
      sample: samples[test],
      fixture: test === 'ping' ? nothing : test === 'incr' ? counters : strings(valueBytes),
      weight: (test === 'mset' ? keysPerMset : 1) * (valueBytes > 100 ? 4 : 1),
    })),
  ),
)

/** What is measured of each line. */
export interface LineMetrics {
  throughput: Metric
  p99: Metric
  cpu: Metric
}

export function metricsOf(suite: Suite, note: string): LineMetrics {
  return {
    throughput: {
      suite,
      name: 'throughput',
      unit: 'commands/s',
      precision: 0,
      bar: { on: 'ratio', atLeast: 1 },
      note,
    },
    p99: { suite, name: 'p99 latency', unit: 'ms', precision: 3, bar: { on: 'ratio', atMost: 1.2 } },
    cpu: {
      suite,
      name: 'CPU time of the server',
      unit: 'µs/command',
      precision: 3,
      note: 'all threads, user and system; tells the servers apart where the client is what limits',
    },
  }
}

const metrics = metricsOf(
  'throughput',
  `redis-benchmark, ${connectionCount} connections, ${keyCount.toLocaleString('en-US')} keys; an mset writes ${keysPerMset} keys`,
)

export async function measureThroughput(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  await measureLines(stringLines, metrics, options.quick ? 0.5 : 1.4, specs, options, report, progress)
}

/** Those of `lines` that were asked for. @param seconds what a run takes, about */
export async function measureLines(
  lines: readonly Line[],
  metrics: LineMetrics,
  seconds: number,
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  await requireRedisBenchmark()
  const wanted = lines.filter((line) => lineMatches(line.name, options.lineWords))
  if (wanted.length === 0) return
  await withServers(specs, async (servers) => {
    const fill = new Fill()
    for (const line of wanted) {
      if (await isKnown(line, servers, fill)) {
        await measureLine(line, metrics, seconds, servers, fill, options, report)
      } else {
        report.missing(metrics.throughput, line.name, 'not there yet')
      }
      progress(`${line.name}: ${report.progress(line.name)}`)
    }
  })
}

/** Whether all servers have the commands of a line. Any other refusal is a failure: it would be measured as an answer. */
async function isKnown(line: Line, servers: readonly ServerProcess[], fill: Fill): Promise<boolean> {
  for (const server of servers) {
    try {
      await fill.prepare(server, line)
      await server.client.run(...line.sample)
    } catch (error) {
      if (/unknown command/.test((error as Error).message)) return false
      throw new Error(`${line.name} on ${server.role}: ${(error as Error).message}`)
    }
  }
  return true
}

async function measureLine(
  line: Line,
  metrics: LineMetrics,
  seconds: number,
  servers: readonly ServerProcess[],
  fill: Fill,
  options: RespOptions,
  report: Report,
): Promise<void> {
  let commandCount = Number.POSITIVE_INFINITY
  for (const server of servers) {
    const wanted = await calibrate(server, line, seconds, () => fill.prepare(server, line))
    commandCount = Math.min(commandCount, wanted)
  }

  const samples = { throughput: noSamples(), p99: noSamples(), cpu: noSamples() }
  for (let pair = 0; pair < options.pairCount; pair++) {
    for (const server of servers) {
      await fill.prepare(server, line)
      const result = await runRedisBenchmark(server, line, commandCount)
      samples.throughput[server.role].push(result.perSecond)
      samples.p99[server.role].push(result.p99Ms)
      samples.cpu[server.role].push(((result.cpuUserMs + result.cpuSystemMs) * 1000) / commandCount)
    }
  }
  report.add(metrics.throughput, line.name, samples.throughput)
  report.add(metrics.p99, line.name, samples.p99)
  report.add(metrics.cpu, line.name, samples.cpu)
}
