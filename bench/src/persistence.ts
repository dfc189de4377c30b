// Snapshots: how long they take and what clients feel of them, with and without writers beside them, the memory they need
// above the data, the size of the file, and how fast it is loaded again.

import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { measureInTurn } from './in-turn.ts'
import { lineMatches, type RespOptions } from './options.ts'
import type { ProbeResult } from './pause-workers.ts'
import { ReadyMemory } from './ready-memory.ts'
import type { Metric, Report } from './report.ts'
import { ServerProcess, type ServerSpec } from './servers.ts'
import { Worker } from './worker.ts'

const suite = 'persistence'
const metrics = {
  saveSeconds: { suite, name: 'time of a snapshot, nobody writing', unit: 's', precision: 2 },
  pauseMs: {
    suite,
    name: 'longest pause during the first one',
    unit: 'ms',
    precision: 2,
    bar: { on: 'value', atMost: 5 },
    note: 'a GET every millisecond from another process; the bar is on Headpond alone',
  },
  laterPauseMs: {
    suite,
    name: 'longest pause during the third one',
    unit: 'ms',
    precision: 2,
    bar: { on: 'value', atMost: 5 },
    note: 'as above, when V8 has compiled what a snapshot needs',
  },
  stolenPercent: {
    suite,
    name: 'processor time that the host took from the machine during it',
    unit: '%',
    precision: 1,
    note: 'of a virtual machine: while it takes a core, whoever runs there pauses',
  },
  floorMs: {
    suite,
    name: 'longest pause of the idle server, beside as much work of another process',
    unit: 'ms',
    precision: 2,
    note: 'a busy core and a file written as in a snapshot, for as long: what comes near it is the machine',
  },
  loadedSeconds: {
    suite,
    name: 'time of a snapshot while every key is overwritten',
    unit: 's',
    precision: 2,
    note: 'by a loader in pipelines, as fast as the server takes it',
  },
  loadedPauseMs: { suite, name: 'longest pause during it and the writes', unit: 'ms', precision: 2 },
  loadedP999Ms: {
    suite,
    name: '99.9th percentile of the wait during it',
    unit: 'ms',
    precision: 2,
    bar: { on: 'ratio', atMost: 1.2 },
  },
  ownDelayMs: {
    suite,
    name: "the probe's own worst delay",
    unit: 'ms',
    precision: 2,
    note: "how late its timer came, with nobody writing: pauses up to this are the scheduler's",
  },
  memoryPercent: {
    suite,
    name: 'memory above the data during it',
    unit: '%',
    precision: 1,
    bar: { on: 'value', atMost: 10 },
    note: 'resident memory at its highest, against that before; of redis-server with what its child copied. The bar is on Headpond alone',
  },
  fileMb: { suite, name: 'size of the file', unit: 'MB', precision: 1, bar: { on: 'ratio', atMost: 1.05 } },
  startSeconds: {
    suite,
    name: 'start with the file',
    unit: 's',
    precision: 2,
    bar: { on: 'ratio', atMost: 1 },
    note: 'from spawn to the first PONG, which comes when everything is loaded',
  },
} as const satisfies Record<string, Metric>

type Figures = Record<keyof typeof metrics, number>

const START_TIMEOUT_MS = 180_000
const SAMPLE_MS = 10
/** More than the file of 5 million keys takes. */
const FILE_BYTES_MAX = 512 * 2 ** 20

export async function measurePersistence(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  const keyCounts = options.quick ? [1_000_000] : [1_000_000, 5_000_000]
  for (const keyCount of keyCounts) {
    const line = `snapshot ${keyCount / 1_000_000}M`
    if (!lineMatches(line, options.lineWords)) continue
    await measureInTurn(line, metrics, (spec) => measureServer(spec, keyCount), specs, options, report, progress)
  }
}

async function measureServer(spec: ServerSpec, keyCount: number): Promise<Figures> {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-bench-data-'))
  const loader = new Worker()
  const prober = new Worker()
  const memory = new ReadyMemory(FILE_BYTES_MAX)
  try {
    const server = await ServerProcess.start(onDisk(spec, directory))
    try {
      const load = () => loader.ask({ kind: 'load', plan: { port: server.port, keyCount, valueBytes: 20 } }, 'loaded')
      await load()
      const quiet = await probedSnapshot(server, prober, memory, async () => {})
      await probedSnapshot(server, prober, memory, async () => {})
      const later = await probedSnapshot(server, prober, memory, async () => {})
      const path = join(directory, 'toil')
      const sizeBytes = statSync(join(directory, 'dump.rdb')).size
      const work = { kind: 'toil', plan: { path, sizeBytes, seconds: later.seconds } } as const
      const floor = await probed(server, prober, memory, () => loader.ask(work, 'toiled'))
      const busy = await probedSnapshot(server, prober, memory, load)
      return {
        saveSeconds: quiet.seconds,
        pauseMs: quiet.probe.maxMs,
        laterPauseMs: later.probe.maxMs,
        stolenPercent: later.stolenPercent,
        floorMs: floor.probe.maxMs,
        ownDelayMs: quiet.probe.ownDelayMsMax,
        loadedSeconds: busy.seconds,
        loadedPauseMs: busy.probe.maxMs,
        loadedP999Ms: busy.probe.p999Ms,
        memoryPercent: busy.memoryPercent,
        fileMb: statSync(join(directory, 'dump.rdb')).size / 1e6,
        startSeconds: await measureStart(onDisk(spec, directory), server),
      }
    } finally {
      await server.stop()
    }
  } finally {
    loader.close()
    prober.close()
    memory.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The same command, with a directory to keep data in. */
export function onDisk(spec: ServerSpec, directory: string): ServerSpec {
  const command = spec.command.filter((word) => word !== '--ephemeral')
  const settings = ['--dir', directory, '--save', '', '--appendonly', 'no']
  return { ...spec, command: [...command, ...settings] }
}

interface ProbedWork {
  probe: ProbeResult
  stolenPercent: number
}

interface ProbedSnapshot extends ProbedWork {
  seconds: number
  memoryPercent: number
}

async function probedSnapshot(
  server: ServerProcess,
  prober: Worker,
  memory: ReadyMemory,
  besides: () => Promise<unknown>,
): Promise<ProbedSnapshot> {
  const restingBytes = server.rssBytes()
  let highestBytes = restingBytes
  let seconds = 0
  const figures = await probed(server, prober, memory, async () => {
    const startedAtMs = performance.now()
    await server.client.run('BGSAVE')
    const working = besides()
    while ((await server.client.infoNumber('persistence', 'rdb_bgsave_in_progress')) === 1) {
      highestBytes = Math.max(highestBytes, server.rssBytes())
      await sleep(SAMPLE_MS)
    }
    seconds = (performance.now() - startedAtMs) / 1000
    await working
  })
  const copiedBytes = await server.client.infoNumber('persistence', 'rdb_last_cow_size')
  const memoryPercent = (100 * (highestBytes - restingBytes + copiedBytes)) / restingBytes
  return { ...figures, seconds, memoryPercent }
}

/** What a client waits while `work` is done. */
async function probed(
  server: ServerProcess,
  prober: Worker,
  memory: ReadyMemory,
  work: () => Promise<unknown>,
): Promise<ProbedWork> {
  memory.hold()
  await prober.ask({ kind: 'probe-begin', port: server.port }, 'probing')
  memory.release()
  const before = processorTicks()
  await work()
  const after = processorTicks()
  const { result } = await prober.ask({ kind: 'probe-end' }, 'probed')
  const stolenPercent = (100 * (after.stolen - before.stolen)) / (after.total - before.total)
  return { probe: result, stolenPercent }
}

/** What the processors did since the machine was started (proc(5)). */
function processorTicks() {
  const [user, nice, system, idle, ioWait, irq, softIrq, stolen] = readFileSync('/proc/stat', 'latin1')
    .slice('cpu '.length, 200)
    .trim()
    .split(' ')
    .map(Number)
  return { stolen, total: user + nice + system + idle + ioWait + irq + softIrq + stolen }
}

/** Ends a server without another snapshot, and starts it again with its file. */
async function measureStart(spec: ServerSpec, previous: ServerProcess): Promise<number> {
  await previous.stop()
  const server = await ServerProcess.start(spec, { timeoutMs: START_TIMEOUT_MS })
  try {
    return server.startMs / 1000
  } finally {
    await server.stop()
  }
}
