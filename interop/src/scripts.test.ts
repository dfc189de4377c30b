/**
 * The same random Lua scripts to Headpond and to redis-server: replies, and the data that they leave, must agree to the
 * byte, the messages of errors and their line numbers included.
 *
 *   SEED=<n> SCRIPTS=<n> npm run interop -- scripts
 *
 * What scripts return is text that they made themselves of every value; other replies come from the transcripts.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { RawClient } from 'headpond/test/raw-client.ts'
import { ScriptGenerator } from 'headpond/test/scripting/script-generator.ts'
import { chooseSeed, SeededRandom } from 'headpond/test/seeded-random.ts'
import { RedisServer } from './redis-server.ts'

const SCRIPT_COUNT = Number(process.env['SCRIPTS'] ?? 3000)
const RESET_EVERY = 25
const FAILURES_MAX = 3

test('random scripts come to the same, and leave the same', async (t) => {
  const seed = chooseSeed()
  const random = new SeededRandom(seed)
  const redis = await RedisServer.start()
  const headpond = await createServer({ enableDebugCommand: 'yes' })
  const clients = [await redis.connect(), await RawClient.connect(headpond.port)]
  const ask = (...args: string[]) => Promise.all(clients.map((client) => client.call(...args)))
  const failures: string[] = []
  try {
    const generator = new ScriptGenerator(random, { isHostile: false })
    for (let number = 0; number < SCRIPT_COUNT && failures.length < FAILURES_MAX; number++) {
      if (number % RESET_EVERY === 0) {
        const [theirs, ours] = await ask('DEBUG', 'DIGEST')
        if (theirs !== ours) failures.push(`SEED=${seed}: the data differ before script ${number}`)
        await ask('FLUSHALL')
      }
      const script = generator.script()
      const [theirs, ours] = await ask('EVAL', script, '1', 'own:1')
      if (theirs === ours) continue
      const differing = ours.split('\n').flatMap((line, index) => {
        const theirLine = theirs.split('\n')[index]
        return line === theirLine ? [] : [`  redis:    ${theirLine}`, `  headpond: ${line}`]
      })
      const body = script.slice(script.indexOf('note(pcall('))
      failures.push([`SEED=${seed}, script ${number}:`, body, ...differing.slice(0, 10)].join('\n'))
    }
    t.diagnostic(`${SCRIPT_COUNT} scripts compared with redis-server ${redis.version}`)
    assert.ok(failures.length === 0, `\n${failures.join('\n\n')}\n`)
  } finally {
    for (const client of clients) client.close()
    await headpond.close()
    await redis.stop()
  }
})
