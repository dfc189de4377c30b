import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { CreateServerOptions } from '#src/server/create-server.ts'
import { startBroker, type TestBroker } from '../test-broker.ts'
import { GroupClient } from './group-client.ts'

function start(t: TestContext, options: CreateServerOptions = {}): Promise<TestBroker> {
  return startBroker(t, { 'kafka.group.initial.rebalance.delay.ms': 0, ...options })
}

test('a member joins, leads, syncs and lives', async (t) => {
  const broker = await start(t)
  const client = new GroupClient(await broker.connect(), 'g')
  const joined = await client.enter()
  assert.equal(joined.error, 'NONE')
  assert.equal(joined.leader, joined.memberId)
  const synced = await client.sync(joined.memberId, 1, { [joined.memberId]: 'everything' })
  assert.equal(synced.text, 'everything')
  assert.equal(await client.heartbeat(joined.memberId, 1), 'NONE')
  assert.equal(await client.heartbeat(joined.memberId, 2), 'ILLEGAL_GENERATION')
  assert.equal(await client.heartbeat('somebody', 1), 'UNKNOWN_MEMBER_ID')
})
