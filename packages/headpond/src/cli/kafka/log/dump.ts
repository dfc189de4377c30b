import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { BYTE_FORMATS } from '../byte-format.ts'
import { KafkaCliError } from '../kafka-cli-error.ts'
import { RECORD_FORMAT_FLAGS, recordFormats } from '../record-line.ts'
import { DONE, FAILED, JSON_FLAG, type Verb, type VerbContext } from '../verb.ts'
import { batchLines } from './batch-lines.ts'
import type { DumpLine, DumpOptions } from './dump-line.ts'
import { indexLines } from './index-lines.ts'

export const dumpLog: Verb = {
  name: 'dump',
  usage: '<file|directory> ...',
  summary: 'Print what is in the files of a log: batches with their records, indexes, producers',
  flags: [
    { name: '--batches', summary: 'Batches alone, without their records' },
    { name: '--from', value: '<offset>', summary: 'Begin with the batch that has this offset' },
    ...RECORD_FORMAT_FLAGS,
    { ...JSON_FLAG, summary: 'A line of JSON for each batch or entry' },
  ],
  details: [
    'Files: *.log, *.index, *.timeindex, *.txnindex, *.snapshot, and the checkpoints. Of a directory, all of them; of one',
    'with the directories of partitions in it, all of theirs. Batches that are damaged are told as such.',
    `Formats of keys and values: ${BYTE_FORMATS.join(', ')}.`,
  ].join('\n'),
  examples: [
    'headpond-data/kafka-logs/orders-0/00000000000000000000.log',
    'headpond-data/kafka-logs/orders-0 --batches',
    '/var/lib/kafka/orders-0/00000000000000000000.log --from 1000 --json',
  ],
  run,
}

async function run({ args, output, stop }: VerbContext): Promise<number> {
  const options: DumpOptions = {
    showsRecords: !args.has('--batches'),
    fromOffset: args.integer('--from', { min: 0 }) ?? 0,
    formats: recordFormats(args),
  }
  const files = args.someWords('file or directory').flatMap((path) => filesOf(path))
  let isWell = true
  for (const [index, path] of files.entries()) {
    if (!output.isJson && files.length > 1) await output.write(`${index > 0 ? '\n' : ''}${path}\n`)
    for (const line of linesOf(path, options)) {
      if (line.isProblem) isWell = false
      const text = output.isJson ? JSON.stringify({ file: path, ...line.json() }) : line.text()
      if (stop.aborted || !(await output.write(`${text}\n`))) return isWell ? DONE : FAILED
    }
  }
  return isWell ? DONE : FAILED
}

const DUMPED = /^(\d{20}\.(log|index|timeindex|txnindex|snapshot)|.*-checkpoint|partition\.metadata|meta\.properties)$/

/** In the order of their offsets; of each segment, the log first. */
function filesOf(path: string): string[] {
  let isDirectory: boolean
  try {
    isDirectory = statSync(path).isDirectory()
  } catch (error) {
    throw new KafkaCliError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  if (!isDirectory) return [path]
  const entries = readdirSync(path, { withFileTypes: true })
  const names = entries
    .filter((entry) => entry.isFile() && DUMPED.test(entry.name))
    .map((entry) => entry.name)
    .sort((one, other) => compare(orderOf(one), orderOf(other)))
  const inner = entries.filter((entry) => entry.isDirectory() && /-\d+$/.test(entry.name)).map((entry) => entry.name)
  return [
    ...names.map((name) => join(path, name)),
    ...inner.sort(comparePartitions).flatMap((name) => filesOf(join(path, name))),
  ]
}

const KINDS = ['log', 'index', 'timeindex', 'txnindex', 'snapshot']

function orderOf(name: string): string {
  const [stem, kind] = name.split('.')
  return `${stem}.${KINDS.indexOf(kind)}`
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}

/** By topic, then by number: `a-2` before `a-10`. */
function comparePartitions(one: string, other: string): number {
  const [topic, otherTopic] = [one, other].map((name) => name.replace(/-\d+$/, ''))
  return compare(topic, otherTopic) || Number(/\d+$/.exec(one)?.[0]) - Number(/\d+$/.exec(other)?.[0])
}

function linesOf(path: string, options: DumpOptions): Iterable<DumpLine> {
  try {
    return basename(path).endsWith('.log') ? batchLines(path, options) : indexLines(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new KafkaCliError(`${path} cannot be read (${code})`)
  }
}
