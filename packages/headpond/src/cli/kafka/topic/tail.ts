import { listOffsets } from '../../../kafka/client/offsets.ts'
import { TopicReader } from '../../../kafka/client/topic-reader.ts'
import type { Arguments } from '../arguments.ts'
import { choosePartitions, findTopic } from '../lookup.ts'
import { parseStart } from '../moment.ts'
import { Rate } from '../rate.ts'
import { RECORD_FORMAT_FLAGS, recordPrinter, TOKEN_HELP } from '../record-line.ts'
import { DONE, type Verb, type VerbContext } from '../verb.ts'
import { Backlog, LastRecords, type PlacedRecord } from './backlog.ts'
import { type ReadStart, startPositions } from './start-positions.ts'

const LAST_COUNT = 10

export const tailTopic: Verb = {
  name: 'tail',
  usage: '<topic>',
  summary: 'Show records as they come',
  flags: [
    {
      name: '--from',
      short: '-f',
      value: '<position>',
      summary: `beginning, end, an offset, -n for the last n (-${LAST_COUNT}), a date, or how long ago (15m)`,
    },
    { name: '--partition', short: '-p', value: '<n,...>', summary: 'Only these partitions' },
    { name: '--group', short: '-g', value: '<group>', summary: 'From where this group has got to, without joining it' },
    { name: '--limit', short: '-n', value: '<n>', summary: 'End after so many records' },
    { name: '--no-follow', short: '-e', summary: 'End at the end of the topic, as it was at the start' },
    { name: '--uncommitted', summary: 'Also records of transactions that are open or aborted' },
    { name: '--json', summary: 'A JSON document for each record, in a line; topic produce --json takes them back' },
    { name: '--values', summary: 'Only the values, one in a line' },
    { name: '--format', value: '<template>', summary: "As kcat's: '%p:%o %k %v\\n'" },
    ...RECORD_FORMAT_FLAGS,
  ],
  details: [
    `A template takes ${TOKEN_HELP}, \\n and \\t.`,
    'Dates are UTC unless they say otherwise: 2026-11-21, 2026-11-21T10:00:00, 2026-11-21T10:00:00+01:00.',
    'What is no UTF-8 is shown as 0x..., and as {"base64": "..."} in JSON. Ctrl-C ends it.',
  ].join('\n'),
  examples: [
    'orders',
    'orders --from beginning --no-follow --json > orders.ndjson',
    'orders --from 15m --partition 0,1 --limit 100',
    "orders --from 2026-11-21T10:00:00 --format '%k\\t%v\\n'",
    'orders --group billing --no-follow',
  ],
  run,
}

async function run({ args, output, streams, connect, stop }: VerbContext): Promise<number> {
  const name = args.onlyWord('topic')
  const print = recordPrinter(args)
  const limit = args.integer('--limit', { min: 1 }) ?? Number.POSITIVE_INFINITY
  const start = startOf(args, limit)
  const client = await connect()
  const topic = await findTopic(client, name)
  const partitions = choosePartitions(topic, args.list('--partition')).map((partition) => ({ topic: name, partition }))
  const ends = await listOffsets(client, partitions, 'latest')
  const positions = await startPositions(client, partitions, ends, start)
  const backlog = new Backlog(positions, ends)
  const reader = new TopicReader(client, positions, { readsUncommitted: args.has('--uncommitted') })
  const follows = !args.has('--no-follow')
  const leave = () => {
    if (follows) return
    for (const place of partitions) if (backlog.isDoneFor(place)) reader.remove(place.topic, place.partition)
  }
  const rate = new Rate()
  const ending = new AbortController()
  const show = async (records: readonly PlacedRecord[]): Promise<void> => {
    const shown = records.slice(0, limit - rate.recordCount)
    if (shown.length === 0) return
    rate.add(shown.length, sizeBytesOf(shown))
    const isRead = await output.write(shown.map(({ partition, record }) => print(name, partition, record)).join(''))
    if (!isRead || rate.recordCount >= limit) ending.abort()
    if (streams.output.isTTY !== true) output.status(() => rate.text)
  }
  const last = start.at === 'last' ? new LastRecords(start.count) : null
  leave()
  for await (const chunk of reader.chunks(AbortSignal.any([stop, ending.signal]))) {
    if (chunk.skippedCount > 0) {
      output.note(`partition ${chunk.partition}: ${chunk.skippedCount} records were deleted before they could be read`)
    }
    const taken = backlog.take(chunk)
    leave()
    const records = follows ? taken : { earlier: taken.earlier, later: [] }
    await show(last === null ? [...records.earlier, ...records.later] : last.take(records, backlog.isDone))
  }
  if (streams.errorOutput.isTTY === true && streams.output.isTTY !== true) output.note(rate.text)
  return DONE
}

/** Throws UsageError. */
function startOf(args: Arguments, limit: number): ReadStart {
  args.oneOf(['--from', '--group'])
  const group = args.text('--group')
  if (group !== undefined) return { at: 'group', group }
  const from = args.text('--from')
  return from === undefined
    ? { at: 'last', count: Math.min(limit, LAST_COUNT) }
    : parseStart('--from', from, Date.now())
}

function sizeBytesOf(records: readonly PlacedRecord[]): number {
  let sizeBytes = 0
  for (const { record } of records) sizeBytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
  return sizeBytes
}
