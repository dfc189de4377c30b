/** What groups are after a restart: what they were. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { deleteGroupsRequest, deleteGroupsResponse } from '#src/kafka/schemas/delete-groups.ts'
import { listGroupsRequest, listGroupsResponse } from '#src/kafka/schemas/list-groups.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { createServer, type HeadpondServer } from '#src/server/create-server.ts'
import { WireClient } from '../wire-client.ts'
import { createGroups, createTopics, GroupClient } from './group-client.ts'

// Whoever moves the clock by days does not mean that connections are idle.
const OPTIONS = {
  'kafka.group.initial.rebalance.delay.ms': 0,
  'kafka.connections.max.idle.ms': 1e12,
  kafkaPort: 'auto',
  save: '',
  appendonly: false,
} as const

interface Run {
  readonly server: HeadpondServer
  readonly wire: WireClient
  connect(): Promise<WireClient>
}

/** A directory, and servers in it, one after the other. */
function directoryOf(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-groups-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const serve = async (run: (run: Run) => Promise<void>): Promise<void> => {
    const server = await createServer({ ...OPTIONS, dir })
    const clients: WireClient[] = []
    const connect = async () => {
      const client = await WireClient.connect(server.urls.kafka!)
      clients.push(client)
      return client
    }
    try {
      const wire = await connect()
      await untilLoaded(wire)
      await run({ server, wire, connect })
    } finally {
      for (const client of clients) client.close()
      await server.close()
    }
  }
  return { serve }
}

/** Clients come again while groups are not known yet; here one waits for all of them. */
async function untilLoaded(wire: WireClient): Promise<void> {
  const filters = { statesFilter: [], typesFilter: [] }
  while ((await wire.call(listGroupsRequest, listGroupsResponse, 4, filters)).errorCode !== 0);
}

test('members of a live group go on after a restart as if nothing had been', async (t) => {
  const { serve } = directoryOf(t)
  let ids: string[] = []
  await serve(async ({ wire, connect }) => {
    await createTopics(wire, ['orders'])
    const [one, two] = [new GroupClient(wire, 'g'), new GroupClient(await connect(), 'g')]
    const a = await one.enterAlone({ groupInstanceId: 'one' })
    const entering = two.enter({ groupInstanceId: 'two' })
    await new GroupClient(await connect(), 'g').until(2)
    await one.join({ memberId: a.memberId, groupInstanceId: 'one' })
    const b = await entering
    ids = [a.memberId, b.memberId]
    await one.sync(ids[0], 2, { [ids[0]]: 'first', [ids[1]]: 'second' })
    await two.sync(ids[1], 2)
    const commits = [{ topic: 'orders', partition: 0, offset: 7, metadata: 'm', leaderEpoch: 3 }]
    await one.commit(commits, { memberId: ids[0], generationId: 2 })
  })
  await serve(async ({ server, wire }) => {
    const generationId = 2
    const client = new GroupClient(wire, 'g')
    const { groupState, protocolType, protocolData, members } = await client.describe()
    assert.deepEqual([groupState, protocolType, protocolData], ['Stable', 'consumer', 'range'])
    assert.deepEqual(
      members.map((member) => [member.memberId, member.groupInstanceId, String(member.memberAssignment)]).sort(),
      [
        [ids[0], 'one', 'first'],
        [ids[1], 'two', 'second'],
      ].sort(),
    )
    assert.equal(String(members[0].memberMetadata), 'what I want')
    assert.deepEqual(await client.offsets(null), ['orders/0: 7 m'])
    assert.equal(await client.heartbeat(ids[0], generationId), 'NONE')
    assert.equal((await client.sync(ids[1], generationId)).text, 'second')
    const commits = [{ topic: 'orders', partition: 0, offset: 8 }]
    assert.deepEqual(await client.commit(commits, { memberId: ids[0], generationId }), ['NONE'])
    // Whoever does not come back is missed a session later.
    server.clock.advance('9s')
    assert.equal(await client.heartbeat(ids[0], generationId), 'NONE')
    server.clock.advance('2s')
    assert.equal(await client.heartbeat(ids[0], generationId), 'REBALANCE_IN_PROGRESS')
    assert.equal(await client.heartbeat(ids[1], generationId), 'UNKNOWN_MEMBER_ID')
  })
})

test('what was deleted stays deleted, and what expired expired', async (t) => {
  const { serve } = directoryOf(t)
  await serve(async ({ server, wire }) => {
    await createGroups(wire, ['old'])
    server.clock.advance('8d')
    await createGroups(wire, ['kept', 'deleted'])
    const left = new GroupClient(wire, 'left')
    await left.leave([await left.enterAlone()])
    await wire.call(deleteGroupsRequest, deleteGroupsResponse, 2, { groupsNames: ['deleted'] })
  })
  await serve(async ({ wire }) => {
    const states = []
    for (const name of ['old', 'kept', 'deleted', 'left']) {
      const client = new GroupClient(wire, name)
      states.push([name, (await client.describe()).groupState, ...(await client.offsets(null))])
    }
    assert.deepEqual(states, [
      ['old', 'Dead'],
      ['kept', 'Empty', 'orders/0: 1'],
      ['deleted', 'Dead'],
      ['left', 'Empty'],
    ])
  })
})

test('a thousand groups with members are there again', async (t) => {
  const { serve } = directoryOf(t)
  const groupIds = Array.from({ length: 1000 }, (_, index) => `group ${index}`)
  await serve(async ({ wire, connect }) => {
    await createTopics(wire, ['orders'])
    const wires = await Promise.all(Array.from({ length: 20 }, connect))
    await Promise.all(
      wires.map(async (each, lane) => {
        for (let index = lane; index < groupIds.length; index += wires.length) {
          const client = new GroupClient(each, groupIds[index])
          const { memberId } = await client.enterAlone({ sessionTimeoutMs: 300_000 })
          await client.commit([{ topic: 'orders', partition: 0, offset: index }], { memberId, generationId: 1 })
        }
      }),
    )
  })
  await serve(async ({ wire }) => {
    for (const [index, groupId] of groupIds.entries()) {
      const client = new GroupClient(wire, groupId)
      assert.deepEqual(await client.offsets(null), [`orders/0: ${index}`])
      if (index % 100 === 0) assert.equal((await client.describe()).groupState, 'Stable')
    }
  })
})

test('the topic of the groups is made when there is something to keep', async (t) => {
  const { serve } = directoryOf(t)
  const partitionCount = async (wire: WireClient) => {
    const { topics } = await wire.call(metadataRequest, metadataResponse, 9, {
      topics: null,
      includeTopicAuthorizedOperations: false,
    })
    return topics.find(({ name, isInternal }) => name === '__consumer_offsets' && isInternal)?.partitions.length
  }
  await serve(async ({ wire }) => {
    await createTopics(wire, ['orders'])
    assert.equal(await partitionCount(wire), undefined)
    await createGroups(wire, ['g'])
    assert.equal(await partitionCount(wire), 50)
  })
})
