import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from '#src/server/create-server.ts'
import { ByteClient } from './byte-client.ts'

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
