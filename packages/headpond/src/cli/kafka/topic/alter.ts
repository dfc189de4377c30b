import { alterTopicConfig, growTopic } from '../../../kafka/client/admin.ts'
import { UsageError } from '../kafka-cli-error.ts'
import { assignments, findTopic } from '../lookup.ts'
import { DONE, JSON_FLAG, type Verb, type VerbContext } from '../verb.ts'

export const alterTopic: Verb = {
  name: 'alter',
  usage: '<topic>',
  summary: 'Change the settings of a topic, or give it more partitions',
  flags: [
    { name: '--partitions', short: '-p', value: '<n>', summary: 'Grow to so many partitions' },
    { name: '--config', short: '-c', value: '<name=value>', summary: 'Set; may be repeated' },
    { name: '--delete-config', short: '-d', value: '<name,...>', summary: 'Take back to the default' },
    { name: '--dry-run', summary: 'Let the broker check it, and change nothing' },
    JSON_FLAG,
  ],
  details: 'More partitions: keys go elsewhere from then on, and what is there stays where it is.',
  examples: ['orders --partitions 6', 'orders -c retention.ms=3600000 -d cleanup.policy'],
  run,
}

async function run({ args, output, connect }: VerbContext): Promise<number> {
  const name = args.onlyWord('topic')
  const partitionCount = args.integer('--partitions', { min: 1, max: 2 ** 31 - 1 })
  const set = assignments('--config', args.texts('--config'))
  const deleted = args.list('--delete-config')
  const changesConfig = set.size > 0 || deleted.length > 0
  if (partitionCount === undefined && !changesConfig) {
    throw new UsageError('what is to be changed? --partitions, --config or --delete-config')
  }
  const isDryRun = args.has('--dry-run')
  const client = await connect()
  await findTopic(client, name)
  if (changesConfig) await alterTopicConfig(client, name, { set, deleted }, isDryRun)
  if (partitionCount !== undefined) await growTopic(client, name, partitionCount, isDryRun)
  if (output.isJson) {
    output.json({
      topic: name,
      result: isDryRun ? 'valid' : 'altered',
      ...(partitionCount === undefined ? {} : { partitions: partitionCount }),
      ...(changesConfig ? { set: Object.fromEntries(set), deleted } : {}),
    })
  } else output.line(isDryRun ? `Topic ${name} could be altered.` : `Altered topic ${name}.`)
  return DONE
}
