/** Client-side caching with a second connection for messages: what everybody receives is what redis-server sends. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { RawClient } from 'headpond/test/raw-client.ts'
import { playRedirection } from 'headpond/test/resp/redirection.ts'
import { RedisServer } from './redis-server.ts'

test('redirected invalidation messages are those of redis-server', async () => {
  const redis = await RedisServer.start()
  const headpond = await createServer()
  try {
    const theirs = await playRedirection(() => redis.connect())
    const ours = await playRedirection(() => RawClient.connect(headpond.port))
    assert.equal(ours, theirs)
  } finally {
    await headpond.close()
    await redis.stop()
  }
})
