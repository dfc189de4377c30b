/** socket.io servers that know each other through streams, through pub/sub, and through sharded pub/sub. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter'
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter'
import { createClient } from 'redis'
import { Server, type ServerOptions } from 'socket.io'
import { io, type Socket } from 'socket.io-client'
import { connect, type Place, testOnBoth } from './both-servers.ts'

type Adapter = NonNullable<ServerOptions['adapter']>

async function nodeRedis(place: Place) {
  const client = createClient({ url: place.url })
  await client.connect()
  place.after(() => client.close())
  return client
}

/** The streams adapters ask again and again in connections of their own, which end when a question is answered. */
const streams = { blockTimeInMs: 50 }

const adapters: Record<string, (place: Place) => Promise<Adapter>> = {
  'redis-streams-adapter with node-redis': async (place) => createStreamsAdapter(await nodeRedis(place), streams),
  'redis-streams-adapter with ioredis': async (place) => createStreamsAdapter(connect(place), streams),
  'redis-streams-adapter with sharded pub/sub': async (place) =>
    createStreamsAdapter(await nodeRedis(place), { ...streams, useShardedPubSub: true, streamCount: 2 }),
  'redis-adapter with ioredis': async (place) => createAdapter(connect(place), connect(place)),
  'redis-adapter with node-redis': async (place) => createAdapter(await nodeRedis(place), await nodeRedis(place)),
  'redis-adapter, sharded': async (place) => createShardedAdapter(await nodeRedis(place), await nodeRedis(place)),
}

for (const [name, makeAdapter] of Object.entries(adapters)) {
  testOnBoth(`socket.io: rooms and events across servers: ${name}`, async (place) => {
    place.after(() => aloneAgain(place))
    const [here, there] = [await startServer(place, makeAdapter), await startServer(place, makeAdapter)]
    const servers = [here, there]
    for (const { io: server } of servers) {
      server.on('connection', (socket) => socket.on('join', async (room, done) => done(await socket.join(room))))
      server.on('greeting', (text, done) => done(`${text} back`))
    }
    const ada = await connectTo(place, here.url)
    const bob = await connectTo(place, there.url)
    await hearEachOther([
      [here.io, bob],
      [there.io, ada],
    ])
    await Promise.all([ada, bob].map((socket) => socket.emitWithAck('join', 'news')))

    // To everybody, to a room, to one: from the server that the other is not at.
    for (const to of [here.io, here.io.to('news'), here.io.to(String(bob.id))]) {
      const saying = heard(bob, 'said')
      to.emit('said', 'text', new Uint8Array([0, 255, 13, 10]), { deep: [1, null] })
      const [text, bytes, json] = (await saying) as [string, Uint8Array, unknown]
      assert.deepEqual([text, [...bytes], json], ['text', [0, 255, 13, 10], { deep: [1, null] }])
    }
    const wrong: string[] = []
    bob.on('only', (text) => wrong.push(text))
    const last = heard(bob, 'last')
    here.io.except('news').emit('only', 'not in news')
    here.io.to('elsewhere').emit('only', 'elsewhere')
    here.io.emit('last')
    await last
    assert.deepEqual(wrong, [])

    const everybody = await here.io.fetchSockets()
    assert.deepEqual(everybody.map(({ id }) => id).sort(), [ada.id, bob.id].sort())
    assert.deepEqual(await here.io.serverSideEmitWithAck('greeting', 'hello'), ['hello back'])
    bob.on('question', (n, reply) => reply(n + 1))
    ada.on('question', (n, reply) => reply(n + 2))
    assert.deepEqual((await here.io.timeout(5000).emitWithAck('question', 1)).sort(), [2, 3])

    const left = heard(bob, 'disconnect')
    here.io.in(String(bob.id)).disconnectSockets(true)
    assert.equal((await left)[0], 'io server disconnect')
  })
}

testOnBoth('socket.io: who comes back to another server gets what was missed', async (place) => {
  place.after(() => aloneAgain(place))
  const recovery = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } }
  const makeAdapter = async () => createStreamsAdapter(await nodeRedis(place), streams)
  const here = await startServer(place, makeAdapter, recovery)
  const there = await startServer(place, makeAdapter, recovery)
  here.io.on('connection', async (socket) => {
    socket.data.name = 'Ada'
    await socket.join('news')
    socket.emit('joined')
  })
  const ada = io(here.url, { transports: ['websocket'], forceNew: true, reconnection: false })
  place.after(() => ada.disconnect())
  await heard(ada, 'joined')
  await hearEachOther([
    [here.io, await connectTo(place, there.url)],
    [there.io, ada],
  ])
  const numbers: number[] = []
  ada.on('said', (n) => numbers.push(n))
  const first = heard(ada, 'said')
  there.io.to('news').emit('said', 1)
  await first

  // The connection breaks; meanwhile something happens.
  const lost = heard(ada, 'disconnect')
  ada.io.engine.close()
  await lost
  const redis = connect(place)
  while ((await redis.keys('sio:session:*')).length === 0);
  here.io.to('news').emit('said', 2)
  here.io.to('gossip').emit('said', 3)
  here.io.to('news').emit('said', 4)
  // Everything is on its way through one stream: it has come when what comes last is there.
  const back = new Promise<[boolean, string]>((resolve) => {
    there.io.on('connection', (socket) => resolve([socket.recovered, socket.data.name]))
  })
  const lastMissed = new Promise<void>((resolve) => ada.on('said', (n) => n === 4 && resolve()))
  Object.assign(ada.io, { uri: there.url })
  ada.connect()
  assert.deepEqual(await back, [true, 'Ada'])
  await lastMissed
  assert.deepEqual(numbers, [1, 2, 4])
})

async function startServer(
  place: Place,
  makeAdapter: (place: Place) => Promise<Adapter>,
  options: Partial<ServerOptions> = {},
) {
  const site = createServer()
  const adapter = await makeAdapter(place)
  const server = new Server(site, { ...options, adapter, transports: ['websocket'] })
  place.after(() => server.close())
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  return { io: server, url: `http://127.0.0.1:${(site.address() as { port: number }).port}` }
}

/** Until the connections that adapters open for themselves have ended. */
async function aloneAgain(place: Place): Promise<void> {
  const redis = connect(place)
  while (
    String(await redis.client('LIST'))
      .trim()
      .split('\n').length > 1
  );
  redis.disconnect()
}

/** Until what each of the servers sends has reached a client of the other: nothing says when they have begun to listen. */
async function hearEachOther(pairs: readonly (readonly [Server, Socket])[]): Promise<void> {
  for (const [server, socket] of pairs) {
    const ready = heard(socket, 'ready')
    const calling = setInterval(() => server.emit('ready'), 10)
    await ready
    clearInterval(calling)
  }
}

async function connectTo(place: Place, url: string): Promise<Socket> {
  const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false })
  place.after(() => socket.disconnect())
  await heard(socket, 'connect')
  return socket
}

function heard(socket: Socket, event: string): Promise<unknown[]> {
  return new Promise((resolve) => socket.once(event, (...args: unknown[]) => resolve(args)))
}
