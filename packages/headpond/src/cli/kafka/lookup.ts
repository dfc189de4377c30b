import type { KafkaClient, TopicInfo } from '../../kafka/client/client.ts'
import { KafkaCliError, UsageError } from './kafka-cli-error.ts'

/** One topic. Throws KafkaCliError that says what there is instead. */
export async function findTopic(client: KafkaClient, name: string): Promise<TopicInfo> {
  const topic = await client.topic(name)
  if (topic !== undefined) return topic
  const names = (await client.topics(null)).map((each) => each.name).filter((each) => !each.startsWith('__'))
  const near =
    names.find((each) => each.toLowerCase() === name.toLowerCase()) ?? names.find((each) => isNear(each, name))
  const hint =
    near !== undefined
      ? `Did you mean ${near}?`
      : names.length === 0
        ? `There are none yet: headpond topic create ${name} makes it.`
        : `There are ${names.length}: headpond topic list shows them, headpond topic create ${name} makes it.`
  throw new KafkaCliError(`there is no topic ${name} at ${client.bootstrapText}. ${hint}`)
}

/** Partitions of a topic by their numbers, all of them when none is given. Throws UsageError. */
export function choosePartitions(topic: TopicInfo, numbers: readonly string[]): number[] {
  if (numbers.length === 0) return topic.partitions.map(({ partition }) => partition)
  return numbers.map((text) => {
    const partition = Number(text)
    if (!/^\d+$/.test(text) || !topic.partitions.some((each) => each.partition === partition)) {
      const last = topic.partitions.length - 1
      throw new UsageError(`${topic.name} has the partitions 0 to ${last}, and not ${text}`)
    }
    return partition
  })
}

/** One letter more, less, or another one. */
function isNear(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) {
    end++
  }
  return Math.max(a.length, b.length) - start - end <= 1
}

/** `name=value` options as a map. Throws UsageError. */
export function assignments(flag: string, texts: readonly string[]): Map<string, string> {
  const map = new Map<string, string>()
  for (const text of texts) {
    const at = text.indexOf('=')
    if (at < 1) throw new UsageError(`${flag}: name=value, not ${text}`)
    map.set(text.slice(0, at), text.slice(at + 1))
  }
  return map
}
