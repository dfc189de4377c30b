import { CRC64_SIZE_BYTES, Crc64 } from '../../bytes/crc64.ts'
import { type Handle, NONE } from '../../memory/heap.ts'
import { Text } from '../../memory/text.ts'
import type { Database } from '../../store/database.ts'
import { giveClientFlags } from '../../store/item.ts'
import { NEVER, type as types } from '../../store/record.ts'
import type { Store } from '../../store/store.ts'
import { CLIENT_FLAGS_FIELD, readClientFlags } from '../client-flags.ts'
import { RDB_VERSION_MAX } from './dump-payload.ts'
import { RdbReader } from './encoding.ts'
import { OPCODE, RDB_HEADER_BYTES, RDB_MAGIC } from './file-format.ts'
import { type LargeInput, type LargeKey, type LargeRead, largeReaders } from './large-values.ts'
import { readModuleId, skipModuleFields } from './module-fields.ts'
import { RDB_TYPE, unreadableReason } from './object-type.ts'
import { readObject } from './objects.ts'
import { RdbEmptyValue, RdbError, RdbTruncated } from './rdb-error.ts'
import { StringBatch } from './string-batch.ts'

/** The first versions had no checksum. */
const VERSION_WITH_CHECKSUM = 5
const WINDOW_BYTES = 2 ** 20
const ROOM_BYTES_MIN = 2 ** 18
/** Parts are read as long as so many bytes are there, or all that there are. */
const LOOKAHEAD_BYTES = 64 * 1024
/** Parts that are read between two looks at the time. */
const PARTS_PER_TURN = 64
const ELEMENTS_PER_TURN = 1024
/** Type, an empty key, a value of one byte. */
const KEY_BYTES_MIN = 4

export interface RdbLoadOptions {
  /** Bytes that there are altogether, as far as is known: nothing is expected behind them. */
  readonly totalBytes?: number
  /** `rdbchecksum` */
  readonly verifiesChecksum: boolean
  /** `rdb-version-check relaxed`: reads a file of a version that is not known as far as it can be. */
  readonly allowsNewerVersion: boolean
  /** What to do with a key that is there already: it is damage in a file, and meant in DEBUG RELOAD MERGE. */
  readonly duplicates: 'refuse' | 'replace'
  /** Keeps keys whose time has come, as a replica must. */
  readonly keepsExpired: boolean
  /** Takes a library of functions. Throws an Error to refuse it. */
  readonly onFunction: (code: Uint8Array) => void
  readonly warn: (message: string) => void
}

/** What stops a load: damage, or something that this server does not have. */
export class RdbLoadError extends RdbError {
  constructor(problem: string, atByte: number) {
    super(problem, atByte)
    this.name = 'RdbLoadError'
  }
}

/**
 * Reads an RDB file into the store, piece by piece: whoever has the bytes puts them into the window (`room`, `filled`)
 * and lets the loader work (`run`) until it needs more, or time is up. It stops behind the last byte of the file, which
 * need not be the last byte there is: in an append-only file commands follow.
 */
export class RdbLoader implements LargeInput {
  readonly #store: Store
  readonly #options: RdbLoadOptions
  readonly #work: Generator<number, void>
  readonly #crc = new Crc64()
  #window = new Uint8Array(WINDOW_BYTES)
  #end = 0
  /** Where in the file the window begins. */
  #base = 0
  /** What of the window is in the checksum. */
  #checkedTo = 0
  #isEnded = false
  #reader: RdbReader

  #version = 0
  #database: Database
  /** What stands before a key. */
  #expireAtMs = NEVER
  #idleSeconds = -1
  #frequency = -1
  #clientFlags = 0
  readonly #key = new Text()
  readonly #value = new Text()
  readonly #batch = new StringBatch((handle, keyStart, keyEnd) => {
    if (handle !== NONE) {
      this.loadedCount++
      return
    }
    this.#key.set(this.#window, keyStart, keyEnd)
    throw new RdbError('a key that is there twice', keyStart)
  })
  /** Keys that are there already are not expected: there is no way to be made for those of the file. */
  readonly #takesBatches: boolean
  /** A value that is too large for the window. */
  #large: (LargeKey & { readonly rdbType: number }) | null = null
  /** Such a value is in the store, but not all of it. */
  isWithinValue = false

  /** What the file says of its writer. */
  readonly aux = new Map<string, string>()
  loadedCount = 0
  /** Keys left out because their time has come, and because their value was empty. */
  expiredCount = 0
  emptyCount = 0
  functionCount = 0

  constructor(store: Store, options: RdbLoadOptions) {
    this.#store = store
    this.#options = options
    this.#takesBatches = options.duplicates === 'refuse'
    this.#database = store.databases[0]
    this.#reader = new RdbReader(this.#window, 0, 0)
    this.#work = this.#load()
  }

  /** Where in the file the loader has come to; in the end, behind its last byte. */
  get atByte(): number {
    return this.#base + this.#reader.at
  }

  get version(): number {
    return this.#version
  }

  // ---- Bytes ----

  /** Where to write more bytes: up to the end of these. */
  room(): { bytes: Uint8Array; at: number } {
    if (this.#window.length - this.#end < ROOM_BYTES_MIN) this.#makeRoom()
    return { bytes: this.#window, at: this.#end }
  }

  /** So many bytes were written there. None means that there are no more. */
  filled(count: number): void {
    if (count === 0) this.#isEnded = true
    this.#end += count
    this.#openReader()
  }

  /** Moves what is not read yet to the front; doubles the window if that is more than a half. */
  #makeRoom(): void {
    const at = this.#reader.at
    this.#check(at)
    const left = this.#end - at
    const target = left * 2 >= this.#window.length ? new Uint8Array(this.#window.length * 2) : this.#window
    target.set(this.#window.subarray(at, this.#end))
    this.#window = target
    this.#base += at
    this.#checkedTo = 0
    this.#end = left
    this.#reader.at = 0
    this.#openReader()
  }

  #openReader(): void {
    this.#reader = new RdbReader(this.#window, this.#reader.at, this.#end)
  }

  #check(to: number): void {
    if (this.#options.verifiesChecksum) this.#crc.update(this.#window, this.#checkedTo, to)
    this.#checkedTo = to
  }

  // ---- Work ----

  /**
   * Works until bytes are needed, time is up or everything is read. Throws RdbLoadError for what cannot be loaded; the
   * store then holds what came before.
   */
  run(isOutOfTime: () => boolean): 'bytes' | 'time' | 'done' {
    const store = this.#store
    const { observed, keepsExpired } = store
    // Nobody is told of keys that come from a file; and what is due is looked at here alone.
    store.observed = false
    store.keepsExpired = true
    try {
      for (;;) {
        const { done, value } = this.#work.next()
        if (done) return 'done'
        if (value > 0) return 'bytes'
        if (isOutOfTime()) return 'time'
      }
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
      throw new RdbLoadError(error.problem, this.#base + error.atByte)
    } finally {
      store.observed = observed
      store.keepsExpired = keepsExpired
    }
  }

  *#load(): Generator<number, void> {
    yield* this.read((reader) => this.#readHeader(reader))
    let partsLeft = PARTS_PER_TURN
    for (;;) {
      if (this.#reader.left < LOOKAHEAD_BYTES && !this.#isEnded) {
        this.#batch.flush()
        yield 1
        continue
      }
      const { at } = this.#reader
      try {
        if (this.#readPart(this.#reader)) break
        if (--partsLeft > 0) continue
        partsLeft = PARTS_PER_TURN
        this.#batch.flush()
        yield 0
      } catch (error) {
        if (!(error instanceof RdbTruncated)) throw this.#named(error)
        this.#batch.flush()
        const large = this.#large
        if (large === null) yield* this.#waitFor(error, at)
        else yield* this.#loadLarge(large)
      }
    }
    if (this.#version >= VERSION_WITH_CHECKSUM) yield* this.#readChecksum()
  }

  /** An error within a value tells whose it is. */
  #named(error: unknown): unknown {
    if (!(error instanceof RdbError) || this.#key.length === 0) return error
    const key = this.#key.copy().subarray(0, 128).toString('latin1')
    return new RdbError(`${error.problem}, in the value of key '${key.replace(/[^\x20-\x7e]/g, '?')}'`, error.atByte)
  }

  /** Waits for the bytes that an attempt to read from `at` was missing, and goes back there. */
  *#waitFor(error: RdbTruncated, at: number): Generator<number, void> {
    const neededBytes = error.atByte - at + error.neededBytes
    this.#reader.at = at
    const { totalBytes = Number.POSITIVE_INFINITY } = this.#options
    while (this.#reader.left < neededBytes) {
      if (this.#isEnded || this.atByte + neededBytes > totalBytes) {
        throw new RdbError('the file ends in the middle of this', this.#reader.at)
      }
      yield neededBytes - this.#reader.left
    }
  }

  *read<Result>(read: (reader: RdbReader) => Result): LargeRead<Result> {
    for (;;) {
      const { at } = this.#reader
      try {
        return read(this.#reader)
      } catch (error) {
        if (!(error instanceof RdbTruncated)) throw error
        yield* this.#waitFor(error, at)
      }
    }
  }

  *readEach(count: number, read: (reader: RdbReader) => void): LargeRead<void> {
    let leftInTurn = ELEMENTS_PER_TURN
    for (let left = count; left > 0; ) {
      const { at } = this.#reader
      try {
        read(this.#reader)
        left--
        if (--leftInTurn > 0) continue
        leftInTurn = ELEMENTS_PER_TURN
        yield 0
      } catch (error) {
        if (!(error instanceof RdbTruncated)) throw error
        yield* this.#waitFor(error, at)
      }
    }
  }

  // ---- Parts ----

  #readHeader(reader: RdbReader): void {
    const header = Buffer.from(reader.readBytes(RDB_HEADER_BYTES)).toString('latin1')
    const version = header.slice(RDB_MAGIC.length)
    if (!header.startsWith(RDB_MAGIC) || !/^\d{4}$/.test(version)) {
      throw new RdbError(`no RDB file: it does not begin with '${RDB_MAGIC}' and a version`, 0)
    }
    this.#version = Number(version)
    if (this.#version >= 1 && this.#version <= RDB_VERSION_MAX) return
    if (this.#version < 1 || !this.#options.allowsNewerVersion) {
      throw new RdbError(`RDB version ${this.#version} is not known`, RDB_MAGIC.length)
    }
    this.#options.warn(`RDB version ${this.#version} is newer than what is known (${RDB_VERSION_MAX})`)
  }

  /** Reads an opcode with its operands, or a key with its value. Returns whether it was the end. */
  #readPart(reader: RdbReader): boolean {
    const { at } = reader
    this.#key.end = this.#key.start
    const opcode = reader.readByte()
    if (opcode !== RDB_TYPE.STRING && opcode !== OPCODE.EXPIRE_MS) this.#batch.flush()
    switch (opcode) {
      case OPCODE.EXPIRE_MS: {
        const bytes = reader.readBytes(8)
        this.#expireAtMs = Math.max(1, Number(Buffer.from(bytes).readBigInt64LE()))
        return false
      }
      case OPCODE.EXPIRE_SECONDS:
        this.#expireAtMs = Math.max(1, Buffer.from(reader.readBytes(4)).readInt32LE() * 1000)
        return false
      case OPCODE.IDLE:
        this.#idleSeconds = reader.readLength()
        return false
      case OPCODE.FREQUENCY:
        this.#frequency = reader.readByte()
        return false
      case OPCODE.SELECT_DB: {
        const index = reader.readLength()
        const database = this.#store.databases[index]
        if (database === undefined) {
          throw new RdbError(`keys of database ${index}, where there are ${this.#store.databases.length}`, at)
        }
        this.#database = database
        return false
      }
      case OPCODE.RESIZE_DB:
        this.#database.dict.reserve(this.#credible(reader.readLength()))
        reader.readLength()
        return false
      case OPCODE.SLOT_INFO:
        for (let each = 0; each < 3; each++) reader.readLength()
        return false
      case OPCODE.AUX: {
        const name = textOf(reader.readString())
        const text = textOf(reader.readString())
        if (name === CLIENT_FLAGS_FIELD) this.#clientFlags = readClientFlags(text)
        else this.aux.set(name, text)
        return false
      }
      case OPCODE.FUNCTION:
        this.#loadFunction(reader, at)
        return false
      case OPCODE.FUNCTION_PRE:
        throw new RdbError('functions of a release candidate of Redis 7.0, which no release reads', at)
      case OPCODE.MODULE_AUX: {
        const { name } = readModuleId(reader)
        skipModuleFields(reader)
        this.#options.warn(`left out what the module of '${name}' keeps beside keys: there is no such module here`)
        return false
      }
      case OPCODE.EOF:
        return true
      default:
        this.#readKey(reader, opcode, at)
        return false
    }
  }

  /** A number of keys, which is no more than the file has room for. */
  #credible(count: number): number {
    return Math.min(count, Math.floor((this.#options.totalBytes ?? Number.POSITIVE_INFINITY) / KEY_BYTES_MIN))
  }

  #loadFunction(reader: RdbReader, at: number): void {
    const code = reader.readString()
    try {
      this.#options.onFunction(code)
    } catch (error) {
      throw new RdbError(`a library of functions was refused: ${(error as Error).message}`, at)
    }
    this.functionCount++
  }

  // hot: once for each key of a file.
  #readKey(reader: RdbReader, rdbType: number, at: number): void {
    const unreadable = unreadableReason(rdbType)
    if (unreadable !== undefined) throw new RdbError(unreadable, at)
    const key = this.#key
    reader.readText(key)
    const expireAtMs = this.#expireAtMs
    const database = this.#database
    const bodyAt = reader.at
    try {
      if (rdbType === RDB_TYPE.STRING) {
        const value = this.#value
        reader.readText(value)
        if (this.#isDue()) {
          // left out
        } else if (this.#takesBatches && key.bytes === value.bytes && this.#isPlain) {
          const hash = this.#store.hash(key.bytes, key.start, key.end)
          this.#batch.add(database, hash, key, value, expireAtMs)
          if (this.#batch.isFull) this.#batch.flush()
        } else {
          this.#batch.flush()
          this.#makeWay(key.bytes, key.start, key.end, at)
          const { bytes, start, end } = value
          this.#loaded(database.putString(key.bytes, key.start, key.end, bytes, start, end, expireAtMs))
        }
      } else {
        const put = readObject(rdbType, reader, database)
        if (this.#isDue()) {
          put.discard?.()
        } else {
          this.#makeWay(key.bytes, key.start, key.end, at)
          this.#loaded(put(database, key.bytes, key.start, key.end, expireAtMs))
        }
      }
    } catch (error) {
      if (error instanceof RdbTruncated && largeReaders[rdbType] !== undefined && !this.#isEnded) {
        reader.at = bodyAt
        this.#large = { rdbType, database, key: key.copy(), expireAtMs }
      }
      if (!(error instanceof RdbEmptyValue)) throw error
      this.#leftOut()
    }
    this.#forgetPreamble()
  }

  *#loadLarge(large: LargeKey & { readonly rdbType: number }): Generator<number, void> {
    this.#large = null
    this.isWithinValue = true
    const { database, key } = large
    this.#key.set(key, 0, key.length)
    const isDue = this.#isDue()
    this.#makeWay(key, 0, key.length, this.#reader.at)
    try {
      const handle = yield* largeReaders[large.rdbType]!(this, large)
      // Rare enough to be put where all others are, and then taken away.
      if (isDue) database.remove(handle)
      else this.#loaded(handle)
    } catch (error) {
      if (!(error instanceof RdbEmptyValue)) throw this.#named(error)
      this.#leftOut()
    }
    this.isWithinValue = false
    this.#forgetPreamble()
  }

  /** Nothing is said of the key but its expiry. */
  get #isPlain(): boolean {
    return this.#idleSeconds < 0 && this.#frequency < 0 && this.#clientFlags === 0
  }

  #isDue(): boolean {
    const isDue = this.#expireAtMs !== NEVER && this.#expireAtMs <= this.#store.nowMs && !this.#options.keepsExpired
    if (isDue) this.expiredCount++
    return isDue
  }

  /** Sees to it that a key is not there. */
  #makeWay(bytes: Uint8Array, start: number, end: number, at: number): void {
    const database = this.#database
    if (database.count === 0) return
    const existing = database.peek(bytes, start, end)
    if (existing === NONE) return
    if (this.#options.duplicates === 'refuse') throw new RdbError('a key that is there twice', at)
    database.remove(existing)
  }

  #loaded(loaded: Handle): void {
    this.loadedCount++
    let handle = loaded
    if (this.#clientFlags !== 0 && this.#store.records.type(handle) === types.STRING) {
      handle = giveClientFlags(this.#database, handle, this.#clientFlags)
    }
    const { records, accessFrequency, nowMs } = this.#store
    if (accessFrequency !== null) {
      if (this.#frequency >= 0) records.setAccess(handle, accessFrequency.of(this.#frequency, nowMs))
    } else if (this.#idleSeconds >= 0) {
      this.#store.setIdleSeconds(handle, this.#idleSeconds)
    }
  }

  #leftOut(): void {
    this.emptyCount++
    if (this.emptyCount > 10) return
    this.#options.warn(`left out key '${this.#key.copy().toString('latin1')}', whose value is empty`)
  }

  #forgetPreamble(): void {
    this.#expireAtMs = NEVER
    this.#idleSeconds = -1
    this.#frequency = -1
    this.#clientFlags = 0
  }

  *#readChecksum(): Generator<number, void> {
    this.#check(this.#reader.at)
    const stored = yield* this.read((reader) => reader.readBytes(CRC64_SIZE_BYTES).slice())
    if (!this.#options.verifiesChecksum) return
    if (stored.every((byte) => byte === 0)) {
      this.#options.warn('the RDB file was written without a checksum: it was not verified')
      return
    }
    if (this.#crc.equals(stored, 0)) return
    const expected = Buffer.from(stored).reverse().toString('hex')
    throw new RdbError(
      `CRC error: the checksum is ${this.#crc}, and should be ${expected}`,
      this.#reader.at - CRC64_SIZE_BYTES,
    )
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
