// What is used of Node's sockets beneath their streams, in one place: the handle that a socket wraps. Each function has
// the public way beside it, for runtimes and versions that lack what it wants.
//
// A stream keeps a queue, counts, callbacks of `nextTick` and a timer for each read and write. A reply that the kernel takes whole needs
// none of it. **(measured)**: single requests cost a twentieth less of processor time, and their slowest hundredth comes as much sooner.

import { Socket } from 'node:net'

/** What Node's sockets know of their input and output. */
export interface SocketHandle {
  readonly fd?: number
  /** Bytes handed to the system or waiting inside the handle, since the start. */
  readonly bytesWritten?: number
  /** Bytes waiting inside the handle. */
  readonly writeQueueSize?: number
  reading: boolean
  readStop(): number
  onread: (this: SocketHandle, bytes?: ArrayBuffer) => void
  useUserBuffer?: (buffer: Buffer) => void
  /** Writes at once what the system takes. What it does not is `request`'s, whose `oncomplete` is called in the end. */
  writeBuffer?: (request: WriteRequest, bytes: Uint8Array) => number
}

interface WriteRequest {
  oncomplete?: (status: number) => void
  /** Keeps the bytes alive. */
  bytes?: Uint8Array
}

/** How handles tell of the last read and write: not by values that are returned. */
interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
}

const streamWrap = findStreamWrap()
/** Taken by the first write that the system does not take whole, and replaced. */
let spareRequest = streamWrap === null ? null : new streamWrap.WriteWrap()

function findStreamWrap(): StreamWrap | null {
  try {
    const { binding } = process as unknown as { binding: (name: string) => Partial<StreamWrap> }
    const found = binding.call(process, 'stream_wrap')
    const isKnown =
      typeof found.WriteWrap === 'function' &&
      found.streamBaseState instanceof Int32Array &&
      typeof found.kReadBytesOrError === 'number' &&
      typeof found.kLastWriteWasAsync === 'number'
    return isKnown ? (found as StreamWrap) : null
  } catch {
    return null // another runtime, or one that permits no such thing
  }
}

/** Null once the socket is closed, and where sockets have no such thing. */
export function handleOf(socket: Socket): SocketHandle | null {
  return (socket as unknown as { _handle?: SocketHandle | null })._handle ?? null
}

/**
 * Writes to a socket that has nothing waiting to be written, around its stream. `onWritten` is called when the
 * system has taken, later, what it did not take at once; `bytes` are needed until then.
 *
 * @returns whether the system took everything, or will; 'none' when nothing was written and it is the stream's to write, or to fail
 */
export function writeDirectly(
  handle: SocketHandle,
  bytes: Uint8Array,
  onWritten: (isRefused: boolean) => void,
): 'taken' | 'pending' | 'none' {
  if (spareRequest === null || handle.writeBuffer === undefined) return 'none'
  if (handle.writeBuffer(spareRequest, bytes) !== 0) return 'none'
  if (streamWrap!.streamBaseState[streamWrap!.kLastWriteWasAsync] === 0) return 'taken'
  spareRequest.bytes = bytes
  spareRequest.oncomplete = (status) => onWritten(status < 0)
  spareRequest = new streamWrap!.WriteWrap()
  return 'pending'
}

/**
 * Makes an accepted socket read into a buffer of ours instead of a new one for each read; `onRead` says whether to go on
 * reading at once. Node offers this for sockets that one makes oneself, so the accepted connection's handle is given to one.
 */
export function readInto(accepted: Socket, buffer: Buffer, onRead: (sizeBytes: number) => boolean): Socket {
  const internals = accepted as unknown as { _handle: SocketHandle | null; _server: unknown; server: unknown }
  const handle = handleOf(accepted)
  if (handle === null) {
    // Another runtime, or a peer that has gone already: the public way, one copy more.
    accepted.on('data', (data: Buffer) => {
      for (let at = 0; at < data.length; at += buffer.length) {
        onRead(data.copy(buffer, 0, at, Math.min(at + buffer.length, data.length)))
      }
    })
    return accepted
  }
  internals._handle = null
  const options = { handle, allowHalfOpen: true, onread: { buffer, callback: onRead } }
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0])
  // The server counts the connection until this socket closes.
  const adopted = socket as unknown as { _server: unknown; server: unknown }
  adopted._server = internals._server
  adopted.server = internals.server
  internals._server = null
  internals.server = null
  readDirectly(handle, onRead)
  return socket
}

/** Lets what was read come from the handle itself; its end, and what goes wrong, remains the stream's. */
function readDirectly(handle: SocketHandle, onRead: (sizeBytes: number) => boolean): void {
  if (streamWrap === null || typeof handle.onread !== 'function') return
  const { streamBaseState, kReadBytesOrError } = streamWrap
  const readByStream = handle.onread
  handle.onread = function (bytes) {
    const sizeBytes = streamBaseState[kReadBytesOrError]
    if (sizeBytes <= 0) return readByStream.call(this, bytes)
    if (onRead(sizeBytes) || !this.reading) return
    this.reading = false
    this.readStop()
  }
}

/** Lets a socket made by `readInto` read into another buffer from now on. False where that is not possible. */
export function readsInto(socket: Socket, buffer: Buffer): boolean {
  const handle = handleOf(socket)
  if (handle?.useUserBuffer === undefined) return false
  handle.useUserBuffer(buffer)
  return true
}
