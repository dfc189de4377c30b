import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config, type ConfigSources } from '#src/config/config.ts'
import { ConfigError } from '#src/config/config-error.ts'
import { MemoryFiles } from './memory-files.ts'

interface World extends Omit<ConfigSources, 'files' | 'workingDirectory'> {
  conf?: string
  files?: MemoryFiles
}

/** A configuration in /etc/pond, from `pond.conf` there when `conf` is given. */
function load({ conf, files = new MemoryFiles(), argv = [], ...sources }: World = {}): Config {
  if (conf === undefined) return Config.load({ ...sources, argv, files, workingDirectory: '/etc/pond' })
  files.contents.set('/etc/pond/pond.conf', conf)
  return Config.load({ ...sources, argv: ['pond.conf', ...argv], files, workingDirectory: '/etc/pond' })
}

function errorOf(world: World): string {
  try {
    load(world)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message
  }
  return assert.fail('the configuration was accepted')
}

function shownValue(config: Config, name: string): string | undefined {
  return config.get([name])[0]?.[1]
}

/** CONFIG SET with listeners that answer at once. */
function set(config: Config, ...words: string[]): string | undefined {
  const pairs = words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1]] as const] : []))
  const answer = config.set(pairs)
  assert.ok(!(answer instanceof Promise))
  return answer
}

test('without sources the defaults are in force', () => {
  const { settings, kafka, file } = load()
  assert.equal(settings.maxclients, 10000)
  assert.deepEqual(settings.bind, ['127.0.0.1', '-::1'])
  assert.equal(settings.port, 6379)
  assert.equal(settings.kafkaPort, 9092)
  assert.equal(settings.memcachedPort, 11211)
  assert.equal(settings.httpPort, 8080)
  assert.equal(settings.protoMaxBulkLen, 512 * 1024 ** 2)
  assert.equal(settings.dir, '/etc/pond/headpond-data')
  assert.equal(settings.ephemeral, false)
  assert.deepEqual(settings.clientOutputBufferLimit.pubsub, {
    hardBytes: 32 * 1024 ** 2,
    softBytes: 8 * 1024 ** 2,
    softSeconds: 60,
  })
  assert.equal(kafka.size, 0)
  assert.equal(file, undefined)
})

test('file, environment, command line and options count in this order', () => {
  const conf = 'timeout 1\nhz 21\nmaxclients 31\ndatabases 41'
  const env = { HEADPOND_TIMEOUT: '2', HEADPOND_HZ: '22', HEADPOND_MAXCLIENTS: '32', PATH: '/bin' }
  const argv = ['--timeout', '3', '--hz', '23']
  const { settings, file } = load({ conf, env, argv, options: { timeout: 4 } })
  assert.deepEqual([settings.timeout, settings.hz, settings.maxclients, settings.databases], [4, 23, 32, 41])
  assert.equal(file, '/etc/pond/pond.conf')
})

test('the file may come from standard input', () => {
  const files = new MemoryFiles()
  files.standardInput = 'port 7000\n'
  const config = load({ files, argv: ['-', '--hz', '20'] })
  assert.equal(config.settings.port, 7000)
  assert.equal(config.file, undefined)
  files.standardInput = 'port x\n'
  assert.match(errorOf({ files, argv: ['-'] }), /^standard input:1: port x: argument couldn't be parsed/)
})

test('flags, variables and options may include a file, which counts in their place', () => {
  const files = new MemoryFiles({ '/etc/pond/more.conf': 'timeout 9\nhz 30\n' })
  const argv = ['--timeout', '1', '--include', 'more.conf', '--hz', '20']
  const { settings } = load({ files, argv })
  assert.deepEqual([settings.timeout, settings.hz], [9, 20])
  assert.equal(load({ files, env: { HEADPOND_INCLUDE: 'more.conf' } }).settings.timeout, 9)
  assert.equal(load({ files, options: { include: 'more.conf' } }).settings.timeout, 9)
  assert.equal(errorOf({ argv: ['--include'] }), '--include: wrong number of arguments. Write one path.')
})

test('flags take values up to the next flag, or one behind an equals sign', () => {
  const argv = [
    '--save',
    '60',
    '1000',
    '30',
    '1',
    '--ephemeral',
    '--port=7000',
    '--requirepass=--x=y',
    '--BIND',
    '-::1',
  ]
  const { settings } = load({ argv })
  assert.deepEqual(settings.save, [
    { seconds: 60, changes: 1000 },
    { seconds: 30, changes: 1 },
  ])
  assert.equal(settings.ephemeral, true)
  assert.equal(settings.port, 7000)
  assert.equal(settings.requirepass, '--x=y')
  assert.deepEqual(settings.bind, ['-::1'])
})

test('a value may begin like a flag, behind a flag that says nothing alone', () => {
  const template = (...argv: string[]) => shownValue(load({ argv }), 'proc-title-template')
  assert.equal(template('--proc-title-template', '--my--title', '--loglevel', 'verbose'), '--my--title')
  assert.equal(template('--proc-title-template --my--title', '--loglevel verbose'), '--my--title')
  assert.equal(template('--proc-title-template', '--save', '--save', '--loglevel', 'verbose'), '--save')
  assert.match(errorOf({ argv: ['--port', '--bla'] }), /^--port --bla: argument couldn't be parsed/)
})

test('a flag and its values may be one word, and a line of the file may follow the file', () => {
  const config = load({ conf: 'hz 20', argv: ['loglevel', 'verbose', "--maxmemory '1gb'", '--save 60 5'] })
  assert.equal(config.settings.hz, 20)
  assert.equal(config.settings.loglevel, 'verbose')
  assert.equal(config.settings.maxmemory, 2 ** 30)
  assert.equal(shownValue(config, 'save'), '60 5')
  assert.match(errorOf({ argv: ['--maxmemory "1gb'] }), /^--maxmemory: unbalanced quotes/)
})

test('a list may be one argument', () => {
  assert.equal(shownValue(load({ argv: ['--save', '60 1000'] }), 'save'), '60 1000')
  assert.equal(shownValue(load({ env: { HEADPOND_SAVE: '60 1000 1 "2"' } }), 'save'), '60 1000 1 2')
  assert.equal(shownValue(load({ options: { save: [60, 1000] } }), 'save'), '60 1000')
  assert.equal(shownValue(load({ options: { bind: '0.0.0.0 ::' } }), 'bind'), '0.0.0.0 ::')
})

test('save points of a file replace the defaults, those of flags join them, an empty one takes all away', () => {
  assert.equal(shownValue(load({ conf: 'save 900 1\nsave 300 10' }), 'save'), '900 1 300 10')
  assert.equal(shownValue(load({ conf: 'save 900 1', argv: ['--save', '60', '5'] }), 'save'), '900 1 60 5')
  assert.equal(shownValue(load({ conf: 'save 900 1', argv: ['--save', ''] }), 'save'), '')
  assert.equal(shownValue(load({ conf: 'save 900 1', argv: ['--save'] }), 'save'), '')
  assert.equal(shownValue(load({ conf: 'save 900 1\nsave ""\nsave 5 6' }), 'save'), '5 6')
  assert.equal(shownValue(load({ options: { save: [] } }), 'save'), '')
})

test('lines that have no one value are kept as they were', () => {
  const { settings } = load({
    conf: 'user alice on >pw ~*\nuser bob off\nrename-command FLUSHALL ""\nloadmodule /x.so a "b c"',
    env: { HEADPOND_RENAME_COMMAND: 'KEYS ""' },
  })
  assert.deepEqual(settings.user, [
    ['alice', 'on', '>pw', '~*'],
    ['bob', 'off'],
  ])
  assert.deepEqual(settings.renameCommand, [
    ['FLUSHALL', ''],
    ['KEYS', ''],
  ])
  assert.deepEqual(settings.loadmodule, [['/x.so', 'a', 'b c']])
})

test("Kafka's broker settings are kept under their own names", () => {
  const config = load({
    conf: 'kafka.log.retention.ms 604800000\nkafka.a.list "x y" z',
    env: { HEADPOND_KAFKA_NUM_PARTITIONS: '3', HEADPOND_KAFKA_PORT: '9093' },
    argv: ['--kafka.log.retention.ms', '1000'],
    options: { 'kafka.min.insync.replicas': 2 },
  })
  assert.deepEqual(Object.fromEntries(config.kafka), {
    'log.retention.ms': '1000',
    'a.list': 'x y z',
    'num.partitions': '3',
    'min.insync.replicas': '2',
  })
  assert.equal(config.settings.kafkaPort, 9093)
  assert.deepEqual(config.get(['kafka.*partitions']), [['kafka.num.partitions', '3']])
  assert.equal(shownValue(config, 'kafka.log.retention.ms'), '1000')
})

test('switches of environments may say true and false', () => {
  assert.equal(load({ env: { HEADPOND_EPHEMERAL: 'true' } }).settings.ephemeral, true)
  assert.equal(load({ env: { HEADPOND_EPHEMERAL: '0' } }).settings.ephemeral, false)
  assert.equal(load({ env: { HEADPOND_EPHEMERAL: '' } }).settings.ephemeral, false)
  assert.equal(load({ env: { HEADPOND_IO_THREADS: '1' } }).settings.ioThreads, 1)
})

test('variables that Kubernetes makes for a service called headpond are not ours', () => {
  const env = {
    HEADPOND_PORT: 'tcp://10.0.0.1:6379',
    HEADPOND_PORT_6379_TCP: 'tcp://10.0.0.1:6379',
    HEADPOND_PORT_6379_TCP_ADDR: '10.0.0.1',
    HEADPOND_SERVICE_HOST: '10.0.0.1',
    HEADPOND_SERVICE_PORT: '6379',
    HEADPOND_SERVICE_PORT_REDIS: '6379',
    HEADPOND_KAFKA_PORT: 'tcp://10.0.0.1:9092',
  }
  const config = load({ env })
  assert.equal(config.settings.port, 6379)
  assert.equal(config.kafka.size, 0)
})

test('ports are a number or any free one', () => {
  const config = load({ argv: ['--port', 'auto', '--http-port', '0'] })
  assert.equal(config.settings.port, 'auto')
  assert.equal(shownValue(config, 'port'), 'auto')
  config.setBoundPort('port', 40123)
  assert.equal(shownValue(config, 'port'), '40123')
  assert.equal(config.settings.httpPort, 0)
})

test('an error is one line with place, problem and remedy', () => {
  const sized = 'Write a size such as 100mb or 2gb (1kb is 1024 bytes, 1k is 1000).'
  const cases: [World, string][] = [
    [{ conf: '# x\nmaxmemory lots' }, `pond.conf:2: maxmemory lots: argument must be a memory value. ${sized}`],
    [{ argv: ['--maxmemory', 'a b'] }, `--maxmemory "a b": argument must be a memory value. ${sized}`],
    [{ env: { HEADPOND_MAXMEMORY: 'x' } }, `HEADPOND_MAXMEMORY=x: argument must be a memory value. ${sized}`],
    [{ options: { maxmemory: 'x' } }, `option maxmemory x: argument must be a memory value. ${sized}`],
    [{ conf: 'maxmemroy 1gb' }, "pond.conf:1: there is no directive 'maxmemroy'. Did you mean 'maxmemory'?"],
    [{ argv: ['--slave-priorty', '1'] }, '--slave-priorty: there is no such directive. Did you mean --slave-priority?'],
    [{ argv: ['--maxmem', '1'] }, '--maxmem: there is no such directive. Did you mean --maxmemory?'],
    [
      { env: { HEADPOND_LOG_FORMATT: 'x' } },
      'HEADPOND_LOG_FORMATT: there is no such directive. Did you mean HEADPOND_LOG_FORMAT?',
    ],
    [
      { conf: 'frobnicate yes' },
      "pond.conf:1: there is no directive 'frobnicate'. All directives are listed by: headpond --help",
    ],
    [
      { argv: ['--port', '70000'] },
      '--port 70000: argument must be between 0 and 65535 inclusive. ' +
        "Write a port from 1 to 65535, 'auto' for any free port, or 0 not to listen.",
    ],
    [{ argv: ['--appendonly', 'maybe'] }, "--appendonly maybe: argument must be 'yes' or 'no'."],
    [
      { argv: ['--appendonly', 'yes', 'no'] },
      '--appendonly yes no: wrong number of arguments. Write: appendonly yes|no',
    ],
    [
      { argv: ['-p', '7000'] },
      '-p: unknown flag. Usage: headpond [file|-] [--directive value ...]; see headpond --help',
    ],
    [{ conf: 'user' }, 'pond.conf:1: user: wrong number of arguments. Write: <name> [rule ...].'],
  ]
  for (const [world, message] of cases) {
    assert.equal(errorOf(world), message)
    assert.ok(!message.includes('\n'))
  }
})

test('a message never repeats a password', () => {
  assert.doesNotMatch(errorOf({ argv: ['--requirepass', 'tell', 'nobody'] }), /nobody/)
  assert.doesNotMatch(errorOf({ conf: 'masterauth tell nobody' }), /nobody/)
})

test('a configuration shares nothing with another', () => {
  const one = load({ argv: ['--timeout', '5'] })
  const other = load()
  set(one, 'maxclients', '5')
  assert.equal(other.settings.maxclients, 10000)
  assert.equal(other.settings.timeout, 0)
})

test('what is set and does not act yet is known', () => {
  const config = load({
    conf: 'appendonly yes\ntimeout 5\njemalloc-bg-thread yes\nslave-read-only yes\nkafka.x 1\nkafka-port 0',
  })
  assert.deepEqual(config.notYetActing(), ['replica-read-only', 'kafka.x'])
  assert.ok(config.isSet('timeout'))
  assert.ok(!config.isSet('maxmemory'))
  assert.deepEqual(load().notYetActing(), [])
  // A broker that runs speaks of its settings itself.
  assert.deepEqual(load({ conf: 'kafka.x 1' }).notYetActing(), [])
})

test('CONFIG GET matches patterns without case, and lists each name once', () => {
  const config = load()
  assert.deepEqual(config.get(['maxmemory-s*', 'MAXMEMORY-SAMPLES', 'maxmemory-sampl?s']), [['maxmemory-samples', '5']])
  assert.deepEqual(config.get(['MAXmemory']), [['MAXmemory', '0']])
  assert.deepEqual(config.get(['hash-max-zip*']), [
    ['hash-max-ziplist-entries', '512'],
    ['hash-max-ziplist-value', '64'],
  ])
  assert.deepEqual(config.get(['nosuch', 'nosuch*', 'include', 'user']), [])
  assert.deepEqual(config.get(['key-load*']), [], 'hidden ones are shown by their full name only')
  assert.deepEqual(config.get(['key-load-delay']), [['key-load-delay', '0']])
})

test('CONFIG GET shows values as Redis does', () => {
  const config = load({
    conf: 'maxmemory 1gb\nmaxmemory-clients 5%\nunixsocketperm 700\nnotify-keyspace-events nKEA\nshutdown-on-sigterm now save',
  })
  const shown = Object.fromEntries(config.get(['*']))
  assert.equal(shown['maxmemory'], '1073741824')
  assert.equal(shown['maxmemory-clients'], '5%')
  assert.equal(shown['unixsocketperm'], '700')
  assert.equal(shown['notify-keyspace-events'], 'AnKE')
  assert.equal(shown['shutdown-on-sigterm'], 'save now')
  assert.equal(shown['latency-tracking-info-percentiles'], '50 99 99.9')
  assert.equal(shown['replicaof'], '')
  assert.equal(
    shown['client-output-buffer-limit'],
    'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
  )
})

test('CONFIG SET changes all pairs or none', () => {
  const config = load()
  assert.equal(set(config, 'timeout', '7', 'maxmemory', '1gb'), undefined)
  assert.equal(config.settings.timeout, 7)
  assert.equal(config.settings.maxmemory, 1024 ** 3)
  assert.equal(
    set(config, 'timeout', '8', 'maxmemory', 'abc'),
    "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value",
  )
  assert.equal(config.settings.timeout, 7)
})

test('CONFIG SET refuses in the words of Redis', () => {
  const failed = (name: string, problem: string) =>
    `ERR CONFIG SET failed (possibly related to argument '${name}') - ${problem}`
  const cases: [words: string[], answer: string][] = [
    [['FOO', '1'], "ERR Unknown option or number of arguments for CONFIG SET - 'FOO'"],
    [['include', 'x'], "ERR Unknown option or number of arguments for CONFIG SET - 'include'"],
    [['kafka.', 'x'], "ERR Unknown option or number of arguments for CONFIG SET - 'kafka.'"],
    [['DATABASES', '3'], failed('DATABASES', "can't set immutable config")],
    [['dir', '/tmp'], failed('dir', "can't set protected config")],
    [['maxMEMORY', '1', 'MAXmemory', '2'], failed('MAXmemory', 'duplicate parameter')],
    [['databases', '1', 'nosuch', '2'], failed('databases', "can't set immutable config")],
    [['MAXMEMORY', 'x'], failed('maxmemory', 'argument must be a memory value')],
    [['slave-priority', 'x'], failed('slave-priority', "argument couldn't be parsed into an integer")],
    [['save', '60 1 5'], failed('save', 'Invalid save parameters')],
    [
      ['proto-max-bulk-len', '1'],
      failed('proto-max-bulk-len', 'argument must be between 1048576 and 9223372036854775807 inclusive'),
    ],
  ]
  for (const [words, answer] of cases) assert.equal(set(load(), ...words), answer)
})

test('what Redis does not have and cannot be changed may be set to what it is', () => {
  const config = load({ argv: ['--ephemeral'] })
  assert.equal(set(config, 'ephemeral', 'yes', 'server-cpulist', '', 'hz', '20'), undefined)
  assert.equal(config.settings.hz, 20)
  assert.match(String(set(config, 'ephemeral', 'no')), /can't set immutable config$/)
  assert.match(String(set(config, 'server-cpulist', '0-1')), /can't set immutable config$/)
  assert.match(String(set(config, 'server_cpulist', '')), /can't set immutable config$/)
})

test('a directive and its alias may be set together', () => {
  const config = load()
  assert.equal(set(config, 'slave-priority', '5', 'replica-priority', '6'), undefined)
  assert.equal(config.settings.replicaPriority, 6)
})

test('the data directory changes only where that is allowed, and to one that is there', async () => {
  const files = new MemoryFiles({ '/data/x': '' })
  const config = load({ files, argv: ['--enable-protected-configs', 'local'] })
  assert.match((await config.set([['dir', '/data']])) ?? '', /can't set protected config$/)
  assert.equal(config.set([['dir', '/data']], { isLocalClient: true }), undefined)
  assert.equal(config.settings.dir, '/data')
  assert.match((await config.set([['dir', '/no']], { isLocalClient: true })) ?? '', /No such file or directory$/)
})

test('output buffer limits change for the named classes alone', () => {
  const config = load()
  set(config, 'client-output-buffer-limit', 'slave 1mb 1mb 5')
  const { replica, pubsub } = config.settings.clientOutputBufferLimit
  assert.deepEqual(replica, { hardBytes: 1024 ** 2, softBytes: 1024 ** 2, softSeconds: 5 })
  assert.equal(pubsub.softSeconds, 60)
})

test('numbers past the safe range stay inside the range that a file may say', () => {
  const config = load()
  set(config, 'client-query-buffer-limit', '9223372036854775807', 'maxmemory', '18446744073709551616')
  assert.equal(shownValue(config, 'client-query-buffer-limit'), '9223372036854775807')
  assert.equal(shownValue(config, 'maxmemory'), '18446744073709551615')
})

test('listeners hear of changes, and only of those', () => {
  const config = load()
  const heard: unknown[] = []
  const stop = config.onChange('maxclients', (value, previous) => {
    assert.equal(config.settings.maxclients, value)
    heard.push([previous, value])
    return undefined
  })
  set(config, 'maxclients', '5')
  set(config, 'maxclients', '5')
  set(config, 'timeout', '5')
  set(config, 'maxclients', 'x')
  stop()
  set(config, 'maxclients', '6')
  assert.deepEqual(heard, [[10000, 5]])
})

test('a listener that refuses takes everything back', () => {
  const config = load()
  const heard: unknown[] = []
  config.onChange('timeout', (value) => void heard.push(value) as undefined)
  config.onChange('maxclients', () => 'The operating system is not able to handle the specified number of clients')
  assert.equal(
    set(config, 'timeout', '5', 'maxclients', '20000', 'kafka.x', '1'),
    "ERR CONFIG SET failed (possibly related to argument 'maxclients') - " +
      'The operating system is not able to handle the specified number of clients',
  )
  assert.equal(config.settings.timeout, 0)
  assert.equal(config.settings.maxclients, 10000)
  assert.equal(config.kafka.size, 0)
  assert.ok(!config.isSet('timeout'))
  assert.deepEqual(heard, [5, 0])
})

test('a listener may take its time, and the next CONFIG SET waits for it', async () => {
  const config = load()
  let resolve: (answer: string | undefined) => void = () => {}
  const promise = new Promise<string | undefined>((done) => {
    resolve = done
  })
  config.onChange('port', (port) => (port === 7000 ? promise : undefined))
  const first = config.set([['port', '7000']])
  const second = config.set([['port', '7001']])
  assert.ok(first instanceof Promise && second instanceof Promise)
  resolve('Unable to listen on this port. Check server logs.')
  assert.equal(
    await first,
    "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.",
  )
  assert.equal(await second, undefined)
  assert.equal(config.settings.port, 7001)
  await new Promise(setImmediate)
  assert.equal(config.set([['port', '7002']]), undefined, 'at once again, when nothing is under way')
})
