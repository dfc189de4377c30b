// One process, two jobs: what a GET takes while the log is written as fast as a producer can.

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { freePort } from 'headpond/test/free-port.ts'
import { BrokerProcess, headpondSpec, makeDirectory, removeDirectory } from './broker-process.ts'
import type { ProduceLoad } from './load.ts'
import type { Probe, ProbeResult } from './probe.ts'
import { type Bench, runLoad, wants } from './suites.ts'

const MB = 1e6

interface Shape {
  readonly line: string
  readonly load: Pick<ProduceLoad, 'batchBytes' | 'codec' | 'partitionCount' | 'hasKeys'>
  readonly topic: Readonly<Record<string, string>>
}

const SHAPES: readonly Shape[] = [
  { line: '1KB 16K none', load: { batchBytes: 16_384, codec: 'none', partitionCount: 1 }, topic: {} },
  { line: '1KB 256K none', load: { batchBytes: 262_144, codec: 'none', partitionCount: 1 }, topic: {} },
  { line: '1KB 256K none 12p', load: { batchBytes: 262_144, codec: 'none', partitionCount: 12 }, topic: {} },
  { line: '1KB 16K lz4', load: { batchBytes: 16_384, codec: 'lz4', partitionCount: 1 }, topic: {} },
  { line: '1KB 256K lz4', load: { batchBytes: 262_144, codec: 'lz4', partitionCount: 1 }, topic: {} },
  // The broker packs every batch itself.
  {
    line: '1KB 256K into gzip',
    load: { batchBytes: 262_144, codec: 'none', partitionCount: 1 },
    topic: { 'compression.type': 'gzip' },
  },
  // Every record is looked at, so every batch is decompressed; and the cleaner is at work.
  ...(['lz4', 'zstd', 'gzip'] as const).map((codec) => ({
    line: `1KB 256K ${codec} compacted`,
    load: { batchBytes: 262_144, codec, partitionCount: 1, hasKeys: true } as const,
    topic: { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.01', 'segment.ms': '1000' },
  })),
]

/** Of Headpond alone: no other broker has a second job. */
export async function measureTogether({ options, memory, add }: Bench): Promise<void> {
  const seconds = options.quick ? 3 : 8
  const directory = makeDirectory()
  const redisPort = await freePort()
  const spec = headpondSpec(options.node, ['--port', String(redisPort), '--kafka.log.cleaner.backoff.ms', '100'])
  const broker = await BrokerProcess.start(spec, directory)
  try {
    const tell = (line: string, { p50Ms, p99Ms, maxMs }: ProbeResult, idle: ProbeResult, produced: number) => {
      const figures = {
        'p50 ms': p50Ms,
        'p99 ms': p99Ms,
        'max ms': maxMs,
        'p99 of idle': p99Ms / idle.p99Ms,
        ...(produced > 0 ? { 'MB/s': produced / MB } : {}),
      }
      add({ suite: 'together', line, broker: spec.name, figures })
    }
    const ask = () => work<ProbeResult>({ port: redisPort, seconds })
    const idle = await ask()
    tell('idle', idle, idle, 0)
    // What the machine makes of it when others have its processors: two that have nothing to do with the server.
    const burners = [1, 2].map(() => work({ burnSeconds: seconds + 1 }))
    tell('idle, processors busy', await ask(), idle, 0)
    await Promise.all(burners)
    for (const { line, load, topic } of SHAPES) {
      if (!wants(options, line)) continue
      const name = line.replaceAll(' ', '-')
      await broker.createTopic(name, load.partitionCount, topic)
      memory.hold()
      let probed: Promise<ProbeResult> | undefined
      const produce: ProduceLoad = {
        ...{ kind: 'produce', port: broker.port, topic: name, recordBytes: 1024, acks: 1, ...load },
        ...{ partitionsPerRequest: load.partitionCount, connectionCount: 4, inFlightCount: 5, seconds: seconds + 1 },
      }
      const { batchBytes, seconds: producedSeconds } = await runLoad(produce, () => {
        memory.release()
        probed = ask()
      })
      tell(line, await probed!, idle, batchBytes / producedSeconds)
      await broker.deleteTopic(name)
    }
  } finally {
    await broker.stop()
    removeDirectory(directory)
  }
}

/** Has a process of its own do it. */
function work<R>(task: Probe | { readonly burnSeconds: number }): Promise<R> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./probe.js', import.meta.url)))
    let reply: { result?: R; failure?: string } = { failure: 'the probe has ended' }
    child.once('error', reject)
    child.once('message', (message: typeof reply) => {
      reply = message
    })
    child.once('exit', () => {
      if (reply.result === undefined) reject(new Error(reply.failure))
      else resolve(reply.result)
    })
    child.send(task)
  })
}
