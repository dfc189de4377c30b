// One line of throughput: a workload of redis-benchmark at one depth of pipelining, run against one server.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Fixture } from './fixtures.ts'
import { UsageError } from './options.ts'
import { isInstalled, type ServerProcess } from './servers.ts'

const run = promisify(execFile)

/** The range of `__rand_int__`: keys, fields and members are drawn from so many. */
export const keyCount = 1_000_000
export const connectionCount = 50
const warmUpSeconds = 1

export interface Line {
  readonly name: string
  readonly pipeline: number
  /** `connectionCount` where it does not say otherwise. */
  readonly connections?: number
  /** What follows the common flags of redis-benchmark: `-t set -d 20`, or a command of one's own. */
  readonly workload: readonly string[]
  /** Such a command, to be sent once by hand: redis-benchmark takes an error for an answer like any other. */
  readonly sample: readonly string[]
  readonly fixture: Fixture
  /** Roughly how many times the work of a GET a command is. */
  readonly weight: number
}

/**
 * How many commands keep `server` busy for about `seconds`. Lets it work for as long before it is measured: what is compared
 * is servers that run, and V8 compiles what a line needs in its first tens of thousands of commands.
 * @param prepare puts in place again what a run may have taken out
 */
export async function calibrate(
  server: ServerProcess,
  line: Line,
  seconds: number,
  prepare: () => Promise<void>,
): Promise<number> {
  const first = Math.ceil((line.pipeline === 1 ? 20_000 : 200_000) / line.weight)
  const cold = await runRedisBenchmark(server, line, first)
  await prepare()
  const warmUpCount = countFor(line, cold.perSecond * Math.max(seconds, warmUpSeconds))
  const { perSecond } = await runRedisBenchmark(server, line, warmUpCount)
  return countFor(line, perSecond * seconds)
}

function countFor(line: Line, commandCount: number): number {
  return Math.min(Math.max(1000, Math.round(commandCount)), line.fixture.commandCountMax ?? Number.POSITIVE_INFINITY)
}

export interface RunResult {
  perSecond: number
  p99Ms: number
  cpuUserMs: number
  cpuSystemMs: number
}

export async function runRedisBenchmark(server: ServerProcess, line: Line, commandCount: number): Promise<RunResult> {
  const args = ['-h', '127.0.0.1', '-p', server.port, '-c', line.connections ?? connectionCount, '-P', line.pipeline]
  args.push('-n', commandCount, '-r', keyCount, '--csv', ...line.workload)
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
