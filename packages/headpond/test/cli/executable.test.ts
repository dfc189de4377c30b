import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { createServer as createHeadpond } from '#src/index.ts'
import { DataDirectoryError } from '#src/persistence/data-directory-error.ts'
import { freePort, isListening } from '../free-port.ts'
import { inDirectory } from '../persistence/aof/data-server.ts'
import { EXECUTABLE, ServerProcess } from '../server-process.ts'

/** Runs the executable to its end. */
async function run(...args: string[]): Promise<{ exitCode: number | null; output: string; errorLines: string[] }> {
  const child = spawn(process.execPath, [EXECUTABLE, ...args], { timeout: 20_000 })
  let output = ''
  let errorOutput = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (errorOutput += chunk))
  await once(child, 'close')
  return { exitCode: child.exitCode, output, errorLines: errorOutput.split('\n').filter((line) => line !== '') }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`it says where it listens, answers, and ends well on ${signal}`, async () => {
    const server = await ServerProcess.start()
    try {
      assert.match(String(server.readyLine['redis']), /^127\.0\.0\.1:\d+$/)
      assert.equal(server.readyLine['pid'], server.child.pid)
      assert.match(String(server.readyLine['version']), /^\d+\.\d+\.\d+/)
      const client = await server.connect()
      assert.equal(await client.call('PING'), '+PONG')
      // A client that stays connected does not hold it.
      assert.equal(await server.stop(signal), 0)
      await client.untilClosed()
    } finally {
      await server.stop('SIGKILL')
    }
  })
}

test('who has read that the process is initialized can connect', () =>
  inDirectory(async (directory) => {
    const port = await freePort()
    const args = ['--port', String(port), '--memcached-port', '0', '--kafka-port', '0', '--dir', directory]
    const child = spawn(process.execPath, [EXECUTABLE, ...args], { timeout: 20_000 })
    try {
      let output = ''
      let heard = () => {}
      child.stdout.on('data', (chunk) => {
        output += chunk
        heard()
      })
      const untilSaid = async (text: string) => {
        while (!output.includes(text)) await new Promise<void>((resolve) => (heard = resolve))
      }
      await untilSaid(` PID: ${child.pid}`)
      assert.ok(await isListening(port), output)
      await untilSaid('Server initialized')
      assert.ok(output.indexOf(' PID: ') < output.indexOf('Server initialized'), output)
    } finally {
      child.kill('SIGKILL')
      await once(child, 'close')
    }
  }))

test('a refusal is one line that names the place and the remedy', async () => {
  const occupied = createServer().listen(0, '127.0.0.1')
  await once(occupied, 'listening')
  const { port } = occupied.address() as { port: number }
  try {
    const refusals: [args: string[], message: RegExp][] = [
      [['--port', 'auto', '--ephemeral', '--maxmemroy', '1gb'], /maxmemroy/],
      [['--port', 'auto', '--ephemeral', '--maxmemory', 'plenty'], /maxmemory.*plenty/],
      [['--port', '99999', '--ephemeral'], /port.*99999/],
      [['--port', String(port), '--ephemeral'], new RegExp(`127\\.0\\.0\\.1:${port} is in use`)],
      [['/nonexistent/headpond.conf'], /\/nonexistent\/headpond\.conf/],
      [['--port', '0', '--memcached-port', '0', '--kafka-port', '0', '--ephemeral'], /nothing is listened on/],
      [['--bind', '203.0.113.1', '--port', 'auto', '--ephemeral'], /bind 203\.0\.113\.1/],
    ]
    for (const [args, message] of refusals) {
      const { exitCode, output, errorLines } = await run(...args)
      const shown = `${args.join(' ')}\n${errorLines.join('\n')}\n${output}`
      assert.equal(exitCode, 1, shown)
      assert.equal(errorLines.length, 1, shown)
      assert.match(errorLines[0], message)
      assert.match(errorLines[0], /^headpond: /)
      assert.doesNotMatch(errorLines[0], / at .*\.js/, 'no stack')
    }
  } finally {
    occupied.close()
  }
})

test('a data directory that cannot be used is one line, whatever is wrong with it', () =>
  inDirectory(async (directory) => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    const places: [dir: string, message: RegExp][] = [
      [file, /file: the directory cannot be used: there is a file of that name\. /],
      [join(file, 'data'), /there is a file in the way\. /],
    ]
    // Nobody may make a directory there, not even root.
    if (existsSync('/proc/self')) places.push(['/proc/headpond-data', /it cannot be made\. /])
    for (const [dir, message] of places) {
      const { exitCode, errorLines } = await run('--port', 'auto', '--memcached-port', '0', '--dir', dir)
      assert.deepEqual([exitCode, errorLines.length], [1, 1], errorLines.join('\n'))
      assert.match(errorLines[0], message)
      assert.match(errorLines[0], /Set dir to another, or ephemeral to yes to keep nothing$/)
    }
  }))

test('two servers do not append to the same data', { skip: process.platform !== 'linux' }, () =>
  inDirectory(async (directory) => {
    const first = await ServerProcess.startIn(directory)
    const data = join(directory, 'headpond-data')
    const second = ['--port', 'auto', '--memcached-port', '0', '--dir', data]
    const { exitCode, errorLines } = await run(...second)
    assert.deepEqual([exitCode, errorLines.length], [1, 1], errorLines.join('\n'))
    assert.match(
      errorLines[0],
      new RegExp(`another Headpond \\(pid ${first.child.pid}\\) keeps its data here\\. .*set dir to`),
    )
    // In the same process too; and what appends nothing, or to a file of another name, is free to be there.
    await assert.rejects(createHeadpond({ dir: data, ephemeral: false, appendonly: true }), DataDirectoryError)
    const besides = { dir: data, ephemeral: false, appendonly: true, appendfilename: 'other.aof' }
    const beside = await createHeadpond(besides)
    await beside.execute('SET', 'key', 'beside')
    await beside.close()
    const again = await createHeadpond(besides)
    assert.equal(await again.execute('GET', 'key'), 'beside')
    await again.close()
    const ephemeral = await ServerProcess.start('--dir', data)
    assert.equal(await ephemeral.stop(), 0)
    await first.stop('SIGKILL')
    const next = await ServerProcess.startIn(directory)
    assert.equal(await next.stop(), 0)
  }),
)

test('an environment variable is a directive; one that is none is told', async () => {
  try {
    process.env['HEADPOND_MAXMEMORY'] = '12mb'
    const other = await ServerProcess.start()
    assert.match(await (await other.connect()).call('CONFIG', 'GET', 'maxmemory'), /"12582912"/)
    assert.equal(await other.stop(), 0)
    // A flag is nearer than the environment.
    const nearer = await ServerProcess.start('--maxmemory', '1mb')
    assert.match(await (await nearer.connect()).call('CONFIG', 'GET', 'maxmemory'), /"1048576"/)
    assert.equal(await nearer.stop(), 0)
    process.env['HEADPOND_MAXMEMORY'] = 'plenty'
    assert.match((await run('--ephemeral')).errorLines.join(), /^headpond: HEADPOND_MAXMEMORY=plenty: /)
  } finally {
    delete process.env['HEADPOND_MAXMEMORY']
  }
})

test('--version and --help', async () => {
  assert.match((await run('--version')).output, /^Headpond \d+\.\d+\.\d+ \(Node .*Redis server v=7\.\d+\.\d+\n$/)
  const { output, exitCode } = await run('--help')
  assert.equal(exitCode, 0)
  assert.match(output, /--maxmemory/)
  assert.match(output, /--ephemeral/)
})

test('by default data is kept in ./headpond-data, and survives the death of the process', () =>
  inDirectory(async (directory) => {
    let server = await ServerProcess.startIn(directory)
    let client = await server.connect()
    assert.equal(await client.call('SET', 'a', '1'), '+OK')
    assert.match(await client.call('CONFIG', 'GET', 'appendonly'), /\$ "yes"$/)
    assert.match(await client.call('CONFIG', 'GET', 'save'), /\$ ""$/)
    await server.stop('SIGKILL')
    assert.deepEqual(readdirSync(join(directory, 'headpond-data')), ['appendonlydir'])
    server = await ServerProcess.startIn(directory)
    client = await server.connect()
    assert.equal(await client.call('GET', 'a'), '$ "1"')
    assert.equal(await server.stop(), 0)
  }))

test('with a configuration file, what it does not say is as in Redis', () =>
  inDirectory(async (directory) => {
    writeFileSync(join(directory, 'redis.conf'), 'save 60 1000\n')
    const server = await ServerProcess.startIn(directory, 'redis.conf')
    const client = await server.connect()
    assert.match(await client.call('CONFIG', 'GET', 'appendonly'), /\$ "no"$/)
    assert.match(await client.call('CONFIG', 'GET', 'save'), /\$ "60 1000"$/)
    assert.ok((await client.call('CONFIG', 'GET', 'dir')).includes(realpathSync(directory)))
    await client.call('SET', 'a', '1')
    assert.equal(await server.stop(), 0)
    assert.deepEqual(readdirSync(directory).sort(), ['dump.rdb', 'redis.conf'])
  }))

test('damaged data is told in one line, and nothing is touched', () =>
  inDirectory(async (directory) => {
    const aof = join(directory, 'headpond-data', 'appendonlydir')
    mkdirSync(aof, { recursive: true })
    writeFileSync(join(aof, 'appendonly.aof.manifest'), 'file appendonly.aof.1.incr.aof seq 1 type i\n')
    writeFileSync(join(aof, 'appendonly.aof.1.incr.aof'), 'nonsense')
    const { exitCode, errorLines } = await run(
      '--port',
      'auto',
      '--memcached-port',
      '0',
      '--dir',
      join(directory, 'headpond-data'),
    )
    assert.equal(exitCode, 1)
    assert.equal(errorLines.length, 1)
    assert.match(
      errorLines[0],
      /^headpond: .*1\.incr\.aof: Bad file format .*: damaged at byte 0 of 8: .* headpond check --fix/,
    )
    assert.equal(readFileSync(join(aof, 'appendonly.aof.1.incr.aof'), 'utf8'), 'nonsense')
  }))
