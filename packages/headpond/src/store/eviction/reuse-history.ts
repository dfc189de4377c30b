import { assert } from '../../bytes/assert.ts'
import { CLASS_COUNT } from './access-class.ts'
import { BUCKET_COUNT, BUCKET_STARTS, bucketOf } from './age-buckets.ts'

/** Table places: 9 bytes each. More of them would see little more; for few keys fewer do, and memory counts then. */
const SLOTS_MIN = 1024
const SLOTS_MAX = 8192
const SLOT_BYTES = 9
/** Beyond three quarters of the places the table grows, or the sample is halved. */
const LOAD_MAX = 0.75
const EMPTY = 255

/**
 * What became of accesses: of a sample of the keys, whether they are cached or not, when each was used last and in which
 * class it was. From that two counts are kept, by class and age:
 *
 *   exposures   how often a key came to this age without having been used again
 *   reuses      how often it was used again at this age
 *
 * Their ratio is the chance that a key of that class and age is about to be used: a life table, as actuaries have
 * it. Since keys are followed beyond their eviction, it does not depend on what the policy decided.
 *
 * The sample is a share of the keys by hash, halved whenever the table fills, so memory and time are bounded however
 * many keys there are. (Sampling accesses instead would lose the ages of the rare keys to the frequent ones.)
 */
export class ReuseHistory {
  readonly exposures = new Float32Array(CLASS_COUNT * BUCKET_COUNT)
  readonly reuses = new Float32Array(CLASS_COUNT * BUCKET_COUNT)
  readonly #keyCount: () => number
  #slotCount = SLOTS_MIN
  #hashes = new Int32Array(SLOTS_MIN)
  /** The tick of the last access, modulo 2^32. */
  #starts = new Uint32Array(SLOTS_MIN)
  #classes = new Uint8Array(SLOTS_MIN).fill(EMPTY)
  #usedCount = 0
  /** Hashes that have a bit of it are not in the sample. */
  #sampleMask = 0
  /** Up to which tick the exposures of the keys in the table are counted. */
  #sweptTick = 0

  /** @param keyCount how many keys the cache holds at present: the table grows with it. */
  constructor(keyCount = () => SLOTS_MAX) {
    this.#keyCount = keyCount
  }

  /** Memory of the tables, with the growth that the present number of keys will bring. */
  get sizeBytes(): number {
    return Math.max(this.#slotCount, this.#slotCountWanted) * SLOT_BYTES + this.exposures.byteLength * 2
  }

  /** Room for every key as long as there are few, and for as many that are evicted. */
  get #slotCountWanted(): number {
    const atLeast = Math.min(Math.max((this.#keyCount() * 2) / LOAD_MAX, SLOTS_MIN), SLOTS_MAX)
    return 2 ** Math.ceil(Math.log2(atLeast))
  }

  get keyCount(): number {
    return this.#usedCount
  }

  isSampled(hash: number): boolean {
    return (hash & this.#sampleMask) === 0
  }

  /** A key of the sample was used, and is now in a class. Expected O(1). */
  accessed(hash: number, accessClass: number, tick: number): void {
    const slotMask = this.#slotCount - 1
    let slot = this.#slotOf(hash)
    while (this.#classes[slot] !== EMPTY && this.#hashes[slot] !== hash) slot = (slot + 1) & slotMask
    if (this.#classes[slot] === EMPTY) {
      if (this.#usedCount >= this.#slotCount * LOAD_MAX) {
        this.#makeRoom()
        if (this.isSampled(hash)) this.accessed(hash, accessClass, tick)
        return
      }
      this.#usedCount++
      this.#hashes[slot] = hash
    } else {
      const ageTicks = (tick - this.#starts[slot]) >>> 0
      if (ageTicks > 0 && ageTicks <= AGE_COUNTED_MAX) {
        this.#expose(this.#classes[slot], this.#starts[slot], ageTicks)
        this.reuses[this.#classes[slot] * BUCKET_COUNT + bucketOf(ageTicks)]++
      }
    }
    this.#starts[slot] = tick
    this.#classes[slot] = accessClass
  }

  /** Counts exposures up to now, and forgets keys that were not used for longer than a horizon. O(table size). */
  sweep(tick: number, horizonTicks: number): void {
    let expiredCount = 0
    for (let slot = 0; slot < this.#slotCount; slot++) {
      if (this.#classes[slot] === EMPTY) continue
      const ageTicks = (tick - this.#starts[slot]) >>> 0
      if (ageTicks === 0) continue
      this.#expose(this.#classes[slot], this.#starts[slot], Math.min(ageTicks, horizonTicks))
      if (ageTicks > horizonTicks) expiredCount++
    }
    this.#sweptTick = tick
    if (expiredCount > 0) this.#keep((slot) => (tick - this.#starts[slot]) >>> 0 <= horizonTicks)
  }

  /** Lets half of the evidence go, so that what comes counts for more. */
  decay(): void {
    for (let cell = 0; cell < this.exposures.length; cell++) {
      this.exposures[cell] /= 2
      this.reuses[cell] /= 2
    }
  }

  /** Counts a key as exposed at each age that it has reached since the last sweep. */
  #expose(accessClass: number, start: number, ageTicks: number): void {
    const sweptAge = (this.#sweptTick - start) | 0 // below 0: it was used since
    const base = accessClass * BUCKET_COUNT
    const last = base + bucketOf(ageTicks)
    for (
      let cell = base + (sweptAge > 0 ? bucketOf(Math.min(sweptAge, AGE_COUNTED_MAX)) + 1 : 0);
      cell <= last;
      cell++
    ) {
      this.exposures[cell]++
    }
  }

  #makeRoom(): void {
    const wanted = this.#slotCountWanted
    if (wanted > this.#slotCount) {
      this.#keep(() => true, wanted)
      return
    }
    this.#sampleMask = this.#sampleMask * 2 + 1
    this.#keep((slot) => this.isSampled(this.#hashes[slot]))
  }

  /** Rebuilds the table with those keys that pass. */
  #keep(isKept: (slot: number) => boolean, slotCount = this.#slotCount): void {
    const kept: number[] = []
    for (let slot = 0; slot < this.#slotCount; slot++) {
      if (this.#classes[slot] !== EMPTY && isKept(slot)) {
        kept.push(this.#hashes[slot], this.#starts[slot], this.#classes[slot])
      }
    }
    if (slotCount !== this.#slotCount) {
      this.#slotCount = slotCount
      this.#hashes = new Int32Array(slotCount)
      this.#starts = new Uint32Array(slotCount)
      this.#classes = new Uint8Array(slotCount)
    }
    this.#classes.fill(EMPTY)
    this.#usedCount = kept.length / 3
    const slotMask = slotCount - 1
    for (let index = 0; index < kept.length; index += 3) {
      let slot = this.#slotOf(kept[index])
      while (this.#classes[slot] !== EMPTY) slot = (slot + 1) & slotMask
      this.#hashes[slot] = kept[index]
      this.#starts[slot] = kept[index + 1]
      this.#classes[slot] = kept[index + 2]
    }
  }

  /** By bits of the hash that neither the sample nor the key table use first. */
  #slotOf(hash: number): number {
    return (Math.imul(hash, 0x9e3779b1) >>> 19) & (this.#slotCount - 1)
  }

  /** Checks that every key can be found, and that the count is right. For tests. */
  verify(): void {
    let usedCount = 0
    for (let slot = 0; slot < this.#slotCount; slot++) {
      if (this.#classes[slot] === EMPTY) continue
      usedCount++
      assert(this.isSampled(this.#hashes[slot]), 'verify: a key outside of the sample')
      for (let step = this.#slotOf(this.#hashes[slot]); step !== slot; step = (step + 1) & (this.#slotCount - 1)) {
        assert(this.#classes[step] !== EMPTY, 'verify: a gap before a key')
        assert(this.#hashes[step] !== this.#hashes[slot], 'verify: a key is there twice')
      }
    }
    assert(usedCount === this.#usedCount, 'verify: keys are miscounted')
  }
}

const AGE_COUNTED_MAX = BUCKET_STARTS[BUCKET_COUNT] - 1
