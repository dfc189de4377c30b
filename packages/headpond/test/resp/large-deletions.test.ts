/** However a large value goes, it is out of sight at once, and its memory comes back in small steps between commands. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { LocalClient } from '#src/server/local-client.ts'
import { Server } from '#src/server/server.ts'

const ELEMENT_COUNT = 60_000
const ELEMENTS_A_COMMAND = 1000
const STEPS_MIN = 8

function start() {
  const config = Config.load({ options: { port: 'auto', bind: ['127.0.0.1'], ephemeral: true } })
  const server = new Server({ config, log: { info() {}, warn() {}, error() {} }, firstArenaBytes: 2 ** 24 })
  const client = new LocalClient(server.resp)
  return { store: server.store, execute: (...args: (string | number)[]) => client.execute(...args.map(String)) }
}

type Execute = ReturnType<typeof start>['execute']

/** Commands that add the elements from one index to another. */
const types: Record<string, (first: number, end: number) => (string | number)[][]> = {
  hash: (first, end) => [['HSET', 'big', ...indices(first, end).flatMap((index) => [`field:${index}`, 'value'])]],
  list: (first, end) => [['RPUSH', 'big', ...indices(first, end).map((index) => `element ${index} ${'x'.repeat(80)}`)]],
  set: (first, end) => [['SADD', 'big', ...indices(first, end).map((index) => `member:${index}`)]],
  'sorted set': (first, end) => [
    ['ZADD', 'big', ...indices(first, end).flatMap((index) => [index, `member:${index}`])],
  ],
  stream: (first, end) =>
    indices(first, end).map((index) => ['XADD', 'big', `${index + 1}-0`, 'field', 'x'.repeat(40)]),
}

const deletions: Record<string, (execute: Execute) => Promise<unknown>> = {
  UNLINK: (execute) => execute('UNLINK', 'big'),
  DEL: (execute) => execute('DEL', 'big'),
  'SET over it': (execute) => execute('SET', 'big', 'small'),
  'RENAME over it': async (execute) => {
    await execute('SET', 'small', 'value')
    await execute('RENAME', 'small', 'big')
  },
  'its time': (execute) => execute('PEXPIREAT', 'big', 1),
}

for (const [type, additions] of Object.entries(types)) {
  test(`a large ${type} that is deleted is freed in steps`, async () => {
    const { store, execute } = start()
    for (const [name, remove] of Object.entries(deletions)) {
      for (let first = 0; first < ELEMENT_COUNT; first += ELEMENTS_A_COMMAND) {
        for (const command of additions(first, first + ELEMENTS_A_COMMAND)) await execute(...command)
      }
      const fullBytes = store.heap.usedBytes
      await remove(execute)
      assert.notEqual(await execute('TYPE', 'big'), type === 'sorted set' ? 'zset' : type, name)
      const heldBytes = [store.heap.usedBytes]
      while (store.background(() => true)) heldBytes.push(store.heap.usedBytes)
      await execute('DEL', 'big')
      heldBytes.push(store.heap.usedBytes)
      const steps = heldBytes.slice(1).map((bytes, index) => heldBytes[index] - bytes)
      assert.ok(
        fullBytes - heldBytes[0] < fullBytes / 4,
        `${name}: ${fullBytes - heldBytes[0]} of ${fullBytes} bytes at once`,
      )
      assert.ok(steps.length > STEPS_MIN, `${name}: ${steps.length} steps`)
      assert.ok(Math.max(...steps) < fullBytes / 4, `${name}: ${Math.max(...steps)} of ${fullBytes} bytes in a step`)
      assert.ok(store.heap.usedBytes < fullBytes / 4, `${name}: ${store.heap.usedBytes} bytes are left of ${fullBytes}`)
    }
  })
}

function indices(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_each, offset) => first + offset)
}
