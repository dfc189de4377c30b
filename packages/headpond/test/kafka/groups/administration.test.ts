/** What administrators see of groups, and what they may do to them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorNameOf } from '#src/kafka/errors.ts'
import { deleteGroupsRequest, deleteGroupsResponse } from '#src/kafka/schemas/delete-groups.ts'
import { describeGroupsRequest, describeGroupsResponse } from '#src/kafka/schemas/describe-groups.ts'
import { listGroupsRequest, listGroupsResponse } from '#src/kafka/schemas/list-groups.ts'
import { startBroker } from '../test-broker.ts'
import type { WireClient } from '../wire-client.ts'
import { createGroups, GroupClient } from './group-client.ts'

async function deleteGroups(wire: WireClient, groupsNames: readonly string[], version = 2): Promise<string[]> {
  const answer = await wire.call(deleteGroupsRequest, deleteGroupsResponse, version, { groupsNames })
  return answer.results.map(({ groupId, errorCode }) => `${groupId}: ${errorNameOf(errorCode)}`)
}

async function list(wire: WireClient, version = 5, statesFilter: string[] = [], typesFilter: string[] = []) {
  const answer = await wire.call(listGroupsRequest, listGroupsResponse, version, { statesFilter, typesFilter })
  assert.equal(answer.errorCode, 0)
  return answer.groups.map((group) =>
    [group.groupId, group.protocolType, group.groupState, group.groupType].join(' ').trim(),
  )
}

test('a group is described as it is, in every version', async (t) => {
  const broker = await startBroker(t)
  const wire = await broker.connect()
  wire.clientId = 'my app'
  const client = new GroupClient(wire, 'g')
  const { memberId } = await client.enter({ groupInstanceId: 'one' })
  assert.match(memberId, /^one-[0-9a-f-]{36}$/)
  const gathering = await client.describe()
  assert.equal(gathering.groupState, 'CompletingRebalance')
  assert.equal(gathering.protocolData, '')
  assert.equal(gathering.members[0].memberMetadata.length, 0)
  await client.sync(memberId, 1, { [memberId]: 'everything' })
  for (let version = 0; version <= 6; version++) {
    const { groups } = await wire.call(describeGroupsRequest, describeGroupsResponse, version, {
      groups: ['g', 'nobody', ''],
      includeAuthorizedOperations: true,
    })
    const [known, unknown, nameless] = groups
    const [member] = known.members
    assert.deepEqual(
      [known.errorCode, known.groupId, known.groupState, known.protocolType, known.protocolData],
      [0, 'g', 'Stable', 'consumer', 'range'],
    )
    assert.deepEqual(
      [member.memberId, member.groupInstanceId, member.clientId, member.clientHost],
      [memberId, version >= 4 ? 'one' : null, 'my app', '/127.0.0.1'],
    )
    assert.equal(member.memberMetadata.toString(), 'what I want')
    assert.equal(member.memberAssignment.toString(), 'everything')
    assert.equal(known.authorizedOperations, version >= 3 ? 3400 : -2147483648)
    assert.equal(unknown.groupState, 'Dead')
    assert.equal(errorNameOf(unknown.errorCode), version >= 6 ? 'GROUP_ID_NOT_FOUND' : 'NONE')
    assert.equal(unknown.errorMessage, version >= 6 ? 'Group nobody not found.' : null)
    assert.equal(nameless.groupState, 'Dead')
  }
})

test('what a member was assigned is told until the group has agreed anew', async (t) => {
  const broker = await startBroker(t)
  const client = new GroupClient(await broker.connect(), 'g')
  const { memberId } = await client.enterAlone()
  const other = new GroupClient(await broker.connect(), 'g')
  void other.join({ version: 3 }).catch(() => {})
  await client.until('PreparingRebalance')
  const { members, protocolData } = await client.describe()
  const told = members.map((member) => [
    member.memberId === memberId,
    member.memberMetadata.toString(),
    member.memberAssignment.toString(),
  ])
  assert.deepEqual(told.sort().reverse(), [
    [true, '', 'everything'],
    [false, '', ''],
  ])
  assert.equal(protocolData, '')
})

test('groups are listed by state and by type', async (t) => {
  const broker = await startBroker(t)
  const wire = await broker.connect()
  assert.deepEqual(await list(wire), [])
  await new GroupClient(wire, 'consumers').enterAlone()
  await new GroupClient(wire, 'workers').enter({ protocolType: 'connect' })
  await createGroups(wire, ['simple'])
  const all = [
    'consumers consumer Stable classic',
    'workers connect CompletingRebalance classic',
    'simple  Empty classic',
  ]
  assert.deepEqual(await list(wire), all)
  for (let version = 0; version <= 5; version++) assert.equal((await list(wire, version)).length, 3)
  assert.deepEqual(await list(wire, 3), ['consumers consumer', 'workers connect', 'simple'])
  assert.deepEqual(await list(wire, 4, ['Stable', 'empty']), ['consumers consumer Stable', 'simple  Empty'])
  assert.deepEqual(await list(wire, 5, ['Nonsense']), [])
  assert.deepEqual(await list(wire, 5, [], ['Classic']), all)
  assert.deepEqual(await list(wire, 5, [], ['consumer']), [])
})

test('groups without members are deleted with their offsets', async (t) => {
  const broker = await startBroker(t)
  const wire = await broker.connect()
  const live = new GroupClient(wire, 'live')
  const { memberId } = await live.enterAlone()
  await createGroups(wire, ['simple'])
  const simple = new GroupClient(wire, 'simple')
  assert.deepEqual(await simple.offsets(null), ['orders/0: 1'])
  assert.deepEqual(await deleteGroups(wire, ['live', 'simple', 'nobody']), [
    'live: NON_EMPTY_GROUP',
    'simple: NONE',
    'nobody: GROUP_ID_NOT_FOUND',
  ])
  assert.deepEqual(await simple.offsets(null), [])
  await live.leave([{ memberId }])
  assert.deepEqual(await deleteGroups(wire, ['live'], 0), ['live: NONE'])
  assert.deepEqual(await list(wire), [])
  // Whoever comes then begins a new group.
  assert.equal((await live.enterAlone()).generationId, 1)
})
