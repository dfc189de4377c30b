/**
 * Requests of any content in a form that handlers get to see. There is no telling what is right to answer, but an answer has
 * the right form, and no handler fails in a way that it has not thought of.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { apis } from '#src/kafka/apis.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { definitionOf } from './definitions.ts'
import { exactNamesOf, messages, valuesOf } from './messages.ts'
import { startBroker } from './test-broker.ts'
import type { WireClient } from './wire-client.ts'

const RUNS_PER_VERSION = 4
/** A request that is not answered while another client is, so many times, is one that waits for something. */
const PATIENCE = 2
/** What would make the server work for as long as it says. */
const SIZES: ReadonlySet<string> = new Set(['numPartitions', 'count'])
const SIZE_MAX = 20

const messageByName = new Map(messages.map((message) => [message.name, message]))

const AUTHORIZER = { 'kafka.authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer' }
const CLIENTS = {
  anybody: {},
  'a client that may do nothing': AUTHORIZER,
  'a client that may do what no entry speaks of': { ...AUTHORIZER, 'kafka.allow.everyone.if.no.acl.found': 'true' },
}

for (const [who, directives] of Object.entries(CLIENTS)) {
  test(`a request of any content is answered, waits or ends its connection: of ${who}`, async (t) => {
    const broker = await startBroker(t, { 'kafka.connections.max.idle.ms': '-1', ...directives })
    const bystander = await broker.connect()
    const isServed = () =>
      bystander.call(metadataRequest, metadataResponse, 9, { topics: [], includeTopicAuthorizedOperations: false })
    let client: WireClient | null = null
    for (const api of apis) {
      const request = messageByName.get(`${api.name}Request`)!
      const response = messageByName.get(`${api.name}Response`)!
      for (let version = api.minVersion; version <= api.maxVersion; version++) {
        const values = valuesOf(definitionOf(request.name).fieldsIn(version), exactNamesOf(request.fields))
        for (const value of fc.sample(values, RUNS_PER_VERSION)) {
          client ??= await broker.connect()
          const answered = client.call(request, response, version, limited(value) as object).then(
            () => 'answered' as const,
            (error: Error) => {
              if (!/closed the connection/.test(error.message)) throw error
              return 'closed' as const
            },
          )
          let outcome: 'answered' | 'closed' | 'waiting' = 'waiting'
          for (let round = 0; round < PATIENCE && outcome === 'waiting'; round++) {
            outcome = await Promise.race([answered, isServed().then(() => 'waiting' as const)])
          }
          if (outcome !== 'answered') {
            client.close()
            await answered
            client = null
          }
          const defects = broker.logged.filter((line) => /defect|is none/.test(line))
          assert.deepEqual(defects, [], `${api.name} of version ${version}: ${fc.stringify(value)}`)
        }
      }
    }
  })
}

function limited(value: unknown, name = ''): unknown {
  if (typeof value === 'number' && SIZES.has(name)) return value % SIZE_MAX
  if (Array.isArray(value)) return value.map((each) => limited(each))
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, limited(each, key)]))
}
