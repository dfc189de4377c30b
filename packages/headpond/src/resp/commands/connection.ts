import { authenticate, resetAuthentication } from '../admission.ts'
import type { Client } from '../client.ts'
import { clientNameProblem } from '../client-description.ts'
import type { CommandFlag, CommandSpec } from '../command.ts'
import { errors, wrongArity } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { discardTransaction } from '../transaction.ts'
import { REDIS_VERSION } from '../version.ts'

const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.'

function auth(client: Client, request: Request, reply: Reply): void {
  if (request.count > 3) return reply.error(errors.SYNTAX)
  if (request.count === 2 && client.engine.acl.users.default.credentials.acceptsAny) {
    return reply.error(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    )
  }
  const userName = request.count === 3 ? request.latin1(1) : 'default'
  if (authenticate(client, userName, request.view(request.count - 1), request.latin1(0))) reply.ok()
  else reply.error(WRONG_PASSWORD)
}

function hello(client: Client, request: Request, reply: Reply): void {
  let protocol = client.protocol
  if (request.count > 1) {
    protocol = request.integer(1)
    if (Number.isNaN(protocol)) return reply.error('ERR Protocol version is not an integer or out of range')
    if (protocol !== 2 && protocol !== 3) return reply.error('NOPROTO unsupported protocol version')
  }
  let credentialsAt = 0
  let name: string | undefined
  for (let index = 2; index < request.count; index++) {
    const following = request.count - 1 - index
    if (request.is(index, 'AUTH') && following >= 2) {
      credentialsAt = index + 1
      index += 2
    } else if (request.is(index, 'SETNAME') && following >= 1) {
      name = request.latin1(++index)
      const problem = clientNameProblem(name)
      if (problem !== null) return reply.error(problem)
    } else {
      return reply.errorOfBytes(`ERR Syntax error in HELLO option '${request.quoted(index)}'`)
    }
  }
  if (credentialsAt > 0) {
    const userName = request.latin1(credentialsAt)
    const isRight = authenticate(client, userName, request.view(credentialsAt + 1), request.latin1(0))
    if (!isRight) return reply.error(WRONG_PASSWORD)
  }
  if (!client.isAuthenticated) {
    return reply.error(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
    )
  }
  if (name !== undefined) client.name = name
  client.protocol = protocol
  client.updateSpecial()
  reply.protocol = protocol
  const zone = client.engine.settings.availabilityZone
  reply.map(zone === '' ? 7 : 8)
  reply.bulkText('server')
  reply.bulkText('redis')
  reply.bulkText('version')
  reply.bulkText(REDIS_VERSION)
  reply.bulkText('proto')
  reply.integer(protocol)
  reply.bulkText('id')
  reply.integer(client.id)
  reply.bulkText('mode')
  reply.bulkText('standalone')
  reply.bulkText('role')
  reply.bulkText('master')
  reply.bulkText('modules')
  reply.array(0)
  if (zone === '') return
  reply.bulkText('availability_zone')
  reply.bulkText(zone)
}

function ping(client: Client, request: Request, reply: Reply): void {
  if (request.count > 2) return reply.error(wrongArity('ping'))
  if (client.isSubscribed && client.protocol === 2) {
    reply.array(2)
    reply.bulkText('pong')
    if (request.count === 2) reply.bulk(request.chunk, request.start(1), request.end(1))
    else reply.bulkText('')
    return
  }
  if (request.count === 1) reply.pong()
  else reply.bulk(request.chunk, request.start(1), request.end(1))
}

function echo(_client: Client, request: Request, reply: Reply): void {
  reply.bulk(request.chunk, request.start(1), request.end(1))
}

const INT_MAX = 2 ** 31 - 1

function select(client: Client, request: Request, reply: Reply): void {
  const index = request.bigInteger(1)
  if (index === undefined) return reply.error(errors.NOT_AN_INTEGER)
  if (index < -INT_MAX - 1 || index > INT_MAX) {
    return reply.error('ERR value is out of range, value must between -2147483648 and 2147483647')
  }
  const database = client.engine.store.databases[Number(index)]
  if (database === undefined) return reply.error(errors.DB_INDEX)
  client.database = database
  reply.ok()
}

function quit(client: Client, _request: Request, reply: Reply): void {
  reply.ok()
  client.closesAfterReply = true
}

/** As if the client had connected anew. The answer goes out in the protocol that a new client speaks. */
function reset(client: Client, _request: Request, reply: Reply): void {
  const { engine } = client
  if (client.isMonitor) engine.removeMonitor(client)
  discardTransaction(client)
  engine.pubsub.unsubscribeAll(client)
  engine.tracking.disable(client)
  client.database = engine.store.databases[0]
  client.name = ''
  client.isNoEvict = false
  client.isNoTouch = false
  client.isImportSource = false
  client.protocol = engine.settings.clientDefaultResp
  reply.protocol = client.protocol
  if (client.replyMode === 'off') engine.outgoing.setReplyMode(client, 'on')
  resetAuthentication(client)
  reply.simple('RESET')
}

const AT_ANY_TIME: readonly CommandFlag[] = ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy']

export const connectionCommands: readonly CommandSpec[] = [
  {
    name: 'AUTH',
    arity: -2,
    flags: AT_ANY_TIME,
    acl: ['connection'],
    group: 'connection',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of passwords defined for the user',
    summary: 'Proves who the client is.',
    args: '[username@6.0.0] password',
    handler: auth,
  },
  {
    name: 'HELLO',
    arity: -1,
    flags: AT_ANY_TIME,
    acl: ['connection'],
    group: 'connection',
    since: '6.0.0',
    complexity: 'O(1)',
    summary: 'Chooses the protocol version and tells about the server; can authenticate and name the client too.',
    args: '[arguments{protover:integer [AUTH username_password{username password}] [SETNAME clientname]}]',
    handler: hello,
  },
  {
    name: 'PING',
    arity: -1,
    flags: ['fast'],
    acl: ['connection'],
    group: 'connection',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Answers PONG, or the argument.',
    args: '[message]',
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    handler: ping,
  },
  {
    name: 'ECHO',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    acl: ['connection'],
    group: 'connection',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Answers its argument.',
    args: 'message',
    handler: echo,
  },
  {
    name: 'SELECT',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    acl: ['connection'],
    group: 'connection',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Changes the database that the client works on.',
    args: 'index',
    handler: select,
  },
  {
    name: 'QUIT',
    arity: -1,
    flags: AT_ANY_TIME,
    acl: ['connection'],
    group: 'connection',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Closes the connection once everything is answered.',
    handler: quit,
  },
  {
    name: 'RESET',
    arity: 1,
    flags: AT_ANY_TIME,
    acl: ['connection'],
    group: 'connection',
    since: '6.2.0',
    complexity: 'O(1)',
    summary: 'Brings the connection back to the state of a new one.',
    handler: reset,
  },
]
