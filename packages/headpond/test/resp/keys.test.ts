import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { createServer, type HeadpondServer } from '#src/server/create-server.ts'

let server: HeadpondServer

before(async () => {
  server = await createServer({ enableDebugCommand: 'yes' })
})
beforeEach(() => server.reset())
after(() => server.close())

async function setKeys(count: number, prefix = 'key:'): Promise<void> {
  const chunk = 1000
  for (let from = 0; from < count; from += chunk) {
    const indices = Array.from({ length: Math.min(chunk, count - from) }, (_, index) => from + index)
    await server.execute('MSET', ...indices.flatMap((index) => [`${prefix}${index}`, 'v']))
  }
}

async function scan(cursor: string, ...options: (string | number)[]): Promise<[string, string[]]> {
  return (await server.execute('SCAN', cursor, ...options)) as [string, string[]]
}

/** A whole walk; `between` runs after each call. */
async function walk(options: (string | number)[], between: () => Promise<void> = async () => {}): Promise<string[]> {
  const found: string[] = []
  let cursor = '0'
  do {
    const [next, keys] = await scan(cursor, ...options)
    found.push(...keys)
    cursor = next
    await between()
  } while (cursor !== '0')
  return found
}

test('SCAN COUNT n answers about n keys at a time', async () => {
  await setKeys(20_000)
  for (const count of [10, 100, 1000]) {
    let cursor = '0'
    let calls = 0
    do {
      const [next, keys] = await scan(cursor, 'COUNT', count)
      if (next !== '0') {
        assert.ok(keys.length >= count && keys.length <= count + 20, `${keys.length} keys for COUNT ${count}`)
      }
      cursor = next
      calls++
    } while (cursor !== '0')
    assert.ok(calls <= 20_000 / count + 1)
  }
})

test('SCAN shows every key that stays, once, while others come and go by the thousand', async () => {
  await setKeys(3000, 'stays:')
  let round = 0
  const found = await walk(['COUNT', 50], async () => {
    round++
    if (round > 60) return
    if (round % 2 === 1) await setKeys(5000, 'passes:')
    else await server.execute('UNLINK', ...Array.from({ length: 5000 }, (_, index) => `passes:${index}`))
  })
  const staying = found.filter((key) => key.startsWith('stays:'))
  assert.equal(staying.length, 3000)
  assert.equal(new Set(found).size, found.length)
})

test('SCAN and KEYS leave out what has expired, and SCAN deletes it', async () => {
  await server.execute('DEBUG', 'SET-ACTIVE-EXPIRE', 0)
  await setKeys(100)
  for (let index = 0; index < 50; index++) await server.execute('PEXPIRE', `key:${index}`, 1000)
  server.clock.advance('2s')
  assert.equal(await server.execute('DBSIZE'), 100)
  assert.equal(((await server.execute('KEYS', '*')) as string[]).length, 50)
  assert.equal(await server.execute('DBSIZE'), 100)
  assert.equal((await walk(['COUNT', 7])).length, 50)
  assert.equal(await server.execute('DBSIZE'), 50)
  await server.execute('DEBUG', 'SET-ACTIVE-EXPIRE', 1)
})

test('RANDOMKEY answers no key that has expired, and nil when all have', async () => {
  await server.execute('DEBUG', 'SET-ACTIVE-EXPIRE', 0)
  await setKeys(20)
  for (let index = 0; index < 19; index++) await server.execute('PEXPIRE', `key:${index}`, 1000)
  server.clock.advance('2s')
  assert.equal(await server.execute('RANDOMKEY'), 'key:19')
  await server.execute('PEXPIRE', 'key:19', 1000)
  server.clock.advance('2s')
  assert.equal(await server.execute('RANDOMKEY'), null)
  assert.equal(await server.execute('DBSIZE'), 0)
  await server.execute('DEBUG', 'SET-ACTIVE-EXPIRE', 1)
})

test('WAIT for a replica waits until its time is up, and holds up nobody else', async () => {
  const client = server.client()
  let answer: unknown
  const waiting = client.execute('WAIT', 1, 5000).then((reply) => {
    answer = reply
  })
  assert.equal(await server.execute('PING'), 'PONG')
  server.clock.advance('4s')
  assert.equal(await server.execute('PING'), 'PONG')
  assert.equal(answer, undefined)
  server.clock.advance('2s')
  await waiting
  assert.equal(answer, 0)
  client.close()
})

test('a value restored from its dump is the same, whatever it is', async () => {
  const client = server.client({ binary: true })
  const values = [
    Buffer.alloc(0),
    Buffer.from('-2147483648'),
    Buffer.from('2147483648'),
    Buffer.from('007'),
    Buffer.from([0, 255, 13, 10]),
    Buffer.alloc(70_000, 'abc'),
    Buffer.from(Array.from({ length: 40_000 }, (_, index) => (index * 7919) % 251)),
  ]
  for (const value of values) {
    await client.execute('SET', 'from', value)
    const payload = (await client.execute('DUMP', 'from')) as Buffer
    await client.execute('RESTORE', 'to', 0, payload, 'REPLACE')
    assert.deepEqual(await client.execute('GET', 'to'), value)
  }
  client.close()
})

test('FLUSHDB SYNC answers when the memory is back', async () => {
  await setKeys(10, 'other:')
  const client = server.client()
  await client.execute('SELECT', 1)
  const usedBytes = async () =>
    Number(/used_memory_dataset:(\d+)/.exec(String(await server.execute('INFO', 'memory')))?.[1])
  const before = await usedBytes()
  for (let index = 0; index < 1000; index++) await client.execute('SET', `key:${index}`, 'v'.repeat(1000))
  assert.ok((await usedBytes()) > before + 1_000_000)
  await client.execute('FLUSHDB', 'SYNC')
  assert.ok((await usedBytes()) < before + 100_000)
  client.close()
})
