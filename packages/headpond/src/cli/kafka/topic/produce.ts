import { createReadStream, type ReadStream, statSync } from 'node:fs'
import { Producer } from '../../../kafka/client/producer.ts'
import { CODECS, type Codec } from '../../../log/record-batch.ts'
import { KafkaCliError, UsageError } from '../kafka-cli-error.ts'
import { choosePartitions, findTopic } from '../lookup.ts'
import { Rate } from '../rate.ts'
import { RECORD_FORMAT_FLAGS } from '../record-line.ts'
import { DONE, FAILED, JSON_FLAG, type Verb, type VerbContext } from '../verb.ts'
import { lineReader, recordFactory, wholeReader } from './record-input.ts'

export const produceTopic: Verb = {
  name: 'produce',
  usage: '<topic> [value ...]',
  summary: 'Send records: the values given, or the lines of the standard input',
  flags: [
    { name: '--key', short: '-k', value: '<key>', summary: 'The key of all records' },
    {
      name: '--key-separator',
      short: '-K',
      value: '<text>',
      summary: 'Lines are key, this, and value: -K : or -K "\\t"',
    },
    { name: '--header', short: '-H', value: '<name=value>', summary: 'A header of all records; may be repeated' },
    { name: '--partition', short: '-p', value: '<n>', summary: 'Into this partition, whatever the key' },
    { name: '--null', short: '-Z', value: '<text>', summary: 'A key or value that is this text is null' },
    { name: '--file', value: '<file>', summary: 'Lines of a file instead of the standard input' },
    { name: '--whole', summary: 'All of the input is one value' },
    { name: '--compression', short: '-z', value: '<codec>', summary: `${CODECS.join(', ')} (none)` },
    { name: '--acks', value: '<acks>', summary: 'all, 1 or 0: what is waited for (all)' },
    { ...JSON_FLAG, summary: 'Lines are JSON as topic tail --json writes it; the answer is JSON too' },
    ...RECORD_FORMAT_FLAGS,
  ],
  details: [
    'A JSON line has value, and may have key, headers ([{"key", "value"}] or {name: value}), partition, timestamp.',
    "Records with a key go where Kafka's Java client would put them, others to one partition after the other.",
  ].join('\n'),
  examples: [
    'orders hello world',
    'orders --key 42 -H source=cli \'{"total": 10}\'',
    'orders -K , --file orders.csv -z lz4',
    'orders --json < orders.ndjson',
  ],
  run,
}

async function run(context: VerbContext): Promise<number> {
  const { args, output, connect, stop } = context
  const [name, ...values] = args.someWords('topic')
  args.oneOf(['--key', '--key-separator', '--json'])
  const readRecord = recordFactory(args, () => Date.now())
  const codec = codecOf(args.text('--compression'))
  const acks = acksOf(args.text('--acks'))
  const input = values.length > 0 ? null : openInput(context)
  const client = await connect()
  const topic = await findTopic(client, name)
  const onlyPartition = args.has('--partition') ? choosePartitions(topic, args.list('--partition')) : []
  if (onlyPartition.length > 1) throw new UsageError('--partition: one partition')
  const producer = await Producer.open(client, name, { acks, codec })
  const rate = new Rate()
  const isPrompting = input !== null && context.streams.input.isTTY === true && !args.has('--file')
  if (isPrompting) output.note(`One record for each line into ${name}; Ctrl-D ends it.`)
  let failure: unknown = null
  let lineCount = 0
  try {
    for await (const line of input === null
      ? values.map((value) => Buffer.from(value))
      : linesOf(input, args.has('--whole'))) {
      if (stop.aborted) break
      lineCount++
      const { record, partition = onlyPartition[0] } = readRecord(line, lineCount)
      await producer.add(record, partition)
      rate.add(1, (record.key?.length ?? 0) + (record.value?.length ?? 0))
      if (!isPrompting) output.status(() => rate.text)
    }
  } catch (error) {
    failure = error
  }
  // What was read before a line that is wrong is sent all the same, so that the message says where to go on.
  await producer.flush().catch((error: unknown) => (failure ??= error))
  if (input !== null && 'destroy' in input) input.destroy()
  if (output.isJson) {
    const { sentCount: records, sentBytes: bytes } = producer
    output.json({ topic: name, records, bytes, seconds: Number(rate.elapsedSeconds.toFixed(3)) })
  } else
    output.line(
      `Produced ${(input === null ? rate.amountText : rate.text).replace(/^[\d,]+ records?/, countText(producer.sentCount))}`,
    )
  if (failure === null) return DONE
  if (!(failure instanceof Error)) throw failure
  if (failure instanceof UsageError) {
    output.note(`headpond topic: ${failure.message}`)
    return FAILED
  }
  throw failure
}

function countText(count: number): string {
  return `${count.toLocaleString('en')} record${count === 1 ? '' : 's'}`
}

function linesOf(input: NodeJS.ReadableStream, isWhole: boolean): AsyncIterable<Buffer> {
  return isWhole ? wholeReader(input) : lineReader(input)
}

/** Throws KafkaCliError when the file cannot be read. */
function openInput({ args, streams }: VerbContext): NodeJS.ReadableStream | ReadStream {
  const path = args.text('--file')
  if (path === undefined) return streams.input
  try {
    if (!statSync(path).isDirectory()) return createReadStream(path, { highWaterMark: READ_BYTES })
  } catch (error) {
    throw new KafkaCliError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  throw new KafkaCliError(`${path}: is a directory`)
}

const READ_BYTES = 256 * 1024

/** Throws UsageError. */
function codecOf(text = 'none'): Codec {
  const codec = CODECS.find((each) => each === text)
  if (codec === undefined) throw new UsageError(`--compression: one of ${CODECS.join(', ')}, not ${text}`)
  return codec
}

/** Throws UsageError. */
function acksOf(text = 'all'): 'all' | 1 | 0 {
  const acks = ({ all: 'all', '-1': 'all', '1': 1, '0': 0 } as const)[text]
  if (acks === undefined) throw new UsageError(`--acks: all, 1 or 0, not ${text}`)
  return acks
}
