import { HalfSipHash } from '../../bytes/sip-hash.ts'

const HASH_WORDS = 3
/** Three words of hash and a number for each key, with a quarter of the slots empty. */
const LOAD_FACTOR = 0.75
const SLOT_BYTES = 4 * HASH_WORDS + 8

/**
 * The last offset of each key, in bounded memory: of a key there is its hash of 96 bits. With as many keys as fit 128 MiB,
 * two of them have the same hash once in 10^15 cleanings, and nobody can look for such two, since the hash has a secret.
 *
 * Open addressing; slots are taken in turn from the hash's place on. Memory is touched only where keys are.
 */
export class OffsetMap {
  readonly #hashes: readonly HalfSipHash[]
  readonly #words: Int32Array
  /** The offset plus 1; 0 says that the slot is free. */
  readonly #offsets: Float64Array
  readonly #slotCount: number
  readonly #countMax: number
  #count = 0
  #found = 0
  readonly #key = new Int32Array(HASH_WORDS)

  /** For at most `countMax` keys, and no more than fit `memoryBytes`. */
  constructor(countMax: number, memoryBytes: number, random: () => number) {
    const slotsThatFit = Math.max(Math.floor(memoryBytes / SLOT_BYTES), 4)
    this.#slotCount = Math.min(Math.ceil(countMax / LOAD_FACTOR) + 1, slotsThatFit)
    this.#countMax = Math.floor(this.#slotCount * LOAD_FACTOR)
    this.#words = new Int32Array(HASH_WORDS * this.#slotCount)
    this.#offsets = new Float64Array(this.#slotCount)
    const word = () => Math.floor(random() * 2 ** 32)
    this.#hashes = Array.from({ length: HASH_WORDS }, () => new HalfSipHash(word(), word()))
  }

  get count(): number {
    return this.#count
  }

  /** Notes the offset of the key bytes[start, end), whatever was noted before. False when the map is full. */
  put(bytes: Uint8Array, start: number, end: number, offset: number): boolean {
    if (!this.#find(bytes, start, end)) {
      if (this.#count === this.#countMax) return false
      this.#count++
      this.#words.set(this.#key, HASH_WORDS * this.#found)
    }
    this.#offsets[this.#found] = offset + 1
    return true
  }

  /** The offset of the key bytes[start, end), or -1. */
  get(bytes: Uint8Array, start: number, end: number): number {
    return this.#find(bytes, start, end) ? this.#offsets[this.#found] - 1 : -1
  }

  /** Leaves the key's slot, or the free one where it belongs, in `found`. */
  #find(bytes: Uint8Array, start: number, end: number): boolean {
    const [first, second, third] = this.#hashes
    const word0 = (this.#key[0] = first.signedHash(bytes, start, end))
    const word1 = (this.#key[1] = second.signedHash(bytes, start, end))
    const word2 = (this.#key[2] = third.signedHash(bytes, start, end))
    let slot = Math.floor(((word0 >>> 0) / 2 ** 32) * this.#slotCount)
    while (this.#offsets[slot] !== 0) {
      const at = HASH_WORDS * slot
      if (this.#words[at] === word0 && this.#words[at + 1] === word1 && this.#words[at + 2] === word2) {
        this.#found = slot
        return true
      }
      slot = slot + 1 === this.#slotCount ? 0 : slot + 1
    }
    this.#found = slot
    return false
  }
}
