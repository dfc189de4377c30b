/** `meta.properties` and `partition.metadata`: small files of names and values. */

/** Java's properties, as far as Kafka writes them: `name=value`, comments after `#`. */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>()
  for (const line of text.split('\n')) {
    const trimmed = line.trim()
    const equals = trimmed.indexOf('=')
    if (trimmed.startsWith('#') || equals < 0) continue
    properties.set(
      trimmed.slice(0, equals).trim(),
      trimmed
        .slice(equals + 1)
        .trim()
        .replace(/\\(.)/g, '$1'),
    )
  }
  return properties
}

export function formatProperties(properties: Iterable<readonly [string, string]>): string {
  return [...properties].map(([name, value]) => `${name}=${value.replace(/[\\:=#!]/g, '\\$&')}\n`).join('')
}

export function formatPartitionMetadata(topicId: string): string {
  return `version: 0\ntopic_id: ${topicId}`
}

/** The topic's id; null when the text is something else. */
export function parsePartitionMetadata(text: string): string | null {
  return /^version: 0\s+topic_id: ([A-Za-z0-9_-]{22})\s*$/.exec(text)?.[1] ?? null
}
