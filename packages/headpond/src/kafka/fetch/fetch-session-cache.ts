import { FetchSession } from './fetch-session.ts'

/** A session that was not used for so long makes room for any other; one that is younger never has to for a larger one. */
const EVICTION_AGE_MS = 120_000
const ID_MAX = 2 ** 31 - 1

export interface FetchSessionCacheParts {
  /** `max.incremental.fetch.session.cache.slots`. */
  readonly slotCount: () => number
  readonly nowMs: () => number
  /** In [0, 1). */
  readonly random: () => number
}

/** The sessions of all consumers. A consumer whose session is gone is told so, and starts another one. */
export class FetchSessionCache {
  readonly #parts: FetchSessionCacheParts
  /** The one that was not used for longest comes first. */
  readonly #sessions = new Map<number, FetchSession>()

  constructor(parts: FetchSessionCacheParts) {
    this.#parts = parts
  }

  get size(): number {
    return this.#sessions.size
  }

  find(id: number): FetchSession | undefined {
    return this.#sessions.get(id)
  }

  remove(id: number): void {
    this.#sessions.delete(id)
  }

  touch(session: FetchSession): void {
    session.usedAtMs = this.#parts.nowMs()
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
  }

  /** A session for `targetCount` partitions, or null while all slots are taken by sessions that are as worthy. */
  create(targetCount: number, namesTopicsById: boolean): FetchSession | null {
    if (this.#sessions.size >= this.#parts.slotCount() && !this.#evict(targetCount)) return null
    const session = new FetchSession(this.#freeId(), namesTopicsById, this.#parts.nowMs())
    this.#sessions.set(session.id, session)
    return session
  }

  #freeId(): number {
    for (;;) {
      const id = Math.floor(this.#parts.random() * ID_MAX) + 1
      if (!this.#sessions.has(id)) return id
    }
  }

  /** As Kafka: the least recently used one if it is stale; else the smallest that has had its time, for a larger one. */
  #evict(targetCount: number): boolean {
    const nowMs = this.#parts.nowMs()
    let smallest: FetchSession | undefined
    for (const session of this.#sessions.values()) {
      if (nowMs - session.usedAtMs > EVICTION_AGE_MS) {
        this.remove(session.id)
        return true
      }
      const isEvictable = nowMs - session.createdAtMs > EVICTION_AGE_MS
      if (isEvictable && session.targets.size < (smallest?.targets.size ?? targetCount)) smallest = session
    }
    if (smallest === undefined) return false
    this.remove(smallest.id)
    return true
  }
}
