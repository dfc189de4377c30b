import { access } from '../security/pattern-set.ts'
import type { Selector } from '../security/selector.ts'
import type { Command, KeyFlag, KeyPlace, KeySpec } from './command.ts'
import type { CommandTable } from './command-table.ts'
import { canHaveKeys, keysOf } from './key-extraction.ts'
import { Request } from './request.ts'

/** Keys at places that follow from the number of arguments alone, which is so for nearly all commands. */
interface KeyRange {
  /** Relative to the command's name. */
  readonly begin: number
  /** Relative to `begin`, or to the end when negative. */
  readonly last: number
  readonly step: number
  /** Bits of `access`. */
  readonly needed: number
}

type Channels = 'first' | 'all' | 'patterns' | null

/** Where a command has keys and channels. */
interface Plan {
  /** Null when they have to be looked for in each request. */
  readonly ranges: readonly KeyRange[] | null
  /** The same for the command with the fewest arguments, which may have keys of known places and uses then (SET). */
  readonly shortest: readonly KeyRange[] | null
  readonly channels: Channels
  /** See `accessToFirst`: of the command in general, and with the fewest arguments. */
  readonly onlyFirst: number
  readonly onlyFirstShortest: number
}

const CHANNELS: ReadonlyMap<string, Channels> = new Map([
  ['publish', 'first'],
  ['spublish', 'first'],
  ['subscribe', 'all'],
  ['ssubscribe', 'all'],
  ['psubscribe', 'patterns'],
])

/** The keys and channels of one request after another, held against selectors. */
export class AclArguments {
  /** By the ids of commands. */
  readonly #plans: readonly Plan[]
  #plan: Plan
  #command: Command
  #request: Request | null = null
  #first = 0
  /** Where keys had to be looked for: found once for all selectors. */
  #places: readonly KeyPlace[] | null = null

  constructor(table: CommandTable) {
    const plans: Plan[] = []
    for (const command of table.withSubcommands()) plans[command.id] = planOf(command)
    this.#plans = plans
    this.#command = table.all[0]
    this.#plan = plans[this.#command.id]
  }

  /**
   * Of a request whose first argument is a key, and the only one, and that has no channels: what the key is needed for,
   * in bits of `access`. -1 for every other. hot: as `begin`.
   */
  accessToFirst(command: Command, request: Request): number {
    const plan = this.#plans[command.id]
    return request.count === -command.arity ? plan.onlyFirstShortest : plan.onlyFirst
  }

  /** hot: once for each command of a restricted user. */
  begin(command: Command, request: Request, first: number): void {
    this.#plan = this.#plans[command.id]
    this.#command = command
    this.#request = request
    this.#first = first
    this.#places = null
  }

  /** The argument that is a key and that the selector refuses; 0 when there is none. hot: as `begin`. */
  deniedKey(selector: Selector): number {
    const request = this.#request!
    const isShortest = request.count - this.#first === -this.#command.arity
    const ranges = isShortest ? this.#plan.shortest : this.#plan.ranges
    if (ranges === null) return this.#deniedPlace(selector, request)
    for (let at = 0; at < ranges.length; at++) {
      const { begin, last, step, needed } = ranges[at]
      const end = last < 0 ? request.count + last : this.#first + begin + last
      for (let index = this.#first + begin; index <= end && index < request.count; index += step) {
        if (!selector.allowsKey(request.chunk, request.start(index), request.end(index), needed)) return index
      }
    }
    return 0
  }

  #deniedPlace(selector: Selector, request: Request): number {
    // Null when the arguments make no sense: the command is going to say so.
    this.#places ??= keysOf(this.#command, request, this.#first) ?? []
    const denied = this.#places.find(
      ({ index, flags }) =>
        !selector.allowsKey(request.chunk, request.start(index), request.end(index), neededFor(flags)),
    )
    return denied?.index ?? 0
  }

  /** The argument that is a channel and that the selector refuses; 0 when there is none. hot: as `begin`. */
  deniedChannel(selector: Selector): number {
    const { channels } = this.#plan
    if (channels === null) return 0
    const request = this.#request!
    const firstChannel = this.#first + 1
    const end = channels === 'first' ? firstChannel + 1 : request.count
    for (let index = firstChannel; index < end; index++) {
      const isAllowed =
        channels === 'patterns'
          ? selector.allowsChannelPattern(request.latin1(index))
          : selector.allowsChannel(request.chunk, request.start(index), request.end(index))
      if (!isAllowed) return index
    }
    return 0
  }
}

function planOf(command: Command): Plan {
  const channels = CHANNELS.get(command.fullName) ?? null
  if (!canHaveKeys(command)) return { ranges: [], shortest: [], channels, onlyFirst: -1, onlyFirstShortest: -1 }
  const { keys = [], findKeys } = command.spec
  const found = keys.filter(({ flags }) => !flags.includes('not_key')).map(rangeOf)
  const ranges = findKeys === undefined && found.every((range) => range !== null) ? found : null
  const shortest = ranges ?? shortestRanges(command)
  const onlyFirst = channels === null ? accessToOnlyFirst(ranges) : -1
  const onlyFirstShortest = channels === null ? accessToOnlyFirst(shortest) : -1
  return { ranges, shortest, channels, onlyFirst, onlyFirstShortest }
}

function accessToOnlyFirst(ranges: readonly KeyRange[] | null): number {
  if (ranges === null || ranges.length !== 1) return -1
  const [{ begin, last, needed }] = ranges
  return begin === 1 && last === 0 ? needed : -1
}

/** Of a command whose one key has its place, while what is done to it depends on further arguments. */
function shortestRanges(command: Command): KeyRange[] | null {
  const [spec, ...others] = command.spec.keys ?? []
  const isOneKey = others.length === 0 && spec !== undefined && 'index' in spec.begin && isSingle(spec)
  if (!isOneKey || !spec.flags.includes('variable_flags') || command.arity > 0) return null
  const name = command.fullName.split('|')
  const fewest = Request.of([...name, ...new Array<string>(-command.arity - name.length).fill('')])
  return (
    keysOf(command, fewest)?.map(({ index, flags }) => ({
      begin: index,
      last: 0,
      step: 1,
      needed: neededFor(flags),
    })) ?? null
  )
}

function isSingle({ find }: KeySpec): boolean {
  return 'lastKey' in find && find.lastKey === 0
}

function rangeOf({ begin, find, flags }: KeySpec): KeyRange | null {
  const isPlain = !flags.includes('variable_flags') && !flags.includes('incomplete')
  if (!isPlain || !('index' in begin) || !('lastKey' in find) || find.limit > 1) return null
  return { begin: begin.index, last: find.lastKey, step: find.step, needed: neededFor(flags) }
}

/** A command that neither reads nor changes a value (EXISTS, TYPE) needs a pattern that matches, whatever it allows. */
function neededFor(flags: readonly KeyFlag[]): number {
  const isRead = flags.includes('ACCESS')
  const isWritten = flags.includes('INSERT') || flags.includes('DELETE') || flags.includes('UPDATE')
  return (isRead ? access.READ : 0) | (isWritten ? access.WRITE : 0)
}
