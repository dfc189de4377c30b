import type { RespOptions } from './options.ts'
import { type Metric, noSamples, type Report, type Samples } from './report.ts'
import type { ServerSpec } from './servers.ts'

const RUNS_MAX = 3

/** Measures all figures of a line on each server in turn, a few times, and reports them. */
export async function measureInTurn<Name extends string>(
  line: string,
  metrics: Readonly<Record<Name, Metric>>,
  measure: (spec: ServerSpec) => Promise<Readonly<Record<Name, number>>>,
  specs: readonly ServerSpec[],
  { pairCount }: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  const names = Object.keys(metrics) as Name[]
  const samples = new Map<Name, Samples>(names.map((name) => [name, noSamples()]))
  const runCount = Math.min(pairCount, RUNS_MAX)
  for (let run = 1; run <= runCount; run++) {
    for (const spec of specs) {
      const figures = await measure(spec)
      for (const name of names) samples.get(name)![spec.role].push(figures[name])
    }
    progress(`run ${run} of ${runCount} done`)
  }
  for (const name of names) report.add(metrics[name], line, samples.get(name)!)
  progress(`${line}: ${report.progress(line)}`)
}
