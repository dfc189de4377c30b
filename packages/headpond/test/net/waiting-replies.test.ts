import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createServer } from '#src/index.ts'
import { encodeCommand, RawClient } from '../raw-client.ts'

test('clients that ask at the same time each get their own reply, however many and however long', async () => {
  await using server = await createServer()
  const clients = await Promise.all(Array.from({ length: 300 }, () => RawClient.connect(server.port)))
  try {
    for (let round = 0; round < 20; round++) {
      const texts = clients.map(
        (_, index) => `${index}${'.'.repeat((index * 7 + round * 13) % (round < 10 ? 120 : 4500))}`,
      )
      const replies = clients.map((client, index) => client.call('ECHO', texts[index]))
      assert.deepEqual(
        await Promise.all(replies),
        texts.map((text) => `$ "${text}"`),
        `round ${round}`,
      )
    }
  } finally {
    for (const client of clients) client.close()
  }
})

test('a reply and messages that come in the same turn arrive in their order', async () => {
  await using server = await createServer()
  const listener = await RawClient.connect(server.port)
  const watcher = await RawClient.connect(server.port)
  try {
    await listener.call('HELLO', '3')
    await listener.call('SUBSCRIBE', 'news')
    await watcher.call('MONITOR')
    // One turn of the server: it cannot read before this one is over.
    for (let count = 0; count < 50; count++) {
      listener.send('ECHO', `request ${count}`)
      const receivers = await server.execute('PUBLISH', 'news', `message ${count}`)
      assert.equal(receivers, 1)
    }
    listener.send('PUBLISH', 'news', 'from itself')
    listener.send('PING')
    const replies: string[] = []
    while (replies.at(-1) !== '+PONG') replies.push(await listener.next())
    const echoes = replies.filter((reply) => reply.startsWith('$ "request'))
    const messages = replies.filter((reply) => reply.includes('message'))
    assert.deepEqual(
      echoes,
      Array.from({ length: 50 }, (_, count) => `$ "request ${count}"`),
    )
    assert.equal(messages.length, 51)
    assert.match(replies.at(-3) ?? '', /from itself/)
    assert.equal(replies.at(-2), ':1')
  } finally {
    listener.close()
    watcher.close()
  }
})

test('replies that the system does not take are kept, and nobody else writes over them', {
  skip: process.platform === 'win32',
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-socket-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'socket')
  await using server = await createServer({ unixsocket: path })
  // The system keeps a few hundred messages for a client that does not read from such a socket, not megabytes.
  const socket = createConnection(path)
  await once(socket, 'connect')
  const deaf = new RawClient(socket)
  deaf.socket.pause()
  const other = await RawClient.connect(server.port)
  try {
    const count = 1500
    for (let index = 0; index < count; index++) {
      socket.write(encodeCommand(['ECHO', `deaf ${index} ${'d'.repeat(60)}`]))
      assert.equal(await other.call('ECHO', `other ${index} ${'o'.repeat(60)}`), `$ "other ${index} ${'o'.repeat(60)}"`)
    }
    deaf.socket.resume()
    for (let index = 0; index < count; index++)
      assert.equal(await deaf.next(), `$ "deaf ${index} ${'d'.repeat(60)}"`, `reply ${index}`)
  } finally {
    deaf.close()
    other.close()
  }
})
