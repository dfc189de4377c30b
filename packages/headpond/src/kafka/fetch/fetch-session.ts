import type { FetchTarget } from './fetch-target.ts'

/** The first request of a session; its answer is full. */
export const INITIAL_EPOCH = 0
/** A request without a session, or one that ends it. */
export const FINAL_EPOCH = -1
const EPOCH_MAX = 2 ** 31 - 1
/** Stands in an answer for "there is no session". */
export const NO_SESSION_ID = 0

/**
 * What a consumer fetches again and again (KIP-227): its requests carry only what has changed since the one before, and
 * the answers only partitions with something new. Requests are numbered, so that one that was lost does not go unnoticed.
 */
export class FetchSession {
  readonly id: number
  readonly namesTopicsById: boolean
  readonly createdAtMs: number
  usedAtMs: number
  /** Of the next request. */
  epoch = 1
  /** In the order in which they are served: what had data goes to the end, so that nobody starves. */
  readonly targets = new Map<string, FetchTarget>()

  constructor(id: number, namesTopicsById: boolean, nowMs: number) {
    this.id = id
    this.namesTopicsById = namesTopicsById
    this.createdAtMs = nowMs
    this.usedAtMs = nowMs
  }

  advance(): void {
    this.epoch = this.epoch === EPOCH_MAX ? 1 : this.epoch + 1
  }

  add(target: FetchTarget): void {
    this.targets.set(targetKey(target.topic, target.topicId, target.partition), target)
  }

  find(topic: string, topicId: string, partition: number): FetchTarget | undefined {
    return this.targets.get(targetKey(topic, topicId, partition))
  }

  forget(topic: string, topicId: string, partition: number): void {
    this.targets.delete(targetKey(topic, topicId, partition))
  }

  /** Puts a target behind all others. */
  moveToEnd(target: FetchTarget): void {
    const key = targetKey(target.topic, target.topicId, target.partition)
    if (this.targets.delete(key)) this.targets.set(key, target)
  }
}

/** Either the name or the id is the same for all of a session; a colon is part of no topic's name. */
function targetKey(topic: string, topicId: string, partition: number): string {
  return `${topic}:${topicId}:${partition}`
}
