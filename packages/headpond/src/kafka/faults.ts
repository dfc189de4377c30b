import type { Clock, ScheduledCall } from '../net/clock.ts'
import type { Api, RequestContext } from './api.ts'
import { type ErrorName, KafkaError } from './errors.ts'
import type { Verdict } from './request-hook.ts'
import { subjectsOf } from './request-subjects.ts'
import type { KafkaSession } from './session.ts'

/** Which requests of Kafka clients a fault strikes. */
export interface KafkaFaultTarget {
  /** 'Produce', 'Fetch', 'JoinGroup' ...; every request but ApiVersions when it is '*'. */
  readonly api: string
  /** Only requests that name this topic. */
  readonly topic?: string
  /** Only requests that name this group. */
  readonly group?: string
  /** Only clients that call themselves so. */
  readonly clientId?: string
  /** How many requests it strikes, one by default; Infinity: until it is removed. */
  readonly times?: number
}

export type KafkaFaultEffect =
  | { readonly kind: 'delay'; readonly durationMs: number }
  | { readonly kind: 'error'; readonly error: ErrorName }
  | { readonly kind: 'drop' }
  | { readonly kind: 'lose-answer' }

/** A fault that waits for its requests. */
export class KafkaFault {
  readonly target: KafkaFaultTarget
  readonly effect: KafkaFaultEffect
  /** Requests that it will still strike. */
  remaining: number
  struckCount = 0

  constructor(target: KafkaFaultTarget, effect: KafkaFaultEffect) {
    this.target = target
    this.effect = effect
    this.remaining = target.times ?? 1
  }

  matches(api: Api, request: unknown, { clientId, broker }: RequestContext): boolean {
    const { api: name, topic, group, clientId: wantedClient } = this.target
    if (this.remaining <= 0) return false
    // Without an answer to its first question a client only tells that there is no Kafka.
    if (name === '*' ? api.name === 'ApiVersions' : name.toLowerCase() !== api.name.toLowerCase()) return false
    if (wantedClient !== undefined && clientId !== wantedClient) return false
    if (topic === undefined && group === undefined) return true
    const subjects = subjectsOf(request, broker)
    return (
      (topic === undefined || subjects.topics.includes(topic)) &&
      (group === undefined || subjects.groups.includes(group))
    )
  }
}

/**
 * Things that go wrong on purpose, so that a test can see what an application makes of a slow broker, an error, or a
 * connection that is lost before or after its request was carried out.
 */
export class KafkaFaults {
  readonly #clock: Clock
  #faults: KafkaFault[] = []
  readonly #held = new Map<KafkaSession, ScheduledCall>()
  /** Sessions whose request has waited and is due. */
  readonly #due = new Set<KafkaSession>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(fault: KafkaFault): KafkaFault {
    this.#faults.push(fault)
    return fault
  }

  remove(fault: KafkaFault): void {
    this.#faults = this.#faults.filter((each) => each !== fault)
  }

  /** Removes all faults; requests that wait go on at once. */
  clear(): void {
    this.#faults = []
    for (const session of [...this.#held.keys()]) this.#release(session)
  }

  /** What a fault makes of a request; null when none strikes it. */
  strike(api: Api, request: unknown, context: RequestContext): Verdict | null {
    const { session } = context
    if (this.#due.delete(session)) return null
    const fault = this.#faults.find((each) => each.matches(api, request, context))
    if (fault === undefined) return null
    fault.remaining--
    fault.struckCount++
    if (fault.remaining <= 0) this.remove(fault)
    const { effect } = fault
    switch (effect.kind) {
      case 'error':
        return { kind: 'refuse', error: new KafkaError(effect.error) }
      case 'drop':
        return { kind: 'cut' }
      case 'lose-answer':
        return { kind: 'lose-answer' }
      case 'delay':
        this.#hold(session, effect.durationMs)
        return { kind: 'hold' }
    }
  }

  #hold(session: KafkaSession, durationMs: number): void {
    session.isHeld = true
    const forget = () => this.#forget(session)
    const timer = this.#clock.schedule(durationMs, () => this.#release(session))
    session.onClosed.add(forget)
    this.#held.set(session, {
      cancel() {
        timer.cancel()
        session.onClosed.delete(forget)
      },
    })
  }

  #release(session: KafkaSession): void {
    this.#held.get(session)?.cancel()
    if (!this.#held.delete(session)) return
    this.#due.add(session)
    session.isHeld = false
    session.connection.resume()
  }

  #forget(session: KafkaSession): void {
    this.#held.get(session)?.cancel()
    this.#held.delete(session)
    this.#due.delete(session)
  }
}
