/** Logging in: the conversations of the tests with Apache Kafka's own broker, and foreign clients with Headpond. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { createServer, type HeadpondServer } from 'headpond'
import { CertificateFiles, createAuthority, createCertificate } from 'headpond/test/certificates.ts'
import { hold, saslDialogs } from 'headpond/test/kafka/security/dialogs.ts'
import { holdDisabledTokenDialogs, holdTokenDialogs } from 'headpond/test/kafka/security/token-dialogs.ts'
import { WireClient } from 'headpond/test/kafka/wire-client.ts'
import { ApacheKafka, kafkaProblem } from './apache-kafka.ts'
import { runTool, skipTools } from './kafka-tool.ts'
import { loadRdkafka, type Rdkafka, type RdkafkaClient, type RdkafkaMessage } from './node-rdkafka.ts'
import { runProgram, skipUnless } from './program.ts'

const EXPECTED = new URL('../../../packages/headpond/test/kafka/security/dialogs.txt', import.meta.url)
const EXPECTED_OF_TOKENS = new URL('token-dialogs.txt', EXPECTED)
/** The broker hears of a change a moment after the controller has made it. */
const SETTLE_MS = 300
const settle = () => new Promise<void>((resolve) => setTimeout(resolve, SETTLE_MS))
const LOGIN = 'org.apache.kafka.common.security'
const USER = 'alice'
const PASSWORD = 'alice-secret'

test("what a client that logs in is told is Apache Kafka's", { skip: kafkaProblem() ?? false }, async (t) => {
  const listener = 'listener.name.sasl_plaintext'
  const scram = `${LOGIN}.scram.ScramLoginModule required;`
  const kafka = await ApacheKafka.start([
    'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT',
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    `${listener}.plain.sasl.jaas.config=${LOGIN}.plain.PlainLoginModule required user_${USER}="${PASSWORD}";`,
    `${listener}.scram-sha-256.sasl.jaas.config=${scram}`,
    `${listener}.scram-sha-512.sasl.jaas.config=${scram}`,
    'connections.max.reauth.ms=60000',
  ])
  t.after(() => kafka.stop())
  const lines: string[] = []
  for (const dialog of saslDialogs) {
    const client = await WireClient.connect(dialog.isPlaintext ? kafka.port : kafka.saslPort)
    try {
      lines.push(...(await hold(dialog, client, settle)), '')
    } finally {
      client.close()
    }
  }
  assert.deepEqual(lines, readFileSync(EXPECTED, 'utf8').split('\n'))
})

test("what is said of delegation tokens is Apache Kafka's", { skip: kafkaProblem() ?? false }, async (t) => {
  const listener = 'listener.name.sasl_plaintext'
  const scram = `${LOGIN}.scram.ScramLoginModule required;`
  const users = ['alice', 'bob', 'carol'].map((name) => `user_${name}="${name}-secret"`).join(' ')
  const lines: string[] = []
  for (const [settings, hold] of [
    [['delegation.token.secret.key=hush'], holdTokenDialogs],
    [[], holdDisabledTokenDialogs],
  ] as const) {
    const kafka = await ApacheKafka.start([
      'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT',
      'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      `${listener}.plain.sasl.jaas.config=${LOGIN}.plain.PlainLoginModule required ${users};`,
      `${listener}.scram-sha-256.sasl.jaas.config=${scram}`,
      `${listener}.scram-sha-512.sasl.jaas.config=${scram}`,
      ...settings,
    ])
    t.after(() => kafka.stop())
    const connect = () => WireClient.connect(kafka.saslPort)
    lines.push(...(await hold({ connect, settle, nowMs: () => Date.now() })), '')
  }
  assert.deepEqual(lines, readFileSync(EXPECTED_OF_TOKENS, 'utf8').split('\n'))
})

/** A server with a listener of each kind, and the files that clients need. */
async function startSecured(t: TestContext): Promise<{ server: HeadpondServer; files: CertificateFiles; ca: string }> {
  const files = new CertificateFiles()
  const authority = await createAuthority()
  const { cert, key } = await createCertificate(authority)
  const server = await createServer({
    kafka: {
      topics: { orders: 1 },
      config: {
        listeners: 'PLAINTEXT://:0,SASL_PLAINTEXT://:0,SASL_SSL://:0,SSL://:0',
        'ssl.keystore.certificate.chain': cert,
        'ssl.keystore.key': key,
        'ssl.truststore.certificates': authority.cert,
        'ssl.client.auth': 'required',
      },
    },
  })
  t.after(async () => {
    await server.close()
    files[Symbol.dispose]()
  })
  await server.execute('ACL', 'SETUSER', USER, 'on', `>${PASSWORD}`)
  const client = await createCertificate(authority, USER)
  files.write('client.pem', client.cert)
  files.write('client.key', client.key)
  files.write('client-store.pem', client.key + client.cert)
  return { server, files, ca: files.write('ca.pem', authority.cert) }
}

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']

const skipKcat = skipUnless('kcat', ['-V'], 'apt-get install kcat')

test('kcat logs in by every mechanism, over TLS, and by its certificate', { skip: skipKcat }, async (t) => {
  const { server, files, ca } = await startSecured(t)
  const kcat = (listener: string, properties: Record<string, string>) => {
    const flags = Object.entries({ 'security.protocol': listener, ...properties }).flatMap(([name, value]) => [
      '-X',
      `${name}=${value}`,
    ])
    return runProgram('kcat', ['-b', server.kafka.listeners[listener], ...flags, '-P', '-t', 'orders'], {
      input: 'tea\n',
    })
  }
  const login = { 'sasl.username': USER, 'sasl.password': PASSWORD }
  for (const mechanism of MECHANISMS) {
    await kcat('SASL_PLAINTEXT', { ...login, 'sasl.mechanisms': mechanism })
    await kcat('SASL_SSL', { ...login, 'sasl.mechanisms': mechanism, 'ssl.ca.location': ca })
  }
  const certificate = {
    'ssl.certificate.location': `${files.directory}/client.pem`,
    'ssl.key.location': `${files.directory}/client.key`,
  }
  await kcat('SSL', { 'ssl.ca.location': ca, ...certificate })
  assert.equal((await server.kafka.records('orders')).length, MECHANISMS.length * 2 + 1)
})

const rdkafka = loadRdkafka()
const skipRdkafka = typeof rdkafka === 'string' ? rdkafka : false

test('node-rdkafka logs in by every mechanism, over TLS, and by its certificate', { skip: skipRdkafka }, async (t) => {
  const { server, files, ca } = await startSecured(t)
  const { Producer, KafkaConsumer } = rdkafka as Rdkafka
  const connect = (client: RdkafkaClient) => {
    // Without a listener, an error of the client's would end the process.
    client.on('event.error', () => {})
    return new Promise<void>((resolve, reject) =>
      client.connect({ timeout: 20_000 }, (error) => (error ? reject(error) : resolve())),
    )
  }
  const disconnect = (client: RdkafkaClient) => new Promise<void>((resolve) => client.disconnect(() => resolve()))
  const logins: [listener: string, settings: Record<string, string>][] = [
    ...MECHANISMS.flatMap((mechanism): [string, Record<string, string>][] => {
      const login = { 'sasl.mechanisms': mechanism, 'sasl.username': USER, 'sasl.password': PASSWORD }
      return [
        ['SASL_PLAINTEXT', login],
        ['SASL_SSL', { ...login, 'ssl.ca.location': ca }],
      ]
    }),
    [
      'SSL',
      {
        'ssl.ca.location': ca,
        'ssl.certificate.location': `${files.directory}/client.pem`,
        'ssl.key.location': `${files.directory}/client.key`,
      },
    ],
  ]
  const settingsOf = (listener: string, settings: Record<string, string>) => ({
    'bootstrap.servers': server.kafka.listeners[listener],
    'security.protocol': listener.toLowerCase(),
    ...settings,
  })
  for (const [index, [listener, settings]] of logins.entries()) {
    const producer = new Producer({ ...settingsOf(listener, settings), dr_cb: true })
    producer.setPollInterval(10)
    await connect(producer)
    producer.produce('orders', 0, Buffer.from(`${index}`))
    await new Promise<void>((resolve, reject) => producer.flush(20_000, (error) => (error ? reject(error) : resolve())))
    await disconnect(producer)
  }
  const [listener, settings] = logins[logins.length - 2]
  const consumer = new KafkaConsumer({ ...settingsOf(listener, settings), 'group.id': 'billing' }, EARLIEST)
  await connect(consumer)
  const values: string[] = []
  const isComplete = new Promise<void>((resolve) =>
    consumer.on('data', ({ value }: RdkafkaMessage) => {
      values.push(String(value))
      if (values.length === logins.length) resolve()
    }),
  )
  consumer.subscribe(['orders'])
  consumer.consume()
  await isComplete
  await disconnect(consumer)
  assert.deepEqual(values, [...logins.keys()].map(String))
})

const EARLIEST = { 'auto.offset.reset': 'earliest' }

test('kafka-delegation-tokens makes, renews and ends tokens, and a tool logs in by one', {
  skip: skipTools,
}, async (t) => {
  const files = new CertificateFiles()
  const server = await createServer({
    kafka: {
      topics: { orders: 1 },
      config: { listeners: 'SASL_PLAINTEXT://:0', 'delegation.token.secret.key': 'hush' },
    },
  })
  t.after(async () => {
    await server.close()
    files[Symbol.dispose]()
  })
  await server.execute('ACL', 'SETUSER', USER, 'on', `>${PASSWORD}`)
  const configured = (name: string, user: string, password: string, more = '') => {
    const lines = [
      'security.protocol=SASL_PLAINTEXT',
      'sasl.mechanism=SCRAM-SHA-256',
      `sasl.jaas.config=${LOGIN}.scram.ScramLoginModule required username="${user}" password="${password}"${more};`,
    ]
    return ['--bootstrap-server', server.urls.kafka, '--command-config', files.write(name, lines.join('\n'))]
  }
  const asAlice = configured('alice.properties', USER, PASSWORD)
  const tokens = (...args: string[]) => runTool('org.apache.kafka.tools.DelegationTokenCommand', [...asAlice, ...args])
  const made = await tokens('--create', '--max-life-time-period', '-1', '--renewer-principal', 'User:bob')
  const [, id, hmac] = /^(\S+)\s+(\S+)\s+User:alice\s+User:alice\s+\[?User:bob/m.exec(made) ?? []
  assert.ok(hmac, made)
  assert.match(await tokens('--describe', '--owner-principal', 'User:alice'), new RegExp(`^${id}`, 'm'))
  const byToken = configured('token.properties', id, hmac, ' tokenauth="true"')
  assert.match(await runTool('org.apache.kafka.tools.TopicCommand', [...byToken, '--list']), /orders/)
  assert.match(await tokens('--renew', '--renew-time-period', '-1', '--hmac', hmac), /Completed renew operation/)
  assert.match(await tokens('--expire', '--expiry-time-period', '-1', '--hmac', hmac), /Completed expire operation/)
  await assert.rejects(tokens('--renew', '--renew-time-period', '-1', '--hmac', hmac), /DelegationTokenNotFound/)
})

test("Apache Kafka's tools set credentials and log in with them, over TLS too", { skip: skipTools }, async (t) => {
  const { server, files, ca } = await startSecured(t)
  const { listeners } = server.kafka
  const configs = (...args: string[]) =>
    runTool('kafka.admin.ConfigCommand', [
      '--bootstrap-server',
      listeners['PLAINTEXT'],
      '--entity-type',
      'users',
      ...args,
    ])
  const set = (user: string, value: string) => configs('--alter', '--entity-name', user, '--add-config', value)
  assert.match(
    await set('bob', 'SCRAM-SHA-512=[iterations=8192,password=bob-secret]'),
    /Completed updating config for user bob/,
  )
  assert.match(
    await configs('--describe'),
    /SCRAM credential configs for user-principal 'bob' are SCRAM-SHA-512=iterations=8192/,
  )
  await assert.rejects(set('bob', 'SCRAM-SHA-256=[iterations=100,password=x]'), /iterations/i)

  const properties = (name: string, lines: Record<string, string>) =>
    files.write(name, Object.entries(lines).map(([key, value]) => `${key}=${value}\n`).join('')) // biome-ignore format: one line
  const trust = { 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': ca }
  const scram = (user: string, password: string) => ({
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.jaas.config': `${LOGIN}.scram.ScramLoginModule required username="${user}" password="${password}";`,
  })
  const produce = (listener: string, config: string) => {
    const args = ['--bootstrap-server', listeners[listener], '--topic', 'orders', '--producer.config', config]
    return runTool('org.apache.kafka.tools.ConsoleProducer', args, 'tea\n')
  }
  await produce(
    'SASL_SSL',
    properties('bob', { 'security.protocol': 'SASL_SSL', ...scram('bob', 'bob-secret'), ...trust }),
  )
  await produce(
    'SASL_PLAINTEXT',
    properties('alice', { 'security.protocol': 'SASL_PLAINTEXT', ...scram(USER, PASSWORD) }),
  )
  const store = { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': `${files.directory}/client-store.pem` }
  await produce('SSL', properties('certificate', { 'security.protocol': 'SSL', ...trust, ...store }))
  assert.equal((await server.kafka.records('orders')).length, 3)

  assert.match(await configs('--alter', '--entity-name', 'bob', '--delete-config', 'SCRAM-SHA-512'), /Completed/)
  const topics = ['--bootstrap-server', listeners['SASL_SSL'], '--list', '--command-config', `${files.directory}/bob`]
  await assert.rejects(runTool('org.apache.kafka.tools.TopicCommand', topics), /SaslAuthenticationException/)
})
