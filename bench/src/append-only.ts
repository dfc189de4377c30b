// The append-only file: what each fsync policy costs, how long it takes to load, what a rewrite takes and what clients feel
// of it, and how large the files are.

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { nothing } from './fixtures.ts'
import { measureInTurn } from './in-turn.ts'
import { lineMatches, type RespOptions } from './options.ts'
import { connectionCount, keyCount, type Line } from './redis-benchmark.ts'
import type { Metric, Report } from './report.ts'
import { ServerProcess, type ServerSpec } from './servers.ts'
import { measureLines, metricsOf } from './throughput.ts'
import { Worker } from './worker.ts'

const suite = 'append-only'
const policies = ['no', 'everysec', 'always'] as const
const throughputMetrics = metricsOf(
  suite,
  `SET by redis-benchmark, ${connectionCount} connections, ${keyCount.toLocaleString('en-US')} keys, by appendfsync`,
)
const metrics = {
  loadSeconds: {
    suite,
    name: 'start with the file of commands',
    unit: 's',
    precision: 2,
    bar: { on: 'ratio', atMost: 1 },
    note: 'from spawn to the first PONG, which comes when everything is loaded',
  },
  commandsMb: { suite, name: 'size of the file of commands', unit: 'MB', precision: 1 },
  rewriteSeconds: {
    suite,
    name: 'time of a rewrite while every key is overwritten',
    unit: 's',
    precision: 2,
    note: 'by a loader in pipelines, as fast as the server takes it',
  },
  rewriteP999Ms: {
    suite,
    name: '99.9th percentile of the wait during it',
    unit: 'ms',
    precision: 2,
    bar: { on: 'ratio', atMost: 1.2 },
    note: 'a GET every millisecond from another process',
  },
  rewritePauseMs: { suite, name: 'longest wait during it', unit: 'ms', precision: 2 },
  baseMb: { suite, name: 'size of the base', unit: 'MB', precision: 1, bar: { on: 'ratio', atMost: 1.05 } },
} as const satisfies Record<string, Metric>

type Figures = Record<keyof typeof metrics, number>

const START_TIMEOUT_MS = 120_000

export async function measureAppendOnly(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  for (const policy of policies) {
    const directories = specs.map(() => mkdtempSync(join(tmpdir(), 'headpond-bench-aof-')))
    try {
      const durable = specs.map((spec, index) => appending(spec, directories[index], policy))
      const lines = [1, 16].map((pipeline): Line => {
        // An acknowledgement under `always` takes the time of a sync.
        const weight = policy === 'always' ? 20 : 1
        const workload = ['-t', 'set', '-d', '20']
        const sample = ['SET', 'key:sample', 'value']
        return { name: `set ${policy} P${pipeline}`, pipeline, workload, sample, fixture: nothing, weight }
      })
      await measureLines(lines, throughputMetrics, options.quick ? 0.5 : 1.4, durable, options, report, progress)
    } finally {
      for (const directory of directories) rmSync(directory, { recursive: true, force: true })
    }
  }
  await measureFiles(specs, options, report, progress)
}

async function measureFiles(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  const line = 'files of 1M keys'
  if (!lineMatches(line, options.lineWords)) return
  await measureInTurn(line, metrics, measureServer, specs, options, report, progress)
}

async function measureServer(spec: ServerSpec): Promise<Figures> {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-bench-aof-'))
  const loader = new Worker()
  const prober = new Worker()
  const durable = appending(spec, directory, 'everysec')
  const start = () => ServerProcess.start(durable, { timeoutMs: START_TIMEOUT_MS })
  const load = (port: number) => loader.ask({ kind: 'load', plan: { port, keyCount, valueBytes: 20 } }, 'loaded')
  try {
    let server = await start()
    try {
      await load(server.port)
      await server.stop()
      const commandsMb = megabytesOf(directory, '.incr.aof')
      server = await start()
      const loadSeconds = server.startMs / 1000
      const rewrite = await probedRewrite(server, prober, () => load(server.port))
      return { loadSeconds, commandsMb, ...rewrite, baseMb: megabytesOf(directory, '.base.rdb') }
    } finally {
      await server.stop()
    }
  } finally {
    loader.close()
    prober.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function probedRewrite(
  server: ServerProcess,
  prober: Worker,
  besides: () => Promise<unknown>,
): Promise<Pick<Figures, 'rewriteSeconds' | 'rewriteP999Ms' | 'rewritePauseMs'>> {
  await prober.ask({ kind: 'probe-begin', port: server.port }, 'probing')
  const startedAtMs = performance.now()
  await server.client.run('BGREWRITEAOF')
  const working = besides()
  while ((await server.client.infoNumber('persistence', 'aof_rewrite_in_progress')) === 1) await sleep(10)
  const rewriteSeconds = (performance.now() - startedAtMs) / 1000
  await working
  const { result } = await prober.ask({ kind: 'probe-end' }, 'probed')
  return { rewriteSeconds, rewriteP999Ms: result.p999Ms, rewritePauseMs: result.maxMs }
}

/** The same command, with an append-only file in a directory, which is rewritten only when that is asked for. */
function appending(spec: ServerSpec, directory: string, policy: (typeof policies)[number]): ServerSpec {
  const command = spec.command.filter((word) => word !== '--ephemeral')
  const settings = ['--dir', directory, '--save', '', '--appendonly', 'yes', '--appendfsync', policy]
  return { ...spec, command: [...command, ...settings, '--auto-aof-rewrite-percentage', '0'] }
}

function megabytesOf(directory: string, suffix: string): number {
  const names = readdirSync(directory, { recursive: true }).map(String)
  const sizes = names.filter((name) => name.endsWith(suffix)).map((name) => statSync(join(directory, name)).size)
  return sizes.reduce((sum, size) => sum + size, 0) / 1e6
}
