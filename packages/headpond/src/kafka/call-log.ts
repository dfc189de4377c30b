import { LatestList } from '../net/latest-list.ts'
import type { Api, RequestContext } from './api.ts'
import { subjectsOf } from './request-subjects.ts'

/** A request that a Kafka client made. */
export interface KafkaCall {
  /** 'Produce', 'Fetch', 'JoinGroup' ... */
  readonly api: string
  readonly version: number
  readonly clientId: string | null
  /** Those that it names. */
  readonly topics: readonly string[]
  readonly groups: readonly string[]
  readonly atMs: number
}

/** The last requests, for tests that want to know what was asked of the broker. */
export class KafkaCallLog {
  readonly #calls: LatestList<KafkaCall>

  constructor(capacity: number) {
    this.#calls = new LatestList(capacity)
  }

  add(api: Api, request: unknown, { version, clientId, broker }: RequestContext): void {
    const { topics, groups } = subjectsOf(request, broker)
    this.#calls.add({ api: api.name, version, clientId, topics, groups, atMs: broker.clock.nowMs() })
  }

  /** The requests of an API (in any case), or all; the oldest first. */
  of(api?: string): readonly KafkaCall[] {
    const calls = this.#calls.toArray()
    return api === undefined ? calls : calls.filter((call) => call.api.toLowerCase() === api.toLowerCase())
  }

  clear(): void {
    this.#calls.clear()
  }
}
