/** `headpond topic` and `headpond group` with brokers that ask who they are: by flags, by the environment, by a file. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseProperties } from '#src/cli/kafka/properties.ts'
import { createServer } from '#src/index.ts'
import { KafkaClient } from '#src/kafka/client/client.ts'
import { CertificateFiles, createAuthority, createCertificate } from '../certificates.ts'
import { runKafkaCli } from './kafka-run.ts'

const PASSWORD = 'a "quoted" one; \\ and more'
const JAAS = `org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="${PASSWORD.replace(/["\\]/g, '\\$&')}";`

test('a broker that wants a login, over TLS', async (t) => {
  const files = new CertificateFiles()
  t.after(() => files[Symbol.dispose]())
  const authority = await createAuthority()
  const { cert, key } = await createCertificate(authority)
  const trusted = files.write('ca.pem', authority.cert)
  const server = await createServer({
    kafka: {
      topics: { orders: 1 },
      config: {
        listeners: 'SASL_SSL://:0',
        'ssl.keystore.certificate.chain': cert,
        'ssl.keystore.key': key,
        'connection.failed.authentication.delay.ms': 0,
      },
    },
  })
  t.after(() => server.close())
  await server.execute('ACL', 'SETUSER', 'alice', 'on', `>${PASSWORD}`)
  const write = (name: string, lines: readonly string[]) => files.write(name, `${lines.join('\n')}\n`)
  const escaped = (text: string) => text.replaceAll('\\', '\\\\')
  const good = [
    '# as for kafka-console-producer',
    `bootstrap.servers=${server.urls.kafka}`,
    'security.protocol=SASL_SSL',
    'sasl.mechanism = SCRAM-SHA-512',
    `sasl.jaas.config=${escaped(JAAS).replace(' required', ' \\\n    required')}`,
    'ssl.truststore.type=PEM',
    `ssl.truststore.location=${escaped(trusted)}`,
  ]
  const list = async (words: readonly string[], env?: Record<string, string>) => {
    const { exitCode, output, errors } = await runKafkaCli(
      null,
      ['topic', 'list', ...words],
      env === undefined ? {} : { env },
    )
    return exitCode === 0 && output.includes('orders') ? 'orders' : `${exitCode} ${errors}`
  }
  assert.equal(await list(['--command-config', write('good', good)]), 'orders')

  const brokers = { KAFKA_BROKERS: server.urls.kafka }
  const asAlice = ['--cacert', trusted, '--user', 'alice', '--password', PASSWORD]
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    assert.equal(await list([...asAlice, '--mechanism', mechanism], brokers), 'orders', mechanism)
  }
  const { KAFKA_SECURITY_PROTOCOL = '', KAFKA_SASL_MECHANISM = '' } = server.env
  const env = {
    ...brokers,
    KAFKA_SECURITY_PROTOCOL,
    KAFKA_SASL_MECHANISM,
    KAFKA_USER: 'alice',
    KAFKA_PASSWORD: PASSWORD,
  }
  assert.equal(await list(['--cacert', trusted], env), 'orders')

  const changed = (name: string, value: string) => [...good, `${name}=${value}`]
  for (const [lines, problem] of [
    [changed('sasl.jaas.config', 'x required username="alice" password="guess";'), /SASL_AUTHENTICATION_FAILED/],
    [changed('sasl.jaas.config', 'x required;'), /there is no username/],
    [changed('sasl.mechanism', 'GSSAPI'), /one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, not GSSAPI/],
    [changed('security.protocol', 'TLS'), /one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL, not TLS/],
    [changed('ssl.truststore.location', '/nowhere'), /ssl.truststore.location: \/nowhere cannot be read/],
    [changed('bootstrap.servers', 'a b'), /an address is host:port/],
    [changed('request.timeout.ms', 'soon'), /a number of milliseconds/],
  ] as const) {
    assert.match(await list(['--command-config', write('changed', lines)]), problem)
  }
  assert.match(await list(['--command-config', '/nowhere']), /cannot be read \(ENOENT\)/)
  assert.match(await list([...asAlice, '--mechanism', 'GSSAPI'], brokers), /^2 .*not GSSAPI/)
  assert.match(await list(['--cacert', trusted], brokers), /^1 /)
})

test('a login that lasts for a time only is repeated', async (t) => {
  const server = await createServer({
    kafka: { topics: { orders: 1 }, config: { listeners: 'SASL_PLAINTEXT://:0', 'connections.max.reauth.ms': 60_000 } },
  })
  t.after(() => server.close())
  await server.execute('ACL', 'SETUSER', 'alice', 'on', '>secret')
  const [host, port] = server.urls.kafka.split(':')
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256'] as const) {
    let nowMs = 0
    const sasl = { user: 'alice', password: 'secret', mechanism }
    const client = await KafkaClient.connect({ bootstrap: [{ host, port: Number(port) }], sasl, nowMs: () => nowMs })
    const before = server.kafka.calls('SaslHandshake').length
    // Longer than one login lasts; and questions that come together wait for the same new one.
    for (let round = 0; round < 3; round++) {
      nowMs += 55_000
      server.clock.advance(55_000)
      const answers = await Promise.all([client.topics(['orders']), client.topics(['orders']), client.topics(null)])
      assert.deepEqual(
        answers.map(({ length }) => length),
        [1, 1, 1],
      )
    }
    assert.equal(server.kafka.calls('SaslHandshake').length - before, 3, mechanism)
    client.close()
  }
})

test("properties are Java's", () => {
  const text = [
    '  # comment',
    '! another',
    'a=1',
    'b : 2',
    'c 3',
    'd',
    'e\\=f=g=h',
    'long = one, \\',
    '    two',
    'path=C:\\\\dir\\\\',
    'u=\\u00e9\\n',
    'a=again',
  ].join('\r\n')
  assert.deepEqual(Object.fromEntries(parseProperties(text)), {
    a: 'again',
    b: '2',
    c: '3',
    d: '',
    'e=f': 'g=h',
    long: 'one, two',
    path: 'C:\\dir\\',
    u: 'é',
  })
  fc.assert(fc.property(fc.string(), (noise) => void parseProperties(noise)))
})
