// What libraries reach against a broker: their own cost counts as much as the broker's.

import { Producer, stringSerializers } from '@platformatic/kafka'
import type { KafkaBenchOptions } from '../options.ts'
import type { BrokerProcess } from './broker-process.ts'

type Add = (line: string, figures: Readonly<Record<string, number | string>>) => void

const RECORD_BYTES = 1024
const RECORDS_PER_SEND = 500
const SENDS_UNDER_WAY = 5
const MB = 1e6

export async function measureClients(broker: BrokerProcess, options: KafkaBenchOptions, add: Add): Promise<void> {
  const seconds = options.quick ? 1 : 4
  for (const [name, measure] of [
    ['@platformatic/kafka', measurePlatformatic],
    ['node-rdkafka', measureRdkafka],
  ] as const) {
    const topic = name.replace(/\W/g, '-')
    await broker.createTopic(topic, 1)
    const cpuBeforeMs = broker.cpuMs()
    const startedAtMs = performance.now()
    const recordCount = await measure(broker.port, topic, seconds)
    const line = `${name} produce ${RECORD_BYTES}B acks=all`
    if (recordCount === null) {
      add(line, { 'MB/s': 'skipped: npm install --no-save node-rdkafka' })
      continue
    }
    const bytes = recordCount * RECORD_BYTES
    const tookSeconds = (performance.now() - startedAtMs) / 1000
    add(line, {
      'MB/s': bytes / tookSeconds / MB,
      'records/s': recordCount / tookSeconds,
      'CPU s/GB': (broker.cpuMs() - cpuBeforeMs) / 1000 / (bytes / 1e9),
    })
  }
}

async function measurePlatformatic(port: number, topic: string, seconds: number): Promise<number> {
  const producer = new Producer({
    clientId: 'headpond-bench',
    bootstrapBrokers: [`127.0.0.1:${port}`],
    serializers: stringSerializers,
  })
  const value = 'x'.repeat(RECORD_BYTES)
  const messages = Array.from({ length: RECORDS_PER_SEND }, () => ({ topic, value, partition: 0 }))
  const endAtMs = performance.now() + seconds * 1000
  let recordCount = 0
  const sendUntilTheEnd = async () => {
    while (performance.now() < endAtMs) {
      await producer.send({ messages, acks: -1 })
      recordCount += RECORDS_PER_SEND
    }
  }
  try {
    await Promise.all(Array.from({ length: SENDS_UNDER_WAY }, sendUntilTheEnd))
  } finally {
    await producer.close()
  }
  return recordCount
}

/** What is used of librdkafka's binding. */
interface Rdkafka {
  HighLevelProducer: new (
    config: Readonly<Record<string, unknown>>,
  ) => {
    connect(options: object, done: (error: Error | null) => void): void
    disconnect(done: () => void): void
    setPollInterval(milliseconds: number): void
    produce(
      topic: string,
      partition: number,
      value: Buffer,
      key: null,
      timestampMs: number,
      done: (error: Error | null) => void,
    ): void
  }
}

/** Null where it is not installed: it is compiled as it is installed, which needs what not every machine has. */
async function measureRdkafka(port: number, topic: string, seconds: number): Promise<number | null> {
  const name = 'node-rdkafka'
  const library: { default: Rdkafka } | null = await import(name).catch(() => null)
  if (library === null) return null
  const producer = new library.default.HighLevelProducer({
    'metadata.broker.list': `127.0.0.1:${port}`,
    acks: -1,
    'linger.ms': 5,
    'queue.buffering.max.messages': 200_000,
  })
  await new Promise<void>((resolve, reject) => {
    producer.connect({}, (error) => (error === null ? resolve() : reject(error)))
  })
  producer.setPollInterval(5)
  const value = Buffer.alloc(RECORD_BYTES, 'x')
  const endAtMs = performance.now() + seconds * 1000
  let recordCount = 0
  let failure: Error | null = null
  const produce = () =>
    new Promise<void>((resolve) => {
      producer.produce(topic, 0, value, null, Date.now(), (error) => {
        failure ??= error
        recordCount++
        resolve()
      })
    })
  while (performance.now() < endAtMs && failure === null) {
    await Promise.all(Array.from({ length: RECORDS_PER_SEND * SENDS_UNDER_WAY }, produce))
  }
  await new Promise<void>((resolve) => producer.disconnect(resolve))
  if (failure !== null) throw failure
  return recordCount
}
