import { ConfigError } from '../config/config-error.ts'
import { AbortedTransactions } from '../kafka/aborted-transactions.ts'
import type { Broker } from '../kafka/broker.ts'
import { KafkaError } from '../kafka/errors.ts'
import { partitionOfKey } from '../kafka/partitioner.ts'
import { findCollidingTopic, isInternalTopic, refuseTopicName } from '../kafka/topic-names.ts'
import { DEFAULT_LOG_SETTINGS } from '../log/log-settings.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import { sizeBytesOf } from '../log/record-batch.ts'
import { decodeBatch, encodeBatch } from '../log/records/batch.ts'
import type { LogRecord, NewRecord, RecordHeader } from '../log/records/record.ts'
import type { Topic } from '../log/topic.ts'
import { refuseTopicConfig } from '../log/topic-config.ts'
import type {
  GroupCondition,
  KafkaGroup,
  KafkaHeaders,
  KafkaMessage,
  KafkaRecord,
  ProducedRecord,
  RecordsOptions,
} from './embedded-kafka.ts'
import type { TopicPlan } from './kafka-options.ts'

const READ_BYTES = 2 ** 20
const BATCH_BYTES = 2 ** 19
const TIMEOUT_MS = 10_000

/** What EmbeddedKafka does, once there is a broker: a file of its own, since it brings all of the log with it. */
export class KafkaTools {
  readonly #broker: Broker
  /** The partition of the next record without a key, by topic. */
  readonly #nextPartitions = new Map<string, number>()

  constructor(broker: Broker) {
    this.#broker = broker
  }

  // ---- Topics ----

  topics(): string[] {
    return [...this.#broker.logs.topics.values()].filter(({ isInternal }) => !isInternal).map(({ name }) => name)
  }

  /** Rejects with ConfigError before anything is made. */
  async createTopics(plans: readonly TopicPlan[]): Promise<void> {
    const { logs } = this.#broker
    const missing = plans.filter(({ name }) => !logs.topics.has(name))
    const names = new Map<string, unknown>(logs.topics)
    for (const { name, config } of missing) {
      const colliding = findCollidingTopic(name, names)
      names.set(name, config)
      const refusal =
        refuseTopicName(name) ??
        (colliding === null ? null : `it differs from ${colliding} in '.' and '_' alone`) ??
        refuseTopicConfig(config, DEFAULT_LOG_SETTINGS) ??
        null
      if (refusal !== null) throw new ConfigError(`topic ${name}`, refusal)
    }
    for (const { name, partitionCount, config } of missing) {
      logs.createTopic(name, { partitionCount, config, isInternal: isInternalTopic(name) })
    }
    await logs.written()
  }

  /** Deletes all topics, and with them what the coordinators know; then makes some again. */
  async reset(plans: readonly TopicPlan[]): Promise<void> {
    const { logs } = this.#broker
    this.#nextPartitions.clear()
    // With the topic where they are kept, groups are forgotten.
    if (this.#broker.groups.groups.size > 0) this.#broker.groups.prepare()
    for (const name of [...logs.topics.keys()]) logs.deleteTopic(name)
    await this.createTopics(plans)
  }

  #topic(name: string): Topic {
    const topic = this.#broker.logs.topics.get(name)
    if (topic !== undefined) return topic
    const names = this.topics()
    throw new Error(
      `there is no topic ${name}; there ${names.length === 0 ? 'are none' : `is ${names.slice(0, 10).join(', ')}`}`,
    )
  }

  // ---- Records ----

  async records(
    topic: string,
    { partition, uncommitted = false, binary = false }: RecordsOptions & { readonly binary?: boolean },
  ): Promise<KafkaRecord[] | KafkaRecord<Buffer>[]> {
    const { partitions } = this.#topic(topic)
    if (partition !== undefined && partitions[partition] === undefined) {
      throw new Error(`${topic} has the partitions 0 to ${partitions.length - 1}, and not ${partition}`)
    }
    await this.#broker.logs.written()
    const found: (KafkaRecord | KafkaRecord<Buffer>)[] = []
    for (const log of partition === undefined ? partitions : [partitions[partition]]) {
      for (const record of await readAll(log, uncommitted)) {
        found.push(binary ? withBytes(log, record) : withText(log, record))
      }
    }
    return found as KafkaRecord[] | KafkaRecord<Buffer>[]
  }

  async waitForRecords(
    topic: string,
    count: number,
    { timeoutMs = TIMEOUT_MS, ...options }: RecordsOptions & { readonly timeoutMs?: number },
  ): Promise<KafkaRecord[]> {
    const { logs } = this.#broker
    let found: KafkaRecord[] = []
    let watched: readonly PartitionLog[] = []
    const waiting = new Condition(timeoutMs, () => `${topic} has ${found.length} records, and not ${count}`)
    const watch = () => {
      for (const log of watched) log.waiters.delete(waiting.wake)
      watched = logs.topics.get(topic)?.partitions ?? []
      for (const log of watched) log.waiters.add(waiting.wake)
    }
    logs.onTopicsChanged.add(waiting.wake)
    try {
      await waiting.until(async () => {
        watch()
        found = logs.topics.has(topic) ? ((await this.records(topic, options)) as KafkaRecord[]) : []
        return found.length >= count
      })
      return found
    } finally {
      logs.onTopicsChanged.delete(waiting.wake)
      for (const log of watched) log.waiters.delete(waiting.wake)
    }
  }

  async produce(topic: string, messages: readonly KafkaMessage[]): Promise<ProducedRecord[]> {
    const { logs, clock } = this.#broker
    const { partitions } = this.#topic(topic)
    const results: ProducedRecord[] = new Array(messages.length)
    const queues = new Map<number, { record: NewRecord; index: number }[]>()
    for (const [index, message] of messages.entries()) {
      const record = newRecord(message, clock.nowMs())
      const partition = message.partition ?? this.#partitionOf(topic, record.key, partitions.length)
      if (partitions[partition] === undefined) {
        throw new Error(`${topic} has the partitions 0 to ${partitions.length - 1}, and not ${partition}`)
      }
      const queue = queues.get(partition)
      if (queue === undefined) queues.set(partition, [{ record, index }])
      else queue.push({ record, index })
    }
    for (const [partition, queue] of queues) {
      for (const batch of inBatches(queue)) {
        const bytes = encodeBatch(batch.map(({ record }) => record))
        const appended = partitions[partition].append(bytes, { origin: 'client' })
        if (appended.error !== null) throw new KafkaError(appended.error, `${topic}-${partition}: ${appended.message}`)
        for (const [at, { index }] of batch.entries()) results[index] = { partition, offset: appended.baseOffset + at }
      }
    }
    await logs.written()
    return results
  }

  #partitionOf(topic: string, key: Uint8Array | null, partitionCount: number): number {
    if (key !== null) return partitionOfKey(key, partitionCount)
    const next = this.#nextPartitions.get(topic) ?? 0
    this.#nextPartitions.set(topic, next + 1)
    return next % partitionCount
  }

  // ---- Groups ----

  group(groupId: string): KafkaGroup | undefined {
    const { groups } = this.#broker
    const group = groups.groups.get(groupId)
    if (group === undefined) return undefined
    const offsets = groups.lagOf(groupId)
    const lag = offsets.reduce((total, each) => total + each.lag, 0)
    return { group: groupId, state: group.state, memberCount: group.members.size, lag, offsets }
  }

  async waitForGroup(groupId: string, condition: GroupCondition): Promise<KafkaGroup> {
    const { lag, members, timeoutMs = TIMEOUT_MS } = condition
    const state = condition.state ?? (lag === undefined || members !== undefined ? 'Stable' : undefined)
    const { groups, logs } = this.#broker
    const waiting = new Condition(timeoutMs, () => describeGroup(groupId, this.group(groupId)))
    const groupChanged = (changed: string) => {
      if (changed === groupId) waiting.wake()
    }
    groups.onChanged.add(groupChanged)
    logs.onTopicsChanged.add(waiting.wake)
    try {
      let found: KafkaGroup | undefined
      await waiting.until(() => {
        found = this.group(groupId)
        if (found === undefined) return false
        if (state !== undefined && found.state.toLowerCase() !== state.toLowerCase()) return false
        if (members !== undefined && found.memberCount !== members) return false
        return lag === undefined || (found.offsets.length > 0 && found.lag <= lag)
      })
      return found as KafkaGroup
    } finally {
      groups.onChanged.delete(groupChanged)
      logs.onTopicsChanged.delete(waiting.wake)
    }
  }
}

/** Waits for something that is looked at again whenever `wake` is called. */
class Condition {
  readonly #timeoutMs: number
  readonly #describe: () => string
  #hasChanged = false
  #wake: (() => void) | null = null

  constructor(timeoutMs: number, describe: () => string) {
    this.#timeoutMs = timeoutMs
    this.#describe = describe
  }

  readonly wake = (): void => {
    this.#hasChanged = true
    this.#wake?.()
  }

  /** Rejects when the time is over. */
  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = new AbortController()
    const timer = setTimeout(() => {
      deadline.abort()
      this.#wake?.()
    }, this.#timeoutMs)
    try {
      for (;;) {
        this.#hasChanged = false
        if (await holds()) return
        if (deadline.signal.aborted) throw new Error(`after ${this.#timeoutMs} ms: ${this.#describe()}`)
        if (this.#hasChanged) continue
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        this.#wake = null
      }
    } finally {
      clearTimeout(timer)
    }
  }
}

function describeGroup(groupId: string, group: KafkaGroup | undefined): string {
  if (group === undefined) return `nobody knows a group ${groupId}`
  const { state, memberCount, offsets } = group
  const rows = offsets.map(
    ({ topic, partition, committedOffset, endOffset }) =>
      `${topic}-${partition} ${committedOffset ?? '-'}/${endOffset}`,
  )
  const count = `${memberCount} member${memberCount === 1 ? '' : 's'}`
  return `group ${groupId} is ${state} with ${count}, committed/end: ${rows.join(', ') || 'nothing'}`
}

async function readAll(log: PartitionLog, uncommitted: boolean): Promise<LogRecord[]> {
  const isolation = uncommitted ? 'read_uncommitted' : 'read_committed'
  const records: LogRecord[] = []
  let offset = log.logStartOffset
  for (;;) {
    const read = await log.read(offset, READ_BYTES, { isolation, takesOneBatchAtLeast: true })
    // Retention has been faster.
    if (read.error === 'OFFSET_OUT_OF_RANGE' && offset < log.logStartOffset) {
      offset = log.logStartOffset
      continue
    }
    if (read.error !== null) throw new KafkaError(read.error, `${log.topic}-${log.partition}: ${read.error}`)
    if (read.records.length === 0) return records
    const aborted = new AbortedTransactions(read.abortedTransactions)
    for (const bytes of read.records) {
      for (let at = 0; at < bytes.length; at += sizeBytesOf(bytes, at)) {
        const batch = decodeBatch(bytes, at)
        for (const record of aborted.readable(batch)) if (record.offset >= offset) records.push(record)
        offset = Math.max(offset, batch.lastOffset + 1)
      }
    }
  }
}

function withText(
  { topic, partition }: PartitionLog,
  { offset, timestampMs, key, value, headers }: LogRecord,
): KafkaRecord {
  return {
    topic,
    partition,
    offset,
    timestamp: timestampMs,
    key: text(key),
    value: text(value),
    headers: headersOf(headers, text),
  }
}

function withBytes(
  { topic, partition }: PartitionLog,
  { offset, timestampMs, key, value, headers }: LogRecord,
): KafkaRecord<Buffer> {
  return {
    topic,
    partition,
    offset,
    timestamp: timestampMs,
    key: copy(key),
    value: copy(value),
    headers: headersOf(headers, copy),
  }
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}

/** What is read from a log is a view of it. */
function copy(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes)
}

function headersOf<B>(headers: readonly RecordHeader[], take: (bytes: Uint8Array | null) => B | null): KafkaHeaders<B> {
  const byName = new Map<string, (B | null)[]>()
  for (const { key, value } of headers) {
    const values = byName.get(key)
    if (values === undefined) byName.set(key, [take(value)])
    else values.push(take(value))
  }
  return Object.fromEntries([...byName].map(([name, values]) => [name, values.length === 1 ? values[0] : values]))
}

function newRecord({ key = null, value, headers = {}, timestamp }: KafkaMessage, nowMs: number): NewRecord {
  return {
    timestampMs: timestamp ?? nowMs,
    key: bytesOf(key),
    value: bytesOf(value),
    headers: Object.entries(headers).flatMap(([name, values]) =>
      (Array.isArray(values) ? values : [values]).map((each) => ({ key: name, value: bytesOf(each) })),
    ),
  }
}

function bytesOf(value: string | Uint8Array | null): Uint8Array | null {
  return typeof value === 'string' ? Buffer.from(value) : value
}

function* inBatches<T extends { readonly record: NewRecord }>(queue: readonly T[]): Generator<T[]> {
  let batch: T[] = []
  let sizeBytes = 0
  for (const each of queue) {
    const recordBytes = (each.record.key?.length ?? 0) + (each.record.value?.length ?? 0)
    if (batch.length > 0 && sizeBytes + recordBytes > BATCH_BYTES) {
      yield batch
      batch = []
      sizeBytes = 0
    }
    batch.push(each)
    sizeBytes += recordBytes
  }
  yield batch
}
