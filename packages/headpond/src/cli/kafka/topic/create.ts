import { createTopic } from '../../../kafka/client/admin.ts'
import { RefusedError } from '../../../kafka/client/kafka-client-error.ts'
import { assignments } from '../lookup.ts'
import { DONE, FAILED, JSON_FLAG, type Verb, type VerbContext } from '../verb.ts'

const PARTITIONS_MAX = 2 ** 31 - 1
const REPLICAS_MAX = 2 ** 15 - 1

export const createTopics: Verb = {
  name: 'create',
  usage: '<topic> ...',
  summary: 'Make topics',
  flags: [
    { name: '--partitions', short: '-p', value: '<n>', summary: "How many partitions (the broker's num.partitions)" },
    { name: '--replication', short: '-r', value: '<n>', summary: "How many replicas (the broker's default)" },
    { name: '--config', short: '-c', value: '<name=value>', summary: 'A setting of the topic; may be repeated' },
    { name: '--if-not-exists', summary: 'A topic that is there already is no error' },
    { name: '--dry-run', summary: 'Let the broker check it, and make nothing' },
    JSON_FLAG,
  ],
  examples: [
    'orders --partitions 3',
    'prices -c cleanup.policy=compact -c retention.ms=86400000',
    'orders payments --if-not-exists',
  ],
  run,
}

async function run({ args, output, connect }: VerbContext): Promise<number> {
  const names = args.someWords('topic')
  const partitionCount = args.integer('--partitions', { min: 1, max: PARTITIONS_MAX })
  const replicationFactor = args.integer('--replication', { min: 1, max: REPLICAS_MAX })
  const config = assignments('--config', args.texts('--config'))
  const isDryRun = args.has('--dry-run')
  const client = await connect()
  const results: { topic: string; result: string; partitions?: number | undefined }[] = []
  let hasFailed = false
  for (const name of names) {
    try {
      const created = await createTopic(
        client,
        {
          name,
          config,
          ...(partitionCount === undefined ? {} : { partitionCount }),
          ...(replicationFactor === undefined ? {} : { replicationFactor }),
        },
        isDryRun,
      )
      results.push({ topic: name, result: isDryRun ? 'valid' : 'created', partitions: created.partitionCount })
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      const isThere = error.errorName === 'TOPIC_ALREADY_EXISTS' && args.has('--if-not-exists')
      if (!isThere) hasFailed = true
      results.push({ topic: name, result: isThere ? 'exists' : error.message })
    }
  }
  if (output.isJson) output.json(results)
  else {
    for (const { topic, result, partitions } of results) {
      const count = partitions === undefined ? '' : `, ${partitions} partition${partitions === 1 ? '' : 's'}`
      if (result === 'created') output.line(`Created topic ${topic}${count}.`)
      else if (result === 'valid') output.line(`Topic ${topic} could be created${count}.`)
      else if (result === 'exists') output.line(`Topic ${topic} is there already.`)
      else output.note(`headpond topic: ${result}`)
    }
  }
  return hasFailed ? FAILED : DONE
}
