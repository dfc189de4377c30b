import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from '#src/server/create-server.ts'
import { ByteClient } from './byte-client.ts'

test('bytes of connections that are closed still count; a reset forgets those of open ones too', async (t) => {
  const server = await createServer()
  t.after(() => server.close())
  const port = Number(server.urls.memcached.split(':')[1])
  const client = await ByteClient.connect(port)
  t.after(() => client.close())
  /** What is counted so far, and what the answer that says so will add to it. */
  const bytes = async () => {
    const stats = await client.ask('stats\r\n')
    const countOf = (name: string) => Number(new RegExp(`${name} (\\d+)`).exec(stats)![1])
    return { read: countOf('bytes_read'), written: countOf('bytes_written'), answer: `${stats}MN\r\n`.length }
  }
  await client.ask(`set a 0 0 1000\r\n${'x'.repeat(1000)}\r\n`)
  await client.ask('stats reset\r\n')
  const asked = 'stats\r\nmn\r\n'.length
  const atFirst = await bytes()
  assert.deepEqual([atFirst.read, atFirst.written], [asked, 'RESET\r\nMN\r\n'.length])
  const other = await ByteClient.connect(port)
  other.send('get a\r\nquit\r\n')
  await other.untilClosed()
  const atLast = await bytes()
  assert.equal(atLast.read, atFirst.read + asked + 'get a\r\nquit\r\n'.length)
  assert.equal(
    atLast.written,
    atFirst.written + atFirst.answer + `VALUE a 0 1000\r\n${'x'.repeat(1000)}\r\nEND\r\n`.length,
  )
})

test('numbers of items count as cas where they decide about a cas: not with append, not with add', async (t) => {
  const server = await createServer()
  t.after(() => server.close())
  const client = await ByteClient.connect(Number(server.urls.memcached.split(':')[1]))
  t.after(() => client.close())
  /** The counters after a request. */
  const asked = async (request: string, answer: string) => {
    assert.equal(await client.ask(request), answer)
    const stats = await client.ask('stats\r\n')
    return ['cas_hits', 'cas_misses', 'cas_badval'].map((name) => Number(new RegExp(`${name} (\\d+)`).exec(stats)![1]))
  }
  assert.deepEqual(await asked('cas a 0 0 1 0\r\nx\r\n', 'NOT_FOUND\r\n'), [0, 1, 0])
  assert.deepEqual(await asked('ms a 1 MA C5\r\nx\r\n', 'NS\r\n'), [0, 1, 0])
  assert.deepEqual(await asked('ms a 1 C5\r\nx\r\n', 'NF\r\n'), [0, 2, 0])
  await client.ask('set a 0 0 1\r\nx\r\n')
  const cas = async () => /c(\d+)/.exec(await client.ask('mg a c\r\n'))![1]
  assert.deepEqual(await asked('cas a 0 0 1 0\r\nx\r\n', 'EXISTS\r\n'), [0, 2, 1])
  assert.deepEqual(await asked('ms a 1 MA C999\r\nx\r\n', 'EX\r\n'), [0, 2, 1])
  assert.deepEqual(await asked(`ms a 1 MA C${await cas()}\r\nx\r\n`, 'HD\r\n'), [0, 2, 1])
  assert.deepEqual(await asked(`ms a 1 C${await cas()}\r\nx\r\n`, 'HD\r\n'), [1, 2, 1])
  // An older number than the item's, where that is to make it stale.
  assert.deepEqual(await asked('ms a 1 I C1\r\nx\r\n', 'HD\r\n'), [2, 2, 1])
})
