/**
 * Transcripts of administration: requests, and what is answered. The same files are played to Headpond (here) and to
 * Apache Kafka's own broker (interop).
 *
 *   # a comment, ## a heading
 *   > CreateTopics 7 {"topics":[{"name":"orders"}]}       API, version, fields; what is left out has the value of TEMPLATES
 *   {"topics":[{"name":"orders","numPartitions":1}]}      the answer: errors by name, without what says nothing
 *   @differs why                                          before a request: Kafka answers otherwise, and that is meant
 *   @only why                                             before a request: not sent to Kafka at all
 *
 * `UPDATE=1` rewrites the answers.
 */
import type { Message } from '#src/kafka/codec/message.ts'
import { errorNameOf } from '#src/kafka/errors.ts'
import { addRaftVoterRequest, addRaftVoterResponse } from '#src/kafka/schemas/add-raft-voter.ts'
import { alterClientQuotasRequest, alterClientQuotasResponse } from '#src/kafka/schemas/alter-client-quotas.ts'
import { alterConfigsRequest, alterConfigsResponse } from '#src/kafka/schemas/alter-configs.ts'
import {
  alterPartitionReassignmentsRequest,
  alterPartitionReassignmentsResponse,
} from '#src/kafka/schemas/alter-partition-reassignments.ts'
import { alterReplicaLogDirsRequest, alterReplicaLogDirsResponse } from '#src/kafka/schemas/alter-replica-log-dirs.ts'
import {
  createDelegationTokenRequest,
  createDelegationTokenResponse,
} from '#src/kafka/schemas/create-delegation-token.ts'
import { createPartitionsRequest, createPartitionsResponse } from '#src/kafka/schemas/create-partitions.ts'
import { createTopicsRequest, createTopicsResponse } from '#src/kafka/schemas/create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from '#src/kafka/schemas/delete-topics.ts'
import { describeClientQuotasRequest, describeClientQuotasResponse } from '#src/kafka/schemas/describe-client-quotas.ts'
import { describeConfigsRequest, describeConfigsResponse } from '#src/kafka/schemas/describe-configs.ts'
import {
  describeDelegationTokenRequest,
  describeDelegationTokenResponse,
} from '#src/kafka/schemas/describe-delegation-token.ts'
import { describeLogDirsRequest, describeLogDirsResponse } from '#src/kafka/schemas/describe-log-dirs.ts'
import { describeProducersRequest, describeProducersResponse } from '#src/kafka/schemas/describe-producers.ts'
import { describeQuorumRequest, describeQuorumResponse } from '#src/kafka/schemas/describe-quorum.ts'
import {
  describeTopicPartitionsRequest,
  describeTopicPartitionsResponse,
} from '#src/kafka/schemas/describe-topic-partitions.ts'
import { electLeadersRequest, electLeadersResponse } from '#src/kafka/schemas/elect-leaders.ts'
import {
  expireDelegationTokenRequest,
  expireDelegationTokenResponse,
} from '#src/kafka/schemas/expire-delegation-token.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '#src/kafka/schemas/incremental-alter-configs.ts'
import { listConfigResourcesRequest, listConfigResourcesResponse } from '#src/kafka/schemas/list-config-resources.ts'
import {
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
} from '#src/kafka/schemas/list-partition-reassignments.ts'
import { removeRaftVoterRequest, removeRaftVoterResponse } from '#src/kafka/schemas/remove-raft-voter.ts'
import { renewDelegationTokenRequest, renewDelegationTokenResponse } from '#src/kafka/schemas/renew-delegation-token.ts'
import { unregisterBrokerRequest, unregisterBrokerResponse } from '#src/kafka/schemas/unregister-broker.ts'
import { updateFeaturesRequest, updateFeaturesResponse } from '#src/kafka/schemas/update-features.ts'
import { TranscriptFiles } from '../transcript-files.ts'
import type { WireClient } from '../wire-client.ts'

export const transcripts = new TranscriptFiles('admin')

const ZERO_ID = 'A'.repeat(22)

type Fields = Record<string, unknown>
type AnyMessage = Message<unknown, unknown>
interface Played {
  readonly request: AnyMessage
  readonly response: AnyMessage
  /** What a request says that does not say otherwise; of arrays: what their elements say. */
  readonly template: Fields
}

function played(request: unknown, response: unknown, template: Fields): Played {
  return { request: request as AnyMessage, response: response as AnyMessage, template }
}

const topic = { name: '', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
const resource = { resourceType: 2, resourceName: '', configs: [] }
const timeoutMs = 10_000
const HMAC = Buffer.from('of no token')

const APIS: Readonly<Record<string, Played>> = {
  CreateTopics: played(createTopicsRequest, createTopicsResponse, { topics: [topic], timeoutMs, validateOnly: false }),
  DeleteTopics: played(deleteTopicsRequest, deleteTopicsResponse, {
    topics: [{ name: null, topicId: ZERO_ID }],
    topicNames: [],
    timeoutMs,
  }),
  CreatePartitions: played(createPartitionsRequest, createPartitionsResponse, {
    topics: [{ assignments: null }],
    timeoutMs,
    validateOnly: false,
  }),
  DescribeConfigs: played(describeConfigsRequest, describeConfigsResponse, {
    resources: [{ resourceType: 2, resourceName: '', configurationKeys: null }],
    includeSynonyms: false,
    includeDocumentation: false,
  }),
  AlterConfigs: played(alterConfigsRequest, alterConfigsResponse, { resources: [resource], validateOnly: false }),
  IncrementalAlterConfigs: played(incrementalAlterConfigsRequest, incrementalAlterConfigsResponse, {
    resources: [{ ...resource, configs: [{ configOperation: 0, value: null }] }],
    validateOnly: false,
  }),
  DescribeLogDirs: played(describeLogDirsRequest, describeLogDirsResponse, { topics: null }),
  DescribeTopicPartitions: played(describeTopicPartitionsRequest, describeTopicPartitionsResponse, {
    topics: [],
    responsePartitionLimit: 2000,
    cursor: null,
  }),
  DescribeQuorum: played(describeQuorumRequest, describeQuorumResponse, { topics: [] }),
  ElectLeaders: played(electLeadersRequest, electLeadersResponse, {
    electionType: 0,
    topicPartitions: null,
    timeoutMs,
  }),
  AlterPartitionReassignments: played(alterPartitionReassignmentsRequest, alterPartitionReassignmentsResponse, {
    timeoutMs,
    allowReplicationFactorChange: true,
    topics: [],
  }),
  ListPartitionReassignments: played(listPartitionReassignmentsRequest, listPartitionReassignmentsResponse, {
    timeoutMs,
    topics: null,
  }),
  DescribeProducers: played(describeProducersRequest, describeProducersResponse, { topics: [] }),
  UpdateFeatures: played(updateFeaturesRequest, updateFeaturesResponse, {
    timeoutMs,
    featureUpdates: [{ feature: '', maxVersionLevel: 1, allowDowngrade: false, upgradeType: 1 }],
    validateOnly: false,
  }),
  ListConfigResources: played(listConfigResourcesRequest, listConfigResourcesResponse, { resourceTypes: [] }),
  AlterReplicaLogDirs: played(alterReplicaLogDirsRequest, alterReplicaLogDirsResponse, {
    dirs: [{ path: '', topics: [{ name: '', partitions: [0] }] }],
  }),
  UnregisterBroker: played(unregisterBrokerRequest, unregisterBrokerResponse, { brokerId: -1 }),
  AddRaftVoter: played(addRaftVoterRequest, addRaftVoterResponse, {
    clusterId: null,
    timeoutMs,
    voterId: 2,
    voterDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAg',
    listeners: [{ name: 'CONTROLLER', host: '127.0.0.1', port: 9 }],
    ackWhenCommitted: true,
  }),
  RemoveRaftVoter: played(removeRaftVoterRequest, removeRaftVoterResponse, {
    clusterId: null,
    voterId: 2,
    voterDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAg',
  }),
  CreateDelegationToken: played(createDelegationTokenRequest, createDelegationTokenResponse, {
    ownerPrincipalType: null,
    ownerPrincipalName: null,
    renewers: [{ principalType: 'User', principalName: '' }],
    maxLifetimeMs: -1,
  }),
  RenewDelegationToken: played(renewDelegationTokenRequest, renewDelegationTokenResponse, {
    hmac: HMAC,
    renewPeriodMs: -1,
  }),
  ExpireDelegationToken: played(expireDelegationTokenRequest, expireDelegationTokenResponse, {
    hmac: HMAC,
    expiryTimePeriodMs: -1,
  }),
  DescribeDelegationToken: played(describeDelegationTokenRequest, describeDelegationTokenResponse, { owners: null }),
  DescribeClientQuotas: played(describeClientQuotasRequest, describeClientQuotasResponse, {
    components: [],
    strict: false,
  }),
  AlterClientQuotas: played(alterClientQuotasRequest, alterClientQuotasResponse, {
    entries: [{ entity: [], ops: [{ value: 0, remove: false }] }],
    validateOnly: false,
  }),
}

/** Those that only ask: a cluster may need a moment until it answers them by what was just changed. */
export function isReading(request: string): boolean {
  return /^(Describe|List)/.test(request)
}

/** Calls an API by what stands behind `> `, and returns the answer as a transcript shows it. */
export async function call(client: WireClient, line: string): Promise<string> {
  const [name, version] = line.split(' ', 2)
  const api = APIS[name]
  if (api === undefined) throw new Error(`no transcript can have a ${name}`)
  const fields = JSON.parse(line.slice(name.length + version.length + 2) || '{}') as Fields
  const value = completed(api.template, fields)
  const answer = await client.call(api.request, api.response, Number(version), value)
  return JSON.stringify(shown(answer as Fields))
}

function completed(template: unknown, value: unknown): unknown {
  if (value === undefined) return Array.isArray(template) && typeof template[0] === 'object' ? [] : template
  if (Array.isArray(value)) {
    const [element] = Array.isArray(template) ? template : []
    return element === undefined ? value : value.map((each) => completed(element, each))
  }
  if (!isFields(value) || !isFields(template)) return value
  const names = new Set([...Object.keys(template), ...Object.keys(value)])
  return Object.fromEntries([...names].map((name) => [name, completed(template[name], value[name])]))
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What differs from one run or machine to the next. */
const PASSING = new Set(['throttleTimeMs', 'topicId', 'totalBytes', 'usableBytes', 'logDir', 'clusterId', 'hmac'])
/** Where all is well, they say nothing. */
const SILENT: readonly unknown[] = [null, '', false]

export function shown(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return inOrder(value.map(shown))
  if (!isFields(value)) return value
  if ('configSource' in value) return shownConfig(value)
  const entries: [string, unknown][] = []
  for (const [name, field] of Object.entries(value)) {
    if (PASSING.has(name) || SILENT.includes(field)) continue
    if (name === 'errorCode' || name === 'topicConfigErrorCode') {
      if (field !== 0) entries.push(['error', errorNameOf(field as number)])
    } else if (!(Array.isArray(field) && field.length === 0)) {
      entries.push([name, shown(field)])
    }
  }
  return Object.fromEntries(entries)
}

const SOURCES = ['', 'topic', 'broker', 'brokers', 'static', 'default', 'logger', 'client-metrics', 'group']

/** `retention.ms = 1 (topic, LONG) < log.retention.hours = 168 (default)` */
function shownConfig({ name, value, readOnly, configSource, isSensitive, synonyms, configType }: Fields): string {
  const marks = [SOURCES[configSource as number]]
  if (configType !== undefined && configType !== 0) marks.push(`type ${configType}`)
  if (readOnly) marks.push('read-only')
  if (isSensitive) marks.push('sensitive')
  const others = ((synonyms ?? []) as Fields[])
    .map((each) => ` < ${each.name} = ${each.value} (${SOURCES[each.source as number]})`)
    .join('')
  return `${name} = ${value} (${marks.join(', ')})${others}`
}

/** Kafka's order is that of its hash tables. */
function inOrder(elements: unknown[]): unknown[] {
  const keyOf = (element: unknown) => JSON.stringify(element)
  const isOrdered = elements.every((each) => typeof each === 'number')
  return isOrdered ? elements : elements.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

export interface Exchange {
  readonly request: string
  readonly answer: string
  /** Why Kafka answers otherwise, or is not asked. */
  readonly difference: { readonly kind: 'differs' | 'only'; readonly reason: string } | null
}

export function parseTranscript(text: string): Exchange[] {
  const exchanges: Exchange[] = []
  let difference: Exchange['difference'] = null
  const lines = text.split('\n')
  for (const [at, line] of lines.entries()) {
    const mark = /^@(differs|only) (.+)$/.exec(line)
    if (mark !== null) difference = { kind: mark[1] as 'differs' | 'only', reason: mark[2] }
    if (!line.startsWith('> ')) continue
    exchanges.push({ request: line.slice(2), answer: lines[at + 1] ?? '', difference })
    difference = null
  }
  return exchanges
}

/** The text with the answers that are given now. */
export async function playTranscript(text: string, client: WireClient): Promise<string> {
  const lines: string[] = []
  let isAnswered = false
  for (const line of text.split('\n')) {
    if (isAnswered && line.startsWith('{')) continue
    isAnswered = line.startsWith('> ')
    lines.push(line)
    if (isAnswered) lines.push(await call(client, line.slice(2)))
  }
  return lines.join('\n')
}
