import { ERROR } from '../errors.ts'
import { createPartitionsRequest, createPartitionsResponse } from '../schemas/create-partitions.ts'
import { createTopicsRequest, createTopicsResponse } from '../schemas/create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from '../schemas/delete-topics.ts'
import { describeConfigsRequest, describeConfigsResponse } from '../schemas/describe-configs.ts'
import { describeLogDirsRequest, describeLogDirsResponse } from '../schemas/describe-log-dirs.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../schemas/incremental-alter-configs.ts'
import type { KafkaClient } from './client.ts'
import { RefusedError, refuseUnlessNone } from './kafka-client-error.ts'
import { PartitionMap } from './partition-map.ts'

export interface NewTopic {
  readonly name: string
  /** The broker's default when absent, as for replicas. */
  readonly partitionCount?: number
  readonly replicationFactor?: number
  readonly config?: ReadonlyMap<string, string>
}

export interface CreatedTopic {
  readonly name: string
  /** Undefined where the broker does not tell. */
  readonly partitionCount: number | undefined
  readonly replicationFactor: number | undefined
}

export interface ConfigEntry {
  readonly name: string
  /** Null when it is secret. */
  readonly value: string | null
  readonly source: ConfigSource
}

export type ConfigSource = 'topic' | 'broker' | 'default'

const BROKER_DEFAULT = -1
const TOPIC_RESOURCE = 2
const DYNAMIC_TOPIC_SOURCE = 1
const DEFAULT_SOURCE = 5
const SET = 0
const DELETE = 1
/** Later ones name topics by id. */
const DELETE_TOPICS_VERSION_MAX = 5

/** Resolves when brokers know it. Rejects with RefusedError. */
export async function createTopic(
  client: KafkaClient,
  { name, partitionCount, replicationFactor, config = new Map() }: NewTopic,
  validateOnly = false,
): Promise<CreatedTopic> {
  const answer = await client.call(
    'controller',
    { request: createTopicsRequest, response: createTopicsResponse },
    {
      topics: [
        {
          name,
          numPartitions: partitionCount ?? BROKER_DEFAULT,
          replicationFactor: replicationFactor ?? BROKER_DEFAULT,
          assignments: [],
          configs: [...config].map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: client.timeoutMs,
      validateOnly,
    },
  )
  const [result] = answer.topics
  refuseUnlessNone(`topic ${name}`, result.errorCode, result.errorMessage)
  if (!validateOnly) await client.untilTopic(name)
  const told = (count: number) => (count < 0 ? undefined : count)
  return {
    name,
    partitionCount: told(result.numPartitions) ?? partitionCount,
    replicationFactor: told(result.replicationFactor) ?? replicationFactor,
  }
}

/** Deletes each; returns those that were not, with the reasons. */
export async function deleteTopics(client: KafkaClient, names: readonly string[]): Promise<Map<string, RefusedError>> {
  const answer = await client.call(
    'controller',
    { request: deleteTopicsRequest, response: deleteTopicsResponse },
    { topics: [], topicNames: names, timeoutMs: client.timeoutMs },
    { versionMax: DELETE_TOPICS_VERSION_MAX },
  )
  const refusals = new Map<string, RefusedError>()
  for (const { name, errorCode, errorMessage } of answer.responses) {
    if (errorCode === ERROR.NONE || name === null) continue
    refusals.set(name, new RefusedError(`topic ${name}`, errorCode, errorMessage))
  }
  return refusals
}

/** Rejects with RefusedError. */
export async function growTopic(
  client: KafkaClient,
  name: string,
  partitionCount: number,
  validateOnly = false,
): Promise<void> {
  const answer = await client.call(
    'controller',
    { request: createPartitionsRequest, response: createPartitionsResponse },
    {
      topics: [{ name, count: partitionCount, assignments: null }],
      timeoutMs: client.timeoutMs,
      validateOnly,
    },
  )
  const [result] = answer.results
  refuseUnlessNone(`topic ${name}`, result.errorCode, result.errorMessage)
}

/** All settings of topics by their names. Rejects with RefusedError. */
export async function describeTopicConfigs(
  client: KafkaClient,
  names: readonly string[],
): Promise<Map<string, ConfigEntry[]>> {
  const answer = await client.call(
    'any',
    { request: describeConfigsRequest, response: describeConfigsResponse },
    {
      resources: names.map((resourceName) => ({
        resourceType: TOPIC_RESOURCE,
        resourceName,
        configurationKeys: null,
      })),
    },
  )
  const configs = new Map<string, ConfigEntry[]>()
  for (const { resourceName, errorCode, errorMessage, configs: entries } of answer.results) {
    refuseUnlessNone(`topic ${resourceName}`, errorCode, errorMessage)
    configs.set(
      resourceName,
      entries.map(({ name, value, configSource }) => ({ name, value, source: sourceOf(configSource) })),
    )
  }
  return configs
}

function sourceOf(source: number): ConfigSource {
  if (source === DYNAMIC_TOPIC_SOURCE) return 'topic'
  return source === DEFAULT_SOURCE ? 'default' : 'broker'
}

/** Sets some settings of a topic and takes others back to their defaults. Rejects with RefusedError. */
export async function alterTopicConfig(
  client: KafkaClient,
  name: string,
  changes: { readonly set: ReadonlyMap<string, string>; readonly deleted: readonly string[] },
  validateOnly = false,
): Promise<void> {
  const answer = await client.call(
    'controller',
    { request: incrementalAlterConfigsRequest, response: incrementalAlterConfigsResponse },
    {
      resources: [
        {
          resourceType: TOPIC_RESOURCE,
          resourceName: name,
          configs: [
            ...[...changes.set].map(([key, value]) => ({ name: key, configOperation: SET, value })),
            ...changes.deleted.map((key) => ({ name: key, configOperation: DELETE, value: null })),
          ],
        },
      ],
      validateOnly,
    },
  )
  const [result] = answer.responses
  refuseUnlessNone(`topic ${name}`, result.errorCode, result.errorMessage)
}

/** What partitions take on the disk of their fullest replica; empty where brokers do not tell. */
export async function partitionSizes(
  client: KafkaClient,
  topics: readonly { readonly name: string; readonly partitions: readonly { readonly partition: number }[] }[],
): Promise<PartitionMap<number>> {
  const exchange = { request: describeLogDirsRequest, response: describeLogDirsResponse }
  const sizes = new PartitionMap<number>()
  if (!(await client.offers(exchange))) return sizes
  const body = {
    topics: topics.map(({ name, partitions }) => ({
      topic: name,
      partitions: partitions.map(({ partition }) => partition),
    })),
  }
  for (const nodeId of client.cluster.brokers.keys()) {
    const answer = await client.call(nodeId, exchange, body)
    for (const { topics: inDirectory } of answer.results) {
      for (const { name, partitions } of inDirectory) {
        for (const { partitionIndex, partitionSize } of partitions) {
          sizes.set(name, partitionIndex, Math.max(sizes.get(name, partitionIndex) ?? 0, partitionSize))
        }
      }
    }
  }
  return sizes
}
