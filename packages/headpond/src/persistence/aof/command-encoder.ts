import { GrowingBuffer } from '../../bytes/growing-buffer.ts'
import { appendBulk, appendCommand, appendCount } from '../../bytes/multibulk.ts'
import type { Handle } from '../../memory/heap.ts'
import { clientFlags } from '../../store/item.ts'
import { NEVER, type as types } from '../../store/record.ts'
import type { Store } from '../../store/store.ts'
import { stringArray, stringStart } from '../../store/string.ts'
import { clientFlagsAnnotation } from '../client-flags.ts'
import type { ValueParts } from '../rdb/objects/value-parts.ts'
import { dumpObject } from '../rdb/objects.ts'
import type { SnapshotEncoder } from '../snapshot-encoder.ts'

export interface CommandEncoderOptions {
  /** `rdbcompression` */
  readonly compresses: boolean
  /** The code of each library of functions. */
  readonly functions: readonly Uint8Array[]
  /** For an annotation at the beginning (`aof-timestamp-enabled`); -1: none. */
  readonly timestampSeconds: number
}

/**
 * A base without preamble (`aof-use-rdb-preamble no`): the commands that make the data anew. Strings by SET, so that the
 * file can be read by people; every other value by RESTORE, which keeps all that belongs to it.
 */
export class CommandEncoder implements SnapshotEncoder {
  readonly main = new GrowingBuffer(64 * 1024)
  readonly aside = new GrowingBuffer()
  readonly #store: Store
  readonly #options: CommandEncoderOptions
  #selected = -1

  constructor(store: Store, options: CommandEncoderOptions) {
    this.#store = store
    this.#options = options
  }

  begin(): void {
    const { functions, timestampSeconds } = this.#options
    if (timestampSeconds >= 0) this.main.append(Buffer.from(`#TS:${timestampSeconds}\r\n`))
    for (const code of functions) appendCommand(this.main, ['FUNCTION', 'LOAD', code])
  }

  record(database: number, handle: Handle): ValueParts | null {
    const { main } = this
    const { records } = this.#store
    if (database !== this.#selected) appendCommand(main, ['SELECT', database])
    this.#selected = database
    const expireAtMs = records.expireAtMs(handle)
    const key = records.keyCopy(handle)
    if (records.type(handle) !== types.STRING) {
      const payload = dumpObject(this.#store, handle, this.#options.compresses)
      appendCommand(main, ['RESTORE', key, expireAtMs === NEVER ? 0 : expireAtMs, payload, 'ABSTTL'])
      return null
    }
    const flags = clientFlags(records, handle)
    if (flags !== 0) main.append(clientFlagsAnnotation(flags))
    appendCount(main, expireAtMs === NEVER ? 3 : 5)
    appendBulk(main, SET)
    appendBulk(main, key)
    const start = stringStart(this.#store, handle)
    appendBulk(main, stringArray(this.#store, handle), start, start + records.valueSize(handle))
    if (expireAtMs === NEVER) return null
    appendBulk(main, PXAT)
    appendBulk(main, Buffer.from(String(expireAtMs)))
    return null
  }

  end(): void {}

  /** No value is written in parts, so nothing is ever written aside. */
  join(): void {}

  goOn(): void {}

  seal(): void {}

  leave(room: Uint8Array): void {
    room.set(this.main.bytes.subarray(0, this.main.length))
    this.main.clear()
  }
}

const SET = Buffer.from('SET')
const PXAT = Buffer.from('PXAT')
