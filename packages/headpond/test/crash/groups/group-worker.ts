/**
 * Somebody who commits offsets to a broker that dies, one commit after the other and each offset greater than the last, and
 * knows afterwards what must be there: all commits up to some moment, each whole; at least those that were acknowledged, at
 * most those that were sent.
 */

import { GroupClient } from '../../kafka/groups/group-client.ts'
import type { WireClient } from '../../kafka/wire-client.ts'
import type { SeededRandom } from '../../seeded-random.ts'
import type { LogBounds } from '../log/log-bounds.ts'
import { performanceNowMs } from '../operations.ts'

/** How it stands to its group: it is in none, or the only member. */
export type Membership = 'outside' | 'member'

const SESSION_TIMEOUT_MS = 300_000
const LOADING = 'COORDINATOR_LOAD_IN_PROGRESS'
const RETRY_MS = 10

interface SentCommit {
  /** By partition; -1 for those that it does not name. */
  readonly offsets: readonly number[]
  readonly sentAtMs: number
  /** Infinity as long as no answer has come. */
  ackedAtMs: number
}

export class GroupWorker {
  readonly groupId: string
  readonly #membership: Membership
  readonly #topic: string
  readonly #random: SeededRandom
  /** By partition, what was sent last. */
  readonly #sent: number[]
  /** In the order that they were sent in, without those that a crash has taken. */
  #commits: SentCommit[] = []
  #memberId = ''
  #generationId = -1
  #enteredAtMs = Number.POSITIVE_INFINITY
  ackedCount = 0

  constructor(groupId: string, membership: Membership, topic: string, partitionCount: number, random: SeededRandom) {
    this.groupId = groupId
    this.#membership = membership
    this.#topic = topic
    this.#random = random
    this.#sent = new Array<number>(partitionCount).fill(-1)
  }

  /** Works until the connection is closed. Rejects for an answer that should not be. */
  async work(wire: WireClient): Promise<void> {
    const client = new GroupClient(wire, this.groupId)
    try {
      if (this.#membership === 'member' && this.#generationId < 0) await this.#enter(client)
      for (;;) await this.#commit(client)
    } catch (error) {
      if (!wire.socket.destroyed) throw error
    }
  }

  /**
   * Throws when the broker holds what it should not, or not what it should, or the member is not what it was. With
   * `isContinued`, it goes on from there.
   */
  async verify(wire: WireClient, bounds: LogBounds, isContinued: boolean): Promise<void> {
    const client = new GroupClient(wire, this.groupId)
    let found: string[]
    while ((found = await client.offsets(null)).includes(LOADING)) await sleep(RETRY_MS)
    const byPlace = new Map(found.map((text) => text.split(': ') as [string, string]))
    const offsets = this.#sent.map((_, partition) =>
      Number.parseInt(byPlace.get(`${this.#topic}/${partition}`) ?? '-1', 10),
    )
    const keptCount = this.#keptCount(offsets)
    if (keptCount === null) throw new Error(`${this.groupId} holds offsets that it never held: ${found.join(', ')}`)
    for (const [index, commit] of this.#commits.entries()) {
      const isKept = index < keptCount
      if (!isKept && bounds.isEverythingKept && commit.ackedAtMs <= bounds.atMs) {
        throw new Error(`${this.groupId} has lost ${commit.offsets}, which was acknowledged: ${found.join(', ')}`)
      }
      if (isKept && commit.sentAtMs > bounds.atMs)
        throw new Error(`${this.groupId} holds ${commit.offsets} before it was sent`)
    }
    if (isContinued) {
      // What is there now stays, and what is not never comes.
      this.#commits.length = keptCount
      for (const commit of this.#commits) commit.ackedAtMs = Math.min(commit.ackedAtMs, performanceNowMs())
    }
    if (!bounds.isEverythingKept || this.#enteredAtMs > bounds.atMs) return
    const told = await client.heartbeat(this.#memberId, this.#generationId)
    if (told !== 'NONE') throw new Error(`the member of ${this.groupId} is told ${told}`)
  }

  /** How many commits make these offsets; null when no number does. */
  #keptCount(offsets: readonly number[]): number | null {
    const held = new Array<number>(offsets.length).fill(-1)
    const isReached = () => held.every((offset, partition) => offset === offsets[partition])
    let count = 0
    while (!isReached()) {
      const commit = this.#commits[count++]
      if (commit === undefined) return null
      for (const [partition, offset] of commit.offsets.entries()) if (offset >= 0) held[partition] = offset
    }
    return count
  }

  async #enter(client: GroupClient): Promise<void> {
    const joined = await client.enter({ sessionTimeoutMs: SESSION_TIMEOUT_MS })
    if (joined.error === LOADING) return
    if (joined.error !== 'NONE') throw new Error(`${this.groupId} was answered ${joined.error}`)
    const synced = await client.sync(joined.memberId, joined.generationId, { [joined.memberId]: 'everything' })
    // Unless the broker dies before, the generation is safe with this.
    if (synced.error !== 'NONE') throw new Error(`${this.groupId} was answered ${synced.error}`)
    this.#memberId = joined.memberId
    this.#generationId = joined.generationId
    this.#enteredAtMs = performanceNowMs()
  }

  async #commit(client: GroupClient): Promise<void> {
    const partitions = this.#sent.map((_, partition) => partition).filter(() => this.#random.once(2))
    for (const partition of partitions) this.#sent[partition] += 1 + this.#random.below(5)
    const commits = partitions.map((partition) => ({
      topic: this.#topic,
      partition,
      offset: this.#sent[partition],
      metadata: 'x'.repeat(this.#random.below(100)),
    }))
    if (commits.length === 0) return
    const commit: SentCommit = {
      offsets: this.#sent.map((offset, partition) => (partitions.includes(partition) ? offset : -1)),
      sentAtMs: performanceNowMs(),
      ackedAtMs: Number.POSITIVE_INFINITY,
    }
    this.#commits.push(commit)
    const errors = await client.commit(commits, { memberId: this.#memberId, generationId: this.#generationId })
    if (errors.includes(LOADING)) {
      this.#commits.pop()
      return sleep(RETRY_MS)
    }
    const wrong = errors.find((error) => error !== 'NONE')
    if (wrong !== undefined) throw new Error(`a commit of ${this.groupId} was answered ${wrong}`)
    commit.ackedAtMs = performanceNowMs()
    this.ackedCount += commits.length
  }
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}
