import type { KafkaClient } from '../../../kafka/client/client.ts'
import { type DescribedGroup, describeGroup, listGroups } from '../../../kafka/client/groups.ts'
import { KafkaCliError } from '../kafka-cli-error.ts'

export const DEAD = 'Dead'

/** One group. Throws KafkaCliError that says what there is instead. */
export async function findGroup(client: KafkaClient, name: string): Promise<DescribedGroup> {
  const group = await describeGroup(client, name)
  if (group.state !== DEAD) return group
  const count = (await listGroups(client)).length
  const hint = count === 0 ? 'There are none yet.' : `There are ${count}: headpond group list shows them.`
  throw new KafkaCliError(`there is no group ${name} at ${client.bootstrapText}. ${hint}`)
}
