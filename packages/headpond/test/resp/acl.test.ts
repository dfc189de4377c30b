import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { Config } from '#src/config/config.ts'
import { createServer } from '#src/index.ts'
import { Server } from '#src/server/server.ts'
import { RawClient } from '../raw-client.ts'

const directory = mkdtempSync(join(tmpdir(), 'headpond-acl-'))
after(() => rmSync(directory, { recursive: true, force: true }))

let fileCount = 0
function fileWith(content: string): string {
  const path = join(directory, `${fileCount++}.txt`)
  writeFileSync(path, content)
  return path
}

/** A client of this user, whatever its password. */
async function connectAs(server: { port: number }, name: string): Promise<RawClient> {
  const client = await RawClient.connect(server.port)
  assert.equal(await client.call('AUTH', name, 'anything'), '+OK')
  return client
}

const WARM = ['on', 'nopass', 'allkeys', 'allcommands'] as const

// ---- Clients that lose what they had ----

test('the clients of a user that is deleted are closed', async () => {
  await using server = await createServer()
  await server.execute('ACL', 'SETUSER', 'ann', ...WARM)
  await server.execute('ACL', 'SETUSER', 'bob', ...WARM)
  const [ann, otherAnn, bob] = [
    await connectAs(server, 'ann'),
    await connectAs(server, 'ann'),
    await connectAs(server, 'bob'),
  ]
  // One of them waits, and is not to get what it waits for.
  ann.send('BLPOP', 'list', '0')
  assert.equal(await bob.call('ACL', 'DELUSER', 'ann'), ':1')
  await ann.untilClosed()
  await otherAnn.untilClosed()
  assert.equal(await bob.call('RPUSH', 'list', 'x'), ':1')
  // Who deletes itself reads the answer first; what it sent behind is not run.
  bob.sendBytes(Buffer.from('ACL DELUSER bob\r\nSET late 1\r\n'))
  assert.equal(await bob.next(), ':1')
  await bob.untilClosed()
  assert.equal(await server.execute('EXISTS', 'late'), 0)
  assert.deepEqual(await server.execute('ACL', 'USERS'), ['default'])
})

test('a client in this process whose user is deleted may do nothing any more', async () => {
  await using server = await createServer()
  await server.execute('ACL', 'SETUSER', 'ann', ...WARM)
  const ann = server.client()
  await ann.execute('AUTH', 'ann', 'x')
  await ann.execute('SET', 'key', 'value')
  await server.execute('ACL', 'DELUSER', 'ann')
  await assert.rejects(ann.execute('GET', 'key'), /NOPERM this user has no permissions to run the 'get' command/)
  ann.close()
})

test('a change of rules holds at once, in the middle of a pipeline too', async () => {
  await using server = await createServer()
  await server.execute('ACL', 'SETUSER', 'ann', ...WARM)
  const ann = await connectAs(server, 'ann')
  ann.sendBytes(Buffer.from('SET a 1\r\nACL SETUSER ann -get\r\nGET a\r\nACL SETUSER ann +get\r\nGET a\r\n'))
  assert.equal(await ann.next(), '+OK')
  assert.equal(await ann.next(), '+OK')
  assert.equal(await ann.next(), "-NOPERM this user has no permissions to run the 'get' command")
  assert.equal(await ann.next(), '+OK')
  assert.equal(await ann.next(), '$ "1"')
  ann.close()
})

test('who listens to a channel that is taken away is closed, others are not', async () => {
  await using server = await createServer()
  const rules = [...WARM, 'resetchannels', '&news:*', '&sports', '&shard']
  await server.execute('ACL', 'SETUSER', 'ann', ...rules)
  const listeners: RawClient[] = []
  for (const command of [
    ['SUBSCRIBE', 'news:1'],
    ['SUBSCRIBE', 'sports'],
    ['PSUBSCRIBE', 'news:*'],
    ['SSUBSCRIBE', 'shard'],
  ]) {
    const client = await connectAs(server, 'ann')
    await client.call(...command)
    listeners.push(client)
  }
  const [news, sports, pattern, shard] = listeners
  const isOpen = async (client: RawClient) => assert.match(await client.call('PING'), /PONG|pong/)

  // More than before closes nobody.
  await server.execute('ACL', 'SETUSER', 'ann', '&more')
  for (const client of listeners) await isOpen(client)
  await server.execute('ACL', 'SETUSER', 'ann', 'resetchannels', '&news:*', '(&shard +ping)')
  await sports.untilClosed()
  for (const client of [news, pattern, shard]) await isOpen(client)
  // A pattern is not matched: it has to be one of those that are allowed.
  await server.execute('ACL', 'SETUSER', 'ann', 'clearselectors', 'resetchannels', '&news:?')
  await pattern.untilClosed()
  await shard.untilClosed()
  await isOpen(news)
  await server.execute('ACL', 'SETUSER', 'ann', 'allchannels')
  await server.execute('ACL', 'SETUSER', 'ann', 'resetchannels')
  await news.untilClosed()
})

test('who takes its own channel away reads the answer, then is closed', async () => {
  await using server = await createServer()
  await server.execute('ACL', 'SETUSER', 'ann', ...WARM, '&*')
  const ann = await connectAs(server, 'ann')
  await ann.call('HELLO', '3')
  await ann.call('SUBSCRIBE', 'news')
  assert.equal(await ann.call('ACL', 'SETUSER', 'ann', 'resetchannels'), '+OK')
  await ann.untilClosed()
})

test('CLIENT KILL USER closes the clients of a user', async () => {
  await using server = await createServer()
  await server.execute('ACL', 'SETUSER', 'ann', ...WARM)
  const ann = await connectAs(server, 'ann')
  const other = await RawClient.connect(server.port)
  assert.equal(await other.call('CLIENT', 'KILL', 'USER', 'ann'), ':1')
  await ann.untilClosed()
  assert.equal(await other.call('PING'), '+PONG')
  other.close()
})

// ---- The file of users ----

test('ACL LOAD closes everybody but the default user, who goes on with the new rules', async () => {
  const aclfile = fileWith('user ann on nopass allkeys allcommands\nuser bob on nopass allkeys allcommands\n')
  await using server = await createServer({ aclfile })
  const ann = await connectAs(server, 'ann')
  const bob = await connectAs(server, 'bob')
  const nobody = await RawClient.connect(server.port)
  writeFileSync(aclfile, 'user ann on nopass ~a* allcommands\nuser default on nopass ~a* allcommands\n')
  assert.equal(await ann.call('ACL', 'LOAD'), '+OK')
  await ann.untilClosed()
  await bob.untilClosed()
  assert.equal(await nobody.call('ACL', 'WHOAMI'), '$ "default"')
  assert.match(await nobody.call('GET', 'b'), /^-NOPERM/)
  const annAgain = await connectAs(server, 'ann')
  writeFileSync(aclfile, 'user ann on\n\nuser carl +nosuch\n')
  assert.equal(
    await nobody.call('ACL', 'LOAD'),
    `-ERR ${aclfile}:3: Error in applying operation '+nosuch': Unknown command or category name in ACL. WARNING: ACL errors detected, no change to the previously active ACL rules was performed`,
  )
  assert.equal(await annAgain.call('GET', 'a'), '_')
  annAgain.close()
  nobody.close()
})

test('ACL SAVE writes what ACL LOAD and the next start read', async () => {
  const aclfile = fileWith('')
  {
    await using server = await createServer({ aclfile })
    await server.execute('ACL', 'SETUSER', 'ann', 'on', '>secret', '%R~a*', '(+set %W~b)', '+@read', '&news')
    await server.execute('ACL', 'SETUSER', 'default', '-flushall')
    assert.equal(await server.execute('ACL', 'SAVE'), 'OK')
    const saved = await server.execute('ACL', 'LIST')
    await server.execute('ACL', 'SETUSER', 'ann', 'reset')
    assert.equal(await server.execute('ACL', 'LOAD'), 'OK')
    assert.deepEqual(await server.execute('ACL', 'LIST'), saved)
    assert.equal(readFileSync(aclfile, 'utf8'), (saved as string[]).map((line) => `${line}\n`).join(''))
  }
  await using server = await createServer({ aclfile })
  assert.deepEqual(await server.execute('ACL', 'GETUSER', 'ann'), {
    flags: ['on'],
    passwords: ['2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b'],
    commands: '-@all +@read',
    keys: '%R~a*',
    channels: '&news',
    selectors: [{ commands: '-@all +set', keys: '%W~b', channels: '' }],
  })
})

test('a file that cannot be written is told, and the reason is logged', async () => {
  const place = mkdtempSync(join(directory, 'place-'))
  const aclfile = join(place, 'users.acl')
  writeFileSync(aclfile, '')
  const errors: string[] = []
  const log = { info() {}, warn() {}, error: (_details: object, message: string) => void errors.push(message) }
  await using server = await createServer({ aclfile, log })
  rmSync(place, { recursive: true })
  await assert.rejects(server.execute('ACL', 'LOAD'), /ERR Error loading ACLs, opening file '.*': No such file/)
  assert.deepEqual(errors, [])
  await assert.rejects(
    server.execute('ACL', 'SAVE'),
    /ERR There was an error trying to save the ACLs\. Please check the server logs for more information/,
  )
  assert.deepEqual(errors, ['cannot write the file of users'])
})

// ---- Users of the configuration ----

function configOf(content: string): Config {
  return Config.load({ argv: [fileWith(content), '--port', '0', '--dir', directory] })
}

function serverOf(config: Config): Server {
  return new Server({ config, log: { info() {}, warn() {}, error() {} }, firstArenaBytes: 2 ** 24 })
}

function usersOf(server: Server): string[] {
  return server.resp.acl.users.all().map((user) => `${user.name} ${user.describe()}`)
}

test('users stand in the configuration, and what is said of the default user is all of it', async () => {
  const server = serverOf(
    configOf(
      [
        'requirepass secret',
        'user ann on nopass ~a* +get',
        'user bob on >one "(+set %W~x)" (~y +del)',
        'user default on nopass +ping',
      ].join('\n'),
    ),
  )
  assert.deepEqual(usersOf(server), [
    'ann on nopass ~a* resetchannels -@all +get',
    'bob on #7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed resetchannels -@all (%W~x resetchannels -@all +set) (~y resetchannels -@all +del)',
    'default on nopass sanitize-payload resetchannels -@all +ping',
  ])
  await server.close()
})

test('acl-pubsub-default holds for the users of the configuration too', async () => {
  const server = serverOf(configOf('acl-pubsub-default allchannels\nuser ann on nopass\n'))
  assert.deepEqual(usersOf(server)[0], 'ann on nopass &* -@all')
  await server.close()
})

test('a mistake in the users ends the start, without a password in the message', () => {
  const messageOf = (content: string) => {
    try {
      serverOf(configOf(content))
    } catch (error) {
      return (error as Error).message
    }
    return undefined
  }
  assert.match(messageOf('user ann +nosuch') ?? '', /^user ann: '\+nosuch': Unknown command or category name in ACL\.$/)
  assert.match(messageOf('user ann >pass "~a b"') ?? '', /^user ann: Syntax error\.$/)
  assert.match(messageOf('user ann #pass') ?? '', /^user ann: The password hash must be exactly 64 characters/)
  assert.match(messageOf('user ann on\nuser ann off') ?? '', /^user ann: Duplicate user found/)
  assert.match(messageOf('user ann (+get ~x') ?? '', /^user ann: unmatched parenthesis .* '\(\+get'\.$/)
  assert.match(messageOf('user "a b" on') ?? '', /^user a b: a name has no blanks\.$/)
  const path = fileWith('user ann on\nuser bob wrong\n')
  assert.match(messageOf(`aclfile ${path}`) ?? '', /^aclfile .*: .*:2: Syntax error\. WARNING: ACL errors detected/)
  assert.match(messageOf('aclfile /no/such.acl') ?? '', /^aclfile \/no\/such\.acl: Error loading ACLs, opening file/)
  assert.match(messageOf(`aclfile ${path}\nuser ann on`) ?? '', /^aclfile: there are users in the configuration too\./)
})

test('a relative path of the file of users begins at dir', async () => {
  writeFileSync(join(directory, 'relative.acl'), 'user ann on\n')
  const server = serverOf(configOf('aclfile relative.acl'))
  assert.deepEqual(usersOf(server), ['ann on resetchannels -@all', 'default on nopass ~* &* +@all'])
  await server.close()
})

test('CONFIG REWRITE writes the users that are there, and a start reads them', async () => {
  const file = fileWith('# users\nuser ann on nopass\nuser bob on\n# the end\n')
  const start = () => serverOf(Config.load({ argv: [file, '--port', '0'] }))
  const server = start()
  const { users } = server.resp.acl
  users.delete('bob')
  users.set('ann', ['>secret', '~"quoted"*', '(+get "~x\'")'])
  users.set('carl', [])
  users.setDefaultPassword(Buffer.from('pw'))
  assert.equal(server.config.rewrite(), undefined)
  const content = readFileSync(file, 'utf8')
  assert.match(content, /^# users\nuser ann on #2bb8.*\nuser carl off resetchannels -@all\n# the end\n/)
  assert.match(content, /\nuser default on #30c9.* ~\* &\* \+@all\n/)
  const again = start()
  // A default user that is described at all begins with `reset`.
  const expected = usersOf(server).map((user) => user.replace('default on', 'default on sanitize-payload'))
  assert.deepEqual(usersOf(again), expected)
  await server.close()
  await again.close()
})

test('with a file of users, CONFIG REWRITE leaves no user in the configuration', async () => {
  const file = fileWith(`aclfile ${fileWith('user ann on\n')}\n`)
  const server = serverOf(Config.load({ argv: [file, '--port', '0'] }))
  writeFileSync(file, `${readFileSync(file, 'utf8')}user left on\n`)
  assert.equal(server.config.rewrite(), undefined)
  assert.doesNotMatch(readFileSync(file, 'utf8'), /^user/m)
  await server.close()
})

// ---- What others see ----

test('passwords are hidden from MONITOR and the slow log', async () => {
  await using server = await createServer({ slowlogLogSlowerThan: 0 })
  const client = await RawClient.connect(server.port)
  await client.call('ACL', 'SETUSER', 'ann', 'on', '>secret')
  await client.call('AUTH', 'ann', 'secret')
  await client.call('HELLO', '2', 'AUTH', 'ann', 'secret')
  const shown = JSON.stringify(await server.execute('SLOWLOG', 'GET', '-1'))
  assert.match(shown, /"ACL","SETUSER","\(redacted\)","\(redacted\)","\(redacted\)"/)
  assert.doesNotMatch(shown, /secret/)
  client.close()
})

test('a stranger is held to small requests until it has said who it is', async () => {
  await using server = await createServer({ requirepass: 'secret' })
  await server.execute('ACL', 'SETUSER', 'ann', ...WARM)
  const stranger = await RawClient.connect(server.port)
  stranger.sendBytes(Buffer.from('*11\r\n'))
  assert.equal(await stranger.next(), '-ERR Protocol error: unauthenticated multibulk length')
  const ann = await connectAs(server, 'ann')
  assert.equal(await ann.call('MSET', ...Array.from({ length: 20 }, (_, i) => `k${i}`)), '+OK')
  ann.close()
})

// ---- Clients of others ----

test('ioredis and node-redis log in by name and password', async () => {
  await using server = await createServer()
  await server.execute('ACL', 'SETUSER', 'app', 'on', '>s3cret', '~app:*', '+@all', '-@dangerous', '+info')

  const ioredis = new Redis(server.port, '127.0.0.1', { username: 'app', password: 's3cret' })
  assert.equal(await ioredis.acl('WHOAMI'), 'app')
  assert.equal(await ioredis.set('app:1', 'x'), 'OK')
  await assert.rejects(ioredis.set('other', 'x'), /NOPERM this user has no permissions to access one of the keys/)
  await assert.rejects(ioredis.flushall(), /NOPERM this user has no permissions to run the 'flushall' command/)
  assert.deepEqual(await ioredis.multi().get('app:1').get('app:2').exec(), [
    [null, 'x'],
    [null, null],
  ])
  ioredis.disconnect()
  const wrong = new Redis(server.port, '127.0.0.1', { username: 'app', password: 'guess', retryStrategy: () => null })
  wrong.on('error', () => {})
  await assert.rejects(wrong.get('app:1'), /WRONGPASS|Connection is closed|NOAUTH/)
  wrong.disconnect()

  for (const RESP of [2, 3] as const) {
    const url = `redis://app:s3cret@127.0.0.1:${server.port}`
    const client = createClient({ url, RESP, socket: { reconnectStrategy: false } })
    client.on('error', () => {})
    await client.connect()
    assert.equal(await client.aclWhoAmI(), 'app')
    assert.equal(await client.get('app:1'), 'x')
    await assert.rejects(client.get('other'), /NOPERM/)
    client.destroy()
    const stranger = createClient({ url: url.replace('s3cret', 'guess'), RESP, socket: { reconnectStrategy: false } })
    stranger.on('error', () => {})
    await assert.rejects(stranger.connect(), /WRONGPASS invalid username-password pair or user is disabled/)
  }

  const admin = createClient({ url: server.urls.redis })
  await admin.connect()
  await admin.aclSetUser('made', ['on', 'nopass', '~x', '+get'])
  assert.deepEqual((await admin.aclGetUser('made'))?.flags, ['on', 'nopass'])
  assert.deepEqual(await admin.aclUsers(), ['app', 'default', 'made'])
  const [newest] = await admin.aclLog()
  assert.equal(newest.reason, 'auth')
  assert.equal(newest.username, 'app')
  assert.equal(await admin.aclDelUser('made'), 1)
  admin.destroy()
})
