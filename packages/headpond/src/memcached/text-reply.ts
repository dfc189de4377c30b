import { copyBytes } from '../bytes/copy.ts'
import { writeInteger } from '../bytes/integer.ts'
import type { Handle } from '../memory/heap.ts'
import type { OutputBuffer } from '../net/output-buffer.ts'
import { encoding } from '../store/record.ts'
import type { Store } from '../store/store.ts'

const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const DIGIT_0 = 0x30
/** Room for the numbers and spaces of a line. */
const NUMBERS_BYTES_MAX = 64

/** Answers that are made once. */
export const lines = {
  STORED: line('STORED'),
  NOT_STORED: line('NOT_STORED'),
  EXISTS: line('EXISTS'),
  NOT_FOUND: line('NOT_FOUND'),
  DELETED: line('DELETED'),
  TOUCHED: line('TOUCHED'),
  OK: line('OK'),
  END: line('END'),
  RESET: line('RESET'),
  ERROR: line('ERROR'),
  MN: line('MN'),
  EN: line('EN'),
  BAD_FORMAT: line('CLIENT_ERROR bad command line format'),
  BAD_DELETE: line('CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]'),
  BAD_DATA: line('CLIENT_ERROR bad data chunk'),
  BAD_EXPTIME: line('CLIENT_ERROR invalid exptime argument'),
  BAD_DELTA: line('CLIENT_ERROR invalid numeric delta argument'),
  NON_NUMERIC: line('CLIENT_ERROR cannot increment or decrement non-numeric value'),
  TOO_LARGE: line('SERVER_ERROR object too large for cache'),
  NO_MEMORY: line('SERVER_ERROR out of memory storing object'),
  WRONG_TYPE: line('SERVER_ERROR key holds a value that is no string'),
} as const

export function line(text: string): Buffer {
  return Buffer.from(`${text}\r\n`, 'latin1')
}

/** Encodes answers of the text protocol straight into the output buffer. */
export class TextReply {
  readonly out: OutputBuffer
  /** The command asked for no answer (`noreply`): the next line is not sent. */
  isSilent = false

  constructor(out: OutputBuffer) {
    this.out = out
  }

  /** One of `lines`. hot: once for each `set`. */
  line(bytes: Buffer): void {
    if (this.isSilent) {
      this.isSilent = false
      return
    }
    const out = this.out
    const size = bytes.length
    out.makeRoom(size)
    const { u8, at } = out
    for (let index = 0; index < size; index++) u8[at + index] = bytes[index]
    out.at = at + size
  }

  /** A line of text, a byte for each character. */
  text(text: string): void {
    this.line(line(text))
  }

  number(value: number): void {
    if (this.isSilent) {
      this.isSilent = false
      return
    }
    const out = this.out
    out.makeRoom(NUMBERS_BYTES_MAX)
    out.at = writeInteger(out.u8, out.at, value)
    this.endLine()
  }

  endLine(): void {
    const out = this.out
    out.makeRoom(2)
    out.u8[out.at++] = CR
    out.u8[out.at++] = LF
  }

  /** Bytes that are encoded already. */
  raw(bytes: Uint8Array): void {
    const out = this.out
    if (bytes.length > out.copiedBytesMax) return out.passThrough(Buffer.from(bytes))
    out.makeRoom(bytes.length)
    out.u8.set(bytes, out.at)
    out.at += bytes.length
  }

  /**
   * `VALUE <key> <flags> <bytes> [<cas>]` and the value.
   * @param cas -1 for none
   * hot: once for each key of a `get` that hits.
   */
  value(
    chunk: Uint8Array,
    keyStart: number,
    keyEnd: number,
    store: Store,
    handle: Handle,
    clientFlags: number,
    cas: number,
  ): void {
    const records = store.records
    const isLarge = records.encoding(handle) === encoding.LARGE
    const size = records.valueSize(handle)
    const out = this.out
    out.makeRoom(keyEnd - keyStart + NUMBERS_BYTES_MAX + (isLarge ? 0 : size))
    const u8 = out.u8
    let at = out.at
    u8[at] = 0x56
    u8[at + 1] = 0x41
    u8[at + 2] = 0x4c
    u8[at + 3] = 0x55
    u8[at + 4] = 0x45
    u8[at + 5] = SPACE
    at += 6
    copyBytes(chunk, keyStart, keyEnd, u8, at)
    at += keyEnd - keyStart
    u8[at++] = SPACE
    if (clientFlags === 0) u8[at++] = DIGIT_0
    else at = writeInteger(u8, at, clientFlags)
    u8[at++] = SPACE
    at = writeInteger(u8, at, size)
    if (cas >= 0) {
      u8[at++] = SPACE
      at = writeInteger(u8, at, cas)
    }
    u8[at++] = CR
    u8[at++] = LF
    if (isLarge) {
      out.at = at
      return this.largeData(store, handle)
    }
    const from = records.valueAt(handle)
    copyBytes(store.heap.arenaOf(handle).u8, from, from + size, u8, at)
    at += size
    u8[at++] = CR
    u8[at++] = LF
    out.at = at
  }

  /** A value of the store and the end of its line; a large one without a copy. */
  data(store: Store, handle: Handle): void {
    const records = store.records
    if (records.encoding(handle) === encoding.LARGE) return this.largeData(store, handle)
    const size = records.valueSize(handle)
    const out = this.out
    out.makeRoom(size + 2)
    const from = records.valueAt(handle)
    copyBytes(store.heap.arenaOf(handle).u8, from, from + size, out.u8, out.at)
    out.at += size
    this.endLine()
  }

  largeData(store: Store, handle: Handle): void {
    writeLarge(this.out, store, handle)
    this.endLine()
  }
}

/** Hands a large value to the socket as it lies in memory. */
export function writeLarge(out: OutputBuffer, store: Store, handle: Handle): void {
  const { records, heap } = store
  const size = records.valueSize(handle)
  out.passLarge(heap.large, records.valueWord(handle, 0), 0, size)
}
