/**
 * Who may do what: the transcripts of permissions, played to Apache Kafka's own broker with its StandardAuthorizer, and its
 * own tool for access control lists against an embedded server.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { saslAuthenticateRequest, saslAuthenticateResponse } from 'headpond/src/kafka/schemas/sasl-authenticate.ts'
import { saslHandshakeRequest, saslHandshakeResponse } from 'headpond/src/kafka/schemas/sasl-handshake.ts'
import { playTranscript, transcripts } from 'headpond/test/kafka/authorizer/transcript.ts'
import type { WireClient } from 'headpond/test/kafka/wire-client.ts'
import { ApacheKafka, KAFKA_VERSION, kafkaProblem } from './apache-kafka.ts'
import { runTool, skipTools } from './kafka-tool.ts'

const AUTHORIZER = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'
const USERS = ['admin', 'alice', 'bob', 'carl']
const PASSWORD = 'secret'
/** The broker hears of a change a moment after the controller has made it. */
const SETTLE_MS = 20_000

/** The listener of clients, which is that of the broker itself too, asks for a name; the controller's does not. */
const GUARDED = [
  'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT',
  'sasl.enabled.mechanisms=PLAIN',
  'sasl.mechanism.inter.broker.protocol=PLAIN',
  `listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="admin" password="${PASSWORD}" ${USERS.map((user) => `user_${user}="${PASSWORD}"`).join(' ')};`,
  'delegation.token.secret.key=hush',
  `authorizer.class.name=${AUTHORIZER}`,
  'super.users=User:admin;User:ANONYMOUS',
]

async function logIn(client: WireClient, user: string): Promise<void> {
  await client.call(saslHandshakeRequest, saslHandshakeResponse, 1, { mechanism: 'PLAIN' })
  const authBytes = Buffer.from(`\0${user}\0${PASSWORD}`)
  const answer = await client.call(saslAuthenticateRequest, saslAuthenticateResponse, 2, { authBytes })
  assert.equal(answer.errorCode, 0, answer.errorMessage ?? '')
}

/** Kafka shows the whole request, with the addresses and numbers of the moment. */
function withoutRequest(answer: string): string {
  return answer.replace(
    /"Request Request\((?:[^"\\]|\\.)* needs (\w+) permission\."/g,
    '"The request needs $1 permission on the cluster."',
  )
}

for (const name of transcripts.names) {
  test(`${name} against Apache Kafka`, { skip: kafkaProblem() ?? false }, async (t) => {
    const kafka = await ApacheKafka.start(GUARDED)
    const clients = new Map<string, WireClient>()
    t.after(async () => {
      for (const client of clients.values()) client.close()
      await kafka.stop()
    })
    const clientOf = async (user: string) => {
      const known = clients.get(user)
      if (known !== undefined && !known.socket.destroyed) return known
      const client = await kafka.connect()
      await logIn(client, user)
      clients.set(user, client)
      return client
    }
    const { exchanges } = await playTranscript(
      transcripts.read(name),
      { clientOf },
      { ms: SETTLE_MS, adjust: withoutRequest },
    )
    const differences: string[] = []
    for (const { request, answer, expected, difference } of exchanges) {
      const isEqual = answer === expected
      if (difference === null && !isEqual) differences.push(`> ${request}\nKafka:    ${answer}\nHeadpond: ${expected}`)
      if (difference !== null && isEqual) differences.push(`> ${request}\nNo difference: ${difference}`)
    }
    t.diagnostic(`${exchanges.length} requests compared with Apache Kafka ${KAFKA_VERSION}`)
    assert.ok(differences.length === 0, `\n${differences.join('\n\n')}\n`)
  })
}

test('kafka-acls keeps, lists and takes away entries', { skip: skipTools }, async (t) => {
  const server = await createServer({
    'kafka.authorizer.class.name': AUTHORIZER,
    'kafka.super.users': 'User:ANONYMOUS',
  })
  t.after(() => server.close())
  const acls = (...args: string[]) =>
    runTool('org.apache.kafka.tools.AclCommand', ['--bootstrap-server', server.urls.kafka, ...args])
  const added = await acls('--add', '--allow-principal', 'User:alice', '--producer', '--topic', 'orders')
  for (const operation of ['WRITE', 'DESCRIBE', 'CREATE']) {
    assert.match(added, new RegExp(`principal=User:alice, host=\\*, operation=${operation}, permissionType=ALLOW`))
  }
  await acls(
    ...['--add', '--deny-principal', 'User:bob', '--deny-host', '10.0.0.1', '--operation', 'Read'],
    ...['--topic', 'ord', '--resource-pattern-type', 'prefixed'],
  )
  await acls('--add', '--allow-principal', 'User:alice', '--operation', 'All', '--group', '*')
  await acls('--add', '--allow-principal', 'User:alice', '--operation', 'AlterConfigs', '--cluster')
  await acls('--add', '--allow-principal', 'User:alice', '--operation', 'Write', '--transactional-id', 'tx')
  const matching = await acls('--list', '--topic', 'orders', '--resource-pattern-type', 'match')
  assert.match(matching, /resourceType=TOPIC, name=ord, patternType=PREFIXED/)
  assert.match(matching, /principal=User:bob, host=10\.0\.0\.1, operation=READ, permissionType=DENY/)
  const ofAlice = await acls('--list', '--principal', 'User:alice')
  for (const resource of ['GROUP, name=\\*', 'CLUSTER, name=kafka-cluster', 'TRANSACTIONAL_ID, name=tx']) {
    assert.match(ofAlice, new RegExp(`resourceType=${resource}, patternType=LITERAL`))
  }
  await acls('--remove', '--force', '--topic', 'orders', '--resource-pattern-type', 'match')
  assert.doesNotMatch(await acls('--list'), /TOPIC/)
})

test('kafka-acls is told that there is no authorizer', { skip: skipTools }, async (t) => {
  const server = await createServer()
  t.after(() => server.close())
  const listed = runTool('org.apache.kafka.tools.AclCommand', ['--bootstrap-server', server.urls.kafka, '--list'])
  assert.match(await listed.catch((error: Error) => error.message), /No Authorizer is configured on the broker/)
})
