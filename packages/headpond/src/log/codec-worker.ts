/** The other side of codec-thread.ts: opens and packs records, one after the other, as it is told. */
import { parentPort } from 'node:worker_threads'
import type { CodecAnswer, CodecJob } from './codec-thread.ts'
import { compress, decompress } from './compression/codec.ts'

parentPort!.on('message', ({ kind, codec, bytes }: CodecJob) => {
  try {
    const result = owned(kind === 'open' ? decompress(codec, bytes) : compress(codec, bytes))
    parentPort!.postMessage({ bytes: result } satisfies CodecAnswer, [result.buffer])
  } catch (error) {
    parentPort!.postMessage({ failure: (error as Error).message } satisfies CodecAnswer)
  }
})

/** With memory of its own, which can be handed over: a library may give a part of something larger. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
    ? (bytes as Uint8Array<ArrayBuffer>)
    : new Uint8Array(bytes)
}
