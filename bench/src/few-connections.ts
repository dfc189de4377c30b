// Throughput of few connections, each of which waits for its reply before it asks again: what most applications have. Between
// two requests the server has nothing to do, and what counts is how soon it is there again. And of connections that ask once and
// go, as those of programs that live for one request of their own.

import { nothing, strings } from './fixtures.ts'
import type { RespOptions } from './options.ts'
import { connectionCount, type Line } from './redis-benchmark.ts'
import type { Report } from './report.ts'
import type { ServerSpec } from './servers.ts'
import { measureLines, metricsOf, samples } from './throughput.ts'

const counts = [1, 2, 5, 10]
const valueBytes = 20

const newConnections: Line = {
  name: 'ping once',
  pipeline: 1,
  workload: ['-k', '0', '-t', 'ping_mbulk'],
  sample: samples.ping,
  fixture: nothing,
  weight: 5,
}

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
  `redis-benchmark with ${counts.join(', ')} connections, values of ${valueBytes} bytes; once: ${connectionCount}, and a new one for each request`,
)

export async function measureFewConnections(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  await measureLines([...lines, newConnections], metrics, options.quick ? 0.5 : 1, specs, options, report, progress)
}
