import type { RawReply } from '../raw-client.ts'
import type { SeededRandom } from '../seeded-random.ts'
import { items, type Keyspace, text } from './keyspace.ts'
import type { LoadConnection } from './load-connection.ts'
import { performanceNowMs } from './operations.ts'
import type { CrashBounds, Cut, Participant } from './participant.ts'
import { findLastIndex } from './writer.ts'

interface Step {
  sentAtMs: number
  ackedAtMs: number
}

/** Numbered steps, of which a crash keeps the first so many. */
class Steps {
  /** Steps before the first of `since`. */
  #keptCount = 0
  #since: Step[] = []
  ackedCount = 0

  get count(): number {
    return this.#keptCount + this.#since.length
  }

  begin(): Step {
    const step = { sentAtMs: performanceNowMs(), ackedAtMs: Number.POSITIVE_INFINITY }
    this.#since.push(step)
    return step
  }

  acked(step: Step): void {
    step.ackedAtMs = performanceNowMs()
    this.ackedCount++
  }

  /** `count` of them are there. */
  verify(name: string, count: number, { keptUntilMs, atMs }: CrashBounds): Cut {
    const since = this.#since
    const requiredCount = this.#keptCount + findLastIndex(since, ({ ackedAtMs }) => ackedAtMs <= keptUntilMs) + 1
    const sentCount = this.#keptCount + findLastIndex(since, ({ sentAtMs }) => sentAtMs <= atMs) + 1
    if (count < requiredCount || count > sentCount) {
      throw new Error(`${name}: ${count} are there, not ${requiredCount} to ${sentCount}`)
    }
    const kept = since.slice(0, count - this.#keptCount)
    const lost = since.slice(count - this.#keptCount).filter(({ ackedAtMs }) => ackedAtMs <= atMs)
    return {
      name,
      lastKeptSentAtMs: kept.at(-1)?.sentAtMs ?? Number.NEGATIVE_INFINITY,
      firstLostAckedAtMs: lost[0]?.ackedAtMs ?? Number.POSITIVE_INFINITY,
      lostCount: lost.length,
      unacknowledgedCount: kept.filter(({ ackedAtMs }) => ackedAtMs > atMs).length,
    }
  }

  continueFrom(count: number): void {
    this.#keptCount = count
    this.#since = []
  }
}

const PAUSE_MS_MAX = 4

abstract class Queue implements Participant {
  readonly name: string
  readonly connectionCount = 3
  protected readonly pushes = new Steps()
  readonly #random: SeededRandom
  protected problem: Error | null = null

  constructor(name: string, random: SeededRandom) {
    this.name = name
    this.#random = random
  }

  get ackedCount(): number {
    return this.pushes.ackedCount + this.takenCount
  }

  protected abstract readonly takenCount: number

  async work([producer, ...consumers]: readonly LoadConnection[]): Promise<void> {
    await Promise.all([
      this.#produce(producer),
      ...consumers.map((connection, index) => this.consume(connection, index)),
    ])
    if (this.problem !== null) throw this.problem
  }

  async #produce(connection: LoadConnection): Promise<void> {
    const random = this.#random
    while (!connection.isClosed && this.problem === null) {
      const requests = Array.from({ length: 1 + random.below(6) }, () => {
        const step = this.pushes.begin()
        const args = ['RPUSH', this.name, String(this.pushes.count)]
        return { args, onReply: (reply: RawReply) => this.expect(reply, ':', () => this.pushes.acked(step)) }
      })
      connection.send(requests, () => 0)
      await connection.idle()
      await new Promise((resolve) => setTimeout(resolve, random.below(PAUSE_MS_MAX)))
    }
  }

  protected expect(reply: RawReply, marker: string, then: () => void): void {
    if (reply.marker === marker) then()
    else this.problem ??= new Error(`${this.name}: ${text(reply)}`)
  }

  protected abstract consume(connection: LoadConnection, index: number): Promise<void>
  abstract verify(keyspaces: readonly Keyspace[], bounds: CrashBounds, isContinued: boolean): Cut[]

  protected numbersIn(keyspace: Keyspace, key: string): number[] {
    const value = keyspace.get(key)?.value ?? 'list []'
    return (JSON.parse(value.slice('list '.length)) as string[]).map(Number)
  }
}

/** One who waits moves what comes from one list to another: at any moment each number is in one of them. */
export class MovingQueue extends Queue {
  readonly #moves = new Steps()

  protected get takenCount(): number {
    return this.#moves.ackedCount
  }

  protected async consume(connection: LoadConnection, index: number): Promise<void> {
    if (index > 0) return
    while (!connection.isClosed && this.problem === null) {
      const step = this.#moves.begin()
      const reply = await connection.ask('BLMOVE', this.name, `${this.name}-moved`, 'LEFT', 'RIGHT', '0')
      if (reply !== null) this.expect(reply, '$', () => this.#moves.acked(step))
    }
  }

  verify([keyspace]: readonly Keyspace[], bounds: CrashBounds, isContinued: boolean): Cut[] {
    const moved = this.numbersIn(keyspace, `${this.name}-moved`)
    const all = [...moved, ...this.numbersIn(keyspace, this.name)]
    const gap = all.findIndex((number, index) => number !== index + 1)
    if (gap >= 0) throw new Error(`${this.name}: ${all[gap]} stands where ${gap + 1} should`)
    const cuts = [
      this.pushes.verify(`${this.name}, pushes`, all.length, bounds),
      // Who waits has sent what it asks for long before it is done: that says nothing of the order.
      {
        ...this.#moves.verify(`${this.name}, moves`, moved.length, bounds),
        lastKeptSentAtMs: Number.NEGATIVE_INFINITY,
      },
    ]
    if (isContinued) {
      this.pushes.continueFrom(all.length)
      this.#moves.continueFrom(moved.length)
    }
    return cuts
  }
}

/** Two who wait take what comes away: what one of them was given does not come back. */
export class PoppedQueue extends Queue {
  #taken = new Map<number, number>()
  /** Taken before the last crash that it went on from. */
  #goneCount = 0
  protected takenCount = 0

  protected async consume(connection: LoadConnection, index: number): Promise<void> {
    const command = index === 0 ? ['BLPOP', this.name, '0'] : ['BLMPOP', '0', '1', this.name, 'LEFT']
    while (!connection.isClosed && this.problem === null) {
      const reply = await connection.ask(...command)
      if (reply === null) return
      this.expect(reply, '*', () => {
        const second = items(reply)[1]
        const number = Number(text('items' in second ? items(second)[0] : second))
        if (this.#taken.has(number)) this.problem ??= new Error(`${this.name}: ${number} was given out twice`)
        this.#taken.set(number, performanceNowMs())
        this.takenCount++
      })
    }
  }

  verify([keyspace]: readonly Keyspace[], bounds: CrashBounds, isContinued: boolean): Cut[] {
    const { name } = this
    const left = this.numbersIn(keyspace, name)
    const gap = left.findIndex((number, index) => number !== left[0] + index)
    if (gap >= 0) throw new Error(`${name}: ${left[gap]} stands behind ${left[gap - 1]}`)
    const taken = [...this.#taken].filter(([, atMs]) => atMs <= bounds.atMs)
    const certain = taken.filter(([, atMs]) => atMs <= bounds.keptUntilMs).map(([number]) => number)
    const cuts: Cut[] = []
    if (left.length > 0) {
      cuts.push(this.pushes.verify(`${name}, pushes`, left.at(-1)!, bounds))
      const back = certain.filter((number) => number >= left[0])
      if (back.length > 0) throw new Error(`${name}: ${back.join(', ')} came back after being given out`)
      // Given out as far as the server knows, though the reply did not arrive: one for each who waited, at most.
      const goneCount = left[0] - 1 - this.#goneCount
      const lostReplyCount = goneCount - taken.filter(([number]) => number < left[0]).length
      if (lostReplyCount > CONSUMERS) throw new Error(`${name}: ${lostReplyCount} are gone that nobody was given`)
    }
    if (isContinued) {
      // Of an empty list nobody can tell what was pushed and taken: it goes on behind all numbers that were used.
      const pushed = left.at(-1) ?? this.pushes.count
      this.pushes.continueFrom(pushed)
      this.#goneCount = left.length > 0 ? left[0] - 1 : pushed
      this.#taken = new Map()
    }
    return cuts
  }
}

const CONSUMERS = 2

/** Draws members of a set at random and keeps them in another, by a script: each is in one of the two. */
export class Pool implements Participant {
  readonly name: string
  readonly connectionCount = 2
  readonly #random: SeededRandom
  readonly #added = new Steps()
  #drawn = new Map<string, number>()
  #drawnCount = 0

  constructor(name: string, random: SeededRandom) {
    this.name = name
    this.#random = random
  }

  get ackedCount(): number {
    return this.#added.ackedCount + this.#drawnCount
  }

  async work([adding, drawing]: readonly LoadConnection[]): Promise<void> {
    let problem: Error | null = null
    const expect = (reply: RawReply, then: () => void) => {
      if (reply.marker === '-') problem ??= new Error(`${this.name}: ${text(reply)}`)
      else then()
    }
    const add = async () => {
      while (!adding.isClosed && problem === null) {
        const step = this.#added.begin()
        const reply = await adding.ask('SADD', this.name, String(this.#added.count))
        if (reply !== null) expect(reply, () => this.#added.acked(step))
        await new Promise((resolve) => setTimeout(resolve, this.#random.below(PAUSE_MS_MAX)))
      }
    }
    const draw = async () => {
      while (!drawing.isClosed && problem === null) {
        const reply = await drawing.ask('EVAL', DRAW, '2', this.name, `${this.name}-drawn`)
        if (reply === null) return
        expect(reply, () => {
          if (text(reply) === '') return
          this.#drawn.set(text(reply), performanceNowMs())
          this.#drawnCount++
        })
        await new Promise((resolve) => setTimeout(resolve, this.#random.below(PAUSE_MS_MAX)))
      }
    }
    await Promise.all([add(), draw()])
    if (problem !== null) throw problem
  }

  verify([keyspace]: readonly Keyspace[], bounds: CrashBounds, isContinued: boolean): Cut[] {
    const membersOf = (key: string) =>
      JSON.parse((keyspace.get(key)?.value ?? 'set []').slice('set '.length)) as string[]
    const drawn = new Set(membersOf(`${this.name}-drawn`))
    const all = [...membersOf(this.name), ...drawn].map(Number).sort((first, second) => first - second)
    const gap = all.findIndex((number, index) => number !== index + 1)
    if (gap >= 0) throw new Error(`${this.name}: ${all[gap]} stands where ${gap + 1} should`)
    for (const [member, atMs] of this.#drawn) {
      if (atMs <= bounds.keptUntilMs && !drawn.has(member))
        throw new Error(`${this.name}: ${member} was drawn, and is not`)
    }
    const cut = this.#added.verify(this.name, all.length, bounds)
    if (isContinued) {
      this.#added.continueFrom(all.length)
      this.#drawn = new Map()
    }
    return [cut]
  }
}

const DRAW = `
local member = redis.call('SPOP', KEYS[1])
if not member then return '' end
redis.call('SADD', KEYS[2], member)
return member`
