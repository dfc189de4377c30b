import type { Clock } from '../net/clock.ts'
import { DelayedRequests, Fault, FaultList } from '../net/faults.ts'
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

export class KafkaFault extends Fault<KafkaFaultTarget, KafkaFaultEffect> {
  matches(api: Api, request: unknown, { clientId, broker }: RequestContext): boolean {
    const { api: name, topic, group, clientId: wantedClient } = this.target
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
  readonly #faults = new FaultList<KafkaFault>()
  readonly #delayed: DelayedRequests<KafkaSession>

  constructor(clock: Clock) {
    this.#delayed = new DelayedRequests(clock)
  }

  add(fault: KafkaFault): KafkaFault {
    return this.#faults.add(fault)
  }

  remove(fault: KafkaFault): void {
    this.#faults.remove(fault)
  }

  /** Removes all faults; requests that wait go on at once. */
  clear(): void {
    this.#faults.clear()
    this.#delayed.releaseAll()
  }

  /** What a fault makes of a request; null when none strikes it. */
  strike(api: Api, request: unknown, context: RequestContext): Verdict | null {
    const { session } = context
    if (this.#delayed.takeDue(session)) return null
    const effect = this.#faults.strike((fault) => fault.matches(api, request, context))?.effect
    switch (effect?.kind) {
      case undefined:
        return null
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
    const forget = () => this.#delayed.forget(session)
    session.onClosed.add(forget)
    this.#delayed.delay(session, durationMs, () => {
      session.onClosed.delete(forget)
      session.isHeld = false
      session.connection.resume()
    })
  }
}
