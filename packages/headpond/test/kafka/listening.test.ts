import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { ConfigError } from '#src/config/config-error.ts'
import { listenerPlans } from '#src/kafka/listener.ts'
import { findCoordinatorRequest, findCoordinatorResponse } from '#src/kafka/schemas/find-coordinator.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { createServer } from '#src/server/create-server.ts'
import { refuseUnknownAddress } from '#src/server/kafka.ts'
import { Server } from '#src/server/server.ts'
import { startBroker } from './test-broker.ts'
import { WireClient } from './wire-client.ts'

const NO_TOPICS = { topics: [], includeTopicAuthorizedOperations: false }

/** As the executable makes one, with these arguments. */
function serverWith(t: TestContext, ...argv: string[]): { server: Server; logged: string[] } {
  const logged: string[] = []
  const add = (line: string) => void logged.push(line)
  const server = new Server({
    config: Config.load({ argv: ['--port', 'auto', '--memcached-port', '0', ...argv] }),
    log: { info: add, warn: add, error: (_, line) => add(line) },
    firstArenaBytes: 2 ** 24,
  })
  t.after(() => server.close())
  return { server, logged }
}

/** Where clients are told to go. */
async function toldBy(address: string): Promise<string> {
  const [, host, port] = /^(.*):(\d+)$/.exec(address)!
  const client = await WireClient.connect(Number(port), host.replace(/^\[|\]$/g, ''))
  try {
    const { brokers } = await client.call(metadataRequest, metadataResponse, 9, NO_TOPICS)
    const found = await client.call(findCoordinatorRequest, findCoordinatorResponse, 1, {
      key: 'g',
      coordinatorKeys: [],
    })
    assert.deepEqual([found.nodeId, found.host, found.port], [brokers[0].nodeId, brokers[0].host, brokers[0].port])
    return `${brokers[0].host}:${brokers[0].port}`
  } finally {
    client.close()
  }
}

test('an embedded server has a broker that nobody has asked for, and clients find it', async (t) => {
  const server = await createServer()
  t.after(() => server.close())
  assert.match(server.urls.kafka, /^127\.0\.0\.1:\d+$/)
  assert.equal(await toldBy(server.urls.kafka), server.urls.kafka)
})

test('a port of 0 is none', async (t) => {
  const server = await createServer({ kafkaPort: 0 })
  t.after(() => server.close())
  assert.equal(server.urls.kafka, '')
})

test('the broker is loaded for the first client, unless it was asked for', async (t) => {
  const { server: usual } = serverWith(t, '--ephemeral', '--kafka-port', '0')
  await usual.start()
  assert.deepEqual([usual.kafkaPort, usual.kafka.service], [0, null])

  const { server: asked } = serverWith(t, '--ephemeral', '--kafka-port', 'auto')
  await asked.start()
  assert.notEqual(asked.kafka.service, null)
  assert.equal(asked.addresses.kafka, `127.0.0.1:${asked.kafkaPort}`)

  const options = { argv: ['--ephemeral', '--port', 'auto', '--memcached-port', '0'] }
  const config = Config.load({ ...options, defaults: () => ({ kafkaPort: 'auto' }) })
  const log = { info() {}, warn() {}, error() {} }
  const waiting = new Server({ config, log, firstArenaBytes: 2 ** 24 })
  t.after(() => waiting.close())
  await waiting.start()
  assert.equal(waiting.kafka.service, null)
  const address = `127.0.0.1:${waiting.kafkaPort}`
  const told = await Promise.all([toldBy(address), toldBy(address), toldBy(address)])
  assert.deepEqual(told, [address, address, address])
  assert.notEqual(waiting.kafka.service, null)
})

test('what the first client sends before the broker is loaded is kept, however much it is', async (t) => {
  const server = await createServer()
  t.after(() => server.close())
  const client = await WireClient.connect(server.urls.kafka)
  t.after(() => client.close())
  const names = Array.from({ length: 60 }, (_, index) => `${index}${'x'.repeat(30_000)}`)
  const topics = names.map((name) => ({ name, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }))
  const request = { topics, includeTopicAuthorizedOperations: false }
  const ids = [1, 2].map(() => client.send(metadataRequest, 9, request))
  for (const id of ids) {
    const answer = await client.receive(metadataResponse, 9, id)
    assert.deepEqual(
      answer.topics.map(({ name }) => name),
      names,
    )
  }
})

test('a broker that has kept something is there from the start', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-kafka-'))
  const { server } = serverWith(t, '--dir', dir, '--kafka-port', 'auto')
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const first = await createServer({ dir })
  assert.equal(existsSync(join(dir, 'kafka-logs')), false)
  const client = await WireClient.connect(first.urls.kafka)
  const orders = {
    topics: [{ name: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }],
    includeTopicAuthorizedOperations: false,
  }
  await client.call(metadataRequest, metadataResponse, 9, orders)
  client.close()
  await first.close()
  assert.equal(existsSync(join(dir, 'kafka-logs')), true)

  await server.start()
  assert.deepEqual([...server.kafka.service!.broker.logs.topics.keys()], ['orders'])
})

test('a port in use is an error for who has asked for it, and else the server goes on without', async (t) => {
  const { server: holder } = serverWith(t, '--ephemeral', '--kafka-port', 'auto')
  await holder.start()
  const port = holder.kafkaPort
  const { server: refused } = serverWith(t, '--ephemeral', '--kafka-port', String(port))
  await assert.rejects(refused.start(), new RegExp(`kafka-port ${port}: 127.0.0.1:${port} is in use`))

  const logged: string[] = []
  const config = Config.load({
    argv: ['--ephemeral', '--port', 'auto', '--memcached-port', '0'],
    defaults: () => ({ kafkaPort: port }),
  })
  const log = { info() {}, warn: (line: string) => void logged.push(line), error() {} }
  const server = new Server({ config, log, firstArenaBytes: 2 ** 24 })
  t.after(() => server.close())
  await server.start()
  assert.notEqual(server.port, 0)
  assert.deepEqual([server.kafkaPort, server.addresses.kafka], [0, undefined])
  assert.match(logged.join('\n'), /^Kafka's protocol is off: kafka-port \d+: 127.0.0.1:\d+ is in use/m)
})

test('clients are told the address that they have used, or kafka-advertised-host', async (t) => {
  const loopback = await startBroker(t)
  assert.equal(await toldBy(loopback.address), loopback.address)

  const { server, logged } = serverWith(t, '--ephemeral', '--kafka-port', 'auto', '--bind', '127.0.0.1', '127.0.0.2')
  await server.start()
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    assert.equal(await toldBy(`${host}:${server.kafkaPort}`), `${host}:${server.kafkaPort}`)
  }
  // There is nothing to tell of that anybody could get wrong.
  assert.deepEqual(logged, [])

  for (const [flag, value, told] of [
    ['--kafka-advertised-host', 'kafka.example', 'kafka.example:port'],
    ['--kafka-advertised-host', 'localhost:19092', 'localhost:19092'],
    ['--kafka-advertised-host', '::1', '::1:port'],
    ['--kafka-advertised-host', '[::1]:19092', '::1:19092'],
    ['--kafka.advertised.listeners', 'PLAINTEXT://kafka.example:19092,SSL://other:1', 'kafka.example:19092'],
  ]) {
    const { server: advertising, logged: lines } = serverWith(t, '--ephemeral', '--kafka-port', 'auto', flag, value)
    await advertising.start()
    const expected = told.replace('port', String(advertising.kafkaPort))
    assert.equal(await toldBy(`127.0.0.1:${advertising.kafkaPort}`), expected)
    assert.ok(lines.includes(`Kafka clients are told to connect to ${expected}`), lines.join('\n'))
  }
  for (const [flag, value] of [
    ['--kafka-advertised-host', '0.0.0.0'],
    ['--kafka-advertised-host', 'a b'],
    ['--kafka-advertised-host', 'host:70000'],
    ['--kafka-advertised-host', 'http://host'],
    ['--kafka.advertised.listeners', 'kafka.example:9092'],
  ]) {
    await assert.rejects(
      serverWith(t, '--ephemeral', '--kafka-port', 'auto', flag, value).server.start(),
      ConfigError,
      value,
    )
  }
})

test('behind a wildcard address there must be one that others can know', () => {
  const refuse = (interfaces: Parameters<typeof refuseUnknownAddress>[2], ...argv: string[]) => {
    const config = Config.load({ argv })
    refuseUnknownAddress(config, listenerPlans(config)[0], interfaces)
  }
  const loopback = [{ internal: true }] as NonNullable<ReturnType<typeof networkInterfaces>[string]>
  const outside = [{ internal: false }] as typeof loopback
  for (const address of ['*', '0.0.0.0', '::', '-::*']) {
    assert.throws(() => refuse([loopback], '--bind', address), ConfigError, address)
    refuse([loopback, outside], '--bind', address)
    refuse([loopback], '--bind', address, '--kafka-advertised-host', 'kafka.example')
  }
  refuse([loopback], '--bind', '127.0.0.1')
  const listener = (host: string) => ['--kafka.listeners', `PLAINTEXT://${host}:9092`]
  assert.throws(() => refuse([loopback], ...listener('0.0.0.0')), ConfigError)
  refuse([loopback], '--bind', '*', ...listener('127.0.0.1'))
})

test('in protected mode only this machine may connect', async (t) => {
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')
  if (outside === undefined) return t.skip('this machine has no address but those of itself')
  const { server, logged } = serverWith(t, '--ephemeral', '--kafka-port', 'auto', '--bind', '*')
  await server.start()
  assert.match(logged.join('\n'), /Kafka clients are told to connect to the address they have used/)
  const address = `${outside.address}:${server.kafkaPort}`
  await (await WireClient.connect(address)).closed
  assert.match(logged.join('\n'), /Kafka connection of .* refused: only this machine may connect \(protected-mode\)/)
  assert.equal(await toldBy(`127.0.0.1:${server.kafkaPort}`), `127.0.0.1:${server.kafkaPort}`)
})

test('a setting that has no such value is refused at the start', async (t) => {
  const { server } = serverWith(t, '--ephemeral', '--kafka-port', 'auto', '--kafka.num.partitions', 'many')
  await assert.rejects(server.start(), ConfigError)
})
