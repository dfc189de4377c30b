/** What a client of the load does: random commands on keys of its own, and what they come to. */
import type { SeededRandom } from '../seeded-random.ts'
import type { Model } from './model.ts'

export interface Operation {
  /** Numbered by client; the number goes into what is written. */
  readonly number: number
  readonly commands: readonly (readonly string[])[]
  /** What it does, if it is done at all. */
  readonly apply: (model: Model) => void
  /** It also appends its name to the list that all clients of a database share, in one step with the rest. */
  readonly isShared: boolean
  /** The last of its replies is an error. */
  readonly fails: boolean
  sentAtMs: number
  /** Infinity as long as no reply has come. */
  ackedAtMs: number
}

/** The list that all clients of a database append to. */
export const SHARED = 'shared'

const FAR_MS = 10_000_000
/** How long the keys live that are to expire under the load. */
const SHORT_MS = 5
/** After so long, such a key has expired for sure: by the server's clock, which stands still during a turn. */
const SURELY_EXPIRED_MS = 100
const LIST_LENGTH_MAX = 50
const STREAM_LENGTH_MAX = 20
const BIG_BYTES_MAX = 256 * 1024

const SCRIPT = `
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[1]) end
redis.call('RPUSH', KEYS[1], ARGV[2])
return redis.status_reply('OK')`
/** Fails after it has written: what it wrote stays. */
const FAILING_SCRIPT = `
redis.call('SET', KEYS[1], ARGV[1])
return redis.call('LPUSH', KEYS[1], 'x')`

interface Step {
  readonly command: readonly string[]
  readonly apply: (model: Model) => void
}

export class OperationGenerator {
  readonly #random: SeededRandom
  readonly #prefix: string
  readonly #name: string
  /** Wall clock: of expiries. */
  readonly #nowMs: () => number
  /** When keys that live briefly were acknowledged, by their operation. */
  readonly #short = new Map<string, Operation>()

  constructor(random: SeededRandom, name: string, nowMs: () => number = Date.now) {
    this.#random = random
    this.#name = name
    this.#prefix = `${name}:`
    this.#nowMs = nowMs
  }

  /** Keys that were about to expire are forgotten: the server has died meanwhile. */
  forget(): void {
    this.#short.clear()
  }

  next(number: number): Operation {
    const random = this.#random
    const kind = random.below(20)
    if (kind === 0) return this.#script(number)
    if (kind === 1) return this.#failingScript(number)
    if (kind <= 4) return this.#transaction(number)
    if (kind === 5) return this.#shortLived(number)
    if (kind === 6) {
      const expired = this.#afterExpiry(number)
      if (expired !== null) return expired
    }
    const { command, apply } = this.#step(number)
    return operation(number, [command], apply)
  }

  #key(name: string): string {
    return this.#prefix + name
  }

  #transaction(number: number): Operation {
    const random = this.#random
    const steps = Array.from({ length: 1 + random.below(5) }, () => this.#step(number))
    const commands = steps.map(({ command }) => command)
    if (random.once(8)) return operation(number, [['MULTI'], ...commands, ['DISCARD']], () => {})
    const push = ['RPUSH', SHARED, `${this.#name}:${number}`]
    const marker = ['SET', this.#key('transaction'), String(number)]
    return operation(
      number,
      [['MULTI'], marker, ...commands, push, ['EXEC']],
      (model) => {
        model.setText(this.#key('transaction'), String(number))
        for (const { apply } of steps) apply(model)
      },
      { isShared: true },
    )
  }

  #script(number: number): Operation {
    const keys = [this.#key('transaction'), this.#key('s0'), this.#key('s1')]
    const names = [String(keys.length + 1), SHARED, ...keys]
    return operation(
      number,
      [['EVAL', SCRIPT, ...names, String(number), `${this.#name}:${number}`]],
      (model) => {
        for (const key of keys) model.setText(key, String(number))
      },
      { isShared: true },
    )
  }

  #failingScript(number: number): Operation {
    const key = this.#key('s2')
    return operation(
      number,
      [['EVAL', FAILING_SCRIPT, '1', key, String(number)]],
      (model) => model.setText(key, String(number)),
      { fails: true },
    )
  }

  /** After a crash it has expired, so that nobody can tell whether it was written. */
  #shortLived(number: number): Operation {
    const key = this.#key(`short${this.#random.below(4)}`)
    const made = operation(number, [['SET', key, String(number), 'PX', String(SHORT_MS)]], (model) => model.delete(key))
    this.#short.set(key, made)
    return made
  }

  /** Appends to a key that has expired and that nobody has looked at since: nothing of it may come back. */
  #afterExpiry(number: number): Operation | null {
    const expiredBeforeMs = performanceNowMs() - SHORT_MS - SURELY_EXPIRED_MS
    for (const [key, { ackedAtMs }] of this.#short) {
      if (ackedAtMs > expiredBeforeMs) continue
      this.#short.delete(key)
      return operation(number, [['APPEND', key, String(number)]], (model) => model.setText(key, String(number)))
    }
    return null
  }

  #step(number: number): Step {
    const random = this.#random
    const text = String(number)
    const index = random.below(6)
    const string = this.#key(`s${index}`)
    const other = this.#key(`s${(index + 1 + random.below(5)) % 6}`)
    const list = this.#key('list')
    const hash = this.#key('hash')
    const set = this.#key('set')
    const scores = this.#key('zset')
    const stream = this.#key('stream')
    const steps: (() => Step)[] = [
      () => ({ command: ['SET', string, text], apply: (model) => model.setText(string, text) }),
      () => ({ command: ['DEL', string], apply: (model) => model.delete(string) }),
      () => ({ command: ['COPY', string, other, 'REPLACE'], apply: (model) => model.copyKey(string, other) }),
      () => {
        const key = this.#key('appended')
        return {
          command: ['APPEND', key, `${text},`],
          apply: (model) => model.changeText(key, (was) => `${was}${text},`),
        }
      },
      () => ({ command: ['UNLINK', this.#key('appended')], apply: (model) => model.delete(this.#key('appended')) }),
      () => {
        const key = this.#key('count')
        return { command: ['INCR', key], apply: (model) => model.changeText(key, (was) => String(Number(was) + 1)) }
      },
      () => {
        const key = this.#key('float')
        return {
          command: ['INCRBYFLOAT', key, '0.5'],
          apply: (model) => model.changeText(key, (was) => String(Number(was) + 0.5)),
        }
      },
      () => ({ command: ['RPUSH', list, text], apply: (model) => model.changeList(list, (items) => items.push(text)) }),
      () => ({
        command: ['LPUSH', list, text],
        apply: (model) => model.changeList(list, (items) => items.unshift(text)),
      }),
      () => ({ command: ['LPOP', list], apply: (model) => model.changeList(list, (items) => items.shift()) }),
      () => ({
        command: ['LTRIM', list, '0', String(LIST_LENGTH_MAX - 1)],
        apply: (model) => model.changeList(list, (items) => items.splice(LIST_LENGTH_MAX)),
      }),
      () => ({
        command: ['HSET', hash, `f${index}`, text],
        apply: (model) => model.changeHash(hash, (fields) => fields.set(`f${index}`, text)),
      }),
      () => ({
        command: ['HDEL', hash, `f${index}`],
        apply: (model) => model.changeHash(hash, (fields) => fields.delete(`f${index}`)),
      }),
      () => ({
        command: ['HINCRBY', hash, 'count', '1'],
        apply: (model) =>
          model.changeHash(hash, (fields) => fields.set('count', String(Number(fields.get('count') ?? 0) + 1))),
      }),
      () => ({
        command: ['SADD', set, `m${index}`],
        apply: (model) => model.changeSet(set, (members) => members.add(`m${index}`)),
      }),
      () => ({
        command: ['SREM', set, `m${index}`],
        apply: (model) => model.changeSet(set, (members) => members.delete(`m${index}`)),
      }),
      () => ({
        command: ['ZADD', scores, text, `m${index}`],
        apply: (model) => model.changeScores(scores, (all) => all.set(`m${index}`, number)),
      }),
      () => ({
        command: ['ZINCRBY', scores, '1', `m${index}`],
        apply: (model) => model.changeScores(scores, (all) => all.set(`m${index}`, (all.get(`m${index}`) ?? 0) + 1)),
      }),
      () => ({ command: ['ZPOPMIN', scores], apply: (model) => model.changeScores(scores, dropLowest) }),
      () => ({
        command: ['XADD', stream, 'MAXLEN', '=', String(STREAM_LENGTH_MAX), `${number}-*`, 'f', text],
        apply: (model) =>
          model.changeStream(stream, (entries) => {
            // Several in one transaction have the same number.
            const sequence = entries.filter(([id]) => id.startsWith(`${number}-`)).length
            entries.push([`${number}-${sequence}`, text])
            entries.splice(0, entries.length - STREAM_LENGTH_MAX)
          }),
      }),
      () => {
        const sentAtMs = this.#nowMs()
        return {
          command: ['PEXPIRE', string, String(FAR_MS)],
          apply: (model) =>
            model.expire(string, {
              fromMs: sentAtMs + FAR_MS - CLOCK_MS_MAX,
              toMs: sentAtMs + FAR_MS + LATE_MS_MAX,
            }),
        }
      },
      () => {
        const expireAtMs = this.#nowMs() + FAR_MS
        return {
          command: ['SET', string, text, 'PXAT', String(expireAtMs)],
          apply: (model) => {
            model.setText(string, text)
            model.expire(string, { fromMs: expireAtMs, toMs: expireAtMs })
          },
        }
      },
      () => ({ command: ['PERSIST', string], apply: (model) => model.persist(string) }),
      () => {
        const key = this.#key('big')
        const size = random.once(8) ? random.below(BIG_BYTES_MAX) : random.below(4096)
        const big = text.padEnd(size, '.')
        return { command: ['SET', key, big], apply: (model) => model.setText(key, big) }
      },
    ]
    return random.pick(steps)()
  }
}

/** How far two clocks of one machine may be apart. */
const CLOCK_MS_MAX = 1000
/** How much later than sent a command may be run. */
const LATE_MS_MAX = 120_000

function dropLowest(scores: Map<string, number>): void {
  let lowest: string | undefined
  for (const [member, score] of scores) {
    const best = lowest === undefined ? Number.POSITIVE_INFINITY : scores.get(lowest)!
    if (score < best || (score === best && member < lowest!)) lowest = member
  }
  if (lowest !== undefined) scores.delete(lowest)
}

function operation(
  number: number,
  commands: readonly (readonly string[])[],
  apply: (model: Model) => void,
  { isShared = false, fails = false } = {},
): Operation {
  return {
    number,
    commands,
    apply,
    isShared,
    fails,
    sentAtMs: Number.POSITIVE_INFINITY,
    ackedAtMs: Number.POSITIVE_INFINITY,
  }
}

/** The machine's own clock, the same for all processes, which never goes back. */
export function performanceNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
