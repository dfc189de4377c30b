/** The two clients of Node's world against listeners that ask who they are. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { Producer, stringSerializers } from '@platformatic/kafka'
import { Kafka, logLevel, Partitioners, type SASLOptions } from 'kafkajs'
import { createServer, type HeadpondServer } from '#src/server/create-server.ts'
import { createAuthority, createCertificate } from '../../certificates.ts'

const USER = 'alice'
const PASSWORD = 'pass, word = 1'
const authority = await createAuthority()
const serverIdentity = await createCertificate(authority)
const alice = await createCertificate(authority, USER)

const LISTENERS = 'SASL_PLAINTEXT://:0,SASL_SSL://:0,SSL://:0'

async function startServer(): Promise<HeadpondServer> {
  const server = await createServer({
    kafka: {
      topics: { orders: 1 },
      config: {
        listeners: LISTENERS,
        'ssl.keystore.certificate.chain': serverIdentity.cert,
        'ssl.keystore.key': serverIdentity.key,
        'ssl.truststore.certificates': authority.cert,
        'ssl.client.auth': 'required',
        'connection.failed.authentication.delay.ms': 0,
      },
    },
  })
  await server.execute('ACL', 'SETUSER', USER, 'on', `>${PASSWORD}`)
  return server
}

interface Way {
  readonly listener: string
  readonly mechanism?: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly tls?: ConnectionOptions
}

const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
const ways: Way[] = [
  ...mechanisms.map((mechanism) => ({ listener: 'SASL_PLAINTEXT', mechanism })),
  ...mechanisms.map((mechanism) => ({ listener: 'SASL_SSL', mechanism, tls: { ca: authority.cert } })),
  { listener: 'SSL', tls: { ca: authority.cert, cert: alice.cert, key: alice.key } },
]

/** Produces by a client, with what has to be disconnected afterwards. */
type Send = (t: TestContext, address: string, way: Way, password: string) => Promise<void>

const sendByKafkajs: Send = async (_t, address, { mechanism, tls }, password) => {
  const sasl = { mechanism: mechanism?.toLowerCase(), username: USER, password } as SASLOptions
  const kafka = new Kafka({
    brokers: [address],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    ...(tls === undefined ? {} : { ssl: tls }),
    ...(mechanism === undefined ? {} : { sasl }),
  })
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  try {
    await producer.connect()
    await producer.send({ topic: 'orders', messages: [{ value: 'tea' }] })
  } finally {
    await producer.disconnect()
  }
}

const sendByPlatformatic: Send = async (_t, address, { mechanism, tls }, password) => {
  const producer = new Producer({
    clientId: 'app',
    bootstrapBrokers: [address],
    serializers: stringSerializers,
    retries: 0,
    ...(tls === undefined ? {} : { tls }),
    ...(mechanism === undefined ? {} : { sasl: { mechanism, username: USER, password } }),
  })
  try {
    await producer.send({ messages: [{ topic: 'orders', value: 'tea' }] })
  } finally {
    await producer.close()
  }
}

for (const [name, send] of Object.entries({ kafkajs: sendByKafkajs, '@platformatic/kafka': sendByPlatformatic })) {
  test(`${name} logs in by every mechanism, over TLS too, or by its certificate`, async (t) => {
    const server = await startServer()
    t.after(() => server.close())
    for (const way of ways) await send(t, server.kafka.listeners[way.listener], way, PASSWORD)
    assert.equal((await server.kafka.records('orders')).length, ways.length)
    for (const way of ways.filter(({ mechanism }) => mechanism !== undefined)) {
      const sending = send(t, server.kafka.listeners[way.listener], way, 'guess')
      await assert.rejects(sending, `${way.listener} ${way.mechanism}`)
    }
    await assert.rejects(send(t, server.kafka.listeners['SSL'], { listener: 'SSL', tls: { ca: authority.cert } }, ''))
    assert.equal((await server.kafka.records('orders')).length, ways.length)
  })
}
