import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createServer, type HeadpondServer } from '#src/index.ts'

let server: HeadpondServer
before(async () => {
  server = await createServer({ memcachedPort: 0 })
})
after(() => server.close())

const execute = (...args: (string | number)[]) => server.execute(...args)

async function configure(name: string, value: string): Promise<void> {
  await execute('CONFIG', 'SET', `lazyfree-lazy-${name}`, value)
}

/** Objects that INFO counts as freed in the background when `deletion` has run and all is freed. */
async function countFreed(deletion: () => Promise<unknown>): Promise<number> {
  await execute('CONFIG', 'RESETSTAT')
  await deletion()
  server.clock.advance(1) // does all background work
  const info = String(await execute('INFO', 'memory'))
  assert.match(info, /lazyfree_pending_objects:0\r\n/)
  return Number(/lazyfreed_objects:(\d+)/.exec(info)?.[1])
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `member ${index}`)
const addSet = (key: string, count: number) => execute('SADD', key, ...numbers(count))

/** Sets that Redis keeps as tables, whose freeing costs more than 64 steps. */
const SIZES = [129, 300, 5000]

test('UNLINK counts values of more than 64 elements that stand alone; smaller and packed ones are freed at once', async () => {
  for (const size of SIZES) {
    await addSet('set', size)
    assert.equal(await countFreed(() => execute('UNLINK', 'set')), 1, String(size))
  }
  await addSet('packed', 100)
  await execute('SET', 'text', 'x'.repeat(100_000))
  assert.equal(await countFreed(() => execute('UNLINK', 'packed', 'text')), 0)
})

/** Each directive, and a deletion that it speaks of, of `count` sets of so many elements. */
const deletions: readonly [directive: string, run: (keys: string[]) => Promise<unknown>][] = [
  ['user-del', (keys) => execute('DEL', ...keys)],
  ['server-del', (keys) => Promise.all(keys.map((key) => execute('SET', key, 'x')))],
  ['server-del', (keys) => Promise.all(keys.map((key) => execute('SINTERSTORE', key, 'nosuch')))],
  [
    'server-del',
    async (keys) => {
      await execute('SET', 'source', 'x')
      for (const key of keys) await execute('COPY', 'source', key, 'REPLACE')
    },
  ],
  ['expire', (keys) => Promise.all(keys.map((key) => execute('PEXPIRE', key, -1)))],
  [
    'expire',
    async (keys) => {
      for (const key of keys) await execute('PEXPIRE', key, 10)
      server.clock.advance(10)
    },
  ],
]

for (const [index, [directive, run]] of deletions.entries()) {
  test(`lazyfree-lazy-${directive} decides whether deletions of its kind count (${index})`, async () => {
    const keys = SIZES.map((size) => `set:${size}`)
    for (const [value, expected] of [
      ['no', 0],
      ['yes', keys.length],
    ] as const) {
      await configure(directive, value)
      await execute('FLUSHALL')
      for (const size of SIZES) await addSet(`set:${size}`, size)
      assert.equal(await countFreed(() => run(keys)), expected, value)
      // The other directives do not speak of it.
      await configure(directive, 'no')
    }
  })
}

test('lazyfree-lazy-user-flush: FLUSHALL and FLUSHDB that say nothing are ASYNC, and every key counts', async () => {
  await execute('FLUSHALL')
  const fill = async () => {
    await execute('MSET', ...numbers(20))
    await addSet('large', 5000)
    await execute('SELECT', 1)
    await execute('SET', 'other', 'x')
    await execute('SELECT', 0)
  }
  for (const [value, command, expected] of [
    ['no', ['FLUSHDB'], 0],
    ['no', ['FLUSHALL'], 0],
    ['no', ['FLUSHDB', 'ASYNC'], 11],
    ['no', ['FLUSHALL', 'ASYNC'], 12],
    ['yes', ['FLUSHDB'], 11],
    ['yes', ['FLUSHALL'], 12],
    ['yes', ['FLUSHDB', 'SYNC'], 0],
    ['yes', ['FLUSHALL', 'SYNC'], 0],
  ] as const) {
    await configure('user-flush', value)
    await fill()
    assert.equal(await countFreed(() => execute(...command)), expected, `${value} ${command.join(' ')}`)
    await execute('FLUSHALL', 'SYNC')
  }
})

test('SCRIPT FLUSH and FUNCTION FLUSH in the background count what they forget, when that is more than 64', async () => {
  const library = (count: number) =>
    `#!lua name=many\n${numbers(count)
      .map((_, index) => `redis.register_function('f${index}', function() end)`)
      .join('\n')}`
  const fills: Record<string, (count: number) => Promise<unknown>> = {
    SCRIPT: (count) => Promise.all(numbers(count).map((text) => execute('SCRIPT', 'LOAD', `return '${text}'`))),
    FUNCTION: (count) => execute('FUNCTION', 'LOAD', library(count)),
  }
  for (const [container, fill] of Object.entries(fills)) {
    for (const [value, count, mode, expected] of [
      ['no', 65, ['ASYNC'], 65],
      ['no', 64, ['ASYNC'], 0],
      ['no', 65, [], 0],
      ['yes', 65, [], 65],
      ['yes', 65, ['SYNC'], 0],
    ] as const) {
      await configure('user-flush', value)
      await fill(count)
      const flush = () => execute(container, 'FLUSH', ...mode)
      assert.equal(await countFreed(flush), expected, `${container} ${value} ${count} ${mode.join()}`)
    }
  }
})
