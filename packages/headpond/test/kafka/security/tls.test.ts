/** Listeners over TLS: certificates from everywhere that Kafka takes them from, and clients that show their own. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { Config } from '#src/config/config.ts'
import { ConfigError } from '#src/config/config-error.ts'
import { KafkaClient } from '#src/kafka/client/client.ts'
import { listenerPlans } from '#src/kafka/listener.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '#src/kafka/schemas/incremental-alter-configs.ts'
import { createServer } from '#src/server/create-server.ts'
import { CertificateFiles, createAuthority, createCertificate, lockKey } from '../../certificates.ts'
import { startBroker } from '../test-broker.ts'
import { WireClient } from '../wire-client.ts'
import { askForCluster } from './permitted.ts'
import { PKCS12 } from './pkcs12.ts'

const authority = await createAuthority()
const stranger = await createAuthority('Another authority')
const serverIdentity = await createCertificate(authority)
const alice = await createCertificate(authority, 'alice')
const mallory = await createCertificate(stranger, 'mallory')

function directory(t: TestContext): CertificateFiles {
  const files = new CertificateFiles()
  t.after(() => files[Symbol.dispose]())
  return files
}

/** The certificate that the server shows. */
async function shownAt(address: string): Promise<string> {
  const socket = await handshake(address, { ca: authority.cert })
  const { raw } = socket.getPeerCertificate()
  socket.destroy()
  return new X509Certificate(raw).fingerprint256
}

async function handshake(address: string, options: ConnectionOptions): Promise<TLSSocket> {
  const [host, port] = address.split(':')
  const socket = connect({ host, port: Number(port), ...options })
  await once(socket, 'secureConnect')
  return socket
}

/** Whether a client comes as far as an answer. */
async function comesIn(address: string, tls: ConnectionOptions): Promise<boolean> {
  const [host, port] = address.split(':')
  try {
    const client = await KafkaClient.connect({ bootstrap: [{ host, port: Number(port) }], tls, timeoutMs: 10_000 })
    client.close()
    return true
  } catch {
    return false
  }
}

const inline = { 'ssl.keystore.certificate.chain': serverIdentity.cert, 'ssl.keystore.key': serverIdentity.key }

test('a certificate is taken from the settings, from files, and from the directives of the server', async (t) => {
  const files = directory(t)
  const oneLine = (pem: string) => pem.trim().replaceAll('\n', ' ')
  const store = files.write('store.pem', serverIdentity.key + serverIdentity.cert)
  const ways: Record<string, Record<string, string>> = {
    'PEM in settings': { 'ssl.keystore.type': 'PEM', ...inline },
    'PEM on one line': Object.fromEntries(Object.entries(inline).map(([name, pem]) => [name, oneLine(pem)])),
    'a PEM file': { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': store },
    'a PEM file whose type nobody has said': { 'ssl.keystore.location': store },
    'a locked key': {
      ...inline,
      'ssl.keystore.key': lockKey(serverIdentity.key, 'open sesame'),
      'ssl.key.password': 'open sesame',
    },
    'one listener alone': Object.fromEntries(
      Object.entries(inline).map(([name, value]) => [`listener.name.ssl.${name}`, value]),
    ),
  }
  for (const [what, config] of Object.entries(ways)) {
    const server = await createServer({ kafka: { config: { listeners: 'SSL://:0', ...config } } })
    try {
      assert.equal(await comesIn(server.urls.kafka, { ca: authority.cert }), true, what)
      assert.equal(await comesIn(server.urls.kafka, { ca: stranger.cert }), false, what)
      assert.equal(server.env['KAFKA_SECURITY_PROTOCOL'], 'SSL')
    } finally {
      await server.close()
    }
  }
  const pkcs12 = files.write('store.p12', '')
  writeFileSync(pkcs12, PKCS12.bytes)
  const store12 = { 'ssl.keystore.location': pkcs12, 'ssl.keystore.password': PKCS12.password }
  const ofStore = await createServer({
    kafka: { config: { listeners: 'SSL://:0', 'ssl.keystore.type': 'PKCS12', ...store12 } },
  })
  t.after(() => ofStore.close())
  assert.equal(await comesIn(ofStore.urls.kafka, { ca: PKCS12.certificate }), true)

  const fallback = await createServer({
    tlsCertFile: files.write('server.pem', serverIdentity.cert),
    tlsKeyFile: files.write('key.pem', serverIdentity.key),
    kafka: { config: { listeners: 'SSL://:0' } },
  })
  t.after(() => fallback.close())
  assert.equal(await comesIn(fallback.urls.kafka, { ca: authority.cert }), true)
})

test('what cannot be is told before anything is listened on', async (t) => {
  const files = directory(t)
  const jks = files.write('store.jks', '')
  writeFileSync(jks, Buffer.from('feedfeed0000000200000000', 'hex'))
  const noise = files.write('noise.p12', 'this is no store')
  const cases: [config: Record<string, string>, problem: RegExp][] = [
    [{}, /there is no certificate for it/],
    [{ 'ssl.keystore.location': jks }, /Java's own format \(JKS\).*keytool -importkeystore/],
    [{ 'ssl.keystore.location': noise, 'ssl.keystore.password': 'x' }, /cannot be opened as PKCS12/],
    [{ 'ssl.keystore.location': noise, 'ssl.keystore.type': 'PEM' }, /is no PEM/],
    [{ 'ssl.keystore.location': '/nowhere/store.pem' }, /cannot be read \(ENOENT\)/],
    [{ ...inline, 'ssl.keystore.key': alice.key }, /the key does not belong/],
    [{ ...inline, 'ssl.keystore.key': 'x' }, /there is no private key/],
    [{ 'ssl.keystore.key': serverIdentity.key }, /ssl.keystore.certificate.chain: is missing/],
    [{ ...inline, 'ssl.client.auth': 'required' }, /there is no authority/],
    [{ ...inline, 'ssl.client.auth': 'perhaps' }, /ssl.client.auth/],
    [{ ...inline, 'ssl.truststore.certificates': 'x' }, /there is no certificate in it/],
    [{ ...inline, 'ssl.enabled.protocols': 'SSLv3' }, /there is no version 'SSLv3'/],
    [{ ...inline, 'ssl.cipher.suites': 'TLS_ROT13' }, /no cipher match/],
    [{ ...inline, 'ssl.principal.mapping.rules': 'RULE' }, /Invalid rule/],
  ]
  for (const [config, problem] of cases) {
    const starting = createServer({ kafka: { config: { listeners: 'SSL://:0', ...config } } })
    const error = await starting.then(
      (server) => server.close().then(() => null),
      (reason) => reason,
    )
    assert.ok(error instanceof ConfigError, `${JSON.stringify(config).slice(0, 80)}: ${error}`)
    assert.match(error.message, problem)
  }
})

test('clients show certificates, and are who these say', async (t) => {
  const common = { listeners: 'SSL://:0', ...inline, 'ssl.truststore.certificates': authority.cert }
  const asClient = ({ cert, key }: { cert: string; key: string }) => ({ ca: authority.cert, cert, key })
  const names: string[] = []
  const start = async (config: Record<string, string>) => {
    const { server, logged } = await startBroker(t, { kafka: { config: { ...common, ...config } } })
    return { address: server.urls.kafka, server, logged }
  }
  const required = await start({ 'ssl.client.auth': 'required' })
  assert.equal(await comesIn(required.address, asClient(alice)), true)
  assert.equal(await comesIn(required.address, asClient(mallory)), false)
  assert.equal(await comesIn(required.address, { ca: authority.cert }), false)

  const requested = await start({ 'ssl.client.auth': 'requested' })
  assert.equal(await comesIn(requested.address, asClient(alice)), true)
  assert.equal(await comesIn(requested.address, asClient(mallory)), false)
  assert.equal(await comesIn(requested.address, { ca: authority.cert }), true)

  // Who may do what goes by the name: only that of the rule may ask for the cluster.
  for (const [rules, name] of [
    ['DEFAULT', 'CN=alice'],
    ['RULE:^CN=(.*)$/$1/U', 'ALICE'],
  ]) {
    const authorizer = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'
    const { address } = await start({
      'ssl.client.auth': 'required',
      'ssl.principal.mapping.rules': rules,
      'authorizer.class.name': authorizer,
      'super.users': `User:${name}`,
    })
    const [host, port] = address.split(':')
    const bootstrap = [{ host, port: Number(port) }]
    const client = await KafkaClient.connect({ bootstrap, tls: asClient(alice) })
    t.after(() => client.close())
    names.push(`${name}: ${await askForCluster(client)}`)
  }
  assert.deepEqual(names, ['CN=alice: permitted', 'ALICE: permitted'])

  const nobody = await start({ 'ssl.client.auth': 'required', 'ssl.principal.mapping.rules': 'RULE:^CN=bob$/bob/' })
  assert.equal(await comesIn(nobody.address, asClient(alice)), false)
  assert.match(nobody.logged.join('\n'), /ssl.principal.mapping.rules/)
})

test('a certificate is renewed while it runs, and one that is none is refused', async (t) => {
  const files = directory(t)
  const renewed = await createCertificate(authority)
  const store = files.write('store.pem', serverIdentity.key + serverIdentity.cert)
  const next = files.write('next.pem', renewed.key + renewed.cert)
  const broken = files.write('broken.pem', alice.key + renewed.cert)
  const { server } = await startBroker(t, {
    kafka: { config: { listeners: 'SSL://:0,PLAINTEXT://:0', 'listener.name.ssl.ssl.keystore.location': store } },
  })
  const { SSL, PLAINTEXT } = server.kafka.listeners
  const before = new X509Certificate(serverIdentity.cert).fingerprint256
  const after = new X509Certificate(renewed.cert).fingerprint256
  assert.equal(await shownAt(SSL), before)

  const set = (path: string) => server.execute('CONFIG', 'SET', 'kafka.listener.name.ssl.ssl.keystore.location', path)
  await assert.rejects(async () => set(broken), /the key does not belong/)
  assert.equal(await shownAt(SSL), before)
  await set(next)
  assert.equal(await shownAt(SSL), after)
  await set(store)
  assert.equal(await shownAt(SSL), before)

  const client = await WireClient.connect(PLAINTEXT)
  t.after(() => client.close())
  const alter = async (value: string) => {
    const configs = [{ name: 'listener.name.ssl.ssl.keystore.location', configOperation: 0, value }]
    const resources = [{ resourceType: 4, resourceName: '1', configs }]
    const body = { resources, validateOnly: false }
    const { responses } = await client.call(incrementalAlterConfigsRequest, incrementalAlterConfigsResponse, 1, body)
    return responses[0]
  }
  const refused = await alter(broken)
  assert.equal(refused.errorCode, 42)
  assert.match(refused.errorMessage ?? '', /the key does not belong/)
  assert.equal(await shownAt(SSL), before)
  assert.equal((await alter(next)).errorCode, 0)
  assert.equal(await shownAt(SSL), after)
  // The file has another content, under the same name: the same setting once more puts it in force.
  copyFileSync(store, next)
  assert.equal((await alter(next)).errorCode, 0)
  assert.equal(await shownAt(SSL), before)
})

test('the names of listeners, and what each of them speaks', () => {
  const plansOf = (settings: Record<string, string>) => {
    const argv = Object.entries(settings).flatMap(([name, value]) => [`--kafka.${name}`, value])
    return listenerPlans(Config.load({ argv })).map(({ name, protocol, host, port, advertised }) =>
      [
        name,
        protocol,
        host ?? '',
        port,
        ...(advertised === null ? [] : [`${advertised.host}:${advertised.port}`]),
      ].join(' '),
    )
  }
  assert.deepEqual(plansOf({}), ['PLAINTEXT PLAINTEXT  '])
  assert.deepEqual(plansOf({ listeners: 'sasl_ssl://[::1]:9093,PLAINTEXT://localhost:0' }), [
    'SASL_SSL SASL_SSL ::1 9093',
    'PLAINTEXT PLAINTEXT localhost 0',
  ])
  assert.deepEqual(
    plansOf({
      listeners: 'INTERNAL://:9092,EXTERNAL://0.0.0.0:9094,CONTROLLER://:9093',
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'INTERNAL:PLAINTEXT,EXTERNAL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
      'advertised.listeners': 'INTERNAL://broker:9092,EXTERNAL://kafka.example:19094',
    }),
    ['INTERNAL PLAINTEXT  9092 broker:9092', 'EXTERNAL SASL_PLAINTEXT 0.0.0.0 9094 kafka.example:19094'],
  )
  for (const [settings, problem] of [
    [{ listeners: 'EXTERNAL://:9092' }, /No security protocol defined for listener EXTERNAL/],
    [{ listeners: 'PLAINTEXT:9092' }, /is no listener/],
    [{ listeners: 'PLAINTEXT://:99999' }, /there is no port 99999/],
    [{ listeners: 'PLAINTEXT://:9092,SSL://:9092' }, /have the same port/],
    [{ listeners: 'SSL://:9092,SSL://:9093' }, /two listeners SSL/],
    [{ listeners: 'CONTROLLER://:9093', 'controller.listener.names': 'CONTROLLER' }, /no listener for clients/],
    [{ listeners: 'SSL://:9093', 'advertised.listeners': 'PLAINTEXT://a:1' }, /PLAINTEXT is no listener: there is SSL/],
    [{ listeners: 'A://:9092', 'listener.security.protocol.map': 'A:TLS' }, /there is no security protocol TLS/],
  ] as [Record<string, string>, RegExp][]) {
    assert.throws(() => plansOf(settings), problem)
  }
})
