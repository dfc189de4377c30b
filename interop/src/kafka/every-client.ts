/** All the clients that are there, as ones that produce with a codec and read whole topics. */
import { type CompressionAlgorithmValue, Consumer, Producer } from '@platformatic/kafka'
import type { HeadpondServer } from 'headpond'
import kafkajs from 'kafkajs'
import {
  END,
  ForeignClient,
  type ForeignCodec,
  type ForeignProgram,
  goClient,
  javaClient,
  pythonClient,
} from './foreign-client.ts'
import { loadRdkafka, type Rdkafka, type RdkafkaMessage } from './node-rdkafka.ts'
import { runProgram, skipUnless } from './program.ts'

export const CODECS: readonly ForeignCodec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** Headpond as a writer: of a topic with a codec of its own. */
export const OURS = 'Headpond'

/** The official client, of before and of today. */
export const JAVA_CLIENTS = ['3.9.1', '4.4.0'] as const

export const FOREIGN: Readonly<Record<string, ForeignProgram>> = {
  ...Object.fromEntries(JAVA_CLIENTS.map((version) => [`kafka-clients ${version}`, javaClient(version)])),
  aiokafka: pythonClient('aiokafka'),
  'kafka-python': pythonClient('kafka-python'),
  'confluent-kafka': pythonClient('confluent-kafka'),
  'franz-go': goClient('franz-go'),
  sarama: goClient('sarama'),
  'kafka-go': goClient('kafka-go'),
}

export interface MatrixClient {
  readonly codecs: readonly ForeignCodec[]
  /** What it cannot read, by the one who has written it. */
  canRead(writer: string, codec: ForeignCodec): boolean
  version(): Promise<string>
  produce(topic: string, codec: ForeignCodec, values: readonly string[]): Promise<unknown>
  /** The values of topics with one partition, up to END. */
  consume(topics: readonly string[]): Promise<Record<string, string[]>>
  stop(): Promise<void>
}

type Maker = (server: HeadpondServer) => MatrixClient

/** By name: how it is made, or why it cannot be. */
export function everyClient(): Record<string, Maker | { readonly reason: string }> {
  const kcatProblem = skipUnless('kcat', ['-V'], 'apt-get install kcat')
  const rdkafka = loadRdkafka()
  return {
    ...Object.fromEntries(
      Object.entries(FOREIGN).map(([name, program]) => [
        name,
        'reason' in program ? program : (server: HeadpondServer) => foreign(program, server),
      ]),
    ),
    kcat: kcatProblem === false ? kcat : { reason: kcatProblem },
    'node-rdkafka': typeof rdkafka === 'string' ? { reason: rdkafka } : (server) => nodeRdkafka(rdkafka, server),
    kafkajs: kafkaJs,
    '@platformatic/kafka': platformatic,
  }
}

function foreign(program: Exclude<ForeignProgram, { reason: string }>, server: HeadpondServer): MatrixClient {
  const client = new ForeignClient(program)
  return {
    codecs: CODECS,
    canRead: () => true,
    version: () => client.call(server, 'version', {}),
    produce: (topic, codec, values) => client.call(server, 'produce', { topic, codec, values }),
    consume: (topics) => client.call(server, 'consume', { topics, isolation: 'read_uncommitted' }),
    stop: () => client.stop(),
  }
}

function kcat(server: HeadpondServer): MatrixClient {
  const run = (args: readonly string[], input = '') =>
    runProgram('kcat', ['-b', server.urls.kafka, ...args], { input, env: {} })
  return {
    codecs: CODECS,
    canRead: () => true,
    version: async () => /Version ([\d.]+)/.exec(await run(['-V']))?.[1] ?? '',
    produce: (topic, codec, values) =>
      run(['-P', '-t', topic, '-z', codec, '-X', 'linger.ms=10000'], values.join('\n')),
    async consume(topics) {
      const found: Record<string, string[]> = {}
      for (const topic of topics) {
        const lines = (await run(['-C', '-t', topic, '-e', '-q', '-X', 'fetch.wait.max.ms=10'])).trimEnd().split('\n')
        found[topic] = lines.slice(0, lines.indexOf(END))
      }
      return found
    },
    stop: async () => {},
  }
}

function nodeRdkafka(rdkafka: Rdkafka, server: HeadpondServer): MatrixClient {
  const settings = { 'bootstrap.servers': server.urls.kafka, 'linger.ms': 10_000 }
  const done = (call: (callback: (error: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) => call((error) => (error ? reject(error) : resolve())))
  return {
    codecs: CODECS,
    canRead: () => true,
    version: async () => rdkafka.librdkafkaVersion,
    async produce(topic, codec, values) {
      const producer = new rdkafka.Producer({ ...settings, 'compression.codec': codec })
      await done((callback) => producer.connect({}, callback))
      for (const value of values) producer.produce(topic, 0, Buffer.from(value))
      await done((callback) => producer.flush(20_000, callback))
      await done((callback) => producer.disconnect(() => callback(null)))
    },
    async consume(topics) {
      const consumer = new rdkafka.KafkaConsumer({ 'bootstrap.servers': server.urls.kafka, 'group.id': 'matrix' }, {})
      consumer.on('event.error', () => {})
      await done((callback) => consumer.connect({}, callback))
      const found: Record<string, string[]> = Object.fromEntries(topics.map((topic) => [topic, []]))
      const open = new Set(topics)
      await new Promise<void>((resolve) => {
        consumer.on('data', ({ topic, value }: RdkafkaMessage) => {
          const text = String(value)
          if (text !== END) found[topic].push(text)
          else if (open.delete(topic) && open.size === 0) resolve()
        })
        consumer.assign(topics.map((topic) => ({ topic, partition: 0, offset: 0 })))
        consumer.consume()
      })
      await done((callback) => consumer.disconnect(() => callback(null)))
      return found
    },
    stop: async () => {},
  }
}

/** As it comes: with gzip, and with the others where a codec is given to it. */
function kafkaJs(server: HeadpondServer): MatrixClient {
  const { CompressionTypes, Kafka, logLevel, Partitioners } = kafkajs
  const kafka = new Kafka({ brokers: [server.urls.kafka], logLevel: logLevel.NOTHING })
  const types = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP }
  return {
    codecs: ['none', 'gzip'],
    canRead: (_writer, codec) => codec === 'none' || codec === 'gzip',
    version: async () => versionIn('kafkajs'),
    async produce(topic, codec, values) {
      const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
      await producer.connect()
      const compression = types[codec as keyof typeof types]
      await producer.send({ topic, compression, messages: values.map((value) => ({ value })) })
      await producer.disconnect()
    },
    async consume(topics) {
      const consumer = kafka.consumer({ groupId: 'matrix-kafkajs' })
      await consumer.connect()
      await consumer.subscribe({ topics: [...topics], fromBeginning: true })
      const found: Record<string, string[]> = Object.fromEntries(topics.map((topic) => [topic, []]))
      const open = new Set(topics)
      await new Promise<void>((resolve, reject) => {
        consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
        consumer
          .run({
            eachMessage: async ({ topic, message }) => {
              const text = String(message.value)
              if (text !== END) found[topic].push(text)
              else if (open.delete(topic) && open.size === 0) resolve()
            },
          })
          .catch(reject)
      })
      await consumer.disconnect()
      return found
    },
    stop: async () => {},
  }
}

function platformatic(server: HeadpondServer): MatrixClient {
  const settings = { clientId: 'matrix', bootstrapBrokers: [server.urls.kafka] }
  // zstd is Node's own there, which came with 22.15.
  const hasZstd = 'zstdCompressSync' in process.getBuiltinModule('node:zlib')
  return {
    codecs: hasZstd ? CODECS : CODECS.filter((codec) => codec !== 'zstd'),
    // Of the two framings of snappy it knows that without blocks.
    canRead: (writer, codec) => (codec !== 'snappy' || !FRAMED_SNAPPY.test(writer)) && (codec !== 'zstd' || hasZstd),
    version: async () => versionIn('@platformatic/kafka'),
    async produce(topic, codec, values) {
      const producer = new Producer({ ...settings, compression: codec as CompressionAlgorithmValue })
      await producer.send({ messages: values.map((value) => ({ topic, value: Buffer.from(value), partition: 0 })) })
      await producer.close()
    },
    async consume(topics) {
      const consumer = new Consumer({ ...settings, groupId: 'matrix-platformatic' })
      const stream = await consumer.consume({ topics: [...topics], mode: 'earliest', autocommit: false })
      const found: Record<string, string[]> = Object.fromEntries(topics.map((topic) => [topic, []]))
      const open = new Set(topics)
      for await (const { topic, value } of stream) {
        const text = String(value)
        if (text !== END) found[topic].push(text)
        else if (open.delete(topic) && open.size === 0) break
      }
      await consumer.close(true)
      return found
    },
    stop: async () => {},
  }
}

/** Those that write snappy as Java's library does: a header, then blocks. */
const FRAMED_SNAPPY = new RegExp(`^(kafka-clients|kafka-python|aiokafka|kafka-go|franz-go|sarama|${OURS})`)

function versionIn(name: string): string {
  const manifest = import.meta.resolve(name)
  const root = manifest.slice(0, manifest.lastIndexOf(`node_modules/${name}/`) + `node_modules/${name}/`.length)
  return (process.getBuiltinModule('node:module').createRequire(root)('./package.json') as { version: string }).version
}
