const COPY_LOOP_BYTES_MAX = 96

/**
 * Copies bytes between arrays that do not overlap. Short runs go byte by byte, which allocates nothing; for long ones
 * the speed of a native copy is worth the view that it takes.
 * hot: for each key and value written or sent.
 */
export function copyBytes(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start <= COPY_LOOP_BYTES_MAX) {
    let index = start
    // Four in a step: at these lengths the loop costs more than the bytes.
    for (; index + 4 <= end; index += 4, at += 4) {
      to[at] = from[index]
      to[at + 1] = from[index + 1]
      to[at + 2] = from[index + 2]
      to[at + 3] = from[index + 3]
    }
    for (; index < end; index++) to[at++] = from[index]
  } else {
    to.set(from.subarray(start, end), at)
  }
}
