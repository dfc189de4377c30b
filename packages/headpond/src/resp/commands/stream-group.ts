import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { NONE } from '../../memory/heap.ts'
import { byName, type Consumer, type ConsumerGroup } from '../../store/consumer-group.ts'
import { createStream, type Stream } from '../../store/stream.ts'
import { StreamId } from '../../store/stream-id.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key } from '../command.ts'
import { errors, wrongSubcommandForm } from '../errors.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import {
  isSign,
  openGroup,
  openGroupOf,
  openStream,
  readId,
  readIds,
  readIntervalEnd,
  readIntervalStart,
} from '../stream-arguments.ts'
import { propagateClaim, propagateGroupId } from '../stream-propagation.ts'
import { replyEntry, replyId } from '../stream-reply.ts'
import { meetConsumer } from './stream-read.ts'

const DOLLAR = 0x24

// ---- Acknowledging ----

function xack(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(0)
  const stream = openStream(database, handle, reply)
  if (stream === null) return
  database.preserve(handle)
  const group = stream.groups.get(request.latin1(2))
  if (group === undefined) return reply.integer(0)
  const ids = readIds(request, 3, reply)
  if (ids === null) return
  let acknowledgedCount = 0
  for (const id of ids) {
    if (!group.pending.find(id)) continue
    group.removePending(id)
    acknowledgedCount++
  }
  database.store.dirtyCount += acknowledgedCount
  reply.integer(acknowledgedCount)
}

// ---- What is pending ----

function xpending(client: Client, request: Request, reply: Reply): void {
  const { count } = request
  if (count !== 3 && (count < 6 || count > 9)) return reply.error(errors.SYNTAX)
  const start = new StreamId()
  const end = new StreamId()
  let idleMinMs = 0
  let countMax = 0
  let consumerName: string | null = null
  if (count >= 6) {
    let first = 3
    if (request.is(3, 'IDLE')) {
      idleMinMs = request.integer(4)
      if (Number.isNaN(idleMinMs)) return reply.error(errors.NOT_AN_INTEGER)
      if (count < 8) return reply.error(errors.SYNTAX)
      first = 5
    }
    countMax = request.integer(first + 2)
    if (Number.isNaN(countMax)) return reply.error(errors.NOT_AN_INTEGER)
    if (!readIntervalStart(request, first, reply, start)) return
    if (!readIntervalEnd(request, first + 1, reply, end)) return
    if (first + 3 < count) consumerName = request.latin1(first + 3)
  }
  const found = openGroup(client.database, request, 1, 2, reply)
  if (found === null) return
  if (count === 3) return replyPendingSummary(reply, found.group)
  const consumer = consumerName === null ? null : found.group.consumers.get(consumerName)
  if (consumer === undefined) return reply.array(0)
  replyPending(reply, found.group, consumer, start, end, idleMinMs, countMax, client.database.store.nowMs)
}

function replyPendingSummary(reply: Reply, group: ConsumerGroup): void {
  const { pending } = group
  reply.array(4)
  reply.integer(pending.count)
  if (pending.count === 0) {
    reply.nil()
    reply.nil()
    return reply.nilArray()
  }
  const id = new StreamId()
  pending.toFirst()
  replyId(reply, pending.readId(id))
  pending.toLast()
  replyId(reply, pending.readId(id))
  const consumers = byName(group.consumers).filter((consumer) => consumer.pending.count > 0)
  reply.array(consumers.length)
  for (const consumer of consumers) {
    reply.array(2)
    reply.bulkBytes(Buffer.from(consumer.name, 'latin1'))
    reply.bulkInteger(consumer.pending.count)
  }
}

function replyPending(
  reply: Reply,
  group: ConsumerGroup,
  consumer: Consumer | null,
  start: StreamId,
  end: StreamId,
  idleMinMs: number,
  countMax: number,
  nowMs: number,
): void {
  const table = consumer === null ? group.pending : consumer.pending
  const id = new StreamId()
  const walk = (visit: () => void): void => {
    let left = countMax
    for (let has = table.seek(start); has && left > 0; has = table.next()) {
      if (table.readId(id).compare(end) > 0) return
      if (consumer !== null) group.pending.find(id)
      if (idleMinMs > 0 && nowMs - group.deliveredAtMs < idleMinMs) continue
      visit()
      left--
    }
  }
  let foundCount = 0
  walk(() => foundCount++)
  reply.array(foundCount)
  walk(() => {
    reply.array(4)
    replyId(reply, id)
    reply.bulkBytes(Buffer.from(group.owner?.name ?? '', 'latin1'))
    reply.integer(Math.max(nowMs - group.deliveredAtMs, 0))
    reply.integer(group.deliveryCount)
  })
}

// ---- Claiming ----

function replyClaimed(reply: Reply, stream: Stream, ids: readonly StreamId[], isIdsOnly: boolean): void {
  reply.array(ids.length)
  for (const id of ids) {
    if (isIdsOnly) replyId(reply, id)
    else replyEntry(reply, stream, id)
  }
}

interface Claim {
  readonly ids: readonly StreamId[]
  /** -1: it is now. */
  readonly deliveredAtMs: number
  /** -1: one more. */
  readonly deliveryCount: number
  readonly isForced: boolean
  readonly isIdsOnly: boolean
  readonly lastId: StreamId
}

function readClaim(request: Request, nowMs: number, reply: Reply): Claim | null {
  const ids: StreamId[] = []
  let index = 5
  for (; index < request.count; index++) {
    const id = new StreamId()
    if (!id.parse(request.chunk, request.start(index), request.end(index), 'first')) break
    ids.push(id)
  }
  let deliveredAtMs = -1
  let deliveryCount = -1
  let isForced = false
  let isIdsOnly = false
  const lastId = new StreamId()
  const refuse = (error: string): null => {
    reply.error(error)
    return null
  }
  for (; index < request.count; index++) {
    const hasValue = index + 1 < request.count
    if (request.is(index, 'FORCE')) {
      isForced = true
    } else if (request.is(index, 'JUSTID')) {
      isIdsOnly = true
    } else if (hasValue && request.is(index, 'IDLE')) {
      deliveredAtMs = nowMs - request.integer(++index)
      if (Number.isNaN(deliveredAtMs)) return refuse('ERR Invalid IDLE option argument for XCLAIM')
    } else if (hasValue && request.is(index, 'TIME')) {
      deliveredAtMs = request.integer(++index)
      if (Number.isNaN(deliveredAtMs)) return refuse('ERR Invalid TIME option argument for XCLAIM')
    } else if (hasValue && request.is(index, 'RETRYCOUNT')) {
      deliveryCount = request.integer(++index)
      if (Number.isNaN(deliveryCount)) return refuse('ERR Invalid RETRYCOUNT option argument for XCLAIM')
    } else if (hasValue && request.is(index, 'LASTID')) {
      if (!readId(request, ++index, reply, lastId)) return null
    } else {
      reply.errorOfBytes(`ERR Unrecognized XCLAIM option '${request.quoted(index)}'`)
      return null
    }
  }
  return { ids, deliveredAtMs, deliveryCount, isForced, isIdsOnly, lastId }
}

function xclaim(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const { store } = database
  const { nowMs } = store
  const found = openGroup(database, request, 1, 2, reply)
  if (found === null) return
  const { stream, group } = found
  const idleMinMs = request.integer(4)
  if (Number.isNaN(idleMinMs)) return reply.error('ERR Invalid min-idle-time argument for XCLAIM')
  const claim = readClaim(request, nowMs, reply)
  if (claim === null) return
  const advances = claim.lastId.compare(group.lastId) > 0
  if (advances) group.lastId.set(claim.lastId)
  const isNow = claim.deliveredAtMs < 0 || claim.deliveredAtMs > nowMs
  const deliveredAtMs = isNow ? nowMs : claim.deliveredAtMs
  const name = request.latin1(3)
  const claimed: StreamId[] = []
  for (const id of claim.ids) {
    const isPending = group.pending.find(id)
    if (!stream.has(id)) {
      // What was deleted meanwhile is nothing to process any more.
      if (!isPending) continue
      propagateClaim(client, request.view(1), request.view(2), group, id)
      group.removePending(id)
      store.dirtyCount++
      continue
    }
    if (isPending) {
      if (idleMinMs > 0 && nowMs - group.deliveredAtMs < idleMinMs) continue
    } else {
      if (!claim.isForced) continue
      group.addPending(id, nowMs, 1)
    }
    group.deliveredAtMs = deliveredAtMs
    if (claim.deliveryCount >= 0) group.deliveryCount = claim.deliveryCount
    else if (!claim.isIdsOnly) group.deliveryCount++
    // Only who gets something becomes a consumer.
    const consumer = meetConsumer(database, group, name, request.chunk, request.start(1), request.end(1))
    group.assign(id, consumer)
    claimed.push(id)
    consumer.activeAtMs = nowMs
    store.dirtyCount++
    propagateClaim(client, request.view(1), request.view(2), group, id)
  }
  if (advances && claimed.length === 0) {
    store.dirtyCount++
    propagateGroupId(client, request.view(1), request.view(2), group)
  }
  replyClaimed(reply, stream, claimed, claim.isIdsOnly)
}

/** So many pending entries are looked at for each one that may be claimed. */
const ATTEMPTS_PER_ENTRY = 10
const AUTOCLAIM_COUNT_MAX = 2 ** 63 / 16

function xautoclaim(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  // Whether the key is there counts as a hit or a miss even when an argument is wrong.
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  const idleMinMs = request.integer(4)
  if (Number.isNaN(idleMinMs)) return reply.error('ERR Invalid min-idle-time argument for XAUTOCLAIM')
  const start = new StreamId()
  if (!readIntervalStart(request, 5, reply, start)) return
  let count = 100
  let isIdsOnly = false
  for (let index = 6; index < request.count; index++) {
    if (index + 1 < request.count && request.is(index, 'COUNT')) {
      count = request.integer(++index)
      if (!(count > 0 && count < AUTOCLAIM_COUNT_MAX)) return reply.error('ERR COUNT must be > 0')
    } else if (request.is(index, 'JUSTID')) {
      isIdsOnly = true
    } else {
      return reply.error(errors.SYNTAX)
    }
  }
  const found = openGroupOf(handle, database, request, 1, 2, reply)
  if (found === null) return
  const { stream, group } = found
  const { store } = database
  const { nowMs } = store
  const name = request.latin1(3)
  const claimed: StreamId[] = []
  const deleted: StreamId[] = []
  let attemptsLeft = count * ATTEMPTS_PER_ENTRY
  let has = group.pending.seek(start)
  for (; has && attemptsLeft > 0 && claimed.length + deleted.length < count; attemptsLeft--) {
    const id = group.pending.readId(new StreamId())
    if (!stream.has(id)) {
      propagateClaim(client, request.view(1), request.view(2), group, id)
      group.removePending(id)
      deleted.push(id)
      store.dirtyCount++
      has = group.pending.isAtRow
      continue
    }
    if (idleMinMs <= 0 || nowMs - group.deliveredAtMs >= idleMinMs) {
      group.deliveredAtMs = nowMs
      if (!isIdsOnly) group.deliveryCount++
      const consumer = meetConsumer(database, group, name, request.chunk, request.start(1), request.end(1))
      group.assign(id, consumer)
      claimed.push(id)
      consumer.activeAtMs = nowMs
      store.dirtyCount++
      propagateClaim(client, request.view(1), request.view(2), group, id)
    }
    has = group.pending.next()
  }
  reply.array(3)
  replyId(reply, has ? group.pending.readId(new StreamId()) : new StreamId())
  replyClaimed(reply, stream, claimed, isIdsOnly)
  reply.array(deleted.length)
  for (const id of deleted) replyId(reply, id)
}

// ---- XGROUP ----

const KEY_REQUIRED =
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.'

/** An event of a group: it changes no entry, and does not disturb who watches the key. */
function announce(client: Client, request: Request, event: string): void {
  const { database } = client
  const { store } = database
  store.dirtyCount++
  store.tell(KEYSPACE_EVENTS.stream, event, database.index, request.chunk, request.start(2), request.end(2))
}

/** The stream of XGROUP; null, with the error written, when there is none. */
function openExisting(client: Client, request: Request, reply: Reply): Stream | null {
  const { database } = client
  const handle = database.write(request.chunk, request.start(2), request.end(2))
  if (handle !== NONE) return openStream(database, handle, reply)
  reply.error(KEY_REQUIRED)
  return null
}

/** The group that XGROUP names, with its stream; null, with the error written, when there is none. */
function openExistingGroup(
  client: Client,
  request: Request,
  reply: Reply,
): { stream: Stream; group: ConsumerGroup } | null {
  const stream = openExisting(client, request, reply)
  if (stream === null) return null
  const name = request.latin1(3)
  const group = stream.groups.get(name)
  if (group !== undefined) return { stream, group }
  reply.errorOfBytes(`NOGROUP No such consumer group '${name}' for key name '${request.quoted(2)}'`)
  return null
}

/** The options behind the id of CREATE and SETID; null, with the error written, when they are refused. */
function readGroupOptions(
  request: Request,
  reply: Reply,
  isCreate: boolean,
): { makesStream: boolean; entriesRead: number } | null {
  let makesStream = false
  let entriesRead = -1
  for (let index = 5; index < request.count; index++) {
    if (isCreate && request.is(index, 'MKSTREAM')) {
      makesStream = true
    } else if (index + 1 < request.count && request.is(index, 'ENTRIESREAD')) {
      entriesRead = request.integer(++index)
      if (Number.isNaN(entriesRead)) {
        reply.error(errors.NOT_AN_INTEGER)
        return null
      }
      if (entriesRead < -1) {
        reply.error('ERR value for ENTRIESREAD must be positive or -1')
        return null
      }
    } else {
      reply.error(wrongSubcommandForm('XGROUP', request.text(1)))
      return null
    }
  }
  return { makesStream, entriesRead }
}

function xgroupCreate(client: Client, request: Request, reply: Reply): void {
  const options = readGroupOptions(request, reply, true)
  if (options === null) return
  const { database } = client
  const { chunk } = request
  const handle = database.write(chunk, request.start(2), request.end(2))
  let stream = handle === NONE ? null : openStream(database, handle, reply)
  if (handle !== NONE && stream === null) return
  if (stream === null && !options.makesStream) return reply.error(KEY_REQUIRED)
  if (request.count > 8) return reply.error(wrongSubcommandForm('XGROUP', request.text(1)))
  const id = new StreamId()
  if (isSign(request, 4, DOLLAR)) {
    if (stream !== null) id.set(stream.lastId)
  } else if (!readId(request, 4, reply, id)) {
    return
  }
  const isNew = stream === null
  stream ??= createStream(database, chunk, request.start(2), request.end(2))
  if (stream.createGroup(request.latin1(3), id, options.entriesRead) === null) {
    return reply.error('BUSYGROUP Consumer Group name already exists')
  }
  reply.ok()
  if (isNew) database.changed(KEYSPACE_EVENTS.stream, 'xgroup-create', chunk, request.start(2), request.end(2))
  else announce(client, request, 'xgroup-create')
}

function xgroupSetId(client: Client, request: Request, reply: Reply): void {
  const options = readGroupOptions(request, reply, false)
  if (options === null) return
  const found = openExistingGroup(client, request, reply)
  if (found === null) return
  const { stream, group } = found
  if (request.count !== 5 && request.count !== 7) {
    return reply.error(wrongSubcommandForm('XGROUP', request.text(1)))
  }
  const id = new StreamId()
  if (isSign(request, 4, DOLLAR)) id.set(stream.lastId)
  else if (request.size(4) === 1 && request.is(4, '-')) id.setNumbers(0, 0)
  else if (request.size(4) === 1 && request.is(4, '+')) id.setMax()
  else if (!readId(request, 4, reply, id)) return
  group.lastId.set(id)
  group.entriesRead = options.entriesRead
  reply.ok()
  announce(client, request, 'xgroup-setid')
}

function xgroupDestroy(client: Client, request: Request, reply: Reply): void {
  const stream = openExisting(client, request, reply)
  if (stream === null) return
  const { database, engine } = client
  if (!stream.destroyGroup(database.store, request.latin1(3))) return reply.integer(0)
  reply.integer(1)
  announce(client, request, 'xgroup-destroy')
  // Who waits for entries of the group is told that it has gone.
  engine.blocking.keyChanged(database.index, request.chunk, request.start(2), request.end(2))
}

function xgroupCreateConsumer(client: Client, request: Request, reply: Reply): void {
  const found = openExistingGroup(client, request, reply)
  if (found === null) return
  const name = request.latin1(4)
  if (found.group.consumers.has(name)) return reply.integer(0)
  found.group.createConsumer(name, client.database.store.nowMs)
  reply.integer(1)
  announce(client, request, 'xgroup-createconsumer')
}

function xgroupDeleteConsumer(client: Client, request: Request, reply: Reply): void {
  const found = openExistingGroup(client, request, reply)
  if (found === null) return
  const consumer = found.group.consumers.get(request.latin1(4))
  if (consumer === undefined) return reply.integer(0)
  reply.integer(found.group.deleteConsumer(consumer))
  announce(client, request, 'xgroup-delconsumer')
}

const HELP = [
  'CREATE <key> <groupname> <id|$> [option]',
  '    Create a new consumer group. Options are:',
  '    * MKSTREAM',
  '      Create the empty stream if it does not exist.',
  '    * ENTRIESREAD entries_read',
  "      Set the group's entries_read counter (internal use).",
  'CREATECONSUMER <key> <groupname> <consumer>',
  '    Create a new consumer in the specified group.',
  'DELCONSUMER <key> <groupname> <consumer>',
  '    Remove the specified consumer.',
  'DESTROY <key> <groupname>',
  '    Remove the specified group.',
  'SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]',
  '    Set the current group ID and entries_read counter.',
]

// ---- The table ----

const common = { acl: ['stream'], group: 'stream', since: '5.0.0' } as const

export const streamGroupCommands: readonly CommandSpec[] = [
  {
    ...common,
    name: 'XACK',
    arity: -4,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'UPDATE')],
    complexity: 'O(1) for each message ID processed.',
    summary: 'Tells a group that entries are processed: they are pending no more.',
    args: 'key group id...',
    handler: xack,
  },
  {
    ...common,
    name: 'XPENDING',
    arity: -3,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    complexity:
      'O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.',
    summary: 'Answers which entries were delivered to a group and not acknowledged.',
    args: 'key group [filters{[IDLE min-idle-time:integer@6.2.0] start:string end:string count [consumer]}]',
    tips: ['nondeterministic_output'],
    history: [['6.2.0', 'Added the `IDLE` option and exclusive range intervals.']],
    handler: xpending,
  },
  {
    ...common,
    name: 'XCLAIM',
    arity: -6,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'UPDATE')],
    complexity: 'O(log N) with N being the number of messages in the PEL of the consumer group.',
    summary: 'Makes a consumer the owner of pending entries, as if they had been delivered to it.',
    args: 'key group consumer min-idle-time id... [IDLE ms:integer] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]',
    tips: ['nondeterministic_output'],
    handler: xclaim,
  },
  {
    ...common,
    name: 'XAUTOCLAIM',
    arity: -6,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'DELETE')],
    since: '6.2.0',
    complexity: 'O(1) if COUNT is small.',
    summary: 'Makes a consumer the owner of entries that have been pending for long.',
    args: 'key group consumer min-idle-time start:string [COUNT count] [JUSTID]',
    tips: ['nondeterministic_output'],
    history: [
      ['7.0.0', 'Added an element to the reply array, containing deleted entries the command cleared from the PEL'],
    ],
    handler: xautoclaim,
  },
  {
    ...common,
    name: 'XGROUP',
    arity: -2,
    flags: [],
    acl: [],
    complexity: 'Depends on subcommand.',
    summary: 'Makes and changes the groups of a stream.',
    subcommands: [
      {
        ...common,
        name: 'CREATE',
        arity: -5,
        flags: ['write', 'denyoom'],
        keys: [key(2, 'RW', 'INSERT')],
        complexity: 'O(1)',
        summary: 'Makes a group.',
        args: 'key groupname id(id | new_id=$) [MKSTREAM] [ENTRIESREAD entries_read:integer]',
        history: [['7.0.0', 'Added the `entries_read` named argument.']],
        handler: xgroupCreate,
      },
      {
        ...common,
        name: 'SETID',
        arity: -5,
        flags: ['write'],
        keys: [key(2, 'RW', 'UPDATE')],
        complexity: 'O(1)',
        summary: 'Sets the last id that a group has read.',
        args: 'key groupname id(id | new_id=$) [ENTRIESREAD entries_read:integer]',
        history: [['7.0.0', 'Added the optional `entries_read` argument.']],
        handler: xgroupSetId,
      },
      {
        ...common,
        name: 'DESTROY',
        arity: 4,
        flags: ['write'],
        keys: [key(2, 'RW', 'DELETE')],
        complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
        summary: 'Deletes a group with all that is pending.',
        args: 'key groupname',
        handler: xgroupDestroy,
      },
      {
        ...common,
        name: 'CREATECONSUMER',
        arity: 5,
        flags: ['write', 'denyoom'],
        keys: [key(2, 'RW', 'INSERT')],
        since: '6.2.0',
        complexity: 'O(1)',
        summary: 'Makes a consumer in a group.',
        args: 'key groupname consumername',
        handler: xgroupCreateConsumer,
      },
      {
        ...common,
        name: 'DELCONSUMER',
        arity: 5,
        flags: ['write'],
        keys: [key(2, 'RW', 'DELETE')],
        complexity: 'O(1)',
        summary: 'Deletes a consumer with all that is pending for it.',
        args: 'key groupname consumername',
        handler: xgroupDeleteConsumer,
      },
      helpSubcommand('XGROUP', common, HELP),
    ],
  },
]
