/** The conversations of the unit tests, with memcached: what they expect is what it answers. UPDATE=1 takes it over. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { play } from 'headpond/test/memcached/transcript.ts'
import { MemcachedServer } from './memcached-server.ts'

const TRANSCRIPTS = new URL('../../packages/headpond/test/memcached/transcripts/', import.meta.url)

for (const name of readdirSync(TRANSCRIPTS)) {
  test(name, async () => {
    const path = new URL(name, TRANSCRIPTS)
    const expected = readFileSync(path, 'utf8')
    const memcached = await MemcachedServer.start()
    try {
      const actual = await play(expected, {
        port: memcached.port,
        wait: (seconds) => sleep(seconds * 1000),
        plays: (only) => only === 'memcached',
      })
      if (process.env['UPDATE']) writeFileSync(path, actual)
      else assert.equal(actual, expected)
    } finally {
      await memcached.stop()
    }
  })
}
