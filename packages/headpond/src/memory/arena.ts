/**
 * One stretch of memory outside the JS heap. Its address space is reserved at once and never moves: the operating
 * system gives a page only when it is first touched, so an arena costs what is used of it.
 *
 * An arena is at most 2 GiB, because offsets beyond 2^31 are several times slower to read on Node 24; more memory
 * means more arenas (see heap.ts).
 */
export const ARENA_BYTES_MAX = 2 ** 31

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
