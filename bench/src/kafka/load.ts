// One process of load: producers that keep requests in flight, consumers that fetch as fast as they can, or both at a
// steady rate to see how long a record is under way. What is sent is made before the run.

import { fetchRequest, fetchResponse } from 'headpond/src/kafka/schemas/fetch.ts'
import { type ProduceResponse, produceRequest, produceResponse } from 'headpond/src/kafka/schemas/produce.ts'
import type { Codec } from 'headpond/src/log/record-batch.ts'
import { lastOffsetOf, recordCountOf, sizeBytesOf } from 'headpond/src/log/record-batch.ts'
import { encodeBatch } from 'headpond/src/log/records/batch.ts'
import { decodeAnswer, encodeRequest, WireConnection } from './wire.ts'

/** What all clients of the last years speak. */
const PRODUCE_VERSION = 9
const FETCH_VERSION = 11
const ZERO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

export interface ProduceLoad {
  readonly kind: 'produce'
  readonly port: number
  readonly topic: string
  readonly partitionCount: number
  /** Partitions of one request; the next request goes on with the next ones. */
  readonly partitionsPerRequest: number
  readonly recordBytes: number
  readonly batchBytes: number
  readonly codec: Codec
  /** Records have keys, of which a few thousand there are. */
  readonly hasKeys?: boolean
  readonly acks: 1 | -1
  readonly connectionCount: number
  readonly inFlightCount: number
  /** It ends after this time, or once so many bytes of records are acknowledged. */
  readonly seconds: number
  readonly bytesMax?: number
}

export interface ConsumeLoad {
  readonly kind: 'consume'
  readonly port: number
  readonly topic: string
  readonly partitionCount: number
  /** It ends when each partition is read up to its end, or after this time. */
  readonly seconds: number
  /** Where it begins in each partition, if not with its first record. */
  readonly startOffset?: number
  /** Or once it has read so much. */
  readonly bytesMax?: number
}

export interface LatencyLoad {
  readonly kind: 'latency'
  readonly port: number
  readonly topic: string
  readonly recordBytes: number
  readonly recordsPerSecond: number
  readonly acks: 1 | -1
  readonly seconds: number
}

export type Load = ProduceLoad | ConsumeLoad | LatencyLoad

export interface LoadResult {
  readonly recordCount: number
  /** As they are sent and stored: compressed if they are. */
  readonly batchBytes: number
  /** Of the records' values. */
  readonly valueBytes: number
  readonly seconds: number
  /** From sending a request to its answer, or of a record from producer to consumer. */
  readonly p50Ms: number
  readonly p99Ms: number
}

/** What the process sends: that a producer is ready to be measured, which waits for a word that it may, and how it ended. */
export interface LoadReply {
  readonly isReady?: true
  readonly result?: LoadResult
  readonly failure?: string
}

const LATENCIES_MAX = 2_000_000
/** Long enough for what a server compiles while it runs. */
const WARMUP_SECONDS = 3

/** A topic that was just made may have no leader yet: UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER. */
const SETTLING_ERRORS = [3, 5, 6]
const SETTLING_MS = 60_000

class Latencies {
  readonly #values = new Float64Array(LATENCIES_MAX)
  #count = 0

  add(milliseconds: number): void {
    if (this.#count < LATENCIES_MAX) this.#values[this.#count++] = milliseconds
  }

  at(share: number): number {
    return this.#values.subarray(0, this.#count).sort()[Math.floor(this.#count * share)] ?? 0
  }
}

/** Values that compress about as well as the JSON that people send: a third of it is random. */
function makeValue(sizeBytes: number, seed: number): Buffer {
  const value = Buffer.alloc(sizeBytes)
  let state = seed * 2654435761 + 1
  for (let at = 0; at < sizeBytes; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    value[at] = at % 3 === 0 ? 33 + ((state >>> 16) % 90) : '{"id":,"name":"order"}'.charCodeAt(at % 22)
  }
  return value
}

/** A batch of about `batchBytes` before compression. */
export function makeBatch(
  recordBytes: number,
  batchBytes: number,
  codec: Codec,
  seed = 1,
  hasKeys = false,
): { batch: Buffer; recordCount: number } {
  const recordCount = Math.max(1, Math.floor((batchBytes - 61) / (recordBytes + 8)))
  const timestampMs = Date.now()
  const records = Array.from({ length: recordCount }, (_, index) => ({
    timestampMs,
    key: hasKeys ? Buffer.from(`key ${(seed * 131 + index) % 4096}`) : null,
    value: makeValue(recordBytes, seed * 10_000 + index),
  }))
  return { batch: encodeBatch(records, { codec }), recordCount }
}

/** The first error of an answer; 0 when there is none. */
function errorCodeOf({ responses }: ProduceResponse): number {
  for (const { partitionResponses } of responses) {
    for (const { errorCode } of partitionResponses) if (errorCode !== 0) return errorCode
  }
  return 0
}

async function produce(load: ProduceLoad, ready: () => Promise<void>): Promise<LoadResult> {
  const { partitionCount, partitionsPerRequest, recordBytes, inFlightCount, acks } = load
  const { batch, recordCount: recordsPerBatch } = makeBatch(
    recordBytes,
    load.batchBytes,
    load.codec,
    1,
    load.hasKeys ?? false,
  )
  const frames: Buffer[] = []
  for (let first = 0; first < partitionCount; first += partitionsPerRequest) {
    const partitionData = Array.from(
      { length: Math.min(partitionsPerRequest, partitionCount - first) },
      (_, index) => ({
        index: first + index,
        records: batch,
      }),
    )
    const topicData = [{ name: load.topic, topicId: ZERO_ID, partitionData }]
    frames.push(encodeRequest(produceRequest, PRODUCE_VERSION, { acks, timeoutMs: 30_000, topicData }))
  }
  const batchesPerFrame = Math.min(partitionsPerRequest, partitionCount)
  const latencies = new Latencies()
  const beganAtMs = performance.now()
  let answeredCount = 0
  let next = 0
  let isMeasuring = false
  let isOver = false
  let failure: Error | null = null
  let end = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const fail = (error: Error) => {
    failure ??= error
    end()
  }
  const connections = await Promise.all(
    Array.from({ length: load.connectionCount }, () => WireConnection.connect(load.port)),
  )
  const valueBytesPerFrame = batchesPerFrame * recordsPerBatch * recordBytes
  for (const connection of connections) {
    const sentAtMs: number[] = []
    const send = () => {
      sentAtMs.push(performance.now())
      connection.send(frames[next++ % frames.length])
    }
    connection.onFailure = fail
    connection.onFrame = (frame) => {
      const tookMs = performance.now() - sentAtMs.shift()!
      const answer = decodeAnswer(produceResponse, PRODUCE_VERSION, frame)
      const errorCode = errorCodeOf(answer)
      if (errorCode !== 0) {
        const isSettling = performance.now() - beganAtMs < SETTLING_MS && SETTLING_ERRORS.includes(errorCode)
        return isSettling ? send() : fail(new Error(`Produce: error ${errorCode}`))
      }
      if (isMeasuring) {
        answeredCount++
        latencies.add(tookMs)
        if (load.bytesMax !== undefined && answeredCount * valueBytesPerFrame >= load.bytesMax) end()
      }
      if (!isOver) send()
    }
    for (let count = 0; count < inFlightCount; count++) send()
  }
  if (load.bytesMax === undefined) await Promise.race([sleep(WARMUP_SECONDS), ended])
  await ready()
  isMeasuring = true
  const startedAtMs = performance.now()
  await Promise.race([sleep(load.seconds), ended])
  const seconds = (performance.now() - startedAtMs) / 1000
  isOver = true
  for (const connection of connections) connection.close()
  if (failure !== null) throw failure
  return {
    recordCount: answeredCount * batchesPerFrame * recordsPerBatch,
    batchBytes: answeredCount * batchesPerFrame * batch.length,
    valueBytes: answeredCount * valueBytesPerFrame,
    seconds,
    p50Ms: latencies.at(0.5),
    p99Ms: latencies.at(0.99),
  }
}

/** One record, acknowledged. */
export async function produceOnce(port: number, topic: string): Promise<void> {
  const connection = await WireConnection.connect(port)
  const { batch } = makeBatch(100, 200, 'none')
  const topicData = [{ name: topic, topicId: ZERO_ID, partitionData: [{ index: 0, records: batch }] }]
  const asked = { acks: -1, timeoutMs: 30_000, topicData }
  const beganAtMs = performance.now()
  for (let errorCode = -1; errorCode !== 0; ) {
    errorCode = errorCodeOf(await connection.call(produceRequest, produceResponse, PRODUCE_VERSION, asked))
    if (errorCode !== 0 && performance.now() - beganAtMs > SETTLING_MS) throw new Error(`Produce: error ${errorCode}`)
  }
  connection.close()
}

function fetchFrame(topic: string, offsets: ReadonlyMap<number, number>, maxWaitMs: number): Buffer {
  return encodeRequest(fetchRequest, FETCH_VERSION, {
    maxWaitMs,
    minBytes: 1,
    maxBytes: 50 * 2 ** 20,
    isolationLevel: 0,
    topics: [
      {
        topic,
        topicId: ZERO_ID,
        partitions: [...offsets].map(([partition, fetchOffset]) => ({
          partition,
          fetchOffset,
          partitionMaxBytes: 2 ** 20,
        })),
      },
    ],
    forgottenTopicsData: [],
    rackId: '',
  })
}

async function consume(load: ConsumeLoad): Promise<LoadResult> {
  const connection = await WireConnection.connect(load.port)
  const { partitionCount, startOffset = 0, bytesMax = Number.POSITIVE_INFINITY } = load
  const offsets = new Map(Array.from({ length: partitionCount }, (_, partition) => [partition, startOffset]))
  const latencies = new Latencies()
  let recordCount = 0
  let batchBytes = 0
  const startedAtMs = performance.now()
  try {
    while (performance.now() - startedAtMs < load.seconds * 1000) {
      const sentAtMs = performance.now()
      const frame = await exchange(connection, fetchFrame(load.topic, offsets, 0))
      latencies.add(performance.now() - sentAtMs)
      const before = recordCount
      let isSettling = false
      for (const { partitions } of decodeAnswer(fetchResponse, FETCH_VERSION, frame).responses) {
        for (const { partitionIndex, errorCode, records } of partitions) {
          if (SETTLING_ERRORS.includes(errorCode)) isSettling = true
          else if (errorCode !== 0) throw new Error(`Fetch: error ${errorCode}`)
          if (records === null || records.length === 0) continue
          batchBytes += records.length
          let offset = 0
          for (let at = 0; at < records.length; at += sizeBytesOf(records, at)) {
            recordCount += recordCountOf(records, at)
            offset = lastOffsetOf(records, at) + 1
          }
          // Served next time after those that had nothing.
          offsets.delete(partitionIndex)
          offsets.set(partitionIndex, offset)
        }
      }
      if (isSettling) await sleep(0.02)
      else if (recordCount === before || batchBytes >= bytesMax) break
    }
  } finally {
    connection.close()
  }
  return {
    recordCount,
    batchBytes,
    valueBytes: batchBytes,
    seconds: (performance.now() - startedAtMs) / 1000,
    p50Ms: latencies.at(0.5),
    p99Ms: latencies.at(0.99),
  }
}

function exchange(connection: WireConnection, frame: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    connection.onFrame = resolve
    connection.onFailure = reject
    connection.send(frame)
  })
}

/** Every millisecond the records that are due go out in one batch, as a producer without linger sends them. */
async function measureLatency(load: LatencyLoad): Promise<LoadResult> {
  const producer = await WireConnection.connect(load.port)
  const consumer = await WireConnection.connect(load.port)
  const latencies = new Latencies()
  const batches = new Map<number, Buffer>()
  const recordCounts: number[] = []
  const sentAtMs: number[] = []
  let failure: Error | null = null
  let isMeasuring = false
  let measuredCount = 0
  const fail = (error: Error) => {
    failure ??= error
  }
  producer.onFailure = fail
  consumer.onFailure = fail
  producer.onFrame = () => {}
  let nextOffset = 0
  let seenBatches = 0
  const poll = () => consumer.send(fetchFrame(load.topic, new Map([[0, nextOffset]]), 500))
  consumer.onFrame = (frame) => {
    const nowMs = performance.now()
    const [{ partitions }] = decodeAnswer(fetchResponse, FETCH_VERSION, frame).responses
    const { errorCode, records } = partitions[0]
    if (errorCode !== 0) fail(new Error(`Fetch: error ${errorCode}`))
    for (let at = 0; records !== null && at < records.length; at += sizeBytesOf(records, at)) {
      nextOffset = lastOffsetOf(records, at) + 1
      const tookMs = nowMs - sentAtMs[seenBatches]
      if (isMeasuring) for (let index = 0; index < recordCounts[seenBatches]; index++) latencies.add(tookMs)
      if (isMeasuring) measuredCount += recordCounts[seenBatches]
      seenBatches++
    }
    poll()
  }
  poll()
  const startedAtMs = performance.now()
  let sentCount = 0
  const warmupMs = WARMUP_SECONDS * 1000
  for (;;) {
    const elapsedMs = performance.now() - startedAtMs
    if (elapsedMs > warmupMs + load.seconds * 1000 || failure !== null) break
    isMeasuring = elapsedMs > warmupMs
    const dueCount = Math.floor((elapsedMs * load.recordsPerSecond) / 1000) - sentCount
    if (dueCount > 0) {
      let frame = batches.get(dueCount)
      if (frame === undefined) {
        const { batch } = makeBatch(load.recordBytes, dueCount * (load.recordBytes + 8) + 61, 'none')
        const topicData = [{ name: load.topic, topicId: ZERO_ID, partitionData: [{ index: 0, records: batch }] }]
        frame = encodeRequest(produceRequest, PRODUCE_VERSION, { acks: load.acks, timeoutMs: 30_000, topicData })
        batches.set(dueCount, frame)
      }
      sentCount += dueCount
      recordCounts.push(dueCount)
      sentAtMs.push(performance.now())
      producer.send(frame)
    }
    await sleep(0.001)
  }
  producer.close()
  consumer.close()
  if (failure !== null) throw failure
  return {
    recordCount: measuredCount,
    batchBytes: 0,
    valueBytes: measuredCount * load.recordBytes,
    seconds: load.seconds,
    p50Ms: latencies.at(0.5),
    p99Ms: latencies.at(0.99),
  }
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

/** @param ready called before the measured time of a producer, which begins when it resolves */
export function generateLoad(load: Load, ready: () => Promise<void>): Promise<LoadResult> {
  switch (load.kind) {
    case 'produce':
      return produce(load, ready)
    case 'consume':
      return consume(load)
    case 'latency':
      return measureLatency(load)
  }
}

function readyToMeasure(): Promise<void> {
  return new Promise((resolve) => {
    process.once('message', () => resolve())
    process.send!({ isReady: true })
  })
}

if (process.send !== undefined) {
  process.once('message', (load: Load) => {
    generateLoad(load, readyToMeasure).then(
      (result) => process.send!({ result }, () => process.disconnect()),
      (error: Error) => process.send!({ failure: error.message }, () => process.disconnect()),
    )
  })
}
