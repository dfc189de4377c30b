/** Delegation tokens: made, renewed, ended and logged in with, as with Apache Kafka. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  createDelegationTokenRequest,
  createDelegationTokenResponse,
} from '#src/kafka/schemas/create-delegation-token.ts'
import {
  describeDelegationTokenRequest,
  describeDelegationTokenResponse,
} from '#src/kafka/schemas/describe-delegation-token.ts'
import { listGroupsRequest, listGroupsResponse } from '#src/kafka/schemas/list-groups.ts'
import type { CreateServerOptions } from '#src/server/create-server.ts'
import { runKafkaCli } from '../../cli/kafka-run.ts'
import { startBroker, type TestBroker } from '../test-broker.ts'
import type { WireClient } from '../wire-client.ts'
import { logIn } from './login.ts'
import { holdDisabledTokenDialogs, holdTokenDialogs } from './token-dialogs.ts'

const EXPECTED = new URL('../../../test/kafka/security/token-dialogs.txt', import.meta.url)
const SECRET = { 'delegation.token.secret.key': 'hush' }
const HOUR_MS = 3_600_000

async function start(
  t: TestContext,
  config: Record<string, string | number> = {},
  options: CreateServerOptions = {},
): Promise<TestBroker> {
  const broker = await startBroker(t, {
    kafka: {
      topics: { orders: 1 },
      config: { listeners: 'SASL_PLAINTEXT://:0', 'connection.failed.authentication.delay.ms': 0, ...config },
    },
    ...options,
  })
  for (const name of ['alice', 'bob', 'carol'])
    await broker.server.execute('ACL', 'SETUSER', name, 'on', `>${name}-secret`)
  return broker
}

async function createToken(client: WireClient, maxLifetimeMs = -1): Promise<{ id: string; secret: string }> {
  const { errorCode, tokenId, hmac } = await client.call(
    createDelegationTokenRequest,
    createDelegationTokenResponse,
    3,
    {
      ownerPrincipalType: null,
      ownerPrincipalName: null,
      renewers: [],
      maxLifetimeMs,
    },
  )
  assert.equal(errorCode, 0)
  return { id: tokenId, secret: Buffer.from(hmac).toString('base64') }
}

async function logInAsAlice({ connect }: TestBroker): Promise<WireClient> {
  const client = await connect()
  assert.equal((await logIn(client, 'PLAIN', 'alice', 'alice-secret')).errorCode, 0)
  return client
}

async function countTokens(client: WireClient): Promise<number> {
  const { tokens } = await client.call(describeDelegationTokenRequest, describeDelegationTokenResponse, 3, {
    owners: null,
  })
  return tokens.length
}

test('what is said of delegation tokens is what Apache Kafka says', async (t) => {
  const lines: string[] = []
  for (const [config, hold] of [
    [SECRET, holdTokenDialogs],
    [{}, holdDisabledTokenDialogs],
  ] as const) {
    const { connect, server } = await start(t, config)
    const settle = async () => server.clock.advance(5)
    lines.push(...(await hold({ connect, settle, nowMs: () => server.clock.nowMs() })), '')
  }
  if (process.env['UPDATE'] === '1') writeFileSync(EXPECTED, lines.join('\n'))
  assert.deepEqual(lines, readFileSync(EXPECTED, 'utf8').split('\n'))
})

test('a login by token ends with the token, which is forgotten some time later', async (t) => {
  const broker = await start(t, SECRET)
  const alice = await logInAsAlice(broker)
  const { id, secret } = await createToken(alice, HOUR_MS)
  const client = await broker.connect()
  const { errorCode, sessionLifetimeMs } = await logIn(client, 'SCRAM-SHA-256', id, secret, true)
  assert.equal(errorCode, 0)
  assert.ok(sessionLifetimeMs > 0 && sessionLifetimeMs <= HOUR_MS)
  const listing = { statesFilter: [], typesFilter: [] }
  await client.call(listGroupsRequest, listGroupsResponse, 4, listing)
  broker.server.clock.advance(HOUR_MS - 1000)
  await client.call(listGroupsRequest, listGroupsResponse, 4, listing)
  assert.equal(await countTokens(alice), 1)
  broker.server.clock.advance(2000)
  await assert.rejects(client.call(listGroupsRequest, listGroupsResponse, 4, listing), /closed the connection/)
  const late = await logIn(await broker.connect(), 'SCRAM-SHA-256', id, secret, true)
  assert.notEqual(late.errorCode, 0)
  broker.server.clock.advance(HOUR_MS)
  assert.equal(await countTokens(await logInAsAlice(broker)), 0)
})

test('a token outlives the process, as long as the secret is the same; it is the name of nobody', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-tokens-'))
  const options = { ephemeral: false, dir }
  const before = await start(t, SECRET, options)
  const token = await createToken(await logInAsAlice(before))
  assert.doesNotMatch(
    readFileSync(join(dir, 'kafka-logs', 'cluster-metadata.json'), 'utf8'),
    new RegExp(token.secret.slice(0, 20).replace(/\W/g, '\\$&')),
  )
  await before.server.close()
  const enter = async ({ connect }: TestBroker, isToken: boolean) =>
    (await logIn(await connect(), 'SCRAM-SHA-512', token.id, token.secret, isToken)).errorCode
  const after = await start(t, SECRET, options)
  assert.equal(await enter(after, true), 0)
  assert.notEqual(await enter(after, false), 0)
  await after.server.close()
  const changed = await start(t, { 'delegation.token.secret.key': 'another' }, options)
  assert.notEqual(await enter(changed, true), 0)
  t.after(() => rmSync(dir, { recursive: true, force: true }))
})

test('the tools at a terminal log in by a token', async (t) => {
  const broker = await start(t, SECRET)
  const { id, secret } = await createToken(await logInAsAlice(broker))
  const directory = mkdtempSync(join(tmpdir(), 'headpond-tokens-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const list = async (password: string, tokenAuth: string) => {
    const file = join(directory, 'client.properties')
    const login = `x required username="${id}" password="${password}" tokenauth="${tokenAuth}";`
    const lines = [
      `bootstrap.servers=${broker.address}`,
      'security.protocol=SASL_PLAINTEXT',
      'sasl.mechanism=SCRAM-SHA-256',
      `sasl.jaas.config=${login}`,
    ]
    writeFileSync(file, lines.join('\n'))
    return runKafkaCli(null, ['topic', 'list', '--command-config', file])
  }
  assert.match((await list(secret, 'true')).output, /orders/)
  assert.equal((await list(secret, 'false')).exitCode, 1)
  assert.equal((await list('guess', 'true')).exitCode, 1)
})
