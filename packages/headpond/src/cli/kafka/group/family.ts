import type { VerbFamily } from '../verb.ts'
import { deleteGroups } from './delete.ts'
import { describeGroups } from './describe.ts'
import { listGroups } from './list.ts'
import { resetOffsets } from './reset-offsets.ts'

export const groupFamily: VerbFamily = {
  name: 'group',
  summary: 'Looks after the consumer groups of a Kafka, by its protocol.',
  verbs: [listGroups, describeGroups, resetOffsets, deleteGroups],
}
