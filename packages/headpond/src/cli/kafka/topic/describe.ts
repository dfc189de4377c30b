import { describeTopicConfigs, partitionSizes } from '../../../kafka/client/admin.ts'
import { listOffsets } from '../../../kafka/client/offsets.ts'
import { findTopic } from '../lookup.ts'
import { formatBytes } from '../table.ts'
import { DONE, JSON_FLAG, type Verb, type VerbContext } from '../verb.ts'

export const describeTopics: Verb = {
  name: 'describe',
  usage: '<topic> ...',
  summary: 'Show the partitions of topics with their offsets, and their settings',
  flags: [{ name: '--all-config', summary: 'All settings, and not only those that were set for the topic' }, JSON_FLAG],
  examples: ['orders', 'orders --all-config --json'],
  run,
}

async function run({ args, output, connect }: VerbContext): Promise<number> {
  const names = args.someWords('topic')
  const client = await connect()
  const topics = await Promise.all(names.map((name) => findTopic(client, name)))
  const partitions = topics.flatMap(({ name, partitions: infos }) =>
    infos.flatMap(({ partition, leader }) => (leader < 0 ? [] : [{ topic: name, partition }])),
  )
  const [starts, ends, sizes, configs] = await Promise.all([
    listOffsets(client, partitions, 'earliest'),
    listOffsets(client, partitions, 'latest'),
    partitionSizes(client, topics),
    describeTopicConfigs(client, names),
  ])
  const described = topics.map(({ name, id, isInternal, partitions: infos }) => ({
    topic: name,
    id,
    isInternal,
    config: Object.fromEntries(
      (configs.get(name) ?? [])
        .filter(({ source }) => source === 'topic' || args.has('--all-config'))
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((entry) => [entry.name, entry.value]),
    ),
    partitions: infos.map(({ partition, leader, replicas, isr }) => ({
      partition,
      leader,
      replicas,
      isr,
      startOffset: starts.get(name, partition) ?? null,
      endOffset: ends.get(name, partition) ?? null,
      sizeBytes: sizes.get(name, partition) ?? null,
    })),
  }))
  if (output.isJson) {
    output.json(described)
    return DONE
  }
  for (const [index, { topic, id, config, partitions: rows }] of described.entries()) {
    if (index > 0) output.line('')
    output.line(`${topic} (id ${id})`)
    for (const [name, value] of Object.entries(config)) output.line(`  ${name}=${value ?? '(secret)'}`)
    output.table(
      [
        { title: 'PARTITION', isName: true },
        { title: 'LEADER' },
        { title: 'REPLICAS' },
        { title: 'IN SYNC' },
        { title: 'START' },
        { title: 'END' },
        { title: 'RECORDS' },
        { title: 'SIZE' },
      ],
      rows.map(({ partition, leader, replicas, isr, startOffset, endOffset, sizeBytes }) => [
        partition,
        leader < 0 ? 'none' : String(leader),
        replicas.join(','),
        isr.join(','),
        startOffset,
        endOffset,
        startOffset === null || endOffset === null ? null : endOffset - startOffset,
        sizeBytes === null ? null : formatBytes(sizeBytes),
      ]),
    )
  }
  return DONE
}
