/** What one client compresses every other reads, and records come out as they went in. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import zlib from 'node:zlib'
import { type CompressionAlgorithmValue, Consumer, Producer } from '@platformatic/kafka'
import kafkajs from 'kafkajs'
import { compress, decompress } from '#src/log/compression/codec.ts'
import type { Codec } from '#src/log/record-batch.ts'
import { encodeBatch } from '#src/log/records/batch.ts'
import { createServer, type HeadpondServer } from '#src/server/create-server.ts'
import { WireClient } from '../wire-client.ts'
import { LogClient } from './log-server.ts'

const { CompressionCodecs, Kafka, logLevel, Partitioners } = kafkajs
const CODECS: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** A record as all of them can show it. */
interface Shown {
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly string[]
}

const LARGE = 'large '.repeat(170_000)

const RECORDS: readonly {
  key: string | null
  value: string | null
  headers: readonly (readonly [string, string])[]
}[] = [
  { key: 'k1', value: 'plain', headers: [] },
  { key: null, value: 'no key', headers: [] },
  { key: 'k2', value: null, headers: [] },
  { key: 'k3', value: '', headers: [] },
  {
    key: '',
    value: 'empty key',
    headers: [
      ['trace', 'abc'],
      ['empty', ''],
    ],
  },
  { key: 'k4', value: LARGE, headers: [] },
]

const EXPECTED: readonly Shown[] = RECORDS.map(({ key, value, headers }) => ({
  key,
  value,
  headers: headers.map(([name, text]) => `${name}=${text}`),
}))

function bytes(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text)
}

function text(value: Uint8Array | null | undefined): string | null {
  return value === null || value === undefined ? null : Buffer.from(value).toString()
}

// ---- Producers ----

async function produceOwn(server: HeadpondServer, topic: string, codec: Codec): Promise<void> {
  const records = RECORDS.map(({ key, value, headers }) => ({
    timestampMs: Date.now(),
    key: bytes(key),
    value: bytes(value),
    headers: headers.map(([name, content]) => ({ key: name, value: Buffer.from(content) })),
  }))
  const client = new LogClient(await WireClient.connect(server.urls.kafka))
  try {
    assert.equal((await client.produce(topic, encodeBatch(records, { codec }))).errorCode, 0)
  } finally {
    client.close()
  }
}

async function producePlatformatic(server: HeadpondServer, topic: string, compression: Codec): Promise<void> {
  const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
    clientId: 'p',
    bootstrapBrokers: [server.urls.kafka],
  })
  try {
    await producer.send({
      compression: compression as CompressionAlgorithmValue,
      messages: RECORDS.map(({ key, value, headers }) => ({
        topic,
        partition: 0,
        ...(key === null ? {} : { key: Buffer.from(key) }),
        ...(value === null ? {} : { value: Buffer.from(value) }),
        headers: new Map(headers.map(([name, content]) => [Buffer.from(name), Buffer.from(content)])),
      })),
    })
  } finally {
    await producer.close()
  }
}

const KAFKAJS_TYPES: Readonly<Record<Codec, number>> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }

/** kafkajs has gzip alone, and takes the others from whoever has them. */
for (const codec of ['snappy', 'lz4', 'zstd'] as const) {
  const type = KAFKAJS_TYPES[codec] as
    | kafkajs.CompressionTypes.Snappy
    | kafkajs.CompressionTypes.LZ4
    | kafkajs.CompressionTypes.ZSTD
  CompressionCodecs[type] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => Buffer.from(compress(codec, buffer)),
    decompress: async (buffer: Buffer) => Buffer.from(decompress(codec, buffer)),
  })
}

function kafkajsOf(server: HeadpondServer) {
  return new Kafka({ brokers: [server.urls.kafka], logLevel: logLevel.NOTHING })
}

async function produceKafkajs(server: HeadpondServer, topic: string, codec: Codec): Promise<void> {
  const producer = kafkajsOf(server).producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  try {
    await producer.send({
      topic,
      compression: KAFKAJS_TYPES[codec],
      messages: RECORDS.map(({ key, value, headers }) => ({ key, value, headers: Object.fromEntries(headers) })),
    })
  } finally {
    await producer.disconnect()
  }
}

// ---- Consumers ----

async function readPlatformatic(server: HeadpondServer, topic: string): Promise<Shown[]> {
  const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
    clientId: 'c',
    groupId: `platformatic-${topic}`,
    bootstrapBrokers: [server.urls.kafka],
    maxWaitTime: 100,
  })
  try {
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false })
    const shown: Shown[] = []
    for await (const { key, value, headers } of stream) {
      const told = [...headers].map(([name, content]) => `${text(name)}=${text(content)}`)
      shown.push({ key: text(key), value: text(value), headers: told })
      if (shown.length === RECORDS.length) break
    }
    return shown
  } finally {
    await consumer.close(true)
  }
}

async function readKafkajs(server: HeadpondServer, topic: string): Promise<Shown[]> {
  const consumer = kafkajsOf(server).consumer({ groupId: `kafkajs-${topic}`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  try {
    await consumer.subscribe({ topic, fromBeginning: true })
    const shown: Shown[] = []
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async ({ message }: kafkajs.EachMessagePayload) => {
        const told = Object.entries(message.headers ?? {}).map(([name, content]) => `${name}=${String(content)}`)
        shown.push({ key: text(message.key), value: text(message.value), headers: told })
        if (shown.length === RECORDS.length) resolve()
      }
      consumer.run({ eachMessage }).catch(reject)
    })
    return shown
  } finally {
    await consumer.disconnect()
  }
}

async function readServer(server: HeadpondServer, topic: string): Promise<Shown[]> {
  return (await server.kafka.records(topic)).map(({ key, value, headers }) => ({
    key,
    value,
    headers: Object.entries(headers).map(([name, content]) => `${name}=${String(content)}`),
  }))
}

/** Node has it since 22.15. */
const hasZstd = 'zstdCompressSync' in zlib

const PRODUCERS: readonly {
  readonly name: string
  readonly produce: (server: HeadpondServer, topic: string, codec: Codec) => Promise<void>
  readonly codecs: readonly Codec[]
  /** By @platformatic/kafka. */
  readonly unread: readonly Codec[]
}[] = [
  // Java's framing of snappy, which @platformatic/kafka does not read.
  { name: 'a producer of our own', produce: produceOwn, codecs: CODECS, unread: ['snappy'] },
  {
    name: '@platformatic/kafka',
    produce: producePlatformatic,
    codecs: hasZstd ? CODECS : CODECS.slice(0, -1),
    unread: [],
  },
  { name: 'kafkajs', produce: produceKafkajs, codecs: CODECS, unread: ['snappy'] },
]

for (const { name, produce, codecs, unread } of PRODUCERS) {
  test(`what ${name} compresses, everybody reads`, async (t: TestContext) => {
    const server = await createServer({ kafka: { config: { 'group.initial.rebalance.delay.ms': 0 } } })
    t.after(() => server.close())
    for (const codec of codecs) {
      const topic = `topic-${codec}`
      await server.kafka.createTopics({ [topic]: 1 })
      await produce(server, topic, codec)
      const isRead = !unread.includes(codec) && (codec !== 'zstd' || hasZstd)
      const readers = isRead ? [readServer, readKafkajs, readPlatformatic] : [readServer, readKafkajs]
      const readings = await Promise.all(readers.map((read) => read(server, topic)))
      for (const shown of readings) assert.deepEqual(shown, EXPECTED, codec)
    }
  })
}
