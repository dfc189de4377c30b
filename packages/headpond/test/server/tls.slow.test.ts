import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { createServer } from '#src/index.ts'
import { CertificateFiles, createAuthority, createCertificate } from '../certificates.ts'
import { RawClient } from '../raw-client.ts'

test('a crowd that never comes in does not keep others out: the first of them give way', async () => {
  using files = new CertificateFiles()
  const authority = await createAuthority()
  const { cert, key } = await createCertificate(authority)
  await using server = await createServer({
    port: 0,
    tlsPort: 'auto',
    tlsCertFile: files.write('server.crt', cert),
    tlsKeyFile: files.write('server.key', key),
    tlsAuthClients: 'no',
  })
  const crowd: Socket[] = []
  let closedCount = 0
  try {
    for (let index = 0; index < 1100; index++) {
      const socket = createConnection({ port: server.tlsPort, host: '127.0.0.1' })
      socket.on('error', () => {})
      socket.resume().on('close', () => closedCount++)
      await once(socket, 'connect')
      crowd.push(socket)
    }
    const socket = connect({ port: server.tlsPort, host: '127.0.0.1', ca: authority.cert })
    await once(socket, 'secureConnect')
    const client = new RawClient(socket)
    assert.equal(await client.call('PING'), '+PONG')
    while (closedCount < 70) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(crowd[0].destroyed && !crowd[1099].destroyed)
    assert.match(String(await server.execute('INFO', 'clients')), /connected_clients:1\r/)
    client.close()
  } finally {
    for (const socket of crowd) socket.destroy()
  }
})
