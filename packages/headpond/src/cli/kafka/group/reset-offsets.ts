import type { KafkaClient } from '../../../kafka/client/client.ts'
import { commitOffsets, committedOffsets, describeGroup } from '../../../kafka/client/groups.ts'
import { listOffsets, type TopicPartition } from '../../../kafka/client/offsets.ts'
import { PartitionMap } from '../../../kafka/client/partition-map.ts'
import { type Arguments, wholeNumber } from '../arguments.ts'
import { milliseconds } from '../connection-flags.ts'
import { KafkaCliError, UsageError } from '../kafka-cli-error.ts'
import { choosePartitions, findTopic } from '../lookup.ts'
import { momentOf } from '../moment.ts'
import { DONE, JSON_FLAG, type Verb, type VerbContext } from '../verb.ts'
import { DEAD } from './find-group.ts'

/** Where offsets are set to. */
type Target =
  | { readonly to: 'earliest' | 'latest' | 'current' }
  | { readonly to: 'offset'; readonly offset: number }
  | { readonly to: 'time'; readonly timestampMs: number }
  | { readonly to: 'shift'; readonly by: number }

const TARGETS = [
  '--to-earliest',
  '--to-latest',
  '--to-current',
  '--to-offset',
  '--to-datetime',
  '--by-duration',
  '--shift-by',
] as const

export const resetOffsets: Verb = {
  name: 'reset-offsets',
  usage: '<group> --topic <topic[:partition,...]> --to-...',
  summary: 'Set where a group without members goes on reading',
  flags: [
    {
      name: '--topic',
      short: '-t',
      value: '<topic>',
      summary: 'A topic, or some of its partitions (orders:0,1); may be repeated',
    },
    { name: '--all-topics', summary: 'All topics for which the group has committed offsets' },
    { name: '--to-earliest', summary: 'To the first record that there is' },
    { name: '--to-latest', summary: 'To the end' },
    { name: '--to-current', summary: 'To what is committed now: the end where nothing is' },
    { name: '--to-offset', value: '<n>', summary: 'To an offset' },
    { name: '--to-datetime', value: '<date>', summary: 'To the first record from then on: 2026-11-21T10:00:00 (UTC)' },
    { name: '--by-duration', value: '<duration>', summary: 'To the first record since so long ago: 15m, 7d' },
    { name: '--shift-by', value: '<n>', summary: 'Forward by so many, or back: --shift-by -100' },
    { name: '--dry-run', summary: 'Show it, and change nothing' },
    { name: '--execute', summary: "As without it: for hands that know Kafka's own tool" },
    JSON_FLAG,
  ],
  details: 'An offset outside of what a partition holds becomes the nearest one inside.',
  examples: [
    'billing --topic orders --to-earliest --dry-run',
    'billing --all-topics --to-datetime 2026-11-21T10:00:00',
    'billing --topic orders:0,2 --shift-by -10',
  ],
  run,
}

async function run({ args, output, connect }: VerbContext): Promise<number> {
  const group = args.onlyWord('group')
  const target = targetOf(args)
  if (args.oneOf(['--topic', '--all-topics']) === undefined) {
    throw new UsageError('of which topics? --topic <topic> or --all-topics')
  }
  const isDryRun = args.oneOf(['--dry-run', '--execute']) === '--dry-run'
  const client = await connect()
  const { state, members } = await describeGroup(client, group)
  if (members.length > 0 || !(state === 'Empty' || state === DEAD)) {
    throw new KafkaCliError(
      `group ${group} is ${state}, with ${members.length} member${members.length === 1 ? '' : 's'}: offsets can be set only while nobody reads. Stop its consumers first.`,
    )
  }
  const committed = await committedOffsets(client, group)
  const partitions = args.has('--all-topics')
    ? [...committed].map(({ topic, partition }) => ({ topic, partition }))
    : await chosenPartitions(client, args.texts('--topic'))
  if (partitions.length === 0) throw new KafkaCliError(`group ${group} has committed no offsets: name a --topic`)
  const current = new PartitionMap<number>()
  for (const { topic, partition, value } of committed) current.set(topic, partition, value.offset)
  // What was never read cannot be shifted; but who names a whole topic means what there is of it.
  const isMovable = ({ topic, partition }: TopicPartition) => target.to !== 'shift' || current.has(topic, partition)
  const movable = partitions.filter(isMovable)
  const offsets = await newOffsets(client, movable.length > 0 ? movable : partitions, current, target)
  if (!isDryRun) await commitOffsets(client, group, offsets)
  const rows = [...offsets].map(({ topic, partition, value: newOffset }) => ({
    topic,
    partition,
    oldOffset: current.get(topic, partition) ?? null,
    newOffset,
  }))
  if (output.isJson) output.json({ group, isDryRun, offsets: rows })
  else {
    output.table(
      [{ title: 'TOPIC' }, { title: 'PARTITION', isName: true }, { title: 'OLD OFFSET' }, { title: 'NEW OFFSET' }],
      rows.map(({ topic, partition, oldOffset, newOffset }) => [topic, partition, oldOffset, newOffset]),
    )
    output.note(isDryRun ? 'Nothing was changed (--dry-run).' : `Group ${group} goes on from there.`)
  }
  return DONE
}

/** Throws UsageError. */
function targetOf(args: Arguments): Target {
  const way = args.oneOf(TARGETS) as (typeof TARGETS)[number] | undefined
  const text = way === undefined ? '' : (args.text(way) ?? '')
  switch (way) {
    case '--to-earliest':
      return { to: 'earliest' }
    case '--to-latest':
      return { to: 'latest' }
    case '--to-current':
      return { to: 'current' }
    case '--to-offset':
      return { to: 'offset', offset: wholeNumber(text, way, { min: 0 }) }
    case '--to-datetime':
      return { to: 'time', timestampMs: momentOf(way, text, Date.now()) }
    case '--by-duration':
      return { to: 'time', timestampMs: Date.now() - durationOf(way, text) }
    case '--shift-by':
      return { to: 'shift', by: wholeNumber(text, way) }
    case undefined:
      throw new UsageError(`where to? ${TARGETS.join(', ')}`)
  }
}

const ISO_DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/

/** `15m`, or as Kafka's own tool takes it: `P7DT1H30M`. Throws UsageError. */
function durationOf(name: string, text: string): number {
  const iso = ISO_DURATION.exec(text)
  if (iso !== null && /\d/.test(text)) {
    const [days, hours, minutes, seconds] = iso.slice(1).map((part) => Number(part ?? 0))
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
  }
  return milliseconds(name, text)
}

/** `orders`, `orders:0,1`. Throws UsageError, KafkaCliError. */
async function chosenPartitions(client: KafkaClient, texts: readonly string[]): Promise<TopicPartition[]> {
  const chosen: TopicPartition[] = []
  for (const text of texts) {
    const [name, numbers] = text.split(':')
    const topic = await findTopic(client, name)
    for (const partition of choosePartitions(topic, numbers?.split(',') ?? [])) chosen.push({ topic: name, partition })
  }
  return chosen
}

async function newOffsets(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  current: PartitionMap<number>,
  target: Target,
): Promise<PartitionMap<number>> {
  const [starts, ends] = await Promise.all([
    listOffsets(client, partitions, 'earliest'),
    listOffsets(client, partitions, 'latest'),
  ])
  const found = target.to === 'time' ? await listOffsets(client, partitions, target) : null
  const offsets = new PartitionMap<number>()
  for (const { topic, partition } of partitions) {
    const start = starts.get(topic, partition) ?? 0
    const end = ends.get(topic, partition) ?? 0
    const committed = current.get(topic, partition)
    const wanted = offsetFor(target, { topic, partition }, { start, end, committed, found })
    offsets.set(topic, partition, Math.min(Math.max(wanted, start), end))
  }
  return offsets
}

/** Throws KafkaCliError. */
function offsetFor(
  target: Target,
  { topic, partition }: TopicPartition,
  {
    start,
    end,
    committed,
    found,
  }: { start: number; end: number; committed: number | undefined; found: PartitionMap<number | null> | null },
): number {
  switch (target.to) {
    case 'earliest':
      return start
    case 'latest':
      return end
    case 'current':
      return committed ?? end
    case 'offset':
      return target.offset
    case 'time':
      return found?.get(topic, partition) ?? end
    case 'shift':
      if (committed !== undefined) return committed + target.by
      throw new KafkaCliError(
        `nothing is committed for ${topic}, partition ${partition}, so there is nothing to shift: --to-earliest, --to-latest or --to-offset`,
      )
  }
}
