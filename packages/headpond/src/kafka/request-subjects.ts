import type { Broker } from './broker.ts'

/** What a request is about, as far as its fields name it. */
export interface RequestSubjects {
  /** By name, each once. */
  readonly topics: readonly string[]
  readonly groups: readonly string[]
}

/** Where requests name topics: as texts, as structures with a name, or with an id. */
const TOPIC_FIELDS = ['topics', 'topicData', 'topicNames', 'subscribedTopicNames'] as const
/** Configurations are those of a topic when their type is this. */
const TOPIC_RESOURCE = 2

/** For those who look on (tests, faults): no handler needs it. O(topics). */
export function subjectsOf(request: unknown, { logs }: Broker): RequestSubjects {
  const topics = new Set<string>()
  const groups = new Set<string>()
  const addTopic = (name: unknown, id: unknown) => {
    if (typeof name === 'string' && name !== '') topics.add(name)
    else if (typeof id === 'string') {
      const topic = logs.topicById(id)
      if (topic !== undefined) topics.add(topic.name)
    }
  }
  const addTopicsOf = (fields: Fields) => {
    for (const field of TOPIC_FIELDS) {
      for (const element of listOf(fields[field])) {
        if (typeof element === 'string') topics.add(element)
        else addTopic((element as Fields).name ?? (element as Fields).topic, (element as Fields).topicId)
      }
    }
  }
  const fields = request as Fields
  addTopicsOf(fields)
  for (const element of listOf(fields.resources)) {
    const { resourceType, resourceName } = element as Fields
    if (resourceType === TOPIC_RESOURCE) addTopic(resourceName, undefined)
  }
  if (typeof fields.groupId === 'string' && fields.groupId !== '') groups.add(fields.groupId)
  for (const element of [...listOf(fields.groups), ...listOf(fields.groupsNames), ...listOf(fields.groupIds)]) {
    if (typeof element === 'string') groups.add(element)
    else if (typeof (element as Fields).groupId === 'string') {
      groups.add((element as Fields).groupId as string)
      addTopicsOf(element as Fields)
    }
  }
  return { topics: [...topics], groups: [...groups] }
}

type Fields = Readonly<Record<string, unknown>>

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
