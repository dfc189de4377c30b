import type { Broker } from './broker.ts'
import type { Message } from './codec/message.ts'
import type { KafkaError } from './errors.ts'
import type { RequestTime } from './quotas/request-time.ts'
import type { KafkaSession } from './session.ts'

/** What a handler knows of a request beside its fields. */
export interface RequestContext {
  readonly version: number
  readonly clientId: string | null
  readonly session: KafkaSession
  readonly broker: Broker
  /** Of the whole request, header and body. */
  readonly sizeBytes: number
  /** Null while nobody has a quota for it. */
  readonly time: RequestTime | null
  /** What a handler that has answered with UNFINISHED has done so far; null before. */
  progress: unknown
  /** With UNFINISHED: what it waits for, which must not reject; null when it goes on in the next turn. */
  preparation: Promise<void> | null
}

/**
 * In place of an answer: a large request has had its share of this turn of the event loop, or something is prepared for it
 * elsewhere, and it is to be handled again in another turn, before any later request of its connection. Its views are made
 * anew for that.
 */
export const UNFINISHED = Symbol('unfinished')

export interface ApiOptions<Q, R> {
  /** It may begin while earlier ones of its kind wait for the disk; answers still leave in the order of requests. */
  readonly isPipelined?: boolean
  /** The versions that ApiVersions tells of, where they are not those that are served. */
  readonly advertised?: VersionPair
  /**
   * The answer when the whole request is refused (a KafkaError, or a defect here). Without it the error code at the top
   * of the response is set; a response without one cannot say it, and the connection is closed.
   */
  refuse?(request: Q, error: KafkaError, context: RequestContext): R | null
}

export type VersionPair = readonly [min: number, max: number]

/** One API: what it is asked, what it answers, and who does it. */
export interface Api<Q = unknown, R = unknown> extends ApiOptions<Q, R> {
  readonly key: number
  /** `Fetch`, `ListOffsets` ... */
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
  readonly request: Message<Q, unknown>
  readonly response: Message<unknown, R>
  handle(request: Q, context: RequestContext): Answer<R>
}

/**
 * Null sends nothing: a request that has no answer. Views of the request (`records`) are valid until it returns, not while
 * its promise is pending. A KafkaError that it throws refuses the whole request.
 */
export type Answer<R> = R | null | Promise<R | null> | typeof UNFINISHED

/** @param versions those that are served, and told of by ApiVersions */
export function api<Q, R>(
  request: Message<Q, unknown>,
  response: Message<unknown, R>,
  [minVersion, maxVersion]: VersionPair,
  handle: (request: Q, context: RequestContext) => Answer<R>,
  options: ApiOptions<Q, R> = {},
): Api<Q, R> {
  return {
    key: request.apiKey,
    name: request.name.replace(/Request$/, ''),
    minVersion,
    maxVersion,
    request,
    response,
    handle,
    ...options,
  }
}
