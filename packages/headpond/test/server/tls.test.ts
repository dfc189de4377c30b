import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { ConfigError, type CreateServerOptions, createServer } from '#src/index.ts'
import { CertificateFiles, createAuthority, createCertificate, lockKey } from '../certificates.ts'
import { RawClient } from '../raw-client.ts'
import { EXECUTABLE, ServerProcess } from '../server-process.ts'

const authority = await createAuthority()
const stranger = await createAuthority('Another authority')
const [serverIdentity, otherIdentity, clientIdentity, strangersIdentity] = await Promise.all([
  createCertificate(authority),
  createCertificate(authority, 'other'),
  createCertificate(authority, 'client'),
  createCertificate(stranger, 'client'),
])
const files = new CertificateFiles()
after(() => files[Symbol.dispose]())
const paths = {
  authority: files.write('ca.crt', authority.cert),
  stranger: files.write('stranger.crt', stranger.cert),
  cert: files.write('server.crt', serverIdentity.cert),
  key: files.write('server.key', serverIdentity.key),
  otherCert: files.write('other.crt', otherIdentity.cert),
  otherKey: files.write('other.key', otherIdentity.key),
  nonsense: files.write('nonsense.pem', 'nonsense'),
}

const base = {
  tlsPort: 'auto',
  tlsCertFile: paths.cert,
  tlsKeyFile: paths.key,
  tlsCaCertFile: paths.authority,
  tlsAuthClients: 'no',
} as const satisfies CreateServerOptions

/** A socket whose handshake is over, or the reason why it is not. */
async function connect(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert, ...options })
  await once(socket, 'secureConnect')
  return socket
}

async function call(port: number, options: ConnectionOptions, ...args: string[]): Promise<string> {
  const client = new RawClient(await connect(port, options))
  try {
    return await client.call(...args)
  } finally {
    client.close()
  }
}

/** What a client sees of its connection. */
async function seen<T>(port: number, options: ConnectionOptions, look: (socket: TLSSocket) => T): Promise<T> {
  const socket = await connect(port, options)
  try {
    return look(socket)
  } finally {
    socket.destroy()
  }
}

const nameOfServer = (port: number) => seen(port, {}, (socket) => String(socket.getPeerCertificate().subject.CN))
const protocolOf = (port: number, options: ConnectionOptions) => seen(port, options, (socket) => socket.getProtocol())

const ping = (port: number, options: ConnectionOptions = {}) => call(port, options, 'PING')

// ---- Clients ----

test('ioredis and node-redis over TLS', async () => {
  await using server = await createServer(base)
  assert.equal(server.urls.rediss, `rediss://127.0.0.1:${server.tlsPort}`)
  assert.equal(server.urls.redis, `redis://127.0.0.1:${server.port}`)
  assert.equal(server.env['REDIS_TLS_URL'], server.urls.rediss)

  const ioredis = new Redis(server.urls.rediss, { tls: { ca: authority.cert } })
  assert.equal(await ioredis.set('k', 'value'), 'OK')
  assert.equal(await ioredis.get('k'), 'value')
  ioredis.disconnect()

  const url = server.urls.rediss
  const nodeRedis = createClient({ url, socket: { tls: true, ca: authority.cert, reconnectStrategy: false } })
  nodeRedis.on('error', () => {})
  await nodeRedis.connect()
  assert.equal(await nodeRedis.get('k'), 'value')
  const large = 'x'.repeat(5_000_000)
  await nodeRedis.set('large', large)
  assert.equal(await nodeRedis.get('large'), large)
  const subscriber = await nodeRedis.duplicate().connect()
  const message = new Promise((resolve) => void subscriber.subscribe('news', resolve))
  while ((await nodeRedis.publish('news', 'hello')) === 0);
  assert.equal(await message, 'hello')
  subscriber.destroy()
  await nodeRedis.close()
})

test('with port 0 there is TLS and nothing else', async () => {
  await using server = await createServer({ ...base, port: 0, requirepass: 'secret word' })
  assert.equal(server.port, 0)
  assert.equal(server.urls.redis, `rediss://:secret%20word@127.0.0.1:${server.tlsPort}`)
  assert.equal(server.env['REDIS_PORT'], String(server.tlsPort))
  const client = new Redis(server.urls.redis, { tls: { ca: authority.cert } })
  assert.equal(await client.ping(), 'PONG')
  assert.match(await client.info('server'), new RegExp(`tcp_port:${server.tlsPort}\r`))
  client.disconnect()
})

test('servers in one process have certificates of their own', async () => {
  await using first = await createServer(base)
  await using second = await createServer({ ...base, tlsCertFile: paths.otherCert, tlsKeyFile: paths.otherKey })
  assert.deepEqual([await nameOfServer(first.tlsPort), await nameOfServer(second.tlsPort)], ['localhost', 'other'])
})

test('a pipeline larger than every buffer, cut anywhere, read late', async () => {
  await using server = await createServer(base)
  const socket = await connect(server.tlsPort)
  const client = new RawClient(socket)
  socket.pause()
  const value = 'v'.repeat(1000)
  await server.execute('SET', 'k', value)
  const bytes = Buffer.from('GET k\r\n'.repeat(20_000))
  for (let at = 0; at < bytes.length; at += 8191) socket.write(bytes.subarray(at, at + 8191))
  socket.end() // its side is closed: everything is answered all the same
  setImmediate(() => socket.resume())
  for (let index = 0; index < 20_000; index++) assert.equal(await client.next(), `$ "${value}"`)
  await client.untilClosed()
})

test('what a client is told when it may not stay, and the end of a connection', async () => {
  await using server = await createServer({ ...base, maxclients: 1 })
  const first = new RawClient(await connect(server.tlsPort))
  assert.equal(await first.call('PING'), '+PONG')
  const second = new RawClient(await connect(server.tlsPort))
  assert.equal(await second.next(), '-ERR max number of clients reached')
  await second.untilClosed()
  assert.equal(await first.call('QUIT'), '+OK')
  await first.untilClosed()
  const third = new RawClient(await connect(server.tlsPort))
  const id = (await third.call('CLIENT', 'ID')).slice(1)
  assert.match(String(await server.execute('CLIENT', 'LIST')), new RegExp(`id=${id} addr=127.0.0.1:\\d+ `))
  await server.execute('CLIENT', 'KILL', 'ID', id)
  await third.untilClosed()
})

// ---- Certificates of clients ----

test('tls-auth-clients yes: who shows no certificate, or a bad one, is not let in', async () => {
  await using server = await createServer({ ...base, tlsAuthClients: 'yes' })
  const port = server.tlsPort
  assert.equal(await ping(port, clientIdentity), '+PONG')
  // Under TLS 1.3 a client learns of it after its own part of the handshake.
  for (const identity of [{}, strangersIdentity]) {
    await assert.rejects(ping(port, { ...identity, maxVersion: 'TLSv1.2' }))
    await assert.rejects(ping(port, { ...identity, minVersion: 'TLSv1.3' }))
  }
  assert.equal(await ping(port, clientIdentity), '+PONG')
  assert.match(String(await server.execute('INFO', 'clients')), /connected_clients:[01]\r/)
})

test('tls-auth-clients optional: no certificate will do, a bad one will not', async () => {
  await using server = await createServer({ ...base, tlsAuthClients: 'optional' })
  const port = server.tlsPort
  assert.equal(await ping(port, clientIdentity), '+PONG')
  assert.equal(await ping(port), '+PONG')
  await assert.rejects(ping(port, strangersIdentity))
})

test('authorities may lie in a directory, under any names', async () => {
  const directory = join(files.directory, 'authorities')
  mkdirSync(join(directory, 'empty'), { recursive: true })
  files.write('authorities/README', 'not a certificate')
  files.write('authorities/both.pem', `${stranger.cert}\n${authority.cert}\n`)
  const { tlsCaCertFile: _, ...rest } = base
  await using server = await createServer({ ...rest, tlsCaCertDir: directory, tlsAuthClients: 'yes' })
  assert.equal(await ping(server.tlsPort, clientIdentity), '+PONG')
  assert.equal(await ping(server.tlsPort, strangersIdentity), '+PONG')
  await assert.rejects(ping(server.tlsPort))
})

test('without authorities of its own the server trusts nobody', async () => {
  const { tlsCaCertFile: _, ...rest } = base
  await using server = await createServer(rest)
  assert.equal(await ping(server.tlsPort, strangersIdentity), '+PONG') // not asked for
  const refused = server.execute('CONFIG', 'SET', 'tls-auth-clients', 'optional')
  await assert.rejects(refused, /there is no authority/)
})

// ---- Versions, ciphers, sessions ----

test('tls-protocols: what is not named is not spoken', async () => {
  await using server = await createServer(base)
  const port = server.tlsPort
  assert.equal(await protocolOf(port, {}), 'TLSv1.3')
  assert.equal(await protocolOf(port, { maxVersion: 'TLSv1.2' }), 'TLSv1.2')
  const old: ConnectionOptions = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }
  await assert.rejects(protocolOf(port, old))
  await server.execute('CONFIG', 'SET', 'tls-protocols', 'TLSv1.3')
  await assert.rejects(protocolOf(port, { maxVersion: 'TLSv1.2' }))
  assert.equal(await protocolOf(port, {}), 'TLSv1.3')
  await server.execute('CONFIG', 'SET', 'tls-protocols', 'tlsv1.2')
  assert.equal(await protocolOf(port, {}), 'TLSv1.2')
  // One between two others can be left out.
  await server.execute('CONFIG', 'SET', 'tls-protocols', 'TLSv1.1 TLSv1.3', 'tls-ciphers', 'ALL:@SECLEVEL=0')
  assert.equal(await protocolOf(port, {}), 'TLSv1.3')
  await assert.rejects(protocolOf(port, { maxVersion: 'TLSv1.2' }))
})

test('tls-ciphers and tls-ciphersuites choose, and the server chooses first when it is told to', async () => {
  await using server = await createServer({
    ...base,
    tlsCiphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256',
    tlsCiphersuites: 'TLS_AES_128_GCM_SHA256',
  })
  const cipherOf = (options: ConnectionOptions) => seen(server.tlsPort, options, (socket) => socket.getCipher().name)
  assert.equal(await cipherOf({}), 'TLS_AES_128_GCM_SHA256')
  const clients: ConnectionOptions = {
    maxVersion: 'TLSv1.2',
    ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384',
  }
  assert.equal(await cipherOf(clients), 'ECDHE-ECDSA-AES128-GCM-SHA256')
  await server.execute('CONFIG', 'SET', 'tls-prefer-server-ciphers', 'yes')
  assert.equal(await cipherOf(clients), 'ECDHE-ECDSA-AES256-GCM-SHA384')
  await assert.rejects(cipherOf({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' }))
})

test('a session is resumed, unless tls-session-caching is off', async () => {
  await using server = await createServer(base)
  for (const [setting, isReused] of [
    ['yes', true],
    ['no', false],
  ] as const) {
    await server.execute('CONFIG', 'SET', 'tls-session-caching', setting)
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options: ConnectionOptions = { minVersion: version, maxVersion: version }
      const first = await connect(server.tlsPort, options)
      let session = first.getSession()
      first.on('session', (given) => (session = given))
      const client = new RawClient(first)
      await client.call('PING')
      const second = await connect(server.tlsPort, { ...options, ...(session === undefined ? {} : { session }) })
      assert.equal(second.isSessionReused(), isReused, `${version}, caching ${setting}`)
      client.close()
      second.destroy()
    }
  }
})

// ---- CONFIG SET ----

test('CONFIG SET reads certificates again, for those who connect from then on', async () => {
  const cert = files.write('renewed.crt', serverIdentity.cert)
  const key = files.write('renewed.key', serverIdentity.key)
  await using server = await createServer({ ...base, tlsCertFile: cert, tlsKeyFile: key })
  const port = server.tlsPort
  const stays = new RawClient(await connect(port))
  assert.equal(await stays.call('PING'), '+PONG')

  // The same names, other files.
  files.write('renewed.crt', otherIdentity.cert)
  files.write('renewed.key', otherIdentity.key)
  assert.equal(await nameOfServer(port), 'localhost')
  await server.execute('CONFIG', 'SET', 'tls-cert-file', cert)
  assert.equal(await nameOfServer(port), 'other')

  await server.execute('CONFIG', 'SET', 'tls-cert-file', paths.cert, 'tls-key-file', paths.key)
  assert.equal(await nameOfServer(port), 'localhost')

  // What cannot be used is refused, and nothing changes.
  const refusals: [args: string[], problem: RegExp][] = [
    [['tls-cert-file', paths.nonsense], /tls-cert-file .*nonsense\.pem: this is no certificate/],
    [['tls-cert-file', '/no/such/file'], /cannot be read \(ENOENT\)/],
    [['tls-key-file', paths.otherKey], /the key does not belong to the certificate in .*server\.crt/],
    [['tls-ca-cert-file', paths.nonsense], /there is no certificate in it/],
    [['tls-protocols', 'SSLv3'], /there is no version 'SSLv3'/],
    [['tls-ciphers', 'NO-SUCH-CIPHER'], /tls-ciphers NO-SUCH-CIPHER: no cipher match/],
    [['tls-dh-params-file', paths.nonsense], /tls-dh-params-file/],
    [['tls-ca-cert-file', '', 'tls-auth-clients', 'yes'], /there is no authority/],
  ]
  for (const [args, problem] of refusals) {
    await assert.rejects(server.execute('CONFIG', 'SET', ...args), (error: Error) => {
      assert.match(
        error.message,
        /^ERR CONFIG SET failed \(possibly related to argument 'tls-[a-z-]+'\) - Unable to update /,
      )
      assert.match(error.message, problem)
      return true
    })
    assert.equal(await nameOfServer(port), 'localhost')
  }
  assert.deepEqual(await server.execute('CONFIG', 'GET', 'tls-cert-file'), { 'tls-cert-file': paths.cert })

  await server.execute('CONFIG', 'SET', 'tls-auth-clients', 'yes')
  await assert.rejects(ping(port))
  assert.equal(await ping(port, clientIdentity), '+PONG')
  assert.equal(await stays.call('PING'), '+PONG')
  stays.close()
})

test('CONFIG SET tls-port opens, moves and closes the listener', async () => {
  await using server = await createServer({ tlsAuthClients: 'no' })
  assert.equal(server.tlsPort, 0)
  await assert.rejects(server.execute('CONFIG', 'SET', 'tls-port', 'auto'), /no certificate is configured/)
  assert.deepEqual(await server.execute('CONFIG', 'GET', 'tls-port'), { 'tls-port': '0' })
  await server.execute('CONFIG', 'SET', 'tls-port', 'auto', 'tls-cert-file', paths.cert, 'tls-key-file', paths.key)
  const port = server.tlsPort
  const client = new RawClient(await connect(port))
  assert.equal(await client.call('PING'), '+PONG')
  // Another address: the port stays, where it is listened on already it goes on.
  await server.execute('CONFIG', 'SET', 'bind', '127.0.0.1 127.0.0.2')
  assert.equal(server.tlsPort, port)
  assert.equal(await ping(port, { host: '127.0.0.2', servername: 'localhost' }), '+PONG')
  await server.execute('CONFIG', 'SET', 'tls-port', '0')
  await assert.rejects(ping(port), /ECONNREFUSED/)
  assert.equal(await client.call('PING'), '+PONG')
  client.close()
})

// ---- Bad configuration at the start ----

test('a configuration that nobody could connect to is refused, with place and remedy', async () => {
  const locked = files.write('locked.key', lockKey(serverIdentity.key, 'open sesame'))
  const cases: [options: CreateServerOptions, message: RegExp][] = [
    [{ tlsCertFile: '' }, /^tls-port: no certificate is configured\. Set tls-cert-file and tls-key-file\.$/],
    [{ tlsKeyFile: '' }, /^tls-port: no private key is configured\. Set/],
    [{ tlsCertFile: '/no/such.crt' }, /^tls-cert-file \/no\/such\.crt: cannot be read \(ENOENT\)\. Write the path/],
    [{ tlsCertFile: paths.key }, /^tls-cert-file .*server\.key: this is no certificate\. Write the path/],
    [{ tlsKeyFile: paths.cert }, /^tls-key-file .*server\.crt: this is no private key\. Write/],
    [{ tlsKeyFile: paths.otherKey }, /the key does not belong to the certificate in .*server\.crt\. Set/],
    [{ tlsKeyFile: locked }, /^tls-key-file .*locked\.key: the key has a password\. Set tls-key-file-pass\.$/],
    [{ tlsKeyFile: locked, tlsKeyFilePass: 'wrong' }, /: the key cannot be read with this password\. Set/],
    [
      { tlsCaCertFile: '', tlsAuthClients: 'yes' },
      /^tls-auth-clients yes: there is no authority to check .*\. Set tls-ca/,
    ],
    [{ tlsCaCertFile: paths.key }, /^tls-ca-cert-file .*: there is no certificate in it/],
    [{ tlsCaCertDir: '/no/such' }, /^tls-ca-cert-dir \/no\/such: cannot be read \(ENOENT\)/],
    [
      { tlsProtocols: 'TLSv1.2 TLSv9' },
      /^tls-protocols TLSv1\.2 TLSv9: there is no version 'TLSv9'\. Write one or several/,
    ],
    [{ tlsCiphersuites: 'NONE' }, /^tls-ciphersuites NONE: no cipher/],
    [{ tlsDhParamsFile: paths.nonsense }, /^tls-dh-params-file .*nonsense\.pem: /],
  ]
  for (const [options, message] of cases) {
    await assert.rejects(createServer({ ...base, ...options }), (error) => {
      assert.ok(error instanceof ConfigError, String(error))
      assert.match(error.message, message)
      assert.ok(!error.message.includes('\n') && !error.message.includes('wrong'))
      return true
    })
  }
  await using server = await createServer({ ...base, tlsKeyFile: locked, tlsKeyFilePass: 'open sesame' })
  assert.equal(await ping(server.tlsPort), '+PONG')
})

test('the executable: one line and exit code 1, or the address of TLS in the line that says it is ready', async () => {
  const flags = ['--ephemeral', '--port', 'auto', '--tls-port', 'auto', '--tls-auth-clients', 'no']
  const { status, stderr } = spawnSync(process.execPath, [EXECUTABLE, ...flags], { encoding: 'utf8' })
  assert.equal(status, 1)
  assert.equal(stderr, 'headpond: tls-port: no certificate is configured. Set tls-cert-file and tls-key-file.\n')

  const started = await ServerProcess.start(
    ...['--tls-port', 'auto', '--tls-auth-clients', 'no', '--tls-cert-file', paths.cert, '--tls-key-file', paths.key],
  )
  try {
    const port = Number(/:(\d+)$/.exec(String(started.readyLine['rediss']))?.[1])
    assert.equal(await ping(port), '+PONG')
  } finally {
    assert.equal(await started.stop(), 0)
  }
})

// ---- Peers that do not keep to it ----

/** A connection that is thrown away may end with an error, too. */
function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {})
  socket.resume()
  return new Promise((resolve) => void socket.on('close', resolve))
}

test('bytes that are no TLS close their connection and harm nobody', async () => {
  const warnings: string[] = []
  const log = { info() {}, warn: (message: string) => void warnings.push(message), error() {} }
  await using server = await createServer({ ...base, log })
  const witness = new RawClient(await connect(server.tlsPort))
  for (const bytes of [
    'PING\r\n',
    '*1\r\n$4\r\nPING\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    '\x16\x03\x01\xff\xff',
    '\0'.repeat(99_999),
  ]) {
    const socket = createConnection({ port: server.tlsPort, host: '127.0.0.1' })
    socket.end(bytes, 'latin1')
    await closed(socket)
  }
  assert.equal(await witness.call('PING'), '+PONG')
  // However many there are, the log has a line now and then.
  assert.deepEqual(warnings, ['TLS handshake with 127.0.0.1 failed: wrong version number'])
  server.clock.advance('11s')
  const socket = createConnection({ port: server.tlsPort, host: '127.0.0.1' })
  socket.end('nonsense')
  await closed(socket)
  assert.match(warnings[1], /^TLS handshake with 127\.0\.0\.1 failed: .*\(and \d more since the last warning\)$/)
  witness.close()
})

test('a handshake that is never finished ends, and its connection with it', async () => {
  await using server = await createServer(base)
  const silent = createConnection({ port: server.tlsPort, host: '127.0.0.1' })
  const half = createConnection({ port: server.tlsPort, host: '127.0.0.1' })
  half.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]))
  const ends = Promise.all([closed(silent), closed(half)])
  await Promise.all([once(silent, 'connect'), once(half, 'connect')])
  // Connections are accepted in order: when this one is in, the server knows of the others.
  assert.equal(await ping(server.tlsPort), '+PONG')
  server.clock.advance('9s')
  const late = new RawClient(await connect(server.tlsPort))
  assert.ok(!silent.destroyed && !half.destroyed)
  server.clock.advance('2s')
  await ends
  assert.equal(await late.call('PING'), '+PONG')
  late.close()
})

test('a server that closes does not wait for handshakes', async () => {
  const server = await createServer(base)
  const silent = createConnection({ port: server.tlsPort, host: '127.0.0.1' })
  const end = closed(silent)
  await once(silent, 'connect')
  assert.equal(await ping(server.tlsPort), '+PONG')
  await server.close()
  await end
})
