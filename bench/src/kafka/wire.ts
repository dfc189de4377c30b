// One connection to a broker for a load generator: whole frames in and out, as cheap as Node allows.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { ByteReader } from 'headpond/src/kafka/codec/byte-reader.ts'
import { ByteWriter } from 'headpond/src/kafka/codec/byte-writer.ts'
import type { Message } from 'headpond/src/kafka/codec/message.ts'

const SIZE_BYTES = 4
/** Reads share one buffer: what is read is copied into its frame before the next read. */
const READ_BYTES = 256 * 1024

/** Sent with every request: answers come in the order of requests, so nobody needs to tell them apart. */
const CORRELATION_ID = 1

/** A request as it goes over the wire, to be sent as often as one likes. */
export function encodeRequest<Q>(request: Message<unknown, Q>, version: number, value: Q): Buffer {
  const writer = new ByteWriter()
  writer.int32(0)
  writer.int16(request.apiKey)
  writer.int16(version)
  writer.int32(CORRELATION_ID)
  writer.stringOrNull('headpond-bench')
  if (request.isFlexible(version)) writer.uvarint(0)
  request.encode(writer, value, version)
  writer.setInt32(0, writer.sizeBytes - SIZE_BYTES)
  return writer.take()
}

export class WireConnection {
  readonly socket: Socket
  /** Gets each answer, without its size; it is the receiver's to keep. */
  onFrame: (frame: Buffer) => void = () => {}
  onFailure: (error: Error) => void = () => {}
  readonly #sizeBuffer = Buffer.alloc(SIZE_BYTES)
  #frame: Buffer | null = null
  #filledBytes = 0

  private constructor(port: number) {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
    this.socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer,
        callback: (sizeBytes) => {
          this.#receive(buffer, sizeBytes)
          return true
        },
      },
    })
  }

  static async connect(port: number): Promise<WireConnection> {
    const connection = new WireConnection(port)
    await once(connection.socket, 'connect')
    connection.socket.on('error', () => {}) // 'close' follows
    connection.socket.on('close', () => connection.onFailure(new Error('the broker closed a connection')))
    return connection
  }

  send(frame: Buffer): void {
    this.socket.write(frame)
  }

  /** One request and its answer. Not to be mixed with `onFrame`. */
  call<Q, A>(request: Message<unknown, Q>, response: Message<A, unknown>, version: number, value: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.onFailure = reject
      this.onFrame = (frame) => resolve(decodeAnswer(response, version, frame))
      this.send(encodeRequest(request, version, value))
    })
  }

  close(): void {
    this.onFailure = () => {}
    this.socket.destroy()
  }

  #receive(chunk: Buffer, endAt: number): void {
    let at = 0
    while (at < endAt) {
      const target = this.#frame ?? this.#sizeBuffer
      const takenBytes = Math.min(target.length - this.#filledBytes, endAt - at)
      chunk.copy(target, this.#filledBytes, at, at + takenBytes)
      at += takenBytes
      this.#filledBytes += takenBytes
      if (this.#filledBytes < target.length) return
      this.#filledBytes = 0
      if (this.#frame === null) {
        this.#frame = Buffer.allocUnsafeSlow(this.#sizeBuffer.readInt32BE())
      } else {
        const frame = this.#frame
        this.#frame = null
        this.onFrame(frame)
      }
    }
  }
}

const reader = new ByteReader()

export function decodeAnswer<A>(response: Message<A, unknown>, version: number, frame: Buffer): A {
  reader.open(frame, SIZE_BYTES)
  if (response.isFlexible(version)) reader.skipTags()
  return response.decode(reader, version)
}
