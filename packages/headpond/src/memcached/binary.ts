import { copyBytes } from '../bytes/copy.ts'
import { type Handle, NONE } from '../memory/heap.ts'
import type { OutputBuffer } from '../net/output-buffer.ts'
import { encoding } from '../store/record.ts'
import { FIRST_BYTE, opcode, RESPONSE_BYTE, status, statusText } from './binary-format.ts'
import type { MemcachedEngine } from './engine.ts'
import { type Items, mode, outcome } from './items.ts'
import type { Session } from './session.ts'
import { KEY_BYTES_MAX, MEMCACHED_VERSION } from './settings.ts'
import { hasEnd, isOfTextOnly, statsOf } from './stats.ts'
import { storeStatus } from './storage-commands.ts'
import { writeLarge } from './text-reply.ts'

/**
 * The binary protocol: a header of 24 bytes, then extras, key and value.
 *
 *   0       1        2         4           5         6          8           12       16    24
 *   | magic | opcode | keySize | extrasSize | dataType | 0 or status | bodySize | opaque | cas | extras | key | value
 *
 * All numbers are big-endian. What is answered is memcached's (proto_bin.c of 1.6): quiet forms (Q) say nothing when all
 * is well, or for a `get`, when there is nothing to give.
 */
const HEADER_BYTES = 24
const MECHANISM_BYTES_MAX = 32
/** `incr` with this expiry makes no item. */
const NO_CREATION = 0xffffffff
const CREDENTIALS_BYTES_MAX = 4096
const PLAIN = 'PLAIN'
const INCOMPLETE = -1

/** The plain form of each quiet one. */
const plainOf: ReadonlyMap<number, number> = new Map([
  [opcode.GETQ, opcode.GET],
  [opcode.GETKQ, opcode.GETK],
  [opcode.SETQ, opcode.SET],
  [opcode.ADDQ, opcode.ADD],
  [opcode.REPLACEQ, opcode.REPLACE],
  [opcode.DELETEQ, opcode.DELETE],
  [opcode.INCREMENTQ, opcode.INCREMENT],
  [opcode.DECREMENTQ, opcode.DECREMENT],
  [opcode.QUITQ, opcode.QUIT],
  [opcode.FLUSHQ, opcode.FLUSH],
  [opcode.APPENDQ, opcode.APPEND],
  [opcode.PREPENDQ, opcode.PREPEND],
  [opcode.GATQ, opcode.GAT],
  [opcode.GATKQ, opcode.GATK],
])

const storeModes: ReadonlyMap<number, number> = new Map([
  [opcode.SET, mode.SET],
  [opcode.ADD, mode.ADD],
  [opcode.REPLACE, mode.REPLACE],
])

export class BinaryProtocol {
  readonly #engine: MemcachedEngine
  readonly #items: Items
  readonly #out: OutputBuffer
  // The request that runs.
  #chunk: Uint8Array = NOTHING
  #requestOpcode = 0
  #keySize = 0
  #extrasSize = 0
  #bodySize = 0
  #opaque = 0
  #extrasStart = 0
  #keyStart = 0
  #valueStart = 0
  /** Where the next request begins; that of the value's end while nothing else is known. */
  #next = 0

  constructor(engine: MemcachedEngine, items: Items, out: OutputBuffer) {
    this.#engine = engine
    this.#items = items
    this.#out = out
  }

  /** Lets go of the chunk. */
  release(): void {
    this.#chunk = NOTHING
  }

  /** Runs the request at `at`. Returns where the next one begins, or INCOMPLETE. hot: once for each request. */
  step(session: Session, chunk: Uint8Array, at: number, end: number): number {
    if (end - at < HEADER_BYTES) {
      if (chunk[at] === FIRST_BYTE) return this.#wait(session, HEADER_BYTES)
      session.endWithError()
      return end
    }
    if (chunk[at] !== FIRST_BYTE) {
      session.endWithError()
      return end
    }
    this.#chunk = chunk
    this.#requestOpcode = chunk[at + 1]
    this.#keySize = (chunk[at + 2] << 8) | chunk[at + 3]
    this.#extrasSize = chunk[at + 4]
    this.#bodySize = uint32(chunk, at + 8)
    this.#opaque = uint32(chunk, at + 12)
    this.#extrasStart = at + HEADER_BYTES
    this.#keyStart = this.#extrasStart + this.#extrasSize
    this.#valueStart = this.#keyStart + this.#keySize
    if (end < this.#valueStart) return this.#wait(session, this.#valueStart - at)
    this.#next = this.#valueStart
    const command = plainOf.get(this.#requestOpcode) ?? this.#requestOpcode
    const isQuiet = command !== this.#requestOpcode
    const cas = chunk[at + 16] | chunk[at + 23] | uint32(chunk, at + 17) | uint32(chunk, at + 19)
    const requestCas = cas === 0 ? 0n : Buffer.from(chunk.subarray(at + 16, at + 24)).readBigUInt64BE()
    if (this.#keySize + this.#extrasSize > this.#bodySize) {
      this.#error(status.UNKNOWN_COMMAND)
      session.endWithError()
      return end
    }
    if (!session.isAuthenticated && !ANYBODYS.has(command)) {
      this.#error(status.AUTH_ERROR)
      session.endWithError()
      return end
    }
    if (this.#keySize > KEY_BYTES_MAX) return this.#protocolError(session, end)
    return this.#dispatch(session, command, isQuiet, requestCas, at, end)
  }

  #dispatch(session: Session, command: number, isQuiet: boolean, cas: bigint, at: number, end: number): number {
    const keySize = this.#keySize
    const extrasSize = this.#extrasSize
    const isBare = keySize === 0 && extrasSize === 0 && this.#bodySize === 0
    const valueSize = this.#bodySize - keySize - extrasSize
    switch (command) {
      case opcode.GET:
      case opcode.GETK:
        if (extrasSize !== 0 || keySize === 0 || valueSize !== 0) return this.#protocolError(session, end)
        return this.#get(session, command === opcode.GETK, isQuiet)
      case opcode.TOUCH:
      case opcode.GAT:
      case opcode.GATK:
        if (extrasSize !== 4 || keySize === 0) return this.#protocolError(session, end)
        return this.#touch(session, command, isQuiet)
      case opcode.SET:
      case opcode.ADD:
      case opcode.REPLACE:
        if (extrasSize !== 8 || keySize === 0) return this.#protocolError(session, end)
        return this.#update(session, command, isQuiet, cas, at, end)
      case opcode.APPEND:
      case opcode.PREPEND:
        if (extrasSize !== 0 || keySize === 0) return this.#protocolError(session, end)
        return this.#join(session, command === opcode.APPEND ? mode.APPEND : mode.PREPEND, isQuiet, cas, at, end)
      case opcode.DELETE:
        if (extrasSize !== 0 || keySize === 0 || valueSize !== 0) return this.#protocolError(session, end)
        return this.#delete(isQuiet, cas)
      case opcode.INCREMENT:
      case opcode.DECREMENT:
        if (extrasSize !== 20 || keySize === 0 || valueSize !== 0) return this.#protocolError(session, end)
        return this.#count(command === opcode.INCREMENT, isQuiet, cas)
      case opcode.FLUSH:
        if (keySize !== 0 || valueSize !== 0 || (extrasSize !== 0 && extrasSize !== 4)) {
          return this.#protocolError(session, end)
        }
        return this.#flush(isQuiet)
      case opcode.NOOP:
        if (!isBare) return this.#protocolError(session, end)
        return this.#done(false, 0)
      case opcode.VERSION:
        if (!isBare) return this.#protocolError(session, end)
        return this.#text(MEMCACHED_VERSION)
      case opcode.QUIT:
        if (!isBare) return this.#protocolError(session, end)
        session.closesAfterReply = true
        return this.#done(isQuiet, 0)
      case opcode.STAT:
        if (extrasSize !== 0) return this.#protocolError(session, end)
        return this.#stat()
      case opcode.SASL_LIST_MECHS:
        if (!isBare) return this.#protocolError(session, end)
        if (!this.#engine.requiresAuthentication) return this.#error(status.UNKNOWN_COMMAND)
        return this.#text(PLAIN)
      case opcode.SASL_AUTH:
      case opcode.SASL_STEP:
        if (extrasSize !== 0 || keySize === 0) return this.#protocolError(session, end)
        return this.#authenticate(session, command, valueSize, at, end)
      default:
        session.swallowBytes = this.#bodySize - keySize - extrasSize
        return this.#error(status.UNKNOWN_COMMAND)
    }
  }

  // ---- Reading ----

  #get(session: Session, withKey: boolean, isQuiet: boolean): number {
    const key = this.#keyStart
    const keyEnd = this.#valueStart
    const handle = this.#items.fetch(this.#chunk, key, keyEnd)
    if (this.#engine.isObserved) this.#engine.fetched(session, this.#chunk, key, keyEnd, handle)
    if (handle === NONE) return isQuiet ? this.#next : this.#miss(withKey)
    return this.#give(handle, withKey, true)
  }

  #touch(session: Session, command: number, isQuiet: boolean): number {
    const key = this.#keyStart
    const keyEnd = this.#valueStart
    const withKey = command === opcode.GATK
    const handle = this.#items.fetchToTouch(this.#chunk, key, keyEnd)
    if (this.#engine.isObserved) this.#engine.fetched(session, this.#chunk, key, keyEnd, handle)
    if (handle === NONE) return isQuiet ? this.#next : this.#miss(withKey)
    const expireAtMs = this.#items.expireAtMs(uint32(this.#chunk, this.#extrasStart))
    this.#give(handle, withKey, command !== opcode.TOUCH)
    // Its number may have moved the item.
    this.#items.touch(this.#items.handle, this.#chunk, key, keyEnd, expireAtMs)
    return this.#next
  }

  /** Answers with an item: flags, key and value as asked for. */
  #give(found: Handle, withKey: boolean, withValue: boolean): number {
    const { store } = this.#items
    const { records } = store
    const cas = this.#items.casOf(found)
    const { handle } = this.#items
    const size = withValue ? records.valueSize(handle) : 0
    const keySize = withKey ? this.#keySize : 0
    const out = this.#out
    const isLarge = withValue && records.encoding(handle) === encoding.LARGE
    out.makeRoom(HEADER_BYTES + 4 + keySize + (isLarge ? 0 : size))
    this.#header(status.SUCCESS, 4, keySize, 4 + keySize + size, cas)
    writeUint32(out.u8, out.at, this.#items.clientFlags(handle))
    out.at += 4
    if (withKey) this.#copy(this.#chunk, this.#keyStart, this.#keyStart + keySize)
    if (isLarge) writeLarge(out, store, handle)
    else if (withValue) {
      const from = records.valueAt(handle)
      this.#copy(store.heap.arenaOf(handle).u8, from, from + size)
    }
    return this.#next
  }

  #miss(withKey: boolean): number {
    if (!withKey) return this.#error(status.KEY_NOT_FOUND)
    this.#out.makeRoom(HEADER_BYTES + this.#keySize)
    this.#header(status.KEY_NOT_FOUND, 0, this.#keySize, this.#keySize, 0)
    this.#copy(this.#chunk, this.#keyStart, this.#keyStart + this.#keySize)
    return this.#next
  }

  // ---- Storing ----

  #update(session: Session, command: number, isQuiet: boolean, cas: bigint, at: number, end: number): number {
    const items = this.#items
    const chunk = this.#chunk
    const key = this.#keyStart
    const keyEnd = this.#valueStart
    const flags = uint32(chunk, this.#extrasStart)
    const exptime = uint32(chunk, this.#extrasStart + 4)
    const size = this.#bodySize - this.#keySize - this.#extrasSize
    const asked = storeModes.get(command)!
    if (!items.fits(this.#keySize, flags, size)) {
      items.refuseTooLarge(asked === mode.SET, chunk, key, keyEnd)
      if (this.#engine.isObserved) this.#engine.prefixes.countSet(chunk, key, keyEnd)
      session.swallowBytes = size
      return this.#error(status.TOO_LARGE)
    }
    if (!this.#hasValue(session, size, at, end)) return INCOMPLETE
    if (this.#engine.isObserved) this.#engine.prefixes.countSet(chunk, key, keyEnd)
    items.statistics.setCount++
    if (!items.makeRoom(asked === mode.SET, chunk, key, keyEnd)) return this.#error(status.OUT_OF_MEMORY)
    // Where items have no numbers, one that is given counts for nothing.
    const how = cas === 0n || !this.#engine.options.hasCas ? asked : mode.CAS
    const expireAtMs = items.expireAtMs(exptime)
    const valueEnd = this.#valueStart + size
    let result: number = outcome.STORED
    if (how === mode.SET) items.set(chunk, key, keyEnd, chunk, this.#valueStart, valueEnd, flags, expireAtMs)
    else {
      result = items.storeIf(how, chunk, key, keyEnd, chunk, this.#valueStart, valueEnd, flags, expireAtMs, cas, false)
    }
    if (this.#engine.isObserved) {
      this.#engine.stored(session, chunk, key, keyEnd, storeStatus[result], 'set', expireAtMs, size)
    }
    return this.#answerStore(result, how, isQuiet)
  }

  #join(session: Session, how: number, isQuiet: boolean, cas: bigint, at: number, end: number): number {
    const items = this.#items
    const chunk = this.#chunk
    const key = this.#keyStart
    const keyEnd = this.#valueStart
    const size = this.#bodySize - this.#keySize
    if (!items.fits(this.#keySize, 0, size)) {
      if (this.#engine.isObserved) this.#engine.prefixes.countSet(chunk, key, keyEnd)
      session.swallowBytes = size
      return this.#error(status.TOO_LARGE)
    }
    if (!this.#hasValue(session, size, at, end)) return INCOMPLETE
    if (this.#engine.isObserved) this.#engine.prefixes.countSet(chunk, key, keyEnd)
    items.statistics.setCount++
    if (!items.makeRoom(false, chunk, key, keyEnd)) return this.#error(status.OUT_OF_MEMORY)
    const result = items.storeIf(
      how,
      chunk,
      key,
      keyEnd,
      chunk,
      this.#valueStart,
      this.#valueStart + size,
      0,
      0,
      cas,
      false,
    )
    if (this.#engine.isObserved) {
      this.#engine.stored(session, chunk, key, keyEnd, storeStatus[result], 'append', 0, size)
    }
    return this.#answerStore(result, how, isQuiet)
  }

  #answerStore(result: number, how: number, isQuiet: boolean): number {
    switch (result) {
      case outcome.STORED:
        return this.#done(isQuiet, this.#items.storedCas())
      case outcome.EXISTS:
        return this.#error(status.KEY_EXISTS)
      case outcome.NOT_FOUND:
        return this.#error(status.KEY_NOT_FOUND)
      case outcome.WRONG_TYPE:
        return this.#error(status.WRONG_TYPE)
      default:
        if (how === mode.ADD) return this.#error(status.KEY_EXISTS)
        return this.#error(how === mode.REPLACE ? status.KEY_NOT_FOUND : status.NOT_STORED)
    }
  }

  // ---- Counting, deleting ----

  #count(isIncrement: boolean, isQuiet: boolean, cas: bigint): number {
    const items = this.#items
    const chunk = this.#chunk
    const key = this.#keyStart
    const keyEnd = this.#valueStart
    const extras = Buffer.from(chunk.subarray(this.#extrasStart, this.#keyStart))
    const expiration = extras.readUInt32BE(16)
    const result = items.count(isIncrement, chunk, key, keyEnd, extras.readBigUInt64BE(0), cas)
    switch (result) {
      case outcome.STORED:
        return this.#number(isQuiet, items.result, items.casOf(items.handle))
      case outcome.EXISTS:
        return this.#error(status.KEY_EXISTS)
      case outcome.NON_NUMERIC:
        return this.#error(status.NON_NUMERIC)
      case outcome.WRONG_TYPE:
        return this.#error(status.WRONG_TYPE)
    }
    if (expiration === NO_CREATION) {
      if (isIncrement) items.statistics.incrMissCount++
      else items.statistics.decrMissCount++
      return this.#error(status.KEY_NOT_FOUND)
    }
    if (!items.makeRoom(false, chunk, key, keyEnd)) return this.#error(status.OUT_OF_MEMORY, NO_MEMORY_TO_COUNT)
    const initial = extras.readBigUInt64BE(8)
    const text = Buffer.from(initial.toString())
    items.set(chunk, key, keyEnd, text, 0, text.length, 0, items.expireAtMs(expiration))
    return this.#number(isQuiet, initial, items.storedCas())
  }

  #number(isQuiet: boolean, value: bigint, cas: number): number {
    if (isQuiet) return this.#next
    this.#out.makeRoom(HEADER_BYTES + 8)
    this.#header(status.SUCCESS, 0, 0, 8, cas)
    this.#out.u8.writeBigUInt64BE(value, this.#out.at)
    this.#out.at += 8
    return this.#next
  }

  #delete(isQuiet: boolean, cas: bigint): number {
    const items = this.#items
    const key = this.#keyStart
    const keyEnd = this.#valueStart
    if (this.#engine.isObserved) this.#engine.prefixes.countDelete(this.#chunk, key, keyEnd)
    if (cas !== 0n) {
      const handle = items.peek(this.#chunk, key, keyEnd)
      if (handle !== NONE && BigInt(items.casOf(handle)) !== cas) return this.#error(status.KEY_EXISTS)
    }
    if (!items.delete(this.#chunk, key, keyEnd)) return this.#error(status.KEY_NOT_FOUND)
    return this.#done(isQuiet, 0)
  }

  #flush(isQuiet: boolean): number {
    const engine = this.#engine
    if (!engine.options.hasFlush) return this.#error(status.AUTH_ERROR)
    engine.statistics.flushCount++
    engine.flushAll(this.#extrasSize === 4 ? uint32(this.#chunk, this.#extrasStart) : 0)
    return this.#done(isQuiet, 0)
  }

  // ---- The rest ----

  /** Some names need only begin so, as in memcached; the families of the text protocol alone are none here. */
  #stat(): number {
    const engine = this.#engine
    const name = Buffer.from(this.#chunk.subarray(this.#keyStart, this.#keyStart + this.#keySize)).toString('latin1')
    if (name.startsWith('reset')) engine.resetStatistics()
    else if (name.startsWith('detail')) {
      const action = name.slice('detail'.length)
      if (action.startsWith(' on')) engine.setDetail(true)
      else if (action.startsWith(' off')) engine.setDetail(false)
      else if (action.startsWith(' dump')) {
        this.#statistic('detailed', [...engine.prefixes.lines(), 'END', ''].join('\r\n'))
      } else return this.#error(status.KEY_NOT_FOUND)
    } else {
      const family = name.startsWith('settings') ? 'settings' : name
      const stats = isOfTextOnly(family) ? undefined : statsOf(engine, family)
      if (stats === undefined) return this.#error(status.KEY_NOT_FOUND)
      for (const [name, value] of stats) this.#statistic(name, String(value))
      if (!hasEnd(family)) return this.#next
    }
    return this.#statistic('', '')
  }

  /** One statistic; an empty one ends them. */
  #statistic(name: string, value: string): number {
    const body = Buffer.from(name + value, 'latin1')
    this.#out.makeRoom(HEADER_BYTES + body.length)
    this.#header(status.SUCCESS, 0, name.length, body.length, 0)
    this.#copy(body, 0, body.length)
    return this.#next
  }

  /** SASL, of which there is PLAIN: `<NUL>user<NUL>password`, or with another identity in front. */
  #authenticate(session: Session, command: number, valueSize: number, at: number, end: number): number {
    const engine = this.#engine
    if (!engine.requiresAuthentication) {
      session.swallowBytes = valueSize
      return this.#error(status.UNKNOWN_COMMAND)
    }
    if (this.#keySize > MECHANISM_BYTES_MAX || valueSize > CREDENTIALS_BYTES_MAX) {
      session.swallowBytes = valueSize
      return this.#error(status.INVALID_ARGUMENTS)
    }
    if (!this.#hasValue(session, valueSize, at, end)) return INCOMPLETE
    const chunk = Buffer.from(this.#chunk.buffer, this.#chunk.byteOffset, this.#chunk.byteLength)
    const mechanism = chunk.toString('latin1', this.#keyStart, this.#valueStart)
    const parts = chunk.toString('utf8', this.#valueStart, this.#valueStart + valueSize).split('\0')
    session.isAuthenticated = false
    if (command === opcode.SASL_AUTH && mechanism === PLAIN && parts.length === 3) {
      const [, user, password] = parts
      session.isAuthenticated = engine.authenticate(user, password)
      if (session.isAuthenticated) session.user = user
    } else {
      engine.refuseAuthentication()
    }
    return session.isAuthenticated ? this.#text('Authenticated') : this.#error(status.AUTH_ERROR)
  }

  // ---- Answers ----

  #done(isQuiet: boolean, cas: number): number {
    if (isQuiet) return this.#next
    this.#out.makeRoom(HEADER_BYTES)
    this.#header(status.SUCCESS, 0, 0, 0, cas)
    return this.#next
  }

  #text(text: string): number {
    const body = Buffer.from(text)
    this.#out.makeRoom(HEADER_BYTES + body.length)
    this.#header(status.SUCCESS, 0, 0, body.length, 0)
    this.#copy(body, 0, body.length)
    return this.#next
  }

  #error(code: number, body: Buffer = statusText[code]): number {
    this.#out.makeRoom(HEADER_BYTES + body.length)
    this.#header(code, 0, 0, body.length, 0)
    this.#copy(body, 0, body.length)
    return this.#next
  }

  /** A request that contradicts itself: what follows cannot be trusted. */
  #protocolError(session: Session, end: number): number {
    this.#error(status.INVALID_ARGUMENTS)
    session.endWithError()
    return end
  }

  /** hot: once for each answer. Room has been made. */
  #header(code: number, extrasSize: number, keySize: number, bodySize: number, cas: number): void {
    const out = this.#out
    const { u8, at } = out
    u8[at] = RESPONSE_BYTE
    u8[at + 1] = this.#requestOpcode
    u8[at + 2] = keySize >>> 8
    u8[at + 3] = keySize
    u8[at + 4] = extrasSize
    u8[at + 5] = 0
    u8[at + 6] = code >>> 8
    u8[at + 7] = code
    writeUint32(u8, at + 8, bodySize)
    writeUint32(u8, at + 12, this.#opaque)
    writeUint32(u8, at + 16, Math.floor(cas / 2 ** 32))
    writeUint32(u8, at + 20, cas)
    out.at = at + HEADER_BYTES
  }

  /** Room has been made. */
  #copy(bytes: Uint8Array, start: number, end: number): void {
    copyBytes(bytes, start, end, this.#out.u8, this.#out.at)
    this.#out.at += end - start
  }

  #hasValue(session: Session, size: number, at: number, end: number): boolean {
    this.#next = this.#valueStart + size
    if (this.#next <= end) return true
    this.#wait(session, this.#next - at)
    return false
  }

  #wait(session: Session, neededBytes: number): number {
    session.neededBytes = neededBytes
    session.connection.expectInput(neededBytes)
    return INCOMPLETE
  }
}

const NO_MEMORY_TO_COUNT = Buffer.from('Out of memory allocating new item')

/** What may be asked before authentication. */
const ANYBODYS: ReadonlySet<number> = new Set([
  opcode.SASL_LIST_MECHS,
  opcode.SASL_AUTH,
  opcode.SASL_STEP,
  opcode.VERSION,
])

const NOTHING = new Uint8Array(0)

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
