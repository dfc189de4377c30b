import { getHeapStatistics } from 'node:v8'

/**
 * One stretch of memory outside the JS heap. Its address space is reserved at once and never moves: the operating
 * system gives a page only when it is first touched, so an arena costs what is used of it.
 *
 * An arena is at most 2 GiB, because offsets beyond 2^31 are several times slower to read on Node 24; more memory
 * means more arenas (see heap.ts).
 */
export const ARENA_BYTES_MAX = 2 ** 31

/**
 * How large the first arena of a server is that has its process to itself. When more than half of its heap's limit comes at once
 * from outside the heap, V8 stops everything, collects, and returns within that stop what it finds, page by page; otherwise its threads
 * return it. So an arena must be able to take the place of another below that. **(measured)**: the longest wait beside a
 * FLUSHALL ASYNC of 10 M keys was 59 ms with 2 GiB under the usual limit of 4 GiB, and is 10 with 1 GiB.
 */
export function firstArenaBytes(): number {
  const bytesMax = getHeapStatistics().heap_size_limit / 3
  return Math.min(2 ** Math.floor(Math.log2(bytesMax)), ARENA_BYTES_MAX)
}

export class Arena {
  readonly sizeBytes: number
  readonly u8: Uint8Array
  readonly u32: Uint32Array
  readonly f64: Float64Array

  constructor(sizeBytes: number) {
    const buffer = reserve(Math.min(sizeBytes, ARENA_BYTES_MAX))
    this.sizeBytes = buffer.byteLength
    this.u8 = new Uint8Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.f64 = new Float64Array(buffer)
  }
}

/** A machine that does not overcommit may refuse a large reservation: then a smaller one has to do. */
function reserve(sizeBytes: number): ArrayBuffer {
  for (let size = sizeBytes; ; size /= 2) {
    try {
      return new ArrayBuffer(size)
    } catch (error) {
      if (size <= 2 ** 20) throw error
    }
  }
}
