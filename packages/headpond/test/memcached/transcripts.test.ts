/** Plays the conversations in `transcripts` over a socket. `interop` plays the same against memcached. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createServer } from '#src/server/create-server.ts'
import { play } from './transcript.ts'

const TRANSCRIPTS = new URL('../../test/memcached/transcripts/', import.meta.url)

for (const name of readdirSync(TRANSCRIPTS)) {
  test(name, async () => {
    const path = fileURLToPath(new URL(name, TRANSCRIPTS))
    const expected = readFileSync(path, 'utf8')
    const server = await createServer()
    try {
      const actual = await play(expected, {
        port: Number(server.urls.memcached.split(':')[1]),
        wait: async (seconds) => server.clock.advance(`${seconds}s`),
        plays: (only) => only === 'headpond',
      })
      if (process.env['UPDATE']) writeFileSync(path, actual)
      else assert.equal(actual, expected)
    } finally {
      await server.close()
    }
  })
}
