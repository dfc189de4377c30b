// The command line of the benchmarks, parsed and checked once.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export const suites = [
  'throughput',
  'types',
  'connections',
  'value-sizes',
  'scripting',
  'acl',
  'memory',
  'memory-types',
  'pauses',
  'start',
  'persistence',
  'large-values',
  'append-only',
] as const
export type Suite = (typeof suites)[number]

const kafkaSuites = [
  'produce',
  'consume',
  'latency',
  'together',
  'producers',
  'partitions',
  'groups',
  'large-log',
  'start',
  'heap',
  'clients',
  'producer-perf',
  'consumer-perf',
] as const
export type KafkaSuite = (typeof kafkaSuites)[number]

const defaultHeadpondCommand =
  '{node} packages/headpond/dist/bin/headpond.js --port {port} --ephemeral --memcached-port 0 --kafka-port 0 --http-port 0'
/** Where recorded traces are looked for, relative to the repository. */
const traceDirectories = ['bench/traces', '../shared/traces']
const repositoryRoot = resolve(fileURLToPath(import.meta.url), '../../..')
const valueBytesMax = 65_536
/** Fetched from Maven Central once, where there are Java and Maven. */
const defaultApacheKafka = '4.2.0'
const defaultRedisCommand = 'redis-server --port {port} --bind 127.0.0.1 --save "" --appendonly no --loglevel warning'

export const usage = `Usage:
  npm run bench -- resp [options]                       Headpond beside redis-server: medians, spread, ratios, bars
  npm run bench -- profile --line "set P16" [options]   where Headpond spends its time in one throughput line
  npm run bench -- memcached [options]                  Headpond beside memcached: speed and memory
  npm run bench -- kafka [options]                      the log and Kafka's protocol, beside the best the machine can do
  npm run bench -- eviction [options]                   hit ratios of a full cache, traces replayed: a table and a picture

Options for all:
  --quick                  fewer pairs, shorter runs, 1 M keys: a first look
  --node PATH              the Node binary that runs Headpond (default: the one that runs the benchmark)
  --headpond-command CMD   how to start Headpond; {port} and {node} are filled in. To compare two builds, name the
                           other one with --redis-command
                           (default: ${defaultHeadpondCommand})
Options for resp:
  --only SUITE[,SUITE]     ${suites.join(', ')}
  --only-line WORDS        only lines that have all these words: "set P16", "1KB", "10M ttl"
  --pairs N                alternated runs of each server (default 5, at least 2 for a spread; --quick: 2)
  --json FILE              also write the results as JSON; "-" writes them to stdout and the tables to stderr
  --redis-command CMD      how to start the other server (default: ${defaultRedisCommand})
Options for kafka:
  --only SUITE[,SUITE]     ${kafkaSuites.join(', ')}
  --only-line WORDS        only lines that have all these words: "1024B acks=all lz4"
  --apache-kafka VERSION   the Apache Kafka that stands beside (needs java, and mvn to fetch it once), or the one whose jars
                           lie in this directory, or none (default ${defaultApacheKafka})
  --json FILE              also write the figures as JSON; "-" writes them to stdout and the tables to stderr
Options for eviction:
  --traces DIR             recorded traces with their traces.json (default: ${traceDirectories.join(' or ')}; without
                           them, made ones)
  --trace NAME[,NAME]      only these; "made" stands for all made ones
  --sizes N[,N]            cache sizes in keys (default: those of each trace; --quick: the middle one)
  --value-bytes N|varied   size of the values (default 20)
  --policy NAME            Headpond's maxmemory-policy (default allkeys-adaptive)
  --svg FILE               where the picture goes (default eviction.svg)
  --json, --redis-command  as above
Options for profile:
  --line WORDS             the throughput line (required)
  --heap                   what allocates, in place of what takes time
  --seconds N              length of the measured run (default 4)
  --top N                  rows in each table (default 30)
  --save FILE              keep the profile, to be opened in Chrome's DevTools
`

export interface CommonOptions {
  quick: boolean
  /** The Node binary for Headpond. */
  node: string
  headpondCommand: string
}

export interface RespOptions extends CommonOptions {
  kind: 'resp'
  suites: readonly Suite[]
  /** Lower-case words that a line's name must all have; empty for every line. */
  lineWords: readonly string[]
  pairCount: number
  jsonPath: string | undefined
  redisCommand: string
}

export interface ProfileOptions extends CommonOptions {
  kind: 'profile'
  lineWords: readonly string[]
  heap: boolean
  seconds: number
  topCount: number
  savePath: string | undefined
}

export interface EvictionOptions extends CommonOptions {
  kind: 'eviction'
  traceDirectory: string | undefined
  /** Absent: all recorded ones, or if there are none, all made ones. */
  traceNames: readonly string[] | undefined
  sizes: readonly number[] | undefined
  valueBytes: number | 'varied'
  policy: string
  svgPath: string
  jsonPath: string | undefined
  redisCommand: string
}

export interface MemcachedBenchOptions extends CommonOptions {
  kind: 'memcached'
  pairCount: number
}

export interface KafkaBenchOptions extends CommonOptions {
  kind: 'kafka'
  suites: readonly KafkaSuite[]
  /** Lower-case words that a line must all have; empty for every line. */
  lineWords: readonly string[]
  jsonPath: string | undefined
  /** A version, a directory of jars, or `none`. */
  apacheKafka: string
}

/** What the user asked for makes no sense; the message says what to do. */
export class UsageError extends Error {}

export function parseOptions(
  args: string[],
): RespOptions | ProfileOptions | EvictionOptions | MemcachedBenchOptions | KafkaBenchOptions | { kind: 'help' } {
  const { values, positionals } = parse(args)
  if (values.help || positionals.length === 0) return { kind: 'help' }
  const common: CommonOptions = {
    quick: values.quick ?? false,
    node: values.node ?? process.execPath,
    headpondCommand: values['headpond-command'] ?? defaultHeadpondCommand,
  }
  if (positionals.length > 1) throw new UsageError(`one benchmark at a time, not "${positionals.join(' ')}"`)
  switch (positionals[0]) {
    case 'resp':
      return {
        kind: 'resp',
        ...common,
        suites: parseSuites(suites, values.only),
        lineWords: words(values['only-line']),
        pairCount: positive('--pairs', values.pairs, common.quick ? 2 : 5),
        jsonPath: values.json,
        redisCommand: values['redis-command'] ?? defaultRedisCommand,
      }
    case 'kafka':
      return {
        kind: 'kafka',
        ...common,
        suites: parseSuites(kafkaSuites, values.only),
        lineWords: words(values['only-line']),
        jsonPath: values.json,
        apacheKafka: values['apache-kafka'] ?? defaultApacheKafka,
      }
    case 'memcached':
      return { kind: 'memcached', ...common, pairCount: positive('--pairs', values.pairs, common.quick ? 1 : 3) }
    case 'profile':
      if (values.line === undefined) throw new UsageError('profile needs --line, for example --line "set P16"')
      return {
        kind: 'profile',
        ...common,
        lineWords: words(values.line),
        heap: values.heap ?? false,
        seconds: positive('--seconds', values.seconds, 4),
        topCount: positive('--top', values.top, 30),
        savePath: values.save,
      }
    case 'eviction':
      return {
        kind: 'eviction',
        ...common,
        traceDirectory: findTraces(values.traces),
        traceNames: values.trace === undefined ? undefined : words(values.trace.replaceAll(',', ' ')),
        sizes: values.sizes?.split(',').map((text) => positive('--sizes', text, 1)),
        valueBytes: parseValueBytes(values['value-bytes']),
        policy: values.policy ?? 'allkeys-adaptive',
        svgPath: values.svg ?? 'eviction.svg',
        jsonPath: values.json,
        redisCommand: values['redis-command'] ?? defaultRedisCommand,
      }
    default:
      throw new UsageError(
        `unknown benchmark "${positionals[0]}": there are resp, memcached, kafka, eviction and profile`,
      )
  }
}

/** True when `name` ("set P16 20B") has every word. Whole words: "set" is not "mset", "P1" is not "P16". */
export function lineMatches(name: string, lineWords: readonly string[]): boolean {
  const own = name.toLowerCase().split(' ')
  return lineWords.every((word) => own.includes(word))
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        quick: { type: 'boolean' },
        node: { type: 'string' },
        'headpond-command': { type: 'string' },
        'redis-command': { type: 'string' },
        only: { type: 'string', multiple: true },
        'only-line': { type: 'string' },
        pairs: { type: 'string' },
        json: { type: 'string' },
        line: { type: 'string' },
        heap: { type: 'boolean' },
        seconds: { type: 'string' },
        top: { type: 'string' },
        save: { type: 'string' },
        traces: { type: 'string' },
        trace: { type: 'string' },
        sizes: { type: 'string' },
        'apache-kafka': { type: 'string' },
        'value-bytes': { type: 'string' },
        policy: { type: 'string' },
        svg: { type: 'string' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function parseSuites<S extends string>(suites: readonly S[], only: string[] | undefined): readonly S[] {
  if (only === undefined) return suites
  const named = only.flatMap((text) => words(text.replaceAll(',', ' ')))
  for (const name of named) {
    if (!suites.some((suite) => suite === name)) {
      throw new UsageError(`--only ${name}: there are ${suites.join(', ')}`)
    }
  }
  return suites.filter((suite) => named.includes(suite))
}

function findTraces(named: string | undefined): string | undefined {
  const directories =
    named === undefined ? traceDirectories.map((path) => join(repositoryRoot, path)) : [resolve(named)]
  const found = directories.find((directory) => existsSync(join(directory, 'traces.json')))
  if (found === undefined && named !== undefined) throw new UsageError(`--traces ${named}: there is no traces.json`)
  return found
}

function parseValueBytes(text: string | undefined): number | 'varied' {
  if (text === 'varied') return text
  const bytes = positive('--value-bytes', text, 20)
  if (bytes > valueBytesMax) throw new UsageError(`--value-bytes ${text}: expected up to ${valueBytesMax}`)
  return bytes
}

function words(text: string | undefined): string[] {
  return text === undefined ? [] : text.toLowerCase().split(/\s+/).filter(Boolean)
}

function positive(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new UsageError(`${flag} ${text}: expected a whole number from 1`)
  return number
}
