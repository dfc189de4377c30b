/** Entries that a key may lie in, one line of the processor's cache. */
const WAYS = 16
const ENTRY_BYTES = 4
const USES_SHIFT = 12
const FINGERPRINT_SHIFT = 18
const STAMP_MASK = 0xfff
/** How many stamps pass while the table is filled once. */
const STAMPS_FOR_EACH_FILL = 1024

/**
 * How often evicted keys had been used, so that one that comes back is not taken for a new one. Four bytes a
 * key, of which there are a multiple of the keys held; the oldest of a line gives way.
 *
 *   | fingerprint: 14 bits | uses: 6 bits | stamp: 12 bits |
 *
 * A new key is taken for an evicted one in about one of a thousand cases.
 */
export class Ghosts {
  #entries = new Int32Array(0)
  #lineCount = 0
  #stampedCount = 0
  #addedCount = 0

  static bytesFor(capacity: number): number {
    return Math.ceil(capacity / WAYS) * WAYS * ENTRY_BYTES
  }

  get sizeBytes(): number {
    return this.#entries.byteLength
  }

  get isEmpty(): boolean {
    return this.#addedCount === 0 && this.#stampedCount === 0
  }

  /** How many keys it can remember. */
  get capacity(): number {
    return this.#entries.length
  }

  /** Makes room for so many keys, forgetting all when the size changes. */
  resize(capacity: number): void {
    this.#lineCount = Math.ceil(capacity / WAYS)
    this.#entries = new Int32Array(this.#lineCount * WAYS)
    this.#addedCount = 0
    this.#stampedCount = 0
  }

  /** Remembers an evicted key. O(1). */
  add(hash: number, uses: number): void {
    if (this.#lineCount === 0) return
    const mixed = mix(hash)
    const line = this.#lineOf(mixed)
    const now = this.#stamp()
    let oldest = line
    let oldestAge = -1
    for (let place = line; place < line + WAYS; place++) {
      const entry = this.#entries[place]
      if (entry === 0) {
        oldest = place
        break
      }
      const age = (now - entry) & STAMP_MASK
      if (age > oldestAge) {
        oldestAge = age
        oldest = place
      }
    }
    this.#entries[oldest] = (fingerprintOf(mixed) << FINGERPRINT_SHIFT) | (uses << USES_SHIFT) | now
  }

  /** How often a key had been used when it was evicted, which is forgotten herewith; -1 when nothing is known of it. O(1). */
  take(hash: number): number {
    if (this.#lineCount === 0) return -1
    const mixed = mix(hash)
    const line = this.#lineOf(mixed)
    const fingerprint = fingerprintOf(mixed)
    for (let place = line; place < line + WAYS; place++) {
      const entry = this.#entries[place]
      if (entry >>> FINGERPRINT_SHIFT !== fingerprint || entry === 0) continue
      this.#entries[place] = 0
      return (entry >>> USES_SHIFT) & 63
    }
    return -1
  }

  #stamp(): number {
    if (++this.#addedCount * STAMPS_FOR_EACH_FILL >= this.#entries.length) {
      this.#addedCount = 0
      this.#stampedCount++
    }
    return this.#stampedCount & STAMP_MASK
  }

  #lineOf(mixed: number): number {
    return Math.floor(((mixed >>> 0) * this.#lineCount) / 2 ** 32) * WAYS
  }
}

/** Never 0, so that no entry is. */
function fingerprintOf(mixed: number): number {
  return mixed & 0x3fff || 1
}

/** The finalizer of MurmurHash3: the key table has used the upper bits as they are. */
function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
