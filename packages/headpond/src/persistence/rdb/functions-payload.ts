/**
 * What FUNCTION DUMP answers and FUNCTION RESTORE takes: the libraries as they stand in an RDB file, and the footer of
 * DUMP behind them.
 *
 *   | FUNCTION | code | FUNCTION | code | ... | version | crc |
 */

import { GrowingBuffer } from '../../bytes/growing-buffer.ts'
import { openPayload, sealPayload } from './dump-payload.ts'
import { type RdbReader, RdbWriter } from './encoding.ts'
import { OPCODE } from './file-format.ts'
import { RdbError } from './rdb-error.ts'

/** `codes` are the libraries' sources; `compresses` as for RdbWriter. */
export function createFunctionsPayload(codes: readonly Uint8Array[], compresses: boolean): Uint8Array {
  const writer = new RdbWriter(new GrowingBuffer(), compresses)
  for (const code of codes) {
    writer.writeByte(OPCODE.FUNCTION)
    writer.writeString(code)
  }
  return sealPayload(writer)
}

export interface FunctionsPayload {
  /** The sources of the libraries, as far as they can be read. */
  readonly codes: readonly Uint8Array[]
  /** Why what is behind them cannot, as Redis words it; null when there is nothing. */
  readonly error: string | null
}

/** What is in bytes[start, end). */
export function readFunctionsPayload(bytes: Uint8Array, start: number, end: number): FunctionsPayload {
  const reader = openPayload(bytes, start, end)
  const codes: Uint8Array[] = []
  if (reader === undefined) return { codes, error: 'DUMP payload version or checksum are wrong' }
  while (reader.left > 0) {
    const opcode = reader.readByte()
    if (opcode !== OPCODE.FUNCTION && opcode !== OPCODE.FUNCTION_PRE) {
      return { codes, error: 'given type is not a function' }
    }
    try {
      codes.push(opcode === OPCODE.FUNCTION ? Uint8Array.from(reader.readString()) : readPreRelease(reader))
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
      return { codes, error: 'Failed loading library payload' }
    }
  }
  return { codes, error: null }
}

/** The release candidates of 7.0 kept what is the first line of the code now in fields of their own. */
function readPreRelease(reader: RdbReader): Uint8Array {
  const name = reader.readString()
  const engine = reader.readString()
  const hasDescription = reader.readLength() !== 0
  if (hasDescription) reader.readString()
  const code = reader.readString()
  return Buffer.concat([Buffer.from('#!'), engine, Buffer.from(' name='), name, Buffer.from('\n'), code])
}
