/**
 * Exactly once, shown: a mover takes records from one topic to others in transactions, while its process and the broker's are
 * killed at random moments, and movers that were taken for dead come back. Afterwards the topics hold what they hold when
 * nobody is disturbed: every record once, in order.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ZERO_UUID } from '#src/kafka/codec/byte-reader.ts'
import { errorNameOf } from '#src/kafka/errors.ts'
import { createTopicsRequest, createTopicsResponse } from '#src/kafka/schemas/create-topics.ts'
import { describeProducersRequest, describeProducersResponse } from '#src/kafka/schemas/describe-producers.ts'
import { listTransactionsRequest, listTransactionsResponse } from '#src/kafka/schemas/list-transactions.ts'
import { offsetFetchRequest, offsetFetchResponse } from '#src/kafka/schemas/offset-fetch.ts'
import { freePort } from '../../free-port.ts'
import { LogClient } from '../../kafka/data/log-server.ts'
import { TransactionalProducer } from '../../kafka/transactions/transactional-producer.ts'
import { WireClient } from '../../kafka/wire-client.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { ServerProcess } from '../../server-process.ts'
import { performanceNowMs } from '../operations.ts'
import { StableReader, type StableRecord } from './stable-reader.ts'
import {
  AUDIT,
  GROUP,
  INPUT,
  INPUT_PARTITIONS,
  inputValue,
  type MoverKind,
  type MoverOrders,
  RECEIPT_PARTITIONS,
  RECEIPTS,
  TRANSACTIONAL_ID,
} from './work.ts'

export interface TransactionCrashResult {
  readonly index: number
  readonly seed: number
  readonly kind: MoverKind
  readonly recordCount: number
  readonly serverKills: number
  readonly moverKills: number
  /** Movers that were stopped, replaced, and let go on. */
  readonly returns: number
  /** Transactions of one who never came back. */
  readonly abandoned: number
}

interface Output {
  readonly topic: string
  readonly partition: number
  readonly records: readonly StableRecord[]
}

type Disturbance = 'kill server' | 'kill mover' | 'freeze mover' | 'abandon'

const MOVERS: Readonly<Record<MoverKind, string>> = {
  kafkajs: fileURLToPath(new URL('./mover.js', import.meta.url)),
  epochs: fileURLToPath(new URL('./epochs-mover.js', import.meta.url)),
}
const OUTPUTS = [
  ...Array.from({ length: RECEIPT_PARTITIONS }, (_, partition) => ({ topic: RECEIPTS, partition })),
  { topic: AUDIT, partition: 0 },
]
const INPUT_TRANSACTIONS = 12
const INPUT_BATCH = 25
const DISTURBANCES_MAX = 8
const PAUSE_MS_MAX = 350
/** Nothing may take longer, on a machine that does other things too. */
const LIFE_MS_MAX = 90_000
const ABANDONED_TIMEOUT_MS = 500
const POLL_MS = 20
const RETRY_MS = 25

/** @param count lives: in each, a broker and its movers are killed several times before the work is done */
export async function crashTransactionsRepeatedly(options: {
  count: number
  seed: number
  onResult?: (result: TransactionCrashResult) => void
}): Promise<TransactionCrashResult[]> {
  const { count, seed, onResult } = options
  const undisturbed = new Life(seed, 0)
  const expected = await undisturbed.live(null)
  const results: TransactionCrashResult[] = []
  for (let index = 0; index < count; index++) {
    const lifeSeed = (seed + index * 7919) >>> 0
    const life = new Life(lifeSeed, 1 + (lifeSeed % DISTURBANCES_MAX))
    await life.live(expected)
    const { kind, serverKills, moverKills, returns, abandoned, recordCount } = life
    const result = { index, seed: lifeSeed, kind, recordCount, serverKills, moverKills, returns, abandoned }
    results.push(result)
    onResult?.(result)
  }
  return results
}

class Life {
  readonly kind: MoverKind
  serverKills = 0
  moverKills = 0
  returns = 0
  abandoned = 0
  recordCount = 0
  readonly #random: SeededRandom
  readonly #seed: number
  readonly #disturbanceCount: number
  readonly #base = mkdtempSync(join(tmpdir(), 'headpond-transaction-crash-'))
  readonly #settings: string[]
  readonly #movers = new Set<ChildProcess>()
  readonly #frozen = new Set<ChildProcess>()
  readonly #readers = OUTPUTS.map(({ topic, partition }) => new StableReader(topic, partition))
  readonly #chunkMax: number
  /** Where each partition of the input ends for its readers. */
  #inputEnds: number[] = []
  #address = ''
  #server: ServerProcess | null = null
  #isOver = false

  constructor(seed: number, disturbanceCount: number) {
    this.#seed = seed
    this.#random = new SeededRandom(seed)
    this.#disturbanceCount = disturbanceCount
    this.kind = seed % 2 === 0 ? 'kafkajs' : 'epochs'
    this.#chunkMax = this.#random.pick([3, 10, 40])
    const segmentBytes = () => String(this.#random.pick([2000, 20_000, 2 ** 20]))
    this.#settings = [
      ...['--dir', this.#base, '--save', '', '--appendonly', 'no'],
      ...['--kafka.group.initial.rebalance.delay.ms', '0', '--kafka.group.min.session.timeout.ms', '100'],
      ...['--kafka.offsets.topic.num.partitions', '3', '--kafka.offsets.topic.segment.bytes', segmentBytes()],
      ...['--kafka.transaction.state.log.num.partitions', '3'],
      ...['--kafka.transaction.state.log.segment.bytes', segmentBytes()],
      ...['--kafka.transaction.abort.timed.out.transaction.cleanup.interval.ms', '50'],
      ...['--kafka.log.cleaner.backoff.ms', '50', '--kafka.log.cleaner.min.cleanable.ratio', '0.01'],
    ]
  }

  /** Until everything is moved. Throws when that is not what is expected; null: nobody knows yet. */
  async live(expected: readonly Output[] | null): Promise<readonly Output[]> {
    try {
      // Its broker comes back at the same one.
      const port = await freePort()
      this.#address = `127.0.0.1:${port}`
      this.#settings.push('--kafka-port', String(port))
      this.#server = await this.#startServer()
      await this.#fillInput()
      const reading = Promise.all(this.#readers.map((reader) => this.#keepReading(reader)))
      reading.catch(() => {}) // told below
      this.#startMover()
      await Promise.race([this.#work(), reading])
      this.#isOver = true
      await reading
      const outputs = this.#readers.map(({ topic, partition, records }) => ({ topic, partition, records }))
      await this.#verifyEnd(outputs)
      if (expected !== null) verifySame(outputs, expected)
      await this.#stop()
      rmSync(this.#base, { recursive: true, force: true })
      return outputs
    } catch (error) {
      this.#isOver = true
      const problem = (error as Error).message
      throw new Error(`seed ${this.#seed}, files kept in ${this.#base}: ${problem}`, { cause: error })
    } finally {
      await this.#stop()
    }
  }

  async #stop(): Promise<void> {
    for (const mover of this.#movers) mover.kill('SIGKILL')
    await this.#server?.stop('SIGKILL')
  }

  // ---- Work and its disturbances ----

  async #work(): Promise<void> {
    const endMs = performanceNowMs() + LIFE_MS_MAX
    for (let left = this.#disturbanceCount; left > 0; left--) {
      await sleep(this.#random.below(PAUSE_MS_MAX))
      await this.#disturb(this.#random.pick(['kill server', 'kill server', 'kill mover', 'freeze mover', 'abandon']))
      if (this.#random.once(2)) this.#thaw()
    }
    this.#thaw()
    while (!(await this.#isDone())) {
      if (performanceNowMs() > endMs) {
        throw new Error(`not done in ${LIFE_MS_MAX} ms: ${this.#readers.map((each) => each.describe()).join(', ')}`)
      }
      await sleep(POLL_MS)
    }
  }

  async #disturb(disturbance: Disturbance): Promise<void> {
    const mover = [...this.#movers].find((each) => !this.#frozen.has(each))
    switch (disturbance) {
      case 'kill server':
        this.serverKills++
        await this.#server!.stop('SIGKILL')
        await sleep(this.#random.below(100))
        this.#server = await this.#startServer()
        break
      case 'kill mover':
        // It is replaced when it is gone.
        if (mover?.kill('SIGKILL') === true) this.moverKills++
        break
      case 'freeze mover':
        if (mover === undefined) break
        this.returns++
        mover.kill('SIGSTOP')
        this.#frozen.add(mover)
        this.#startMover()
        break
      case 'abandon':
        this.abandoned++
        await this.#patiently(async (wire) => {
          const producer = new TransactionalProducer(new LogClient(wire), `abandoned-${this.abandoned}`)
          await beginWhenLoaded(producer, ABANDONED_TIMEOUT_MS)
          const isTold = this.#random.once(2)
          if (isTold) await expectNone(producer.add(RECEIPTS, [0, 1]))
          for (const partition of [0, 1]) {
            const sent = await producer.send(RECEIPTS, 'abandoned', isTold ? 11 : 12, partition)
            if (typeof sent === 'string') throw new Error(`a transaction was answered ${sent}`)
          }
        })
        break
    }
  }

  /** Those who were taken for dead go on, and find themselves fenced. */
  #thaw(): void {
    for (const mover of this.#frozen) mover.kill('SIGCONT')
    this.#frozen.clear()
  }

  #startServer(): Promise<ServerProcess> {
    return ServerProcess.startIn(this.#base, ...this.#settings)
  }

  #startMover(): void {
    const orders: MoverOrders = {
      address: this.#address,
      seed: this.#random.below(2 ** 32),
      chunkMax: this.#chunkMax,
    }
    const env = { ...process.env, MOVER: JSON.stringify(orders) }
    const mover = spawn(process.execPath, ['--conditions=headpond-repository', MOVERS[this.kind]], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    this.#movers.add(mover)
    mover.once('exit', () => {
      this.#movers.delete(mover)
      this.#frozen.delete(mover)
      const isReplaced = [...this.#movers].some((each) => !this.#frozen.has(each))
      if (!this.#isOver && !isReplaced) this.#startMover()
    })
  }

  async #fillInput(): Promise<void> {
    await this.#patiently(async (wire) => {
      const topic = (name: string, numPartitions: number) => ({
        ...{ name, numPartitions, replicationFactor: 1, assignments: [] },
        configs: [{ name: 'segment.bytes', value: String(this.#random.pick([3000, 30_000])) }],
      })
      const topics = [topic(INPUT, INPUT_PARTITIONS), topic(RECEIPTS, RECEIPT_PARTITIONS), topic(AUDIT, 1)]
      const created = await wire.call(createTopicsRequest, createTopicsResponse, 5, { topics, timeoutMs: 10_000 })
      for (const { errorCode } of created.topics) if (errorCode !== 0) throw new Error(errorNameOf(errorCode))
      const client = new LogClient(wire)
      const producer = new TransactionalProducer(client, 'filler')
      await beginWhenLoaded(producer)
      const all = Array.from({ length: INPUT_PARTITIONS }, (_, partition) => partition)
      for (let number = 0, round = 0; round < INPUT_TRANSACTIONS; round++) {
        await expectNone(producer.add(INPUT, all))
        const isCommitted = round % 4 !== 2
        for (const partition of all) {
          const values = Array.from({ length: INPUT_BATCH }, (_, index) =>
            isCommitted ? inputValue(partition, number + index) : 'aborted',
          )
          const offset = await producer.send(INPUT, values, 11, partition)
          if (typeof offset === 'string') throw new Error(`the input was answered ${offset}`)
          if (isCommitted) this.#inputEnds[partition] = offset + INPUT_BATCH
        }
        await expectNone(producer.end(isCommitted))
        if (!isCommitted) continue
        number += INPUT_BATCH
        this.recordCount += INPUT_BATCH * INPUT_PARTITIONS
      }
    })
  }

  // ---- What came of it ----

  /** The group has read everything, and what it wrote can be seen. */
  async #isDone(): Promise<boolean> {
    const answer = await this.#patiently((wire) =>
      wire.call(offsetFetchRequest, offsetFetchResponse, 8, {
        groupId: '',
        topics: null,
        groups: [
          {
            groupId: GROUP,
            topics: [
              { name: INPUT, topicId: ZERO_UUID, partitionIndexes: this.#inputEnds.map((_, partition) => partition) },
            ],
          },
        ],
        requireStable: true,
      }),
    )
    const [{ topics, errorCode }] = answer.groups
    if (errorCode !== 0) return false
    const isRead = topics[0].partitions.every(
      ({ partitionIndex, committedOffset }) => Number(committedOffset) === this.#inputEnds[partitionIndex],
    )
    return isRead && this.#readers.every(({ isAtEnd }) => isAtEnd)
  }

  /** Through all deaths of the broker, until it is over. */
  async #keepReading(reader: StableReader): Promise<void> {
    while (!this.#isOver) await this.#patiently((wire) => this.#readWhileThere(reader, wire))
  }

  async #readWhileThere(reader: StableReader, wire: WireClient): Promise<void> {
    while (!this.#isOver) await reader.read(wire, POLL_MS)
  }

  async #verifyEnd(outputs: readonly Output[]): Promise<void> {
    await this.#patiently(async (wire) => {
      const { transactionStates } = await wire.call(listTransactionsRequest, listTransactionsResponse, 1, {
        stateFilters: [],
        producerIdFilters: [],
      })
      for (const { transactionalId, transactionState } of transactionStates) {
        const isOver = /^(Empty|Complete(Commit|Abort))$/.test(transactionState)
        if (!isOver) throw new Error(`the transaction of ${transactionalId} is ${transactionState}`)
      }
      if (!transactionStates.some(({ transactionalId }) => transactionalId === TRANSACTIONAL_ID)) {
        throw new Error('the mover has no transactional id')
      }
      const { topics } = await wire.call(describeProducersRequest, describeProducersResponse, 0, {
        topics: [
          { name: RECEIPTS, partitionIndexes: Array.from({ length: RECEIPT_PARTITIONS }, (_, index) => index) },
          { name: AUDIT, partitionIndexes: [0] },
          { name: '__consumer_offsets', partitionIndexes: [0, 1, 2] },
        ],
      })
      for (const { name, partitions } of topics) {
        for (const { partitionIndex, activeProducers } of partitions) {
          const open = activeProducers.find(({ currentTxnStartOffset }) => currentTxnStartOffset >= 0)
          if (open !== undefined)
            throw new Error(`${name}-${partitionIndex} has an open transaction of ${open.producerId}`)
        }
      }
      // Who reads all of it now sees what was seen while it was written.
      for (const { topic, partition, records } of outputs) {
        const reader = new StableReader(topic, partition)
        do await reader.read(wire, 0)
        while (!reader.isAtEnd)
        const isSame = ({ offset, value }: StableRecord, nth: number) =>
          reader.records[nth]?.offset === offset && reader.records[nth].value === value
        const at = records.findIndex((record, nth) => !isSame(record, nth))
        if (at < 0 && reader.records.length === records.length) continue
        const [then, now] = [records, reader.records].map((all) => JSON.stringify(all[at < 0 ? records.length : at]))
        throw new Error(`${topic}-${partition} is not what its consumer was served: ${then} then, ${now} now`)
      }
    })
  }

  /** Does something on a connection of its own; on another one, from the beginning, when the broker dies meanwhile. */
  async #patiently<T>(run: (wire: WireClient) => Promise<T>): Promise<T> {
    for (;;) {
      const wire = await WireClient.connect(this.#address).catch(() => null)
      try {
        if (wire !== null) return await run(wire)
      } catch (error) {
        if (wire?.socket.destroyed !== true) throw error
      } finally {
        wire?.close()
      }
      if (this.#server?.child.exitCode !== null && this.#server?.child.signalCode === null) {
        throw new Error('the broker has ended by itself')
      }
      await sleep(RETRY_MS)
    }
  }
}

/** In each partition, the records of each source are those of the undisturbed run, in its order. */
function verifySame(outputs: readonly Output[], expected: readonly Output[]): void {
  for (const [index, { topic, partition, records }] of outputs.entries()) {
    const theirs = bySource(expected[index].records)
    const ours = bySource(records)
    for (const source of new Set([...theirs.keys(), ...ours.keys()])) {
      const [one, other] = [ours.get(source) ?? [], theirs.get(source) ?? []]
      const at = other.findIndex((value, nth) => one[nth] !== value)
      if (at < 0 && one.length === other.length) continue
      const nth = at < 0 ? other.length : at
      throw new Error(
        `${topic}-${partition} has ${one.length} records of partition ${source} instead of ${other.length}: record ${nth} is ` +
          `${one[nth]} instead of ${other[nth]}`,
      )
    }
  }
}

function bySource(records: readonly StableRecord[]): Map<string, string[]> {
  const sources = new Map<string, string[]>()
  for (const { value } of records) {
    const source = value.split(':')[0]
    sources.set(source, [...(sources.get(source) ?? []), value])
  }
  return sources
}

/** A broker that has just come up does not know its transactions yet, and one of the same id may have to end first. */
async function beginWhenLoaded(producer: TransactionalProducer, timeoutMs?: number): Promise<void> {
  for (;;) {
    const error = await producer.begin(5, undefined, timeoutMs)
    if (error === 'NONE') return
    if (error !== 'COORDINATOR_LOAD_IN_PROGRESS' && error !== 'CONCURRENT_TRANSACTIONS') {
      throw new Error(`a transaction was answered ${error}`)
    }
    await sleep(RETRY_MS)
  }
}

/** One error, or one for each partition. */
async function expectNone(errors: Promise<string>): Promise<void> {
  const names = (await errors).split(' ')
  if (names.some((name) => name !== 'NONE')) throw new Error(`a transaction was answered ${names.join(' ')}`)
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}
