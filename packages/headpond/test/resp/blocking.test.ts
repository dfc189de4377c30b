import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { createServer, type HeadpondServer } from '#src/server/create-server.ts'
import { notation, RawClient } from '../raw-client.ts'
import { ServerProcess } from '../server-process.ts'

let server: HeadpondServer

before(async () => {
  server = await createServer()
})
beforeEach(() => server.reset())
after(() => server.close())

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Waits until so many clients wait: a socket has delivered their commands. */
async function waitingClients(count: number): Promise<void> {
  for (;;) {
    const info = String(await server.execute('INFO', 'clients'))
    if (info.includes(`blocked_clients:${count}\r\n`)) return
    await turn()
  }
}

test('a wait ends when its time is up, on the clock of the server', async () => {
  const client = server.client()
  let reply: unknown = 'none yet'
  void client.execute('BLPOP', 'q', '1.5').then((value) => {
    reply = value
  })
  server.clock.advance('1s')
  await turn()
  assert.equal(reply, 'none yet')
  server.clock.advance('0.6s')
  await turn()
  assert.equal(reply, null)
  // It has gone from the queue: the element stays for others.
  await server.execute('RPUSH', 'q', 'x')
  assert.equal(await server.execute('LLEN', 'q'), 1)
  client.close()
})

test('what a client sends while it waits is done afterwards, in order', async () => {
  const local = server.client()
  const answers = [local.execute('BLPOP', 'q', 0), local.execute('GET', 'k'), local.execute('PING')]
  await server.execute('SET', 'k', 'v')
  await server.execute('RPUSH', 'q', 'x')
  assert.deepEqual(await Promise.all(answers), [['q', 'x'], 'v', 'PONG'])
  local.close()

  const remote = await RawClient.connect(server.port)
  remote.send('BLPOP', 'q', '0')
  remote.send('BLPOP', 'q', '0')
  remote.send('PING')
  await waitingClients(1)
  await server.execute('RPUSH', 'q', 'one', 'two')
  await remote.waitFor(3, 5000)
  assert.equal(remote.take().length, 3)
  remote.close()
})

test('CLIENT UNBLOCK lets a client go as if its time were up, or with an error', async () => {
  const remote = await RawClient.connect(server.port)
  remote.send('CLIENT', 'ID')
  await remote.waitFor(1, 5000)
  const remoteId = Number(notation(remote.take()[0])[0].slice(1))
  for (const [command, reason, isError] of [
    [['BLPOP', 'q', '0'], 'TIMEOUT', false],
    [['BLMOVE', 'q', 't', 'LEFT', 'LEFT', '0'], 'ERROR', true],
    [['BRPOP', 'q', '100'], 'ERROR', true],
  ] as const) {
    remote.send(...command)
    await waitingClients(1)
    assert.equal(await server.execute('CLIENT', 'UNBLOCK', remoteId, reason), 1)
    await remote.waitFor(1, 5000)
    const expected = isError ? '-UNBLOCKED client unblocked via CLIENT UNBLOCK' : '*_'
    assert.deepEqual(remote.take().flatMap(notation), [expected])
    assert.equal(await server.execute('CLIENT', 'UNBLOCK', remoteId, reason), 0)
  }
  await server.execute('RPUSH', 'q', 'x')
  assert.equal(await server.execute('LLEN', 'q'), 1)
  remote.close()
})

test('who goes away while waiting takes nothing with them', async () => {
  const gone = await RawClient.connect(server.port)
  const local = server.client()
  gone.send('BLPOP', 'q', '0')
  await waitingClients(1)
  const lost = assert.rejects(local.execute('BLPOP', 'q', 0), /closed/)
  const stays = server.client()
  const answer = stays.execute('BLPOP', 'q', 0)
  gone.close()
  local.close()
  await lost
  await waitingClients(1)
  assert.equal(await server.execute('RPUSH', 'q', 'x'), 1)
  assert.deepEqual(await answer, ['q', 'x'])
  stays.close()
})

test('a thousand clients that wait for one key are served in the order of their arrival', async () => {
  const clients = Array.from({ length: 1000 }, () => server.client())
  const answers = clients.map((client) => client.execute('BLPOP', 'q', 0))
  const elements = Array.from({ length: 1000 }, (_, index) => `e${index}`)
  await server.execute('RPUSH', 'q', ...elements)
  assert.deepEqual(
    await Promise.all(answers),
    elements.map((element) => ['q', element]),
  )
  assert.equal(await server.execute('EXISTS', 'q'), 0)
  for (const client of clients) client.close()
})

test('a client that waits for several keys is served once, and leaves the other queues', async () => {
  const first = server.client()
  const second = server.client()
  const firstAnswer = first.execute('BLPOP', 'a', 'b', 'c', 0)
  const secondAnswer = second.execute('BLPOP', 'c', 'b', 'a', 0)
  await server.execute('RPUSH', 'b', '1')
  assert.deepEqual(await firstAnswer, ['b', '1'])
  await server.execute('RPUSH', 'a', '2')
  assert.deepEqual(await secondAnswer, ['a', '2'])
  await server.execute('RPUSH', 'c', '3')
  assert.equal(await server.execute('LLEN', 'c'), 1)
  first.close()
  second.close()
})

test('keys of one name in several databases are different keys', async () => {
  const clients = await Promise.all(
    [0, 1, 2].map(async (database) => {
      const client = server.client()
      await client.execute('SELECT', database)
      return client
    }),
  )
  const answers = clients.map((client) => client.execute('BLPOP', 'q', 0))
  const pusher = server.client()
  for (const database of [2, 0, 1]) {
    await pusher.execute('SELECT', database)
    await pusher.execute('RPUSH', 'q', `from ${database}`)
  }
  assert.deepEqual(await Promise.all(answers), [
    ['q', 'from 0'],
    ['q', 'from 1'],
    ['q', 'from 2'],
  ])
  for (const client of [...clients, pusher]) client.close()
})

test('a watched key that a waiting client empties breaks the watch', async () => {
  const watcher = server.client()
  const waiter = server.client()
  const answer = waiter.execute('BLPOP', 'q', 0)
  await watcher.execute('WATCH', 'q')
  await watcher.execute('MULTI')
  await watcher.execute('PING')
  await server.execute('RPUSH', 'q', 'x')
  await answer
  assert.equal(await watcher.execute('EXEC'), null)
  watcher.close()
  waiter.close()
})

test('what expires while a slow command runs reaches neither who waits for it nor the rest of the pipeline', async () => {
  // The clock of the machine, which DEBUG SLEEP does not hold up.
  const real = await ServerProcess.start('--kafka-port', '0', '--enable-debug-command', 'yes')
  try {
    const client = await real.connect()
    const waiter = await real.connect()
    const id = await waiter.call('CLIENT', 'ID')
    waiter.send('BRPOP', 'q', '0')
    while (!(await client.call('INFO', 'clients')).includes('blocked_clients:1')) await turn()
    const script = "redis.call('RPUSH', 'q', 'expired') redis.call('PEXPIRE', 'q', 1) for i = 1, 5e6 do end"
    const pipeline = ['MULTI', 'RPUSH q expired', 'PEXPIRE q 1', 'DEBUG SLEEP 0.005', 'EXEC', `EVAL "${script}" 0`]
    client.sendBytes([...pipeline, 'SET key value PX 1', 'DEBUG SLEEP 0.005', 'GET key', ''].join('\r\n'))
    for (let replies = 1; replies < 9; replies++) await client.next()
    assert.equal(await client.next(), '_')
    assert.match(await client.call('CLIENT', 'LIST', 'ID', id.slice(1)), / flags=b /)
    await client.call('RPUSH', 'q', 'fresh')
    assert.match(await waiter.next(), /"fresh"/)
  } finally {
    await real.stop()
  }
})
