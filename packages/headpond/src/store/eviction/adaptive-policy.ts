import { type Handle, NONE } from '../../memory/heap.ts'
import type { AccessMarker } from '../access.ts'
import { CLASS_OF_USES, USES_MAX } from './access-class.ts'
import { AGE_MAX } from './age-buckets.ts'
import { Ghosts } from './ghosts.ts'
import { HitDensity } from './hit-density.ts'
import { ReuseHistory } from './reuse-history.ts'
import { TickTimes } from './tick-times.ts'

/** Ages are told apart up to so many times the number of keys. */
const HORIZON_KEYS = 24
/** Evicted keys that are remembered, for each key held. */
const GHOSTS_PER_KEY = 6
/** Half of the evidence is forgotten after so many accesses for each key. */
const HALF_LIFE_KEYS = 8
/** Of keys that are worth the same the younger goes: so of a loop that does not fit, a part stays. */
const YOUNGER_FIRST = 1e-16
const LEARNING_TICKS_MIN = 512
const KEY_COUNT_MIN = 64
/** Twice AGE_MAX: a key that was not used for longer than that looks younger than it is. */
const TICK_MASK = 2 ** 25 - 1
const TICK_SHIFT = 7
const SAMPLED_BIT = 64
const USES_MASK = USES_MAX

/**
 * Evicts by what this server's own accesses have shown: of the candidates, the key goes from which the fewest hits are to
 * be expected for the time that it would stay (see hit-density.ts), judged by how often and how long ago it was used.
 *
 * Time is counted in accesses, so that load does not matter. An access costs the writing of one word in the record:
 *
 *   | tick of the last access: 25 bits | in the sample: 1 bit | uses before it: 6 bits |
 *
 * A few thousand keys are followed through their whole lives (see reuse-history.ts), and from that the table of densities
 * is made anew, eight times in as many accesses as there are keys. Evicted keys leave four bytes (see ghosts.ts).
 */
export class AdaptivePolicy implements AccessMarker {
  readonly history: ReuseHistory
  readonly densities = new HitDensity()
  readonly ghosts = new Ghosts()
  /** The key that came last: if it is of a scan, it is best evicted first. */
  newestDatabase = 0
  newestHash = 0
  newestHandle: Handle = NONE
  readonly #times = new TickTimes()
  readonly #keyCount: () => number
  readonly #hashOf: (handle: Handle) => number
  #tick = 0
  /** Accesses that a tick takes: 1, unless there are so many keys that their ages would not fit. */
  #accessesPerTick = 1
  #accessesInTick = 0
  #nextLearningTick = 0
  #nextDecayTick = 0
  #observedTicks = 0
  #learntTick = 0

  /**
   * @param keyCount how many keys can be evicted at present
   * @param hashOf the hash of a key, by its record
   */
  constructor(keyCount: () => number, hashOf: (handle: Handle) => number) {
    this.history = new ReuseHistory(keyCount)
    this.#keyCount = keyCount
    this.#hashOf = hashOf
    this.#learn()
  }

  /**
   * Memory of the tables. The room that the present number of keys will need for ghosts counts already: it is taken in
   * large steps, and no step may come as a surprise to the limit.
   */
  get sizeBytes(): number {
    const ghostBytes = Math.max(this.ghosts.sizeBytes, Ghosts.bytesFor(this.#keyCount() * GHOSTS_PER_KEY))
    return this.history.sizeBytes + this.densities.sizeBytes + ghostBytes
  }

  /** Counts the accesses that are the policy's time. */
  get tick(): number {
    return this.#tick
  }

  /**
   * The access word of a record that was used once more.
   * hot: once for each key read or written.
   */
  accessed(access: number, handle: Handle): number {
    this.#advance()
    // Within one tick it is the same access: a command that looks a key up twice.
    if (((this.#tick ^ (access >>> TICK_SHIFT)) & TICK_MASK) === 0) return access
    const uses = Math.min((access & USES_MASK) + 1, USES_MAX)
    const sampled = (access & SAMPLED_BIT) === 0 ? 0 : this.#note(this.#hashOf(handle), uses)
    return (this.#tick << TICK_SHIFT) | sampled | uses
  }

  /** The access word of a new record. */
  created(hash: number, handle: Handle, database: number): number {
    this.#advance()
    this.newestDatabase = database
    this.newestHash = hash
    this.newestHandle = handle
    const uses = Math.min(this.ghosts.take(hash) + 1, USES_MAX)
    return (this.#tick << TICK_SHIFT) | this.#note(hash, uses) | uses
  }

  /** A record with this access word is being evicted. */
  evicted(access: number, hash: number): void {
    this.ghosts.add(hash, access & USES_MASK)
  }

  /** Hits to be expected for each tick. hot: some ten times for each eviction. */
  density(access: number): number {
    const ageTicks = this.ageTicks(access)
    return this.densities.of(CLASS_OF_USES[access & USES_MASK], ageTicks) + ageTicks * YOUNGER_FIRST
  }

  ageTicks(access: number): number {
    return Math.min(((this.#tick & TICK_MASK) - (access >>> TICK_SHIFT)) & TICK_MASK, AGE_MAX)
  }

  secondPassed(nowMs: number): void {
    this.#times.note(this.#tick, nowMs)
  }

  /** Since when a record with this access word was not used. */
  lastUsedAtMs(access: number, nowMs: number): number {
    return this.#times.timeOf(this.#tick - this.ageTicks(access), nowMs)
  }

  #note(hash: number, uses: number): number {
    if (!this.history.isSampled(hash)) return 0
    this.history.accessed(hash, CLASS_OF_USES[uses], this.#tick)
    return SAMPLED_BIT
  }

  #advance(): void {
    if (++this.#accessesInTick < this.#accessesPerTick) return
    this.#accessesInTick = 0
    this.#tick++
    if (this.#tick >= this.#nextLearningTick) this.#learn()
  }

  #learn(): void {
    const tick = this.#tick
    const keyCount = Math.max(this.#keyCount(), KEY_COUNT_MIN)
    this.#accessesPerTick = 2 ** Math.max(0, Math.ceil(Math.log2((keyCount * HORIZON_KEYS) / AGE_MAX)))
    const keyTicks = keyCount / this.#accessesPerTick
    const horizonTicks = Math.floor(keyTicks * HORIZON_KEYS)
    this.#observedTicks += tick - this.#learntTick
    this.#learntTick = tick
    this.history.sweep(tick, horizonTicks)
    this.densities.learn(this.history, keyTicks, horizonTicks, this.#observedTicks)
    if (tick >= this.#nextDecayTick) {
      if (tick > 0) {
        this.history.decay()
        this.#observedTicks /= 2
      }
      this.#nextDecayTick = tick + keyTicks * HALF_LIFE_KEYS
    }
    this.#nextLearningTick = tick + Math.max(LEARNING_TICKS_MIN, Math.floor(keyTicks / 8))
    this.#fitGhosts(keyCount)
  }

  /** The number of keys may vary by a quarter before what is known of evicted ones is given up for a better size. */
  #fitGhosts(keyCount: number): void {
    const wanted = keyCount * GHOSTS_PER_KEY
    const { capacity } = this.ghosts
    if (wanted > capacity * 1.25 || (wanted > capacity && this.ghosts.isEmpty) || wanted < capacity / 2)
      this.ghosts.resize(wanted)
  }
}
