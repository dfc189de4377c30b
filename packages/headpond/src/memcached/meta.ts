import { copyBytes } from '../bytes/copy.ts'
import { writeInteger } from '../bytes/integer.ts'
import { type Handle, NONE } from '../memory/heap.ts'
import type { OutputBuffer } from '../net/output-buffer.ts'
import { itemState } from '../store/item.ts'
import { NEVER } from '../store/record.ts'
import { decodeBase64 } from './base64.ts'
import { type Items, mode, outcome } from './items.ts'
import type { Line } from './line.ts'
import { hasLongOpaque, type MetaFlags } from './meta-flags.ts'
import type { Session } from './session.ts'
import { storeStatus } from './storage-commands.ts'
import {
  answer,
  hasData,
  hasLongKey,
  hasWords,
  INCOMPLETE,
  isTerminated,
  refuseData,
  type TextContext,
  type TextHandler,
  VALUE_BYTES_MAX,
} from './text-command.ts'
import { line as lineOf, lines } from './text-reply.ts'

/**
 * The meta commands: a letter for each thing that a client wants to know or to have done, answered in the order of asking.
 */

/** Flags at most, with the name, the key and the end of the line. */
const WORDS_WITH_FLAGS_MAX = 19
/** Room for every flag of an answer: the longest are the key in base64 and the opaque. */
const ANSWER_BYTES_MAX = 1024

const errors = {
  TOO_MANY_FLAGS: lineOf('CLIENT_ERROR options flags too long'),
  TOO_MANY_FLAGS_IN_GET: lineOf('CLIENT_ERROR options flags are too long'),
  LONG_OPAQUE: lineOf('CLIENT_ERROR opaque token too long'),
  BAD_FLAG: lineOf('CLIENT_ERROR invalid or duplicate flag'),
  BAD_SET_MODE: lineOf('CLIENT_ERROR invalid mode for ms M token'),
  NO_MEMORY_TO_COUNT: lineOf('SERVER_ERROR Out of memory allocating new item'),
  BAD_COUNT_MODE: lineOf('CLIENT_ERROR invalid mode for ma M token'),
} as const

const SPACE = 0x20

function writeText(out: OutputBuffer, text: string): void {
  for (let index = 0; index < text.length; index++) out.u8[out.at++] = text.charCodeAt(index)
}

function writeFlag(out: OutputBuffer, letter: number): void {
  out.u8[out.at++] = SPACE
  out.u8[out.at++] = letter
}

function writeNumberFlag(out: OutputBuffer, letter: number, value: number): void {
  writeFlag(out, letter)
  out.at = writeInteger(out.u8, out.at, value)
}

/** The word of a flag as it came: the opaque. */
function writeWord(out: OutputBuffer, line: Line, index: number): void {
  out.u8[out.at++] = SPACE
  copyBytes(line.chunk, line.start(index), line.end(index), out.u8, out.at)
  out.at += line.size(index)
}

function writeKey(out: OutputBuffer, flags: MetaFlags, isBinary: boolean): void {
  writeFlag(out, letters.k)
  if (!isBinary) {
    copyBytes(flags.key, flags.keyStart, flags.keyEnd, out.u8, out.at)
    out.at += flags.keyEnd - flags.keyStart
  } else {
    writeText(out, Buffer.from(flags.key.subarray(flags.keyStart, flags.keyEnd)).toString('base64'))
    writeFlag(out, letters.b)
  }
}

/** The opaque and the key, in the order of asking: what every answer repeats. */
function writeEcho(out: OutputBuffer, line: Line, from: number, flags: MetaFlags): void {
  for (let index = from; index < line.count; index++) {
    const letter = line.chunk[line.start(index)]
    if (letter === letters.O) writeWord(out, line, index)
    else if (letter === letters.k) writeKey(out, flags, flags.isKeyBinary)
  }
}

const letters = {
  C: 0x43,
  I: 0x49,
  N: 0x4e,
  O: 0x4f,
  R: 0x52,
  T: 0x54,
  W: 0x57,
  X: 0x58,
  Z: 0x5a,
  b: 0x62,
  c: 0x63,
  f: 0x66,
  h: 0x68,
  k: 0x6b,
  l: 0x6c,
  s: 0x73,
  t: 0x74,
} as const

/** What is wrong with a command of any meta verb before its flags are read; null when nothing is. */
function refusalOf(line: Line): Buffer | null {
  if (hasLongKey(line)) return lines.BAD_FORMAT
  return line.count > WORDS_WITH_FLAGS_MAX ? errors.TOO_MANY_FLAGS : null
}

// ---- mg ----

function metaGet(context: TextContext, session: Session): number {
  const { line, reply, items, engine, flags } = context
  if (!hasWords(context, 2, Number.POSITIVE_INFINITY)) return line.next
  const refusal = refusalOf(line)
  if (refusal !== null)
    return answer(context, refusal === errors.TOO_MANY_FLAGS ? errors.TOO_MANY_FLAGS_IN_GET : refusal)
  const error = flags.read(line, 2, items)
  if (error !== null) return answer(context, error)
  if (hasLongOpaque(line, 2)) return answer(context, errors.LONG_OPAQUE)

  const { key, keyStart, keyEnd } = flags
  const { statistics, store } = items
  let handle = items.peek(key, keyStart, keyEnd)
  let isCreated = false
  if (handle === NONE && flags.vivifyExpireAtMs !== undefined) {
    if (items.isOfOtherType(key, keyStart, keyEnd)) return answer(context, lines.WRONG_TYPE)
    isCreated = items.makeRoom(false, key, keyStart, keyEnd)
    if (isCreated) {
      items.set(key, keyStart, keyEnd, key, 0, 0, 0, NEVER)
      handle = items.handle
    } // else it is missed as any other
  }
  if (engine.isObserved) engine.streams.fetched(session, key, keyStart, keyEnd, handle)
  const { out } = reply
  out.makeRoom(ANSWER_BYTES_MAX)
  if (handle === NONE) {
    statistics.getCount++
    store.missCount++
    if (flags.isQuiet) return line.next
    writeText(out, 'EN')
    writeEcho(out, line, 2, flags)
    reply.endLine()
    return line.next
  }
  if (flags.expireAtMs === undefined) {
    statistics.getCount++
    statistics.getHitCount++
  } else {
    statistics.touchCount++
    statistics.touchHitCount++
  }
  store.hitCount++
  const size = store.records.valueSize(handle)
  if (flags.wantsValue) {
    writeText(out, 'VA ')
    out.at = writeInteger(out.u8, out.at, size)
  } else {
    writeText(out, 'HD')
  }
  /** An expiry that has passed takes the item away, but not before it is given out. */
  let passed = false
  let hasWon = isCreated
  for (let index = 2; index < line.count; index++) {
    const letter = line.chunk[line.start(index)]
    switch (letter) {
      case letters.T:
      case letters.N: {
        const expireAtMs = letter === letters.T ? flags.expireAtMs! : flags.vivifyExpireAtMs!
        if (letter === letters.N && !isCreated) break
        passed = expireAtMs !== NEVER && expireAtMs <= store.nowMs
        if (!passed) handle = items.touch(handle, key, keyStart, keyEnd, expireAtMs)
        break
      }
      case letters.R:
        if (!isCreated && isToBeRecached(items, handle, flags.recacheAtMs)) hasWon = true
        break
      case letters.s:
        writeNumberFlag(out, letter, size)
        break
      case letters.t:
        writeNumberFlag(out, letter, passed ? 0 : items.ttlSeconds(handle))
        break
      case letters.c:
        writeNumberFlag(out, letter, items.casOf(handle))
        handle = items.handle
        break
      case letters.f:
        writeNumberFlag(out, letter, items.clientFlags(handle))
        break
      case letters.l:
        writeNumberFlag(out, letter, items.idleSeconds(handle))
        break
      case letters.h:
        writeNumberFlag(out, letter, (items.stateOf(handle) & itemState.FETCHED) === 0 ? 0 : 1)
        break
      case letters.O:
        writeWord(out, line, index)
        break
      case letters.k:
        writeKey(out, flags, (items.stateOf(handle) & itemState.BINARY_KEY) !== 0)
        break
    }
  }
  const state = items.stateOf(handle)
  if ((state & itemState.TOKEN_SENT) !== 0) writeFlag(out, letters.Z)
  if ((state & itemState.STALE) !== 0) {
    writeFlag(out, letters.X)
    if ((state & itemState.TOKEN_SENT) === 0) hasWon = true
  }
  if (hasWon) {
    writeFlag(out, letters.W)
    handle = items.setState(handle, state | itemState.TOKEN_SENT)
  }
  reply.endLine()
  if (flags.wantsValue) reply.data(store, handle)
  if (passed) items.touch(handle, key, keyStart, keyEnd, 1)
  else if (!flags.leavesNoTrace) items.markFetched(handle)
  return line.next
}

/** Whether an item is so near to its end that a client is to fetch a newer one, and none has been told to. */
function isToBeRecached(items: Items, handle: Handle, recacheAtMs: number | undefined): boolean {
  const expireAtMs = items.store.records.expireAtMs(handle)
  if (expireAtMs === NEVER || recacheAtMs === undefined || recacheAtMs === NEVER) return false
  if ((items.stateOf(handle) & itemState.TOKEN_SENT) !== 0) return false
  return items.ttlSeconds(handle) < Math.ceil((recacheAtMs - items.store.nowMs) / 1000)
}

// ---- ms ----

const setModes: Readonly<Record<string, number>> = {
  '': mode.SET,
  S: mode.SET,
  E: mode.ADD,
  A: mode.APPEND,
  P: mode.PREPEND,
  R: mode.REPLACE,
}

const setStatus: readonly string[] = ['HD', 'NS', 'EX', 'NF']

function metaSet(context: TextContext, session: Session, end: number): number {
  const { line, reply, items, engine, flags } = context
  if (!hasWords(context, 2, Number.POSITIVE_INFINITY)) return line.next
  if (hasLongKey(line) || line.count === 2) return answer(context, lines.BAD_FORMAT)
  if (line.count > WORDS_WITH_FLAGS_MAX) return answer(context, errors.TOO_MANY_FLAGS)
  const size = line.int32(2)
  if (!(size >= 0 && size <= VALUE_BYTES_MAX)) return answer(context, lines.BAD_FORMAT)
  // From here on the size is known: whatever is wrong, the data is passed over.
  const error = flags.read(line, 3, items)
  if (error !== null) return refuseData(context, session, error, size)
  let how = setModes[flags.mode]
  if (how === undefined) return refuseData(context, session, errors.BAD_SET_MODE, size)
  if (hasLongOpaque(line, 3)) return refuseData(context, session, errors.LONG_OPAQUE, size)
  if (flags.cas !== undefined && (how === mode.SET || how === mode.REPLACE)) how = mode.CAS

  const { key, keyStart, keyEnd, clientFlags } = flags
  if (!items.fits(keyEnd - keyStart, clientFlags, size)) {
    items.refuseTooLarge(true, key, keyStart, keyEnd)
    if (engine.isObserved) engine.stored(session, key, keyStart, keyEnd, 'too_large', 'set', 0, 0)
    return refuseData(context, session, lines.TOO_LARGE, size)
  }
  if (!hasData(context, size, end)) return INCOMPLETE
  const valueStart = line.next
  const next = valueStart + size + 2
  items.statistics.setCount++
  if (!isTerminated(context, size)) {
    reply.line(lines.BAD_DATA)
    return next
  }
  if (!items.makeRoom(true, key, keyStart, keyEnd)) {
    reply.line(lines.NO_MEMORY)
    return next
  }
  const expireAtMs = flags.expireAtMs ?? NEVER
  const keepsStale = flags.marksStale && how === mode.CAS
  const cas = flags.cas ?? 0n
  const result = items.storeIf(
    how,
    key,
    keyStart,
    keyEnd,
    line.chunk,
    valueStart,
    next - 2,
    clientFlags,
    expireAtMs,
    cas,
    keepsStale,
  )
  if (engine.isObserved) {
    engine.stored(session, key, keyStart, keyEnd, storeStatus[result], 'set', expireAtMs, size)
  }
  if (result === outcome.WRONG_TYPE) {
    reply.line(lines.WRONG_TYPE)
    return next
  }
  const isStored = result === outcome.STORED
  const isJoined = how === mode.APPEND || how === mode.PREPEND
  if (isStored && flags.isKeyBinary && !isJoined && items.handle !== NONE) {
    items.handle = items.setState(items.handle, items.stateOf(items.handle) | itemState.BINARY_KEY)
  }
  if (isStored && flags.isQuiet) return next
  const { out } = reply
  out.makeRoom(ANSWER_BYTES_MAX)
  writeText(out, setStatus[result])
  for (let index = 3; index < line.count; index++) {
    const letter = line.chunk[line.start(index)]
    if (letter === letters.O) writeWord(out, line, index)
    else if (letter === letters.k) writeKey(out, flags, flags.isKeyBinary)
    else if (letter === letters.c) {
      writeNumberFlag(out, letter, isStored ? items.storedCas() : 0)
    }
  }
  reply.endLine()
  return next
}

// ---- md ----

function metaDelete(context: TextContext): number {
  const { line, reply, items, flags } = context
  if (!hasWords(context, 2, Number.POSITIVE_INFINITY)) return line.next
  const refusal = refusalOf(line)
  if (refusal !== null) return answer(context, refusal)
  if (flags.read(line, 2, items) !== null) return answer(context, errors.BAD_FLAG)
  if (hasLongOpaque(line, 2)) return answer(context, errors.LONG_OPAQUE)
  const { out } = reply
  out.makeRoom(ANSWER_BYTES_MAX)
  const status = metaDeleteStatus(items, flags)
  if (status === 'HD' && flags.isQuiet) return line.next
  writeText(out, status)
  writeEcho(out, line, 2, flags)
  reply.endLine()
  return line.next
}

function metaDeleteStatus(items: Items, flags: MetaFlags): 'HD' | 'EX' | 'NF' {
  const { key, keyStart, keyEnd } = flags
  const handle = items.peek(key, keyStart, keyEnd)
  if (handle !== NONE && flags.cas !== undefined && BigInt(items.casOf(handle)) !== flags.cas) {
    items.statistics.deleteMissCount++
    return 'EX'
  }
  if (handle === NONE || !flags.marksStale) return items.delete(key, keyStart, keyEnd) ? 'HD' : 'NF'
  let item = flags.cas === undefined ? handle : items.handle
  if (flags.expireAtMs !== undefined) item = items.touch(item, key, keyStart, keyEnd, flags.expireAtMs)
  if (item !== NONE) items.markStale(item)
  return 'HD'
}

// ---- ma ----

const countModes: Readonly<Record<string, boolean>> = { '': true, I: true, '+': true, D: false, '-': false }

function metaCount(context: TextContext): number {
  const { line, reply, items, flags } = context
  if (!hasWords(context, 2, Number.POSITIVE_INFINITY)) return line.next
  const refusal = refusalOf(line)
  if (refusal !== null) return answer(context, refusal)
  if (flags.read(line, 2, items) !== null) return answer(context, errors.BAD_FLAG)
  const isIncrement = countModes[flags.mode]
  if (isIncrement === undefined) return answer(context, errors.BAD_COUNT_MODE)
  if (hasLongOpaque(line, 2)) return answer(context, errors.LONG_OPAQUE)

  const { key, keyStart, keyEnd } = flags
  const { out } = reply
  out.makeRoom(ANSWER_BYTES_MAX)
  let value = ''
  let isCreated = false
  const result = items.count(isIncrement, key, keyStart, keyEnd, flags.delta, flags.cas ?? 0n)
  if (result === outcome.STORED) {
    value = items.result.toString()
  } else if (result === outcome.NOT_FOUND && flags.vivifyExpireAtMs !== undefined) {
    if (!items.makeRoom(false, key, keyStart, keyEnd)) return answer(context, errors.NO_MEMORY_TO_COUNT)
    value = flags.initial.toString()
    const bytes = Buffer.from(value)
    items.set(key, keyStart, keyEnd, bytes, 0, bytes.length, 0, NEVER)
    isCreated = true
  } else if (result === outcome.NOT_FOUND || result === outcome.EXISTS) {
    if (result === outcome.NOT_FOUND) {
      if (isIncrement) items.statistics.incrMissCount++
      else items.statistics.decrMissCount++
    }
    writeText(out, result === outcome.EXISTS ? 'EX' : 'NF')
    writeEcho(out, line, 2, flags)
    reply.endLine()
    return line.next
  } else {
    return answer(context, result === outcome.WRONG_TYPE ? lines.WRONG_TYPE : lines.NON_NUMERIC)
  }

  const start = out.at
  writeText(out, flags.wantsValue ? `VA ${value.length}` : 'HD')
  let { handle } = items
  let passed = false
  for (let index = 2; index < line.count; index++) {
    const letter = line.chunk[line.start(index)]
    switch (letter) {
      case letters.c:
        writeNumberFlag(out, letter, items.casOf(handle))
        handle = items.handle
        break
      case letters.t:
        writeNumberFlag(out, letter, passed ? 0 : items.ttlSeconds(handle))
        break
      case letters.T:
      case letters.N: {
        if (letter === letters.N && !isCreated) break
        const expireAtMs = letter === letters.T ? flags.expireAtMs! : flags.vivifyExpireAtMs!
        passed = expireAtMs !== NEVER && expireAtMs <= items.store.nowMs
        if (!passed) handle = items.touch(handle, key, keyStart, keyEnd, expireAtMs)
        break
      }
      case letters.O:
        writeWord(out, line, index)
        break
      case letters.k:
        writeKey(out, flags, flags.isKeyBinary)
        break
    }
  }
  if (flags.wantsValue) {
    reply.endLine()
    writeText(out, value)
  }
  reply.endLine()
  if (passed) items.touch(handle, key, keyStart, keyEnd, 1)
  if (flags.isQuiet && !isCreated) out.rewind(start)
  return line.next
}

// ---- me, mn ----

function metaDebug(context: TextContext): number {
  const { line, reply, items } = context
  if (line.count < 2 || hasLongKey(line)) return answer(context, lines.BAD_FORMAT)
  let key: Uint8Array = line.chunk
  let start = line.start(1)
  let end = line.end(1)
  if (line.count > 2 && line.is(2, 'b')) {
    const decoded = decodeBase64(key, start, end)
    if (decoded === null) return answer(context, lines.BAD_FORMAT)
    key = decoded
    start = 0
    end = decoded.length
  }
  items.statistics.metaCount++
  const found = items.peek(key, start, end)
  if (found === NONE) return answer(context, lines.EN)
  const cas = items.casOf(found)
  const { handle } = items
  const state = items.stateOf(handle)
  const ttl = items.ttlSeconds(handle)
  const name = Buffer.from(key.subarray(start, end))
  const shown = name.toString((state & itemState.BINARY_KEY) === 0 ? 'latin1' : 'base64')
  const details = [
    `exp=${ttl < 0 ? -1 : -ttl}`,
    `la=${items.idleSeconds(handle)}`,
    `cas=${cas}`,
    `fetch=${(state & itemState.FETCHED) === 0 ? 'no' : 'yes'}`,
    `cls=${items.classOf(handle)}`,
    `size=${items.memoryOf(handle)}`,
  ]
  reply.text(`ME ${shown} ${details.join(' ')}`)
  return line.next
}

function metaNoOp(context: TextContext): number {
  return answer(context, lines.MN)
}

export const metaCommands: readonly (readonly [name: string, handler: TextHandler])[] = [
  ['mg', metaGet],
  ['ms', metaSet],
  ['md', metaDelete],
  ['ma', metaCount],
  ['me', metaDebug],
  ['mn', metaNoOp],
]
