// What is measured: each suite starts brokers, puts load on them and adds lines to the report.

import { execFile, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { KafkaBenchOptions } from '../options.ts'
import type { ReadyMemory } from '../ready-memory.ts'
import { type Baseline, measureBaseline } from './baseline.ts'
import { BrokerProcess, type BrokerSpec, bareSpec, makeDirectory, removeDirectory } from './broker-process.ts'
import { measureClients } from './clients.ts'
import { type Load, type LoadReply, type LoadResult, type ProduceLoad, produceOnce } from './load.ts'

/** One row of a table: a line, and what each broker did with it. */
export interface Line {
  readonly suite: string
  readonly line: string
  readonly broker: string
  readonly figures: Readonly<Record<string, number | string>>
}

export interface Bench {
  readonly options: KafkaBenchOptions
  readonly specs: readonly BrokerSpec[]
  /** Of Apache Kafka's own tools; null where they cannot be had. */
  readonly classPath: string | null
  /** Held until what writes is measured. */
  readonly memory: ReadyMemory
  add(line: Line): void
}

const MB = 1e6
const GB = 1e9
const BASELINE_TRIES = 2

/** A load runs in a process of its own: it is what the machine's other core does. */
export function runLoad(load: Load, onMeasuring: () => void = () => {}): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./load.js', import.meta.url)))
    child.once('error', reject)
    let reply: LoadReply = { failure: 'the load generator has ended' }
    child.on('message', (message: LoadReply) => {
      if (message.isReady) {
        onMeasuring()
        child.send({ mayBegin: true })
      } else {
        reply = message
      }
    })
    child.once('exit', () => {
      if (reply.result === undefined) reject(new Error(reply.failure))
      else resolve(reply.result)
    })
    child.send(load)
  })
}

export async function withBroker(spec: BrokerSpec, use: (broker: BrokerProcess) => Promise<void>): Promise<void> {
  const directory = makeDirectory()
  const broker = await BrokerProcess.start(spec, directory)
  try {
    await use(broker)
  } finally {
    await broker.stop()
    removeDirectory(directory)
  }
}

/** The best that this machine can do with so many bytes, in batches of a size: of several tries, since others take its processors too. */
function baselineOf(batchBytes: number, sizeBytes: number, { memory }: Bench): Baseline {
  const tries = Array.from({ length: BASELINE_TRIES }, () => {
    const directory = makeDirectory()
    memory.hold()
    memory.release()
    try {
      return measureBaseline(directory, batchBytes, sizeBytes)
    } finally {
      removeDirectory(directory)
    }
  })
  return {
    bytesPerSecond: Math.max(...tries.map(({ bytesPerSecond }) => bytesPerSecond)),
    bytesPerCpuSecond: Math.max(...tries.map(({ bytesPerCpuSecond }) => bytesPerCpuSecond)),
  }
}

/** What a producer's load costs a broker, in MB/s and processor time: as it is once everything is compiled. */
export async function measureLoad(
  broker: BrokerProcess,
  memory: ReadyMemory,
  load: Omit<ProduceLoad, 'kind' | 'port' | 'topic'>,
): Promise<{ result: LoadResult; cpuSeconds: number }> {
  let cpuBeforeMs = 0
  memory.hold()
  const result = await runLoad({ kind: 'produce', port: broker.port, topic: 'bench', ...load }, () => {
    memory.release()
    cpuBeforeMs = broker.cpuMs()
  })
  return { result, cpuSeconds: (broker.cpuMs() - cpuBeforeMs) / 1000 }
}

const PRODUCE_LINES: readonly Pick<ProduceLoad, 'recordBytes' | 'acks' | 'partitionCount' | 'codec' | 'batchBytes'>[] =
  [
    ...[100, 1024].flatMap((recordBytes) =>
      ([1, -1] as const).flatMap((acks) =>
        [1, 12].flatMap((partitionCount) =>
          (['none', 'lz4'] as const).map((codec) => ({ recordBytes, acks, partitionCount, codec, batchBytes: 16_384 })),
        ),
      ),
    ),
    { recordBytes: 1024, acks: -1, partitionCount: 1, codec: 'none', batchBytes: 262_144 },
    { recordBytes: 1024, acks: -1, partitionCount: 12, codec: 'none', batchBytes: 262_144 },
  ]

export function wants({ lineWords }: KafkaBenchOptions, line: string): boolean {
  const words = line.toLowerCase().split(' ')
  return lineWords.every((word) => words.includes(word))
}

/**
 * Producers: with a single one and small batches, what is measured is the way there and back (a server that does nothing but
 * answer takes a quarter of what it takes from four).
 */
const CONNECTION_COUNT = 4

/** Batches as producers send them: one for each partition in a request, five requests of each producer under way. */
export async function measureProduce(bench: Bench): Promise<void> {
  const { options, specs, memory, add } = bench
  for (const shape of PRODUCE_LINES) {
    const { recordBytes, acks, partitionCount, codec, batchBytes } = shape
    const line = `${recordBytes}B acks=${acks === 1 ? 1 : 'all'} ${partitionCount}p ${codec} ${batchBytes / 1024}K`
    if (!wants(options, line)) continue
    for (const spec of [...specs, bareSpec(options.node)]) {
      await withBroker(spec, async (broker) => {
        await broker.createTopic('bench', partitionCount)
        const { result, cpuSeconds } = await measureLoad(broker, memory, {
          partitionsPerRequest: partitionCount,
          connectionCount: CONNECTION_COUNT,
          inFlightCount: 5,
          seconds: options.quick ? 1 : 2,
          ...shape,
        })
        const baseline = baselineOf(batchBytes, result.batchBytes, bench)
        add({
          suite: 'produce',
          line,
          broker: spec.name,
          figures: {
            'MB/s': result.batchBytes / result.seconds / MB,
            'records/s': result.recordCount / result.seconds,
            'CPU s/GB': cpuSeconds / (result.batchBytes / GB),
            'baseline MB/s': baseline.bytesPerSecond / MB,
            'of baseline': result.batchBytes / result.seconds / baseline.bytesPerSecond,
            'of baseline by CPU': result.batchBytes / cpuSeconds / baseline.bytesPerCpuSecond,
            'p99 ms': result.p99Ms,
            'RSS MB': broker.rssBytes() / MB,
          },
        })
      })
    }
  }
}

/** The same log read twice: as it was written (from memory, what fits), and by a broker that has just started. */
export async function measureConsume({ options, specs, add }: Bench): Promise<void> {
  const bytesMax = options.quick ? 200 * MB : 1 * GB
  for (const { recordBytes, partitionCount } of [
    { recordBytes: 100, partitionCount: 1 },
    { recordBytes: 1024, partitionCount: 1 },
    { recordBytes: 1024, partitionCount: 12 },
  ]) {
    const line = `${recordBytes}B ${partitionCount}p`
    if (!wants(options, line)) continue
    for (const spec of specs) {
      const directory = makeDirectory()
      try {
        let broker = await BrokerProcess.start(spec, directory)
        await broker.createTopic('bench', partitionCount)
        const shape = { recordBytes, partitionCount, partitionsPerRequest: partitionCount, batchBytes: 16_384 }
        const produced = {
          codec: 'none',
          acks: 1,
          connectionCount: 1,
          inFlightCount: 5,
          seconds: 60,
          bytesMax,
        } as const
        await runLoad({ kind: 'produce', port: broker.port, topic: 'bench', ...shape, ...produced })
        await measureRead(broker, `${line} warm`, partitionCount, add)
        await broker.stop()
        broker = await BrokerProcess.start(spec, directory)
        await measureRead(broker, `${line} from files`, partitionCount, add)
        await broker.stop()
      } finally {
        removeDirectory(directory)
      }
    }
  }
}

async function measureRead(
  broker: BrokerProcess,
  line: string,
  partitionCount: number,
  add: (line: Line) => void,
): Promise<void> {
  const cpuBeforeMs = broker.cpuMs()
  const result = await runLoad({ kind: 'consume', port: broker.port, topic: 'bench', partitionCount, seconds: 60 })
  add({
    suite: 'consume',
    line,
    broker: broker.name,
    figures: {
      'MB/s': result.batchBytes / result.seconds / MB,
      'records/s': result.recordCount / result.seconds,
      'CPU s/GB': (broker.cpuMs() - cpuBeforeMs) / 1000 / (result.batchBytes / GB),
      'p99 ms': result.p99Ms,
      'RSS MB': broker.rssBytes() / MB,
    },
  })
}

/** From a producer without linger to a consumer that waits, 5,000 records a second. */
export async function measureLatency({ options, specs, add }: Bench): Promise<void> {
  for (const acks of [1, -1] as const) {
    for (const recordBytes of [100, 1024]) {
      const line = `${recordBytes}B acks=${acks === 1 ? 1 : 'all'} 5k/s`
      if (!wants(options, line)) continue
      for (const spec of specs) {
        await withBroker(spec, async (broker) => {
          await broker.createTopic('bench', 1)
          const { port } = broker
          const seconds = options.quick ? 2 : 8
          const load = {
            kind: 'latency',
            port,
            topic: 'bench',
            recordBytes,
            acks,
            recordsPerSecond: 5000,
            seconds,
          } as const
          const { p50Ms, p99Ms, recordCount } = await runLoad(load)
          const figures = { 'p50 ms': p50Ms, 'p99 ms': p99Ms, 'records/s': recordCount / seconds }
          add({ suite: 'latency', line, broker: spec.name, figures })
        })
      }
    }
  }
}

/** The same load on few partitions and on many: each request has a batch for one of them, in turn. */
export async function measurePartitions({ options, specs, memory, add }: Bench): Promise<void> {
  for (const partitionCount of [1, 100, 5000]) {
    const line = `1024B ${partitionCount}p`
    if (!wants(options, line)) continue
    for (const spec of specs) {
      await withBroker(spec, async (broker) => {
        await broker.createTopic('bench', partitionCount)
        const { result, cpuSeconds } = await measureLoad(broker, memory, {
          ...{ partitionCount, partitionsPerRequest: 1, recordBytes: 1024, batchBytes: 16_384, codec: 'none', acks: 1 },
          ...{ connectionCount: 1, inFlightCount: 5, seconds: options.quick ? 1 : 2 },
        })
        const read = await runLoad({ kind: 'consume', port: broker.port, topic: 'bench', partitionCount, seconds: 20 })
        add({
          suite: 'partitions',
          line,
          broker: spec.name,
          figures: {
            'produce MB/s': result.batchBytes / result.seconds / MB,
            'CPU s/GB': cpuSeconds / (result.batchBytes / GB),
            'consume MB/s': read.batchBytes / read.seconds / MB,
            'RSS MB': broker.rssBytes() / MB,
          },
        })
      })
    }
  }
}

const START_PARTITION_COUNT = 5000

/** From the start of the process to its first answer, and to the first record in a new topic: empty, and with many partitions. */
export async function measureStart({ options, specs, add }: Bench): Promise<void> {
  for (const spec of specs) {
    const directory = makeDirectory()
    try {
      for (const partitionCount of [0, START_PARTITION_COUNT]) {
        const line = `${partitionCount} partitions`
        if (partitionCount > 0) {
          const first = await BrokerProcess.start(spec, directory)
          await first.createTopic('many', partitionCount)
          const shape = { partitionCount, partitionsPerRequest: 500, recordBytes: 100, batchBytes: 1000 }
          const load = { codec: 'none', acks: 1, connectionCount: 1, inFlightCount: 1, seconds: 60 } as const
          const bytesMax = partitionCount * 900
          await runLoad({ kind: 'produce', port: first.port, topic: 'many', ...shape, ...load, bytesMax })
          await first.stop()
        }
        const broker = await BrokerProcess.start(spec, directory)
        const answeredAtMs = performance.now()
        await broker.createTopic(`first-${partitionCount}`, 1)
        await produceOnce(broker.port, `first-${partitionCount}`)
        const firstProduceMs = broker.startMs + performance.now() - answeredAtMs
        const figures = {
          'start ms': broker.startMs,
          'first produce ms': firstProduceMs,
          'RSS MB': broker.rssBytes() / MB,
        }
        await broker.stop()
        if (wants(options, line)) add({ suite: 'start', line, broker: spec.name, figures })
      }
    } finally {
      removeDirectory(directory)
    }
  }
}

/** Of Headpond alone. */
export async function measureHeap({ options, add }: Bench): Promise<void> {
  const directory = makeDirectory()
  try {
    const worker = fileURLToPath(new URL('./heap-worker.js', import.meta.url))
    const args = ['-C', 'headpond-repository', '--expose-gc', worker, String(START_PARTITION_COUNT), directory]
    const { stdout } = await promisify(execFile)(options.node, args)
    const figures = { 'bytes/partition': Number(stdout) }
    add({ suite: 'heap', line: `${START_PARTITION_COUNT} idle partitions`, broker: 'Headpond', figures })
  } finally {
    removeDirectory(directory)
  }
}

/** What libraries reach that people use. */
export async function measureLibraries({ options, specs, add }: Bench): Promise<void> {
  for (const spec of specs) {
    await withBroker(spec, async (broker) => {
      await measureClients(broker, options, (line, figures) =>
        add({ suite: 'clients', line, broker: spec.name, figures }),
      )
    })
  }
}
