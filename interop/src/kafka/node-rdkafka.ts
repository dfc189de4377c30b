/**
 * node-rdkafka: librdkafka's newest, compiled from the sources in its package. It has an install script and takes a minute or
 * two, so it is no dependency of this repository: the first run that needs it compiles it into a directory of the user's.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { cacheDirectory } from './cache-directory.ts'

const VERSION = '3.6.1'
const COMPILE_TIMEOUT_MS = 600_000
/** What librdkafka is compiled with: by pkg-config's names, and Debian's. */
const LIBRARIES = {
  libcurl: 'libcurl4-openssl-dev',
  openssl: 'libssl-dev',
  libzstd: 'libzstd-dev',
  liblz4: 'liblz4-dev',
  libsasl2: 'libsasl2-dev',
}

export interface RdkafkaMessage {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly headers?: readonly Readonly<Record<string, Buffer>>[]
}

export interface DeliveryReport {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly opaque: unknown
}

interface TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly offset?: number
}

type Callback<T> = (error: Error | null, value: T) => void

/** As much of its types as is used. */
export interface RdkafkaClient {
  connect(options: object, done: Callback<unknown>): void
  disconnect(done: () => void): void
  on(event: string, listener: (...args: never[]) => void): this
  once(event: string, listener: (...args: never[]) => void): this
  off(event: string, listener: (...args: never[]) => void): this
  getMetadata(options: object, done: Callback<{ topics: { name: string; partitions: unknown[] }[] }>): void
  queryWatermarkOffsets(
    topic: string,
    partition: number,
    timeoutMs: number,
    done: Callback<{ lowOffset: number; highOffset: number }>,
  ): void
  offsetsForTimes(partitions: readonly TopicPartition[], timeoutMs: number, done: Callback<TopicPartition[]>): void
}

export interface RdkafkaProducer extends RdkafkaClient {
  setPollInterval(ms: number): void
  produce(
    topic: string,
    partition: number | null,
    value: Buffer | null,
    key?: Buffer | string | null,
    timestamp?: number | null,
    opaque?: unknown,
    headers?: readonly Readonly<Record<string, Buffer | string>>[],
  ): boolean
  flush(timeoutMs: number, done: (error: Error | null) => void): void
  initTransactions(timeoutMs: number, done: (error: Error | null) => void): void
  beginTransaction(done: (error: Error | null) => void): void
  commitTransaction(timeoutMs: number, done: (error: Error | null) => void): void
  abortTransaction(timeoutMs: number, done: (error: Error | null) => void): void
}

export interface RdkafkaConsumer extends RdkafkaClient {
  subscribe(topics: readonly string[]): void
  assign(partitions: readonly TopicPartition[]): void
  assignments(): TopicPartition[]
  consume(): void
  /** At any time; what its namesake `commitSync` waits for could not happen in the same process. */
  commit(partitions: readonly TopicPartition[]): void
  committed(partitions: readonly TopicPartition[], timeoutMs: number, done: Callback<TopicPartition[]>): void
  seek(place: TopicPartition, timeoutMs: number, done: (error: Error | null) => void): void
}

export interface RdkafkaAdmin {
  createTopic(topic: object, timeoutMs: number, done: (error: Error | null) => void): void
  createPartitions(topic: string, count: number, timeoutMs: number, done: (error: Error | null) => void): void
  deleteTopic(topic: string, timeoutMs: number, done: (error: Error | null) => void): void
  disconnect(): void
}

export interface Rdkafka {
  readonly librdkafkaVersion: string
  readonly Producer: new (settings: object, topicSettings?: object) => RdkafkaProducer
  readonly KafkaConsumer: new (settings: object, topicSettings?: object) => RdkafkaConsumer
  readonly AdminClient: { create(settings: object): RdkafkaAdmin }
  readonly createReadStream?: (...args: unknown[]) => Readable
}

/** The library, or why it cannot be had here. */
export function loadRdkafka(): Rdkafka | string {
  const directory = cacheDirectory(`node-rdkafka-${VERSION}-abi${process.versions.modules}`)
  const installed = join(directory, 'node_modules', 'node-rdkafka', 'build', 'Release', 'node-librdkafka.node')
  if (!existsSync(installed)) {
    const problem = compile(directory)
    if (problem !== null) return problem
    if (!existsSync(installed)) return `node-rdkafka ${VERSION} was not compiled in ${directory}`
  }
  return createRequire(join(directory, 'package.json'))('node-rdkafka') as Rdkafka
}

function compile(directory: string): string | null {
  const missing = Object.entries(LIBRARIES).filter(
    ([library]) => spawnSync('pkg-config', ['--exists', library], { stdio: 'ignore' }).status !== 0,
  )
  if (missing.length > 0) return `node-rdkafka needs: apt-get install ${missing.map(([, name]) => name).join(' ')}`
  console.error(`Compiling node-rdkafka ${VERSION} into ${directory}, once for all runs: a minute or two`)
  // It is compiled by its install script, which newer versions of npm run for those alone that are named.
  const manifest = { private: true, allowScripts: { 'node-rdkafka': true } }
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify(manifest)}\n`)
  const args = ['install', '--no-audit', '--no-fund', `node-rdkafka@${VERSION}`]
  const { status, stderr, error } = spawnSync('npm', args, {
    cwd: directory,
    // Not this run's: npm would take its settings, of the repository, for this one.
    env: Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^npm_(config|package|lifecycle)_/i.test(name)),
    ),
    timeout: COMPILE_TIMEOUT_MS,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (status === 0) return null
  return `node-rdkafka ${VERSION} could not be installed: ${error?.message ?? stderr.trim().split('\n').slice(-3).join(' ')}`
}
