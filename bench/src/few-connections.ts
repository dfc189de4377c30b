// Throughput of few connections, each of which waits for its reply before it asks again: what most applications have. Between
// two requests the server has nothing to do, and what counts is how soon it is there again.

import { nothing, strings } from './fixtures.ts'
import type { RespOptions } from './options.ts'
import type { Line } from './redis-benchmark.ts'
import type { Report } from './report.ts'
import type { ServerSpec } from './servers.ts'
import { measureLines, metricsOf } from './throughput.ts'

const counts = [1, 2, 5, 10]
const valueBytes = 20

const lines: readonly Line[] = counts.flatMap((connections) => {
  const common = { pipeline: 1, connections, weight: connections === 1 ? 5 : 1 }
  const of = (test: string) => ['-t', test, '-d', String(valueBytes)]
  return [
    { ...common, name: `ping C${connections}`, workload: of('ping_mbulk'), sample: ['PING'], fixture: nothing },
    {
      ...{ ...common, name: `set C${connections}`, workload: of('set'), sample: ['SET', 'key:000000000000', ''] },
      fixture: strings(valueBytes),
    },
    {
      ...{ ...common, name: `get C${connections}`, workload: of('get'), sample: ['GET', 'key:000000000000'] },
      fixture: strings(valueBytes),
    },
  ]
})

const metrics = metricsOf('connections', 'redis-benchmark with 1, 2, 5 and 10 connections, values of 20 bytes')

export async function measureFewConnections(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  await measureLines(lines, metrics, options.quick ? 0.5 : 1, specs, options, report, progress)
}
