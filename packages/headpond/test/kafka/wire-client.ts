/**
 * A client of Kafka's protocol for tests that is as strict as the strictest: it encodes what it is told, byte by byte from
 * the declarations, and takes nothing that a client would not: answers out of order, with another correlation id, with a
 * header of the wrong version, cut, or with bytes left over.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { ByteReader } from '#src/kafka/codec/byte-reader.ts'
import { ByteWriter } from '#src/kafka/codec/byte-writer.ts'
import type { Message } from '#src/kafka/codec/message.ts'

/** The answer to ApiVersions has no tags in its header, whatever its version. */
const API_VERSIONS_KEY = 18
const ANSWER_TIMEOUT_MS = 20_000

interface Expected {
  /** Null: it is no answer to a request. */
  readonly correlationId: number | null
  resolve(frame: Buffer): void
  reject(error: Error): void
}

export class WireClient {
  readonly socket: Socket
  /** Resolves when the server has ended the connection. */
  readonly closed: Promise<void>
  clientId: string | null = 'wire-client'
  #nextCorrelationId = 1
  /** In the order of the requests, which must be that of the answers. */
  readonly #expected: Expected[] = []
  /** What has arrived and is not delivered. */
  #received: Buffer[] = []
  #receivedBytes = 0
  #problem: Error | null = null

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#fail(new Error('the server has closed the connection'))
        resolve()
      })
    })
    socket.on('error', () => {}) // 'close' follows
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
  }

  /** @param address a port, or `host:port` as `server.urls.kafka` has it */
  static async connect(address: number | string, host = '127.0.0.1'): Promise<WireClient> {
    const [hostGiven, port] = typeof address === 'number' ? [host, address] : address.split(':')
    const socket = connect({ host: hostGiven, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    return new WireClient(socket)
  }

  /** Sends a request and waits for its answer; checks everything about it that is not its content. */
  call<Q, A>(request: Message<unknown, Q>, response: Message<A, unknown>, version: number, value: Q): Promise<A> {
    const correlationId = this.send(request, version, value)
    return this.receive(response, version, correlationId)
  }

  /** Sends a request without waiting for anything. Returns its correlation id, for `receive`. */
  send<Q>(request: Message<unknown, Q>, version: number, value: Q): number {
    const correlationId = this.#nextCorrelationId++
    this.sendBytes(this.encode(request, version, value, correlationId))
    return correlationId
  }

  /** A whole frame: size, header, body. */
  encode<Q>(request: Message<unknown, Q>, version: number, value: Q, correlationId: number): Buffer {
    const writer = new ByteWriter()
    writer.int32(0)
    writer.int16(request.apiKey)
    writer.int16(version)
    writer.int32(correlationId)
    writer.stringOrNull(this.clientId)
    if (request.isFlexible(version)) writer.uvarint(0)
    request.encode(writer, value, version)
    writer.setInt32(0, writer.sizeBytes - 4)
    return writer.take()
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  /** The next answer, which must be the one to this request. To be called in the order of the requests. */
  async receive<A>(response: Message<A, unknown>, version: number, correlationId: number): Promise<A> {
    const frame = await this.receiveFrame(correlationId)
    const reader = new ByteReader().open(frame, 4)
    if (response.isFlexible(version) && response.apiKey !== API_VERSIONS_KEY) {
      assert.equal(reader.uvarint(), 0, 'tags in the header of an answer that nobody has asked for')
    }
    const answer = response.decode(reader, version)
    assert.equal(reader.leftBytes, 0, `bytes left over behind ${response.name} of version ${version}`)
    return answer
  }

  /** The next answer without its size, which must have this correlation id. */
  async receiveFrame(correlationId: number): Promise<Buffer> {
    if (this.#problem !== null) throw this.#problem
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        timer = setTimeout(() => reject(new Error('no answer')), ANSWER_TIMEOUT_MS)
        this.#expected.push({ correlationId, resolve, reject })
        this.#deliver()
      })
    } finally {
      clearTimeout(timer)
    }
  }

  /** What comes next without the header of an answer: a bare token. */
  async receiveBare(): Promise<Buffer> {
    if (this.#problem !== null) throw this.#problem
    return new Promise<Buffer>((resolve, reject) => {
      this.#expected.push({ correlationId: null, resolve, reject })
      this.#deliver()
    })
  }

  /** Answers that have arrived and that nobody has asked for yet. */
  get unclaimedBytes(): number {
    return this.#receivedBytes
  }

  close(): void {
    this.socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk)
    this.#receivedBytes += chunk.length
    this.#deliver()
  }

  #deliver(): void {
    while (this.#expected.length > 0) {
      if (this.#receivedBytes < 4) return
      const sizeBytes = 4 + this.#front(4).readInt32BE(0)
      if (this.#receivedBytes < sizeBytes) return
      const front = this.#front(sizeBytes)
      const frame = front.subarray(4, sizeBytes)
      this.#received[0] = front.subarray(sizeBytes)
      this.#receivedBytes -= sizeBytes
      const expected = this.#expected.shift()!
      if (expected.correlationId === null) {
        expected.resolve(frame)
        continue
      }
      const correlationId = frame.readInt32BE(0)
      if (correlationId === expected.correlationId) expected.resolve(frame)
      else expected.reject(new Error(`the answer to request ${correlationId} instead of ${expected.correlationId}`))
    }
  }

  /** A buffer that begins with the first bytes of what has arrived. */
  #front(countBytes: number): Buffer {
    if (this.#received[0].length < countBytes) this.#received = [Buffer.concat(this.#received)]
    return this.#received[0]
  }

  #fail(error: Error): void {
    this.#problem = error
    for (const { reject } of this.#expected.splice(0)) reject(error)
  }
}
