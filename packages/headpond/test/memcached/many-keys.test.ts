/** One `get` of a great many keys: it costs neither memory without bound nor the time of others. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createServer } from '#src/server/create-server.ts'
import { ByteClient } from './byte-client.ts'

async function start(t: TestContext) {
  const server = await createServer()
  t.after(() => server.close())
  const port = Number(server.urls.memcached.split(':').at(-1))
  const client = await ByteClient.connect(port)
  t.after(() => client.close())
  return { server, port, client }
}

/** The bytes that come, counted, and their end. Reads nothing before it is told to. */
async function connectPaused(port: number, t: TestContext) {
  const socket = createConnection({ port, host: '127.0.0.1' })
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  socket.pause()
  return {
    socket,
    async read(sizeBytes: number): Promise<string> {
      let readBytes = 0
      let tail = Buffer.alloc(0)
      socket.on('data', (chunk: Buffer) => {
        readBytes += chunk.length
        tail = Buffer.concat([tail, chunk]).subarray(-64)
        if (readBytes >= sizeBytes) socket.emit('enough')
      })
      socket.resume()
      await once(socket, 'enough', { signal: AbortSignal.timeout(60_000) })
      assert.equal(readBytes, sizeBytes)
      return tail.toString('latin1')
    },
  }
}

const VALUE_BYTES = 20_000
const KEY_COUNT = 10_000
const line = (command: string) => `${command}${' k'.repeat(KEY_COUNT)}\r\n`

test('whoever does not read the answer to many keys does not fill the memory, and gets all of it later', async (t) => {
  const { client, port } = await start(t)
  assert.equal(await client.ask(`set k 3 0 ${VALUE_BYTES}\r\n${'x'.repeat(VALUE_BYTES)}\r\n`), 'STORED\r\n')
  const slow = await connectPaused(port, t)
  const before = process.memoryUsage().arrayBuffers
  slow.socket.write(`${line('get')}mn\r\n`)
  let hits = 0
  while (hits === 0) hits = Number(/STAT get_hits (\d+)/.exec(await client.ask('stats\r\n'))![1])
  // Nobody has read an answer: it has stopped in the midst of the keys.
  assert.ok(hits < KEY_COUNT, `${hits} of ${KEY_COUNT} keys`)
  const grownBytes = process.memoryUsage().arrayBuffers - before
  assert.ok(grownBytes < (KEY_COUNT * VALUE_BYTES) / 4, `${grownBytes} bytes more`)
  const answerBytes = `VALUE k 3 ${VALUE_BYTES}\r\n`.length + VALUE_BYTES + 2
  assert.match(await slow.read(KEY_COUNT * answerBytes + 'END\r\nMN\r\n'.length), /x\r\nEND\r\nMN\r\n$/)
})

test('a line of many keys that comes in many parts is answered as a whole, with and without cas', async (t) => {
  const { client } = await start(t)
  assert.equal(await client.ask('set k 0 0 1\r\nx\r\n'), 'STORED\r\n')
  for (const [command, value] of [
    ['get', 'VALUE k 0 1\r\nx\r\n'],
    ['gets', /^(VALUE k 0 1 \d+\r\nx\r\n){10000}END\r\n$/],
  ] as const) {
    const text = line(command)
    for (let at = 0; at < text.length; at += 3001) {
      client.send(text.slice(at, at + 3001))
      // What was sent is looked at before more comes.
      await new Promise((resolve) => setImmediate(resolve))
    }
    const answer = await client.ask('')
    if (typeof value === 'string') assert.equal(answer, `${value.repeat(KEY_COUNT)}END\r\n`)
    else assert.match(answer, value)
  }
})

test('a long line that is no get, and comes in parts, loses its connection', async (t) => {
  const { client } = await start(t)
  client.send('delete ')
  for (let sent = 0; sent < 3000; sent += 1000) {
    client.send('k'.repeat(1000))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await client.untilClosed()
})
