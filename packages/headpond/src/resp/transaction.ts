import { copyBytes } from '../bytes/copy.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import type { Request } from './request.ts'

const SEGMENT_BYTES_MIN = 4096
const SEGMENT_BYTES_MAX = 2 ** 20

/**
 * The commands queued since MULTI. Their arguments lie one behind another in a few large segments, so that a hundred
 * thousand small commands are not a hundred thousand buffers.
 */
export class Transaction {
  /** A command could not be queued: EXEC will refuse. */
  isAborted = false
  /** A queued command may write, or has effects that replicas see. */
  hasWrites = false
  /** A queued command may need more memory. */
  needsMemory = false
  /** Bytes of all arguments. */
  queuedBytes = 0
  readonly #commands: Command[] = []
  /** For each command its segment, its number of arguments, and where each of them begins and ends there. */
  #places = new Int32Array(0)
  #placesEnd = 0
  readonly #segments: Buffer[] = []
  #segmentEnd = 0
  /** Where `next` goes on reading: a command, and its entry in `#places`. */
  #nextCommand = 0
  #nextPlace = 0

  get count(): number {
    return this.#commands.length
  }

  /** Bytes that the queue takes, the room for more included. */
  get memoryBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.length, 0) + this.#places.length * 4
  }

  /** Queues a command, which is of the kind of `kind`. */
  queue(command: Command, kind: Command, request: Request): void {
    const { count } = request
    let sizeBytes = 0
    for (let index = 0; index < count; index++) sizeBytes += request.size(index)
    const segment = this.#segmentFor(sizeBytes)
    const places = this.#placesFor(2 + count * 2)
    let place = this.#placesEnd
    places[place++] = this.#segments.length - 1
    places[place++] = count
    for (let index = 0; index < count; index++) {
      places[place++] = this.#segmentEnd
      copyBytes(request.chunk, request.start(index), request.end(index), segment, this.#segmentEnd)
      this.#segmentEnd += request.size(index)
      places[place++] = this.#segmentEnd
    }
    this.#placesEnd = place
    this.#commands.push(command)
    this.queuedBytes += sizeBytes
    if (kind.isWrite || kind.mayReplicate) this.hasWrites = true
    if (kind.denyOutOfMemory) this.needsMemory = true
  }

  /** The next command in the order of queueing, its arguments put into `request`; undefined after the last one. */
  next(request: Request): Command | undefined {
    const command = this.#commands[this.#nextCommand++]
    if (command === undefined) return undefined
    const places = this.#places
    let place = this.#nextPlace
    request.chunk = this.#segments[places[place++]]
    const count = places[place++]
    request.reserve(count)
    request.count = count
    for (let index = 0; index < count * 2; index++) request.places[index] = places[place++]
    this.#nextPlace = place
    return command
  }

  #segmentFor(sizeBytes: number): Buffer {
    const last = this.#segments.at(-1)
    if (last !== undefined && last.length - this.#segmentEnd >= sizeBytes) return last
    const grownBytes = Math.min((last?.length ?? 0) * 2, SEGMENT_BYTES_MAX)
    const segment = Buffer.allocUnsafeSlow(Math.max(sizeBytes, grownBytes, SEGMENT_BYTES_MIN))
    this.#segments.push(segment)
    this.#segmentEnd = 0
    return segment
  }

  #placesFor(count: number): Int32Array {
    const needed = this.#placesEnd + count
    if (needed > this.#places.length) {
      const grown = new Int32Array(Math.max(needed, this.#places.length * 2, 64))
      grown.set(this.#places)
      this.#places = grown
    }
    return this.#places
  }
}

/** Forgets the open MULTI of a client, and its watched keys. */
export function discardTransaction(client: Client): void {
  client.transaction = null
  client.engine.watches.unwatch(client)
  client.isWatchBroken = false
  client.updateSpecial()
}
