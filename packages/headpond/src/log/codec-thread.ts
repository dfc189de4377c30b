/**
 * A thread for what takes long: to open and to pack the records of large batches. A quarter of a megabyte is opened in a
 * millisecond, whatever the codec, and packed in two to seven **(measured)**; for so long every client of the process would
 * wait. The thread is started when there is first something to do, which for most logs is never.
 */
import { Worker } from 'node:worker_threads'
import { compress, decompress } from './compression/codec.ts'
import { CompressionError, TooLargeError } from './compression/compression-error.ts'
import type { Codec } from './record-batch.ts'

export interface CodecJob {
  readonly kind: 'open' | 'pack'
  readonly codec: Codec
  readonly bytes: Uint8Array
}

export type CodecAnswer = { readonly bytes: Uint8Array } | { readonly failure: string }

/** Fewer take less time here than their way there and back: an eighth of a millisecond. */
const OPENED_BYTES_MIN = 32 * 1024
/** What becomes more than this is given up here, and opened there: a kilobyte may become a megabyte, or a hundred. */
const OPENED_HERE_BYTES_MAX = 256 * 1024
const PACKED_BYTES_MIN = 8 * 1024

/** Whether records are many enough for another thread to compress them. */
export function isSlowlyPacked(codec: Codec, sizeBytes: number): boolean {
  return codec !== 'none' && sizeBytes >= PACKED_BYTES_MIN
}

/**
 * As `decompress`; a promise when it takes long, and is done by another thread. The bytes are copied there. Rejects with a
 * CompressionError, or when the thread is lost.
 */
export function decompressAside(codec: Codec, bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
  if (bytes.length < OPENED_BYTES_MIN) {
    try {
      return decompress(codec, bytes, OPENED_HERE_BYTES_MAX)
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error
    }
  }
  return thread.perform('open', codec, bytes)
}

/** As `compress`, in another thread if it is slow. The bytes are copied there. */
export async function compressAside(codec: Codec, bytes: Uint8Array): Promise<Uint8Array> {
  return isSlowlyPacked(codec, bytes.length) ? thread.perform('pack', codec, bytes) : compress(codec, bytes)
}

interface Pending {
  resolve(bytes: Uint8Array): void
  reject(error: Error): void
}

class CodecThread {
  #worker: Worker | null = null
  /** In the order in which they were sent, which is that of the answers. */
  #pending: Pending[] = []

  perform(kind: CodecJob['kind'], codec: Codec, bytes: Uint8Array): Promise<Uint8Array> {
    this.#worker ??= this.#start()
    const own = new Uint8Array(bytes)
    this.#worker.postMessage({ kind, codec, bytes: own } satisfies CodecJob, [own.buffer])
    // A process that has nothing else to do waits for this, and not for a thread that rests.
    if (this.#pending.length === 0) this.#worker.ref()
    return new Promise((resolve, reject) => this.#pending.push({ resolve, reject }))
  }

  #start(): Worker {
    // Found from this module, and from where the executable has it.
    const worker = new Worker(new URL('../log/codec-worker.js', import.meta.url), { execArgv: [] })
    worker.on('message', (answer: CodecAnswer) => {
      const { resolve, reject } = this.#pending.shift()!
      if (this.#pending.length === 0) worker.unref()
      if ('bytes' in answer) resolve(answer.bytes)
      else reject(new CompressionError(answer.failure))
    })
    worker.on('error', (error) => this.#lose(worker, error))
    worker.on('exit', () => this.#lose(worker, new Error('the thread of the codecs has ended')))
    return worker
  }

  /** The next job starts another one. */
  #lose(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return
    this.#worker = null
    const pending = this.#pending
    this.#pending = []
    for (const { reject } of pending) reject(error)
  }
}

const thread = new CodecThread()
