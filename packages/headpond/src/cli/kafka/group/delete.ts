import { committedOffsets, deleteGroup, deleteOffsets } from '../../../kafka/client/groups.ts'
import type { TopicPartition } from '../../../kafka/client/offsets.ts'
import { KafkaCliError } from '../kafka-cli-error.ts'
import { DONE, FAILED, JSON_FLAG, type Verb, type VerbContext } from '../verb.ts'
import { findGroup } from './find-group.ts'

export const deleteGroups: Verb = {
  name: 'delete',
  usage: '<group> ...',
  summary: 'Delete groups without members, or what they have committed for some topics',
  flags: [
    { name: '--topic', short: '-t', value: '<topic,...>', summary: 'Only the offsets of these topics' },
    { name: '--if-exists', summary: 'A group that is not there is no error' },
    { name: '--yes', short: '-y', summary: 'Do not ask; without a terminal nobody is asked' },
    JSON_FLAG,
  ],
  examples: ['billing', 'billing --topic orders --yes'],
  run,
}

async function run({ args, output, connect }: VerbContext): Promise<number> {
  const names = args.someWords('group')
  const topics = args.list('--topic')
  const client = await connect()
  if (!args.has('--if-exists')) for (const name of names) await findGroup(client, name)
  const what = topics.length === 0 ? '' : ` the offsets of ${topics.join(', ')} in`
  if (!args.has('--yes') && !(await output.confirm(`Delete${what} ${names.join(', ')}?`))) {
    output.note('Nothing was deleted.')
    return FAILED
  }
  const deleted: string[] = []
  const missing: string[] = []
  const refused: string[] = []
  for (const name of names) {
    if (topics.length > 0) {
      await deleteOffsets(client, name, await partitionsOf(name, topics))
      deleted.push(name)
      continue
    }
    const refusal = await deleteGroup(client, name)
    if (refusal === null) deleted.push(name)
    else if (refusal.errorName === 'GROUP_ID_NOT_FOUND') missing.push(name)
    else refused.push(refusal.message)
  }
  if (output.isJson) output.json({ deleted, missing, refused, ...(topics.length > 0 ? { topics } : {}) })
  else {
    for (const name of deleted) {
      output.line(
        topics.length === 0 ? `Deleted group ${name}.` : `Deleted the offsets of ${topics.join(', ')} in ${name}.`,
      )
    }
    for (const name of missing) output.line(`There is no group ${name}.`)
    for (const reason of refused) output.note(`headpond group: ${reason}. Stop its consumers first.`)
  }
  return refused.length > 0 ? FAILED : DONE

  async function partitionsOf(group: string, wanted: readonly string[]): Promise<TopicPartition[]> {
    const committed = await committedOffsets(client, group)
    for (const topic of wanted) {
      if (committed.of(topic).size === 0) {
        throw new KafkaCliError(`group ${group} has committed nothing for ${topic}: headpond group describe ${group}`)
      }
    }
    return [...committed].filter(({ topic }) => wanted.includes(topic))
  }
}
