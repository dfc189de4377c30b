/** Which names topics may have. */

const NAME_LENGTH_MAX = 249

/** Why this cannot be the name of a topic, in Kafka's words; null when it can. */
export function refuseTopicName(name: string): string | null {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > NAME_LENGTH_MAX) {
    return `Topic name is invalid: the length of '${name}' is longer than the max allowed length ${NAME_LENGTH_MAX}`
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  }
  return null
}

/**
 * The topic whose name differs from this one in '.' and '_' alone: metrics could not tell them apart, and Kafka refuses the
 * second. O(topics) for a name that has one of these, O(1) for others.
 */
export function findCollidingTopic(name: string, topics: ReadonlyMap<string, unknown>): string | null {
  if (!/[._]/.test(name)) return null
  const merged = mergedName(name)
  for (const other of topics.keys()) if (other !== name && mergedName(other) === merged) return other
  return null
}

function mergedName(name: string): string {
  return name.replaceAll('.', '_')
}

/** Those that coordinators keep their state in. */
const INTERNAL_TOPICS: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state'])

export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name)
}
