/**
 * Buffers that were in use and will be again: of large values, and of large requests on their way in. A value that is put in
 * the place of another needs no memory of the system's then, and makes no garbage: V8 would go through its whole heap for
 * every few hundred buffers. **(measured)**: `SET` of 30 KB over what was there took twice the processor time, of 100 KB
 * four times.
 */

/** Larger ones are given back to the system at once. */
export const SPARE_BYTES_MAX = 4 * 2 ** 20
/** All that are kept. */
const SPARES_BYTES_MAX = 16 * 2 ** 20
/** Sixteen sizes from one power of two to the next: a buffer is at most a sixteenth longer than what it is made for. */
const CLASS_BITS = 4

/** By their size, which is that of a class; those that have not been given anything for long come first. */
const spares = new Map<number, Buffer[]>()
let sparesBytes = 0

/**
 * At least so many bytes, which are undefined. O(1) beside the allocation itself. Throws RangeError when memory is refused.
 * @param bytesMax one that is there is taken up to this size; `sizeBytes` for one that just fits
 */
export function takeBuffer(sizeBytes: number, bytesMax = sizeBytes): Buffer {
  if (sizeBytes > SPARE_BYTES_MAX) return Buffer.allocUnsafeSlow(sizeBytes)
  const classBytes = classBytesOf(sizeBytes)
  for (let size = classBytes; size <= bytesMax || size === classBytes; size = classBytesOf(size + 1)) {
    const spare = spares.get(size)?.pop()
    if (spare === undefined) continue
    sparesBytes -= size
    return spare
  }
  return Buffer.allocUnsafeSlow(classBytes)
}

/** A copy of bytes[start, end) whose memory is its own: `Buffer.from` may take it from Node's pool, beside other buffers. */
export function ownCopy(bytes: Uint8Array, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start)
  copy.set(bytes.subarray(start, end))
  return copy
}

/** Nobody uses the buffer any more, nor anything else that lies in the same memory. O(1). */
export function giveBuffer(bytes: Uint8Array): void {
  const { buffer } = bytes
  const sizeBytes = buffer.byteLength
  if (sizeBytes > SPARE_BYTES_MAX || classBytesOf(sizeBytes) !== sizeBytes || buffer instanceof SharedArrayBuffer)
    return
  makeRoom(sizeBytes)
  const ofClass = spares.get(sizeBytes)
  const whole = bytes.length === sizeBytes && bytes instanceof Buffer ? bytes : Buffer.from(buffer)
  if (ofClass === undefined) spares.set(sizeBytes, [whole])
  else ofClass.push(whole)
  sparesBytes += sizeBytes
}

function makeRoom(sizeBytes: number): void {
  if (sparesBytes + sizeBytes <= SPARES_BYTES_MAX) return
  for (const [classBytes, ofClass] of spares) {
    while (ofClass.pop() !== undefined) {
      sparesBytes -= classBytes
      if (sparesBytes + sizeBytes <= SPARES_BYTES_MAX) return
    }
    spares.delete(classBytes)
  }
}

function classBytesOf(sizeBytes: number): number {
  const stepBits = Math.max(0, 31 - Math.clz32(sizeBytes - 1) - CLASS_BITS)
  return (((sizeBytes - 1) >>> stepBits) + 1) << stepBits
}
