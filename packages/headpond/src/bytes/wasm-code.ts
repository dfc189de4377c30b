// The binary format of WebAssembly, as far as it is needed here: the body of a function, instruction by instruction, and a module
// around it. Source: the WebAssembly Core Specification 2.0, chapter 5.
//
// Bytes are appended to one buffer, and no lists are joined: this runs once in a process, in the interpreter, while clients
// wait. **(measured)**: the module of a CRC takes 3 to 5 ms the first time, with lists that were joined 10.

const VALUE_I32 = 0x7f
const VALUE_I64 = 0x7e
const NO_RESULT = 0x40
const FUNCTION_TYPE = 0x60
const VECTOR = 0xfd
const SECTION = { TYPE: 1, FUNCTION: 3, MEMORY: 5, EXPORT: 7, CODE: 10 } as const
const EXPORTED = { FUNCTION: 0, MEMORY: 2 } as const
const MAGIC_AND_VERSION = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

/** What instructions on integers of one size are called in bytes. */
export interface IntegerCodes {
  readonly type: number
  readonly constant: number
  readonly load: number
  readonly store: number
  /** The exponent of the size in bytes: how loads and stores are aligned at most. */
  readonly alignment: number
  readonly xor: number
  readonly shiftRight: number
}

export const i32 = {
  type: VALUE_I32,
  constant: 0x41,
  load: 0x28,
  store: 0x36,
  alignment: 2,
  add: 0x6a,
  subtract: 0x6b,
  and: 0x71,
  xor: 0x73,
  shiftLeft: 0x74,
  shiftRight: 0x76,
  isLess: 0x49,
  isAtLeast: 0x4f,
  loadByte: 0x2d,
} as const

export const i64 = {
  type: VALUE_I64,
  constant: 0x42,
  load: 0x29,
  store: 0x37,
  alignment: 3,
  xor: 0x85,
  shiftRight: 0x88,
  /** From 32 bits, and to them. */
  extend: 0xad,
  wrap: 0xa7,
} as const

/** Of 16 bytes. */
const vector = { load: 0x00, store: 0x0b, alignment: 4, xor: 0x51 } as const

/** Appends instructions; each call returns the code, so that they stand in a line. */
export class WasmCode {
  #bytes = new Uint8Array(4096)
  #length = 0

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** One that has its operands on the stack. */
  op(code: number): this {
    return this.#byte(code)
  }

  get(local: number): this {
    return this.#byte(0x20).#byte(local)
  }

  set(local: number): this {
    return this.#byte(0x21).#byte(local)
  }

  constant({ constant }: IntegerCodes, value: number): this {
    return this.#byte(constant).#signed(value)
  }

  load({ load, alignment }: IntegerCodes, offset: number): this {
    return this.#byte(load).#byte(alignment).#unsigned(offset)
  }

  store({ store, alignment }: IntegerCodes, offset: number): this {
    return this.#byte(store).#byte(alignment).#unsigned(offset)
  }

  loadByte(offset: number): this {
    return this.#byte(i32.loadByte).#byte(0).#unsigned(offset)
  }

  vectorLoad(offset: number): this {
    return this.#byte(VECTOR).#byte(vector.load).#byte(vector.alignment).#unsigned(offset)
  }

  vectorStore(offset: number): this {
    return this.#byte(VECTOR).#byte(vector.store).#byte(vector.alignment).#unsigned(offset)
  }

  vectorXor(): this {
    return this.#byte(VECTOR).#byte(vector.xor)
  }

  /** Begins what a branch leaves at its end. */
  block(): this {
    return this.#byte(0x02).#byte(NO_RESULT)
  }

  /** Begins what a branch goes back to the beginning of. */
  loop(): this {
    return this.#byte(0x03).#byte(NO_RESULT)
  }

  whenTrue(): this {
    return this.#byte(0x04).#byte(NO_RESULT)
  }

  end(): this {
    return this.#byte(0x0b)
  }

  /** @param depth of the block or loop that is meant, counted from the innermost */
  branch(depth: number): this {
    return this.#byte(0x0c).#byte(depth)
  }

  branchIf(depth: number): this {
    return this.#byte(0x0d).#byte(depth)
  }

  // ---- Bytes ----

  list(bytes: ArrayLike<number>): this {
    while (this.#length + bytes.length > this.#bytes.length) this.#grow()
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  /** A length, and what has it. */
  sized(bytes: ArrayLike<number>): this {
    return this.#unsigned(bytes.length).list(bytes)
  }

  section(id: number, content: ArrayLike<number>): this {
    return this.#byte(id).sized(content)
  }

  #byte(byte: number): this {
    if (this.#length === this.#bytes.length) this.#grow()
    this.#bytes[this.#length++] = byte
    return this
  }

  /** LEB128, as all numbers here. */
  #unsigned(value: number): this {
    let rest = value
    for (; rest > 127; rest >>>= 7) this.#byte((rest & 127) | 128)
    return this.#byte(rest)
  }

  #signed(value: number): this {
    let rest = value
    for (; rest < -64 || rest > 63; rest >>= 7) this.#byte((rest & 127) | 128)
    return this.#byte(rest & 127)
  }

  #grow(): void {
    const grown = new Uint8Array(this.#bytes.length * 2)
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}

/**
 * A module that exports a memory, `memory`, and one function, `run`, that takes two integers of 32 bits and returns nothing.
 * @param locals behind the two of the arguments: how many there are of each type
 */
export function moduleOf(
  memoryPages: number,
  locals: readonly (readonly [count: number, { readonly type: number }])[],
  body: WasmCode,
): Uint8Array {
  const run = new WasmCode()
    .list([locals.length, ...locals.flatMap(([count, { type }]) => [count, type])])
    .list(body.bytes)
    .end()
  const names = new WasmCode()
    .list([2])
    .sized(Buffer.from('memory'))
    .list([EXPORTED.MEMORY, 0])
    .sized(Buffer.from('run'))
    .list([EXPORTED.FUNCTION, 0])
  return new WasmCode()
    .list(MAGIC_AND_VERSION)
    .section(SECTION.TYPE, [1, FUNCTION_TYPE, 2, VALUE_I32, VALUE_I32, 0])
    .section(SECTION.FUNCTION, [1, 0])
    .section(SECTION.MEMORY, [1, 0, memoryPages])
    .section(SECTION.EXPORT, names.bytes)
    .section(SECTION.CODE, new WasmCode().list([1]).sized(run.bytes).bytes).bytes
}
