import type { Client } from './client.ts'
import type { Request } from './request.ts'

/** What a client costs beside its buffers: 3.7 KB of objects, measured, and what the system keeps for a socket. */
const CLIENT_BYTES = 5120
/** A name in the client's set, and its place in the server's. Measured. */
const SUBSCRIPTION_BYTES = 128
/** Redis has a buffer of this size in every client. */
const BUFFERED_BYTES_MAX = 16384

/** What a client takes, in bytes, as CLIENT LIST shows it and `maxmemory-clients` counts it. */
export interface ClientMemory {
  /**
   * Input that is not consumed: requests behind one that waits, or one cut short, without its arguments so far; of the
   * client that runs a command all it came with.
   */
  readonly inputBytes: number
  /** Room for more of it: that of a large request counts from its header on, as in Redis, which makes it at once. */
  readonly inputFreeBytes: number
  /** Arguments of the command that runs, or of a request cut short. */
  readonly argumentBytes: number
  /** Commands queued by MULTI, and watched keys. */
  readonly queuedBytes: number
  /** Replies and messages that the peer has not taken: so many of them count as part of every client, as in Redis. */
  readonly bufferedBytes: number
  /** And the rest of them. */
  readonly outputBytes: number
  readonly totalBytes: number
}

/** @param request the command that the client runs at this moment, if it does */
export function memoryOf(client: Client, request: Request | null = null): ClientMemory {
  const { connection, transaction, tracker, parse } = client
  const carriedBytes = connection?.inputBytes ?? 0
  const isRunning = request !== null && connection !== null
  const argumentBytes = request === null ? parse.argumentBytes : argumentBytesOf(request)
  const inputBytes = isRunning ? client.engine.inputBytes : Math.max(0, carriedBytes - parse.readBytes)
  const roomBytes = connection === null ? 0 : Math.max(connection.inputBufferBytes, connection.requestBytes)
  const inputFreeBytes = Math.max(0, roomBytes - carriedBytes)
  const queuedBytes = (transaction?.memoryBytes ?? 0) + client.engine.watches.keyCountOf(client) * SUBSCRIPTION_BYTES
  const unsentBytes = connection?.unsentBytes ?? 0
  const bufferedBytes = Math.min(unsentBytes, BUFFERED_BYTES_MAX)
  const outputBytes = unsentBytes - bufferedBytes
  const nameCount = client.subscriptionCount + client.shardChannels.size + (tracker?.prefixes.size ?? 0)
  const buffersBytes = inputBytes + inputFreeBytes + argumentBytes + queuedBytes + outputBytes
  const totalBytes = CLIENT_BYTES + buffersBytes + nameCount * SUBSCRIPTION_BYTES
  return { inputBytes, inputFreeBytes, argumentBytes, queuedBytes, bufferedBytes, outputBytes, totalBytes }
}

function argumentBytesOf(request: Request): number {
  let sum = 0
  for (let index = 0; index < request.count; index++) sum += request.size(index)
  return sum
}
