/** Kafka Streams: exactly once although its process is killed, and joins and windows although it begins anew without its state. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type CreateServerOptions, createServer } from 'headpond'
import { ForeignClient, type ForeignCommands } from './foreign-client.ts'
import { streamsProgram } from './streams-program.ts'

const TIMEOUT_MS = 60_000

const program = streamsProgram()
const skip = 'reason' in program ? program.reason : false

async function start(t: TestContext, app: 'word-count' | 'joins', options: CreateServerOptions) {
  if ('reason' in program) throw new Error(program.reason)
  const directory = mkdtempSync(join(tmpdir(), 'headpond-streams-'))
  const server = await createServer(options)
  let client = new ForeignClient(program)
  const call = <C extends 'start' | 'stop' | 'version'>(command: C, args: ForeignCommands[C]['args']) =>
    client.call(server, command, args)
  t.after(async () => {
    await client.stop()
    await server.close()
    rmSync(directory, { recursive: true, force: true })
  })
  t.diagnostic(`Kafka Streams ${await call('version', {})}`)
  return {
    server,
    startApp: async () => {
      assert.equal(await call('start', { app, state_dir: directory }), 'RUNNING')
    },
    stopApp: () => call('stop', {}),
    killApp: async () => {
      await client.stop()
      if ('reason' in program) throw new Error(`no Streams: ${program.reason}`)
      client = new ForeignClient(program)
    },
    forgetState: () => rmSync(directory, { recursive: true, force: true }),
  }
}

test('a word count, exactly once, that is killed in the middle', { skip }, async (t) => {
  const { server, startApp, stopApp, killApp } = await start(t, 'word-count', {
    kafka: { topics: { lines: 2, counts: 2 } },
  })
  const LINES = 400
  const produceLines = (from: number, to: number) =>
    server.kafka.produce(
      'lines',
      Array.from({ length: to - from }, (_each, index) => ({
        key: String(from + index),
        value: `alpha beta w${(from + index) % 10}`,
      })),
    )
  await startApp()
  await produceLines(0, 100)
  await server.kafka.waitForRecords('counts', 300, { timeoutMs: TIMEOUT_MS })
  // Killed with a transaction open, in all likelihood: whatever was in it comes again.
  await produceLines(100, LINES)
  await server.kafka.waitForRecords('counts', 301, { timeoutMs: TIMEOUT_MS })
  await killApp()
  // Its session, and what it had left open, end when their time has passed.
  server.clock.advance('2m')
  await startApp()
  const counts = await server.kafka.waitForRecords('counts', LINES * 3, { timeoutMs: TIMEOUT_MS })
  await stopApp()
  assert.equal((await server.kafka.records('counts')).length, LINES * 3)
  const told = new Map<string, number[]>()
  for (const { key, value } of counts) told.set(key!, [...(told.get(key!) ?? []), Number(value)])
  assert.equal(told.size, 12)
  for (const [word, sequence] of told) {
    const total = word.startsWith('w') ? LINES / 10 : LINES
    assert.deepEqual(
      sequence,
      Array.from({ length: total }, (_each, index) => index + 1),
      word,
    )
  }
})

test('joins and windows, over a restart that finds no state on the disk', { skip }, async (t) => {
  const topics = Object.fromEntries(
    ['customers', 'orders', 'payments', 'shipments', 'enriched', 'paid', 'final-counts', 'addressed'].map((name) => [
      name,
      2,
    ]),
  )
  const { server, startApp, stopApp, forgetState } = await start(t, 'joins', { kafka: { topics } })
  // Of today, or retention would delete it; a window begins here.
  const begin = Math.floor(Date.now() / 10_000) * 10_000
  const at = (seconds: number) => begin + seconds * 1000
  const send = (topic: string, key: string, value: string, seconds: number) =>
    server.kafka.produce(topic, { key, value, timestamp: at(seconds) })
  const shown = async (topic: string, count: number) => {
    const records = await server.kafka.waitForRecords(topic, count, { timeoutMs: TIMEOUT_MS })
    return records.map(({ key, value }) => `${key}: ${value}`).sort()
  }
  await send('customers', 'c1', 'Ada', 0)
  await send('customers', 'c2', 'Bob', 0)
  await send('shipments', 's1', 'c1', 1)
  await startApp()
  assert.deepEqual(await shown('addressed', 1), ['s1: to Ada'])
  await send('orders', 'c1', 'tea', 1)
  await send('orders', 'c1', 'mug', 2)
  assert.deepEqual(await shown('enriched', 2), ['c1: mug for Ada', 'c1: tea for Ada'])
  await send('payments', 'c1', 'card', 8)
  assert.deepEqual(await shown('paid', 2), ['c1: mug paid by card', 'c1: tea paid by card'])
  assert.equal(await stopApp(), 'stopped')
  forgetState()
  server.clock.advance('1m') // it leaves its group by silence alone
  await startApp()
  // What was stored before the restart: the table, the window that is open, the stream that waits for payments.
  await send('orders', 'c1', 'pot', 9)
  assert.deepEqual((await shown('enriched', 3)).at(1), 'c1: pot for Ada')
  await send('payments', 'c1', 'cash', 11)
  assert.deepEqual((await shown('paid', 6)).sort(), [
    'c1: mug paid by card',
    'c1: mug paid by cash',
    'c1: pot paid by card',
    'c1: pot paid by cash',
    'c1: tea paid by card',
    'c1: tea paid by cash',
  ])
  await send('shipments', 's2', 'c2', 12)
  await send('customers', 'c1', 'Ada Lovelace', 13)
  assert.deepEqual(await shown('addressed', 3), ['s1: to Ada', 's1: to Ada Lovelace', 's2: to Bob'])
  // A window is told of once, when it and its grace are over; of the late one nobody knows.
  await send('orders', 'c1', 'later', 26)
  assert.deepEqual(await shown('final-counts', 1), [`c1@${at(0)}: 3`])
  await send('orders', 'c1', 'too late', 3)
  await send('orders', 'c1', 'much later', 50)
  assert.deepEqual(await shown('final-counts', 2), [`c1@${at(0)}: 3`, `c1@${at(20)}: 1`])
  await stopApp()
})
