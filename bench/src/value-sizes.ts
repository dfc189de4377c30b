// Throughput of longer values: what a page or a document of JSON takes. They come in several reads, and those of the last three
// sizes have buffers of their own in the store.

import type { Fixture } from './fixtures.ts'
import { load } from './loader.ts'
import type { RespOptions } from './options.ts'
import type { Line } from './redis-benchmark.ts'
import type { Report } from './report.ts'
import type { ServerSpec } from './servers.ts'
import { measureLines, metricsOf, samples } from './throughput.ts'

const sizesKb = [4, 10, 30, 100, 1000]
const pipelines = [1, 16]
/** Each is set again and again, and all of them together are little memory. */
const keyCount = 100
const batchCount = 4

function values(sizeKb: number): Fixture {
  const valueBytes = sizeKb * 1000
  return { name: `values of ${sizeKb} KB`, load: (port) => load({ port, keyCount, valueBytes, batchCount }) }
}

const lines: readonly Line[] = sizesKb.flatMap((sizeKb) =>
  (['set', 'get'] as const).flatMap((test) =>
    pipelines.map((pipeline) => ({
      name: `${test} P${pipeline} ${sizeKb}KB`,
      pipeline,
      workload: ['-t', test, '-d', String(sizeKb * 1000), '-r', String(keyCount)],
      sample: samples[test],
      fixture: values(sizeKb),
      weight: 1 + sizeKb / 2,
    })),
  ),
)

const metrics = metricsOf('value-sizes', `redis-benchmark over ${keyCount} keys`)

export async function measureValueSizes(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  await measureLines(lines, metrics, options.quick ? 0.5 : 1, specs, options, report, progress)
}
