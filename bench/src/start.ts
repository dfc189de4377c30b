// From spawn to the first PONG.

import type { RespOptions } from './options.ts'
import { type Metric, noSamples, type Report } from './report.ts'
import { ServerProcess, type ServerSpec } from './servers.ts'

const startTime: Metric = {
  suite: 'start',
  name: 'spawn to first PONG',
  unit: 'ms',
  precision: 1,
  bar: { on: 'value', atMost: 300 },
  note: 'the bar is on Headpond alone',
}

export async function measureStart(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  const runCount = options.quick ? 4 : 10
  const samples = noSamples()
  // The first start finds files that nobody has read yet; it shows the disk, not the server.
  for (const spec of specs) await (await ServerProcess.start(spec)).stop()
  for (let i = 0; i < runCount; i++) {
    for (const spec of specs) {
      const server = await ServerProcess.start(spec)
      samples[spec.role].push(server.startMs)
      await server.stop()
    }
  }
  report.add(startTime, 'start', samples)
  progress(`start: ${report.progress('start')}`)
}
