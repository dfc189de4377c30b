import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { createServer } from '#src/index.ts'
import { LocalClient } from '#src/server/local-client.ts'
import { Server } from '#src/server/server.ts'
import { RawClient } from '../raw-client.ts'

test('the slow log keeps as many of the newest as it may, through many rounds', async () => {
  const config = Config.load({ options: { port: 0, save: [], appendonly: 'no' } as never })
  const server = new Server({ config, log: { info() {}, warn() {}, error() {} }, firstArenaBytes: 2 ** 20 })
  const client = new LocalClient(server.resp)
  let setCount = 0
  const set = async (max: number) => {
    await client.execute('CONFIG', 'SET', 'slowlog-log-slower-than', -1)
    await client.execute('SLOWLOG', 'RESET')
    await client.execute('CONFIG', 'SET', 'slowlog-max-len', max)
    await client.execute('CONFIG', 'SET', 'slowlog-log-slower-than', 0)
  }
  for (const max of [7, 1, 0, 3]) {
    await set(max)
    const added: string[] = []
    for (let round = 0; round < 40; round++) {
      added.unshift(`key ${setCount++}`)
      await client.execute('SET', added[0], 'value')
      const { slowLog } = server.resp
      const names = (count: number) =>
        slowLog.newest(count).flatMap(({ args }) => (String(args[0]) === 'SET' ? [String(args[1])] : []))
      assert.equal(slowLog.length <= max, true)
      assert.deepEqual(names(max), added.slice(0, names(max).length))
      if (round > max) assert.equal(names(max).length, max)
      assert.deepEqual(names(2), added.slice(0, Math.min(2, max)).slice(0, names(2).length))
    }
  }
})

test('requests and replies are logged by their sizes on the wire, in logs of their own', async () => {
  await using server = await createServer()
  const client = await RawClient.connect(server.port)
  const logged = async (type: string) => {
    const entries = (await server.execute('COMMANDLOG', 'GET', -1, type)) as [number, number, number, string[]][]
    return entries.map(([id, , bytes, args]) => [id, bytes, args[0], args.length])
  }
  try {
    await client.call('CONFIG', 'SET', 'commandlog-request-larger-than', '1035')
    await client.call('CONFIG', 'SET', 'commandlog-reply-larger-than', '1009')
    const value = 'x'.repeat(1000)
    await client.call('SET', 'a', value) // *3 $3 SET $1 a $1000 ...: 4 + 9 + 7 + 1009 bytes
    await client.call('SET', 'key', `${value}1234`) // 4 + 9 + 9 + 1013
    await client.call('GET', 'a') // $1000 ...: 1009
    await client.call('GETRANGE', 'a', '0', '998')
    await client.call('EVAL', "return redis.call('GET', 'a')", '0')
    await client.call('MULTI')
    await client.call('GET', 'a')
    await client.call('EXEC')
    client.sendBytes(Buffer.from('GET key\r\nPING\r\nGET key\r\n'))
    for (let replies = 0; replies < 3; replies++) await client.next()
    assert.deepEqual(await logged('large-request'), [[0, 1035, 'SET', 3]])
    assert.deepEqual(await logged('LARGE-REPLY'), [
      [4, 1013, 'GET', 2],
      [3, 1013, 'GET', 2],
      [2, 1009, 'GET', 2],
      [1, 1009, 'EVAL', 3],
      [0, 1009, 'GET', 2],
    ])
    assert.equal(await server.execute('COMMANDLOG', 'LEN', 'large-reply'), 5)
    assert.equal(await server.execute('COMMANDLOG', 'RESET', 'large-reply'), 'OK')
    assert.equal(await server.execute('COMMANDLOG', 'LEN', 'large-reply'), 0)
    assert.equal(await server.execute('COMMANDLOG', 'LEN', 'large-request'), 1)

    await client.call('CONFIG', 'SET', 'commandlog-reply-larger-than', '-1')
    await client.call('GET', 'a')
    await client.call('CONFIG', 'SET', 'commandlog-reply-larger-than', '0', 'commandlog-large-reply-max-len', '0')
    await client.call('GET', 'a')
    assert.equal(await server.execute('COMMANDLOG', 'LEN', 'large-reply'), 0)
    await client.call('CONFIG', 'SET', 'commandlog-large-reply-max-len', '2')
    for (let calls = 0; calls < 5; calls++) await client.call('PING')
    assert.equal(await server.execute('COMMANDLOG', 'LEN', 'large-reply'), 2)
  } finally {
    client.close()
  }
})
