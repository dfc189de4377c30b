import { type Handle, NONE } from '../memory/heap.ts'
import type { ConsumerGroup } from '../store/consumer-group.ts'
import type { Database } from '../store/database.ts'
import { type as types } from '../store/record.ts'
import { type Stream, streamOf } from '../store/stream.ts'
import { StreamId } from '../store/stream-id.ts'
import { errors } from './errors.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'

/** What the commands of streams read from their arguments. Each returns a refusal after it has written the error. */
const PAREN = 0x28
const DASH = 0x2d
const PLUS = 0x2b

export const INVALID_ID = 'ERR Invalid stream ID specified as stream command argument'

/** An id, `<ms>` standing for `<ms>-0`. */
export function readId(request: Request, index: number, reply: Reply, id: StreamId): boolean {
  if (id.parse(request.chunk, request.start(index), request.end(index), 'first')) return true
  reply.error(INVALID_ID)
  return false
}

/** Whether an argument is this one character. */
export function isSign(request: Request, index: number, sign: number): boolean {
  return request.size(index) === 1 && request.chunk[request.start(index)] === sign
}

/** Where an interval begins. Exclusive with `(` before the id: then `id` becomes the one behind it. */
export function readIntervalStart(request: Request, index: number, reply: Reply, id: StreamId): boolean {
  if (!readIntervalEdge(request, index, reply, id, 'first')) return false
  if (!isExclusive(request, index) || id.increment()) return true
  reply.error('ERR invalid start ID for the interval')
  return false
}

/** Where an interval ends. Exclusive with `(` before the id: then `id` becomes the one before it. */
export function readIntervalEnd(request: Request, index: number, reply: Reply, id: StreamId): boolean {
  if (!readIntervalEdge(request, index, reply, id, 'last')) return false
  if (!isExclusive(request, index) || id.decrement()) return true
  reply.error('ERR invalid end ID for the interval')
  return false
}

function isExclusive(request: Request, index: number): boolean {
  return request.size(index) > 1 && request.chunk[request.start(index)] === PAREN
}

function readIntervalEdge(
  request: Request,
  index: number,
  reply: Reply,
  id: StreamId,
  missingSeq: 'first' | 'last',
): boolean {
  const exclusive = isExclusive(request, index)
  if (!exclusive && isSign(request, index, DASH)) id.setNumbers(0, 0)
  else if (!exclusive && isSign(request, index, PLUS)) id.setMax()
  else if (!id.parse(request.chunk, request.start(index) + (exclusive ? 1 : 0), request.end(index), missingSeq)) {
    reply.error(INVALID_ID)
    return false
  }
  return true
}

/** The ids from an argument on; null, with the error written, when one of them is none. */
export function readIds(request: Request, first: number, reply: Reply): StreamId[] | null {
  const ids: StreamId[] = []
  for (let index = first; index < request.count; index++) {
    const id = new StreamId()
    if (!readId(request, index, reply, id)) return null
    ids.push(id)
  }
  return ids
}

/** The stream of a record that `database` has found; null, with the error written, when it is of another type. */
export function openStream(database: Database, handle: Handle, reply: Reply): Stream | null {
  if (database.records.type(handle) === types.STREAM) return streamOf(database.store, handle)
  reply.error(errors.WRONG_TYPE)
  return null
}

/** The stream and the group that two arguments name, for commands that need both; null, with the error written. */
export function openGroup(
  database: Database,
  request: Request,
  keyIndex: number,
  groupIndex: number,
  reply: Reply,
): { stream: Stream; group: ConsumerGroup } | null {
  const handle = database.read(request.chunk, request.start(keyIndex), request.end(keyIndex))
  return openGroupOf(handle, database, request, keyIndex, groupIndex, reply)
}

/** As `openGroup`, of a key that has been looked up. */
export function openGroupOf(
  handle: number,
  database: Database,
  request: Request,
  keyIndex: number,
  groupIndex: number,
  reply: Reply,
): { stream: Stream; group: ConsumerGroup } | null {
  const stream = handle === NONE ? null : openStream(database, handle, reply)
  if (handle !== NONE && stream === null) return null
  // Nearly all who ask for a group change it.
  if (handle !== NONE) database.preserve(handle)
  const group = stream?.groups.get(request.latin1(groupIndex))
  if (stream === null || group === undefined) {
    const names = `'${request.quoted(keyIndex)}' or consumer group '${request.quoted(groupIndex)}'`
    reply.errorOfBytes(`NOGROUP No such key ${names}`)
    return null
  }
  return { stream, group }
}
