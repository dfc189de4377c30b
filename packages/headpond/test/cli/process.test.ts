/** What the executable is to its system: its log, its process id, its name, its place in the background. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { adjustOomScore } from '#src/cli/oom-score.ts'
import { Config } from '#src/config/config.ts'
import { inDirectory } from '../persistence/aof/data-server.ts'
import { RawClient } from '../raw-client.ts'
import { EXECUTABLE, ServerProcess } from '../server-process.ts'

const PORTS = ['--port', 'auto', '--memcached-port', '0']
const isLinux = process.platform === 'linux'

const daemons = new Set<number>()
after(() => {
  for (const pid of daemons) process.kill(pid, 'SIGKILL')
})

/** Runs the executable to its end, which is soon for the one who starts a daemon. */
function run(directory: string, args: readonly string[], input?: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [EXECUTABLE, ...args], {
    cwd: directory,
    encoding: 'utf8',
    timeout: 20_000,
    ...(input === undefined ? {} : { input }),
  })
  return { status, stdout, stderr }
}

interface LogLine {
  readonly msg: string
  readonly redis?: string
  readonly pid?: number
}

function linesOf(path: string): LogLine[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

/** The daemon that has written this log. */
async function connectTo(log: string): Promise<{ client: RawClient; pid: number }> {
  const ready = linesOf(log).find(({ msg }) => msg === 'Ready to accept connections')
  assert.ok(ready?.redis !== undefined && ready.pid !== undefined, 'it is ready when the one who started it goes on')
  daemons.add(ready.pid)
  return { client: await RawClient.connect(Number(ready.redis.split(':').at(-1))), pid: ready.pid }
}

async function stop(pid: number, isGone: () => boolean): Promise<void> {
  process.kill(pid, 'SIGTERM')
  while (!isGone()) await new Promise((resolve) => setTimeout(resolve, 10))
  daemons.delete(pid)
}

test('daemonize: it runs when the one who starts it goes on, with a log and a file of its process id', () =>
  inDirectory(async (directory) => {
    const log = join(directory, 'headpond.log')
    const pidFile = join(directory, 'headpond.pid')
    writeFileSync(log, '{"msg":"from before"}\n')
    const conf = `daemonize yes\nlogfile ${log}\npidfile ${pidFile}\nephemeral yes\n`
    writeFileSync(join(directory, 'headpond.conf'), conf)
    assert.deepEqual(run(directory, ['headpond.conf', ...PORTS]), { status: 0, stdout: '', stderr: '' })
    const { client, pid } = await connectTo(log)
    assert.equal(linesOf(log)[0].msg, 'from before')
    assert.equal(readFileSync(pidFile, 'utf8'), `${pid}\n`)
    assert.match(await client.call('INFO', 'server'), new RegExp(`process_id:${pid}\\b`))
    assert.doesNotMatch(readFileSync(log, 'utf8'), /not acting yet/)
    if (isLinux) {
      // A session of its own: the terminal's end is not its end.
      const [, , group, session] = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/.*\) /, '').split(' ')
      assert.deepEqual([group, session], [String(pid), String(pid)])
    }

    // Whoever moves the log away finds the next line in a new file.
    renameSync(log, `${log}.1`)
    await stop(pid, () => !existsSync(pidFile))
    await client.untilClosed()
    assert.equal(linesOf(log)[0].msg, 'SIGTERM: stopping')
    assert.ok(!linesOf(`${log}.1`).some(({ msg }) => msg === 'SIGTERM: stopping'))
  }))

test('daemonize: the configuration may come from standard input, and paths are those of dir', () =>
  inDirectory(async (directory) => {
    const conf = `daemonize yes\nmaxclients 321\nlogfile a.log\npidfile a.pid\ndir ./data\nappendonly no\nsave ""\n`
    assert.deepEqual(run(directory, ['-', ...PORTS], conf), { status: 0, stdout: '', stderr: '' })
    const { client, pid } = await connectTo(join(directory, 'data', 'a.log'))
    assert.match(await client.call('CONFIG', 'GET', 'maxclients'), /"321"/)
    await stop(pid, () => !existsSync(join(directory, 'data', 'a.pid')))
    await client.untilClosed()
  }))

test('daemonize: what goes wrong before it is ready is told by the one who starts it', () =>
  inDirectory(async (directory) => {
    const refusals: [args: string[], message: RegExp][] = [
      [['--maxmemory', 'plenty'], /^headpond: --maxmemory plenty: .*\n$/],
      [['--bind', '203.0.113.1'], /^headpond: bind 203\.0\.113\.1: .*\n$/],
      [['--logfile', 'none/a.log'], /^headpond: logfile .*none.a\.log: Can't open the log file: No such file.*\n$/],
    ]
    for (const [args, message] of refusals) {
      const pidFile = join(directory, 'refused.pid')
      const all = [...PORTS, '--ephemeral', '--daemonize', 'yes', '--pidfile', pidFile, ...args]
      const { status, stdout, stderr } = run(directory, all)
      assert.deepEqual([status, stdout], [1, ''], stderr)
      assert.match(stderr, message)
      assert.ok(!existsSync(pidFile))
    }
  }))

test('pidfile: written without a daemon too, gone when the process is; one that cannot be written is no reason to end', () =>
  inDirectory(async (directory) => {
    const pidFile = join(directory, 'headpond.pid')
    const server = await ServerProcess.start('--pidfile', pidFile)
    assert.equal(readFileSync(pidFile, 'utf8'), `${server.child.pid}\n`)
    assert.equal(await server.stop(), 0)
    assert.ok(!existsSync(pidFile))
    const without = await ServerProcess.start('--pidfile', join(directory, 'none', 'headpond.pid'))
    assert.equal(await without.stop(), 0)
  }))

test('a server whose last port is closed goes on until it is told to end', () =>
  inDirectory(async (directory) => {
    const log = join(directory, 'headpond.log')
    const pidFile = join(directory, 'headpond.pid')
    const args = [...PORTS, '--kafka-port', '0', '--ephemeral', '--logfile', log, '--pidfile', pidFile]
    assert.equal(run(directory, [...args, '--daemonize', 'yes']).status, 0)
    const { client, pid } = await connectTo(log)
    assert.equal(await client.call('CONFIG', 'SET', 'port', '0'), '+OK')
    assert.equal(await client.call('PING'), '+PONG')
    assert.equal(await client.call('QUIT'), '+OK')
    await client.untilClosed()
    await stop(pid, () => !existsSync(pidFile))
    assert.deepEqual(
      linesOf(log)
        .slice(-2)
        .map(({ msg }) => msg),
      ['SIGTERM: stopping', 'Headpond is now ready to exit, bye bye...'],
    )
  }))

test('loglevel: CONFIG SET changes what is logged from now on', () =>
  inDirectory(async (directory) => {
    const log = join(directory, 'headpond.log')
    const pidFile = join(directory, 'headpond.pid')
    const args = [...PORTS, '--ephemeral', '--daemonize', 'yes', '--logfile', log, '--pidfile', pidFile]
    assert.equal(run(directory, [...args, '--enable-debug-command', 'yes']).status, 0)
    const { client, pid } = await connectTo(log)
    assert.equal(await client.call('CONFIG', 'SET', 'loglevel', 'warning'), '+OK')
    assert.equal(await client.call('DEBUG', 'LOG', 'one'), '+OK')
    await stop(pid, () => !existsSync(pidFile))
    await client.untilClosed()
    assert.equal(linesOf(log).at(-1)?.msg, 'DEBUG LOG: one')
  }))

test('log-format pretty: lines for people, in a file too', () =>
  inDirectory(async (directory) => {
    const log = join(directory, 'headpond.log')
    const pidFile = join(directory, 'headpond.pid')
    const args = [...PORTS, '--ephemeral', '--daemonize', 'yes', '--logfile', log, '--pidfile', pidFile]
    assert.equal(run(directory, [...args, '--log-format', 'pretty']).status, 0)
    const pid = Number(readFileSync(pidFile, 'utf8'))
    daemons.add(pid)
    assert.match(readFileSync(log, 'utf8'), /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO.*: Ready to accept connections$/m)
    await stop(pid, () => !existsSync(pidFile))
  }))

/** The process list's name of a process. */
function titleOf(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
}

test('set-proc-title and proc-title-template: the process list shows where it listens', {
  skip: !isLinux,
}, async () => {
  const server = await ServerProcess.start()
  const { pid } = server.child
  assert.equal(titleOf(pid), `headpond 127.0.0.1:${server.port}`)
  const client = await server.connect()
  const set = (template: string) => client.call('CONFIG', 'SET', 'proc-title-template', template)
  assert.equal(await set(' {{{title} {port} {tls-port} {unixsocket} {config-file} '), '+OK')
  assert.equal(titleOf(pid), `{headpond ${server.port} 0  -`)
  for (const template of ['', '{nosuch}', '{title', '{title}', '{server-mode}{unixsocket}']) {
    assert.match(
      await set(template),
      /^-ERR CONFIG SET failed .*template format is invalid or contains unknown variables/,
    )
  }
  assert.equal(await server.stop(), 0)
  const plain = await ServerProcess.start('--set-proc-title', 'no')
  assert.match(titleOf(plain.child.pid), /headpond\.js --port auto/)
  assert.equal(await plain.stop(), 0)
})

test('oom-score-adj: the kernel learns the score, and has its own again afterwards', { skip: !isLinux }, async () => {
  const server = await ServerProcess.start()
  const score = () => Number(readFileSync(`/proc/${server.child.pid}/oom_score_adj`, 'latin1'))
  const own = score()
  const client = await server.connect()
  const set = (...args: string[]) => client.call('CONFIG', 'SET', ...args)
  assert.equal(await set('oom-score-adj-values', '7 200 800'), '+OK')
  assert.equal(score(), own)
  assert.equal(await set('oom-score-adj', 'relative'), '+OK')
  assert.equal(score(), Math.min(1000, own + 7))
  assert.equal(await set('oom-score-adj-values', '9 200 800', 'oom-score-adj', 'yes'), '+OK')
  assert.equal(score(), Math.min(1000, own + 9))
  assert.equal(await set('oom-score-adj-values', '1999 0 0'), '+OK')
  assert.equal(score(), 1000)
  assert.equal(await set('oom-score-adj', 'no'), '+OK')
  assert.equal(score(), own)
  assert.equal(await server.stop(), 0)
})

test('oom-score-adj: a score that the system refuses is refused, and logged', () =>
  inDirectory(async (directory) => {
    const config = Config.load({ argv: ['--oom-score-adj-values', '1', '2', '3'] })
    const warnings: string[] = []
    const log = { warn: (message: string) => warnings.push(message) }
    const path = join(directory, 'oom_score_adj')
    adjustOomScore(config, log, path)
    const refusal = await config.set([['oom-score-adj', 'absolute']])
    assert.match(String(refusal), /Failed to set current oom_score_adj\. Check server logs\.$/)
    assert.equal(warnings[0], 'Unable to read oom_score_adj: No such file or directory')
    assert.equal(config.settings.oomScoreAdj, 'no')
    writeFileSync(path, '55\n')
    assert.equal(await config.set([['oom-score-adj', 'absolute']]), undefined)
    assert.equal(readFileSync(path, 'latin1'), '1\n')
    assert.equal(await config.set([['oom-score-adj', 'no']]), undefined)
    assert.equal(readFileSync(path, 'latin1'), '55\n')
  }))
