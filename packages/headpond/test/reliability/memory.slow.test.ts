/** What must be seen from outside: the server runs in a process of its own. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { test } from 'node:test'
import { encodeCommand } from '../raw-client.ts'
import { ServerProcess } from '../server-process.ts'

const IDLE_COUNT = 10_000
/** Descriptors for everything else in this process. */
const DESCRIPTORS_RESERVED = 300

test('many idle connections, and load beside them', async (t) => {
  const limits = (process.report.getReport() as { userLimits?: { open_files?: { soft: number | string } } }).userLimits
  const openFilesMax = Number(limits?.open_files?.soft ?? 1024) || Number.POSITIVE_INFINITY
  const idleCount = Math.min(IDLE_COUNT, openFilesMax - DESCRIPTORS_RESERVED)
  if (idleCount < 500) return t.skip(`the limit of open files is ${openFilesMax}`)
  if (idleCount < IDLE_COUNT) t.diagnostic(`only ${idleCount} connections: the limit of open files is ${openFilesMax}`)
  const server = await ServerProcess.start('--maxclients', String(idleCount + 100))
  const idle: Socket[] = []
  try {
    const before = server.rssBytes() ?? 0
    while (idle.length < idleCount) {
      const batch = Array.from({ length: Math.min(200, idleCount - idle.length) }, () =>
        createConnection({ port: server.port, host: '127.0.0.1' }),
      )
      idle.push(...batch)
      await Promise.all(batch.map((socket) => once(socket, 'connect')))
    }
    const loaders = await Promise.all(Array.from({ length: 10 }, () => server.connect()))
    await Promise.all(
      loaders.map(async (client, loader) => {
        for (let round = 0; round < 50; round++) {
          for (let index = 0; index < 100; index++) client.send('SET', `${loader}:${index}`, `${round}`)
          for (let index = 0; index < 100; index++) client.send('GET', `${loader}:${index}`)
          for (let index = 0; index < 100; index++) assert.equal(await client.next(), '+OK')
          for (let index = 0; index < 100; index++) assert.equal(await client.next(), `$ "${round}"`)
        }
      }),
    )
    const bytesPerIdle = Math.round(((server.rssBytes() ?? before) - before) / idleCount)
    t.diagnostic(`${idleCount} idle connections cost ${bytesPerIdle} bytes of resident memory each, load included`)
    // Idle ones are still served.
    for (let index = 0; index < idleCount; index += 97) {
      idle[index].write('PING\r\n')
      const [answer] = await once(idle[index], 'data')
      assert.equal(String(answer), '+PONG\r\n')
    }
    for (const client of loaders) client.close()
  } finally {
    for (const socket of idle) socket.destroy()
    await server.stop()
  }
})

for (const { valueBytes, getCount } of [
  { valueBytes: 2 ** 20, getCount: 4000 },
  { valueBytes: 20_000, getCount: 100_000 },
]) {
  test(`a client that asks ${getCount} times for ${valueBytes} bytes and never reads`, async (t) => {
    const server = await ServerProcess.start()
    const deaf = createConnection({ port: server.port, host: '127.0.0.1' })
    deaf.on('error', () => {})
    try {
      const client = await server.connect()
      assert.equal(await client.call('SET', 'big', Buffer.alloc(valueBytes, 'x')), '+OK')
      const before = server.rssBytes()
      if (before === undefined) return t.skip('no /proc here')
      deaf.pause()
      deaf.write(Buffer.concat(Array.from({ length: getCount }, () => encodeCommand(['GET', 'big']))))
      let most = 0
      const untilMs = performance.now() + 2000
      for (let count = 0; performance.now() < untilMs; count++) {
        assert.equal(await client.call('SET', 'counter', String(count)), '+OK')
        assert.equal(await client.call('GET', 'counter'), `$ "${count}"`)
        if (count % 100 === 0) most = Math.max(most, server.rssBytes() ?? 0)
      }
      const grownBytes = most - before
      t.diagnostic(`resident memory grew by ${Math.round(grownBytes / 2 ** 20)} MB`)
      assert.ok(grownBytes < 400 * 2 ** 20, `it grew by ${grownBytes} bytes`)
      client.close()
    } finally {
      deaf.destroy()
      await server.stop()
    }
  })
}

test('headers that announce giants claim no memory', async (t) => {
  const server = await ServerProcess.start()
  const liars: Socket[] = []
  try {
    const client = await server.connect()
    const before = server.rssBytes()
    if (before === undefined) return t.skip('no /proc here')
    for (let index = 0; index < 500; index++) {
      const socket = createConnection({ port: server.port, host: '127.0.0.1' })
      await once(socket, 'connect')
      socket.write('*2147483647\r\n$4\r\nMSET\r\n$536870912\r\nabc')
      liars.push(socket)
    }
    assert.equal(await client.call('PING'), '+PONG')
    const grownBytes = (server.rssBytes() ?? 0) - before
    assert.ok(grownBytes < 100 * 2 ** 20, `500 announcements cost ${grownBytes} bytes`)
    client.close()
  } finally {
    for (const socket of liars) socket.destroy()
    await server.stop()
  }
})
