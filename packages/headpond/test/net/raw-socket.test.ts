import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { acceptRaw, type RawSocket } from '#src/net/raw-socket.ts'

const buffer = Buffer.alloc(4096)

/** What a connection would be told, in order, and what was read. */
class Owner {
  readonly told: string[] = []
  readonly received: Buffer[] = []
  readonly #waiting = new Map<string, () => void>()

  drained(): void {
    this.#tell('drained')
  }

  ended(): void {
    this.#tell('ended')
  }

  closed(): void {
    this.#tell('closed')
  }

  read(sizeBytes: number): boolean {
    this.received.push(Buffer.from(buffer.subarray(0, sizeBytes)))
    this.#tell('received')
    return true
  }

  /** Until it is told so for the next time. */
  next(what: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(what, resolve))
  }

  get text(): string {
    return Buffer.concat(this.received).toString('latin1')
  }

  #tell(what: string): void {
    this.told.push(what)
    this.#waiting.get(what)?.()
    this.#waiting.delete(what)
  }
}

/** A connection, seen from both its ends. */
async function connect(t: TestContext): Promise<{ client: Socket; server: RawSocket; owner: Owner }> {
  const listener = createServer({ allowHalfOpen: true }, () => assert.fail('the server has made a socket'))
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const accepted = new Promise<RawSocket>((resolve) => assert.ok(acceptRaw(listener, resolve)))
  const client = createConnection({
    port: (listener.address() as { port: number }).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  })
  client.on('error', () => {})
  const server = await accepted
  const owner = new Owner()
  server.owner = owner
  server.readInto(buffer, (sizeBytes) => owner.read(sizeBytes))
  t.after(() => {
    client.destroy()
    server.destroy()
    listener.close()
  })
  return { client, server, owner }
}

test('it says who talks to whom', async (t) => {
  const { client, server } = await connect(t)
  if (client.connecting) await once(client, 'connect')
  assert.equal(server.remote?.port, client.localPort)
  assert.equal(server.remote?.address, '127.0.0.1')
  assert.equal(server.local?.port, client.remotePort)
  assert.ok(server.fileDescriptor > 0)
  server.destroy()
  assert.equal(server.remote, null)
  assert.equal(server.fileDescriptor, -1)
})

test('what the system does not take at once arrives whole, before what is written behind it', async (t) => {
  const { client, server, owner } = await connect(t)
  const first = Buffer.alloc(64 * 2 ** 20)
  for (let at = 0; at < first.length; at += 4096) first.writeUInt32BE(at, at)
  server.write(first)
  assert.ok(server.isBackedUp)
  assert.ok(server.unsentBytes > 0 && server.unsentBytes < first.length, `${server.unsentBytes} bytes unsent`)
  server.write(Buffer.from('and'))
  server.writeAll([Buffer.from(' the '), Buffer.from('rest')])
  const drained = owner.next('drained')
  const chunks: Buffer[] = []
  client.on('data', (chunk: Buffer) => chunks.push(chunk))
  await drained
  assert.equal(server.isBackedUp, false)
  assert.equal(server.unsentBytes, 0)
  server.end()
  await once(client, 'end')
  const all = Buffer.concat(chunks)
  assert.equal(all.length, first.length + 'and the rest'.length)
  assert.ok(all.subarray(0, first.length).equals(first), 'bytes were lost, or came in another order')
  assert.equal(all.toString('latin1', first.length), 'and the rest')
  assert.deepEqual(
    owner.told.filter((what) => what === 'drained'),
    ['drained'],
  )
})

test('short writes are taken at once; an end comes behind them', async (t) => {
  const { client, server, owner } = await connect(t)
  for (const text of ['one,', 'two,', 'three']) {
    server.write(Buffer.from(text))
    assert.equal(server.isBackedUp, false)
  }
  const closed = owner.next('closed')
  server.end()
  server.write(Buffer.from('too late'))
  let text = ''
  for await (const chunk of client) text += chunk
  assert.equal(text, 'one,two,three')
  await closed
  assert.ok(server.isDestroyed)
})

test('an end waits for what the system has not taken', async (t) => {
  const { client, server, owner } = await connect(t)
  const sizeBytes = 32 * 2 ** 20
  server.write(Buffer.alloc(sizeBytes, 'x'))
  const closed = owner.next('closed')
  server.end()
  let received = 0
  for await (const chunk of client) received += (chunk as Buffer).length
  assert.equal(received, sizeBytes)
  await closed
  assert.deepEqual(owner.told, ['closed'])
})

test('a peer that is gone ends what it left waiting', async (t) => {
  const { client, server, owner } = await connect(t)
  server.resume()
  server.write(Buffer.alloc(64 * 2 ** 20))
  const closed = owner.next('closed')
  client.resetAndDestroy()
  await closed
  assert.ok(server.isDestroyed)
  server.write(Buffer.from('x'))
  server.writeAll([Buffer.from('x')])
  server.resume()
  server.pause()
  server.end()
  server.destroy()
  assert.deepEqual(owner.told, ['closed'], 'it is closed once')
})

test('reading can be stopped, goes on, and ends with the peer, who still reads', async (t) => {
  const { client, server, owner } = await connect(t)
  server.resume()
  const received = owner.next('received')
  client.write('one')
  await received
  server.pause()
  client.end('two')
  // Nothing is to come: what would be read now lies in the system before the answer to this.
  server.write(Buffer.from('?'))
  await once(client, 'data')
  assert.equal(owner.text, 'one')
  const ended = owner.next('ended')
  server.resume()
  await ended
  assert.equal(owner.text, 'onetwo')
  server.resume()
  server.write(Buffer.from('still here'))
  const [data] = (await once(client, 'data')) as [Buffer]
  assert.equal(data.toString(), 'still here')
  assert.deepEqual(owner.told, ['received', 'received', 'ended'])
})

test('it can be destroyed while it reads', async (t) => {
  const { client, server, owner } = await connect(t)
  server.readInto(buffer, () => {
    server.destroy()
    return true
  })
  server.resume()
  const closed = owner.next('closed')
  client.write('x')
  await closed
  assert.deepEqual(owner.told, ['closed'])
})

test('it goes on reading into another buffer', async (t) => {
  const { client, server } = await connect(t)
  const other = Buffer.alloc(16)
  const read: string[] = []
  let current = buffer
  const both = new Promise<void>((resolve) => {
    server.readInto(buffer, (sizeBytes) => {
      read.push(current.toString('latin1', 0, sizeBytes))
      if (current === buffer) {
        server.switchBuffer(other)
        current = other
        client.write('two')
      } else {
        resolve()
      }
      return true
    })
  })
  server.resume()
  client.write('one')
  await both
  assert.deepEqual(read, ['one', 'two'])
})
