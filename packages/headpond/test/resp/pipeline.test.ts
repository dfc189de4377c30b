import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from '#src/index.ts'
import { encodeCommand, RawClient } from '../raw-client.ts'
import { chooseSeed, SeededRandom } from '../seeded-random.ts'

/** So many that keys are fetched ahead (see src/store/key-prefetch.ts). */
const OTHER_KEYS = 20_000
const NAMES = 40
const ROUNDS = 60

/** Commands of which one may change what the next ones find, where they look, or whether they run at all. */
function randomCommand(random: SeededRandom): string[] {
  const key = () => `k:${random.below(NAMES)}`
  const keys = () => Array.from({ length: 1 + random.below(8) }, key)
  switch (random.below(22)) {
    case 0:
    case 1:
    case 2:
      return ['SET', key(), 'x'.repeat(random.below(100))]
    case 3:
    case 4:
      return ['GET', key()]
    case 5:
      return ['INCR', `n:${random.below(NAMES)}`]
    case 6:
      return ['DEL', ...keys()]
    case 7:
      return ['MSET', ...keys().flatMap((name) => [name, 'm'])]
    case 8:
      return ['MGET', ...keys()]
    case 9:
      return ['EXISTS', ...keys()]
    case 10:
      return ['RENAME', key(), key()]
    case 11:
      return ['APPEND', key(), 'y'.repeat(random.below(200))]
    case 12:
      return ['RPUSH', `l:${random.below(4)}`, 'a']
    case 13:
      return ['LPOP', `l:${random.below(4)}`]
    case 14:
      return ['SELECT', String(random.below(2))]
    case 15:
      return [['MULTI'], ['EXEC'], ['DISCARD']][random.below(3)]
    case 16:
      return [
        'EVAL',
        "redis.call('MSET', KEYS[1], ARGV[1], KEYS[2], ARGV[1]) return redis.call('MGET', KEYS[2], KEYS[1])",
        '2',
        key(),
        key(),
        'lua',
      ]
    case 17:
      return ['NOSUCH', key()]
    case 18:
      return ['GET']
    case 19:
      return ['GETDEL', key()]
    case 20:
      return ['SETRANGE', key(), String(random.below(300)), 'z']
    default:
      return ['PING']
  }
}

test('what a pipeline answers is what its commands answer one by one, wherever it is cut', async () => {
  const seed = chooseSeed()
  const random = new SeededRandom(seed)
  await using server = await createServer()
  await using plain = await createServer()
  const others = Object.fromEntries(Array.from({ length: OTHER_KEYS }, (_, index) => [`other:${index}`, 'v']))
  for (const each of [server, plain]) await each.seed(others)
  const piped = await RawClient.connect(Number(new URL(server.urls.redis).port))
  const single = await RawClient.connect(Number(new URL(plain.urls.redis).port))
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const commands = Array.from({ length: 1 + random.below(100) }, () => randomCommand(random))
      const bytes = Buffer.concat(commands.map(encodeCommand))
      let from = 0
      while (from < bytes.length) {
        const to = random.once(3) ? bytes.length : Math.min(bytes.length, from + 1 + random.below(2000))
        piped.sendBytes(bytes.subarray(from, to))
        from = to
        await new Promise((resolve) => setImmediate(resolve))
      }
      for (const [index, command] of commands.entries()) {
        const where = `seed ${seed}, round ${round}, command ${index}: ${command.join(' ').slice(0, 200)}`
        assert.equal(await piped.next(), await single.call(...command), where)
      }
    }
  } finally {
    piped.close()
    single.close()
  }
})
