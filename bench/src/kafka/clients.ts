// What libraries reach against a broker: their own cost counts as much as the broker's.

import { Producer, stringSerializers } from '@platformatic/kafka'
import { loadRdkafka } from 'headpond-interop/src/kafka/node-rdkafka.ts'
import { type KafkaBenchOptions, lineMatches } from '../options.ts'
import type { BrokerProcess } from './broker-process.ts'

type Add = (line: string, figures: Readonly<Record<string, number | string>>) => void

const RECORDS_PER_SEND = 500
const SENDS_UNDER_WAY = 5
const MB = 1e6

export async function measureClients(broker: BrokerProcess, options: KafkaBenchOptions, add: Add): Promise<void> {
  const seconds = options.quick ? 1 : 4
  const rdkafka = loadRdkafka()
  const lines = [100, 1024].flatMap((recordBytes) => [
    { name: '@platformatic/kafka', measure: measurePlatformatic, recordBytes, codec: 'none' },
    ...['none', 'lz4'].map((codec) => ({ name: 'node-rdkafka', measure: measureRdkafka, recordBytes, codec })),
  ])
  for (const [index, { name, measure, recordBytes, codec }] of lines.entries()) {
    const topic = `clients-${index}`
    const line = `${name} produce ${recordBytes}B acks=all ${codec}`
    if (!lineMatches(line, options.lineWords)) continue
    if (name === 'node-rdkafka' && typeof rdkafka === 'string') {
      add(line, { 'MB/s': `skipped: ${rdkafka}` })
      continue
    }
    await broker.createTopic(topic, 1)
    const cpuBeforeMs = broker.cpuMs()
    const startedAtMs = performance.now()
    const recordCount = await measure({ port: broker.port, topic, seconds, recordBytes, codec })
    const bytes = recordCount * recordBytes
    const tookSeconds = (performance.now() - startedAtMs) / 1000
    add(line, {
      'MB/s': bytes / tookSeconds / MB,
      'records/s': recordCount / tookSeconds,
      'CPU s/GB': (broker.cpuMs() - cpuBeforeMs) / 1000 / (bytes / 1e9),
    })
  }
}

interface ClientLoad {
  readonly port: number
  readonly topic: string
  readonly seconds: number
  readonly recordBytes: number
  readonly codec: string
}

async function measurePlatformatic({ port, topic, seconds, recordBytes }: ClientLoad): Promise<number> {
  const producer = new Producer({
    clientId: 'headpond-bench',
    bootstrapBrokers: [`127.0.0.1:${port}`],
    serializers: stringSerializers,
  })
  const value = 'x'.repeat(recordBytes)
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

async function measureRdkafka({ port, topic, seconds, recordBytes, codec }: ClientLoad): Promise<number> {
  const { HighLevelProducer } = loadRdkafka() as unknown as Rdkafka
  const producer = new HighLevelProducer({
    'metadata.broker.list': `127.0.0.1:${port}`,
    acks: -1,
    'compression.codec': codec,
    'linger.ms': 5,
    'queue.buffering.max.messages': 200_000,
  })
  await new Promise<void>((resolve, reject) => {
    producer.connect({}, (error) => (error === null ? resolve() : reject(error)))
  })
  producer.setPollInterval(5)
  const value = Buffer.alloc(recordBytes, 'x')
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
