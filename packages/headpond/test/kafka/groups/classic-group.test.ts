/**
 * What a group of the classic protocol does, as text: the files of `classic-group/`. A command, then what comes of it, in
 * order. The group has no sockets and no disk: time and the log are the player's. UPDATE=1 rewrites the files.
 *
 *   > a join session=10s          member a asks to join, with no id; also: again (with the id that it knows), id=,
 *                                 instance=, rebalance=, type=, protocols=range:x,sticky:y, version= (9 by default)
 *   > a sync a:x b:y              asks for its assignment; a leader brings those of all
 *   > a heartbeat | leave | commit | txn-commit      as a member; also: id=, generation=, instance=
 *   > a disconnects               its connection ends: what waits for an answer gets none
 *   > advance 3s | limit 2 | delay 0s | disk full | disk slow | disk well | written | restart | delete
 *   > group                       its state
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ClassicGroup, type ClassicGroupHost, type StoredGeneration } from '#src/kafka/groups/classic-group.ts'
import type { JoinAnswer, SyncAnswer, Waiting } from '#src/kafka/groups/classic-protocol.ts'
import { Clock } from '#src/net/clock.ts'

/** Seen from the compiled file. */
const DIRECTORY = fileURLToPath(new URL('../../../test/kafka/groups/classic-group/', import.meta.url))

for (const name of readdirSync(DIRECTORY).filter((each) => each.endsWith('.txt'))) {
  test(`classic group: ${name}`, () => {
    const expected = readFileSync(DIRECTORY + name, 'utf8')
    const actual = play(expected)
    if (process.env.UPDATE) writeFileSync(DIRECTORY + name, actual)
    else assert.equal(actual, expected)
  })
}

function play(text: string): string {
  const lines: string[] = []
  let player = new Player()
  for (const line of text.split('\n')) {
    // Each chapter begins with a group of its own.
    if (line.startsWith('## ')) player = new Player()
    if (line.startsWith('> ')) lines.push(line, ...player.run(line.slice(2).split(' ')))
    else if (line.startsWith('#') || line === '') lines.push(line)
  }
  return lines.join('\n')
}

class Player {
  readonly #clock = new Clock()
  readonly #log: string[] = []
  readonly #knownAs = new Map<string, { id: string; generationId: number }>()
  readonly #waiting = new Map<string, Waiting>()
  #idCount = 0
  #disk: 'well' | 'slow' | 'full' = 'well'
  #unwritten: (() => void)[] = []
  #stored: StoredGeneration | null = null
  #delayMs = 3000
  #sizeMax = 100
  readonly #host: ClassicGroupHost
  #group: ClassicGroup

  constructor() {
    const player = this
    this.#clock.pause()
    this.#host = {
      nowMs: () => this.#clock.nowMs(),
      schedule: (delayMs, run) => this.#clock.schedule(delayMs, run),
      uniqueId: () => String(++this.#idCount),
      get initialRebalanceDelayMs() {
        return player.#delayMs
      },
      get sizeMax() {
        return player.#sizeMax
      },
      persist: (_, generation, done) => this.#persist(generation, done),
      changed: () => {},
      info: () => {},
    }
    this.#group = new ClassicGroup('g', this.#host)
  }

  run(words: string[]): string[] {
    this.#log.length = 0
    const [first, second = '', ...rest] = words
    switch (first) {
      case 'advance':
        this.#clock.advance(milliseconds(second))
        break
      case 'limit':
        this.#sizeMax = Number(second)
        break
      case 'delay':
        this.#delayMs = milliseconds(second)
        break
      case 'disk':
        this.#disk = second as 'well' | 'slow' | 'full'
        break
      case 'written':
        for (const done of this.#unwritten.splice(0)) done()
        break
      case 'restart':
        this.#restart()
        break
      case 'delete':
        this.#group.die()
        break
      case 'group':
        this.#log.push(...this.#describe())
        break
      default:
        this.#act(first, second, rest)
    }
    return [...this.#log]
  }

  #act(who: string, action: string, words: readonly string[]): void {
    const options = new Map(
      words.filter((word) => word.includes('=')).map((word) => word.split('=') as [string, string]),
    )
    const known = this.#knownAs.get(who) ?? { id: '', generationId: -1 }
    const id = this.#idOf(options.get('id')) ?? known.id
    const generationId = Number(options.get('generation') ?? known.generationId)
    const instance = options.get('instance') ?? null
    switch (action) {
      case 'join':
        this.#join(who, words.includes('again') ? known.id : (this.#idOf(options.get('id')) ?? ''), instance, options)
        break
      case 'sync':
        this.#sync(who, id, generationId, instance, words, options)
        break
      case 'heartbeat':
        this.#log.push(`${who}: ${this.#group.heartbeat(id, instance, generationId) ?? 'ok'}`)
        break
      case 'leave':
        this.#answerLater(
          who,
          this.#group.leave(instance !== null && !options.has('id') ? '' : id, instance, 'test') ?? 'left',
        )
        break
      case 'commit':
      case 'txn-commit':
        this.#log.push(
          `${who}: ${this.#group.commitRefusal(id, instance, generationId, action === 'txn-commit') ?? 'may commit'}`,
        )
        break
      case 'disconnects':
        this.#waiting.get(who)?.cancel()
        break
      default:
        throw new Error(`'${action}' is nothing that a member does`)
    }
  }

  #join(who: string, memberId: string, groupInstanceId: string | null, options: ReadonlyMap<string, string>): void {
    const version = Number(options.get('version') ?? 9)
    const protocols = (options.get('protocols') ?? 'range:').split(',').filter((each) => each !== '')
    const request = {
      memberId,
      groupInstanceId,
      clientId: who,
      clientHost: '/host',
      sessionTimeoutMs: milliseconds(options.get('session') ?? '10s'),
      rebalanceTimeoutMs: milliseconds(options.get('rebalance') ?? '60s'),
      protocolType: options.get('type') ?? 'consumer',
      protocols: protocols.map((text) => {
        const [name, metadata = ''] = text.split(':')
        return { name, metadata: Buffer.from(metadata) }
      }),
      requiresKnownMemberId: version >= 4,
      supportsSkippingAssignment: version >= 9,
    }
    this.#waiting.set(
      who,
      this.#group.join(request, (answer) => this.#joined(who, answer)),
    )
  }

  #joined(who: string, answer: JoinAnswer): void {
    this.#waiting.delete(who)
    if (answer.error !== null) {
      const id = answer.memberId === '' ? '' : ` as ${answer.memberId}`
      if (answer.error === 'MEMBER_ID_REQUIRED') this.#knownAs.set(who, { id: answer.memberId, generationId: -1 })
      this.#log.push(`${who}: ${answer.error}${id}`)
      return
    }
    this.#knownAs.set(who, { id: answer.memberId, generationId: answer.generationId })
    const members = answer.members.map(({ memberId, metadata }) => `${memberId}(${metadata})`)
    const leads = answer.leaderId === answer.memberId ? 'leads' : `follows ${answer.leaderId}`
    this.#log.push(
      `${who}: is ${answer.memberId} in generation ${answer.generationId} by ${answer.protocolName}, ${leads}` +
        (members.length > 0 ? ` ${members.join(' ')}` : '') +
        (answer.skipAssignment ? ', assigns nothing' : ''),
    )
  }

  #sync(
    who: string,
    memberId: string,
    generationId: number,
    groupInstanceId: string | null,
    words: readonly string[],
    options: ReadonlyMap<string, string>,
  ): void {
    const assignments = words
      .filter((word) => word.includes(':') && !word.includes('='))
      .map((word) => {
        const [name, assignment] = word.split(':')
        return { memberId: this.#idOf(name)!, assignment: Buffer.from(assignment) }
      })
    const protocolType = options.get('type') ?? null
    const protocolName = options.get('protocol') ?? null
    const request = { memberId, groupInstanceId, generationId, protocolType, protocolName, assignments }
    const answered = (answer: SyncAnswer) => {
      this.#waiting.delete(who)
      this.#log.push(`${who}: ${answer.error ?? `is assigned '${answer.assignment}'`}`)
    }
    this.#waiting.set(who, this.#group.sync(request, answered))
  }

  /** The answer of an action stands behind what it did to others, as it does on the wire of one who asked first. */
  #answerLater(who: string, answer: string): void {
    this.#log.push(`${who}: ${answer}`)
  }

  #persist(generation: StoredGeneration, done: (isWritten: boolean) => void): void {
    const isWritten = this.#disk !== 'full'
    const finish = () => {
      if (isWritten) this.#stored = generation
      const members = generation.members.map(({ memberId, assignment }) => `${memberId}(${assignment})`).join(' ')
      this.#log.push(
        isWritten ? `(written: generation ${generation.generationId} ${members})`.replace(' )', ')') : '(not written)',
      )
      done(isWritten)
    }
    if (this.#disk === 'slow') this.#unwritten.push(finish)
    else finish()
  }

  #restart(): void {
    this.#group.stop()
    this.#group =
      this.#stored === null ? new ClassicGroup('g', this.#host) : ClassicGroup.restore('g', this.#host, this.#stored)
    this.#group.resume()
  }

  #describe(): string[] {
    const { state, generationId, protocolName, leaderId, members } = this.#group
    return [
      `${state}, generation ${generationId}${protocolName === null ? '' : ` by ${protocolName}`}${leaderId === null ? '' : `, leader ${leaderId}`}`,
      ...[...members.values()].map(({ memberId, assignment }) => `  ${memberId} has '${assignment}'`),
    ]
  }

  /** A name that a member of the transcript goes by, or an id. */
  #idOf(name: string | undefined): string | undefined {
    return name === undefined ? undefined : (this.#knownAs.get(name)?.id ?? name)
  }
}

function milliseconds(text: string): number {
  const match = /^(\d+)(ms|s|m)$/.exec(text)
  if (match === null) throw new Error(`'${text}' is no duration`)
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] as 'ms' | 's' | 'm']
}
