// The longest time that a client waits while the server is busy with many keys: loading them, expiring them all in the
// same moment, and flushing them, at once and in the background. `pause-workers.ts` holds the probe and the loader.

import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadPlan } from './loader.ts'
import { lineMatches, type RespOptions } from './options.ts'
import type { ProbeResult } from './pause-workers.ts'
import { type Metric, noSamples, type Report } from './report.ts'
import { ServerProcess, type ServerSpec } from './servers.ts'
import { Worker } from './worker.ts'

const phases = ['load', 'flush', 'expire', 'flush-async'] as const
type Phase = (typeof phases)[number]

const longest: Metric = {
  suite: 'pauses',
  name: 'longest pause',
  unit: 'ms',
  precision: 2,
  bar: { on: 'ratio', atMost: 1 },
  note: 'a GET every millisecond from another process',
}
const floor: Metric = {
  suite: 'pauses',
  name: 'longest pause of the idle server',
  unit: 'ms',
  precision: 2,
  note: 'the floor of this measurement: what comes near it is the machine, not the server',
}
const p999: Metric = { suite: 'pauses', name: '99.9th percentile of the wait', unit: 'ms', precision: 2 }
const ownDelay: Metric = { suite: 'pauses', name: "the probe's own worst delay", unit: 'ms', precision: 2 }
const duration: Metric = { suite: 'pauses', name: 'time the work took', unit: 's', precision: 2 }

/** How long after the work the probe goes on: what was put off shows then. */
const afterglowMs = 1000
/** The probe is at work this long before the keys expire, its own warm-up included. */
const beforehandMs = 1000
const expiryTimeoutMs = 180_000

export async function measurePauses(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  const keyCount = options.quick ? 1_000_000 : 10_000_000
  const wanted = phases.filter((phase) => lineMatches(lineName(phase, keyCount), options.lineWords))
  if (wanted.length === 0) return
  const samples = new Map(
    wanted.map((phase) => [phase, { max: noSamples(), p999: noSamples(), own: noSamples(), took: noSamples() }]),
  )
  const idle = noSamples()
  // A run over 10 M keys takes two and a half minutes for each server.
  const runCount = Math.min(options.pairCount, 2)
  for (let i = 0; i < runCount; i++) {
    for (const spec of specs) {
      const { idleMs, results } = await measureServer(spec, keyCount, wanted)
      idle[spec.role].push(idleMs)
      for (const [phase, { probe, tookMs }] of results) {
        const into = samples.get(phase)
        into?.max[spec.role].push(probe.maxMs)
        into?.p999[spec.role].push(probe.p999Ms)
        into?.own[spec.role].push(probe.ownDelayMsMax)
        if (phase !== 'flush-async') into?.took[spec.role].push(tookMs / 1000)
      }
    }
    progress(`run ${i + 1} of ${runCount} done`)
  }
  report.add(floor, 'idle', idle)
  for (const [phase, { max, p999: high, own, took }] of samples) {
    const line = lineName(phase, keyCount)
    report.add(longest, line, max)
    report.add(p999, line, high)
    report.add(ownDelay, line, own)
    // In the background the reply comes at once; when the work ends, no server tells.
    if (phase !== 'flush-async') report.add(duration, line, took)
    progress(`${line}: ${report.progress(line)}`)
  }
}

interface PhaseResult {
  probe: ProbeResult
  tookMs: number
}

/** One fresh server through the phases. A load is probed once, and serves the flush that follows it. */
async function measureServer(spec: ServerSpec, keyCount: number, wanted: readonly Phase[]) {
  const results = new Map<Phase, PhaseResult>()
  const server = await ServerProcess.start(spec)
  const loader = new Worker()
  const prober = new Worker()
  const plan: LoadPlan = { port: server.port, keyCount, valueBytes: 20 }

  const probed = async (work: () => Promise<unknown>): Promise<PhaseResult> => {
    await prober.ask({ kind: 'probe-begin', port: server.port }, 'probing')
    const startedAtMs = performance.now()
    await work()
    const tookMs = performance.now() - startedAtMs
    await sleep(afterglowMs)
    const { result } = await prober.ask({ kind: 'probe-end' }, 'probed')
    return { probe: result, tookMs }
  }
  const fill = (setOptions: readonly string[] = []) =>
    loader.ask({ kind: 'load', plan: { ...plan, setOptions } }, 'loaded')

  try {
    const idle = await probed(() => sleep(afterglowMs))
    const load = await probed(fill)
    results.set('load', load)
    results.set('flush', await probed(() => server.client.run('FLUSHALL', 'SYNC')))
    if (wanted.includes('expire')) {
      const expireAtMs = await fillUntil(fill, load.tookMs)
      await sleep(Math.max(0, expireAtMs - Date.now() - beforehandMs))
      results.set('expire', await probed(() => emptied(server, expireAtMs)))
    }
    if (wanted.includes('flush-async')) {
      await fill()
      results.set('flush-async', await probed(() => server.client.run('FLUSHALL', 'ASYNC')))
    }
    return { idleMs: idle.probe.maxMs, results: new Map([...results].filter(([phase]) => wanted.includes(phase))) }
  } finally {
    loader.close()
    prober.close()
    await server.stop()
  }
}

/** Loads keys that all expire at one moment, which must lie after the load. Returns that moment. */
async function fillUntil(fill: (setOptions: readonly string[]) => Promise<unknown>, loadMs: number): Promise<number> {
  for (let reserve = 1.5; ; reserve *= 2) {
    const expireAtMs = Date.now() + Math.round(loadMs * reserve) + 2 * beforehandMs
    await fill(['PXAT', String(expireAtMs)])
    if (Date.now() < expireAtMs - beforehandMs) return expireAtMs
  }
}

/** Resolves when the active expiry has removed every key by itself. */
async function emptied(server: ServerProcess, expireAtMs: number): Promise<void> {
  while ((await server.client.run('DBSIZE')) !== '0') {
    if (Date.now() > expireAtMs + expiryTimeoutMs) {
      throw new Error(`${server.role} still holds expired keys after ${expiryTimeoutMs / 1000} s`)
    }
    await sleep(100)
  }
}

function lineName(phase: Phase, keyCount: number): string {
  return `${phase} ${keyCount / 1_000_000}M`
}
