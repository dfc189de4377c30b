import { KEYSPACE_EVENTS } from '../config/value-types.ts'
import { type Handle, NONE } from '../memory/heap.ts'
import type { Database } from '../store/database.ts'
import { type as types } from '../store/record.ts'
import type { SortedSet } from '../store/sorted-set.ts'
import type { Client } from './client.ts'
import { errors } from './errors.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'

/** What the commands of sorted sets and of geo, which are kept as sorted sets, have in common. */

/** A key that holds another type: the error has been written. */
export const WRONG = -1

/** The record of a sorted set's key for a command that reads, NONE, or WRONG. */
export function readSortedSet(client: Client, request: Request, index: number, reply: Reply): Handle {
  const handle = client.database.read(request.chunk, request.start(index), request.end(index))
  return checked(client.database, handle, reply)
}

/** The record of a sorted set's key for a command that changes it, NONE, or WRONG. */
export function writeSortedSet(client: Client, request: Request, index: number, reply: Reply): Handle {
  const handle = client.database.write(request.chunk, request.start(index), request.end(index))
  return checked(client.database, handle, reply)
}

function checked(database: Database, handle: Handle, reply: Reply): Handle {
  if (handle === NONE || database.records.type(handle) === types.SORTED_SET) return handle
  reply.error(errors.WRONG_TYPE)
  return WRONG
}

/** Announces that members were taken out of a set, and deletes its key when none is left. */
export function announceRemoval(
  database: Database,
  sortedSet: SortedSet,
  event: string,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const isEmpty = sortedSet.count === 0
  if (isEmpty) database.remove(sortedSet.handle)
  database.changed(KEYSPACE_EVENTS.zset, event, bytes, start, end)
  if (isEmpty) {
    database.store.tell(KEYSPACE_EVENTS.generic, 'del', database.index, bytes, start, end)
  }
}

/** Stores a temporary set at a key, or deletes the key when the set is empty, and answers with its size. */
export function storeResult(
  client: Client,
  result: SortedSet,
  event: string,
  request: Request,
  keyIndex: number,
  reply: Reply,
): void {
  const { database } = client
  const { chunk } = request
  const start = request.start(keyIndex)
  const end = request.end(keyIndex)
  const count = result.count
  if (count > 0) {
    result.storeAs(chunk, start, end)
    database.changed(KEYSPACE_EVENTS.zset, event, chunk, start, end)
  } else {
    result.discard()
    const handle = database.write(chunk, start, end)
    if (handle !== NONE) database.delete(handle, chunk, start, end)
  }
  reply.integer(count)
}

/** Begins the reply of so many members, with or without scores: pairs in RESP3, one flat array in RESP2. */
export function beginMembers(reply: Reply, count: number, withScores: boolean): void {
  reply.array(withScores && reply.protocol === 2 ? count * 2 : count)
}

/** Writes the member that a set has reached. hot: once for each member of a ZRANGE. */
export function writeMember(reply: Reply, sortedSet: SortedSet, withScore: boolean): void {
  if (withScore && reply.protocol > 2) reply.array(2)
  reply.bulk(sortedSet.bytes, sortedSet.start, sortedSet.end)
  if (withScore) reply.double(sortedSet.score)
}
