import type { Handle } from '../memory/heap.ts'
import type { ExpiryPlaces } from './expiry-index.ts'
import { encoding, type Records } from './record.ts'

/**
 * Where a hash with fields that expire keeps what the database's index of such hashes needs, three words of its value:
 *
 *   | expirySlot | due: low, high |
 *
 * They come first in a packed hash, and behind the index of the structure in a large one. `due` is no later than the
 * earliest expiry of a field.
 */
export const FIELD_EXPIRY_WORDS = 3

const SLOT = 0
const DUE_LOW = 1
const DUE_HIGH = 2

export class FieldExpiryPlaces implements ExpiryPlaces {
  readonly #records: Records

  constructor(records: Records) {
    this.#records = records
  }

  expireAtMs(handle: Handle): number {
    const word = this.#firstWord(handle)
    const low = this.#records.valueWord(handle, word + DUE_LOW)
    return this.#records.valueWord(handle, word + DUE_HIGH) * 2 ** 32 + low
  }

  setExpireAtMs(handle: Handle, dueAtMs: number): void {
    const word = this.#firstWord(handle)
    this.#records.setValueWord(handle, word + DUE_LOW, dueAtMs >>> 0)
    this.#records.setValueWord(handle, word + DUE_HIGH, Math.floor(dueAtMs / 2 ** 32))
  }

  expirySlot(handle: Handle): number {
    return this.#records.valueWord(handle, this.#firstWord(handle) + SLOT)
  }

  setExpirySlot(handle: Handle, slot: number): void {
    this.#records.setValueWord(handle, this.#firstWord(handle) + SLOT, slot)
  }

  #firstWord(handle: Handle): number {
    return this.#records.encoding(handle) === encoding.FIELD_TABLE ? 1 : 0
  }
}
