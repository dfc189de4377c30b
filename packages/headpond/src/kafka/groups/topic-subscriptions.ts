import { compileNameRegex, type NameRegex, nameRegexProblem } from '../name-regex.ts'
import type { ConsumerMember } from './consumer-member.ts'

/** The topics that there are. */
export interface KnownTopics {
  topicNames(): Iterable<string>
  topic(name: string): { readonly id: string; readonly partitionCount: number } | undefined
}

export interface SubscribedTopic {
  readonly name: string
  readonly partitionCount: number
}

/** Which topics the members of a group want: by name, and by regular expressions, each of which is compiled once. */
export class TopicSubscriptions {
  readonly #topics: KnownTopics
  /** Null: an expression that is none. */
  readonly #regexes = new Map<string, NameRegex | null>()

  constructor(topics: KnownTopics) {
    this.#topics = topics
  }

  wants({ membership, visibleTopics }: ConsumerMember, topic: string): boolean {
    if (membership.subscribedTopicNames.includes(topic)) return true
    if (visibleTopics !== null) return visibleTopics.has(topic)
    const { subscribedTopicRegex } = membership
    return subscribedTopicRegex !== null && this.#regex(subscribedTopicRegex)?.matches(topic) === true
  }

  /** A regular expression must not lead to topics that its member may not see. True when it leads elsewhere than before. */
  updateVisible(member: ConsumerMember, mayDescribe: ((topic: string) => boolean) | undefined): boolean {
    const { subscribedTopicRegex } = member.membership
    const before = member.visibleTopics
    if (mayDescribe === undefined || subscribedTopicRegex === null) {
      member.visibleTopics = null
      return before !== null
    }
    const regex = this.#regex(subscribedTopicRegex)
    const isVisible = (topic: string) => regex?.matches(topic) === true && mayDescribe(topic)
    const visible = new Set([...this.#topics.topicNames()].filter(isVisible))
    member.visibleTopics = visible
    return before === null || before.size !== visible.size || [...visible].some((topic) => !before.has(topic))
  }

  /** What is wrong with an expression; null: nothing. */
  problemOf(regex: string): string | null {
    return this.#regex(regex) === null ? nameRegexProblem(regex) : null
  }

  /** What all members together want, of the topics that there are, by topic id. O(members + expressions * topics). */
  resolve(members: ReadonlyMap<string, ConsumerMember>): ReadonlyMap<string, SubscribedTopic> {
    const names = new Set<string>()
    const regexes = new Set<string>()
    const unrestricted = new Set<string>()
    for (const { membership, visibleTopics } of members.values()) {
      for (const name of membership.subscribedTopicNames) names.add(name)
      for (const name of visibleTopics ?? []) names.add(name)
      if (membership.subscribedTopicRegex === null) continue
      regexes.add(membership.subscribedTopicRegex)
      if (visibleTopics === null) unrestricted.add(membership.subscribedTopicRegex)
    }
    for (const text of this.#regexes.keys()) if (!regexes.has(text)) this.#regexes.delete(text)
    for (const text of unrestricted) {
      const regex = this.#regex(text)
      if (regex === null) continue
      for (const name of this.#topics.topicNames()) if (regex.matches(name)) names.add(name)
    }
    const subscribed = new Map<string, SubscribedTopic>()
    for (const name of [...names].sort()) {
      const topic = this.#topics.topic(name)
      if (topic !== undefined) subscribed.set(topic.id, { name, partitionCount: topic.partitionCount })
    }
    return subscribed
  }

  #regex(text: string): NameRegex | null {
    let regex = this.#regexes.get(text)
    if (regex === undefined) this.#regexes.set(text, (regex = compileNameRegex(text)))
    return regex
  }
}

export function isSameTopics(
  one: ReadonlyMap<string, SubscribedTopic>,
  other: ReadonlyMap<string, SubscribedTopic>,
): boolean {
  if (one.size !== other.size) return false
  for (const [topicId, { partitionCount }] of one)
    if (other.get(topicId)?.partitionCount !== partitionCount) return false
  return true
}
