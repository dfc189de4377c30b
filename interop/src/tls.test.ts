/** TLS with OpenSSL's and Redis's own programs on the other side. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { CertificateFiles, createAuthority, createCertificate } from 'headpond/test/certificates.ts'

/** Runs a program to its end: what it printed, all together. */
async function run(command: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(command, args)
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  child.stdin.on('error', () => {}) // it may end without reading
  child.stdin.end(input)
  await once(child, 'close')
  return output
}

test('redis-cli --tls', async () => {
  using files = new CertificateFiles()
  const authority = await createAuthority()
  const [identity, client] = await Promise.all([createCertificate(authority), createCertificate(authority, 'client')])
  const authorityPath = files.write('ca.crt', authority.cert)
  await using server = await createServer({
    port: 0,
    tlsPort: 'auto',
    tlsCertFile: files.write('server.crt', identity.cert),
    tlsKeyFile: files.write('server.key', identity.key),
    tlsCaCertFile: authorityPath,
  })
  const base = ['-p', String(server.tlsPort), '--tls', '--cacert', authorityPath]
  const own = ['--cert', files.write('client.crt', client.cert), '--key', files.write('client.key', client.key)]
  assert.equal(await run('redis-cli', [...base, ...own, 'SET', 'k', 'v']), 'OK\n')
  assert.equal(await run('redis-cli', [...base, ...own, '-3'], 'GET k\nAPPEND k w\nGET k\n'), 'v\n2\nvw\n')
  assert.match(await run('redis-cli', [...base, 'PING']), /error|closed|reset/i)
  assert.match(await run('redis-cli', ['-p', String(server.tlsPort), 'PING']), /closed|reset/i)

  const address = `127.0.0.1:${server.tlsPort}`
  const openssl = ['s_client', '-connect', address, '-CAfile', authorityPath, '-verify_return_error', '-quiet']
  const certificate = ['-cert', own[1], '-key', own[3]]
  assert.match(await run('openssl', [...openssl, ...certificate], 'PING\r\nQUIT\r\n'), /\+PONG\r\n\+OK\r\n/)
})
