// Apache Kafka's own kafka-producer-perf-test and kafka-consumer-perf-test: the same client for every broker.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const HEAP = ['-Xmx512m', '-Xms512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error']

export interface ProducerPerf {
  readonly recordsPerSecond: number
  readonly megabytesPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface ConsumerPerf {
  readonly recordsPerSecond: number
  readonly megabytesPerSecond: number
}

const SUMMARY =
  /records sent, ([\d.]+) records\/sec \(([\d.]+) MB\/sec\).* ([\d.]+) ms 50th, ([\d.]+) ms 95th, ([\d.]+) ms 99th/

/** @param settings of the producer */
export async function producerPerf(
  classPath: string,
  load: {
    readonly port: number
    readonly topic: string
    readonly recordCount: number
    readonly recordBytes: number
    readonly settings: Readonly<Record<string, string | number>>
  },
): Promise<ProducerPerf> {
  const properties = { 'bootstrap.servers': `127.0.0.1:${load.port}`, ...load.settings }
  const { stdout } = await run('java', [
    ...[...HEAP, '-cp', classPath, 'org.apache.kafka.tools.ProducerPerformance'],
    ...['--topic', load.topic, '--num-records', String(load.recordCount), '--record-size', String(load.recordBytes)],
    ...[
      '--throughput',
      '-1',
      '--producer-props',
      ...Object.entries(properties).map(([name, value]) => `${name}=${value}`),
    ],
  ])
  const found = SUMMARY.exec(stdout.trimEnd().split('\n').at(-1) ?? '')
  if (found === null) throw new Error(`kafka-producer-perf-test: ${stdout}`)
  const [recordsPerSecond, mebibytesPerSecond, p50Ms, , p99Ms] = found.slice(1).map(Number)
  return { recordsPerSecond, megabytesPerSecond: (mebibytesPerSecond * 2 ** 20) / 1e6, p50Ms, p99Ms }
}

/** From the first record on. What it takes to join its group does not count. */
export async function consumerPerf(
  classPath: string,
  load: { readonly port: number; readonly topic: string; readonly recordCount: number },
): Promise<ConsumerPerf> {
  const { stdout } = await run('java', [
    ...[...HEAP, '-cp', classPath, 'org.apache.kafka.tools.ConsumerPerformance', '--hide-header'],
    ...['--bootstrap-server', `127.0.0.1:${load.port}`, '--topic', load.topic, '--messages', String(load.recordCount)],
  ])
  // start, end, MB, MB/s, records, records/s, then of the fetching alone: ms of the rebalance, ms, MB/s, records/s
  const fields = stdout.trimEnd().split('\n').at(-1)!.split(',').map((each) => each.trim()) // biome-ignore format: one step
  const [megabytesPerSecond, recordsPerSecond] = [Number(fields[8]), Number(fields[9])]
  if (fields.length !== 10 || Number(fields[4]) < load.recordCount)
    throw new Error(`kafka-consumer-perf-test: ${stdout}`)
  return { recordsPerSecond, megabytesPerSecond: (megabytesPerSecond * 2 ** 20) / 1e6 }
}
