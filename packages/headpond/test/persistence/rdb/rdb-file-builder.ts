/**
 * RDB files written out by hand, as servers made them that cannot be had today: the layouts of old versions follow
 * Redis's sources (rdb.c, ziplist.c, zipmap.c, intset.c of the version named).
 */
import { CRC64_SIZE_BYTES, Crc64 } from '#src/bytes/crc64.ts'
import { GrowingBuffer } from '#src/bytes/growing-buffer.ts'
import { RdbWriter } from '#src/persistence/rdb/encoding.ts'
import { OPCODE } from '#src/persistence/rdb/file-format.ts'

export class RdbFileBuilder {
  readonly #version: number
  readonly #writer = new RdbWriter(new GrowingBuffer(), false)

  constructor(version: number, magic = 'REDIS') {
    this.#version = version
    this.raw(Buffer.from(`${magic}${String(version).padStart(4, '0')}`))
  }

  raw(bytes: Uint8Array | readonly number[]): this {
    this.#writer.writeBytes(Uint8Array.from(bytes))
    return this
  }

  opcode(opcode: number, write: (writer: RdbWriter) => void = () => {}): this {
    this.#writer.writeByte(opcode)
    write(this.#writer)
    return this
  }

  aux(name: string, text: string): this {
    return this.opcode(OPCODE.AUX, (writer) => {
      writer.writeString(Buffer.from(name))
      writer.writeString(Buffer.from(text))
    })
  }

  select(database: number): this {
    return this.opcode(OPCODE.SELECT_DB, (writer) => writer.writeLength(database))
  }

  expireAt(ms: number): this {
    return this.opcode(OPCODE.EXPIRE_MS, (writer) => writer.writeMilliseconds(ms))
  }

  key(type: number, name: string, write: (writer: RdbWriter) => void): this {
    return this.opcode(type, (writer) => {
      writer.writeString(Buffer.from(name))
      write(writer)
    })
  }

  /** The file, with a checksum where its version has one. */
  end(checksum: 'right' | 'none' | 'wrong' = 'right'): Buffer {
    this.opcode(OPCODE.EOF)
    if (this.#version >= 5) {
      const crc = new Crc64()
      const { buffer } = this.#writer
      crc.update(buffer.bytes, 0, buffer.length)
      const bytes = new Uint8Array(CRC64_SIZE_BYTES)
      if (checksum !== 'none') crc.writeTo(bytes, 0)
      if (checksum === 'wrong') bytes[0] ^= 1
      this.raw(bytes)
    }
    return Buffer.from(this.#writer.buffer.toBytes())
  }
}

/** A ziplist of short texts and of integers, which it encodes as such. */
export function ziplist(...elements: readonly (string | number)[]): Buffer {
  const entries: number[][] = elements.map((element) => {
    if (typeof element === 'string') return [element.length, ...Buffer.from(element)]
    if (element >= 0 && element <= 12) return [0xf1 + element]
    const bytes = Buffer.alloc(4)
    bytes.writeInt32LE(element)
    return [0xd0, ...bytes]
  })
  const body: number[] = []
  let previousBytes = 0
  let tail = 10
  for (const entry of entries) {
    tail = 10 + body.length
    body.push(previousBytes, ...entry)
    previousBytes = entry.length + 1
  }
  const header = Buffer.alloc(10)
  header.writeUInt32LE(11 + body.length, 0)
  header.writeUInt32LE(tail, 4)
  header.writeUInt16LE(entries.length, 8)
  return Buffer.concat([header, Buffer.from([...body, 0xff])])
}

/** A zipmap of short texts, each value with two idle bytes. */
export function zipmap(...elements: readonly string[]): Buffer {
  const body = elements.flatMap((element, index) => {
    const text = [...Buffer.from(element)]
    return index % 2 === 0 ? [text.length, ...text] : [text.length, 2, ...text, 0, 0]
  })
  return Buffer.from([elements.length / 2, ...body, 0xff])
}

/** An intset of integers in their order, of 16 bits each. */
export function intset(...integers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 + integers.length * 2)
  bytes.writeUInt32LE(2, 0)
  bytes.writeUInt32LE(integers.length, 4)
  for (const [index, integer] of integers.entries()) bytes.writeInt16LE(integer, 8 + index * 2)
  return bytes
}
