import { CRC64_SIZE_BYTES, Crc64 } from '../../bytes/crc64.ts'
import { GrowingBuffer } from '../../bytes/growing-buffer.ts'
import type { Handle } from '../../memory/heap.ts'
import { clientFlags } from '../../store/item.ts'
import { NEVER } from '../../store/record.ts'
import type { Store } from '../../store/store.ts'
import { CLIENT_FLAGS_FIELD } from '../client-flags.ts'
import type { DatabaseFigures, SnapshotEncoder } from '../snapshot-encoder.ts'
import { RDB_VERSION } from './dump-payload.ts'
import { RdbWriter } from './encoding.ts'
import { OPCODE, RDB_MAGIC, RDB_VERSION_FIELD_EXPIRY } from './file-format.ts'
import type { ValueParts } from './objects/value-parts.ts'
import { objectType, writeObject } from './objects.ts'

export interface RdbWriterOptions {
  /** `rdbcompression` */
  readonly compresses: boolean
  /** `rdbchecksum` */
  readonly hasChecksum: boolean
  /** What to note of a key's accesses: as `maxmemory-policy` asks for. */
  readonly access: 'idle' | 'frequency' | 'none'
  /** What the file says of its writer, in this order: `redis-ver`, `ctime`, `aof-base` ... */
  readonly aux: readonly (readonly [name: string, text: string])[]
  /** The code of each library of functions. */
  readonly functions: readonly Uint8Array[]
}

/**
 * Writes an RDB file as redis-server 7.0 reads it. Only when a field of a hash expires, which 7.0 does not know, is it
 * a file of Redis 7.4.
 */
export class RdbEncoder implements SnapshotEncoder {
  readonly main = new GrowingBuffer(64 * 1024)
  readonly aside = new GrowingBuffer()
  readonly #store: Store
  readonly #options: RdbWriterOptions
  readonly #writer: RdbWriter
  readonly #asideWriter: RdbWriter
  readonly #crc = new Crc64()
  /** So many bytes of `main` are in the checksum. */
  #sealedBytes = 0
  /** The database that was selected last in each buffer; -1: none. */
  #selected = -1
  #asideSelected = -1
  #figures: readonly DatabaseFigures[] = []
  readonly #sized = new Set<number>()

  constructor(store: Store, options: RdbWriterOptions) {
    this.#store = store
    this.#options = options
    this.#writer = new RdbWriter(this.main, options.compresses)
    this.#asideWriter = new RdbWriter(this.aside, options.compresses)
  }

  begin(databases: readonly DatabaseFigures[]): void {
    this.#figures = databases
    const writer = this.#writer
    const hasFieldExpiry = this.#store.databases.some(({ fieldExpires }) => fieldExpires.count > 0)
    const version = hasFieldExpiry ? RDB_VERSION_FIELD_EXPIRY : RDB_VERSION
    writer.writeBytes(Buffer.from(`${RDB_MAGIC}${String(version).padStart(4, '0')}`))
    for (const [name, text] of this.#options.aux) {
      writer.writeByte(OPCODE.AUX)
      writer.writeString(Buffer.from(name))
      writer.writeString(Buffer.from(text))
    }
    for (const code of this.#options.functions) {
      writer.writeByte(OPCODE.FUNCTION)
      writer.writeString(code)
    }
  }

  record(database: number, handle: Handle, isAside: boolean): ValueParts | null {
    const store = this.#store
    const { records } = store
    const asideStart = this.aside.length
    const writer = isAside ? this.#asideWriter : this.#writer
    if (database !== (isAside ? this.#asideSelected : this.#selected)) this.#select(database, isAside)
    const expireAtMs = records.expireAtMs(handle)
    if (expireAtMs !== NEVER) {
      writer.writeByte(OPCODE.EXPIRE_MS)
      writer.writeMilliseconds(expireAtMs)
    }
    if (this.#options.access !== 'none') this.#writeAccess(writer, handle)
    if (records.hasItem(handle)) this.#writeClientFlags(writer, handle)
    writer.writeByte(objectType(store, handle))
    const keyStart = records.keyStart(handle)
    writer.writeString(records.keyBytes(handle), keyStart, keyStart + records.keySize(handle))
    const parts = writeObject(writer, store, handle)
    if (parts !== null && isAside) this.#setApart(parts, asideStart)
    return parts
  }

  /** Moves the beginning of a large value out of `aside`, where records that are small go on. */
  #setApart(parts: ValueParts, asideStart: number): void {
    const { aside } = this
    const apart = new GrowingBuffer()
    apart.append(aside.bytes, asideStart, aside.length)
    parts.writer = this.#asideWriter.into(apart)
    aside.length = asideStart
    // It took along the database's selection, if there was one.
    this.#asideSelected = -1
  }

  goOn(database: number, parts: ValueParts): void {
    if (database !== this.#selected) this.#select(database, false)
    const { bytes, length } = parts.writer.buffer
    this.main.append(bytes, 0, length)
    parts.writer = this.#writer
  }

  end(): void {
    this.#writer.writeByte(OPCODE.EOF)
    const { main } = this
    const crc = new Uint8Array(CRC64_SIZE_BYTES)
    this.seal()
    if (this.#options.hasChecksum) this.#crc.writeTo(crc, 0)
    main.append(crc)
  }

  join(): void {
    if (this.aside.length === 0) return
    this.main.append(this.aside.bytes, 0, this.aside.length)
    this.aside.clear()
    this.#selected = this.#asideSelected
    this.#asideSelected = -1
  }

  seal(): void {
    const { main } = this
    if (this.#options.hasChecksum) this.#crc.update(main.bytes, this.#sealedBytes, main.length)
    this.#sealedBytes = main.length
  }

  leave(room: Uint8Array): void {
    const { main } = this
    this.seal()
    room.set(main.bytes.subarray(0, main.length))
    main.clear()
    this.#sealedBytes = 0
  }

  #writeClientFlags(writer: RdbWriter, handle: Handle): void {
    const flags = clientFlags(this.#store.records, handle)
    if (flags === 0) return
    writer.writeByte(OPCODE.AUX)
    writer.writeString(Buffer.from(CLIENT_FLAGS_FIELD))
    writer.writeString(Buffer.from(String(flags)))
  }

  #writeAccess(writer: RdbWriter, handle: Handle): void {
    const { accessFrequency, nowMs, records } = this.#store
    if (this.#options.access === 'idle') {
      writer.writeByte(OPCODE.IDLE)
      writer.writeLength(this.#store.idleSeconds(handle) ?? 0)
    } else {
      writer.writeByte(OPCODE.FREQUENCY)
      writer.writeByte(accessFrequency === null ? 0 : accessFrequency.counter(records.access(handle), nowMs))
    }
  }

  #select(database: number, isAside: boolean): void {
    const writer = isAside ? this.#asideWriter : this.#writer
    writer.writeByte(OPCODE.SELECT_DB)
    writer.writeLength(database)
    if (isAside) this.#asideSelected = database
    else this.#selected = database
    if (this.#sized.has(database)) return
    this.#sized.add(database)
    const figures = this.#figures.find(({ index }) => index === database)
    if (figures === undefined) return
    writer.writeByte(OPCODE.RESIZE_DB)
    writer.writeLength(figures.keyCount)
    writer.writeLength(figures.expiringCount)
  }
}
