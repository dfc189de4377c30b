/** `headpond memcached`, started as memcached is: flags, refusals, signals, files. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { connect as connectEncrypted } from 'node:tls'
import { createAuthority, createCertificate } from '../certificates.ts'
import { ByteClient } from '../memcached/byte-client.ts'
import { RawClient } from '../raw-client.ts'
import { EXECUTABLE } from '../server-process.ts'

const directory = mkdtempSync(join(tmpdir(), 'headpond-memcached-'))
const children = new Set<ChildProcess>()
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})
let fileCount = 0

function newPath(): string {
  return join(directory, `file-${++fileCount}`)
}

/** Runs it to its end. */
function run(args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [EXECUTABLE, 'memcached', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 60_000,
  })
  return { status, stdout, stderr }
}

class Launched {
  readonly child: ChildProcess
  readonly ports: readonly number[]
  readonly errorOutput: () => string

  private constructor(child: ChildProcess, ports: readonly number[], errorOutput: () => string) {
    this.child = child
    this.ports = ports
    this.errorOutput = errorOutput
  }

  /** Starts it on a free port; it is up when it has written where it listens. */
  static async start(args: readonly string[], env: Record<string, string> = {}): Promise<Launched> {
    const isSocket = args.includes('-s')
    const portFile = newPath()
    const child = spawn(
      process.execPath,
      [EXECUTABLE, 'memcached', ...(isSocket ? [] : ['-l', '127.0.0.1', '-p', '-1']), ...args],
      { env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile, ...env }, stdio: ['ignore', 'inherit', 'pipe'] },
    )
    children.add(child)
    let errorText = ''
    child.stderr!.on('data', (chunk) => {
      errorText += chunk
    })
    const ended = once(child, 'exit').then(() => true)
    while (!existsSync(portFile)) {
      const hasEnded = await Promise.race([ended, new Promise<false>((resolve) => setTimeout(resolve, 10, false))])
      if (hasEnded) throw new Error(`it ended: ${errorText}`)
    }
    const ports = readFileSync(portFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => Number(/^TCP INET6?: (\d+)$/.exec(line)![1]))
    return new Launched(child, ports, () => errorText)
  }

  connect(target: number | string = this.ports[0]): Promise<ByteClient> {
    return ByteClient.connect(target)
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null) {
      this.child.kill(signal)
      await once(this.child, 'exit')
    }
    return this.child.exitCode
  }
}

test('what it tells about itself', () => {
  const version = run(['-V'])
  assert.equal(version.status, 0)
  assert.match(version.stdout, /^memcached 1\.6\.18 /)
  const help = run(['--help'])
  assert.equal(help.status, 0)
  for (const flag of ['-p, --port=<num>', '-I, --max-item-size=<num>', '-S, --enable-sasl', '- idle_timeout:']) {
    assert.ok(help.stdout.includes(flag), flag)
  }
})

test('wrong flags end it at once, in words and codes of memcached', () => {
  const cases: readonly (readonly [args: string[], status: number, message: RegExp])[] = [
    [['-x'], 1, /^memcached: invalid option -- 'x'\nIllegal argument "\?"\n$/],
    [['-p'], 1, /^memcached: option requires an argument -- 'p'\nIllegal argument "\?"\n$/],
    [['--foo'], 1, /^memcached: unrecognized option '--foo'\n/],
    [['--p', '1'], 1, /^memcached: option '--p' is ambiguous; possibilities: '--port' '--pidfile' '--protocol'\n/],
    [['-c', '0'], 1, /^Maximum connections must be greater than 0\n$/],
    [['-t', '0'], 1, /^Number of threads must be greater than 0\n$/],
    [['-f', '1'], 1, /^Factor must be greater than 1\n$/],
    [['-R', '0'], 1, /^Number of requests per event must be greater than 0\n$/],
    [['-B', 'http'], 64, /^Invalid value for binding protocol: http\n -- should be one of auto, binary, or ascii\n$/],
    [['-m', '1'], 64, /^Cannot set item size limit higher than 1\/2 of memory max\.\n$/],
    [['-I', '1000'], 64, /^Item max size cannot be less than 1024 bytes\.\n$/],
    [['-m', '4096', '-I', '1025m'], 64, /^Cannot set item size limit higher than a gigabyte\.\n$/],
    [['-p', '70000'], 64, /^ERROR: Invalid port number 70000\.\n$/],
    [['-p', 'http'], 64, /^Invalid value for -p: "http" is not a number\n$/],
    [['-S', '-B', 'ascii'], 64, /^ERROR: You cannot allow the ASCII protocol while using SASL\.\n$/],
    [['-Y', 'x', '-B', 'binary'], 64, /^ERROR: You cannot allow the BINARY protocol/],
    [['-S', '-U', '11211'], 64, /^ERROR: Cannot enable UDP while using binary SASL authentication\.\n$/],
    [['-o', 'ext_path=/x:1m,modern'], 1, /^Illegal suboption "ext_path=\/x:1m,modern"\n$/],
    [['-o', 'idle_timeout'], 1, /^Missing numeric argument for idle_timeout\n$/],
    [['-o', 'hashpower=3'], 1, /^Initial hashtable multiplier of 3 is too low\n$/],
    [['-o', 'slab_chunk_max=2048', '-I', '1024'], 64, /^slab_chunk_max \(bytes: 2048\) cannot be larger than -I/],
    [['-o', 'temporary_ttl=61,no_lru_maintainer'], 64, /^temporary_ttl requires lru_maintainer to be enabled\n$/],
    [['-L'], 1, /^Cannot enable large pages on this system\n/],
    [['-N', '4'], 1, /^-N <num_napi_ids> option not supported\n$/],
    [['-Z'], 64, /^Error loading the certificate chain: /],
    [['-S'], 64, /^SASL: there are no users\./],
    [['-Y', join(directory, 'none')], 1, /^Could not open authfile \[.*none\] for reading, error /],
    [['-l', '127.0.0.1:x'], 71, /^Invalid port number: "x"\n$/],
    [['-l', 'notls:127.0.0.1'], 71, /^'notls' option is valid only when SSL is enabled\n$/],
    [['11211'], 64, /^Unexpected argument "11211"/],
  ]
  for (const [args, status, message] of cases) {
    const result = run(args)
    assert.match(result.stderr, message, args.join(' '))
    assert.equal(result.status, status, args.join(' '))
    assert.equal(result.stdout, '', args.join(' '))
  }
})

test('a port that is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  const { status, stderr } = run(['-l', '127.0.0.1', '-p', String(port)])
  other.close()
  assert.match(stderr, /failed to listen on TCP port \d+: Address already in use/)
  assert.equal(status, 71)
})

test('flags in any form reach the server, and signals end it well', async () => {
  const launched = await Launched.start([
    ...['-vvm', '100', '--max-item-size=2m', '--conn-l', '77', '-C', '-t2', '-b', '99', '-D/', '-A'],
    ...['-o', 'modern,idle_timeout=500', '-o', 'track_sizes', '-U', '0', '-k', '-r', '-f', '1.5', '-n', '64'],
  ])
  const client = await launched.connect()
  const settings = await client.ask('stats settings\r\n')
  for (const [name, value] of Object.entries({
    maxbytes: 100 * 2 ** 20,
    maxconns: 77,
    tcpport: launched.ports[0],
    verbosity: 2,
    evictions: 'on',
    shutdown_command: 'yes',
    growth_factor: '1.50',
    chunk_size: 64,
    num_threads: 2,
    stat_key_prefix: '/',
    detail_enabled: 'yes',
    cas_enabled: 'no',
    tcp_backlog: 99,
    item_size_max: 2 * 2 ** 20,
    idle_timeout: 500,
    track_sizes: 'yes',
    inter: '127.0.0.1',
  })) {
    assert.ok(settings.includes(`STAT ${name} ${value}\r\n`), `${name} ${value} in ${settings}`)
  }
  client.close()
  assert.equal(await launched.stop('SIGINT'), 0)
  assert.match(launched.errorOutput(), /^warning: -k invalid/m)
  assert.match(launched.errorOutput(), /^<\d+ stats settings$/m)
  assert.match(launched.errorOutput(), /^Exiting normally$/m)
})

test('what flags turn off cannot be tuned', async () => {
  const launched = await Launched.start(['-C', '-o', 'no_slab_reassign,no_lru_maintainer'])
  const client = await launched.connect()
  for (const [command, answer] of [
    ['slabs reassign 1 1', 'CLIENT_ERROR slab reassignment disabled'],
    ['lru mode segmented', 'ERROR'],
    ['lru temp_ttl 10', 'ERROR'],
    ['lru tune 10 25 0.1 2.0', 'OK'],
    ['stats sizes_enable', 'STAT sizes_status error\r\nSTAT sizes_error cas_support_disabled'],
  ]) {
    assert.equal(await client.ask(`${command}\r\n`), `${answer}\r\n`)
  }
  client.close()
  // A set of the binary protocol, of an item that is not there, with number 5: without -C it would not be found.
  const binary = await launched.connect()
  binary.send(Buffer.from(`80010001080000000000000a${'00'.repeat(11)}05${'00'.repeat(8)}6178`, 'hex'))
  const reply = await binary.receiveBytes(24)
  assert.equal(reply.readUInt16BE(6), 0)
  binary.close()
  assert.equal(await launched.stop(), 0)
})

test('-R: one connection is not answered more than so many requests in a row', async () => {
  const launched = await Launched.start(['-R', '2'])
  const client = await launched.connect()
  const other = await launched.connect()
  const requests = 'set a 0 0 1\r\nx\r\n'.repeat(6)
  assert.equal(await client.ask(requests), 'STORED\r\n'.repeat(6))
  const stats = await other.ask('stats\r\n')
  assert.match(stats, /STAT conn_yields [3-9]\r\n/)
  assert.match(await other.ask('stats settings\r\n'), /STAT reqs_per_event 2\r\n/)
  client.close()
  other.close()
  await launched.stop()
})

test('without -v it says nothing, whatever happens', async () => {
  const launched = await Launched.start([])
  const client = await launched.connect()
  await client.ask('set a 0 0 1\r\nb\r\nnonsense\r\n')
  client.close()
  assert.equal(await launched.stop('SIGTERM'), 0)
  assert.equal(launched.errorOutput(), '')
})

test('several addresses, each with its own port', async () => {
  const launched = await Launched.start(['-l', '127.0.0.2,127.0.0.3:0;127.0.0.2'])
  assert.equal(launched.ports.length, 3)
  for (const [index, host] of ['127.0.0.1', '127.0.0.2', '127.0.0.3'].entries()) {
    const socket = createConnection(launched.ports[index], host)
    await once(socket, 'connect')
    assert.equal(await new ByteClient(socket).ask('version\r\n'), 'VERSION 1.6.18\r\n')
    socket.destroy()
  }
  await launched.stop()
})

/** The socket's file is there a moment before somebody listens. */
async function connectWhenListening(path: string): Promise<ByteClient> {
  for (;;) {
    try {
      return await ByteClient.connect(path)
    } catch (error) {
      if (!['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

test('a unix socket with its mode, and no network beside it', async () => {
  const path = newPath()
  const launched = spawn(process.execPath, [EXECUTABLE, 'memcached', '-s', path, '-a', '0755'], { stdio: 'inherit' })
  children.add(launched)
  const client = await connectWhenListening(path)
  const connections = await client.ask('stats conns\r\n')
  assert.equal(statSync(path).mode & 0o777, 0o755)
  assert.ok(connections.includes(`:addr unix:${path}\r\n`))
  assert.doesNotMatch(connections, /tcp/)
  client.close()
  launched.kill('SIGTERM')
  await once(launched, 'exit')
  assert.equal(launched.exitCode, 0)
})

test('-A: the shutdown command ends it, when what stands before it is answered', async () => {
  const launched = await Launched.start(['-A'])
  const client = await launched.connect()
  client.send('set key 0 0 1\r\nx\r\nget key\r\nshutdown\r\nget key\r\n')
  const answers = await client.receive(() => false)
  assert.equal(answers.toString(), 'STORED\r\nVALUE key 0 1\r\nx\r\nEND\r\n')
  if (launched.child.exitCode === null) await once(launched.child, 'exit')
  assert.equal(launched.child.exitCode, 0)
})

test('-d: a daemon with its pid file, which listens when the one who started it goes on', async () => {
  const pidFile = newPath()
  const path = newPath()
  const started = run(['-d', '-P', pidFile, '-s', path])
  assert.deepEqual(started, { status: 0, stdout: '', stderr: '' })
  const pid = Number(readFileSync(pidFile, 'utf8'))
  const client = await ByteClient.connect(path)
  assert.ok((await client.ask('stats\r\n')).includes(`STAT pid ${pid}\r\n`))
  process.kill(pid, 'SIGTERM')
  await client.untilClosed()
  while (existsSync(pidFile)) await new Promise((resolve) => setTimeout(resolve, 10))

  const failed = run(['-d', '-l', '127.0.0.1:x'])
  assert.equal(failed.status, 71)
  assert.match(failed.stderr, /Invalid port number/)
})

test('-Y: users of a file, which SIGHUP reads again', async () => {
  const file = newPath()
  writeFileSync(file, 'ann:secret\nbob:pass:word\n')
  const launched = await Launched.start(['-Y', file])
  const client = await launched.connect()
  const answer = async (sent: string) => {
    client.send(sent)
    return (await client.receive((bytes) => bytes.includes('\n'))).toString()
  }
  assert.equal(await answer('get a\r\n'), 'CLIENT_ERROR unauthenticated\r\n')
  assert.equal(await answer('set a 0 0 9\r\nann wrong\r\n'), 'CLIENT_ERROR authentication failure\r\n')
  assert.equal(await answer('set a 0 0 13\r\nbob pass:word\r\n'), 'STORED\r\n')
  assert.equal(await answer('get a\r\n'), 'END\r\n')
  client.close()

  writeFileSync(file, 'eve:new\n')
  launched.child.kill('SIGHUP')
  for (let isKnown = false; !isKnown; ) {
    const another = await launched.connect()
    another.send('set a 0 0 7\r\neve new\r\n')
    isKnown = (await another.receive((bytes) => bytes.includes('\n'))).toString() === 'STORED\r\n'
    another.close()
  }
  await launched.stop()
})

test('-S: SASL with the users of a file', async () => {
  const file = newPath()
  writeFileSync(file, 'ann:secret\n')
  const launched = await Launched.start(['-S'], { MEMCACHED_SASL_PWDB: file })
  const request = (opcode: number, key: string, value: string) => {
    const bytes = Buffer.alloc(24 + key.length + value.length)
    bytes.writeUInt8(0x80, 0)
    bytes.writeUInt8(opcode, 1)
    bytes.writeUInt16BE(key.length, 2)
    bytes.writeUInt32BE(key.length + value.length, 8)
    bytes.write(key + value, 24, 'latin1')
    return bytes
  }
  const status = async (client: ByteClient, bytes: Buffer) => {
    client.send(bytes)
    const header = await client.receive(
      (received) => received.length >= 24 && received.length >= 24 + received.readUInt32BE(8),
    )
    return header.readUInt16BE(6)
  }
  const stranger = await launched.connect()
  assert.equal(await status(stranger, request(0x00, 'a', '')), 0x20) // get
  await stranger.untilClosed()
  const client = await launched.connect()
  assert.equal(await status(client, request(0x21, 'PLAIN', '\0ann\0wrong')), 0x20)
  assert.equal(await status(client, request(0x21, 'PLAIN', '\0ann\0secret')), 0)
  assert.equal(await status(client, request(0x00, 'a', '')), 0x01)
  client.close()
  await launched.stop()
})

test('-Z: TLS, and notls: beside it; refresh_certs', async () => {
  const authority = await createAuthority()
  const { cert, key } = await createCertificate(authority)
  const [certificateFile, keyFile] = [newPath(), newPath()]
  writeFileSync(certificateFile, cert)
  writeFileSync(keyFile, key)
  const launched = await Launched.start([
    ...['-l', 'notls:127.0.0.2', '-Z', '-o', `ssl_chain_cert=${certificateFile},ssl_key=${keyFile}`],
    ...['-o', 'ssl_verify_mode=1'], // with no authority: clients without a certificate are welcome
  ])
  const socket = connectEncrypted({
    port: launched.ports[0],
    host: '127.0.0.1',
    ca: authority.cert,
    servername: 'localhost',
  })
  await once(socket, 'secureConnect')
  const client = new ByteClient(socket)
  assert.equal(await client.ask('set a 0 0 1\r\nb\r\nrefresh_certs\r\n'), 'STORED\r\nOK\r\n')
  const settings = await client.ask('stats settings\r\n')
  assert.ok(settings.includes('STAT ssl_enabled yes\r\n'))
  assert.ok(settings.includes('STAT ssl_verify_mode 1\r\n'))
  client.close()
  await launched.stop()
})

test('-e: items live through a stop by SIGUSR1, flags and times included, and through no other', async () => {
  const file = newPath()
  const first = await Launched.start(['-e', file])
  const before = await first.connect()
  assert.equal(
    await before.ask('set a 4294967295 0 3\r\nabc\r\nset b 7 1000 1\r\nx\r\nset c 1 -1 1\r\nx\r\n'),
    'STORED\r\nSTORED\r\nSTORED\r\n',
  )
  before.close()
  assert.equal(await first.stop('SIGUSR1'), 0)
  assert.match(first.errorOutput(), /Gracefully stopping/)

  const second = await Launched.start(['-e', file])
  assert.equal(existsSync(file), false)
  const client = await second.connect()
  assert.equal(await client.ask('get a b c\r\n'), 'VALUE a 4294967295 3\r\nabc\r\nVALUE b 7 1\r\nx\r\nEND\r\n')
  assert.match(await client.ask('mg b t\r\n'), /^HD t(9\d\d|1000)\r\n$/)
  client.close()
  assert.equal(await second.stop('SIGTERM'), 0)

  const third = await Launched.start(['-e', file])
  const empty = await third.connect()
  assert.equal(await empty.ask('get a\r\n'), 'END\r\n')
  empty.close()
  await third.stop()
})

test('HEADPOND_PORT: clients of Redis see the same items', async () => {
  const path = newPath()
  const launched = await Launched.start([], { HEADPOND_PORT: 'auto', HEADPOND_UNIXSOCKET: path })
  const client = await launched.connect()
  await client.ask('set a 5 0 3\r\nabc\r\n')
  const redis = new RawClient(createConnection(path))
  assert.equal(await redis.call('GET', 'a'), '$ "abc"')
  redis.close()
  client.close()
  await launched.stop()
})
