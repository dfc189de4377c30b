/** Bytes that are no clean request: what redis-server answers, and whether it goes on listening. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { RawClient } from 'headpond/test/raw-client.ts'
import { malformed, SAMPLES } from 'headpond/test/resp/malformed.ts'
import { chooseSeed, SeededRandom } from 'headpond/test/seeded-random.ts'
import { RedisServer } from './redis-server.ts'

/** What comes back until the connection is closed, or nothing more comes, told by a second connection. */
async function answerTo(port: number, bytes: Uint8Array, control: RawClient): Promise<string> {
  const client = await RawClient.connect(port)
  const received: Buffer[] = []
  client.socket.removeAllListeners('data')
  client.socket.on('data', (chunk: Buffer) => received.push(chunk))
  client.sendBytes(bytes)
  let quietRounds = 0
  for (let size = -1; !client.isClosed && quietRounds < 3; ) {
    await control.call('PING')
    await new Promise((resolve) => setTimeout(resolve, 1))
    const sizeNow = received.reduce((total, chunk) => total + chunk.length, 0)
    quietRounds = sizeNow === size ? quietRounds + 1 : 0
    size = sizeNow
  }
  const answer = Buffer.concat(received).toString('latin1') + (client.isClosed ? '(closed)' : '')
  client.close()
  return answer
}

/** See differences.md: what can never become valid is refused before Redis refuses it. */
function isRefusedEarly(theirs: string, ours: string): boolean {
  return ours.startsWith(theirs) && /^-ERR Protocol error: [^\r]*\r\n\(closed\)$/.test(ours.slice(theirs.length))
}

test('malformed requests are answered as redis-server answers them', async (t) => {
  const redis = await RedisServer.start()
  const headpond = await createServer({ ephemeral: true })
  t.diagnostic(`compared with redis-server ${redis.version}`)
  const random = new SeededRandom(chooseSeed())
  try {
    const controls = { redis: await redis.connect(), headpond: await RawClient.connect(headpond.port) }
    const inputs = [...SAMPLES, ...Array.from({ length: 1500 }, () => malformed(random))]
    const differences: unknown[] = []
    let earlyCount = 0
    for (const input of inputs) {
      for (const control of Object.values(controls)) assert.equal(await control.call('FLUSHALL'), '+OK')
      const [theirs, ours] = await Promise.all([
        answerTo(redis.port, input, controls.redis),
        answerTo(headpond.port, input, controls.headpond),
      ])
      if (theirs === ours) continue
      if (isRefusedEarly(theirs, ours)) earlyCount++
      else differences.push({ input: input.subarray(0, 300).toString('latin1'), theirs, ours })
    }
    t.diagnostic(`${inputs.length} inputs, ${earlyCount} refused earlier`)
    assert.deepEqual(differences, [], `SEED=${random.seed}`)
    for (const control of Object.values(controls)) control.close()
  } finally {
    await redis.stop()
    await headpond.close()
  }
})

test('strangers are held as short as redis-server holds them', async () => {
  const redis = await RedisServer.start('--requirepass', 'secret')
  const headpond = await createServer({ ephemeral: true, requirepass: 'secret' })
  try {
    const controls = { redis: await redis.connect(), headpond: await RawClient.connect(headpond.port) }
    for (const input of [
      'PING\r\n',
      '*10\r\n$4\r\nPING\r\n',
      '*11\r\n',
      '*1\r\n$16384\r\n',
      '*1\r\n$16385\r\n',
      'GET 1 2 3 4 5 6 7 8 9 10 11 12\r\n',
      'SET k v\r\nNOSUCH\r\nGET\r\nQUIT\r\nPING\r\n',
      'AUTH wrong\r\nAUTH secret\r\nGET k\r\n*11\r\n',
    ]) {
      const bytes = Buffer.from(input)
      const theirs = await answerTo(redis.port, bytes, controls.redis)
      assert.equal(await answerTo(headpond.port, bytes, controls.headpond), theirs, JSON.stringify(input))
    }
    for (const control of Object.values(controls)) control.close()
  } finally {
    await redis.stop()
    await headpond.close()
  }
})
