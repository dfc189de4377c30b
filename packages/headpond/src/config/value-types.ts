/**
 * What a directive's value may be: a type reads the arguments of a line, a flag or CONFIG SET, shows the value as
 * CONFIG GET does, and writes it as CONFIG REWRITE does. The words of a refusal are Redis's, because clients match on
 * them; `remedy` is ours, for the one who reads a message at start.
 *
 * Whole numbers are JavaScript numbers. Redis allows up to 2^64: values past 2^53 lose their low bits here, but are
 * still shown inside their range, so that a file written by CONFIG REWRITE can be read again.
 */

import { quoteText } from './quoting.ts'

export type Parsed<V> = { readonly value: V } | { readonly problem: string }

export interface ValueType<V> {
  /** The value in a line of `--help`: `<bytes>`. */
  readonly placeholder: string
  /** What to write instead of a bad value: a whole sentence. None where the refusals say it. */
  readonly remedy?: string
  /** Several arguments in a line: CONFIG SET cuts its one value at each space. */
  readonly isList?: true
  /** Words are not known by themselves: "yes" is a name like any other. */
  readonly isFreeText?: true
  /** A flag or variable of this type without a value means this. */
  readonly whenBare?: string
  /**
   * `current` is the value before. `continues` when an earlier line of the same configuration has already set this
   * directive: directives that accumulate add to `current` then, and replace it otherwise.
   */
  parse(args: readonly string[], current: V, continues: boolean): Parsed<V>
  /** As CONFIG GET shows it. */
  format(value: V): string
  /** What follows the name in a configuration file, a line each; no line at all when the value is "not set". */
  lines(value: V): string[]
  /** Each line stands for a part of its own, and is left out of a file while it equals the default's line. */
  readonly linesStandAlone?: true
}

export const INT_MAX = 2 ** 31 - 1
export const INT_MIN = -(2 ** 31)
export const UINT_MAX = 2 ** 32 - 1
export const LONG_MAX = 2n ** 63n - 1n
export const ULONG_MAX = 2n ** 64n - 1n
const LONG_MIN = -(2n ** 63n)

export const WRONG_COUNT = { problem: 'wrong number of arguments' } as const

/** A type of exactly one argument. */
function single<V>(type: {
  placeholder: string
  remedy?: string
  whenBare?: string
  isFreeText?: true
  parse(text: string): Parsed<V>
  format(value: V): string
  lines?(value: V): string[]
}): ValueType<V> {
  return {
    ...type,
    parse: (args) => (args.length === 1 ? type.parse(args[0]) : WRONG_COUNT),
    lines: type.lines ?? ((value) => [type.format(value)]),
  }
}

export const bool: ValueType<boolean> = single({
  placeholder: 'yes|no',
  whenBare: 'yes',
  parse(text) {
    const word = text.toLowerCase()
    if (word === 'yes') return { value: true }
    if (word === 'no') return { value: false }
    return { problem: "argument must be 'yes' or 'no'" }
  },
  format: (value) => (value ? 'yes' : 'no'),
})

type Limit = number | bigint

function outsideOf(min: Limit, max: Limit): { problem: string } {
  return { problem: `argument must be between ${min} and ${max} inclusive` }
}

/** As C's `%lld` of a number that may have left the safe range: never outside [min, max]. */
function formatWhole(value: number, min: Limit, max: Limit): string {
  if (Number.isSafeInteger(value)) return String(value)
  const exact = BigInt(value)
  return String(exact < min ? min : exact > max ? max : exact)
}

/** A whole number as Redis's string2ll reads it: no sign but `-`, no leading zero, no blank, 64 bits. */
function parseWhole(text: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined
  const exact = BigInt(text)
  return exact < LONG_MIN || exact > LONG_MAX ? undefined : exact
}

/**
 * `clamp` is the range that the server works with when it is narrower than what it accepts: `hz 5000` is accepted and
 * means 500, as in Redis.
 */
export function integer(
  min: Limit,
  max: Limit,
  options: { unit?: string; clamp?: readonly [number, number] } = {},
): ValueType<number> {
  const unit = options.unit ?? 'n'
  return single({
    placeholder: `<${unit}>`,
    remedy: `Write a whole number${options.unit ? ` of ${options.unit}` : ''} ${describeRange(min, max)}.`,
    parse(text) {
      const exact = parseWhole(text)
      if (exact === undefined) return { problem: "argument couldn't be parsed into an integer" }
      if (exact < min || exact > max) return outsideOf(min, max)
      const value = Number(exact)
      if (options.clamp === undefined) return { value }
      const [low, high] = options.clamp
      return { value: value < low ? low : value > high ? high : value }
    },
    format: (value) => formatWhole(value, min, max),
  })
}

function describeRange(min: Limit, max: Limit): string {
  const hasUsefulMax = max < INT_MAX
  if (min <= INT_MIN) return 'within 32 bits'
  return hasUsefulMax ? `from ${min} to ${max}` : `from ${min} on`
}

export type Port = number | 'auto'

const wholePort = integer(0, 65535)

/** A TCP port that Headpond may listen on. */
export const port: ValueType<Port> = single({
  placeholder: '<port>',
  remedy: "Write a port from 1 to 65535, 'auto' for any free port, or 0 not to listen.",
  parse(text): Parsed<Port> {
    return text.toLowerCase() === 'auto' ? { value: 'auto' } : wholePort.parse([text], 0, false)
  },
  format: String,
})

const UNIT_BYTES: ReadonlyMap<string, bigint> = new Map([
  ['', 1n],
  ['b', 1n],
  ['k', 1000n],
  ['kb', 1024n],
  ['m', 1000n ** 2n],
  ['mb', 1024n ** 2n],
  ['g', 1000n ** 3n],
  ['gb', 1024n ** 3n],
])

/** As Redis's memtoull, which takes `mb` for 0 and stops at 2^64 - 1. */
function parseMemory(text: string): bigint | undefined {
  const parts = /^([0-9]{0,127})([a-z]*)$/i.exec(text) // the original has room for 127 digits
  if (parts === null) return undefined
  const unitBytes = UNIT_BYTES.get(parts[2].toLowerCase())
  if (unitBytes === undefined) return undefined
  const bytes = BigInt(parts[1] || '0') * unitBytes
  return bytes > ULONG_MAX ? ULONG_MAX : bytes
}

/** The shortest exact form with a unit: how CONFIG REWRITE writes sizes. */
function formatMemory(bytes: number, max: Limit = ULONG_MAX): string {
  if (bytes > 0 && Number.isSafeInteger(bytes)) {
    for (const [unit, unitBytes] of [
      ['gb', 1024 ** 3],
      ['mb', 1024 ** 2],
      ['kb', 1024],
    ] as const) {
      if (bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`
    }
  }
  return formatWhole(bytes, 0, max)
}

const MEMORY_REMEDY = 'Write a size such as 100mb or 2gb (1kb is 1024 bytes, 1k is 1000).'

/** A size in bytes. */
export function memory(min: Limit, max: Limit, options: { clampMin?: number } = {}): ValueType<number> {
  return single({
    placeholder: '<bytes>',
    remedy: MEMORY_REMEDY,
    parse(text) {
      const exact = parseMemory(text)
      if (exact === undefined) return { problem: 'argument must be a memory value' }
      if (exact < min || exact > max) return outsideOf(min, max)
      return { value: Math.max(Number(exact), options.clampMin ?? 0) }
    },
    format: (value) => formatWhole(value, min, max),
    lines: (value) => [formatMemory(value, max)],
  })
}

/** A size in bytes, or below 0 a percentage: -5 is 5 % (of `maxmemory`). */
export const memoryOrPercent: ValueType<number> = single({
  placeholder: '<bytes|percent>',
  remedy: 'Write a size such as 100mb, or a percentage such as 5%.',
  parse(text) {
    const bytes = parseMemory(text)
    if (bytes !== undefined) return bytes > LONG_MAX ? outsideOf(-100, LONG_MAX) : { value: Number(bytes) }
    const percent = text.endsWith('%') ? parseWhole(text.slice(0, -1)) : undefined
    if (percent === undefined || percent < 0) return { problem: 'argument must be a memory or percent value' }
    if (percent > 100) return { problem: 'percentage argument must be less or equal to 100' }
    return { value: percent === 0n ? 0 : -Number(percent) }
  },
  format: (value) => (value < 0 ? `${-value}%` : formatWhole(value, 0, LONG_MAX)),
  lines: (value) => [value < 0 ? `${-value}%` : formatMemory(value, LONG_MAX)],
})

/** File permissions, written and shown in base 8. */
export const octal: ValueType<number> = single({
  placeholder: '<mode>',
  remedy: 'Write permissions in octal digits, such as 700.',
  parse(text) {
    if (!/^[0-7]{1,20}$/.test(text)) return { problem: "argument couldn't be parsed as an octal number" }
    const value = Number.parseInt(text, 8)
    return value > 0o777 ? { problem: 'argument must be between 0 and 777 inclusive' } : { value }
  },
  format: (value) => value.toString(8),
})

/** One word of a fixed set. `synonyms` are accepted, shown as what they stand for, and not advertised. */
export function oneOf<const W extends string>(
  words: readonly W[],
  synonyms: Readonly<Record<string, NoInfer<W>>> = {},
): ValueType<W> {
  return single({
    placeholder: words.join('|'),
    parse(text): Parsed<W> {
      const wanted = text.toLowerCase()
      const value = words.find((word) => word === wanted) ?? synonyms[wanted]
      return value === undefined ? notAmong(words) : { value }
    },
    format: (value) => value,
  })
}

/** As `oneOf`, for so many words that \`--help\` has no room for them. */
export function namedOneOf<const W extends string>(placeholder: string, words: readonly W[]): ValueType<W> {
  return { ...oneOf(words), placeholder }
}

function notAmong(words: readonly string[]): { problem: string } {
  return { problem: `argument(s) must be one of the following: ${words.join(', ')}` }
}

const SHUTDOWN_WORDS = ['default', 'save', 'nosave', 'now', 'force'] as const
export type ShutdownOption = (typeof SHUTDOWN_WORDS)[number]

/** How a signal shuts down: any of the words of SHUTDOWN. */
export const shutdownOptions: ValueType<readonly ShutdownOption[]> = {
  placeholder: '<option> ...',
  remedy: `Write 'default', or some of: ${SHUTDOWN_WORDS.slice(1).join(', ')} (save and nosave exclude each other).`,
  isList: true,
  parse(args) {
    if (args.length === 0) return WRONG_COUNT
    const wanted = new Set<string>()
    for (const arg of args) {
      const word = arg.toLowerCase()
      if (!(SHUTDOWN_WORDS as readonly string[]).includes(word)) return notAmong(SHUTDOWN_WORDS)
      wanted.add(word)
    }
    if (wanted.has('save') && wanted.has('nosave')) {
      return { problem: "shutdown options SAVE and NOSAVE can't be used simultaneously" }
    }
    const value = SHUTDOWN_WORDS.filter((word) => word !== 'default' && wanted.has(word))
    return { value: value.length > 0 ? value : ['default'] }
  },
  format: (value) => value.join(' '),
  lines: (value) => [value.join(' ')],
}

interface TextOptions {
  placeholder?: string
  /** Why a text is not acceptable, in Redis's words; undefined when it is. */
  check?: (text: string) => string | undefined
  remedy?: string
}

/** Any text; the empty one is a value like others. */
export function text(options: TextOptions = {}): ValueType<string> {
  return single({
    placeholder: options.placeholder ?? '<text>',
    isFreeText: true,
    remedy: options.remedy ?? 'Write one argument; put it in quotes when it has blanks in it.',
    parse(value) {
      const problem = options.check?.(value)
      return problem === undefined ? { value } : { problem }
    },
    format: (value) => value,
    lines: (value) => [quoteText(value)],
  })
}

/** Any text; the empty one means "not set", and has no line in a file. */
export function optionalText(options: TextOptions = {}): ValueType<string> {
  return { ...text(options), lines: (value) => (value === '' ? [] : [quoteText(value)]) }
}

/** The bits of `notify-keyspace-events`, as a server tests them. */
export const KEYSPACE_EVENTS = {
  keyspace: 1 << 0,
  keyevent: 1 << 1,
  generic: 1 << 2,
  string: 1 << 3,
  list: 1 << 4,
  set: 1 << 5,
  hash: 1 << 6,
  zset: 1 << 7,
  expired: 1 << 8,
  evicted: 1 << 9,
  stream: 1 << 10,
  keyMiss: 1 << 11,
  module: 1 << 13,
  new: 1 << 14,
} as const

// In the order in which CONFIG GET shows them. `A` is all of these but the last four, which must be asked for by name.
const EVENT_LETTERS: readonly (readonly [letter: string, bit: number])[] = [
  ['g', KEYSPACE_EVENTS.generic],
  ['$', KEYSPACE_EVENTS.string],
  ['l', KEYSPACE_EVENTS.list],
  ['s', KEYSPACE_EVENTS.set],
  ['h', KEYSPACE_EVENTS.hash],
  ['z', KEYSPACE_EVENTS.zset],
  ['x', KEYSPACE_EVENTS.expired],
  ['e', KEYSPACE_EVENTS.evicted],
  ['t', KEYSPACE_EVENTS.stream],
  ['d', KEYSPACE_EVENTS.module],
  ['n', KEYSPACE_EVENTS.new],
  ['K', KEYSPACE_EVENTS.keyspace],
  ['E', KEYSPACE_EVENTS.keyevent],
  ['m', KEYSPACE_EVENTS.keyMiss],
]
const EVENTS_IN_A = EVENT_LETTERS.slice(0, 10).reduce((bits, [, bit]) => bits | bit, 0)

/** The classes of keyspace events that are published, as bits of `KEYSPACE_EVENTS`. */
export const keyspaceEvents: ValueType<number> = single({
  placeholder: '<classes>',
  remedy: 'Write letters of Ag$lshzxetdnmKE, such as KEA, or "" for none.',
  parse(letters) {
    let value = 0
    for (const letter of letters) {
      const bit = letter === 'A' ? EVENTS_IN_A : EVENT_LETTERS.find(([known]) => known === letter)?.[1]
      if (bit === undefined) return { problem: "Invalid event class character. Use 'Ag$lshzxeKEtmdn'." }
      value |= bit
    }
    return { value }
  },
  format: formatEvents,
  lines: (value) => [quoteText(formatEvents(value))],
})

// Redis 7.0 forgets `n` beside `A`, and a rewritten file then loses it; later versions and Headpond show it.
function formatEvents(value: number): string {
  const hasAll = (value & EVENTS_IN_A) === EVENTS_IN_A
  let letters = hasAll ? 'A' : ''
  for (const [letter, bit] of EVENT_LETTERS) {
    if ((value & bit) !== 0 && !(hasAll && (bit & EVENTS_IN_A) !== 0)) letters += letter
  }
  return letters
}

/** One argument that is empty means: no value at all. */
function withoutLoneEmpty(args: readonly string[]): readonly string[] {
  return args.length === 1 && args[0] === '' ? [] : args
}

const BIND_ADDRESSES_MAX = 16

/** Addresses to listen on; `*` and `-::*` are all, and a leading `-` means: fine when this one is not available. */
export const addresses: ValueType<readonly string[]> = {
  placeholder: '<address> ...',
  remedy: 'Write up to 16 addresses, such as: 127.0.0.1 -::1.',
  isList: true,
  parse(args) {
    if (args.length === 0) return WRONG_COUNT
    if (args.length > BIND_ADDRESSES_MAX) return { problem: 'Too many bind addresses specified.' }
    return { value: withoutLoneEmpty(args) }
  },
  format: (value) => value.join(' '),
  lines: (value) => [value.length === 0 ? '""' : value.join(' ')],
}

export interface SavePoint {
  readonly seconds: number
  readonly changes: number
}

/** When a snapshot is taken by itself. Lines accumulate; an empty argument takes all points away. */
export const savePoints: ValueType<readonly SavePoint[]> = {
  placeholder: '<seconds> <changes> ...',
  remedy: 'Write pairs of seconds and changes, such as: 3600 1 300 100, or "" for no snapshots.',
  isList: true,
  whenBare: '',
  parse(args, current, continues) {
    if (withoutLoneEmpty(args).length === 0) return { value: [] }
    if (args.length % 2 !== 0) return { problem: 'Invalid save parameters' }
    const points: SavePoint[] = continues ? [...current] : []
    for (let i = 0; i < args.length; i += 2) {
      const seconds = parseLoosely(args[i])
      const changes = parseLoosely(args[i + 1])
      if (seconds === undefined || changes === undefined || seconds < 1 || changes < 0) {
        return { problem: 'Invalid save parameters' }
      }
      points.push({ seconds, changes })
    }
    return { value: points }
  },
  format: (value) => value.map(formatSavePoint).join(' '),
  lines: (value) => (value.length === 0 ? ['""'] : value.map(formatSavePoint)),
}

function formatSavePoint(point: SavePoint): string {
  return `${point.seconds} ${point.changes}`
}

/** A whole number as C's strtoll reads it: `+5` and `05` are 5. */
function parseLoosely(text: string): number | undefined {
  return /^[+-]?[0-9]{1,15}$/.test(text) ? Number(text) : undefined
}

export interface OutputBufferLimit {
  readonly hardBytes: number
  readonly softBytes: number
  readonly softSeconds: number
}

const CLIENT_CLASSES = ['normal', 'replica', 'pubsub'] as const
export type ClientClass = (typeof CLIENT_CLASSES)[number]
export type OutputBufferLimits = { readonly [C in ClientClass]: OutputBufferLimit }

/** What a client of each class may let pile up unread. A line speaks of the classes it names, and of no other. */
export const outputBufferLimits: ValueType<OutputBufferLimits> = {
  placeholder: '<class> <hard> <soft> <seconds> ...',
  remedy: 'Write a class (normal, replica or pubsub), two sizes and seconds, such as: pubsub 32mb 8mb 60.',
  isList: true,
  linesStandAlone: true,
  parse(args, current) {
    if (withoutLoneEmpty(args).length === 0) return args.length === 0 ? WRONG_COUNT : { value: current }
    if (args.length % 4 !== 0) return { problem: 'Wrong number of arguments in buffer limit configuration.' }
    const limits = { ...current }
    for (let i = 0; i < args.length; i += 4) {
      const name = args[i].toLowerCase()
      const clientClass = name === 'slave' ? 'replica' : CLIENT_CLASSES.find((known) => known === name)
      if (clientClass === undefined) {
        return { problem: 'Invalid client class specified in buffer limit configuration.' }
      }
      const hardBytes = parseMemory(args[i + 1])
      const softBytes = parseMemory(args[i + 2])
      const softSeconds = parseLoosely(args[i + 3])
      if (hardBytes === undefined || softBytes === undefined || softSeconds === undefined || softSeconds < 0) {
        return { problem: 'Error in hard, soft or soft_seconds setting in buffer limit configuration.' }
      }
      limits[clientClass] = { hardBytes: Number(hardBytes), softBytes: Number(softBytes), softSeconds }
    }
    return { value: limits }
  },
  // CONFIG GET still says `slave`, as Redis does, for those who parse it.
  format: (value) =>
    CLIENT_CLASSES.map((clientClass) => {
      const limit = value[clientClass]
      const sizes = [limit.hardBytes, limit.softBytes].map((bytes) => formatWhole(bytes, 0, ULONG_MAX))
      return `${clientClass === 'replica' ? 'slave' : clientClass} ${sizes.join(' ')} ${limit.softSeconds}`
    }).join(' '),
  lines: (value) =>
    CLIENT_CLASSES.map((clientClass) => {
      const limit = value[clientClass]
      return `${clientClass} ${formatMemory(limit.hardBytes)} ${formatMemory(limit.softBytes)} ${limit.softSeconds}`
    }),
}

/** What the kernel's out-of-memory killer is told for master, replica and background child. */
export const oomScores: ValueType<readonly number[]> = {
  placeholder: '<n> <n> <n>',
  remedy: 'Write three numbers from -2000 to 2000.',
  isList: true,
  parse(args) {
    if (args.length !== 3) return WRONG_COUNT
    const value = args.map(parseLoosely)
    if (value.some((score) => score === undefined || score < -2000 || score > 2000)) {
      return { problem: 'Invalid oom-score-adj-values, elements must be between -2000 and 2000.' }
    }
    return { value: value as number[] }
  },
  format: (value) => value.join(' '),
  lines: (value) => [value.join(' ')],
}

/** Percentiles from 0 to 100. */
export const percentiles: ValueType<readonly number[]> = {
  placeholder: '<percent> ...',
  remedy: 'Write numbers from 0 to 100, such as: 50 99 99.9, or "" for none.',
  isList: true,
  parse(args) {
    if (args.length === 0) return WRONG_COUNT
    const value: number[] = []
    for (const arg of withoutLoneEmpty(args)) {
      if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(arg)) {
        return { problem: 'Invalid latency-tracking-info-percentiles parameters' }
      }
      const percentile = Number(arg)
      if (percentile < 0 || percentile > 100) {
        return { problem: 'latency-tracking-info-percentiles parameters should sit between [0.0,100.0]' }
      }
      value.push(percentile)
    }
    return { value }
  },
  format: formatPercentiles,
  lines: (value) => [value.length === 0 ? '""' : formatPercentiles(value)],
}

// As C's `%f` without its trailing zeros.
function formatPercentiles(value: readonly number[]): string {
  return value.map((percentile) => String(Number(percentile.toFixed(6)))).join(' ')
}

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

/** Where to replicate from; undefined for a master. */
export const master: ValueType<HostAndPort | undefined> = {
  placeholder: '<host> <port>',
  remedy: "Write a host and a port, or 'no one'.",
  isList: true,
  parse(args) {
    if (args.length !== 2) return WRONG_COUNT
    const [host, portText] = args
    if (host.toLowerCase() === 'no' && portText.toLowerCase() === 'one') return { value: undefined }
    const portNumber = parseLoosely(portText)
    if (portNumber === undefined || portNumber < 0 || portNumber > 65535) return { problem: 'Invalid master port' }
    return { value: { host, port: portNumber } }
  },
  format: (value) => (value === undefined ? '' : `${value.host} ${value.port}`),
  lines: (value) => (value === undefined ? [] : [`${value.host} ${value.port}`]),
}

/** Lines that only files and flags hold, each kept as the arguments it had. */
export function statements(
  placeholder: string,
  argCountMin: number,
  argCountMax = Number.POSITIVE_INFINITY,
): ValueType<readonly (readonly string[])[]> {
  return {
    placeholder,
    remedy: `Write: ${placeholder}.`,
    isList: true,
    parse(args, current) {
      if (args.length < argCountMin || args.length > argCountMax) return WRONG_COUNT
      return { value: [...current, args] }
    },
    format: (value) => value.map((args) => args.join(' ')).join('; '),
    lines: (value) => value.map((args) => args.map(quoteText).join(' ')),
  }
}
