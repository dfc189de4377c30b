/** Requests of one turn of the event loop have so much time; what is left goes on in the next, in order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiVersionsRequest, apiVersionsResponse } from '#src/kafka/schemas/api-versions.ts'
import { TurnBudget } from '#src/kafka/turn-budget.ts'
import { startBroker } from './test-broker.ts'

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A session each of whose requests takes that long, and a world in which time passes by nothing else. */
function world() {
  let nowMs = 0
  const ran: string[] = []
  const budget = new TurnBudget(() => nowMs)
  const session = (name: string, requestCount: number, tookMs: number) => {
    const self = { isDeferred: false, isGone: false, connection: { resume: () => run() } }
    let left = requestCount
    const run = () => {
      for (; left > 0; left--) {
        if (!budget.hasTime()) return budget.defer(self)
        nowMs += tookMs
        ran.push(name)
      }
    }
    return { self, run }
  }
  return { ran, session }
}

test('a turn ends with the request that uses its time up; the others wait their turn', async () => {
  const { ran, session } = world()
  const [a, b, c] = [session('a', 4, 0.3), session('b', 2, 0.3), session('c', 1, 0.3)]
  for (const { run } of [a, b, c]) run()
  assert.deepEqual(ran, ['a', 'a'])
  assert.deepEqual([a.self.isDeferred, b.self.isDeferred, c.self.isDeferred], [true, true, true])
  await nextTurn()
  assert.deepEqual(ran.slice(2), ['a', 'a'])
  await nextTurn()
  assert.deepEqual(ran.slice(4), ['b', 'b'])
  await nextTurn()
  assert.deepEqual(ran.slice(6), ['c'])
  assert.deepEqual([a.self.isDeferred, b.self.isDeferred, c.self.isDeferred], [false, false, false])
})

test('whoever has been put off longest goes on first', async () => {
  const { ran, session } = world()
  const [a, b, c] = [session('a', 1, 1), session('b', 2, 1), session('c', 1, 1)]
  for (const { run } of [a, b, c]) run()
  await nextTurn()
  await nextTurn()
  await nextTurn()
  assert.deepEqual(ran, ['a', 'b', 'c', 'b'])
})

test('one that is gone is not asked any more', async () => {
  const { ran, session } = world()
  const [a, b] = [session('a', 1, 1), session('b', 1, 1)]
  for (const { run } of [a, b]) run()
  b.self.isGone = true
  await nextTurn()
  await nextTurn()
  assert.deepEqual(ran, ['a'])
})

test('many requests at once of one who shuts down its side are all answered, in order', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  const asked = { clientSoftwareName: 'many', clientSoftwareVersion: '1' }
  const requests = Array.from({ length: 2000 }, (_, index) => client.encode(apiVersionsRequest, 3, asked, index))
  client.sendBytes(Buffer.concat(requests))
  client.socket.end()
  for (let index = 0; index < requests.length; index++) {
    const { errorCode } = await client.receive(apiVersionsResponse, 3, index)
    assert.equal(errorCode, 0)
  }
  await client.closed
})
