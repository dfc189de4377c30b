import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { test } from 'node:test'
import { ServerProcess } from '../server-process.ts'

const CLIENTS = 40
/** A request of 29 bytes: a pipeline is eight reads of the server. */
const REQUESTS = 4500

/** What a server does of the work of all before it answers a client for the first time, at most. */
async function firstReplies(server: ServerProcess): Promise<number[]> {
  const busy = await server.connect()
  // While it sleeps, the system lets everybody in and takes their bytes; when it wakes, all of them are there.
  const asleep = busy.call('DEBUG', 'SLEEP', '0.3')
  const requests = Buffer.from('*2\r\n$4\r\nINCR\r\n$7\r\ncounter\r\n'.repeat(REQUESTS))
  const clients: { socket: Socket; replies: string }[] = []
  for (let index = 0; index < CLIENTS; index++) {
    const socket = createConnection(server.port, '127.0.0.1')
    const client = { socket, replies: '' }
    socket.on('data', (bytes) => {
      client.replies += bytes.toString('latin1')
    })
    clients.push(client)
    await once(socket, 'connect')
    socket.write(requests)
  }
  await asleep
  for (const client of clients) {
    while (client.replies.split('\r\n').length <= REQUESTS) await once(client.socket, 'data')
    client.socket.destroy()
  }
  busy.close()
  return clients.map(({ replies }) => Number(/^:(\d+)\r\n/.exec(replies)![1]))
}

test('clients that connect at once with long pipelines are answered side by side', async (t) => {
  const server = await ServerProcess.start('--enable-debug-command', 'yes')
  t.after(() => server.stop())
  const first = await firstReplies(server)
  const share = Math.max(...first) / (CLIENTS * REQUESTS)
  // A client for each turn of the loop, each turn with a read of all who are in: the last one would come at 0.85.
  assert.ok(share < 0.5, `the last client got its first reply after ${share.toFixed(2)} of all work`)
})

test('a pipeline of slow commands is answered in parts, and others in between', async (t) => {
  const server = await ServerProcess.start('--enable-debug-command', 'yes')
  t.after(() => server.stop())
  const other = await server.connect()
  const count = 400 // in one read of the server, of half a second
  const slow = createConnection(server.port, '127.0.0.1')
  await once(slow, 'connect')
  let received = ''
  slow.on('data', (bytes) => {
    received += bytes.toString('latin1')
  })
  slow.write('*3\r\n$5\r\nDEBUG\r\n$5\r\nSLEEP\r\n$5\r\n0.001\r\n'.repeat(count))
  await once(slow, 'data')
  assert.equal(await other.call('PING'), '+PONG')
  assert.ok(received.length < count * '+OK\r\n'.length, 'all slow commands ran before the other client was heard')
  while (received.length < count * '+OK\r\n'.length) await once(slow, 'data')
  assert.equal(received, '+OK\r\n'.repeat(count))
  slow.destroy()
  other.close()
})

test('others do not wait for all of a few very slow commands', async (t) => {
  const server = await ServerProcess.start('--enable-debug-command', 'yes')
  t.after(() => server.stop())
  const slow = createConnection(server.port, '127.0.0.1')
  const other = createConnection(server.port, '127.0.0.1')
  await Promise.all([once(slow, 'connect'), once(other, 'connect')])
  slow.write('DEBUG SLEEP 0.2\r\nRPUSH order slow\r\n'.repeat(4))
  other.write('RPUSH order other\r\n')
  await once(other, 'data')
  let replies = ''
  for await (const bytes of slow) {
    replies += bytes.toString('latin1')
    if (replies.split('\r\n').length > 8) break
  }
  // The pipeline's last command has come after the one that stood beside its first.
  other.write('LINDEX order -1\r\n')
  const [last] = await once(other, 'data')
  assert.equal(last.toString('latin1'), '$4\r\nslow\r\n')
  other.destroy()
})
