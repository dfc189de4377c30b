/**
 * Keys in base64. Node's own decoder takes more than memcached does, and never refuses.
 */
const PAD = 0x3d
const NO_DIGIT = 0x80

const VALUE_OF = buildTable()

function buildTable(): Uint8Array {
  const table = new Uint8Array(256).fill(NO_DIGIT)
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  for (let value = 0; value < digits.length; value++) table[digits.charCodeAt(value)] = value
  table[PAD] = 0
  return table
}

/** What bytes[start, end) stand for, or null. Bytes that are no digits are passed over, as memcached does. */
export function decodeBase64(bytes: Uint8Array, start: number, end: number): Buffer | null {
  const digits = bytes.subarray(start, end).filter((byte) => VALUE_OF[byte] !== NO_DIGIT)
  if (digits.length === 0 || digits.length % 4 !== 0) return null
  const decoded = Buffer.alloc((digits.length / 4) * 3)
  let sizeBytes = 0
  for (let at = 0; at < digits.length; at += 4) {
    const [a, b, c, d] = digits.subarray(at, at + 4)
    decoded[sizeBytes] = (VALUE_OF[a] << 2) | (VALUE_OF[b] >> 4)
    decoded[sizeBytes + 1] = (VALUE_OF[b] << 4) | (VALUE_OF[c] >> 2)
    decoded[sizeBytes + 2] = (VALUE_OF[c] << 6) | VALUE_OF[d]
    sizeBytes += 3
    const padCount = [a, b, c, d].filter((digit) => digit === PAD).length
    if (padCount > 2) return null
    if (padCount > 0) return nonEmpty(decoded.subarray(0, sizeBytes - padCount))
  }
  return nonEmpty(decoded.subarray(0, sizeBytes))
}

function nonEmpty(bytes: Buffer): Buffer | null {
  return bytes.length === 0 ? null : bytes
}
