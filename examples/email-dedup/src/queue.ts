import type { Publisher, TopicPlan } from 'headpond-examples-shared'
import { type EmailEvent, encodeEvent } from './email.ts'

export const GROUP = 'email-mailer'

const DAY_MS = 24 * 60 * 60 * 1000
/** How long an email can be delivered again: what is older is not in the topic any more. */
export const QUEUE_RETENTION_MS = 7 * DAY_MS

export const EMAILS_TOPIC: TopicPlan = {
  name: 'email-send',
  partitionCount: 3,
  config: { 'retention.ms': String(QUEUE_RETENTION_MS) },
}

/** Resolves when the email is in the queue. After a rejection it may be there all the same. */
export async function enqueue(publisher: Pick<Publisher, 'publish'>, event: EmailEvent): Promise<void> {
  await publisher.publish({ topic: EMAILS_TOPIC.name, key: event.id, value: encodeEvent(event) })
}
