// The loop of a reflected CRC for inputs that are not short, as a WebAssembly module: with vectors, and words of 64 bits, which
// JavaScript lacks.
//
// A CRC is what is left of its input, a polynomial, when it is divided by another one; it stays the same when a multiple of the
// divisor is added, which is to say: xored. With a multiple of few terms, a block of the input is taken away by xoring it into a few
// blocks behind it, and so on from the first to the last: this is called folding. The processor waits for nothing here, while in a
// table the next byte's place depends on all before it. Terms whose distances are multiples of a whole number of bytes are to be had
// from any multiple, by squaring it: (a + b)² = a² + b² where 1 + 1 = 0.
//
// What is left at the end, as long as the multiple, goes through tables, eight bytes at once ("slicing by eight"): a table for each of
// them says what it does to the CRC when so many more follow.

import { i32, i64, moduleOf, WasmCode } from './wasm-code.ts'
import { CompileError, Instance, Module, type WasmMemory, type WasmModule } from './web-assembly.ts'

export interface CrcParameters {
  /** Size of the CRC. */
  readonly stateBytes: 4 | 8
  /** What the byte i does to the CRC when n more bytes follow it, at 256 * n + i; n < 8. Its low half, and its high half. */
  readonly tableLow: Int32Array
  readonly tableHigh: Int32Array | null
  /** How far behind a block are those that it is xored into, in bytes, ascending. Empty: all goes through tables. */
  readonly foldDistances: readonly number[]
}

const WORD_BYTES = 8
const BLOCK_BYTES = 16
/** Blocks for each jump of the loop. */
const UNROLLED_BLOCKS = 4
/** Of 64 KB: what a part of the input takes, with all before it, fits into the processor's second cache. */
const MEMORY_PAGES = 4
const STATE_AT = 0
const TABLES_AT = 16

export class CrcModule {
  /** The CRC as it stands between two calls, not inverted: its low half, and its high half. */
  readonly state: Int32Array
  readonly #memory: Uint8Array
  readonly #inputAt: number
  readonly #run: (at: number, end: number) => void

  constructor(parameters: CrcParameters) {
    const { stateBytes, tableLow, tableHigh, foldDistances } = parameters
    const tablesEnd = TABLES_AT + WORD_BYTES * 256 * stateBytes
    // Blocks are fetched from before the input: from zeros.
    this.#inputAt = roundUp(tablesEnd + longest(foldDistances), 64)
    const { memory, run } = new Instance(compile(stateBytes, foldDistances), {}).exports as {
      memory: WasmMemory
      run: (at: number, end: number) => void
    }
    this.#memory = new Uint8Array(memory.buffer)
    this.#run = run
    this.state = new Int32Array(memory.buffer, STATE_AT, 2)
    const words = new Int32Array(memory.buffer, TABLES_AT)
    for (let index = 0; index < WORD_BYTES * 256; index++) {
      if (tableHigh === null) {
        words[index] = tableLow[index]
      } else {
        words[2 * index] = tableLow[index]
        words[2 * index + 1] = tableHigh[index]
      }
    }
  }

  /** Goes on from `state` with bytes[start, end). O(n). */
  update(bytes: Uint8Array, start: number, end: number): void {
    const inputAt = this.#inputAt
    const partBytesMax = this.#memory.length - inputAt
    while (start < end) {
      const partEnd = Math.min(end, start + partBytesMax)
      this.#memory.set(start === 0 && partEnd === bytes.length ? bytes : bytes.subarray(start, partEnd), inputAt)
      this.#run(inputAt, inputAt + partEnd - start)
      start = partEnd
    }
  }
}

/** A processor without vectors (before 2008, or one that a virtual machine pretends to have) gets the tables alone. */
function compile(stateBytes: 4 | 8, foldDistances: readonly number[]): WasmModule {
  try {
    return new Module(assemble(stateBytes, foldDistances))
  } catch (error) {
    if (!(error instanceof CompileError)) throw error
    return new Module(assemble(stateBytes, []))
  }
}

function longest(foldDistances: readonly number[]): number {
  return foldDistances[foldDistances.length - 1] ?? 0
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple
}

/**
 * The module's bytes: one function, `run(at, end)`. In words:
 *
 *   crc = state
 *   if (end - at >= 2 * fold) {
 *     xor crc into the input at `at`; crc = 0
 *     stop = at + as many blocks as leave `fold` bytes at least
 *     while (at < stop) { block(at) ^= block(at - distance) for each distance; at += 16 }
 *     what is behind `stop` is not folded itself: the blocks behind it take from those before it, at fewer and fewer distances
 *     at = stop
 *   }
 *   while (end - at >= 8) { crc = what the tables have for each byte of (word(at) ^ crc), xored; at += 8 }
 *   while (at < end) { crc = (crc >>> 8) ^ table[(crc ^ byte(at)) & 255]; at += 1 }
 *   state = crc
 *
 * Loads have no negative offsets, so while it folds `at` stands before the block by the longest distance.
 */
function assemble(stateBytes: 4 | 8, foldDistances: readonly number[]): Uint8Array {
  const [AT, END, STOP, RUN_END, WORD, CRC] = [0, 1, 2, 3, 4, 5]
  const isWide = stateBytes === 8
  const crc = isWide ? i64 : i32
  const foldBytes = longest(foldDistances)
  const code = new WasmCode()

  const putLeft = () => code.get(END).get(AT).op(i32.subtract)
  const advance = (count: number) => code.get(AT).constant(i32, count).op(i32.add).set(AT)
  /** Once at least, and again while `at` is below the limit. */
  const repeat = (limit: number, body: () => void) => {
    code.loop()
    body()
    code.get(AT).get(limit).op(i32.isLess).branchIf(0).end()
  }
  /** Takes the number (of 32 bits) that lies on the stack, and puts the table's entry for its low byte there. */
  const lookUp = (following: number) =>
    code
      .constant(i32, 255)
      .op(i32.and)
      .constant(i32, Math.log2(stateBytes))
      .op(i32.shiftLeft)
      .load(crc, TABLES_AT + following * 256 * stateBytes)

  const fold = (blockCount: number, firstDistance: number) => {
    for (let index = 0; index < blockCount; index++) {
      const offset = foldBytes + BLOCK_BYTES * index
      code.get(AT).get(AT).vectorLoad(offset)
      for (let next = firstDistance; next < foldDistances.length; next++) {
        code
          .get(AT)
          .vectorLoad(offset - foldDistances[next])
          .vectorXor()
      }
      code.vectorStore(offset)
    }
    advance(BLOCK_BYTES * blockCount)
  }
  /** Blocks from which the first distances would reach behind `stop`. */
  const foldTail = () => {
    for (const [index, distance] of foldDistances.entries()) {
      const blockCount = (distance - (foldDistances[index - 1] ?? 0)) / BLOCK_BYTES
      const unrolled = [4, 3, 2, 1].find((count) => blockCount % count === 0)!
      code
        .get(AT)
        .constant(i32, BLOCK_BYTES * blockCount)
        .op(i32.add)
        .set(RUN_END)
      repeat(RUN_END, () => fold(unrolled, index))
    }
  }
  const foldAll = () => {
    code.get(AT).get(AT).load(crc, 0).get(CRC).op(crc.xor).store(crc, 0)
    code.constant(crc, 0).set(CRC)
    code.get(AT).constant(i32, foldBytes).op(i32.subtract).set(AT)
    // at + (left - 2 fold) / step * step, as `left` is longer now.
    const stepBytes = BLOCK_BYTES * UNROLLED_BLOCKS
    putLeft()
    code
      .constant(i32, 2 * foldBytes)
      .op(i32.subtract)
      .constant(i32, -stepBytes)
      .op(i32.and)
    code.get(AT).op(i32.add).set(STOP)
    repeat(STOP, () => fold(UNROLLED_BLOCKS, 0))
    foldTail()
    code.get(STOP).constant(i32, foldBytes).op(i32.add).set(AT)
  }

  const takeWord = () => {
    code.get(AT).load(i64, 0).get(CRC)
    if (!isWide) code.op(i64.extend)
    code.op(i64.xor).set(WORD)
    for (let k = 0; k < WORD_BYTES; k++) {
      code
        .get(WORD)
        .constant(i64, 8 * k)
        .op(i64.shiftRight)
        .op(i64.wrap)
      lookUp(WORD_BYTES - 1 - k)
      if (k > 0) code.op(crc.xor)
    }
    code.set(CRC)
    advance(WORD_BYTES)
  }
  const takeByte = () => {
    code.get(CRC)
    if (isWide) code.op(i64.wrap)
    code.get(AT).loadByte(0).op(i32.xor)
    lookUp(0)
    code.get(CRC).constant(crc, 8).op(crc.shiftRight).op(crc.xor).set(CRC)
    advance(1)
  }

  code.constant(i32, STATE_AT).load(crc, 0).set(CRC)
  if (foldBytes > 0) {
    putLeft()
      .constant(i32, 2 * foldBytes)
      .op(i32.isAtLeast)
      .whenTrue()
    foldAll()
    code.end()
  }
  code.block().loop()
  putLeft().constant(i32, WORD_BYTES).op(i32.isLess).branchIf(1)
  takeWord()
  code.branch(0).end().end()
  code.block().loop().get(AT).get(END).op(i32.isAtLeast).branchIf(1)
  takeByte()
  code.branch(0).end().end()
  code.constant(i32, STATE_AT).get(CRC).store(crc, 0)
  const locals = [
    [2, i32],
    [1, i64],
    [1, crc],
  ] as const
  return moduleOf(MEMORY_PAGES, locals, code)
}
