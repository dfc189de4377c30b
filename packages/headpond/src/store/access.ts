import type { Handle } from '../memory/heap.ts'

/**
 * What the access word of a record says: under most eviction policies when the key was used last, under the LFU ones
 * how often. Both are Redis's 24 bits (evict.c), so that OBJECT IDLETIME and OBJECT FREQ answer as its do.
 *
 * Policies of our own have words of their own (see eviction/).
 *
 *   clock       | seconds since 1970, modulo 2^24 |
 *   frequency   | minute of the last decay, modulo 2^16 | counter: 8 bits, logarithmic |
 */
export const ACCESS_CLOCK_RANGE = 2 ** 24
const MINUTE_RANGE = 2 ** 16
const COUNTER_MAX = 255
/** New keys begin here, so that they are not evicted before they had a chance. */
const COUNTER_INITIAL = 5

/** Seconds since a clock of `access`, the clock now being `clock`. */
export function idleSeconds(access: number, clock: number): number {
  return (clock - access + ACCESS_CLOCK_RANGE) % ACCESS_CLOCK_RANGE
}

/** The clock of a key that has been idle for so long already. */
export function accessClockOfIdle(idleSeconds: number, clock: number): number {
  // Beyond half of the clock's range, "longest ago" is the nearest that can be said.
  const idle = Math.min(idleSeconds, ACCESS_CLOCK_RANGE / 2)
  return (clock - idle + ACCESS_CLOCK_RANGE) % ACCESS_CLOCK_RANGE
}

/** Writes access words under the policies that need more than the time of the last access. */
export interface AccessMarker {
  /** The word of a record that is being used. hot: once for each key read or written. */
  accessed(access: number, handle: Handle): number
  /** The word of a new record; its key has this hash, and is being entered in a database. */
  created(hash: number, handle: Handle, database: number): number
  /** A second or more has passed since `beforeMs`, without an access in between. */
  secondPassed(beforeMs: number): void
}

/** Counts accesses in eight bits: the more there were, the less likely one more counts; and time takes them back. */
export class AccessFrequency {
  readonly #logFactor: number
  readonly #decayMinutes: number
  readonly #random: () => number

  /**
   * @param logFactor how slowly counters grow (`lfu-log-factor`)
   * @param decayMinutes after so long without access a counter loses one (`lfu-decay-time`); 0: never
   */
  constructor(logFactor: number, decayMinutes: number, random: () => number) {
    this.#logFactor = logFactor
    this.#decayMinutes = decayMinutes
    this.#random = random
  }

  initial(nowMs: number): number {
    return this.of(COUNTER_INITIAL, nowMs)
  }

  /** The access word of a counter that is right now. */
  of(counter: number, nowMs: number): number {
    return (minuteOf(nowMs) << 8) | counter
  }

  /** The counter that an access word amounts to by now. */
  counter(access: number, nowMs: number): number {
    const counter = access & COUNTER_MAX
    if (this.#decayMinutes === 0) return counter
    const elapsedMinutes = (minuteOf(nowMs) - (access >>> 8) + MINUTE_RANGE) % MINUTE_RANGE
    return Math.max(0, counter - Math.floor(elapsedMinutes / this.#decayMinutes))
  }

  /** hot: once for each key read or written, under an LFU policy. */
  accessed(access: number, nowMs: number): number {
    const counter = this.counter(access, nowMs)
    const chance = 1 / (Math.max(0, counter - COUNTER_INITIAL) * this.#logFactor + 1)
    return this.of(counter < COUNTER_MAX && this.#random() < chance ? counter + 1 : counter, nowMs)
  }
}

/** Keeps an AccessFrequency in the records of a store. */
export class FrequencyMarker implements AccessMarker {
  readonly #frequency: AccessFrequency
  readonly #time: { readonly nowMs: number }

  constructor(frequency: AccessFrequency, time: { readonly nowMs: number }) {
    this.#frequency = frequency
    this.#time = time
  }

  accessed(access: number): number {
    return this.#frequency.accessed(access, this.#time.nowMs)
  }

  created(): number {
    return this.#frequency.initial(this.#time.nowMs)
  }

  secondPassed(): void {}
}

function minuteOf(nowMs: number): number {
  return Math.floor(nowMs / 60_000) % MINUTE_RANGE
}
