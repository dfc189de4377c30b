import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { NONE } from '../../memory/heap.ts'
import type { Text } from '../../memory/text.ts'
import { type as types } from '../../store/record.ts'
import type { UnorderedSet } from '../../store/set.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { scanCursor, scanMatches, scanOptions } from '../scan-arguments.ts'

/** What a lookup found, where it is no set: nothing, or another type, about which an error has been written. */
type NoSet = null | 'refused'

/** hot: once for each SISMEMBER. */
function setForReading(client: Client, request: Request, reply: Reply): UnorderedSet | NoSet {
  const database = client.database
  return open(client, database.read(request.chunk, request.start(1), request.end(1)), reply)
}

/** hot: once for each SADD or SPOP. */
function setForWriting(client: Client, request: Request, reply: Reply): UnorderedSet | NoSet {
  const database = client.database
  return open(client, database.write(request.chunk, request.start(1), request.end(1)), reply)
}

function open(client: Client, handle: number, reply: Reply): UnorderedSet | NoSet {
  if (handle === NONE) return null
  const database = client.database
  if (database.records.type(handle) !== types.SET) {
    reply.error(errors.WRONG_TYPE)
    return 'refused'
  }
  return database.store.sets.open(database, handle)
}

/** Announces a change of `count` members of the set at argument `index`. hot: once for each SADD or SPOP. */
function announce(client: Client, request: Request, index: number, event: string, count: number): void {
  const database = client.database
  database.store.dirtyCount += count - 1
  database.changed(KEYSPACE_EVENTS.set, event, request.chunk, request.start(index), request.end(index))
}

function replyText(reply: Reply, text: Text): void {
  reply.bulk(text.bytes, text.start, text.end)
}

// ---- Adding and removing ----

/** hot */
function sadd(client: Client, request: Request, reply: Reply): void {
  let set = setForWriting(client, request, reply)
  if (set === 'refused') return
  const chunk = request.chunk
  const count = request.count
  if (set === null) set = createSet(client, request, 1, 2, count - 2)
  else set.expect(count - 2)
  let addedCount = 0
  for (let index = 2; index < count; index++) {
    if (set.add(chunk, request.start(index), request.end(index))) addedCount++
  }
  if (addedCount > 0) announce(client, request, 1, 'sadd', addedCount)
  reply.integer(addedCount)
}

/** An empty set at the key in one argument, for members of which the first is in another. */
function createSet(
  client: Client,
  request: Request,
  keyIndex: number,
  memberIndex: number,
  countHint: number,
): UnorderedSet {
  const { database } = client
  const { chunk } = request
  const keyStart = request.start(keyIndex)
  const keyEnd = request.end(keyIndex)
  const memberStart = request.start(memberIndex)
  const memberEnd = request.end(memberIndex)
  return database.store.sets.create(database, chunk, keyStart, keyEnd, countHint, chunk, memberStart, memberEnd)
}

/** hot */
function srem(client: Client, request: Request, reply: Reply): void {
  const set = setForWriting(client, request, reply)
  if (set === 'refused') return
  if (set === null) return reply.integer(0)
  const chunk = request.chunk
  const count = request.count
  let removedCount = 0
  for (let index = 2; index < count; index++) {
    if (!set.remove(chunk, request.start(index), request.end(index))) continue
    removedCount++
    if (set.count === 0) break
  }
  if (removedCount > 0) {
    announce(client, request, 1, 'srem', removedCount)
    set.close(chunk, request.start(1), request.end(1))
  }
  reply.integer(removedCount)
}

function smove(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const { records } = database
  const { chunk } = request
  const sourceHandle = database.write(chunk, request.start(1), request.end(1))
  const targetHandle = database.write(chunk, request.start(2), request.end(2))
  if (sourceHandle === NONE) return reply.integer(0)
  if (records.type(sourceHandle) !== types.SET || (targetHandle !== NONE && records.type(targetHandle) !== types.SET)) {
    return reply.error(errors.WRONG_TYPE)
  }
  const { sets } = database.store
  const memberStart = request.start(3)
  const memberEnd = request.end(3)
  const source = sets.open(database, sourceHandle)
  if (sourceHandle === targetHandle) return reply.integer(source.has(chunk, memberStart, memberEnd) ? 1 : 0)
  if (!source.remove(chunk, memberStart, memberEnd)) return reply.integer(0)
  announce(client, request, 1, 'srem', 1)
  source.close(chunk, request.start(1), request.end(1))
  const target = targetHandle === NONE ? createSet(client, request, 2, 3, 1) : sets.open(database, targetHandle)
  if (target.add(chunk, memberStart, memberEnd)) announce(client, request, 2, 'sadd', 1)
  reply.integer(1)
}

// ---- Reading ----

/** hot */
function sismember(client: Client, request: Request, reply: Reply): void {
  const set = setForReading(client, request, reply)
  if (set === 'refused') return
  reply.integer(set?.has(request.chunk, request.start(2), request.end(2)) ? 1 : 0)
}

/** hot */
function smismember(client: Client, request: Request, reply: Reply): void {
  const set = setForReading(client, request, reply)
  if (set === 'refused') return
  const count = request.count
  reply.array(count - 2)
  for (let index = 2; index < count; index++) {
    reply.integer(set?.has(request.chunk, request.start(index), request.end(index)) ? 1 : 0)
  }
}

function scard(client: Client, request: Request, reply: Reply): void {
  const set = setForReading(client, request, reply)
  if (set !== 'refused') reply.integer(set === null ? 0 : set.count)
}

function smembers(client: Client, request: Request, reply: Reply): void {
  const set = setForReading(client, request, reply)
  if (set === 'refused') return
  replyAll(reply, set)
}

/** Every member, as a set. */
function replyAll(reply: Reply, set: UnorderedSet | null): void {
  if (set === null) return reply.set(0)
  reply.set(set.count)
  if (set.isListpack) {
    reply.bulksOfListpack(set.bytes, set.firstEntry, Infinity)
    return
  }
  set.rewind()
  while (set.next()) replyText(reply, set.member)
}

function sscan(client: Client, request: Request, reply: Reply): void {
  const cursor = scanCursor(request, reply, 2)
  if (Number.isNaN(cursor)) return
  const set = setForReading(client, request, reply)
  if (set === 'refused') return
  if (set === null) {
    reply.array(2)
    reply.bulkInteger(0)
    return reply.array(0)
  }
  const options = scanOptions(request, reply, 3, false)
  if (options === null) return
  const found: Buffer[] = []
  const nextCursor = set.scan(cursor, options.countHint, (member) => {
    if (scanMatches(options, member.bytes, member.start, member.end)) found.push(member.copy())
  })
  reply.array(2)
  reply.bulkInteger(nextCursor)
  reply.array(found.length)
  for (const bytes of found) reply.bulkBytes(bytes)
}

// ---- At random ----

/** hot */
function spop(client: Client, request: Request, reply: Reply): void {
  if (request.count === 3) return popSome(client, request, reply)
  if (request.count > 3) return reply.error(errors.SYNTAX)
  const set = setForWriting(client, request, reply)
  if (set === 'refused') return
  if (set === null) return reply.nil()
  set.pick()
  replyText(reply, set.member)
  if (client.engine.propagates) client.propagateAs('SREM', request.view(1), set.member.copy())
  set.removePicked()
  announce(client, request, 1, 'spop', 1)
  set.close(request.chunk, request.start(1), request.end(1))
}

function popSome(client: Client, request: Request, reply: Reply): void {
  const wanted = request.integer(2)
  if (!(wanted >= 0)) return reply.error(errors.NEGATIVE)
  const set = setForWriting(client, request, reply)
  if (set === 'refused') return
  if (set === null || wanted === 0) return reply.set(0)
  const { database } = client
  const { chunk } = request
  const keyStart = request.start(1)
  const keyEnd = request.end(1)
  const { count } = set
  if (wanted >= count) {
    // All of them: the value goes as a whole, a large one in the background.
    replyAll(reply, set)
    announce(client, request, 1, 'spop', count)
    client.propagateAs('DEL', request.view(1))
    return database.delete(set.handle, chunk, keyStart, keyEnd)
  }
  reply.set(wanted)
  for (let popped = 0; popped < wanted; popped++) {
    set.pick()
    replyText(reply, set.member)
    if (client.engine.propagates) client.propagateAs('SREM', request.view(1), set.member.copy())
    set.removePicked()
  }
  announce(client, request, 1, 'spop', wanted)
}

const INT64_MAX = 2n ** 63n - 1n

function srandmember(client: Client, request: Request, reply: Reply): void {
  if (request.count === 3) return randomMembers(client, request, reply)
  if (request.count > 3) return reply.error(errors.SYNTAX)
  const set = setForReading(client, request, reply)
  if (set === 'refused') return
  if (set === null) return reply.nil()
  set.pick()
  replyText(reply, set.member)
}

function randomMembers(client: Client, request: Request, reply: Reply): void {
  const wanted = request.bigInteger(2)
  if (wanted === undefined) return reply.error(errors.NOT_AN_INTEGER)
  if (wanted < -INT64_MAX) {
    return reply.error(`ERR value is out of range, value must between ${-INT64_MAX} and ${INT64_MAX}`)
  }
  const set = setForReading(client, request, reply)
  if (set === 'refused') return
  if (set === null || wanted === 0n) return reply.array(0)
  if (wanted < 0n) membersWithRepeats(client, set, Number(-wanted), reply)
  else differentMembers(client, set, Number(wanted), reply)
}

/** A negative count: so many, each picked from all. */
function membersWithRepeats(client: Client, set: UnorderedSet, count: number, reply: Reply): void {
  reply.array(count)
  for (let picked = 0; picked < count && !client.closesAfterReply; picked++) {
    set.pick()
    replyText(reply, set.member)
  }
}

/** A positive count: different members, so many or as many as there are. */
function differentMembers(client: Client, set: UnorderedSet, wantedCount: number, reply: Reply): void {
  const { random } = client.database.store
  let left = set.count
  let needed = Math.min(wantedCount, left)
  reply.array(needed)
  if (set.isPacked || needed * 3 > left) {
    // One walk, in which each member is taken with the chance that makes all choices equally likely.
    set.rewind()
    while (needed > 0 && set.next()) {
      if (random() * left-- >= needed) continue
      replyText(reply, set.member)
      needed--
    }
    return
  }
  const picked = new Set<number>()
  while (picked.size < needed) {
    const identity = set.pick()
    if (picked.has(identity)) continue
    picked.add(identity)
    replyText(reply, set.member)
  }
}

// ---- The rows ----

const family = { acl: ['set'], group: 'set' } as const

export const setCommands: readonly CommandSpec[] = [
  {
    ...family,
    name: 'SADD',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'INSERT')],
    since: '1.0.0',
    complexity:
      'O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.',
    summary: 'Adds members to a set, which is created if need be, and counts those that are new.',
    args: 'key member...',
    history: [['2.4.0', 'Accepts multiple `member` arguments.']],
    handler: sadd,
  },
  {
    ...family,
    name: 'SREM',
    arity: -3,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'DELETE')],
    since: '1.0.0',
    complexity: 'O(N) where N is the number of members to be removed.',
    summary: 'Removes members from a set, and the set with its last one.',
    args: 'key member...',
    history: [['2.4.0', 'Accepts multiple `member` arguments.']],
    handler: srem,
  },
  {
    ...family,
    name: 'SMOVE',
    arity: 4,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'DELETE'), key(2, 'RW', 'INSERT')],
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Moves a member from one set to another.',
    args: 'source#0 destination#1 member',
    handler: smove,
  },
  {
    ...family,
    name: 'SISMEMBER',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO')],
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Whether a set has a member.',
    args: 'key member',
    handler: sismember,
  },
  {
    ...family,
    name: 'SMISMEMBER',
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '6.2.0',
    complexity: 'O(N) where N is the number of elements being checked for membership',
    summary: 'Whether a set has each of several members.',
    args: 'key member...',
    handler: smismember,
  },
  {
    ...family,
    name: 'SCARD',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO')],
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'The number of members of a set.',
    args: 'key',
    handler: scard,
  },
  {
    ...family,
    name: 'SMEMBERS',
    arity: 2,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity: 'O(N) where N is the set cardinality.',
    summary: 'All members of a set.',
    args: 'key',
    tips: ['nondeterministic_output_order'],
    handler: smembers,
  },
  {
    ...family,
    name: 'SPOP',
    arity: -2,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
    since: '1.0.0',
    complexity: 'Without the count argument O(1), otherwise O(N) where N is the value of the passed count.',
    summary: 'Takes one member or several out of a set, picked at random.',
    args: 'key [count@3.2.0]',
    history: [['3.2.0', 'Added the `count` argument.']],
    tips: ['nondeterministic_output'],
    handler: spop,
  },
  {
    ...family,
    name: 'SRANDMEMBER',
    arity: -2,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity: 'Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.',
    summary: 'Members of a set picked at random: one, some different ones, or some that may repeat.',
    args: 'key [count@2.6.0]',
    history: [['2.6.0', 'Added the optional `count` argument.']],
    tips: ['nondeterministic_output'],
    handler: srandmember,
  },
  {
    ...family,
    name: 'SSCAN',
    arity: -3,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.8.0',
    complexity:
      'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..',
    summary: 'Walks a set in steps.',
    args: 'key cursor [MATCH pattern] [COUNT count]',
    tips: ['nondeterministic_output'],
    handler: sscan,
  },
]
