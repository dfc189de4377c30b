// Throughput of few connections, each of which waits for its reply before it asks again: what most applications have. Between
// two requests the server has nothing to do, and what counts is how soon it is there again.

import { nothing, strings } from './fixtures.ts'
import type { RespOptions } from './options.ts'
import type { Line } from './redis-benchmark.ts'
import type { Report } from './report.ts'
import type { ServerSpec } from './servers.ts'
import { measureLines, metricsOf, samples } from './throughput.ts'

const counts = [1, 2, 5, 10]
const valueBytes = 20

const lines: readonly Line[] = counts.flatMap((connections) =>
  (['ping', 'set', 'get'] as const).map((test) => ({
    name: `${test} C${connections}`,
    pipeline: 1,
    connections,
    workload: ['-t', test === 'ping' ? 'ping_mbulk' : test, '-d', String(valueBytes)],
    sample: samples[test],
    fixture: test === 'ping' ? nothing : strings(valueBytes),
    // One connection waits for as long as several requests take.
    weight: connections === 1 ? 5 : 1,
  })),
)

const metrics = metricsOf(
  'connections',
  `redis-benchmark with ${counts.join(', ')} connections, values of ${valueBytes} bytes`,
)

export async function measureFewConnections(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  await measureLines(lines, metrics, options.quick ? 0.5 : 1, specs, options, report, progress)
}
