import { UsageError } from './kafka-cli-error.ts'

/** How the bytes of a key or a value are shown, and written. */
export type ByteFormat = 'text' | 'json' | 'hex' | 'base64' | 'int32' | 'int64' | 'double'

export const BYTE_FORMATS: readonly ByteFormat[] = ['text', 'json', 'hex', 'base64', 'int32', 'int64', 'double']

/** Throws UsageError. */
export function byteFormat(name: string, text: string | undefined): ByteFormat {
  if (text === undefined) return 'text'
  const format = BYTE_FORMATS.find((each) => each === text)
  if (format === undefined) throw new UsageError(`${name}: one of ${BYTE_FORMATS.join(', ')}, not ${text}`)
  return format
}

const SIZES: Readonly<Partial<Record<ByteFormat, number>>> = { int32: 4, int64: 8, double: 8 }
const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What is no UTF-8, or has not the size of its number, is shown as 0x... */
export function showBytes(bytes: Uint8Array, format: ByteFormat): string {
  const value = readValue(bytes, format)
  return value === undefined ? `0x${Buffer.from(bytes).toString('hex')}` : String(value)
}

/**
 * The same for JSON: text, numbers (64-bit integers as text when a number cannot hold them), documents in the format
 * `json`; what cannot be shown so is `{"base64": "..."}`, which `parseJsonValue` takes back.
 */
export function jsonBytes(bytes: Uint8Array | null, format: ByteFormat): unknown {
  if (bytes === null) return null
  if (format === 'json') {
    try {
      return JSON.parse(strictText.decode(bytes))
    } catch {
      return jsonBytes(bytes, 'text')
    }
  }
  const value = readValue(bytes, format)
  if (value === undefined) return { base64: Buffer.from(bytes).toString('base64') }
  if (typeof value !== 'bigint') return value
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
}

/** The bytes that a person wrote. Throws UsageError. */
export function parseBytes(text: string, format: ByteFormat): Buffer {
  switch (format) {
    case 'text':
      return Buffer.from(text)
    case 'json':
      try {
        return Buffer.from(JSON.stringify(JSON.parse(text)))
      } catch {
        throw new UsageError(`not JSON: ${text}`)
      }
    case 'hex': {
      const digits = text.replace(/^0x/i, '')
      if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new UsageError(`not hex: ${text}`)
      return Buffer.from(digits, 'hex')
    }
    case 'base64':
      if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new UsageError(`not base64: ${text}`)
      return Buffer.from(text, 'base64')
    default:
      return numberBytes(text, format)
  }
}

/** As `jsonBytes` shows it. Throws UsageError. */
export function parseJsonValue(value: unknown, format: ByteFormat): Buffer | null {
  if (value === null || value === undefined) return null
  if (format === 'json') return Buffer.from(JSON.stringify(value))
  if (typeof value === 'string' || typeof value === 'number') return parseBytes(String(value), format)
  const { base64 } = value as { base64?: unknown }
  if (typeof base64 === 'string') return parseBytes(base64, 'base64')
  // A document where text is expected is meant as what it looks like.
  if (format === 'text') return Buffer.from(JSON.stringify(value))
  throw new UsageError(`not ${format}: ${JSON.stringify(value)}`)
}

function readValue(bytes: Uint8Array, format: ByteFormat): string | number | bigint | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const sizeBytes = SIZES[format]
  if (sizeBytes !== undefined && buffer.length !== sizeBytes) return undefined
  switch (format) {
    case 'hex':
    case 'base64':
      return buffer.toString(format)
    case 'int32':
      return buffer.readInt32BE()
    case 'int64':
      return buffer.readBigInt64BE()
    case 'double':
      return buffer.readDoubleBE()
    default:
      try {
        return strictText.decode(bytes)
      } catch {
        return undefined
      }
  }
}

function numberBytes(text: string, format: 'int32' | 'int64' | 'double'): Buffer {
  const bytes = Buffer.alloc(format === 'int32' ? 4 : 8)
  try {
    if (format === 'int64') bytes.writeBigInt64BE(BigInt(text))
    else if (text.trim() === '' || Number.isNaN(Number(text))) throw new RangeError()
    else if (format === 'double') bytes.writeDoubleBE(Number(text))
    else if (!Number.isInteger(Number(text))) throw new RangeError()
    else bytes.writeInt32BE(Number(text))
  } catch {
    throw new UsageError(`not ${format === 'double' ? 'a number' : `an ${format}`}: ${text}`)
  }
  return bytes
}
