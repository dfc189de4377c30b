/** `headpond cli` and redis-cli beside each other, at the same redis-server: what they print and how they end. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { quoteText } from 'headpond/src/config/quoting.ts'
import type { RawClient } from 'headpond/test/raw-client.ts'
import { EXECUTABLE } from 'headpond/test/server-process.ts'
import { RedisServer } from './redis-server.ts'

interface Ending {
  output: string
  errors: string
  exitCode: number | null
}

interface Case {
  args: readonly string[]
  input?: string | Buffer
  /** Where both are known to differ: applied to both. */
  normalize?: (text: string) => string
}

const FORMS = [
  ['--no-raw'],
  ['--raw'],
  ['--csv'],
  ['--json'],
  ['--no-raw', '-3'],
  ['--raw', '-3'],
  ['--csv', '-3'],
] as const

const hasScript = spawnSync('script', ['--version']).error === undefined

let redis: RedisServer
let control: RawClient
let directory: string

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headpond-cli-'))
  redis = await RedisServer.start('--unixsocket', join(directory, 'redis.sock'))
  control = await redis.connect()
})

after(async () => {
  control.close()
  await redis.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function runBoth({
  args,
  input = '',
  normalize = (text) => text,
}: Case): Promise<{ theirs: Ending; ours: Ending }> {
  const run = async (program: string, first: readonly string[]) => {
    await fill()
    const ending = await runToEnd(program, [...first, ...args], input)
    return { ...ending, output: normalize(ending.output), errors: normalize(ending.errors) }
  }
  return { theirs: await run('redis-cli', []), ours: await run(process.execPath, [EXECUTABLE, 'cli']) }
}

async function assertSame(cases: readonly Case[]): Promise<void> {
  for (const each of cases) {
    const { theirs, ours } = await runBoth(each)
    assert.deepEqual(ours, theirs, `${each.args.join(' ')}\n${each.input ?? ''}`)
  }
}

/** The output as binary text, until the program ends, or `until` is satisfied with it. */
function runToEnd(
  program: string,
  args: readonly string[],
  input: string | Buffer,
  until: (output: string) => boolean = () => false,
): Promise<Ending> {
  const { REDISCLI_AUTH, HEADPOND_AUTH, ...env } = process.env
  const child = spawn(program, args, { env, cwd: directory, timeout: 20_000 })
  const ending: Ending = { output: '', errors: '', exitCode: null }
  child.stdout.on('data', (chunk: Buffer) => {
    ending.output += chunk.toString('latin1')
    if (until(ending.output)) child.kill()
  })
  child.stderr.on('data', (chunk: Buffer) => (ending.errors += chunk.toString('latin1')))
  child.stdin.on('error', () => {}) // it may end before it has read everything
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ ...ending, exitCode }))
  })
}

async function fill(): Promise<void> {
  for (const command of [
    ['FLUSHALL'],
    ['CONFIG', 'SET', 'requirepass', ''],
    ['CONFIG', 'SET', 'maxmemory-policy', 'noeviction'],
    ['SET', 'text', 'plain'],
    ['SET', 'quoted', Buffer.from('"quotes" and \\back\\ \x00\x01\x07\x08\t\n\r\x1b\x7f\xff é', 'latin1')],
    ['SET', 'utf8', 'é€😀'],
    ['SET', 'key with space', 'x'],
    ['RPUSH', 'list', ...Array.from({ length: 12 }, (_, index) => `item ${index}`)],
    ['HSET', 'hash', 'field', 'value', 'other', '2'],
    ['SADD', 'set', 'only'],
    ['ZADD', 'zset', '1.5', 'a', '2', 'b'],
    ['XADD', 'stream', '1-1', 'f', 'v', 'g', 'w'],
  ] as const) {
    assert.doesNotMatch(await control.call(...command), /^-/)
  }
}

/** Both walk the same table: steps of lookups end the growth that filling it began. */
async function settle(): Promise<void> {
  await fill()
  for (let count = 0; count < 100; count++) await control.call('GET', 'text')
}

/** The types of a summary come in the order of a hash table that redis-cli makes. */
function withSortedSummary({ output, ...rest }: Ending): unknown {
  const [survey, ...summary] = output.split('-------- summary -------\n')
  return { ...rest, survey, summary: summary.join('').split('\n').sort() }
}

function lineOf(command: readonly string[]): string {
  return command.map(quoteText).join(' ')
}

const atServer = (...args: string[]) => ['-p', String(redis.port), ...args]

describe('replies', () => {
  const nested = "return {1,{2,{'x',{}},{3,'y'}},redis.status_reply('OK'),false,redis.error_reply('MY bad'),{}}"
  const commands = [
    ['GET', 'text'],
    ['GET', 'quoted'],
    ['GET', 'utf8'],
    ['GET', 'nothing'],
    ['SET', 'text', 'x'],
    ['STRLEN', 'text'],
    ['LRANGE', 'list', '0', '-1'],
    ['LRANGE', 'nothing', '0', '-1'],
    ['HGETALL', 'hash'],
    ['HGETALL', 'nothing'],
    ['SMEMBERS', 'set'],
    ['SMEMBERS', 'nothing'],
    ['ZRANGE', 'zset', '0', '-1', 'WITHSCORES'],
    ['ZSCORE', 'zset', 'a'],
    ['ZMSCORE', 'zset', 'a', 'nothing'],
    ['XRANGE', 'stream', '-', '+'],
    ['XINFO', 'STREAM', 'stream'],
    ['XINFO', 'HELP'],
    ['CONFIG', 'GET', 'max*'],
    ['COMMAND', 'DOCS', 'object', 'set'],
    ['COMMAND', 'INFO', 'zadd'],
    ['NOSUCH'],
    ['GET'],
    ['INCR', 'list'],
    [''],
    ['EVAL', nested, '0'],
    ['CLUSTER', 'NODES'],
    ['LATENCY', 'DOCTOR'],
    ['MEMORY', 'DOCTOR'],
    ['INFO', 'cluster'],
    ['LOLWUT'],
    ['ACL', 'LIST'],
    ['MULTI'],
    ['GET', 'text'],
    ['NOSUCH'],
    ['EXEC'],
    ['SELECT', '3'],
    ...['string', 'integer', 'double', 'null', 'array', 'set', 'map', 'push', 'verbatim', 'true', 'false'].map(
      (type) => ['DEBUG', 'PROTOCOL', type],
    ),
  ]
  for (const form of FORMS) {
    test(`${form.join(' ')} shows them as redis-cli does`, async () => {
      await assertSame([{ args: atServer(...form), input: commands.map(lineOf).join('\n') }])
    })
  }

  test('delimiters of raw replies', async () => {
    await assertSame([
      { args: atServer('--raw', '-d', ';', 'LRANGE', 'list', '0', '2') },
      { args: atServer('--raw', '-d', ';', '-3', 'HGETALL', 'hash') },
      { args: atServer('--raw', '-D', '|', '-r', '2', 'PING') },
      { args: atServer('-D', '', '--raw', 'DUMP', 'text') },
    ])
  })

  test('--quoted-json is the same where redis-cli writes JSON', async () => {
    await assertSame([
      { args: atServer('--quoted-json', 'GET', 'utf8') },
      { args: atServer('--quoted-json', 'HGETALL', 'hash') },
      { args: atServer('--quoted-json', 'DEBUG', 'PROTOCOL', 'verbatim') },
    ])
    // redis-cli leaves the quotes of a string in it as they are, so that the string ends there.
    const { ours } = await runBoth({ args: atServer('--quoted-json', 'GET', 'quoted') })
    assert.match(JSON.parse(ours.output), /^\\"quotes\\" and \\\\back\\\\ \\x00/)
  })
})

describe('options', () => {
  test('errors of connections and options, in its words and with its exit codes', async () => {
    const cases = [
      { args: ['-p', '1', 'PING'] },
      { args: ['-s', '/nonexistent/redis.sock', 'PING'] },
      { args: ['-p', '1', '--scan'] },
      { args: ['-p', '1', '--bigkeys'] },
      { args: ['-p', '1', '--latency'] },
      { args: ['-p', '1', '--pipe'] },
      { args: ['-p', '1', '--stat'] },
      { args: ['--nosuch'] },
      { args: atServer('-p') },
      { args: atServer('-X') },
      { args: atServer('-x', '-X', 'tag', 'SET', 'a', 'b') },
      { args: atServer('-X', 'tag', 'SET', 'a', 'b') },
      { args: atServer('-2', '-3', 'PING') },
      { args: atServer('-c', '-s', 'redis.sock', 'PING') },
      { args: atServer('--rdb', 'a', '--functions-rdb', 'b') },
      { args: atServer('--quoted-pattern', '"a', '--scan') },
      { args: atServer('--eval', 'nosuch.lua') },
      { args: ['-u', 'http://127.0.0.1', 'PING'] },
      { args: ['-u', 'redis://:%zz@127.0.0.1', 'PING'] },
      { args: ['-u', 'redis://:%a@127.0.0.1', 'PING'] },
    ]
    for (const each of cases) {
      const { theirs, ours } = await runBoth(each)
      // redis-cli writes some of these to standard output.
      assert.deepEqual(ours, { ...theirs, errors: theirs.errors + theirs.output, output: '' }, each.args.join(' '))
    }
  })

  test('where to connect and as whom', async () => {
    await assertSame([
      { args: atServer('-n', '3', 'SET', 'there', '1') },
      { args: atServer('-n', '99', 'PING') },
      { args: ['-s', join(directory, 'redis.sock'), 'PING'] },
      { args: ['-u', `redis://127.0.0.1:${redis.port}/2`, 'PING'] },
      { args: ['-u', `redis://user:p%40ss@127.0.0.1:${redis.port}/2`, 'PING'] },
      { args: atServer('-a', 'wrong', 'PING') },
      { args: atServer('--no-auth-warning', '-a', 'wrong', 'PING') },
      { args: atServer('--no-auth-warning', '--user', 'nobody', '--pass', 'wrong', 'PING') },
      { args: atServer('--user', 'nobody', 'PING') },
      { args: atServer('-3', '--no-raw', 'HELLO', '4') },
    ])
  })

  test('standard input, repetition, scripts', async () => {
    writeFileSync(join(directory, 'script.lua'), 'return {KEYS, ARGV}')
    await assertSame([
      { args: atServer('-x', 'SET', 'text'), input: Buffer.from([0, 255, 10, 65]) },
      { args: atServer('-X', 'tag', 'MSET', 'a', 'tag', 'b', 'x'), input: 'from input\n' },
      { args: atServer('-X', 'tag', 'MSET', 'a', 'tag', 'b', 'tag'), input: 'once' },
      { args: atServer('-x'), input: 'PING\n' },
      { args: atServer('--quoted-input', 'SET', '"null-\\x00"', 'value') },
      { args: atServer('--quoted-input', 'SET', '"a', 'b') },
      { args: atServer('--quoted-input', 'SET', 'a b', 'c') },
      { args: atServer('--quoted-input', 'SET', 'a', '') },
      { args: atServer('-r', '3', '-i', '0.01', 'INCR', 'counter') },
      { args: atServer('-r', '3', 'NOSUCH') },
      { args: atServer('-r', '3', '-e', 'NOSUCH') },
      { args: atServer('-e', 'NOSUCH') },
      { args: atServer('-e', '--no-raw', 'INCR', 'list') },
      { args: atServer('-e', 'GET', 'nothing') },
      { args: atServer('--no-raw', '--eval', 'script.lua', 'k1', 'k2', ',', 'a1') },
      { args: atServer('--no-raw', '--eval', 'script.lua', 'k1,k2', 'a1') },
      { args: atServer('--no-raw', '--eval', 'script.lua') },
      { args: atServer('--json', '--eval', 'script.lua', ',', 'a') },
    ])
  })

  test('commands line by line', async () => {
    const input = [
      'set a 1',
      'get a',
      '',
      '   ',
      'bad "x',
      'set b a"b"',
      '3 incr n',
      '1x ping',
      '3',
      'multi',
      'set a 5',
      'get a',
      'exec',
      'multi',
      'discard',
      'select 3',
      'get a',
      `PING "a b\\x41\\n" `,
      "ping 'it\\'s'",
      'hello 3',
      'hgetall hash',
      'get quoted',
      'quit',
      'get never',
    ].join('\n')
    const normalize = (text: string) => text.replace(/("id" => \(integer\)|^id|"id",) ?\d+/m, '$1 N')
    for (const form of ['--no-raw', '--raw', '--csv']) await assertSame([{ args: atServer(form), input, normalize }])
  })

  test('--pipe', async () => {
    await assertSame([
      { args: atServer('--pipe'), input: '*1\r\n$4\r\nPING\r\nSET a b\r\nfoo\r\n' },
      { args: atServer('--pipe'), input: 'SET a b' },
      { args: atServer('--pipe'), input: '' },
      {
        args: atServer('--pipe'),
        input: Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\x00\xff\n\r\n'.repeat(5000), 'latin1'),
      },
    ])
    const { theirs, ours } = await runBoth({ args: atServer('--pipe'), input: '*2\r\n$x\r\n' })
    assert.equal(ours.exitCode, theirs.exitCode)
    assert.match(ours.errors, /^ERR Protocol error: invalid bulk length$/m)
  })
})

describe('looking inside', () => {
  test('--scan, --bigkeys, --memkeys', async () => {
    await settle()
    const cases = [
      { args: atServer('--scan') },
      { args: atServer('--scan', '--no-raw') },
      { args: atServer('--scan', '--pattern', '*t') },
      { args: atServer('--scan', '--no-raw', '--quoted-pattern', '"key\\x20*"') },
      { args: atServer('--bigkeys') },
      { args: atServer('--bigkeys', '-i', '0.001', '--pattern', '*s*') },
      { args: atServer('--bigkeys', '-n', '7') },
      { args: atServer('--memkeys') },
      { args: atServer('--memkeys-samples', '0') },
      { args: atServer('--hotkeys') },
    ]
    for (const { args } of cases) {
      const theirs = await runToEnd('redis-cli', args, '')
      const ours = await runToEnd(process.execPath, [EXECUTABLE, 'cli', ...args], '')
      assert.deepEqual(withSortedSummary(ours), withSortedSummary(theirs), args.join(' '))
    }
  })

  test('--rdb and --functions-rdb fetch the same snapshot', async () => {
    const normalize = (text: string) => text.replace(/\d+ bytes/, 'N bytes')
    for (const diskless of ['yes', 'no']) {
      await control.call('CONFIG', 'SET', 'repl-diskless-sync', diskless, 'repl-diskless-sync-delay', '0')
      for (const option of ['--rdb', '--functions-rdb']) {
        await assertSame([{ args: atServer(option, 'copy.rdb'), normalize }])
        const check = await runToEnd('redis-check-rdb', ['copy.rdb'], '')
        assert.match(check.output, option === '--rdb' ? /9 keys read/ : /0 keys read/)
      }
    }
  })

  test('--hotkeys', async () => {
    await control.call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu')
    await control.call('FLUSHALL') // what was written before has a time where these have a counter
    for (const key of ['warm', 'hot', 'hot', 'hot', 'hot', 'hot']) await control.call('SET', key, 'x')
    const theirs = await runToEnd('redis-cli', atServer('--hotkeys'), '')
    assert.deepEqual(await runToEnd(process.execPath, [EXECUTABLE, 'cli', ...atServer('--hotkeys')], ''), theirs)
    assert.match(theirs.output, /hot key found with counter: \d+\tkeyname: "hot"/)
  })

  test('what needs a password says so', async () => {
    const withPassword = async (program: string, first: readonly string[], args: readonly string[]) => {
      await control.call('CONFIG', 'SET', 'requirepass', 'secret')
      try {
        return await runToEnd(program, [...first, ...atServer(...args)], '')
      } finally {
        await control.call('CONFIG', 'SET', 'requirepass', '')
      }
    }
    for (const args of [['--scan'], ['--bigkeys'], ['GET', 'a'], ['-a', 'secret', 'GET', 'a'], ['-3', 'PING']]) {
      const theirs = await withPassword('redis-cli', [], args)
      assert.deepEqual(await withPassword(process.execPath, [EXECUTABLE, 'cli'], args), theirs, args.join(' '))
    }
  })

  for (const form of [['--no-raw'], ['--raw'], ['--csv'], ['--json'], ['--no-raw', '-3']]) {
    test(`messages of channels, ${form.join(' ')}`, async () => {
      const listen = async (program: string, first: readonly string[]) => {
        let isPublished = false
        return runToEnd(program, [...first, ...atServer(...form, 'PSUBSCRIBE', 'news.*', 'other')], '', (output) => {
          if (output.includes('other') && !isPublished) {
            isPublished = true
            control.send('PUBLISH', 'news.today', 'say "hi"')
            control.waitFor(1, 20_000).then(() => control.take())
          }
          return output.includes('hi')
        })
      }
      const theirs = await listen('redis-cli', [])
      assert.equal((await listen(process.execPath, [EXECUTABLE, 'cli'])).output, theirs.output)
    })
  }

  test('--show-pushes', async () => {
    const input = 'hello 3\nclient tracking on\nget text\nset text 1\nget text\nping\n'
    const normalize = (text: string) => text.replace(/"id" => \(integer\) \d+/, '')
    for (const wanted of ['yes', 'no']) {
      await assertSame([{ args: atServer('--no-raw', '--show-pushes', wanted), input, normalize }])
    }
  })
})

describe('at a real terminal', { skip: hasScript ? false : 'util-linux (script) is not installed' }, () => {
  test('keys, Ctrl-C and Ctrl-D do what they do elsewhere', async () => {
    await fill()
    // `exec`: a shell that waits (dash) would end with a Ctrl-C that the program took for itself.
    const command = `exec '${process.execPath}' '${EXECUTABLE}' cli -p ${redis.port}`
    const child = spawn('script', ['-qefc', command, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm', HEADPOND_HISTFILE: join(directory, 'history') },
      timeout: 20_000,
    })
    let output = ''
    let notify = () => {}
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      notify()
    })
    const until = (text: string) =>
      new Promise<void>((resolve, reject) => {
        notify = () => {
          const at = output.indexOf(text)
          if (at < 0) return
          resolve()
          output = output.slice(at + text.length)
        }
        child.once('close', () => reject(new Error(`it ended:\n${output}`)))
        notify()
      })
    const prompt = `127.0.0.1:${redis.port}> `
    await until(prompt)
    child.stdin.write('GET utf8\r')
    await until('\r\n"\\xc3\\xa9\\xe2')
    await until(prompt)
    child.stdin.write('BLPOP nothing 0\r')
    while (!(await control.call('INFO', 'clients')).includes('blocked_clients:1')) await new Promise(setImmediate)
    child.stdin.write('\x03')
    await until(prompt)
    child.stdin.write('\x1b[A\x1b[A\r') // two lines back
    await until('\r\n"\\xc3\\xa9\\xe2')
    await until(prompt)
    const ended = once(child, 'close')
    child.stdin.write('\x04')
    assert.deepEqual((await ended)[0], 0)
  })
})
