import { Admin, type GenericError } from '@platformatic/kafka'

export interface TopicPlan {
  readonly name: string
  readonly partitionCount: number
  readonly config: Readonly<Record<string, string>>
}

/** Makes a topic unless it is there, and gives its id: a topic that was deleted and made again has another one. */
export async function ensureTopic(clientId: string, brokers: string[], plan: TopicPlan): Promise<string> {
  const admin = new Admin({ clientId, bootstrapBrokers: brokers, retries: 20, retryDelay: 500, connectTimeout: 20_000 })
  try {
    await admin
      .createTopics({
        topics: [plan.name],
        partitions: plan.partitionCount,
        replicas: -1, // what the broker does by default
        configs: Object.entries(plan.config).map(([name, value]) => ({ name, value })),
      })
      .catch((error: GenericError) => {
        if (!error.findBy('apiId', 'TOPIC_ALREADY_EXISTS')) throw error
      })
    const { topics } = await admin.metadata({ topics: [plan.name] })
    const id = topics.get(plan.name)?.id
    if (id === undefined) throw new Error(`the broker does not know the topic ${plan.name}`)
    return id
  } finally {
    await admin.close()
  }
}
