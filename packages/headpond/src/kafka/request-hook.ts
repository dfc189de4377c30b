import type { Api, RequestContext } from './api.ts'
import type { KafkaError } from './errors.ts'

/** What is to become of a request that has arrived, in place of what usually does. */
export type Verdict =
  /** It waits: its session is held, and it arrives again when that is over. */
  | { readonly kind: 'hold' }
  /** It is answered with an error, as if the broker had refused it. */
  | { readonly kind: 'refuse'; readonly error: KafkaError }
  /** The connection is cut in its place. */
  | { readonly kind: 'cut' }
  /** It is carried out, and the connection is cut in place of the answer. */
  | { readonly kind: 'lose-answer' }

/** Somebody who sees each request before it is carried out. */
export interface RequestHook {
  /** Null lets it pass. */
  arrived(api: Api, request: unknown, context: RequestContext): Verdict | null
}
