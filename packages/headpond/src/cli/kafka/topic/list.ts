import { globMatch } from '../../../bytes/glob.ts'
import { partitionSizes } from '../../../kafka/client/admin.ts'
import type { KafkaClient, TopicInfo } from '../../../kafka/client/client.ts'
import { listOffsets } from '../../../kafka/client/offsets.ts'
import { formatBytes } from '../table.ts'
import { DONE, JSON_FLAG, type Verb, type VerbContext } from '../verb.ts'

export const listTopics: Verb = {
  name: 'list',
  usage: '[pattern]',
  summary: 'Show the topics, with what they hold',
  flags: [{ name: '--internal', summary: "Also Kafka's own topics, whose names begin with __" }, JSON_FLAG],
  details: 'A pattern is a glob: orders, orders.*, *-dlq.',
  examples: ['', "'orders.*' --json", '-b broker1:9092,broker2:9092'],
  run,
}

async function run({ args, output, connect }: VerbContext): Promise<number> {
  const pattern = args.words.length === 0 ? '*' : args.onlyWord('pattern')
  const client = await connect()
  const isShown = ({ name, isInternal }: TopicInfo) =>
    matches(pattern, name) && (args.has('--internal') || !(isInternal || name.startsWith('__')))
  const topics = (await client.topics(null)).filter(isShown).sort((a, b) => (a.name < b.name ? -1 : 1))
  const rows = await summarize(client, topics)
  if (output.isJson) output.json(rows)
  else if (rows.length === 0) output.note(pattern === '*' ? 'There are no topics.' : `No topic matches ${pattern}.`)
  else {
    output.table(
      [{ title: 'TOPIC' }, { title: 'PARTITIONS' }, { title: 'REPLICAS' }, { title: 'RECORDS' }, { title: 'SIZE' }],
      rows.map(({ topic, partitions, replicas, records, sizeBytes }) => [
        topic,
        partitions,
        replicas,
        records,
        sizeBytes === null ? null : formatBytes(sizeBytes),
      ]),
    )
  }
  return DONE
}

interface Summary {
  readonly topic: string
  readonly id: string
  readonly partitions: number
  readonly replicas: number
  /** Offsets from the first to the last: compacted records and markers of transactions count too. */
  readonly records: number | null
  readonly sizeBytes: number | null
}

async function summarize(client: KafkaClient, topics: readonly TopicInfo[]): Promise<Summary[]> {
  const led = topics.flatMap(({ name, partitions }) =>
    partitions.flatMap(({ partition, leader }) => (leader < 0 ? [] : [{ topic: name, partition }])),
  )
  const [starts, ends, sizes] = await Promise.all([
    listOffsets(client, led, 'earliest'),
    listOffsets(client, led, 'latest'),
    partitionSizes(client, topics),
  ])
  return topics.map(({ name, id, partitions }) => ({
    topic: name,
    id,
    partitions: partitions.length,
    replicas: Math.max(0, ...partitions.map(({ replicas }) => replicas.length)),
    records: sum(
      partitions.map(({ partition }) => {
        const end = ends.get(name, partition)
        return typeof end === 'number' ? end - (starts.get(name, partition) ?? 0) : undefined
      }),
    ),
    sizeBytes: sum(partitions.map(({ partition }) => sizes.get(name, partition))),
  }))
}

/** Null when nothing is known. */
function sum(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0)
}

export function matches(pattern: string, name: string): boolean {
  const [patternBytes, nameBytes] = [Buffer.from(pattern), Buffer.from(name)]
  return globMatch(patternBytes, 0, patternBytes.length, nameBytes, 0, nameBytes.length, false)
}
