import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { type Handle, NONE } from '../../memory/heap.ts'
import type { Consumer, ConsumerGroup } from '../../store/consumer-group.ts'
import type { Database } from '../../store/database.ts'
import { type as types } from '../../store/record.ts'
import { type Stream, streamOf } from '../../store/stream.ts'
import { StreamId } from '../../store/stream-id.ts'
import type { Client } from '../client.ts'
import type { CommandSpec, KeySpec } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { isSign, openStream, readId } from '../stream-arguments.ts'
import { propagateClaim, propagateConsumer, propagateGroupId } from '../stream-propagation.ts'
import { replyEntries, replyEntry, replyId } from '../stream-reply.ts'

const DOLLAR = 0x24
const GREATER = 0x3e
const PLUS = 0x2b
const NO_WAITING = -1

/** What XREAD or XREADGROUP asks for. Names of groups and consumers have a character for each byte. */
interface Reading {
  readonly groupName: string | null
  readonly consumerName: string
  readonly isNoAck: boolean
  readonly countMax: number
  readonly timeoutMs: number
  /** The argument of the first stream; the ids follow behind the last. */
  readonly firstKey: number
  readonly keyCount: number
}

/** Reads the options; null, with the error written, when they are refused. */
function readOptions(client: Client, request: Request, reply: Reply, isGroup: boolean): Reading | null {
  const isInScript = client.scriptOf !== null
  let groupName: string | null = null
  let consumerName = ''
  let isNoAck = false
  let countMax = Number.POSITIVE_INFINITY
  let timeoutMs = NO_WAITING
  let firstKey = 0
  const refuse = (error: string): null => {
    reply.error(error)
    return null
  }
  for (let index = 1; index < request.count && firstKey === 0; index++) {
    const left = request.count - index - 1
    if (left > 0 && request.is(index, 'BLOCK')) {
      if (isInScript) return refuse(`ERR ${request.latin1(0)} command is not allowed with BLOCK option from scripts`)
      timeoutMs = request.integer(++index)
      if (Number.isNaN(timeoutMs)) return refuse('ERR timeout is not an integer or out of range')
      if (timeoutMs < 0) return refuse(errors.TIMEOUT_NEGATIVE)
    } else if (left > 0 && request.is(index, 'COUNT')) {
      const count = request.integer(++index)
      if (Number.isNaN(count)) return refuse(errors.NOT_AN_INTEGER)
      countMax = count > 0 ? count : Number.POSITIVE_INFINITY
    } else if (left > 0 && request.is(index, 'STREAMS')) {
      firstKey = index + 1
      if (left % 2 === 1) {
        const name = isGroup ? 'xreadgroup' : 'xread'
        const ids = isGroup ? "an ID or '>'" : "an ID, '+', or '$'"
        return refuse(`ERR Unbalanced '${name}' list of streams: for each stream key ${ids} must be specified.`)
      }
    } else if (left >= 2 && request.is(index, 'GROUP')) {
      if (!isGroup) {
        return refuse('ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.')
      }
      groupName = request.latin1(index + 1)
      consumerName = request.latin1(index + 2)
      index += 2
    } else if (request.is(index, 'NOACK')) {
      if (!isGroup) {
        return refuse('ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.')
      }
      isNoAck = true
    } else {
      return refuse(errors.SYNTAX)
    }
  }
  if (firstKey === 0) return refuse(errors.SYNTAX)
  if (isGroup && groupName === null) return refuse('ERR Missing GROUP option for XREADGROUP')
  const keyCount = (request.count - firstKey) / 2
  return { groupName, consumerName, isNoAck, countMax, timeoutMs, firstKey, keyCount }
}

/** The stream that an argument names; undefined when there is none, null, with the error written, for another type. */
function findStream(
  database: Database,
  request: Request,
  index: number,
  reply: Reply,
  isToChange = false,
): Stream | null | undefined {
  const handle = database.read(request.chunk, request.start(index), request.end(index))
  if (isToChange && handle !== NONE) database.preserve(handle)
  return handle === NONE ? undefined : openStream(database, handle, reply)
}

/** Answers with the name of a stream, which its entries follow. */
function beginStream(reply: Reply, bytes: Uint8Array, start: number, end: number): void {
  if (reply.protocol === 2) reply.array(2)
  reply.bulk(bytes, start, end)
}

/** Streams with their entries follow: pairs in RESP2, a map in RESP3. */
function beginStreams(reply: Reply, count: number): void {
  if (reply.protocol === 2) reply.array(count)
  else reply.map(count)
}

/** The largest id of a live entry is above `id`. */
function hasEntriesAfter(stream: Stream, id: StreamId): boolean {
  return (
    stream.length > 0 && stream.lastId.compare(id) > 0 && stream.edgeId(lastLiveId, true) && lastLiveId.compare(id) > 0
  )
}
const lastLiveId = new StreamId()
const LAST = StreamId.max()

// ---- XREAD ----

function xread(client: Client, request: Request, reply: Reply): void {
  const asked = readOptions(client, request, reply, false)
  if (asked === null) return
  const { database } = client
  const { firstKey, keyCount } = asked
  const after: StreamId[] = []
  for (let index = 0; index < keyCount; index++) {
    const id = new StreamId()
    after.push(id)
    const idIndex = firstKey + keyCount + index
    const stream = findStream(database, request, firstKey + index, reply)
    if (stream === null) return
    if (isSign(request, idIndex, DOLLAR)) {
      if (stream !== undefined) id.set(stream.lastId)
    } else if (isSign(request, idIndex, PLUS)) {
      // From the last entry on; without one, from the next.
      if (stream?.edgeId(id, true)) id.decrement()
      else if (stream !== undefined) id.set(stream.lastId)
    } else if (isSign(request, idIndex, GREATER)) {
      return reply.error(
        'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
      )
    } else if (!readId(request, idIndex, reply, id)) {
      return
    }
  }
  const ready: { stream: Stream; index: number }[] = []
  for (let index = 0; index < keyCount; index++) {
    const stream = findStream(database, request, firstKey + index, reply)
    if (stream && hasEntriesAfter(stream, after[index])) ready.push({ stream, index })
  }
  if (ready.length > 0) {
    beginStreams(reply, ready.length)
    for (const { stream, index } of ready) {
      beginStream(reply, request.chunk, request.start(firstKey + index), request.end(firstKey + index))
      after[index].increment()
      replyEntries(reply, stream, after[index], LAST, asked.countMax, false)
    }
    return
  }
  if (asked.timeoutMs === NO_WAITING) return reply.nilArray()
  const keys = Array.from({ length: keyCount }, (_, index) => request.bytes(firstKey + index))
  client.engine.blocking.wait(client, reply, {
    keys,
    timeoutMs: asked.timeoutMs,
    type: types.STREAM,
    serve: (answer, handle, keyIndex) => {
      const stream = streamOf(database.store, handle)
      const id = after[keyIndex].copy()
      if (!hasEntriesAfter(stream, id)) return false
      beginStreams(answer, 1)
      beginStream(answer, keys[keyIndex], 0, keys[keyIndex].length)
      id.increment()
      replyEntries(answer, stream, id, LAST, asked.countMax, false)
      return true
    },
    onTimeout: (answer) => answer.nilArray(),
  })
}

// ---- XREADGROUP ----

/** The consumer of that name, made if there is none, seen now. */
export function meetConsumer(
  database: Database,
  group: ConsumerGroup,
  name: string,
  chunk: Uint8Array,
  keyStart: number,
  keyEnd: number,
): Consumer {
  const { store } = database
  let consumer = group.consumers.get(name)
  if (consumer === undefined) {
    consumer = group.createConsumer(name, store.nowMs)
    store.dirtyCount++
    store.tell(KEYSPACE_EVENTS.stream, 'xgroup-createconsumer', database.index, chunk, keyStart, keyEnd)
  }
  consumer.seenAtMs = store.nowMs
  return consumer
}

/** Delivers what the group has not read yet, and answers with it. */
function deliver(
  client: Client,
  reply: Reply,
  key: Uint8Array,
  stream: Stream,
  group: ConsumerGroup,
  consumer: Consumer,
  countMax: number,
  isNoAck: boolean,
): void {
  const { store } = client.database
  const { nowMs } = store
  const groupName = Buffer.from(group.name, 'latin1')
  const start = group.lastId.copy()
  start.increment()
  replyEntries(reply, stream, start, LAST, countMax, false, (id) => {
    stream.advanceGroup(group, id)
    if (isNoAck) return
    group.deliver(id, consumer, nowMs)
    consumer.activeAtMs = nowMs
    propagateClaim(client, key, groupName, group, id)
  })
  propagateGroupId(client, key, groupName, group)
  store.dirtyCount++
}

/** Answers with what is pending for a consumer from an id on: it is delivered once more. */
function replyHistory(
  reply: Reply,
  database: Database,
  stream: Stream,
  group: ConsumerGroup,
  consumer: Consumer,
  start: StreamId,
  countMax: number,
): void {
  const { pending } = consumer
  let count = 0
  for (let has = pending.seek(start); has && count < countMax; has = pending.next()) count++
  reply.array(count)
  const id = new StreamId()
  pending.seek(start)
  for (let left = count; left > 0; left--) {
    pending.readId(id)
    if (replyEntry(reply, stream, id)) {
      group.pending.find(id)
      group.deliveredAtMs = database.store.nowMs
      group.deliveryCount++
    } else {
      reply.array(2)
      replyId(reply, id)
      reply.nilArray()
    }
    pending.next()
  }
  database.store.dirtyCount++
}

function xreadgroup(client: Client, request: Request, reply: Reply): void {
  const asked = readOptions(client, request, reply, true)
  if (asked === null) return
  const { database } = client
  const { firstKey, keyCount, consumerName, countMax, isNoAck } = asked
  const groupName = asked.groupName ?? ''
  /** Of each stream: the id to read the history from; null for what is new. */
  const history: (StreamId | null)[] = []
  for (let index = 0; index < keyCount; index++) {
    const idIndex = firstKey + keyCount + index
    const stream = findStream(database, request, firstKey + index, reply)
    if (stream === null) return
    if (!stream?.groups.has(groupName)) {
      const key = request.latin1(firstKey + index)
      return reply.errorOfBytes(
        `NOGROUP No such key '${key}' or consumer group '${groupName}' in XREADGROUP with GROUP option`,
      )
    }
    if (isSign(request, idIndex, DOLLAR)) return reply.error(meaninglessId('$'))
    if (isSign(request, idIndex, PLUS)) return reply.error(meaninglessId('+'))
    if (isSign(request, idIndex, GREATER)) {
      history.push(null)
      continue
    }
    const id = new StreamId()
    if (!readId(request, idIndex, reply, id)) return
    // The largest id stands for ">", by whatever name.
    history.push(id.increment() ? id : null)
  }
  const ready: { stream: Stream; group: ConsumerGroup; consumer: Consumer; index: number }[] = []
  for (let index = 0; index < keyCount; index++) {
    const stream = findStream(database, request, firstKey + index, reply, true)
    const group = stream?.groups.get(groupName)
    if (!stream || group === undefined) continue
    if (history[index] === null && !hasEntriesAfter(stream, group.lastId)) continue
    const keyStart = request.start(firstKey + index)
    const keyEnd = request.end(firstKey + index)
    const isNewConsumer = !group.consumers.has(consumerName)
    const consumer = meetConsumer(database, group, consumerName, request.chunk, keyStart, keyEnd)
    // Others follow from the claims of what they get.
    if (isNewConsumer && (isNoAck || history[index] !== null)) {
      propagateConsumer(client, request.view(firstKey + index), Buffer.from(groupName, 'latin1'), consumerName)
    }
    ready.push({ stream, group, consumer, index })
  }
  if (ready.length > 0) {
    beginStreams(reply, ready.length)
    for (const { stream, group, consumer, index } of ready) {
      beginStream(reply, request.chunk, request.start(firstKey + index), request.end(firstKey + index))
      const start = history[index]
      if (start !== null) replyHistory(reply, database, stream, group, consumer, start, countMax)
      else deliver(client, reply, request.view(firstKey + index), stream, group, consumer, countMax, isNoAck)
    }
    // What it did has been said, if anything is to be repeated.
    client.propagateAs()
    return
  }
  if (asked.timeoutMs === NO_WAITING) return reply.nilArray()
  const keys = Array.from({ length: keyCount }, (_, index) => request.bytes(firstKey + index))
  client.engine.blocking.wait(client, reply, {
    keys,
    timeoutMs: asked.timeoutMs,
    type: types.STREAM,
    servesMissing: true,
    serve: (answer, handle, keyIndex) => {
      const name = keys[keyIndex]
      const stream = waitedFor(answer, database, handle)
      if (stream === null) return true
      const group = stream.groups.get(groupName)
      if (group === undefined) {
        answer.error('NOGROUP the consumer group this client was blocked on no longer exists')
        return true
      }
      if (!hasEntriesAfter(stream, group.lastId)) return false
      const isNewConsumer = !group.consumers.has(consumerName)
      const consumer = meetConsumer(database, group, consumerName, name, 0, name.length)
      if (isNewConsumer && isNoAck) propagateConsumer(client, name, Buffer.from(groupName, 'latin1'), consumerName)
      beginStreams(answer, 1)
      beginStream(answer, name, 0, name.length)
      deliver(client, answer, name, stream, group, consumer, countMax, isNoAck)
      return true
    },
    onTimeout: (answer) => answer.nilArray(),
  })
}

/** The stream that a client waited for; null, with the error written, when it has gone. */
function waitedFor(reply: Reply, database: Database, handle: Handle): Stream | null {
  if (handle !== NONE && database.records.type(handle) === types.STREAM) return streamOf(database.store, handle)
  reply.error('UNBLOCKED the stream key no longer exists')
  return null
}

function meaninglessId(sign: string): string {
  return `ERR The ${sign} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The ${sign} ID would just return an empty result set.`
}

// ---- The table ----

function streamKeys(startFrom: number): KeySpec {
  return {
    begin: { keyword: 'STREAMS', startFrom },
    find: { lastKey: -1, step: 1, limit: 2 },
    flags: ['RO', 'ACCESS'],
  }
}

export const streamReadCommands: readonly CommandSpec[] = [
  {
    name: 'XREAD',
    arity: -4,
    flags: ['readonly', 'blocking', 'movablekeys'],
    keys: [streamKeys(1)],
    acl: ['stream'],
    group: 'stream',
    since: '5.0.0',
    complexity:
      'For each stream mentioned: O(N) with N being the number of elements being returned, it means that XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time in order to serve the M clients blocked on the stream getting new data.',
    summary: 'Answers the entries of several streams behind an id, or waits for one.',
    args: '[COUNT count] [BLOCK milliseconds] STREAMS streams{key... id...}',
    handler: xread,
  },
  {
    name: 'XREADGROUP',
    arity: -7,
    flags: ['write', 'blocking', 'movablekeys'],
    keys: [streamKeys(4)],
    acl: ['stream'],
    group: 'stream',
    since: '5.0.0',
    complexity:
      'For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.',
    summary: 'Delivers entries of several streams to a consumer of a group, or waits for one.',
    args: 'GROUP group_consumer{group consumer} [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS streams{key... id...}',
    handler: xreadgroup,
  },
]
