import type { VerbFamily } from '../verb.ts'
import { alterTopic } from './alter.ts'
import { createTopics } from './create.ts'
import { deleteTopics } from './delete.ts'
import { describeTopics } from './describe.ts'
import { listTopics } from './list.ts'
import { produceTopic } from './produce.ts'
import { tailTopic } from './tail.ts'

export const topicFamily: VerbFamily = {
  name: 'topic',
  summary: 'Looks after the topics of a Kafka, by its protocol.',
  verbs: [listTopics, createTopics, describeTopics, alterTopic, deleteTopics, tailTopic, produceTopic],
}
