import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from '#src/index.ts'
import { RawClient } from '../raw-client.ts'

/** What a monitor has received, without time and address. */
async function shown(monitor: RawClient, count: number): Promise<string[]> {
  await monitor.waitFor(count, 5000)
  return monitor.take().map((reply) => {
    assert(reply.marker === '+')
    const text = reply.text.toString()
    assert.match(text, /^\d{10}\.\d{6} \[\d+ (127\.0\.0\.1:\d+|local)\] "/)
    return text.replace(/^[\d.]+ \[(\d+) [^\]]+\]/, '[$1]')
  })
}

test('MONITOR shows what every client runs, in its order, without secrets', async () => {
  const server = await createServer()
  const monitor = await RawClient.connect(server.port)
  const client = await RawClient.connect(server.port)
  try {
    await monitor.call('MONITOR')
    client.send('SET', 'key', 'a b"c\\\r\n\t\x07\x08\x00ÿ')
    client.send('select', '3')
    client.send('AUTH', 'secret')
    client.send('AUTH', 'default', 'secret')
    client.send('HELLO', '2', 'AUTH', 'default', 'secret', 'SETNAME', 'me')
    // Unknown, wrong and administrative commands are not shown.
    client.send('NOSUCH')
    client.send('GET')
    client.send('CONFIG', 'GET', 'hz')
    client.send('MULTI')
    client.send('GET', 'key')
    client.send('EXEC')
    await server.execute('PING')
    await client.waitFor(11, 5000)
    const lines = await shown(monitor, 9)
    assert.deepEqual(lines.filter((line) => line !== '[0] "PING"').sort(), [
      '[0] "SET" "key" "a b\\"c\\\\\\r\\n\\t\\a\\b\\x00\\xc3\\xbf"',
      '[3] "AUTH" "(redacted)"',
      '[3] "AUTH" "(redacted)" "(redacted)"',
      '[3] "EXEC"',
      '[3] "GET" "key"',
      '[3] "HELLO" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "me"',
      '[3] "MULTI"',
      '[3] "select" "3"',
    ])
    assert.equal(lines.length, 9)
    assert.ok(lines.indexOf('[3] "GET" "key"') < lines.indexOf('[3] "EXEC"'))
  } finally {
    monitor.close()
    client.close()
    await server.close()
  }
})

test('a monitor may not touch keys, sees its own commands, and ends with RESET or its connection', async () => {
  const server = await createServer()
  const monitor = await RawClient.connect(server.port)
  try {
    await monitor.call('MONITOR')
    assert.equal(await monitor.call('GET', 'key'), "-ERR Replica can't interact with the keyspace")
    monitor.send('PING')
    await monitor.waitFor(2, 5000)
    const [pong, line] = monitor.take()
    assert.equal(String((pong as { text: Buffer }).text), 'PONG')
    assert.match(String((line as { text: Buffer }).text), / "PING"$/)
    assert.match(String(await server.execute('CLIENT', 'LIST')), / flags=O /)
    await monitor.call('RESET')
    await server.execute('ECHO', 'unseen')
    await server.execute('ECHO', 'unseen')
    assert.equal(await monitor.call('PING'), '+PONG')
    assert.doesNotMatch(String(await server.execute('CLIENT', 'LIST')), / flags=O /)
  } finally {
    monitor.close()
    await server.close()
  }
})
