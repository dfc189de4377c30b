import { performance } from 'node:perf_hooks'
import { NONE } from '../memory/heap.ts'
import { LONG_TURN_MS } from '../net/turn.ts'
import { mode, outcome } from './items.ts'
import type { Session } from './session.ts'
import { KEY_BYTES_MAX } from './settings.ts'
import {
  answer,
  hasData,
  hasLongKey,
  hasWords,
  INCOMPLETE,
  isTerminated,
  noteNoreply,
  refuseData,
  type TextContext,
  type TextHandler,
  VALUE_BYTES_MAX,
} from './text-command.ts'
import { lines } from './text-reply.ts'

/** The classic commands of the text protocol. */

// ---- Reading ----

/** Keys of a `get` between two looks at the time. */
const KEYS_BETWEEN_LOOKS = 128

/** hot: `get` and `gets`, once for each. */
export function get(context: TextContext, session: Session, withCas: boolean): number {
  const { line } = context
  const { count } = line
  for (let index = 1; index < count; index++) {
    if (line.size(index) > KEY_BYTES_MAX) return answer(context, lines.BAD_FORMAT)
  }
  return getFrom(context, session, withCas, 1)
}

/** What is left of a `get` that was interrupted stands in the line. */
export function goOnGetting(context: TextContext, session: Session): number {
  const withCas = session.interrupted === 'gets'
  session.interrupted = null
  return getFrom(context, session, withCas, 0)
}

/**
 * Answers the keys of the line from word `first` on. There may be hundreds of thousands: it stops in the midst of the line while
 * the client does not read what it has asked for, and when others have waited for long enough.
 */
function getFrom(context: TextContext, session: Session, withCas: boolean, first: number): number {
  const { line, reply, items, engine } = context
  const { chunk, count } = line
  const { store } = items
  let startMs = 0
  for (let index = first; index < count; index++) {
    const start = line.start(index)
    const end = line.end(index)
    let handle = items.fetch(chunk, start, end)
    if (engine.isObserved) engine.fetched(session, chunk, start, end, handle)
    if (handle !== NONE) {
      let cas = -1
      if (withCas) {
        cas = items.casOf(handle)
        handle = items.handle
      }
      reply.value(chunk, start, end, store, handle, items.clientFlags(handle), cas)
    }
    const next = index + 1
    if (next === count) break
    if (session.isStalled) return interrupt(context, session, withCas, next)
    if (next % KEYS_BETWEEN_LOOKS !== 0) continue
    const nowMs = performance.now()
    if (startMs === 0) startMs = nowMs
    else if (nowMs - startMs > LONG_TURN_MS) {
      session.connection.cut()
      return interrupt(context, session, withCas, next)
    }
  }
  reply.line(lines.END)
  return line.next
}

function interrupt({ line }: TextContext, session: Session, withCas: boolean, next: number): number {
  session.interrupted = withCas ? 'gets' : 'get'
  return line.start(next)
}

function gets(context: TextContext, session: Session): number {
  if (!hasWords(context, 2, Number.POSITIVE_INFINITY)) return context.line.next
  return get(context, session, true)
}

/** `get` as it was once called, and without a key. */
function bget(context: TextContext, session: Session): number {
  if (!hasWords(context, 2, Number.POSITIVE_INFINITY)) return context.line.next
  return get(context, session, false)
}

function getAndTouch(withCas: boolean): TextHandler {
  return (context, session) => {
    const { line, reply, items, engine } = context
    if (!hasWords(context, 2, Number.POSITIVE_INFINITY)) return line.next
    const exptime = line.int32(1)
    if (Number.isNaN(exptime)) return answer(context, lines.BAD_EXPTIME)
    const { chunk, count } = line
    for (let index = 2; index < count; index++) {
      if (hasLongKey(line, index)) return answer(context, lines.BAD_FORMAT)
    }
    const expireAtMs = items.expireAtMs(exptime)
    for (let index = 2; index < count; index++) {
      const start = line.start(index)
      const end = line.end(index)
      let handle = items.fetchToTouch(chunk, start, end)
      if (engine.isObserved) engine.fetched(session, chunk, start, end, handle)
      if (handle === NONE) continue
      const cas = withCas ? items.casOf(handle) : -1
      if (withCas) handle = items.handle
      reply.value(chunk, start, end, items.store, handle, items.clientFlags(handle), cas)
      items.touch(handle, chunk, start, end, expireAtMs)
    }
    reply.line(lines.END)
    return line.next
  }
}

function touch(context: TextContext, session: Session): number {
  const { line, items, engine } = context
  if (!hasWords(context, 3, 4)) return line.next
  noteNoreply(context)
  if (hasLongKey(line)) return answer(context, lines.BAD_FORMAT)
  const exptime = line.int32(2)
  if (Number.isNaN(exptime)) return answer(context, lines.BAD_EXPTIME)
  const start = line.start(1)
  const end = line.end(1)
  const handle = items.fetchToTouch(line.chunk, start, end)
  if (engine.isObserved) engine.streams.fetched(session, line.chunk, start, end, handle)
  if (handle === NONE) return answer(context, lines.NOT_FOUND)
  items.touch(handle, line.chunk, start, end, items.expireAtMs(exptime))
  return answer(context, lines.TOUCHED)
}

// ---- Storing ----

const modeNames = ['set', 'add', 'replace', 'append', 'prepend', 'cas'] as const

/**
 * `<command> <key> <flags> <exptime> <bytes> [<cas>] [noreply]` and the data.
 * hot: once for each `set`.
 */
export function update(context: TextContext, session: Session, end: number, how: number): number {
  const { line, reply, items, engine } = context
  const isCas = how === mode.CAS
  const { count, chunk } = line
  if (isCas ? count !== 6 && count !== 7 : count !== 5 && count !== 6) return answer(context, lines.ERROR)
  // In place of the size it is no size, and nobody is told.
  if (count > 5 || line.size(4) === 'noreply'.length) noteNoreply(context)
  const keyStart = line.start(1)
  const keyEnd = line.end(1)
  if (keyEnd - keyStart > KEY_BYTES_MAX) return answer(context, lines.BAD_FORMAT)
  const flags = line.uint32(2)
  const exptime = line.int32(3)
  const size = line.int32(4)
  // NaN fails every comparison.
  if (!(flags >= 0) || Number.isNaN(exptime) || Number.isNaN(size)) return answer(context, lines.BAD_FORMAT)
  const cas = isCas ? line.uint64(5) : 0n
  if (cas === undefined || size < 0 || size > VALUE_BYTES_MAX) return answer(context, lines.BAD_FORMAT)
  if (!items.fits(keyEnd - keyStart, flags, size)) {
    items.refuseTooLarge(how === mode.SET, chunk, keyStart, keyEnd)
    if (engine.isObserved) {
      engine.prefixes.countSet(chunk, keyStart, keyEnd)
      engine.stored(session, chunk, keyStart, keyEnd, 'too_large', modeNames[how], 0, 0)
    }
    return refuseData(context, session, lines.TOO_LARGE, size)
  }
  if (!hasData(context, size, end)) return INCOMPLETE

  if (engine.isObserved) engine.prefixes.countSet(chunk, keyStart, keyEnd)
  const valueStart = line.next
  const next = valueStart + size + 2
  items.statistics.setCount++
  if (!isTerminated(context, size)) {
    reply.line(lines.BAD_DATA)
    return next
  }
  if (!items.makeRoom(how === mode.SET, chunk, keyStart, keyEnd)) {
    reply.line(lines.NO_MEMORY)
    return next
  }
  if (engine.isObserved) engine.looked(session, chunk, keyStart, keyEnd)
  const expireAtMs = items.expireAtMs(exptime)
  let result: number = outcome.STORED
  if (how === mode.SET) items.set(chunk, keyStart, keyEnd, chunk, valueStart, next - 2, flags, expireAtMs)
  else result = items.storeIf(how, chunk, keyStart, keyEnd, chunk, valueStart, next - 2, flags, expireAtMs, cas, false)
  if (engine.isObserved) {
    engine.stored(session, chunk, keyStart, keyEnd, storeStatus[result], modeNames[how], expireAtMs, size)
  }
  reply.line(storeAnswers[result])
  return next
}

const storeAnswers: readonly Buffer[] = []
Object.assign(storeAnswers, {
  [outcome.STORED]: lines.STORED,
  [outcome.NOT_STORED]: lines.NOT_STORED,
  [outcome.EXISTS]: lines.EXISTS,
  [outcome.NOT_FOUND]: lines.NOT_FOUND,
  [outcome.WRONG_TYPE]: lines.WRONG_TYPE,
})

/** The same in the words of the log. */
export const storeStatus: readonly string[] = [
  'stored',
  'not_stored',
  'exists',
  'not_found',
  'too_large',
  'no_memory',
  'wrong_type',
]

function updateBy(how: number): TextHandler {
  return (context, session, end) => update(context, session, end, how)
}

// ---- Counting, deleting ----

function count(isIncrement: boolean): TextHandler {
  return (context) => {
    const { line, reply, items } = context
    if (!hasWords(context, 3, 4)) return line.next
    noteNoreply(context)
    if (hasLongKey(line)) return answer(context, lines.BAD_FORMAT)
    const delta = line.uint64(2)
    if (delta === undefined) return answer(context, lines.BAD_DELTA)
    switch (items.count(isIncrement, line.chunk, line.start(1), line.end(1), delta, 0n)) {
      case outcome.STORED:
        reply.text(items.result.toString())
        return line.next
      case outcome.NOT_FOUND:
        if (isIncrement) items.statistics.incrMissCount++
        else items.statistics.decrMissCount++
        return answer(context, lines.NOT_FOUND)
      case outcome.WRONG_TYPE:
        return answer(context, lines.WRONG_TYPE)
      default:
        return answer(context, lines.NON_NUMERIC)
    }
  }
}

function remove(context: TextContext): number {
  const { line, items, engine } = context
  if (!hasWords(context, 2, 4)) return line.next
  if (line.count > 2) {
    const isZero = line.is(2, '0')
    const isSilent = noteNoreply(context)
    const isValid = line.count === 3 ? isZero || isSilent : isZero && isSilent
    if (!isValid) return answer(context, lines.BAD_DELETE)
  }
  if (hasLongKey(line)) return answer(context, lines.BAD_FORMAT)
  const start = line.start(1)
  const end = line.end(1)
  if (engine.isObserved) engine.prefixes.countDelete(line.chunk, start, end)
  return answer(context, items.delete(line.chunk, start, end) ? lines.DELETED : lines.NOT_FOUND)
}

function flushAll(context: TextContext): number {
  const { line, engine, reply } = context
  if (!hasWords(context, 1, 3)) return line.next
  const isSilent = noteNoreply(context)
  engine.statistics.flushCount++
  if (!engine.options.hasFlush) {
    reply.text('CLIENT_ERROR flush_all not allowed')
    return line.next
  }
  let exptime = 0
  if (line.count !== (isSilent ? 2 : 1)) {
    exptime = line.int32(1)
    if (Number.isNaN(exptime)) return answer(context, lines.BAD_EXPTIME)
  }
  engine.flushAll(exptime)
  return answer(context, lines.OK)
}

export const storageCommands: readonly (readonly [name: string, handler: TextHandler])[] = Object.entries({
  // `get` with a key is found before this table.
  get: bget,
  bget,
  gets,
  gat: getAndTouch(false),
  gats: getAndTouch(true),
  touch,
  add: updateBy(mode.ADD),
  replace: updateBy(mode.REPLACE),
  append: updateBy(mode.APPEND),
  prepend: updateBy(mode.PREPEND),
  cas: updateBy(mode.CAS),
  incr: count(true),
  decr: count(false),
  delete: remove,
  flush_all: flushAll,
})
