import { deleteTopics as requestDeletion } from '../../../kafka/client/admin.ts'
import type { RefusedError } from '../../../kafka/client/kafka-client-error.ts'
import { listOffsets } from '../../../kafka/client/offsets.ts'
import { findTopic } from '../lookup.ts'
import { DONE, FAILED, JSON_FLAG, type Verb, type VerbContext } from '../verb.ts'

export const deleteTopics: Verb = {
  name: 'delete',
  usage: '<topic> ...',
  summary: 'Delete topics with all their records',
  flags: [
    { name: '--if-exists', summary: 'A topic that is not there is no error' },
    { name: '--yes', short: '-y', summary: 'Do not ask; without a terminal nobody is asked' },
    JSON_FLAG,
  ],
  examples: ['orders', 'orders payments --yes'],
  run,
}

async function run({ args, output, connect }: VerbContext): Promise<number> {
  const wanted = args.someWords('topic')
  const client = await connect()
  const existing = new Set((await client.topics(wanted)).map(({ name }) => name))
  const missing = wanted.filter((name) => !existing.has(name))
  // All or nothing: a word that was mistyped says so before anything is gone.
  if (missing.length > 0 && !args.has('--if-exists')) await findTopic(client, missing[0])
  const names = wanted.filter((name) => existing.has(name))
  if (names.length > 0 && !args.has('--yes')) {
    const topics = await client.topics(names)
    const partitions = topics.flatMap(({ name, partitions: infos }) =>
      infos.flatMap(({ partition, leader }) => (leader < 0 ? [] : [{ topic: name, partition }])),
    )
    const [starts, ends] = await Promise.all([
      listOffsets(client, partitions, 'earliest'),
      listOffsets(client, partitions, 'latest'),
    ])
    let recordCount = 0
    for (const { topic, partition, value } of ends) recordCount += (value ?? 0) - (starts.get(topic, partition) ?? 0)
    const records = `${recordCount.toLocaleString('en')} record${recordCount === 1 ? '' : 's'}`
    if (!(await output.confirm(`Delete ${names.join(', ')} with ${records}?`))) {
      output.note('Nothing was deleted.')
      return FAILED
    }
  }
  const refusals: ReadonlyMap<string, RefusedError> =
    names.length === 0 ? new Map() : await requestDeletion(client, names)
  const deleted = names.filter((name) => !refusals.has(name))
  const reasons = [...refusals.values()].map(({ message }) => message)
  if (output.isJson) output.json({ deleted, missing, refused: reasons })
  else {
    for (const name of deleted) output.line(`Deleted topic ${name}.`)
    for (const name of missing) output.line(`There is no topic ${name}.`)
    for (const reason of reasons) output.note(`headpond topic: ${reason}`)
  }
  return refusals.size > 0 ? FAILED : DONE
}
