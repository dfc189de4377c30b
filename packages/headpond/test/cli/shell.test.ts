/** The client from outside: what it prints and how it ends, against Headpond. Beside redis-cli it is held in `interop`. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import {
  createConnection,
  createServer as createSocketServer,
  type Socket,
  type Server as SocketServer,
} from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import selfsigned from 'selfsigned'
import { createServer, type HeadpondServer } from '#src/index.ts'
import { type Ending, type RunOptions, runShell, runShellProcess } from './shell-run.ts'

let server: HeadpondServer
let directory: string

before(async () => {
  server = await createServer()
  directory = mkdtempSync(join(tmpdir(), 'headpond-cli-'))
})

after(async () => {
  await server.close()
  rmSync(directory, { recursive: true, force: true })
})

beforeEach(() => server.reset())

function run(args: readonly string[], options?: RunOptions): Promise<Ending> {
  return runShell(['-p', String(server.port), ...args], options)
}

async function outputOf(args: readonly string[], options?: RunOptions): Promise<string> {
  const { output, errors, exitCode } = await run(args, options)
  assert.deepEqual({ errors, exitCode }, { errors: '', exitCode: 0 }, args.join(' '))
  return output
}

/** A server that answers what it gets with the next of these replies, and hangs up when none is left. */
function scriptedServer(...replies: readonly string[]): Promise<{ port: number; close: () => void }> {
  const left = [...replies]
  return peer((socket) => {
    socket.on('data', () => {
      const reply = left.shift()
      if (reply === undefined) socket.destroy()
      else socket.write(reply)
    })
  })
}

async function peer(serve: (socket: Socket) => void): Promise<{ port: number; close: () => void }> {
  const listener = createSocketServer((socket) => {
    socket.on('error', () => {})
    serve(socket)
  })
  return { port: await portOf(listener), close: () => listener.close() }
}

async function portOf(listener: SocketServer): Promise<number> {
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

test('a command, its reply in the form that was asked for', async () => {
  await server.execute('RPUSH', 'list', 'a', 'say "hi"', Buffer.from([0, 255]))
  await server.execute('HSET', 'hash', 'field', '1')
  assert.equal(await outputOf(['LRANGE', 'list', '0', '-1']), 'a\nsay "hi"\n\x00\xff\n')
  assert.equal(
    await outputOf(['--no-raw', 'LRANGE', 'list', '0', '-1']),
    '1) "a"\n2) "say \\"hi\\""\n3) "\\x00\\xff"\n',
  )
  assert.equal(await outputOf(['--csv', 'LRANGE', 'list', '0', '1']), '"a","say \\"hi\\""\n')
  assert.equal(await outputOf(['--json', 'HGETALL', 'hash']), '{"field":"1"}\n')
  assert.equal(await outputOf(['--json', '-2', 'HGETALL', 'hash']), '["field","1"]\n')
  assert.equal(await outputOf(['--no-raw', '-3', 'HGETALL', 'hash']), '1# "field" => "1"\n')
  assert.equal(await outputOf(['-d', ', ', '-D', '.', 'LRANGE', 'list', '0', '1']), 'a, say "hi".')
  assert.match(await outputOf(['--no-raw', 'INFO', 'server']), /^# Server\r\n/)
})

test('an error reply is an answer; with -e it is a failure', async () => {
  const refusal = "ERR unknown command 'NOSUCH', with args beginning with: \n"
  assert.deepEqual(await run(['NOSUCH']), { output: `${refusal}\n`, errors: '', exitCode: 0 })
  assert.deepEqual(await run(['-e', 'NOSUCH']), { output: '', errors: refusal, exitCode: 1 })
  assert.deepEqual(await run(['-e'], { input: 'SET a 1\nNOSUCH\nSET a 2\n' }), {
    output: 'OK\n',
    errors: refusal,
    exitCode: 1,
  })
  assert.equal(await server.execute('GET', 'a'), '1')
})

test('who listens nowhere, speaks another protocol or hangs up is named in one line', async () => {
  const refused = createSocketServer()
  const port = await portOf(refused)
  refused.close()
  await once(refused, 'close')
  assert.deepEqual(await runShell(['-p', String(port), 'PING']), {
    output: '',
    errors: `Could not connect to Redis at 127.0.0.1:${port}: Connection refused\n`,
    exitCode: 1,
  })
  // Commands that are piped in are lost, which is a failure.
  const { errors, exitCode } = await runShell(['-p', String(port)], { input: 'PING\nPING\n' })
  assert.equal(exitCode, 1)
  assert.equal(errors.trimEnd().split('\n').length, 2)

  const web = await scriptedServer('HTTP/1.1 400 Bad Request\r\n\r\n')
  assert.deepEqual(await runShell(['-p', String(web.port), 'PING']), {
    output: '',
    errors: 'Error: Protocol error, got "H" as reply type byte\n',
    exitCode: 1,
  })
  web.close()
  const silent = await scriptedServer()
  assert.deepEqual(await runShell(['-p', String(silent.port), 'PING']), {
    output: '',
    errors: 'Error: Server closed the connection\n',
    exitCode: 1,
  })
  silent.close()
})

test('options that make no sense are refused before anything is done', async () => {
  for (const [args, message] of [
    [['--nosuch'], "Unrecognized option or bad number of args for: '--nosuch'"],
    [['-n'], "Unrecognized option or bad number of args for: '-n'"],
    [['-n', 'x', 'PING'], "Invalid number for -n: 'x'"],
    [['-p', '65536', 'PING'], 'Invalid server port.'],
    [['-i', '-1', 'PING'], "Invalid number for -i: '-1'"],
    [['-u', 'redis://a:b:c', 'PING'], "Invalid URI: 'redis://a:b:c'"],
    [['-u', 'http://a', 'PING'], 'Invalid URI scheme'],
    [['--cacert', '/nonexistent', 'PING'], "Can't open file '/nonexistent': No such file or directory"],
    [['--show-pushes', 'maybe'], "Unknown --show-pushes value 'maybe' (valid: '[y]es', '[n]o')"],
  ] as const) {
    assert.deepEqual(await run(args), { output: '', errors: `${message}\n`, exitCode: 1 })
  }
})

test('passwords: from the environment, the command line, a URI', async () => {
  await using locked = await createServer({ requirepass: 'secret' })
  const port = String(locked.port)
  const warning = "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.\n"
  const pong = { output: 'PONG\n', errors: '', exitCode: 0 }
  const args = ['-p', port, 'PING']
  assert.deepEqual(await runShell(args, { env: { HEADPOND_AUTH: 'secret' } }), pong)
  assert.deepEqual(await runShell(args, { env: { REDISCLI_AUTH: 'secret' } }), pong)
  assert.deepEqual(await runShell(['--no-auth-warning', '-a', 'secret', '-3', ...args]), pong)
  assert.deepEqual(await runShell(['-a', 'secret', ...args]), { ...pong, errors: warning })
  assert.deepEqual(await runShell(['-u', `redis://default:secret@127.0.0.1:${port}/1`, 'PING']), {
    ...pong,
    errors: warning,
  })
  assert.match((await runShell(args)).output, /^NOAUTH /)
  const wrong = await runShell(args, { env: { HEADPOND_AUTH: 'guess' } })
  assert.match(wrong.errors, /^AUTH failed: WRONGPASS /)
  assert.match(wrong.output, /^NOAUTH /)
})

test('databases and protocols', async () => {
  await outputOf(['-n', '3', 'SET', 'there', '1'])
  assert.equal(await outputOf(['-u', `redis://127.0.0.1:${server.port}/3`, 'EXISTS', 'there']), '1\n')
  assert.equal((await run(['-n', '99', 'PING'])).errors, 'SELECT 99 failed: ERR DB index is out of range\n')
  assert.match(await outputOf(['-3', 'CLIENT', 'INFO']), / resp=3/)
})

test('TLS: the certificate is checked, with the name it is for', async () => {
  const pems = await selfsigned.generate([{ name: 'commonName', value: 'pond.example' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'pond.example' }] }],
  })
  const listener = createTlsServer({ key: pems.private, cert: pems.cert }, (socket) => {
    const inner = createConnection({ port: server.port, host: '127.0.0.1' })
    socket.on('error', () => {})
    inner.on('error', () => {})
    socket.pipe(inner).pipe(socket)
  })
  listener.on('tlsClientError', () => {})
  const port = String(await portOf(listener))
  const certificate = join(directory, 'certificate.pem')
  writeFileSync(certificate, pems.cert)
  try {
    const trusting = ['-p', port, '--tls', '--cacert', certificate]
    assert.equal((await runShell([...trusting, '--sni', 'pond.example', 'PING'])).output, 'PONG\n')
    assert.equal((await runShell(['-u', `rediss://127.0.0.1:${port}`, '--insecure', 'PING'])).output, 'PONG\n')
    for (const args of [
      ['-p', port, '--tls', 'PING'],
      [...trusting, '--sni', 'elsewhere.example', 'PING'],
    ]) {
      const { errors, exitCode } = await runShell(args)
      assert.match(errors, /^Could not connect to Redis at 127\.0\.0\.1:\d+: SSL_connect failed: /)
      assert.equal(exitCode, 1)
    }
  } finally {
    listener.close()
  }
})

test('arguments from standard input, in bytes', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  assert.equal(await outputOf(['-x', 'SET', 'binary'], { input: bytes }), 'OK\n')
  assert.equal(await outputOf(['GET', 'binary']), `${bytes.toString('latin1')}\n`)
  assert.equal(await outputOf(['-X', '@', 'MSET', 'a', '@', 'b', 'x'], { input: bytes }), 'OK\n')
  assert.equal(await outputOf(['STRLEN', 'a']), '256\n')
  assert.equal(await outputOf(['--quoted-input', 'SET', '"\\x00key"', 'x']), 'OK\n')
  assert.equal(await server.execute('EXISTS', Buffer.from('\0key')), 1)
})

test('commands line by line: quotes, repeat counts, transactions, databases, help, the end', async () => {
  const lines = [
    'SET "a key" "line\\nbreak"',
    "GET 'a key'",
    'bad "quote',
    '',
    '2 INCR count',
    '0 INCR count',
    'MULTI',
    'INCR count',
    'EXEC',
    'SELECT 2',
    'EXISTS count',
    ':set nothing',
    'help nosuch',
    'exit',
    'SET after 1',
  ]
  const output = await outputOf(['--no-raw'], { input: lines.join('\r\n') })
  // A busy machine takes its time, which is told.
  assert.deepEqual(output.replace(/^\(\d+\.\d\ds\)\n/gm, '').split('\n'), [
    'OK',
    '"line\\nbreak"',
    'Invalid argument(s)',
    '(integer) 1',
    '(integer) 2',
    'Invalid repeat count.',
    'OK',
    'QUEUED',
    '1) (integer) 3',
    'OK',
    '(integer) 0',
    `Unknown preference ':set nothing'. There are ":set hints" and ":set nohints".`,
    `No help on 'nosuch'. Try "help" alone, or a command or @group of this server.`,
    '',
  ])
  assert.equal(await server.execute('EXISTS', 'after'), 0)
})

test('a lost connection is made again, where it was', async () => {
  const input = ['SELECT 5', 'SET here 1', 'CLIENT KILL TYPE normal SKIPME no', 'EXISTS here', 'EXISTS here'].join('\n')
  const { output } = await run([], { input })
  // Whether the end of the connection is seen with one command or the next is the network's matter.
  assert.match(output, /^OK\nOK\n1\n(1\n){1,2}$/)
})

test('help tells of commands and groups, from the server or without it', async () => {
  const help = await outputOf(['help', 'client', 'list'])
  assert.match(help, /^\n {2}CLIENT LIST \[TYPE <NORMAL \| MASTER \| REPLICA \| PUBSUB>\] \[ID client-id/)
  assert.match(help, /\n {2}summary: .+\n {2}since: 2\.4\.0\n {2}group: connection\n\n$/)
  assert.match(await outputOf(['help', '@transactions']), /\n {2}DISCARD\n[\s\S]*\n {2}WATCH key \[key \.\.\.\]\n/)
  const old = await scriptedServer("-ERR Unknown subcommand or wrong number of arguments for 'DOCS'.\r\n")
  const { output } = await runShell(['-p', String(old.port), 'help', 'incrby'])
  assert.match(output, /^\n {2}INCRBY key increment\n/)
  old.close()
})

test('--pipe sends RESP and inline commands, counts replies and tells of errors', async () => {
  const value = 'x'.repeat(100_000)
  const resp = `*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$${value.length}\r\n${value}\r\n`
  const input = `${'*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n'.repeat(20_000)}${resp.repeat(10)}SET inline 1\r\nNOSUCH\r\nSET last 1`
  const { output, errors, exitCode } = await run(['--pipe'], { input })
  assert.equal(
    output,
    'All data transferred. Waiting for the last reply...\nLast reply received from server.\nerrors: 1, replies: 20013\n',
  )
  assert.match(errors, /^ERR unknown command 'NOSUCH'/)
  assert.equal(exitCode, 1)
  assert.equal(await server.execute('GET', 'n'), '20000')
  assert.equal(await server.execute('GET', 'last'), '1')
})

test('--pipe waits so long, and tells when the server hangs up', async () => {
  const silent = await peer((socket) => socket.resume().write('+OK\r\n'))
  const { output, errors, exitCode } = await runShell(['-p', String(silent.port), '--pipe', '--pipe-timeout', '0.05'], {
    input: 'PING\r\n',
  })
  assert.deepEqual({ errors, exitCode }, { errors: 'No replies for 0.05 seconds: exiting.\n', exitCode: 1 })
  assert.match(output, /errors: 1, replies: 1\n$/)
  silent.close()
  const closing = await scriptedServer()
  const lost = await runShell(['-p', String(closing.port), '--pipe'], { input: 'PING\r\n' })
  assert.deepEqual([lost.errors, lost.exitCode], ['Error: Server closed the connection\n', 1])
  closing.close()
})

test('--scan lists keys by pattern and type', async () => {
  const keys = Array.from({ length: 300 }, (_, index) => `user:${index}`)
  await server.execute('MSET', ...keys.flatMap((key) => [key, 'x']), 'other key', 'x')
  await server.execute('RPUSH', 'list', 'x')
  const listed = async (...args: string[]) => (await outputOf(['--scan', ...args])).trimEnd().split('\n').sort()
  assert.deepEqual(await listed('--pattern', 'user:*'), keys.toSorted())
  assert.deepEqual(await listed('--count', '7'), [...keys, 'other key', 'list'].sort())
  assert.deepEqual(await listed('--type', 'list'), ['list'])
  assert.deepEqual(await listed('--no-raw', '--quoted-pattern', '"other\\x20*"'), ['"other key"'])
})

test('--bigkeys and --memkeys find the biggest of each type', async () => {
  await server.execute('MSET', 'small', 'x', 'big', 'x'.repeat(1000))
  await server.execute('RPUSH', 'list', 'a', 'b')
  await server.execute('BF.ADD', 'filter', 'x')
  const sizes = await outputOf(['--bigkeys'])
  assert.match(sizes, /^Biggest string found '"big"' has 1000 bytes$/m)
  assert.match(sizes, /^Biggest {3}list found '"list"' has 2 items$/m)
  assert.match(sizes, /^2 strings with 1001 bytes \(50\.00% of keys, avg size 500\.50\)$/m)
  assert.match(sizes, /^Sampled 4 keys in the keyspace!$/m)
  assert.match(await outputOf(['--memkeys']), /^Biggest string found '"big"' has \d{4} bytes$/m)
  assert.match(await outputOf(['--memkeys-samples', '0']), /^Biggest string found '"big"' has \d{4} bytes$/m)
})

test('--latency gives one result to programs', async () => {
  assert.match(await outputOf(['--latency', '-i', '0.05']), /^\d+ \d+ \d+\.\d\d \d+\n$/)
  assert.match(await outputOf(['--latency', '-i', '0.05', '--csv']), /^\d+,\d+,\d+\.\d\d,\d+\n$/)
  const { min, max, avg, count } = JSON.parse(await outputOf(['--latency', '-i', '0.05', '--json']))
  assert.ok(min <= avg && avg <= max + 1 && count > 0)
})

test('--stat writes a line again and again', async () => {
  await server.execute('MSET', 'a', '1', 'b', '2')
  const { output } = await run(['--stat', '-i', '0.01'], { until: (text) => text.split('\n').length > 24 })
  const lines = output.split('\n')
  assert.match(lines[0], /^------- data ------ -+ load -+ - child -$/)
  assert.match(lines[1], /^keys +mem +clients blocked requests +connections/)
  assert.match(lines[2], /^2 {10}\d+\.\d\d[KMG] +1 +0 +\d+ \(\+0\) +\d+ +$/)
  assert.match(lines[3], /^2 .* \(\+1\) /)
  assert.equal(lines[22], lines[0], 'the head comes again')
})

test('--latency-dist draws a row of shares', async () => {
  const { output } = await run(['--latency-dist', '-i', '0.02'], { until: (text) => text.includes('?\x1b[0m\n') })
  const row = output.split('\n').at(-2) ?? ''
  assert.equal(row.replace(/\x1b\[[\d;]*m/g, ''), '.-*#123456789ABCDEFGHIJKLMNOPQ?')
})

test('--eval runs a script with keys and arguments', async () => {
  const script = join(directory, 'script.lua')
  writeFileSync(script, 'return {KEYS, ARGV}')
  assert.equal(await outputOf(['--json', '--eval', script, 'k1', 'k2', ',', 'a']), '[["k1","k2"],["a"]]\n')
  assert.equal((await run(['--eval', join(directory, 'none.lua')])).exitCode, 1)
})

test('-r repeats, for ever too', async () => {
  assert.equal(await outputOf(['-r', '3', 'INCR', 'n']), '1\n2\n3\n')
  const { output } = await run(['-r', '-1', '-i', '0.001', 'INCR', 'n'], { until: (text) => text.includes('\n9\n') })
  assert.match(output, /^4\n5\n6\n7\n8\n9\n/)
})

test('-c follows a cluster', async () => {
  await server.execute('SET', 'key', 'found')
  const node = await scriptedServer(`-MOVED 866 127.0.0.1:${server.port}\r\n`)
  assert.equal(
    (await runShell(['-p', String(node.port), '-c', '--no-raw', 'GET', 'key'])).output,
    `-> Redirected to slot [866] located at 127.0.0.1:${server.port}\n"found"\n`,
  )
  node.close()
  const other = await scriptedServer('-MOVED 866 127.0.0.1:1\r\n')
  assert.equal((await runShell(['-p', String(other.port), 'GET', 'key'])).output, 'MOVED 866 127.0.0.1:1\n\n')
  other.close()
})

test('messages are shown as they come', async () => {
  for (const protocol of ['-2', '-3']) {
    const { output } = await run([protocol, '--csv', 'SUBSCRIBE', 'news', 'other'], {
      until: (text) => {
        if (text.endsWith('"other",2\n'))
          void server.execute('PUBLISH', 'news', 'first').then(() => server.execute('PUBLISH', 'news', 'last'))
        return text.includes('last')
      },
    })
    assert.deepEqual(output.split('\n').slice(1), [
      '"subscribe","news",1',
      '"subscribe","other",2',
      '"message","news","first"',
      '"message","news","last"',
      '',
    ])
  }
  const { output } = await run(['MONITOR'], {
    until: (text) => {
      if (text === 'OK\n') void server.execute('SET', 'watched', 'x')
      return text.includes('watched')
    },
  })
  assert.match(output, /^OK\n\d+\.\d{6} \[0 .*\] "SET" "watched" "x"\n$/)
})

test('--help and --version', async () => {
  const help = await outputOf(['--help'])
  for (const line of help.split('\n')) assert.ok(line.length <= 120, line)
  for (const option of ['-h <host>', '--pipe', '--bigkeys', '--json', '--cacert <file>'])
    assert.ok(help.includes(option), option)
  assert.match(await outputOf(['--version']), /^headpond cli \d+\.\d+\.\d+\n$/)
})

test('the process ends with its work, with exit code and all output', async () => {
  await server.execute('SET', 'large', 'x'.repeat(1_000_000))
  const port = String(server.port)
  const { output, errors, exitCode } = await runShellProcess(['-p', port], { input: 'GET large\nGET large\n' })
  assert.deepEqual([output.length, errors, exitCode], [2_000_002, '', 0])
  assert.equal((await runShellProcess(['-p', port, '-e', 'NOSUCH'])).exitCode, 1)
})
