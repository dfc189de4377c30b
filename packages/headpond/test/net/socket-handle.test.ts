import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { handleOf, readInto, type SocketHandle, writeDirectly } from '#src/net/socket-handle.ts'

const buffer = Buffer.alloc(4096)

/** A connection, seen from both its ends; of the server's, what was read. */
async function connect(
  t: TestContext,
): Promise<{ client: Socket; server: Socket; handle: SocketHandle; received: Buffer[] }> {
  const received: Buffer[] = []
  const listener = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const client = createConnection((listener.address() as { port: number }).port, '127.0.0.1')
  const [accepted] = (await once(listener, 'connection')) as [Socket]
  const server = readInto(accepted, buffer, (sizeBytes) => {
    received.push(Buffer.from(buffer.subarray(0, sizeBytes)))
    server.emit('received')
    return true
  })
  server.on('error', () => {})
  t.after(() => {
    client.destroy()
    server.destroy()
    listener.close()
  })
  return { client, server, handle: handleOf(server)!, received }
}

test('what the system does not take at once arrives whole, before what the stream writes behind it', async (t) => {
  const { client, server, handle } = await connect(t)
  const first = Buffer.alloc(64 * 2 ** 20)
  for (let at = 0; at < first.length; at += 4096) first.writeUInt32BE(at, at)
  let onWritten: (isRefused: boolean) => void = () => {}
  const written = new Promise<boolean>((resolve) => {
    onWritten = resolve
  })
  assert.equal(writeDirectly(handle, first, onWritten), 'pending')
  server.end('and the rest')
  const chunks: Buffer[] = []
  for await (const chunk of client) chunks.push(chunk as Buffer)
  assert.equal(await written, false, 'the system has refused what it took later')
  const all = Buffer.concat(chunks)
  assert.equal(all.length, first.length + 'and the rest'.length)
  assert.ok(all.subarray(0, first.length).equals(first), 'bytes were lost, or came in another order')
  assert.equal(all.toString('latin1', first.length), 'and the rest')
})

test('a short write is taken at once, and the same request serves the next', async (t) => {
  const { client, server, handle } = await connect(t)
  const never = () => assert.fail('nothing is left to be written later')
  for (const text of ['one,', 'two,', 'three']) {
    assert.equal(writeDirectly(handle, Buffer.from(text), never), 'taken')
  }
  server.end()
  let text = ''
  for await (const chunk of client) text += chunk
  assert.equal(text, 'one,two,three')
})

test('a peer that is gone ends the write that it left waiting', async (t) => {
  const { client, server, handle } = await connect(t)
  const ended = new Promise<boolean>((resolve) => {
    assert.equal(writeDirectly(handle, Buffer.alloc(64 * 2 ** 20), resolve), 'pending')
  })
  client.resetAndDestroy()
  assert.equal(await ended, true)
  const writeMore = () => writeDirectly(handle, Buffer.from('x'), () => assert.fail('it was written'))
  server.destroy()
  assert.equal(writeMore(), 'none', 'a socket that is being closed takes nothing')
  await once(server, 'close')
  assert.equal(writeMore(), 'none', 'a closed socket takes nothing')
})

test('reading can be stopped, goes on, and ends with the peer', async (t) => {
  const { client, server, received } = await connect(t)
  server.resume()
  client.write('one')
  await once(server, 'received')
  server.pause()
  const ended = once(server, 'end')
  client.end('two')
  assert.equal(Buffer.concat(received).toString(), 'one')
  server.resume()
  await ended
  assert.equal(Buffer.concat(received).toString(), 'onetwo')
})
