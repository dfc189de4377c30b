import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { ServerProcess } from '../server-process.ts'

/** As on a runtime that lets nobody see what lies beneath its sockets. */
const WITHOUT_HANDLES = 'data:text/javascript,process.binding = () => { throw new Error("not here") }'

test('where nothing can be seen beneath sockets, they do the same', async (t) => {
  const server = await ServerProcess.startWith(WITHOUT_HANDLES, {}, tmpdir(), '--ephemeral')
  t.after(() => server.stop())
  const client = await server.connect()
  t.after(() => client.close())
  const value = Buffer.alloc(4 * 2 ** 20, 'v')
  assert.equal(await client.call('SET', 'large', value), '+OK')
  // A pipeline: of a reply that the system does not take at once, and of others behind it.
  client.send('GET', 'large')
  client.send('CLIENT', 'GETNAME')
  client.send('ECHO', 'last')
  assert.equal(await client.next(), `$ "${value}"`)
  assert.equal(await client.next(), '_')
  assert.equal(await client.next(), '$ "last"')
  const { localPort } = client.socket
  assert.match(
    await client.call('CLIENT', 'LIST'),
    new RegExp(`addr=127\\.0\\.0\\.1:${localPort} laddr=127\\.0\\.0\\.1:${server.port} `),
  )
  assert.equal(await client.call('QUIT'), '+OK')
  await client.untilClosed()
  assert.equal(await server.stop(), 0)
})
