/**
 * Somebody who commits offsets to a broker that dies, one after the other and each greater than the last, and knows
 * afterwards what must be there: at least what was acknowledged last, at most what was sent last.
 */

import { GroupClient } from '../../kafka/groups/group-client.ts'
import type { WireClient } from '../../kafka/wire-client.ts'
import type { SeededRandom } from '../../seeded-random.ts'

/** How it stands to its group: it is in none, or the only member. */
export type Membership = 'outside' | 'member'

const SESSION_TIMEOUT_MS = 300_000
const LOADING = 'COORDINATOR_LOAD_IN_PROGRESS'
const RETRY_MS = 10

export class GroupWorker {
  readonly groupId: string
  readonly #membership: Membership
  readonly #topic: string
  readonly #random: SeededRandom
  /** By partition. */
  readonly #sent: number[]
  readonly #acked: number[]
  #memberId = ''
  #generationId = -1
  ackedCount = 0

  constructor(groupId: string, membership: Membership, topic: string, partitionCount: number, random: SeededRandom) {
    this.groupId = groupId
    this.#membership = membership
    this.#topic = topic
    this.#random = random
    this.#sent = new Array<number>(partitionCount).fill(-1)
    this.#acked = new Array<number>(partitionCount).fill(-1)
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

  /** Throws when an offset is lost or was never committed, or the member is not what it was. */
  async verify(wire: WireClient): Promise<void> {
    const client = new GroupClient(wire, this.groupId)
    let found: string[]
    while ((found = await client.offsets(null)).includes(LOADING)) await sleep(RETRY_MS)
    const offsets = new Map(found.map((text) => text.split(': ') as [string, string]))
    for (const [partition, acked] of this.#acked.entries()) {
      const place = `${this.#topic}/${partition}`
      const offset = Number.parseInt(offsets.get(place) ?? '-1', 10)
      if (!(offset >= acked && offset <= this.#sent[partition])) {
        const range = `${acked} was acknowledged, ${this.#sent[partition]} sent`
        throw new Error(`the offset of ${this.groupId} in ${place} is ${offset}: ${range}`)
      }
      // What is there now stays.
      this.#acked[partition] = offset
    }
    if (this.#generationId < 0) return
    const told = await client.heartbeat(this.#memberId, this.#generationId)
    if (told !== 'NONE') throw new Error(`the member of ${this.groupId} is told ${told}`)
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
    const sent = commits.map(({ offset }) => offset)
    const errors = await client.commit(commits, { memberId: this.#memberId, generationId: this.#generationId })
    if (errors.includes(LOADING)) return sleep(RETRY_MS)
    const wrong = errors.find((error) => error !== 'NONE')
    if (wrong !== undefined) throw new Error(`a commit of ${this.groupId} was answered ${wrong}`)
    for (const [index, partition] of partitions.entries()) this.#acked[partition] = sent[index]
    this.ackedCount += commits.length
  }
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}
