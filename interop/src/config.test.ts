/**
 * Our directives beside those of redis-server: names, defaults, what CONFIG SET accepts, the words of its refusals,
 * quoting, and files that CONFIG REWRITE has written. Differences that are meant are listed here, with their reason.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Redis } from 'ioredis'
import { Config } from '../../packages/headpond/dist/config/config.js'
import { splitArguments } from '../../packages/headpond/dist/config/quoting.js'

const directory = mkdtempSync(join(tmpdir(), 'headpond-interop-config-'))
const running: ChildProcess[] = []

/** redis-server on a Unix socket; the port is not listened on. */
async function startRedis(name: string, args: string[]): Promise<Redis> {
  const socket = join(directory, `${name}.sock`)
  const server = spawn('redis-server', [...args, '--port', '0', '--unixsocket', socket], { cwd: directory })
  running.push(server)
  let output = ''
  server.stdout.on('data', (chunk) => (output += chunk))
  // The socket is there before anybody listens.
  for (let i = 0; !output.includes('ready to accept connections'); i++) {
    if (server.exitCode !== null || i === 500) assert.fail(`redis-server did not start:\n${output}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return new Redis({ path: socket, retryStrategy: () => null })
}

async function parametersOf(redis: Redis, ...patterns: string[]): Promise<Record<string, string>> {
  const flat = (await redis.call('CONFIG', 'GET', ...patterns)) as string[]
  return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]]] : [])))
}

async function answerOf(redis: Redis, name: string, value: string): Promise<string | undefined> {
  try {
    await redis.call('CONFIG', 'SET', name, value)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

let redis: Redis

before(async () => {
  redis = await startRedis('main', ['--dir', directory])
})

after(async () => {
  redis.disconnect()
  for (const server of running) {
    if (server.exitCode !== null || server.signalCode !== null) continue
    server.kill()
    await once(server, 'exit')
  }
  rmSync(directory, { recursive: true, force: true })
})

test('every parameter of redis-server is there, with the same default', async () => {
  const meant = new Set([
    'bind', // redis-server listens everywhere unless its stock file is used; Headpond on this machine alone
    'dir', // ./headpond-data instead of the working directory
    'port', // given on the command line of this test
    'unixsocket', // and so is this
  ])
  const theirs = await parametersOf(redis, '*')
  const ours = Object.fromEntries(Config.load().get(['*']))
  for (const [name, value] of Object.entries(theirs)) {
    if (!meant.has(name)) assert.equal(ours[name], value, name)
    else assert.notEqual(ours[name], undefined, name)
  }
})

test('hidden parameters answer to their full names', async () => {
  const hidden = ['rdb-key-save-delay', 'key-load-delay', 'watchdog-period', 'use-exit-on-panic']
  const theirs = await parametersOf(redis, ...hidden)
  assert.deepEqual(Object.fromEntries(Config.load().get(hidden)), theirs)
})

test('CONFIG SET accepts and refuses the same values in the same words', async () => {
  const meant = new Set([
    'bind', // takes effect, and fails, at once
    'port',
    'tls-port',
    'appendonly', // starts children
    'activedefrag', // refused by builds without their own allocator; here it has no effect
    'requirepass', // would lock the client out
    'maxclients', // bounded by open files, which the listener of the setting knows
    'oom-score-adj', // needs privileges, shows 'yes' for 'relative'
    'maxmemory-policy', // has policies of our own, which its refusal names
  ])
  const values = [
    ...['', 'yes', 'no', 'YES', 'maybe', '0', '1', '-1', '5', '05', '+5', ' 5', '1.5', '77', '700', '4096', '65536'],
    ...['1k', '1kb', '3MB', '2gb', '1x', 'mb', '5%', '101%', '-5%', '4294967296', '9223372036854775807'],
    ...[
      '9223372036854775808',
      '18446744073709551615',
      '99999999999999999999',
      'abc',
      'a b',
      'a/b',
      'a_b',
      'x'.repeat(256),
    ],
    ...['1 2', '1 2 3', '60 1000', '60 1000 30', '0 1', '1 0', '99 50.5', '1.23456789', '101', '1 -1', '1  2'],
    ...['normal 1gb 2gb 3', 'slave 1kb 1mb 5', 'pubsub 1 2', 'foo 1 2 3', 'replica a 2 3', 'replica 1 2 -3'],
    ...['KEA', 'Ex', 'xyz', 'g$lshzxetd', 'Kn', 'now save', 'save nosave', 'default', 'force', 'ALWAYS', 'debug', 'ip'],
    ...['local', 'no one', 'host 1', 'swapdb', 'allkeys-lru', 'volatile-ttl', 'clients', 'panic', 'resetchannels'],
  ]
  const isMeant = (name: string, value: string) =>
    // Sizes past 2^63 wrap around there where they are signed: 2^64 - 1 is 1 % of maxmemory.
    (name === 'maxmemory-clients' && /^(9223372036854775808|1844|999)/.test(value)) ||
    // The word between two blanks is a 0 there.
    (name === 'oom-score-adj-values' && value === '1  2')
  // Values of one directive can stop others from being tried, so this server is for this test alone.
  const redis = await startRedis('values', ['--dir', directory])
  // One of the values of maxmemory-clients is a byte.
  await redis.client('NO-EVICT', 'ON')
  const ours = Config.load({ argv: ['--dir', directory, '--unixsocket', join(directory, 'values.sock')] })
  const names = Object.keys(await parametersOf(redis, '*')).filter(
    (name) => !meant.has(name) && !name.startsWith('tls-'),
  )
  const differences: unknown[] = []
  let compared = 0
  for (const name of names) {
    const tried = values.filter((value) => !isMeant(name, value))
    const answers = await Promise.all(tried.map((value) => answerOf(redis, name, value)))
    for (const [i, value] of tried.entries()) {
      const answer = await ours.set([[name, value]])
      if (answer !== answers[i]) differences.push({ name, value, ours: answer, theirs: answers[i] })
      compared++
    }
    const shown = ours.get([name])[0]?.[1]
    const theirs = Object.values(await parametersOf(redis, name))[0]
    if (shown !== theirs) differences.push({ name, oursInTheEnd: shown, theirsInTheEnd: theirs })
  }
  redis.disconnect()
  assert.deepEqual(differences, [])
  assert.ok(compared > 10_000, `only ${compared} answers were compared`)
})

test('CONFIG SET of several pairs fails for the same one', async () => {
  const commands = [
    ['NOSUCH', '1'],
    ['timeout', '1', 'nosuch', '2'],
    ['databases', '1', 'nosuch', '2'],
    ['DATABASES', '1'],
    ['timeout', '1', 'TIMEOUT', '2'],
    ['MAXMEMORY', 'x'],
    ['slave-priority', 'x'],
    ['slave-priority', '1', 'replica-priority', '2'],
    ['timeout', 'x', 'hz', 'y'],
    ['DIR', '/tmp'],
    ['timeout', '1', 'dbfilename', 'x'],
  ]
  for (const words of commands) {
    const theirs = await redis.call('CONFIG', 'SET', ...words).then(
      () => undefined,
      (error) => error.message,
    )
    const pairs = words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1]] as const] : []))
    assert.equal(await Config.load().set(pairs), theirs, words.join(' '))
  }
})

test('lines are cut into arguments in the same places', async () => {
  // Inline commands are cut by the same function as configuration lines.
  const pieces = [
    'a',
    'b c',
    '"',
    "'",
    '\\',
    '\\"',
    "\\'",
    '\\x41',
    '\\x4',
    '\\n',
    '\\q',
    ' ',
    '\t',
    '\v',
    '""',
    "''",
    'é',
  ]
  const { path } = redis.options as { path: string }
  let state = 12345
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
  for (let i = 0; i < 400; i++) {
    const line = Array.from({ length: 1 + random(8) }, () => pieces[random(pieces.length)]).join('')
    const socket = createConnection(path)
    const answer: Buffer[] = []
    socket.on('data', (chunk) => answer.push(chunk))
    // QUIT ends the connection unless the line has done so.
    socket.write(`DEL args\r\nRPUSH args first ${line}\r\nLRANGE args 0 -1\r\nQUIT\r\n`)
    await once(socket, 'close')
    const ours = splitArguments(Buffer.from(`first ${line}`))
    const theirs = Buffer.concat(answer)
    const words = ours?.map((word) => Buffer.from(word).toString('latin1'))
    const expected =
      words === undefined
        ? '-ERR Protocol error: unbalanced quotes in request\r\n'
        : `:${words.length}\r\n*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}+OK\r\n`
    assert.equal(theirs.toString('latin1').replace(/^:[01]\r\n/, ''), expected, JSON.stringify(line))
  }
})

test('a file is rewritten as redis-server rewrites it, and each reads what the other wrote', async () => {
  const conf = [
    '# first',
    'unixsocketperm 700',
    '',
    '',
    '   # indented',
    'MaxMemory 100mb',
    'maxmemory 200mb',
    'save 900 1',
    'save 300 10',
    'slave-priority 55',
    'client-output-buffer-limit slave 1mb 1mb 60',
    'hash-max-ziplist-entries 99',
    'requirepass ""',
    'notify-keyspace-events glxn',
    'shutdown-on-sigint save now',
    'latency-tracking-info-percentiles 50 99.5',
    'tcp-keepalive 300',
    'tcp-keepalive 301',
    'maxmemory-clients 5%',
    'oom-score-adj-values 1 2 3',
    'logfile ""',
    'bind 127.0.0.1 -::1',
    '',
  ].join('\n')
  const theirFile = join(directory, 'theirs.conf')
  const ourFile = join(directory, 'ours.conf')
  writeFileSync(theirFile, conf)
  writeFileSync(ourFile, conf)
  const pairs = [
    ['hz', '20'],
    ['save', '60 5'],
    ['proto-max-bulk-len', '1gb'],
    ['masterauth', 'a "b"\n\xe9'],
    ['replica-announce-ip', '10.0.0.1'],
    ['list-compress-depth', '2'],
    ['maxmemory', '1000000'],
  ] as const

  const rewriting = await startRedis('rewriting', [theirFile])
  await rewriting.call('CONFIG', 'SET', ...pairs.flat())
  await rewriting.call('CONFIG', 'REWRITE')
  const theirs = await parametersOf(rewriting, '*')
  rewriting.disconnect()
  const config = Config.load({ argv: [ourFile], workingDirectory: directory })
  assert.equal(config.set(pairs), undefined)
  assert.equal(config.rewrite(), undefined)

  // redis-server always writes where it runs, what this test gave it as flags, and its users.
  const isTheirsAlone = (line: string) => /^(dir|user|port|unixsocket) /.test(line)
  const inForce = (file: string) => {
    const [own, appended = ''] = readFileSync(file, 'utf8').split('# Generated by CONFIG REWRITE\n')
    // Their order of appended lines is that of a hash table.
    return {
      own,
      appended: appended
        .split('\n')
        .filter((line) => !isTheirsAlone(line))
        .sort(),
    }
  }
  assert.deepEqual(inForce(ourFile), inForce(theirFile))

  const again = Object.fromEntries(Config.load({ argv: [theirFile], workingDirectory: directory }).get(['*']))
  for (const [name, value] of Object.entries(theirs)) assert.equal(again[name], value, name)
  const reading = await startRedis('reading', [ourFile])
  const read = await parametersOf(reading, '*')
  reading.disconnect()
  for (const name of ['save', 'masterauth', 'maxmemory', 'client-output-buffer-limit', 'notify-keyspace-events']) {
    assert.equal(read[name], config.get([name])[0][1], name)
  }
})

test('the stock redis.conf is accepted', (context) => {
  const stock = '/etc/redis/redis.conf'
  if (!existsSync(stock)) return context.skip(`${stock} is not installed`)
  const copy = join(directory, 'stock.conf')
  copyFileSync(stock, copy)
  const config = Config.load({ argv: [copy] })
  assert.equal(config.settings.dir, '/var/lib/redis')
  assert.equal(config.rewrite(), undefined)
  // Of what it sets, all acts but what is about replicas.
  assert.deepEqual(
    config.notYetActing().filter((name) => !name.startsWith('repl')),
    [],
  )
})
