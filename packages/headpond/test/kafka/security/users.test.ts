/** Who may log in: the users of the directory, and what Kafka's tools set. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ANONYMOUS } from '#src/kafka/principal.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import type { CreateServerOptions } from '#src/server/create-server.ts'
import { startBroker, type TestBroker } from '../test-broker.ts'
import { WireClient } from '../wire-client.ts'
import { Dialog } from './dialogs.ts'
import { authenticate, handshake, logIn, plainToken } from './login.ts'

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']
const METADATA = { topics: [], includeTopicAuthorizedOperations: false }

function startSecured(t: TestContext, options: CreateServerOptions = {}, config: Record<string, string | number> = {}) {
  return startBroker(t, {
    ...options,
    kafka: {
      config: {
        listeners: 'SASL_PLAINTEXT://:0,PLAINTEXT://:0',
        'connection.failed.authentication.delay.ms': 0,
        ...config,
      },
    },
  })
}

async function loginOf(broker: TestBroker, mechanism: string, user: string, password: string): Promise<boolean> {
  const client = await broker.connect()
  try {
    return (await logIn(client, mechanism, user, password)).errorCode === 0
  } finally {
    client.close()
  }
}

async function loginsOf(broker: TestBroker, user: string, password: string): Promise<string[]> {
  const able: string[] = []
  for (const mechanism of MECHANISMS) if (await loginOf(broker, mechanism, user, password)) able.push(mechanism)
  return able
}

test('a user of the directory logs in by every mechanism, by each of its passwords', async (t) => {
  const broker = await startSecured(t, { requirepass: 'öffne dich', user: 'bob on >from-configuration' })
  const { server } = broker
  assert.deepEqual(await loginsOf(broker, 'default', 'öffne dich'), MECHANISMS)
  assert.deepEqual(await loginsOf(broker, 'bob', 'from-configuration'), MECHANISMS)
  await server.execute('ACL', 'SETUSER', 'alice', 'on', '>first', '>second')
  assert.deepEqual(await loginsOf(broker, 'alice', 'first'), MECHANISMS)
  assert.deepEqual(await loginsOf(broker, 'alice', 'second'), MECHANISMS)
  assert.deepEqual(await loginsOf(broker, 'alice', 'third'), [])
  await server.execute('ACL', 'SETUSER', 'alice', '<first')
  assert.deepEqual(await loginsOf(broker, 'alice', 'first'), [])
  assert.deepEqual(await loginsOf(broker, 'alice', 'second'), MECHANISMS)
  await server.execute('ACL', 'SETUSER', 'alice', 'resetpass')
  assert.deepEqual(await loginsOf(broker, 'alice', 'second'), [])
  await server.execute('CONFIG', 'SET', 'requirepass', 'other')
  assert.deepEqual(await loginsOf(broker, 'default', 'öffne dich'), [])
  assert.deepEqual(await loginsOf(broker, 'default', 'other'), MECHANISMS)
})

test('a password of which only the hash is known is good for PLAIN', async (t) => {
  const broker = await startSecured(t)
  const hash = 'a665a45920422f9d417e4867efdc4fb8a04a1f3fff1fa07e998e86f7f7a27ae3'
  await broker.server.execute('ACL', 'SETUSER', 'alice', 'on', `#${hash}`)
  assert.deepEqual(await loginsOf(broker, 'alice', '123'), ['PLAIN'])
  await broker.server.execute('ACL', 'SETUSER', 'alice', '>123')
  assert.deepEqual(await loginsOf(broker, 'alice', '123'), MECHANISMS)
})

test('who is disabled, has no password or is gone does not come in', async (t) => {
  const broker = await startSecured(t)
  const { server, logged } = broker
  assert.deepEqual(await loginsOf(broker, 'default', 'anything'), [])
  assert.match(logged.join('\n'), /"default", who has no password/)
  await server.execute('ACL', 'SETUSER', 'alice', '>secret')
  assert.deepEqual(await loginsOf(broker, 'alice', 'secret'), [])
  await server.execute('ACL', 'SETUSER', 'alice', 'on')
  assert.deepEqual(await loginsOf(broker, 'alice', 'secret'), MECHANISMS)
  await server.execute('ACL', 'SETUSER', 'alice', 'off')
  assert.deepEqual(await loginsOf(broker, 'alice', 'secret'), [])
  await server.execute('ACL', 'SETUSER', 'alice', 'on')

  const client = await broker.connect()
  assert.equal((await logIn(client, 'PLAIN', 'alice', 'secret')).errorCode, 0)
  await server.execute('ACL', 'DELUSER', 'alice')
  await client.closed
  assert.match(logged.join('\n'), /alice is no user any more/)
  assert.deepEqual(await loginsOf(broker, 'alice', 'secret'), [])
})

test('what Kafka sets for a user counts before what its password makes, until the user is deleted', async (t) => {
  const broker = await startSecured(t)
  const { server } = broker
  await server.execute('ACL', 'SETUSER', 'alice', 'on', '>redis')
  const admin = new Dialog(await WireClient.connect(server.kafka.listeners['PLAINTEXT']))
  t.after(() => admin.client.close())
  await admin.alter('set', [], [{ name: 'alice', mechanism: 1, iterations: 8192, password: 'kafka' }])
  assert.deepEqual(await loginsOf(broker, 'alice', 'redis'), ['PLAIN', 'SCRAM-SHA-512'])
  assert.deepEqual(await loginsOf(broker, 'alice', 'kafka'), ['SCRAM-SHA-256'])
  await admin.describe('described', ['alice'])
  await admin.alter('deleted', [{ name: 'alice', mechanism: 1 }], [])
  assert.deepEqual(await loginsOf(broker, 'alice', 'redis'), ['PLAIN', 'SCRAM-SHA-512'])
  await admin.alter('set', [], [{ name: 'alice', mechanism: 2, iterations: 4096, password: 'kafka' }])
  await server.execute('ACL', 'DELUSER', 'alice')
  await admin.describe('gone', ['alice'])
  await admin.alter('set', [], [{ name: 'carol', mechanism: 2, iterations: 4096, password: 'kafka' }])
  assert.deepEqual(await loginsOf(broker, 'carol', 'kafka'), ['SCRAM-SHA-512'])
  await server.execute('ACL', 'SETUSER', 'carol', 'off')
  assert.deepEqual(await loginsOf(broker, 'carol', 'kafka'), [])
  await admin.alter('blanks', [], [{ name: 'a b', mechanism: 1, iterations: 4096 }])
  assert.deepEqual(admin.lines, [
    'set: alice NONE',
    'described: NONE; alice 1:8192 2:4096',
    'deleted: alice NONE',
    'set: alice NONE',
    'gone: NONE; alice RESOURCE_NOT_FOUND Attempt to describe a user credential that does not exist: alice',
    'set: carol NONE',
    'blanks: a b UNACCEPTABLE_CREDENTIAL Username must not contain blanks',
  ])
})

test('credentials outlive the process, for their owner alone to read', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-scram-'))
  const hash = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b' // secret
  const first = await startSecured(t, { dir, user: 'alice on >secret' })
  const admin = new Dialog(await WireClient.connect(first.server.kafka.listeners['PLAINTEXT']))
  await admin.alter('set', [], [{ name: 'carol', mechanism: 1, iterations: 4096, password: 'kafka' }])
  assert.deepEqual(await loginsOf(first, 'alice', 'secret'), MECHANISMS)
  admin.client.close()
  await first.server.close()
  const { mode } = statSync(join(dir, 'kafka-logs', 'scram-credentials.json'))
  if (process.platform !== 'win32') assert.equal(mode & 0o777, 0o600)

  const second = await startSecured(t, { dir, user: `alice on #${hash}` })
  assert.deepEqual(await loginsOf(second, 'alice', 'secret'), MECHANISMS)
  assert.deepEqual(await loginsOf(second, 'carol', 'kafka'), ['SCRAM-SHA-256'])
  await second.server.close()
  rmSync(dir, { recursive: true, force: true })
})

test('an answer to a failure waits, and the next request with it', async (t) => {
  const broker = await startSecured(t, {}, { 'connection.failed.authentication.delay.ms': 60_000 })
  const { server } = broker
  const witness = await WireClient.connect(server.kafka.listeners['PLAINTEXT'])
  t.after(() => witness.close())
  const failures = [
    async (client: WireClient) => {
      await handshake(client, 'PLAIN')
      return authenticate(client, plainToken('alice', 'guess'))
    },
    (client: WireClient) => handshake(client, 'GSSAPI'),
  ]
  for (const fail of failures) {
    const client = await broker.connect()
    let isAnswered = false
    const answer = fail(client).then(({ errorCode }) => {
      isAnswered = true
      return errorCode
    })
    // Somebody else who is served in the meantime shows that the failure has arrived, and waits.
    for (let round = 0; round < 10; round++) await witness.call(metadataRequest, metadataResponse, 9, METADATA)
    assert.equal(isAnswered, false)
    server.clock.advance(60_000)
    assert.ok([33, 58].includes(await answer))
    await client.closed
  }
  const gone = await broker.connect()
  void fail(gone)
  for (let round = 0; round < 10; round++) await witness.call(metadataRequest, metadataResponse, 9, METADATA)
  gone.close()

  function fail(client: WireClient): Promise<unknown> {
    return failures[1](client).catch(() => null)
  }
})

test('a login lasts as long as is set, and may be repeated by the same user alone', async (t) => {
  const config = {
    'connections.max.reauth.ms': 60_000,
    'listener.name.sasl_plaintext.scram-sha-512.connections.max.reauth.ms': 5000,
  }
  const broker = await startSecured(t, { user: 'alice on >secret' }, config)
  const { server, logged } = broker
  await server.execute('ACL', 'SETUSER', 'bob', 'on', '>secret')
  const ask = (client: WireClient) => client.call(metadataRequest, metadataResponse, 9, METADATA)

  const client = await broker.connect()
  assert.equal((await logIn(client, 'PLAIN', 'alice', 'secret')).sessionLifetimeMs, 60_000)
  assert.equal((await handshake(client, 'PLAIN')).errorCode, 0)
  assert.equal((await authenticate(client, plainToken('alice', 'secret'))).errorCode, 0)
  assert.equal((await handshake(client, 'PLAIN')).errorCode, 34, 'a second time within a second')
  server.clock.advance(59_000)
  await ask(client)
  assert.equal((await logIn(client, 'PLAIN', 'alice', 'secret')).errorCode, 0)
  server.clock.advance(59_000)
  await ask(client)
  server.clock.advance(2000)
  await assert.rejects(ask(client))
  assert.match(logged.join('\n'), /its login has expired/)

  const late = await broker.connect()
  assert.equal((await logIn(late, 'SCRAM-SHA-512', 'alice', 'secret')).sessionLifetimeMs, 5000)
  server.clock.advance(60_000)
  assert.equal((await logIn(late, 'SCRAM-SHA-512', 'alice', 'secret')).errorCode, 0, 'even when it has expired')
  await ask(late)

  const other = await broker.connect()
  await logIn(other, 'PLAIN', 'alice', 'secret')
  const { errorCode, errorMessage } = await logIn(other, 'PLAIN', 'bob', 'secret')
  assert.equal(errorCode, 58)
  assert.equal(errorMessage, 'Cannot change principals during re-authentication from User.alice: User.bob')

  const changed = await broker.connect()
  await logIn(changed, 'PLAIN', 'alice', 'secret')
  assert.equal((await handshake(changed, 'SCRAM-SHA-256')).errorCode, 0)
  await assert.rejects(authenticate(changed, plainToken('alice', 'secret')))
})

test('who has not logged in may not send much', async (t) => {
  const broker = await startSecured(t, {}, { 'sasl.server.max.receive.size': 1000 })
  const client = await broker.connect()
  client.sendBytes(Buffer.from([0, 0, 4, 0]))
  await client.closed
  assert.match(broker.logged.join('\n'), /a request of 1024 bytes, and kafka.sasl.server.max.receive.size is 1000/)
  const bare = await broker.connect()
  await handshake(bare, 'PLAIN', 0)
  bare.sendBytes(Buffer.from([0xff, 0xff, 0xff, 0xff]))
  await bare.closed
})

test('mechanisms may be chosen for each listener, and while it runs', async (t) => {
  const broker = await startSecured(t, { user: 'alice on >secret' }, { 'sasl.enabled.mechanisms': 'SCRAM-SHA-512' })
  const { server } = broker
  const offered = async () => {
    const client = await broker.connect()
    const { mechanisms } = await handshake(client, 'NONE')
    return mechanisms
  }
  assert.deepEqual(await offered(), ['SCRAM-SHA-512'])
  await server.execute('CONFIG', 'SET', 'kafka.listener.name.sasl_plaintext.sasl.enabled.mechanisms', 'PLAIN')
  assert.deepEqual(await offered(), ['PLAIN'])
  await assert.rejects(
    server.execute(
      'CONFIG',
      'SET',
      'kafka.sasl.enabled.mechanisms',
      'SCRAM-SHA-256',
      'kafka.listener.name.sasl_plaintext.sasl.enabled.mechanisms',
      'GSSAPI',
    ),
    /there is no GSSAPI here/,
  )
  assert.deepEqual(await offered(), ['PLAIN'])
})

test('without a login everybody is the same, and with one who has proved it', async (t) => {
  const broker = await startSecured(t, { user: 'alice on >secret' })
  const seen: unknown[] = []
  const { server } = broker
  const client = await broker.connect()
  await logIn(client, 'PLAIN', 'alice', 'secret')
  const plain = await WireClient.connect(server.kafka.listeners['PLAINTEXT'])
  t.after(() => plain.close())
  for (const each of [client, plain]) {
    const answer = await each.call(metadataRequest, metadataResponse, 9, METADATA)
    seen.push(`${answer.brokers[0].host}:${answer.brokers[0].port}`)
  }
  assert.deepEqual(seen, [server.kafka.listeners['SASL_PLAINTEXT'], server.kafka.listeners['PLAINTEXT']])
  assert.equal(ANONYMOUS.name, 'ANONYMOUS')
  assert.equal(server.urls.kafka, server.kafka.listeners['SASL_PLAINTEXT'])
  assert.equal(server.env['KAFKA_SECURITY_PROTOCOL'], 'SASL_PLAINTEXT')
  assert.equal(server.env['KAFKA_SASL_MECHANISM'], 'SCRAM-SHA-512')
})
