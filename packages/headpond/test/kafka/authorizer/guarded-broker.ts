/** A server with an authorizer for one test, where clients are whoever the test says. */
import type { TestContext } from 'node:test'
import type { DirectiveOptions } from '#src/config/sources.ts'
import { type LogServer, startLogServer } from '../data/log-server.ts'
import type { WireClient } from '../wire-client.ts'
import type { GuardedBroker } from './transcript.ts'

export const STANDARD_AUTHORIZER = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'

export interface GuardedServer extends GuardedBroker, LogServer {}

/** `admin` is a super user. */
export async function startGuardedBroker(t: TestContext, directives: DirectiveOptions = {}): Promise<GuardedServer> {
  const server = await startLogServer(t, {
    directives: {
      'kafka.authorizer.class.name': STANDARD_AUTHORIZER,
      'kafka.super.users': 'User:admin',
      'kafka.listeners': 'SASL_PLAINTEXT://127.0.0.1:0',
      'kafka.delegation.token.secret.key': 'hush',
      'kafka.group.initial.rebalance.delay.ms': 0,
      ...directives,
    } as DirectiveOptions,
  })
  const clients = new Map<string, WireClient>()
  return {
    ...server,
    async clientOf(user) {
      const known = clients.get(user)
      if (known !== undefined && !known.socket.destroyed) return known
      const { engine } = await server.server.kafka.load()
      const before = new Set(engine.sessions)
      const client = (await server.connect()).wire
      const session = [...engine.sessions].find((each) => !before.has(each))!
      // It need not prove it.
      session.sasl = null
      session.principal = { type: 'User', name: user }
      clients.set(user, client)
      return client
    },
  }
}
