import type { Clock, ScheduledCall } from './clock.ts'

/** Something that goes wrong on purpose. Each protocol says which requests are struck, and what then happens. */
export class Fault<Target extends { readonly times?: number } = object, Effect = unknown> {
  readonly target: Target
  readonly effect: Effect
  /** Requests that it will still strike. */
  remaining: number
  struckCount = 0

  constructor(target: Target, effect: Effect) {
    this.target = target
    this.effect = effect
    this.remaining = target.times ?? 1
  }
}

/** The faults that wait for their requests, in the order in which they were set. */
export class FaultList<F extends Fault> {
  #faults: readonly F[] = []

  get isEmpty(): boolean {
    return this.#faults.length === 0
  }

  add(fault: F): F {
    this.#faults = [...this.#faults, fault]
    return fault
  }

  remove(fault: F): void {
    this.#faults = this.#faults.filter((each) => each !== fault)
  }

  clear(): void {
    this.#faults = []
  }

  /** The first fault that a request matches, which has struck then; undefined when there is none. */
  strike(matches: (fault: F) => boolean): F | undefined {
    const fault = this.#faults.find((each) => each.remaining > 0 && matches(each))
    if (fault === undefined) return undefined
    fault.remaining--
    fault.struckCount++
    if (fault.remaining <= 0) this.remove(fault)
    return fault
  }
}

interface Delay {
  readonly timer: ScheduledCall
  /** Lets the request arrive again. */
  readonly resume: () => void
}

/** Those whose request waits before it is carried out, by the server's clock. */
export class DelayedRequests<Requester> {
  readonly #clock: Clock
  readonly #waiting = new Map<Requester, Delay>()
  /** Those who have waited, until their request arrives again. */
  readonly #due = new Set<Requester>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get hasDue(): boolean {
    return this.#due.size > 0
  }

  delay(requester: Requester, durationMs: number, resume: () => void): void {
    const timer = this.#clock.schedule(durationMs, () => this.#release(requester))
    this.#waiting.set(requester, { timer, resume })
  }

  /** Whether the request that arrives has waited already: true once. */
  takeDue(requester: Requester): boolean {
    return this.#due.delete(requester)
  }

  releaseAll(): void {
    for (const requester of [...this.#waiting.keys()]) this.#release(requester)
  }

  /** Who asked has gone. */
  forget(requester: Requester): void {
    this.#waiting.get(requester)?.timer.cancel()
    this.#waiting.delete(requester)
    this.#due.delete(requester)
  }

  #release(requester: Requester): void {
    const { timer, resume } = this.#waiting.get(requester)!
    timer.cancel()
    this.#waiting.delete(requester)
    this.#due.add(requester)
    resume()
  }
}
