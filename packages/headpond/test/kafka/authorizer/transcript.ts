/**
 * Transcripts of who may do what: requests of several users, the permissions that they get in between, and what is answered.
 * The same files are played to Headpond (here) and to Apache Kafka's own broker (interop).
 *
 *   > alice Produce 9 {"acks":-1 ...}         user, API, version, fields; what is left out has its default
 *   >>                                        the same request again
 *   + alice write topic orders                an entry for her; `bob...` is a prefix, `*` everything
 *   + deny alice read topic orders from 10.1.2.3
 *   -                                         all entries are taken away
 *   @differs why                              before a request: Kafka answers otherwise, and that is meant
 *
 * In fields, `batch` and `transactional batch` stand for records, `id of orders` for the id of a topic. `UPDATE=1` rewrites
 * the answers.
 */
import { OPERATION, PATTERN, PERMISSION, RESOURCE } from '#src/kafka/authorizer/acl.ts'
import { ZERO_UUID } from '#src/kafka/codec/byte-reader.ts'
import type { Fields } from '#src/kafka/codec/declaration.ts'
import { createAclsRequest, createAclsResponse } from '#src/kafka/schemas/create-acls.ts'
import { deleteAclsRequest, deleteAclsResponse } from '#src/kafka/schemas/delete-acls.ts'
import { describeAclsRequest, describeAclsResponse } from '#src/kafka/schemas/describe-acls.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { encodeBatch } from '#src/log/records/batch.ts'
import { shown } from '../admin/transcript.ts'
import { messages } from '../messages.ts'
import { TranscriptFiles } from '../transcript-files.ts'
import type { WireClient } from '../wire-client.ts'

export const transcripts = new TranscriptFiles('authorizer')

/** A broker where `admin` may do anything, and nobody else something that is not granted. */
export interface GuardedBroker {
  /** A client of this user, which is open. */
  clientOf(user: string): Promise<WireClient>
}

export interface Exchange {
  readonly request: string
  readonly answer: string
  readonly expected: string
  /** Why Kafka answers otherwise. */
  readonly difference: string | null
}

const messageByName = new Map(messages.map((message) => [message.name, message]))

export interface Listening {
  /** How long a request that only looks is made again until the answer is the expected one: a cluster needs a moment. */
  readonly ms: number
  /** What a transcript would say where the broker says too much. */
  adjust(answer: string): string
}

/** Plays a transcript. */
export async function playTranscript(
  text: string,
  broker: GuardedBroker,
  { ms, adjust }: Listening = { ms: 0, adjust: (answer) => answer },
): Promise<{ readonly text: string; readonly exchanges: readonly Exchange[] }> {
  const lines = text.split('\n')
  const played: string[] = []
  const exchanges: Exchange[] = []
  let request = ''
  let difference: string | null = null
  for (const [at, line] of lines.entries()) {
    if (isAnswer(line)) continue
    played.push(line)
    if (line.startsWith('@differs ')) difference = line.slice('@differs '.length)
    if (line.startsWith('+ ')) await grant(line.slice(2), broker)
    if (line.trim() === '-') await revokeAll(broker)
    if (!line.startsWith('>')) continue
    if (line !== '>>') request = line.slice(2)
    const next = lines[at + 1] ?? ''
    const expected = isAnswer(next) ? next : ''
    let answer = adjust(await call(request, broker))
    const giveUpAtMs = performance.now() + ms
    while (
      answer !== expected &&
      difference === null &&
      isTransient(request, answer) &&
      performance.now() < giveUpAtMs
    ) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      answer = adjust(await call(request, broker))
    }
    played.push(answer)
    exchanges.push({ request, answer, expected, difference })
    difference = null
  }
  return { text: played.join('\n'), exchanges }
}

const CLOSED = '(closed)'

function isAnswer(line: string): boolean {
  return line.startsWith('{') || line === CLOSED
}

/** Whether the next answer to the same request may be another one. */
function isTransient(request: string, answer: string): boolean {
  if (/"(COORDINATOR_\w+|NOT_COORDINATOR)"/.test(answer)) return true
  return /^\w+ (Describe|List|Metadata|Fetch|Find|OffsetFetch|OffsetFor|ConsumerGroupDescribe)/.test(request)
}

async function call(line: string, broker: GuardedBroker): Promise<string> {
  const [user, api, version] = line.split(' ', 3)
  const request = messageByName.get(`${api}Request`)
  const response = messageByName.get(`${api}Response`)
  if (request === undefined || response === undefined) throw new Error(`there is no API ${api}`)
  const text = await withIds(line.slice(user.length + api.length + version.length + 3), broker)
  const value = withBytes(JSON.parse(text), request.fields) as object
  const client = await broker.clientOf(user)
  try {
    const answer = await client.call(request, response, Number(version), value)
    return JSON.stringify(withoutChance(shown(answer)))
  } catch (error) {
    if (!/closed the connection/.test((error as Error).message)) throw error
    return CLOSED
  }
}

async function withIds(text: string, broker: GuardedBroker): Promise<string> {
  const wanted = /id of (\w+)/.exec(text)
  if (wanted === null) return text
  const { topics } = await (await broker.clientOf('admin')).call(metadataRequest, metadataResponse, 12, {
    topics: [{ name: wanted[1], topicId: ZERO_UUID }],
    allowAutoTopicCreation: false,
    includeTopicAuthorizedOperations: false,
  })
  return text.replaceAll(wanted[0], topics[0].topicId)
}

/** JSON has no bytes: they stand as text, records as the name of a batch. */
function withBytes(value: unknown, fields: Fields): unknown {
  if (Array.isArray(value)) return value.map((each) => withBytes(each, fields))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => {
      const field = fields[name]
      if (field === undefined) throw new Error(`there is no field ${name}`)
      if (field.fields !== undefined) return [name, withBytes(each, field.fields)]
      if (field.kind === 'bytes') return [name, Buffer.from(each as string)]
      if (field.kind === 'records') return [name, batch(each as string)]
      return [name, field.kind === 'int64Exact' ? BigInt(each as number) : each]
    }),
  )
}

function batch(name: string): Buffer {
  const records = [{ timestampMs: 0, key: null, value: Buffer.from('v') }]
  if (name === 'batch') return encodeBatch(records)
  return encodeBatch(records, { producerId: 987_654, producerEpoch: 0, baseSequence: 0, isTransactional: true })
}

/** What differs from one run to the next, and orders that say nothing. */
function withoutChance(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutChance)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([name]) => !CHANCE.has(name))
  return Object.fromEntries(entries.map(([name, each]) => [name, withoutChance(each)]))
}

const TIMES_OF_TOKENS = [
  ...['issueTimestampMs', 'expiryTimestampMs', 'maxTimestampMs'],
  ...['issueTimestamp', 'expiryTimestamp', 'maxTimestamp', 'tokenId'],
]
const CHANCE: ReadonlySet<string> = new Set([
  'port',
  'producerId',
  'records',
  'rack',
  'controllerId',
  'nodes',
  ...TIMES_OF_TOKENS,
])

/** `[deny] USER OPERATION RESOURCE NAME [from HOST]` */
async function grant(text: string, broker: GuardedBroker): Promise<void> {
  const words = text.split(' ')
  const isDenied = words[0] === 'deny'
  const [user, operation, resource, name, , host = '*'] = isDenied ? words.slice(1) : words
  const isPrefix = name.endsWith('...')
  const acl = {
    resourceType: RESOURCE[resource as keyof typeof RESOURCE],
    resourceName: isPrefix ? name.slice(0, -'...'.length) : name,
    resourcePatternType: isPrefix ? PATTERN.prefixed : PATTERN.literal,
    principal: `User:${user}`,
    host,
    operation: OPERATION[operation as keyof typeof OPERATION],
    permissionType: isDenied ? PERMISSION.deny : PERMISSION.allow,
  }
  const admin = await broker.clientOf('admin')
  const { results } = await admin.call(createAclsRequest, createAclsResponse, 3, { creations: [acl] })
  if (results[0].errorCode !== 0) throw new Error(`${text}: ${results[0].errorMessage}`)
  const { resourceType, resourceName, permissionType } = acl
  await untilCount(broker, 1, {
    resourceTypeFilter: resourceType,
    resourceNameFilter: resourceName,
    patternTypeFilter: acl.resourcePatternType,
    principalFilter: acl.principal,
    hostFilter: host,
    operation: acl.operation,
    permissionType,
  })
}

const EVERYTHING = {
  resourceTypeFilter: RESOURCE.any,
  resourceNameFilter: null,
  patternTypeFilter: PATTERN.any,
  principalFilter: null,
  hostFilter: null,
  operation: OPERATION.any,
  permissionType: PERMISSION.any,
}

async function revokeAll(broker: GuardedBroker): Promise<void> {
  const admin = await broker.clientOf('admin')
  await admin.call(deleteAclsRequest, deleteAclsResponse, 3, { filters: [EVERYTHING] })
  await untilCount(broker, 0, EVERYTHING)
}

/** The broker hears of what the controller has written a moment later. */
async function untilCount(broker: GuardedBroker, count: number, filter: typeof EVERYTHING | object): Promise<void> {
  const admin = await broker.clientOf('admin')
  for (;;) {
    const { resources } = await admin.call(describeAclsRequest, describeAclsResponse, 3, {
      ...EVERYTHING,
      ...filter,
    })
    if (resources.reduce((sum, { acls }) => sum + acls.length, 0) === count) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
