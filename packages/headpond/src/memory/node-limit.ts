import { BLOCK_BYTES_MAX } from './heap.ts'

/** list-max-listpack-size from -1 to -5. */
const LIMIT_BYTES = [4096, 8192, 16384, 32768, 65536]
/** Where the number of elements is the limit, a node stays below this size all the same. */
const SAFETY_LIMIT_BYTES = 8192
/** A node is one block, with room for its header and for the frame of its last element. */
export const NODE_BYTES_MAX = BLOCK_BYTES_MAX - 32

/** How large a node may get, from a value of list-max-listpack-size. */
export class NodeLimit {
  readonly bytes: number
  readonly count: number

  constructor(maxListpackSize: number) {
    if (maxListpackSize >= 0) {
      this.bytes = SAFETY_LIMIT_BYTES
      this.count = Math.max(maxListpackSize, 1)
    } else {
      this.bytes = Math.min(LIMIT_BYTES[Math.min(-maxListpackSize, LIMIT_BYTES.length) - 1], NODE_BYTES_MAX)
      this.count = Number.POSITIVE_INFINITY
    }
  }

  isExceededBy(sizeBytes: number, count: number): boolean {
    return sizeBytes > this.bytes || count > this.count
  }
}
