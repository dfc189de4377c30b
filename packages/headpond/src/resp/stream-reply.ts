import type { Stream } from '../store/stream.ts'
import { StreamCursor } from '../store/stream.ts'
import { STREAM_ID_TEXT_MAX, StreamId } from '../store/stream-id.ts'
import type { Reply } from './reply.ts'

/** How entries of streams are answered: an id, then fields and values one after the other. */
const cursor = new StreamCursor()
const idText = new Uint8Array(STREAM_ID_TEXT_MAX)
const FIRST = StreamId.min()
const LAST = StreamId.max()

/** hot: once for each XADD, and for each entry sent. */
export function replyId(reply: Reply, id: StreamId): void {
  reply.bulk(idText, 0, id.write(idText, 0))
}

function replyCurrent(reply: Reply): void {
  reply.array(2)
  replyId(reply, cursor.id)
  reply.array(cursor.fieldCount * 2)
  for (let left = cursor.fieldCount; left > 0; left--) {
    cursor.nextPair()
    reply.bulk(cursor.field.bytes, cursor.field.start, cursor.field.end)
    reply.bulk(cursor.value.bytes, cursor.value.start, cursor.value.end)
  }
}

/** How many entries there are between two ids, at most `countMax`. */
function countEntries(stream: Stream, start: StreamId, end: StreamId, countMax: number): number {
  if (start.isZero && end.isMax) return Math.min(stream.length, countMax)
  cursor.open(stream, start, end, false)
  let count = 0
  while (count < countMax && cursor.next()) count++
  return count
}

/**
 * Answers with the entries between two ids, both included, as an array of at most `countMax`.
 * @param visit called with the id of each after it was written
 */
export function replyEntries(
  reply: Reply,
  stream: Stream,
  start: StreamId,
  end: StreamId,
  countMax: number,
  isReverse: boolean,
  visit: ((id: StreamId) => void) | null = null,
): void {
  const count = countEntries(stream, start, end, countMax)
  reply.array(count)
  cursor.open(stream, start, end, isReverse)
  for (let left = count; left > 0; left--) {
    cursor.next()
    replyCurrent(reply)
    visit?.(cursor.id)
  }
}

/** Answers with one entry; false, with nothing written, when it is not there. */
export function replyEntry(reply: Reply, stream: Stream, id: StreamId): boolean {
  cursor.open(stream, id, id, false)
  if (!cursor.next()) return false
  replyCurrent(reply)
  return true
}

/** Answers with the first or the last entry, or with nothing. */
export function replyEdge(reply: Reply, stream: Stream, isLast: boolean): void {
  cursor.open(stream, FIRST, LAST, isLast)
  if (cursor.next()) replyCurrent(reply)
  else reply.nil()
}
