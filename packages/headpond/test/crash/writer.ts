import type { SeededRandom } from '../seeded-random.ts'
import { type Keyspace, text } from './keyspace.ts'
import type { LoadConnection } from './load-connection.ts'
import { type FoundKey, Model } from './model.ts'
import { type Operation, OperationGenerator, performanceNowMs, SHARED } from './operations.ts'
import type { CrashBounds, Cut, Participant } from './participant.ts'

/**
 * A connection with keys of its own, on which it does all kinds of things in pipelines. After a crash they must be as they
 * were after just so many of its operations: whole ones, and those first in line.
 */
export class Writer implements Participant {
  readonly name: string
  readonly connectionCount = 1
  readonly database: number
  readonly #random: SeededRandom
  readonly #generator: OperationGenerator
  /** What is known to be there; what was done since. */
  #model = new Model()
  #operations: Operation[] = []
  /** What of the shared list is known to be its own. */
  #shared: string[] = []
  #number = 0
  ackedCount = 0

  constructor(name: string, database: number, random: SeededRandom) {
    this.name = name
    this.database = database
    this.#random = random
    this.#generator = new OperationGenerator(random, name)
  }

  async work([connection]: readonly LoadConnection[]): Promise<void> {
    const random = this.#random
    await connection.ask('SELECT', String(this.database))
    let problem: Error | null = null
    while (!connection.isClosed && problem === null) {
      const depth = random.once(4) ? 1 : 1 + random.below(24)
      const batch = Array.from({ length: depth }, () => this.#generator.next(++this.#number))
      const sentAtMs = performanceNowMs()
      const requests = batch.flatMap((each) => {
        each.sentAtMs = sentAtMs
        this.#operations.push(each)
        return each.commands.map((args, index) => ({
          args,
          onReply: (reply: Parameters<typeof text>[0]) => {
            const isLast = index === each.commands.length - 1
            const isExpected = (reply.marker === '-') === (each.fails && isLast)
            if (!isExpected) problem ??= new Error(`${this.name}: ${args.join(' ').slice(0, 200)}: ${text(reply)}`)
            if (!isLast) return
            each.ackedAtMs = performanceNowMs()
            this.ackedCount++
          },
        }))
      })
      connection.send(requests, (sizeBytes) => (random.once(5) ? random.below(sizeBytes) : 0))
      await connection.idle()
      if (random.once(6)) await new Promise((resolve) => setTimeout(resolve, random.below(4)))
    }
    if (problem !== null) throw problem
  }

  verify(keyspaces: readonly Keyspace[], { keptUntilMs, atMs }: CrashBounds, isContinued: boolean): Cut[] {
    const found = new Map<string, FoundKey>()
    for (const [key, value] of keyspaces[this.database]) if (key.startsWith(`${this.name}:`)) found.set(key, value)
    const operations = this.#operations
    const requiredCount = findLastIndex(operations, ({ ackedAtMs }) => ackedAtMs <= keptUntilMs) + 1
    const sentCount = findLastIndex(operations, ({ sentAtMs }) => sentAtMs <= atMs) + 1

    const model = this.#model.copy()
    for (const { apply } of operations.slice(0, requiredCount)) apply(model)
    // Some operations change nothing: then there are several counts of them that fit.
    let firstFit = -1
    let lastFit = -1
    let kept = model
    const misfits: string[] = []
    let suspect = ''
    for (let count = requiredCount; count <= sentCount; count++) {
      if (count > requiredCount) operations[count - 1].apply(model)
      // What did not fit the last time will not fit this time, most probably.
      const known = suspect === '' ? null : model.differenceAt(suspect, found)
      const difference = known === null ? model.difference(found) : { key: suspect, problem: known }
      if (difference === null) {
        lastFit = count
        if (firstFit >= 0) continue
        firstFit = count
        kept = model.copy()
      } else {
        suspect = difference.key
        if (misfits.length < 3 || count === sentCount) misfits.push(`after ${count} operations: ${difference.problem}`)
      }
    }
    if (firstFit < 0) {
      throw new Error(
        `${this.name}: its keys are not as they were after ${requiredCount} to ${sentCount} operations:\n  ${misfits.join('\n  ')}`,
      )
    }
    const shared = this.#sharedOf(operations.slice(0, firstFit))
    this.#verifyShared(keyspaces[this.database], [...this.#shared, ...shared])
    if (isContinued) {
      this.#model = kept
      this.#operations = []
      this.#shared.push(...shared)
      this.#generator.forget()
    }
    const lost = operations.slice(lastFit).filter(({ ackedAtMs }) => ackedAtMs <= atMs)
    return [
      {
        name: this.name,
        lastKeptSentAtMs: firstFit === 0 ? Number.NEGATIVE_INFINITY : operations[firstFit - 1].sentAtMs,
        firstLostAckedAtMs: lost.length === 0 ? Number.POSITIVE_INFINITY : lost[0].ackedAtMs,
        lostCount: lost.length,
        unacknowledgedCount: operations.slice(0, firstFit).filter(({ ackedAtMs }) => ackedAtMs > atMs).length,
      },
    ]
  }

  #sharedOf(operations: readonly Operation[]): string[] {
    return operations.filter(({ isShared }) => isShared).map(({ number }) => `${this.name}:${number}`)
  }

  /** What a transaction or script wrote beside its own keys is there as well, in the order in which it was done. */
  #verifyShared(keyspace: Keyspace, wanted: readonly string[]): void {
    const value = keyspace.get(SHARED)?.value ?? 'list []'
    const own = (JSON.parse(value.slice('list '.length)) as string[]).filter((each) => each.startsWith(`${this.name}:`))
    if (own.length === wanted.length && own.every((each, index) => each === wanted[index])) return
    const at = own.findIndex((each, index) => each !== wanted[index])
    throw new Error(
      `${this.name}: ${own.length} of its transactions are in the shared list, not ${wanted.length}; the first difference ` +
        `is ${own[at] ?? '(missing)'} in place of ${wanted[at] ?? wanted[own.length] ?? '(none)'}`,
    )
  }
}

export function findLastIndex<T>(all: readonly T[], matches: (one: T) => boolean): number {
  for (let index = all.length - 1; index >= 0; index--) if (matches(all[index])) return index
  return -1
}
