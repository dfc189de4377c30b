import type { UserDirectory } from '../../security/user-directory.ts'
import type { Client } from '../client.ts'
import { type ClientType, clientNameProblem, describeClient, isPlain, typeOf } from '../client-description.ts'
import type { CommandFlag, CommandSpec } from '../command.ts'
import { errors, wrongSubcommandForm } from '../errors.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

// ---- Telling about clients ----

function id(client: Client, _request: Request, reply: Reply): void {
  reply.integer(client.id)
}

function info(client: Client, request: Request, reply: Reply): void {
  reply.verbatim('txt', `${describeClient(client, client.engine.store.nowMs, request)}\n`)
}

function list(client: Client, request: Request, reply: Reply): void {
  const { engine } = client
  const filter: ClientFilter | undefined = readFilter(request, 'list', engine.acl.users, reply)
  if (filter === undefined) return
  const { ids, ...others } = filter
  // Clients asked for by their numbers come in that order.
  const candidates = ids?.flatMap((each) => engine.clients.get(Number(each)) ?? []) ?? [...engine.clients.values()]
  const listed = candidates.filter((each) => matches(each, others, client))
  const lines = listed.map((each) => describeClient(each, engine.store.nowMs, each === client ? request : null))
  reply.verbatim('txt', lines.map((line) => `${line}\n`).join(''))
}

/** What the clients to be listed or killed have in common. */
interface ClientFilter {
  ids?: bigint[]
  address?: string
  localAddress?: string
  type?: ClientType | undefined
  userName?: string
  ageSecondsMin?: bigint | undefined
  skipsCaller: boolean
}

/** The filters of CLIENT LIST, or of CLIENT KILL in its newer form; undefined when the error is written. */
function readFilter(
  request: Request,
  command: 'list' | 'kill',
  users: UserDirectory,
  reply: Reply,
): ClientFilter | undefined {
  const filter: ClientFilter = { skipsCaller: command === 'kill' }
  const refuse = (error: string) => {
    reply.errorOfBytes(error)
    return undefined
  }
  for (let index = 2; index < request.count; index += 2) {
    const valueAt = index + 1
    if (valueAt === request.count) return refuse(errors.SYNTAX)
    if (request.is(index, 'ID')) {
      const ids = integersFrom(request, valueAt)
      filter.ids = [...(filter.ids ?? []), ...ids]
      index += ids.length - 1
      if (command === 'kill') {
        if (ids.length === 0 || ids.some((each) => each < 1n)) return refuse('ERR client-id should be greater than 0')
      } else if (ids.length === 0 || (index + 2 < request.count && !isFilterName(request, index + 2))) {
        return refuse('ERR Invalid client ID')
      }
    } else if (request.is(index, 'MAXAGE')) {
      filter.ageSecondsMin = request.bigInteger(valueAt)
      if (filter.ageSecondsMin === undefined) return refuse('ERR maxage is not an integer or out of range')
      if (filter.ageSecondsMin < 1n) return refuse('ERR maxage should be greater than 0')
    } else if (request.is(index, 'TYPE')) {
      filter.type = readType(request, valueAt, reply)
      if (filter.type === undefined) return undefined
    } else if (request.is(index, 'ADDR')) {
      filter.address = request.text(valueAt)
    } else if (request.is(index, 'LADDR')) {
      filter.localAddress = request.text(valueAt)
    } else if (request.is(index, 'USER')) {
      filter.userName = request.latin1(valueAt)
      if (users.get(filter.userName) === undefined) return refuse(`ERR No such user '${request.quoted(valueAt)}'`)
    } else if (request.is(index, 'SKIPME')) {
      filter.skipsCaller = request.is(valueAt, 'YES')
      if (!filter.skipsCaller && !request.is(valueAt, 'NO')) return refuse(errors.SYNTAX)
    } else {
      return refuse(errors.SYNTAX)
    }
  }
  return filter
}
const FILTER_NAMES = ['ID', 'MAXAGE', 'TYPE', 'ADDR', 'LADDR', 'USER', 'SKIPME']

function isFilterName(request: Request, index: number): boolean {
  return FILTER_NAMES.some((name) => request.is(index, name))
}

/** As many integers as stand one after the other. */
function integersFrom(request: Request, first: number): bigint[] {
  const integers: bigint[] = []
  for (let index = first; index < request.count; index++) {
    const integer = request.bigInteger(index)
    if (integer === undefined) break
    integers.push(integer)
  }
  return integers
}

function matches(each: Client, filter: ClientFilter, caller: Client): boolean {
  const { ids, address, localAddress, type, userName, ageSecondsMin, skipsCaller } = filter
  if (skipsCaller && each === caller) return false
  if (ids !== undefined && !ids.includes(BigInt(each.id))) return false
  if (address !== undefined && each.connection?.remoteAddress !== address) return false
  if (localAddress !== undefined && each.connection?.localAddress !== localAddress) return false
  if (type !== undefined && typeOf(each) !== type) return false
  if (userName !== undefined && each.userName !== userName) return false
  const ageSeconds = Math.floor((caller.engine.store.nowMs - each.createdAtMs) / 1000)
  return ageSecondsMin === undefined || ageSeconds >= ageSecondsMin
}

/** A type of clients, or undefined when the error is written. */
function readType(request: Request, index: number, reply: Reply): ClientType | undefined {
  switch (request.text(index).toLowerCase()) {
    case 'normal':
      return 'normal'
    case 'pubsub':
      return 'pubsub'
    case 'master':
    case 'primary':
      return 'master'
    case 'replica':
    case 'slave':
      return 'replica'
    default:
      reply.errorOfBytes(`ERR Unknown client type '${request.quoted(index)}'`)
      return undefined
  }
}

// ---- Client-side caching ----

function tracking(client: Client, request: Request, reply: Reply): void {
  const options = readTrackingOptions(client, request, reply)
  if (options === undefined) return
  const { engine } = client
  if (request.is(2, 'OFF')) {
    engine.tracking.disable(client)
    return reply.ok()
  }
  if (!request.is(2, 'ON')) return reply.error(errors.SYNTAX)
  const { isBroadcast, isOptIn, isOptOut, isNoLoop, redirectId, prefixes } = options
  const current = client.tracker?.isOn ? client.tracker : null
  if (!isBroadcast && prefixes.length > 0) return reply.error('ERR PREFIX option requires BCAST mode to be enabled')
  if (current !== null && (current.mode === 'broadcast') !== isBroadcast) {
    return reply.error(`ERR You can't switch BCAST mode on/off ${ONLY_WHEN_OFF}`)
  }
  if (isBroadcast && (isOptIn || isOptOut)) return reply.error('ERR OPTIN and OPTOUT are not compatible with BCAST')
  if (isOptIn && isOptOut) return reply.error("ERR You can't specify both OPTIN mode and OPTOUT mode")
  if ((isOptIn && current?.mode === 'optout') || (isOptOut && current?.mode === 'optin')) {
    return reply.error(`ERR You can't switch OPTIN/OPTOUT mode ${ONLY_WHEN_OFF}`)
  }
  const overlap = overlapOf(prefixes, current?.prefixes ?? new Set())
  if (overlap !== null) return reply.errorOfBytes(overlap)
  const mode = isBroadcast ? 'broadcast' : isOptIn ? 'optin' : isOptOut ? 'optout' : 'default'
  engine.tracking.enable(client, { mode, isNoLoop, redirectId, prefixes })
  reply.ok()
}

const ONLY_WHEN_OFF = 'before disabling tracking for this client, and then re-enabling it with a different mode.'

/** The words behind CLIENT TRACKING ON or OFF, or undefined when the error is written. */
function readTrackingOptions(client: Client, request: Request, reply: Reply) {
  const options = {
    isBroadcast: false,
    isOptIn: false,
    isOptOut: false,
    isNoLoop: false,
    redirectId: 0,
    prefixes: [] as string[],
  }
  const refuse = (error: string) => {
    reply.error(error)
    return undefined
  }
  for (let index = 3; index < request.count; index++) {
    const hasValue = index + 1 < request.count
    if (request.is(index, 'REDIRECT') && hasValue) {
      if (options.redirectId !== 0) return refuse('ERR A client can only redirect to a single other client')
      const id = request.bigInteger(++index)
      if (id === undefined) return refuse(errors.NOT_AN_INTEGER)
      if (!client.engine.clients.has(Number(id))) return refuse('ERR The client ID you want redirect to does not exist')
      options.redirectId = Number(id)
    } else if (request.is(index, 'PREFIX') && hasValue) {
      options.prefixes.push(request.latin1(++index))
    } else if (request.is(index, 'BCAST')) {
      options.isBroadcast = true
    } else if (request.is(index, 'OPTIN')) {
      options.isOptIn = true
    } else if (request.is(index, 'OPTOUT')) {
      options.isOptOut = true
    } else if (request.is(index, 'NOLOOP')) {
      options.isNoLoop = true
    } else {
      return refuse(errors.SYNTAX)
    }
  }
  return options
}

/** The error for prefixes of which one begins with another: a key would be told of twice. */
function overlapOf(prefixes: readonly string[], existing: ReadonlySet<string>): string | null {
  const overlaps = (a: string, b: string) => a.startsWith(b) || b.startsWith(a)
  const error = (prefix: string, kind: string, other: string) =>
    `ERR Prefix '${prefix}' overlaps with ${kind} prefix '${other}'. Prefixes for a single client must not overlap.`
  // In order, one that another begins with stands before it or before such a one: so it is seldom looked for which they are.
  const inOrder = [...existing, ...prefixes].sort()
  if (!inOrder.some((prefix, index) => index > 0 && prefix.startsWith(inOrder[index - 1]))) return null
  const existingInOrder = inByteOrder(existing)
  for (const [index, prefix] of prefixes.entries()) {
    for (const other of existingInOrder) {
      if (overlaps(prefix, other)) return error(prefix, 'an existing', other)
    }
    const other = prefixes.slice(index + 1).find((each) => overlaps(prefix, each))
    if (other !== undefined) return error(prefix, 'another provided', other)
  }
  return null
}

function inByteOrder(texts: ReadonlySet<string>): string[] {
  return [...texts].sort((a, b) => (a < b ? -1 : 1))
}

function caching(client: Client, request: Request, reply: Reply): void {
  const tracker = client.tracker?.isOn ? client.tracker : null
  if (tracker === null) {
    return reply.error(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
    )
  }
  const isYes = request.is(2, 'YES')
  if (!isYes && !request.is(2, 'NO')) return reply.error(errors.SYNTAX)
  if (isYes && tracker.mode !== 'optin') {
    return reply.error('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.')
  }
  if (!isYes && tracker.mode !== 'optout') {
    return reply.error('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.')
  }
  tracker.isCachingSaid = true
  reply.ok()
}

function trackingInfo(client: Client, _request: Request, reply: Reply): void {
  const tracker = client.tracker?.isOn ? client.tracker : null
  const flags: string[] = [tracker === null ? 'off' : 'on']
  if (tracker?.mode === 'broadcast') flags.push('bcast')
  if (tracker?.mode === 'optin') flags.push('optin', ...(tracker.isCachingSaid ? ['caching-yes'] : []))
  if (tracker?.mode === 'optout') flags.push('optout', ...(tracker.isCachingSaid ? ['caching-no'] : []))
  if (tracker?.isNoLoop) flags.push('noloop')
  if (tracker?.isRedirectBroken) flags.push('broken_redirect')
  reply.map(3)
  reply.bulkText('flags')
  reply.set(flags.length)
  for (const flag of flags) reply.bulkText(flag)
  reply.bulkText('redirect')
  reply.integer(tracker?.redirectId ?? -1)
  reply.bulkText('prefixes')
  const prefixes = inByteOrder(tracker?.prefixes ?? new Set())
  reply.array(prefixes.length)
  for (const prefix of prefixes) reply.bulkBytes(Buffer.from(prefix, 'latin1'))
}

function getRedirection(client: Client, _request: Request, reply: Reply): void {
  reply.integer(client.tracker?.isOn ? client.tracker.redirectId : -1)
}

// ---- Names ----

function getName(client: Client, _request: Request, reply: Reply): void {
  if (client.name === '') reply.nil()
  else reply.bulkText(client.name)
}

function setName(client: Client, request: Request, reply: Reply): void {
  const name = request.latin1(2)
  const problem = clientNameProblem(name)
  if (problem !== null) return reply.error(problem)
  client.name = name
  reply.ok()
}

function setInfo(client: Client, request: Request, reply: Reply): void {
  const isName = request.is(2, 'LIB-NAME')
  if (!isName && !request.is(2, 'LIB-VER')) {
    return reply.errorOfBytes(`ERR Unrecognized option '${request.quoted(2)}'`)
  }
  const value = request.latin1(3)
  if (!isPlain(value)) {
    return reply.error(`ERR ${request.text(2)} cannot contain spaces, newlines or special characters.`)
  }
  if (isName) client.libraryName = value
  else client.libraryVersion = value
  reply.ok()
}

// ---- Ending clients ----

function kill(client: Client, request: Request, reply: Reply): void {
  const { engine } = client
  const isOldForm = request.count === 3
  const filter: ClientFilter | undefined = isOldForm
    ? { address: request.text(2), skipsCaller: false }
    : readFilter(request, 'kill', engine.acl.users, reply)
  if (filter === undefined) return
  const killed = [...engine.clients.values()].filter((each) => matches(each, filter, client))
  if (!isOldForm) reply.integer(killed.length)
  else if (killed.length === 0) reply.error('ERR No such client')
  else reply.ok()
  for (const each of killed) engine.kill(each)
}

// ---- Waiting clients ----

/** Redis counts time in 64-bit integers. */
const INT64_MAX = 2 ** 63

function pause(client: Client, request: Request, reply: Reply): void {
  if (request.count > 4) return reply.error(wrongSubcommandForm('CLIENT', request.text(1)))
  const holdsAll = request.count === 3 || request.is(3, 'ALL')
  if (!holdsAll && !request.is(3, 'WRITE')) return reply.error('ERR CLIENT PAUSE mode must be WRITE or ALL')
  const durationMs = request.integer(2)
  if (Number.isNaN(durationMs)) return reply.error('ERR timeout is not an integer or out of range')
  if (durationMs < 0) return reply.error(errors.TIMEOUT_NEGATIVE)
  const nowMs = client.engine.clock.nowMs()
  if (durationMs > INT64_MAX - nowMs) return reply.error(errors.TIMEOUT_OUT_OF_RANGE)
  client.engine.pause.begin(holdsAll, nowMs + durationMs)
  reply.ok()
}

function unpause(client: Client, _request: Request, reply: Reply): void {
  client.engine.pause.end()
  reply.ok()
}

function unblock(client: Client, request: Request, reply: Reply): void {
  if (request.count > 4) return reply.error(wrongSubcommandForm('CLIENT', request.text(1)))
  const isError = request.count === 4 && request.is(3, 'ERROR')
  if (request.count === 4 && !isError && !request.is(3, 'TIMEOUT')) {
    return reply.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
  }
  const clientId = request.bigInteger(2)
  if (clientId === undefined) return reply.error(errors.NOT_AN_INTEGER)
  const { engine } = client
  const target = engine.clients.get(Number(clientId))
  if (target?.blocked?.isUnblockable !== true) return reply.integer(0)
  engine.waiting.end(
    target,
    isError ? (answer) => answer.error('UNBLOCKED client unblocked via CLIENT UNBLOCK') : target.blocked.onTimeout,
  )
  reply.integer(1)
}

// ---- Switches ----

function replyMode(client: Client, request: Request, reply: Reply): void {
  const { engine } = client
  if (request.is(2, 'ON')) {
    engine.outgoing.setReplyMode(client, 'on')
    reply.ok()
  } else if (request.is(2, 'OFF')) {
    engine.outgoing.setReplyMode(client, 'off')
  } else if (request.is(2, 'SKIP')) {
    if (client.replyMode !== 'off') engine.outgoing.setReplyMode(client, 'skip')
  } else {
    reply.error(errors.SYNTAX)
  }
}

function noEvict(client: Client, request: Request, reply: Reply): void {
  const isOn = readSwitch(request, reply)
  if (isOn === undefined) return
  client.isNoEvict = isOn
  reply.ok()
}

function noTouch(client: Client, request: Request, reply: Reply): void {
  const isOn = readSwitch(request, reply)
  if (isOn === undefined) return
  client.isNoTouch = isOn
  client.updateSpecial()
  reply.ok()
}

function importSource(client: Client, request: Request, reply: Reply): void {
  if (!client.engine.settings.importMode && !request.is(2, 'OFF'))
    return reply.error('ERR Server is not in import mode')
  const isOn = readSwitch(request, reply)
  if (isOn === undefined) return
  client.isImportSource = isOn
  client.updateSpecial()
  reply.ok()
}

/** What clients can do beside the protocol: replicas of Valkey redirect those who follow. Here is nothing that would ask. */
function capa(_client: Client, _request: Request, reply: Reply): void {
  reply.ok()
}

function readSwitch(request: Request, reply: Reply): boolean | undefined {
  if (request.is(2, 'ON')) return true
  if (request.is(2, 'OFF')) return false
  reply.error(errors.SYNTAX)
  return undefined
}

const HELP = [
  'CACHING (YES|NO)',
  '    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.',
  'CAPA <option> [options...]',
  '    The client claims its some capability options. Options are:',
  '    * REDIRECT',
  '      The client can handle redirect messages.',
  'GETREDIR',
  '    Return the client ID we are redirecting to when tracking is enabled.',
  'GETNAME',
  '    Return the name of the current connection.',
  'ID',
  '    Return the ID of the current connection.',
  'INFO',
  '    Return information about the current client connection.',
  'KILL <ip:port>',
  '    Kill connection made from <ip:port>.',
  'KILL <option> <value> [<option> <value> [...]]',
  '    Kill connections. Options are:',
  '    * ADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made from the specified address',
  '    * LADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made to specified local address',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Kill connections by type.',
  '    * USER <username>',
  '      Kill connections authenticated by <username>.',
  '    * SKIPME (YES|NO)',
  '      Skip killing current connection (default: yes).',
  '    * ID <client-id> [<client-id> ...]',
  '      Kill connections by client id.',
  '    * MAXAGE <maxage>',
  '      Kill connections older than the specified age.',
  'LIST [options ...]',
  '    Return information about client connections. Options:',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Return clients of specified type.',
  '    * ID <client-id> [<client-id> ...]',
  '      Return the clients with these ids.',
  '    * USER <username>',
  '      Return clients authenticated by <username>.',
  '    * ADDR <ip:port>',
  '      Return clients connected from the specified address.',
  '    * LADDR <ip:port>',
  '      Return clients connected to the specified local address.',
  '    * SKIPME (YES|NO)',
  '      Exclude the current client from the list (default: no).',
  '    * MAXAGE <maxage>',
  '      List connections older than the specified age.',
  'UNPAUSE',
  '    Stop the current client pause, resuming traffic.',
  'PAUSE <timeout> [WRITE|ALL]',
  '    Suspend all, or just write, clients for <timeout> milliseconds.',
  'REPLY (ON|OFF|SKIP)',
  '    Control the replies sent to the current connection.',
  'SETNAME <name>',
  '    Assign the name <name> to the current connection.',
  'SETINFO <option> <value>',
  '    Set client meta attr. Options are:',
  '    * LIB-NAME: the client lib name.',
  '    * LIB-VER: the client lib version.',
  'UNBLOCK <clientid> [TIMEOUT|ERROR]',
  '    Unblock the specified blocked client.',
  'TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]',
  '         [OPTIN] [OPTOUT] [NOLOOP]',
  '    Control server assisted client side caching.',
  'TRACKINGINFO',
  '    Report tracking status for the current connection.',
  'NO-EVICT (ON|OFF)',
  '    Protect current client connection from eviction.',
  'NO-TOUCH (ON|OFF)',
  '    Will not touch LRU/LFU stats when this mode is on.',
  'IMPORT-SOURCE (ON|OFF)',
  '    Mark this connection as an import source if import-mode is enabled.',
  "    Sync tools can set their connections into 'import-source' state to visit",
  '    expired keys.',
]

const OWN: readonly CommandFlag[] = ['noscript', 'loading', 'stale']
const ADMIN: readonly CommandFlag[] = ['admin', 'noscript', 'loading', 'stale']
const shared = { acl: ['connection'], group: 'connection', complexity: 'O(1)' } as const

export const clientCommands: readonly CommandSpec[] = [
  {
    name: 'CLIENT',
    arity: -2,
    flags: [],
    acl: [],
    group: 'connection',
    since: '2.4.0',
    complexity: 'Depends on subcommand.',
    summary: 'Tells about connections, and changes them.',
    subcommands: [
      {
        ...shared,
        name: 'LIST',
        arity: -2,
        flags: ADMIN,
        since: '2.4.0',
        complexity: 'O(N) where N is the number of client connections',
        summary: 'Lists the clients that are connected.',
        args: '[TYPE normal_master_replica_pubsub(NORMAL | MASTER | REPLICA | PUBSUB)@5.0.0] [ID id{client-id:integer...}@6.2.0] [USER username@8.1.0] [ADDR ip:port@8.1.0] [LADDR ip:port@8.1.0] [SKIPME skipme(YES | NO)@8.1.0] [MAXAGE maxage:integer@8.1.0]',
        tips: ['nondeterministic_output'],
        handler: list,
      },
      {
        ...shared,
        name: 'ID',
        arity: 2,
        flags: OWN,
        since: '5.0.0',
        summary: 'The number that this connection has for good.',
        handler: id,
      },
      {
        ...shared,
        name: 'UNBLOCK',
        arity: -3,
        flags: ADMIN,
        since: '5.0.0',
        complexity: 'O(log N) where N is the number of client connections',
        summary: 'Ends the wait of another client.',
        args: 'client-id:integer [timeout_error(TIMEOUT | ERROR)]',
        handler: unblock,
      },
      {
        ...shared,
        name: 'UNPAUSE',
        arity: 2,
        flags: ADMIN,
        since: '6.2.0',
        complexity: 'O(N) Where N is the number of paused clients',
        summary: 'Ends CLIENT PAUSE.',
        handler: unpause,
      },
      {
        ...shared,
        name: 'GETREDIR',
        arity: 2,
        flags: OWN,
        since: '6.0.0',
        summary: 'The client that invalidation messages of this connection go to.',
        handler: getRedirection,
      },
      {
        ...shared,
        name: 'TRACKING',
        arity: -3,
        flags: OWN,
        since: '6.0.0',
        complexity: 'O(1). Some options may introduce additional complexity.',
        summary: 'Lets this connection be told when keys that it has read are changed, so that it can cache them.',
        args: 'status(ON | OFF) [REDIRECT client-id:integer] [PREFIX prefix+...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]',
        handler: tracking,
      },
      {
        ...shared,
        name: 'CACHING',
        arity: 3,
        flags: OWN,
        since: '6.0.0',
        summary: 'Says whether the keys of the next request are tracked.',
        args: 'mode(YES | NO)',
        handler: caching,
      },
      {
        ...shared,
        name: 'TRACKINGINFO',
        arity: 2,
        flags: OWN,
        since: '6.2.0',
        summary: 'Tells how keys are tracked for this connection.',
        handler: trackingInfo,
      },
      {
        ...shared,
        name: 'SETNAME',
        arity: 3,
        flags: OWN,
        since: '2.6.9',
        summary: 'Names this connection.',
        args: 'connection-name',
        handler: setName,
      },
      {
        ...shared,
        name: 'SETINFO',
        arity: 4,
        flags: OWN,
        since: '7.2.0',
        summary: 'Notes which library, in which version, this connection belongs to.',
        args: 'attr(LIB-NAME libname | LIB-VER libver)',
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        handler: setInfo,
      },
      {
        ...shared,
        name: 'REPLY',
        arity: 3,
        flags: OWN,
        since: '3.2.0',
        summary: 'Switches the replies to this connection off and on.',
        args: 'on_off_skip(ON | OFF | SKIP)',
        handler: replyMode,
      },
      {
        ...shared,
        name: 'INFO',
        arity: 2,
        flags: OWN,
        since: '6.2.0',
        summary: 'Tells about this connection.',
        tips: ['nondeterministic_output'],
        handler: info,
      },
      {
        ...shared,
        name: 'KILL',
        arity: -3,
        flags: ADMIN,
        since: '2.4.0',
        complexity: 'O(N) where N is the number of client connections',
        summary: 'Closes connections.',
        args: 'filter(ip:port~2.8.12 | new-format([ID client-id:integer@2.8.12...] | [TYPE normal_master_slave_pubsub(NORMAL | MASTER@3.2.0 | PRIMARY@8.0.0 | SLAVE | REPLICA@5.0.0 | PUBSUB)@2.8.12] | [USER username] | [ADDR ip:port] | [LADDR ip:port@6.2.0] | [SKIPME yes/no] | [MAXAGE maxage:integer@7.4.0])...)',
        handler: kill,
      },
      {
        ...shared,
        name: 'GETNAME',
        arity: 2,
        flags: OWN,
        since: '2.6.9',
        summary: 'The name of this connection.',
        handler: getName,
      },
      {
        ...shared,
        name: 'NO-EVICT',
        arity: 3,
        flags: ADMIN,
        since: '7.0.0',
        summary: 'Keeps this connection from being closed when the buffers of all clients take too much memory.',
        args: 'enabled(ON | OFF)',
        handler: noEvict,
      },
      {
        ...shared,
        name: 'NO-TOUCH',
        arity: 3,
        flags: OWN,
        since: '7.2.0',
        summary: 'Lets this connection read and write keys without marking them as used.',
        args: 'enabled(ON | OFF)',
        handler: noTouch,
      },
      {
        ...shared,
        name: 'IMPORT-SOURCE',
        arity: 3,
        flags: OWN,
        since: '8.1.0',
        summary: 'Says that this connection moves data here from another server, so that it sees expired keys.',
        args: 'enabled(ON | OFF)',
        handler: importSource,
      },
      {
        ...shared,
        name: 'CAPA',
        arity: -3,
        flags: OWN,
        since: '8.0.0',
        summary: 'Tells what this connection can do beside the protocol.',
        args: 'capability...',
        handler: capa,
      },
      {
        ...shared,
        name: 'PAUSE',
        arity: -3,
        flags: ADMIN,
        since: '2.9.50',
        summary: 'Lets requests wait for some time: all of them, or those that write.',
        args: 'timeout:integer [mode(WRITE | ALL)@6.2.0]',
        handler: pause,
      },
      helpSubcommand('CLIENT', { ...shared, since: '5.0.0' }, HELP),
    ],
  },
]
