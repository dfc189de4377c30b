import assert from 'node:assert/strict'
import * as nodeTest from 'node:test'
import { Redis } from 'ioredis'
import { type TestHooks, useHeadpond } from '#src/testing/index.ts'
import { RawClient } from '../raw-client.ts'

const { test } = nodeTest
const headpond = useHeadpond(nodeTest)

test('a server is there, under an address for any client', async () => {
  const redis = new Redis(headpond.url)
  assert.equal(await redis.set('left behind', '1'), 'OK')
  assert.equal(headpond.env['REDIS_URL'], headpond.url)
  redis.disconnect()
})

test('it is empty before each test', async () => {
  assert.equal(await headpond.server.execute('DBSIZE'), 0)
})

/** Hooks that are run by hand, as a runner with several files in one worker would. */
function runner() {
  const callbacks: Record<'beforeAll' | 'beforeEach' | 'afterAll', (() => Promise<void>)[]> = {
    beforeAll: [],
    beforeEach: [],
    afterAll: [],
  }
  const hooks: TestHooks = {
    beforeAll: (callback) => callbacks.beforeAll.push(callback),
    beforeEach: (callback) => callbacks.beforeEach.push(callback),
    afterAll: (callback) => callbacks.afterAll.push(callback),
  }
  return {
    hooks,
    run: async (name: keyof typeof callbacks) => {
      for (const callback of callbacks[name]) await callback()
    },
  }
}

test('files of one worker share a server, which ends with the last of them', async () => {
  const first = runner()
  const second = runner()
  const other = runner()
  const options = { databases: 5 }
  const inFirst = useHeadpond(first.hooks, options)
  const inSecond = useHeadpond(second.hooks, options)
  const inOther = useHeadpond(other.hooks, { databases: 6 })
  assert.throws(() => inFirst.url, /from beforeAll to afterAll/)
  await first.run('beforeAll')
  await second.run('beforeAll')
  await other.run('beforeAll')
  assert.equal(inFirst.url, inSecond.url)
  assert.notEqual(inFirst.url, inOther.url)
  await first.run('afterAll')
  assert.throws(() => inFirst.url, /from beforeAll to afterAll/)
  assert.equal(await inSecond.server.execute('PING'), 'PONG')
  const { port } = inSecond.server
  await second.run('afterAll')
  await other.run('afterAll')
  await assert.rejects(RawClient.connect(port), { code: 'ECONNREFUSED' })
})

test('data may be kept from one test to the next', async () => {
  const { hooks, run } = runner()
  const keeping = useHeadpond(hooks, { emptyBeforeEach: false, databases: 7 })
  await run('beforeAll')
  await keeping.server.execute('SET', 'k', 'v')
  await run('beforeEach')
  assert.equal(await keeping.server.execute('GET', 'k'), 'v')
  await run('afterAll')
})

test('without hooks there is a clear error', () => {
  assert.throws(() => useHeadpond(), /give the module of your test runner/)
})
