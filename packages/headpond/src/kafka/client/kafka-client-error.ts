import { type ErrorName, errorNameOf, RETRIABLE } from '../errors.ts'

/** Why something cannot be had of a Kafka, in words for people. */
export class KafkaClientError extends Error {
  override readonly name: string = 'KafkaClientError'
}

/** No broker could be reached, or the one that was has gone. */
export class UnreachableError extends KafkaClientError {
  override readonly name = 'UnreachableError'
}

/** A broker's answer is an error of the protocol. */
export class RefusedError extends KafkaClientError {
  override readonly name = 'RefusedError'
  /** 'UNKNOWN_TOPIC_OR_PARTITION' */
  readonly errorName: string

  /** @param what what was asked, in few words: 'topic orders' */
  constructor(what: string, code: number, message?: string | null) {
    const errorName = errorNameOf(code)
    const hasWords = message !== undefined && message !== null && message !== '' && message !== errorName
    super(hasWords ? `${what}: ${message} (${errorName})` : `${what}: ${WORDS[errorName] ?? ''}${errorName}`)
    this.errorName = errorName
  }

  /** The same may succeed when it is tried again. */
  get isRetriable(): boolean {
    return RETRIABLE.has(this.errorName as ErrorName)
  }
}

/** What the name alone does not tell everybody. */
const WORDS: Readonly<Record<string, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'there is no such topic or partition: ',
  GROUP_ID_NOT_FOUND: 'there is no such group: ',
  NON_EMPTY_GROUP: 'the group has members: ',
  TOPIC_AUTHORIZATION_FAILED: 'no permission: ',
  GROUP_AUTHORIZATION_FAILED: 'no permission: ',
  CLUSTER_AUTHORIZATION_FAILED: 'no permission: ',
}

/** Throws RefusedError unless the code is 0. */
export function refuseUnlessNone(what: string, code: number, message?: string | null): void {
  if (code !== 0) throw new RefusedError(what, code, message)
}
