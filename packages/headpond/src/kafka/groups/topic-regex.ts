import { RE2JS } from 're2js'

/** Names of topics that match a regular expression as a whole. */
export interface TopicRegex {
  matches(topic: string): boolean
}

/**
 * RE2's expressions, as Kafka has them: those of JavaScript mean other things, and can take for ever on the name of a topic.
 * Null for what is none.
 */
export function compileTopicRegex(text: string): TopicRegex | null {
  try {
    const pattern = RE2JS.compile(text)
    return { matches: (topic) => pattern.matches(topic) }
  } catch {
    return null
  }
}
