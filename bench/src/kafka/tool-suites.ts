// Apache Kafka's own load generators against each broker. Where its jars cannot be had there is nothing to measure with.

import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess, makeDirectory, removeDirectory } from './broker-process.ts'
import { consumerPerf, producerPerf } from './perf-tools.ts'
import { type Bench, runLoad, wants } from './suites.ts'

const MB = 1e6
const GB = 1e9
/** What is deleted makes room at once. */
const SHORT_LIVED = { 'file.delete.delay.ms': '0' }

interface Running {
  readonly broker: BrokerProcess
  readonly directory: string
}

/** One broker of each kind, for all lines. */
async function startAll({ specs }: Bench): Promise<Running[]> {
  const running: Running[] = []
  for (const spec of specs) {
    const directory = makeDirectory()
    running.push({ broker: await BrokerProcess.start(spec, directory), directory })
  }
  return running
}

async function stopAll(running: readonly Running[]): Promise<void> {
  for (const { broker, directory } of running) {
    await broker.stop()
    removeDirectory(directory)
  }
}

const PRODUCER_LINES = [100, 1024].flatMap((recordBytes) =>
  ([1, 'all'] as const).flatMap((acks) =>
    [16_384, 262_144].flatMap((batchBytes) =>
      (['none', 'lz4'] as const).flatMap((codec) =>
        [1, 12].map((partitionCount) => ({ recordBytes, acks, batchBytes, codec, partitionCount })),
      ),
    ),
  ),
)

/** Lines alternate between the brokers, each with a new topic; the brokers are warm. */
export async function measureProducerPerf(bench: Bench): Promise<void> {
  const { options, classPath, memory, add } = bench
  if (classPath === null) return
  const lines = PRODUCER_LINES.map(({ recordBytes, acks, batchBytes, codec, partitionCount }) => ({
    name: `${recordBytes}B acks=${acks} ${batchBytes / 1024}K ${codec} ${partitionCount}p`,
    // 300 MB for lines that take a few seconds; more where only speed counts.
    recordCount: (recordBytes === 100 ? 3_000_000 : 600_000) / (options.quick ? 3 : 1),
    recordBytes,
    partitionCount,
    settings: { acks, 'batch.size': batchBytes, 'compression.type': codec, 'linger.ms': batchBytes > 16_384 ? 5 : 0 },
  })).filter(({ name }) => wants(options, name))
  const running = await startAll(bench)
  try {
    for (const { broker } of running) {
      await broker.createTopic('warm', 12, SHORT_LIVED)
      const load = { port: broker.port, topic: 'warm', recordCount: 1_000_000, recordBytes: 100, settings: { acks: 1 } }
      await producerPerf(classPath, load)
      await broker.deleteTopic('warm')
    }
    for (const [index, { name, partitionCount, ...load }] of lines.entries()) {
      const topic = `line-${index}`
      for (const { broker } of running) {
        await broker.createTopic(topic, partitionCount, SHORT_LIVED)
        memory.hold()
        memory.release()
        const cpuBeforeMs = broker.cpuMs()
        const result = await producerPerf(classPath, { port: broker.port, topic, ...load })
        const bytes = load.recordCount * load.recordBytes
        add({
          suite: 'producer-perf',
          line: name,
          broker: broker.name,
          figures: {
            'MB/s': result.megabytesPerSecond,
            'records/s': result.recordsPerSecond,
            'p50 ms': result.p50Ms,
            'p99 ms': result.p99Ms,
            'CPU s/GB': (broker.cpuMs() - cpuBeforeMs) / 1000 / (bytes / GB),
            'RSS MB': broker.rssBytes() / MB,
          },
        })
        await broker.deleteTopic(topic)
      }
    }
  } finally {
    await stopAll(running)
  }
}

/** A log that was just written, and the same one from the disk: by a broker that has just started, out of no cache. */
export async function measureConsumerPerf(bench: Bench): Promise<void> {
  const { options, specs, classPath, add } = bench
  if (classPath === null) return
  for (const [recordBytes, partitionCount] of [
    [100, 1],
    [1024, 1],
    [1024, 12],
  ]) {
    const line = `${recordBytes}B ${partitionCount}p`
    if (!wants(options, line)) continue
    for (const spec of specs) {
      const directory = makeDirectory()
      try {
        let broker = await BrokerProcess.start(spec, directory)
        await broker.createTopic('bench', partitionCount)
        const { recordCount } = await runLoad({
          ...{
            kind: 'produce',
            port: broker.port,
            topic: 'bench',
            partitionCount,
            partitionsPerRequest: partitionCount,
          },
          ...{ recordBytes, batchBytes: 16_384, codec: 'none', acks: 1, connectionCount: 1, inFlightCount: 5 },
          ...{ seconds: 60, bytesMax: options.quick ? 300 * MB : GB },
        })
        // A thousandth less, since what was under way at the end may not be there.
        const asked = Math.floor(recordCount * 0.999)
        const measure = async (name: string) => {
          const cpuBeforeMs = broker.cpuMs()
          const result = await consumerPerf(classPath, { port: broker.port, topic: 'bench', recordCount: asked })
          const figures = {
            'MB/s': result.megabytesPerSecond,
            'records/s': result.recordsPerSecond,
            'CPU s/GB': (broker.cpuMs() - cpuBeforeMs) / 1000 / ((asked * recordBytes) / GB),
            'RSS MB': broker.rssBytes() / MB,
          }
          add({ suite: 'consumer-perf', line: `${line} ${name}`, broker: spec.name, figures })
        }
        await measure('tail')
        await broker.stop()
        dropFromCache(directory)
        broker = await BrokerProcess.start(spec, directory)
        await measure('disk')
        await broker.stop()
      } finally {
        removeDirectory(directory)
      }
    }
  }
}

/** What of these files the system has in memory is forgotten, so that they are read from the disk. */
export function dropFromCache(directory: string): void {
  execFileSync('sync')
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.log')) continue
    execFileSync('dd', [`if=${join(directory, name)}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' })
  }
}
