import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { LocalClient } from '#src/server/local-client.ts'
import { Server } from '#src/server/server.ts'

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
