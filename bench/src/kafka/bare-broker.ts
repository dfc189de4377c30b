// What Node alone can do: a server that receives batches, computes their CRC-32C, writes what a turn brought to a file and answers, in
// Node's cheapest way, and nothing in between. It takes all requests of a load for the same one: the first of each size is
// decoded, and those after it have their batches where that one had them, and get its answer.
//
//   node bare-broker.js PORT DIRECTORY

import { openSync, writeSync } from 'node:fs'
import { createServer, Socket } from 'node:net'
import { join } from 'node:path'
import { ByteReader, ZERO_UUID } from 'headpond/src/kafka/codec/byte-reader.ts'
import { ByteWriter } from 'headpond/src/kafka/codec/byte-writer.ts'
import type { Message } from 'headpond/src/kafka/codec/message.ts'
import { createTopicsRequest, createTopicsResponse } from 'headpond/src/kafka/schemas/create-topics.ts'
import { metadataRequest, metadataResponse } from 'headpond/src/kafka/schemas/metadata.ts'
import { produceRequest, produceResponse } from 'headpond/src/kafka/schemas/produce.ts'
import { crc32c } from 'headpond/src/log/crc32c.ts'

const [port, directory] = process.argv.slice(2)
const SIZE_BYTES = 4
const CORRELATION_ID_AT = SIZE_BYTES + 2 + 2
/** What a read takes at most: as Headpond's. */
const READ_BYTES = 128 * 1024
const FILE_BUFFER_BYTES = 2 ** 20
/** Twice the largest request and a read. */
const INPUT_BYTES = 16 * 2 ** 20
/** In a batch: what it covers begins behind it. */
const CRC_AT = 17

/** Where requests of a size have their batches, and what each of them is answered with. */
interface Shape {
  readonly batches: readonly { readonly at: number; readonly sizeBytes: number; readonly file: BatchFile }[]
  readonly answer: Buffer
}

/** One for each partition. */
class BatchFile {
  readonly #fd: number
  readonly #buffer = Buffer.alloc(FILE_BUFFER_BYTES)
  #filledBytes = 0

  constructor(name: string) {
    this.#fd = openSync(join(directory, name), 'w')
  }

  add(bytes: Buffer, start: number, end: number): void {
    if (this.#filledBytes + end - start > FILE_BUFFER_BYTES) this.write()
    this.#filledBytes += bytes.copy(this.#buffer, this.#filledBytes, start, end)
  }

  write(): void {
    if (this.#filledBytes > 0) writeSync(this.#fd, this.#buffer, 0, this.#filledBytes)
    this.#filledBytes = 0
  }
}

class Peer {
  readonly #socket: Socket
  #answers: Buffer[] = []

  constructor(socket: Socket) {
    this.#socket = socket
  }

  answer(bytes: Buffer): void {
    this.#answers.push(bytes)
    if (this.#answers.length === 1) waiting.push(this)
  }

  flush(): void {
    this.#socket.write(this.#answers.length === 1 ? this.#answers[0] : Buffer.concat(this.#answers))
    this.#answers = []
  }
}

const files = new Map<string, BatchFile>()
const shapes = new Map<number, Shape>()
const partitionCounts = new Map<string, number>()
let waiting: Peer[] = []

function encodeAnswer<A>(response: Message<unknown, A>, version: number, value: A): Buffer {
  const writer = new ByteWriter()
  writer.int32(0)
  writer.int32(0)
  if (response.isFlexible(version)) writer.uvarint(0)
  response.encode(writer, value, version)
  writer.setInt32(0, writer.sizeBytes - SIZE_BYTES)
  return writer.take()
}

/** @param bytes one request of its own, in a version with tags */
function shapeOf(bytes: Buffer): Shape {
  const reader = new ByteReader().open(bytes, SIZE_BYTES)
  const key = reader.int16()
  const version = reader.int16()
  reader.int32()
  reader.stringOrNull()
  reader.skipTags()
  if (key === createTopicsRequest.apiKey) {
    const { topics } = createTopicsRequest.decode(reader, version)
    for (const { name, numPartitions } of topics) partitionCounts.set(name, numPartitions)
    const answers = topics.map(({ name }) => ({
      name,
      topicId: ZERO_UUID,
      errorCode: 0,
      errorMessage: null,
      configs: [],
    }))
    return { batches: [], answer: encodeAnswer(createTopicsResponse, version, { topics: answers }) }
  }
  if (key === metadataRequest.apiKey) {
    const topics = (metadataRequest.decode(reader, version).topics ?? []).map(({ name }) => ({
      errorCode: 0,
      name,
      topicId: ZERO_UUID,
      partitions: Array.from({ length: partitionCounts.get(name ?? '') ?? 0 }, (_, partitionIndex) => ({
        ...{ errorCode: 0, partitionIndex, leaderId: 1, replicaNodes: [1], isrNodes: [1], offlineReplicas: [] },
      })),
    }))
    const brokers = [{ nodeId: 1, host: '127.0.0.1', port: Number(port) }]
    return { batches: [], answer: encodeAnswer(metadataResponse, version, { errorCode: 0, brokers, topics }) }
  }
  const { topicData } = produceRequest.decode(reader, version)
  const batches = topicData.flatMap(({ name, partitionData }) =>
    partitionData.map(({ index, records }) => {
      const path = `${name}-${index}`
      const file = files.get(path) ?? new BatchFile(path)
      files.set(path, file)
      return { at: records!.byteOffset - bytes.byteOffset, sizeBytes: records!.length, file }
    }),
  )
  const responses = topicData.map(({ name, partitionData }) => ({
    name,
    topicId: ZERO_UUID,
    partitionResponses: partitionData.map(({ index }) => ({ index, errorCode: 0, baseOffset: 0, recordErrors: [] })),
  }))
  return { batches, answer: encodeAnswer(produceResponse, version, { responses }) }
}

function run(peer: Peer, bytes: Buffer, at: number, sizeBytes: number): void {
  let shape = shapes.get(sizeBytes)
  if (shape === undefined) {
    shape = shapeOf(Buffer.from(bytes.subarray(at, at + sizeBytes)))
    if (shape.batches.length > 0) shapes.set(sizeBytes, shape)
  }
  for (const batch of shape.batches) {
    const start = at + batch.at
    const end = start + batch.sizeBytes
    const covered = start + CRC_AT + 4
    if (crc32c(bytes, covered, end) !== bytes.readUInt32BE(start + CRC_AT)) throw new Error('a batch is damaged')
    batch.file.add(bytes, start, end)
  }
  const answer = Buffer.from(shape.answer)
  bytes.copy(answer, SIZE_BYTES, at + CORRELATION_ID_AT, at + CORRELATION_ID_AT + 4)
  if (waiting.length === 0) setImmediate(endTurn)
  peer.answer(answer)
}

function endTurn(): void {
  for (const file of files.values()) file.write()
  const peers = waiting
  waiting = []
  for (const peer of peers) peer.flush()
}

/** Runs the whole requests in bytes[start, end), and returns where the rest begins. */
function consume(peer: Peer, bytes: Buffer, start: number, end: number): number {
  let at = start
  while (end - at >= SIZE_BYTES) {
    const sizeBytes = SIZE_BYTES + bytes.readInt32BE(at)
    if (end - at < sizeBytes) break
    run(peer, bytes, at, sizeBytes)
    at += sizeBytes
  }
  return at
}

function serve(accepted: Socket): void {
  const internals = accepted as unknown as { _handle: unknown }
  const buffer = Buffer.alloc(READ_BYTES)
  const input = Buffer.alloc(INPUT_BYTES)
  let start = 0
  let end = 0
  const callback = (sizeBytes: number) => {
    if (start < end) {
      if (end + sizeBytes > INPUT_BYTES) {
        input.copyWithin(0, start, end)
        end -= start
        start = 0
      }
      end += buffer.copy(input, end, 0, sizeBytes)
      start = consume(peer, input, start, end)
    } else {
      const consumed = consume(peer, buffer, 0, sizeBytes)
      start = 0
      end = buffer.copy(input, 0, consumed, sizeBytes)
    }
    return true
  }
  const options = { handle: internals._handle, onread: { buffer, callback } }
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0])
  internals._handle = null
  const peer = new Peer(socket)
  socket.on('error', () => {})
  socket.resume()
}

createServer({ noDelay: true, pauseOnConnect: true }, serve).listen(Number(port), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
