import type { KafkaClient } from '../../../kafka/client/client.ts'
import type { DescribedGroup, GroupMember } from '../../../kafka/client/groups.ts'
import { PartitionMap } from '../../../kafka/client/partition-map.ts'
import type { Output } from '../output.ts'
import { DONE, JSON_FLAG, type Verb, type VerbContext } from '../verb.ts'
import { findGroup } from './find-group.ts'
import { groupProgress } from './lag.ts'

export const describeGroups: Verb = {
  name: 'describe',
  usage: '<group> ...',
  summary: 'Show how far a group is in each partition, and who reads it',
  flags: [{ name: '--members', summary: 'The members with what they read' }, JSON_FLAG],
  examples: ['billing', 'billing --members', 'billing --json'],
  run,
}

async function run({ args, output, connect }: VerbContext): Promise<number> {
  const names = args.someWords('group')
  const client = await connect()
  const found = await Promise.all(names.map((name) => findGroup(client, name)))
  const described = await Promise.all(found.map((group) => withProgress(client, group)))
  if (output.isJson) output.json(described)
  else {
    for (const [index, group] of described.entries()) {
      if (index > 0) output.line('')
      show(output, group, args.has('--members'))
    }
  }
  return DONE
}

async function withProgress(client: KafkaClient, group: DescribedGroup) {
  const readers = new PartitionMap<GroupMember>()
  for (const member of group.members) {
    for (const { topic, partition } of member.assignment) readers.set(topic, partition, member)
  }
  const coordinator = await client.coordinatorOf(group.group)
  const progress = await groupProgress(client, group.group, [...readers])
  return {
    group: group.group,
    state: group.state,
    protocolType: group.protocolType,
    assignor: group.assignor,
    coordinator,
    members: group.members,
    partitions: [...progress].map(({ topic, partition, value: { committed, startOffset, endOffset, lag } }) => ({
      topic,
      partition,
      committedOffset: committed?.offset ?? null,
      metadata: committed?.metadata ?? null,
      startOffset,
      endOffset,
      lag,
      memberId: readers.get(topic, partition)?.memberId ?? null,
      clientId: readers.get(topic, partition)?.clientId ?? null,
      host: readers.get(topic, partition)?.host ?? null,
    })),
  }
}

function show(output: Output, group: Awaited<ReturnType<typeof withProgress>>, showsMembers: boolean): void {
  const count = `${group.members.length} member${group.members.length === 1 ? '' : 's'}`
  const lag = group.partitions.reduce((total, partition) => total + (partition.lag ?? 0), 0)
  const assignor = group.assignor === '' ? '' : `, assignor ${group.assignor}`
  output.line(
    `${group.group}: ${group.state}, ${count}, lag ${lag.toLocaleString('en')}, coordinator ${group.coordinator}${assignor}`,
  )
  if (showsMembers) {
    output.table(
      [{ title: 'MEMBER' }, { title: 'INSTANCE' }, { title: 'CLIENT' }, { title: 'HOST' }, { title: 'READS' }],
      group.members.map(({ memberId, instanceId, clientId, host, assignment }) => [
        memberId,
        instanceId,
        clientId,
        host,
        assignment.map(({ topic, partition }) => `${topic}:${partition}`).join(' ') || null,
      ]),
    )
    return
  }
  output.table(
    [
      { title: 'TOPIC' },
      { title: 'PARTITION', isName: true },
      { title: 'COMMITTED' },
      { title: 'END' },
      { title: 'LAG' },
      { title: 'CLIENT' },
      { title: 'HOST' },
    ],
    group.partitions.map(({ topic, partition, committedOffset, endOffset, lag: behind, clientId, host }) => [
      topic,
      partition,
      committedOffset,
      endOffset,
      behind,
      clientId,
      host,
    ]),
  )
}
