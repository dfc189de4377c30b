/**
 * Users beside those of redis-server: what each category contains, which random commands random users may run, and
 * files of users that go to and fro. And whatever commands a user runs, it sees and changes its own keys alone.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createServer } from 'headpond'
import { quoteBytes } from 'headpond/src/config/quoting.ts'
import { notation, RawClient } from 'headpond/test/raw-client.ts'
import { chooseSeed, SeededRandom } from 'headpond/test/seeded-random.ts'
import { type Argument, CommandGenerator, KEYS } from './command-generator.ts'
import { RedisServer } from './redis-server.ts'

const directory = mkdtempSync(join(tmpdir(), 'headpond-interop-acl-'))
after(() => rmSync(directory, { recursive: true, force: true }))

async function textsOf(client: RawClient, ...args: string[]): Promise<string[]> {
  client.send(...args)
  await client.waitFor(1, 10_000)
  const [reply] = client.take()
  assert.ok('items' in reply, `${args.join(' ')} is answered with an array`)
  return (reply.items ?? []).map((item) => ('text' in item ? String(item.text) : ''))
}

async function commandNames(client: RawClient): Promise<Set<string>> {
  const names = await textsOf(client, 'COMMAND', 'LIST')
  // Subcommands too: each is slow or fast.
  return new Set([
    ...names,
    ...(await textsOf(client, 'ACL', 'CAT', 'slow')),
    ...(await textsOf(client, 'ACL', 'CAT', 'fast')),
  ])
}

test('each category contains the same commands, of those that both servers have', async (t) => {
  const redis = await RedisServer.start()
  const headpond = await createServer()
  try {
    const theirs = await redis.connect()
    const ours = await RawClient.connect(headpond.port)
    const categories = await textsOf(theirs, 'ACL', 'CAT')
    assert.deepEqual(
      (await textsOf(ours, 'ACL', 'CAT')).filter((category) => category !== 'bloom'),
      categories,
    )
    const [theirNames, ourNames] = [await commandNames(theirs), await commandNames(ours)]
    const isCommon = (name: string) => theirNames.has(name) && ourNames.has(name)
    let comparedCount = 0
    for (const category of categories) {
      const expected = (await textsOf(theirs, 'ACL', 'CAT', category)).filter(isCommon).sort()
      const actual = (await textsOf(ours, 'ACL', 'CAT', category)).filter(isCommon).sort()
      assert.deepEqual(actual, expected, category)
      comparedCount += expected.length
    }
    t.diagnostic(`${comparedCount} entries of ${categories.length} categories compared`)
    assert.ok(comparedCount > 500)
    theirs.close()
    ours.close()
  } finally {
    await redis.stop()
    await headpond.close()
  }
})

// ---- Decisions ----

const CHANNEL_COMMANDS: readonly (readonly string[])[] = [
  ['PUBLISH', 'a', 'x'],
  ['PUBLISH', 'news1', 'x'],
  ['SPUBLISH', 'news1', 'x'],
  ['SUBSCRIBE', 'a', 'news1'],
  ['SUBSCRIBE', 'news1', 'news2'],
  ['PSUBSCRIBE', 'news*'],
  ['PSUBSCRIBE', 'news1'],
  ['SSUBSCRIBE', 'b'],
  ['UNSUBSCRIBE', 'b'],
]

/** Rules that both servers know. Patterns have wildcards, and meet few keys or many. */
function randomRules(random: SeededRandom, names: readonly string[], categories: readonly string[]): string[] {
  const pattern = () => {
    const key = random.pick(KEYS)
    return random.pick([key, `${key[0]}*`, `*${key.at(-1)}`, `?${key.slice(1)}`, `[${key[0]}z]*`, `${key}*`])
  }
  const rule = () =>
    random.pick([
      `${random.pick(['+', '-'])}${random.pick(names)}`,
      `${random.pick(['+', '-'])}@${random.pick(categories)}`,
      `${random.pick(['~', '~', '%R~', '%W~', '%RW~'])}${pattern()}`,
      `&${random.pick(['news*', 'news1', 'a', 'b*'])}`,
    ])
  const rules = () => Array.from({ length: 1 + random.below(8) }, rule)
  const selectors = Array.from({ length: random.below(3) }, () => `(${['+@all', ...rules()].join(' ')})`)
  return [random.pick(['+@all', '+@all', '-@all', '+@read']), ...rules(), ...selectors]
}

test('random users may run the same commands', async (t) => {
  const redis = await RedisServer.start()
  const headpond = await createServer()
  const random = new SeededRandom(chooseSeed())
  try {
    const [theirs, ours] = [await redis.connect(), await RawClient.connect(headpond.port)]
    const theirNames = await commandNames(theirs)
    const names = new Set([...(await commandNames(ours))].filter((name) => theirNames.has(name)))
    const categories = await textsOf(theirs, 'ACL', 'CAT')
    let count = 0
    const verdicts = { allowed: 0, command: 0, key: 0, channel: 0 }
    for (let user = 0; user < 60; user++) {
      const rules = randomRules(random, [...names], categories)
      for (const client of [theirs, ours]) {
        assert.equal(await client.call('ACL', 'SETUSER', 'u', 'reset', ...rules), '+OK', rules.join(' '))
      }
      const generator = new CommandGenerator(random, names)
      const commands: (readonly Argument[])[] = [...CHANNEL_COMMANDS]
      while (commands.length < 150) commands.push(...generator.next().map(({ args }) => args))
      for (const args of commands) {
        const request = ['ACL', 'DRYRUN', 'u', ...args]
        const [expected, actual] = await Promise.all([theirs.call(...request), ours.call(...request)])
        const shown = `SEED=${random.seed}\n${rules.join(' ')}\n${args.map((arg) => quoteBytes(Buffer.from(arg))).join(' ')}`
        // A number of keys that is none ('+1') is still a number to Redis here, though not to the command.
        if (actual === '+OK' && expected !== actual) assert.match(await ours.call(...args), /^-ERR/, shown)
        // And where it takes arguments for a mistake that are none (PFMERGE of nothing), it checks no key at all.
        else if (expected === '+OK' && actual !== expected) {
          assert.match(await theirs.call('COMMAND', 'GETKEYS', ...args), /^-ERR Invalid arguments specified/, shown)
        } else assert.equal(actual, expected, shown)
        count++
        if (expected === '+OK') verdicts.allowed++
        else if (/to run the/.test(expected)) verdicts.command++
        else if (/' key"$/.test(expected)) verdicts.key++
        else if (/' channel"$/.test(expected)) verdicts.channel++
      }
    }
    t.diagnostic(`${count} decisions compared: ${JSON.stringify(verdicts)}`)
    for (const [kind, times] of Object.entries(verdicts)) assert.ok(times > 50, kind)
    theirs.close()
    ours.close()
  } finally {
    await redis.stop()
    await headpond.close()
  }
})

/** Nothing that the generator makes up contains it. */
const SECRET = 'SECRETsecretSECRET'

test('a user never sees or changes a key that is not its own', async (t) => {
  const headpond = await createServer({ enableDebugCommand: 'yes' })
  const random = new SeededRandom(chooseSeed())
  try {
    const admin = await RawClient.connect(headpond.port)
    const names = await commandNames(admin)
    let deniedCount = 0
    let allowedCount = 0
    for (let round = 0; round < 30; round++) {
      await admin.call('FLUSHALL')
      const own = new Set(KEYS.filter(() => random.once(2)))
      const foreign = KEYS.filter((key) => !own.has(key))
      for (const [index, key] of foreign.entries()) {
        const fill = [
          ['SET', key, SECRET],
          ['RPUSH', key, SECRET],
          ['SADD', key, SECRET],
          ['HSET', key, SECRET, SECRET],
          ['ZADD', key, '1', SECRET],
          ['XADD', key, '1-1', SECRET, SECRET],
        ][index % 6]
        await admin.call(...fill)
      }
      const before = new Map<string, string>()
      for (const key of foreign) before.set(key, await admin.call('DEBUG', 'DIGEST-VALUE', key))
      await admin.call(
        'ACL',
        'SETUSER',
        'u',
        'reset',
        'on',
        'nopass',
        '+@all',
        '-@dangerous',
        ...[...own].map((key) => `~${key}`),
      )
      const user = await RawClient.connect(headpond.port)
      await user.call('AUTH', 'u', 'x')
      const generator = new CommandGenerator(random, names)
      for (let step = 0; step < 300; step++) {
        for (const { args } of generator.next()) {
          if (/^B[LRZ]/.test(String(args[0])) || args.includes('BLOCK')) continue
          user.send(...args)
          await user.waitFor(1, 10_000)
          const shown = args.map((arg) => quoteBytes(Buffer.from(arg))).join(' ')
          const reply = user.take().flatMap(notation).join('\n')
          assert.ok(!reply.includes(SECRET), `SEED=${random.seed}: ${shown} shows what is not the user's`)
          if (reply.startsWith('-NOPERM')) deniedCount++
          else allowedCount++
        }
      }
      for (const [key, digest] of before) {
        assert.equal(await admin.call('DEBUG', 'DIGEST-VALUE', key), digest, `SEED=${random.seed}: ${key}`)
      }
      user.close()
    }
    t.diagnostic(`${allowedCount} commands run, ${deniedCount} refused`)
    assert.ok(deniedCount > 500 && allowedCount > 500)
    admin.close()
  } finally {
    await headpond.close()
  }
})

// ---- Files ----

const RULES: readonly (readonly string[])[] = [
  ['ann', 'on', '>secret', '>other', '~cache:*', '%R~config:*', '&news:*', '+@read', '-keys', '+config|get'],
  ['bob', 'off', 'nopass', 'allkeys', 'allchannels', 'allcommands'],
  [
    'carl',
    'on',
    '#d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa',
    '(+set %W~log:*)',
    '(+@all ~x &y)',
  ],
  ['dora"\\', 'skip-sanitize-payload', '-@all', '+select|0', '~"quoted"'],
]

async function userLists(...clients: RawClient[]): Promise<string[][]> {
  return Promise.all(clients.map((client) => textsOf(client, 'ACL', 'LIST')))
}

test('a file of users that one server saves is loaded by the other', async () => {
  const [theirFile, ourFile] = [join(directory, 'theirs.acl'), join(directory, 'ours.acl')]
  for (const file of [theirFile, ourFile]) writeFileSync(file, '')
  const redis = await RedisServer.start('--aclfile', theirFile)
  const headpond = await createServer({ aclfile: ourFile })
  try {
    const [theirs, ours] = [await redis.connect(), await RawClient.connect(headpond.port)]
    const commands = [
      ['GET', 'cache:1'],
      ['SET', 'cache:1', 'x'],
      ['GET', 'config:1'],
      ['SET', 'log:1', 'x'],
      ['KEYS', '*'],
      ['CONFIG', 'GET', 'x'],
      ['SELECT', '0'],
      ['SELECT', '1'],
      ['PUBLISH', 'y', 'x'],
    ]
    for (const [from, to, source, target] of [
      [theirs, ours, theirFile, ourFile],
      [ours, theirs, ourFile, theirFile],
    ] as const) {
      for (const [name, ...rules] of RULES) {
        assert.equal(await from.call('ACL', 'SETUSER', name, 'reset', ...rules), '+OK')
      }
      assert.equal(await from.call('ACL', 'SAVE'), '+OK')
      writeFileSync(target, readFileSync(source))
      assert.equal(await to.call('ACL', 'LOAD'), '+OK')
      assert.deepEqual(await textsOf(to, 'ACL', 'USERS'), await textsOf(from, 'ACL', 'USERS'))
      for (const [name] of RULES) {
        for (const command of commands) {
          const [expected, actual] = await Promise.all(
            [from, to].map((client) => client.call('ACL', 'DRYRUN', name, ...command)),
          )
          assert.equal(actual, expected, `${name} ${command.join(' ')}`)
        }
      }
      // What is loaded and saved again says the same.
      const [list] = await userLists(to)
      assert.equal(await to.call('ACL', 'SAVE'), '+OK')
      assert.equal(await to.call('ACL', 'LOAD'), '+OK')
      assert.deepEqual(await textsOf(to, 'ACL', 'LIST'), list)
      const login = await RawClient.connect(to === ours ? headpond.port : redis.port)
      assert.equal(await login.call('AUTH', 'ann', 'other'), '+OK')
      login.close()
    }
    theirs.close()
    ours.close()
  } finally {
    await redis.stop()
    await headpond.close()
  }
})

test('a file with mistakes is refused in the same words', async () => {
  const path = join(directory, 'wrong.acl')
  writeFileSync(path, '')
  const redis = await RedisServer.start('--aclfile', path)
  const headpond = await createServer({ aclfile: path })
  try {
    const [theirs, ours] = [await redis.connect(), await RawClient.connect(headpond.port)]
    for (const content of [
      'foo bar',
      'user',
      'user a on\nuser a off',
      '# comment\n\nuser a +nosuch ~* ~b #x\nuser  b on\nuser c (on',
      'user d (+get\n',
      'user e\x0bf on',
      'user f on >p <q !r -@nosuch +config|get|x',
      'USER g on',
      'user h (+nosuch)\nuser i (+get (~x)) )',
      '\r\n\t user ok on ~a\t\r\n',
    ]) {
      writeFileSync(path, content)
      const [expected, actual] = await Promise.all([theirs, ours].map((client) => client.call('ACL', 'LOAD')))
      assert.equal(actual, expected, JSON.stringify(content))
      const [theirUsers, ourUsers] = await userLists(theirs, ours)
      assert.deepEqual(ourUsers, theirUsers)
    }
    theirs.close()
    ours.close()
  } finally {
    await redis.stop()
    await headpond.close()
  }
})
