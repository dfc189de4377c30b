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
 * The module's bytes, by hand: one function, `run(at, end)`. In words:
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
  const foldBytes = longest(foldDistances)
  const i32 = integers32
  const i64 = integers64
  const crc = isWide ? i64 : i32
  const left = [...get(END), ...get(AT), ...i32.subtract]
  const advance = (count: number) => [...get(AT), ...i32.constant(count), ...i32.add, ...set(AT)]
  const again = (limit: number) => [...get(AT), ...get(limit), ...i32.isLess, ...branchIf(0)]
  const tableAt = (following: number) => TABLES_AT + following * 256 * stateBytes
  /** Of the table's entry for the low byte of the number (of 32 bits) that lies on the stack. */
  const lookUp = (following: number) => [
    ...[...i32.constant(255), ...i32.and, ...i32.constant(Math.log2(stateBytes)), ...i32.shiftLeft],
    ...crc.load(tableAt(following)),
  ]

  const fold = (blockCount: number, distances: readonly number[]) => [
    ...Array.from({ length: blockCount }, (_, index) => {
      const offset = foldBytes + BLOCK_BYTES * index
      return [
        ...[...get(AT), ...get(AT), ...vector.load(offset)],
        ...distances.flatMap((distance) => [...get(AT), ...vector.load(offset - distance), ...vector.xor]),
        ...vector.store(offset),
      ]
    }).flat(),
    ...advance(BLOCK_BYTES * blockCount),
  ]
  /** Those from which the first distances would reach behind `stop`. */
  const foldTail = foldDistances.map((distance, index) => {
    const blockCount = (distance - (foldDistances[index - 1] ?? 0)) / BLOCK_BYTES
    const unrolled = [4, 3, 2, 1].find((count) => blockCount % count === 0)!
    return [
      ...[...get(AT), ...i32.constant(BLOCK_BYTES * blockCount), ...i32.add, ...set(RUN_END)],
      ...loop([...fold(unrolled, foldDistances.slice(index)), ...again(RUN_END)]),
    ]
  })
  const stepBytes = BLOCK_BYTES * UNROLLED_BLOCKS
  const foldAll = [
    ...[...get(AT), ...get(AT), ...crc.load(0), ...get(CRC), ...crc.xor, ...crc.store(0)],
    ...[...crc.constant(0), ...set(CRC)],
    ...[...get(AT), ...i32.constant(foldBytes), ...i32.subtract, ...set(AT)],
    // at + (left - 2 fold) / step * step, as `left` is longer now.
    ...[...left, ...i32.constant(2 * foldBytes), ...i32.subtract, ...i32.constant(-stepBytes), ...i32.and],
    ...[...get(AT), ...i32.add, ...set(STOP)],
    ...loop([...fold(UNROLLED_BLOCKS, foldDistances), ...again(STOP)]),
    ...foldTail.flat(),
    ...[...get(STOP), ...i32.constant(foldBytes), ...i32.add, ...set(AT)],
  ]

  const takeWord = [
    ...[...get(AT), ...i64.load(0), ...get(CRC), ...(isWide ? [] : i64.extend), ...i64.xor, ...set(WORD)],
    ...Array.from({ length: WORD_BYTES }, (_, k) => [
      ...[...get(WORD), ...i64.constant(8 * k), ...i64.shiftRight, ...i64.wrap, ...lookUp(WORD_BYTES - 1 - k)],
      ...(k === 0 ? [] : crc.xor),
    ]).flat(),
    ...[...set(CRC), ...advance(WORD_BYTES)],
  ]
  const takeByte = [
    ...[...get(CRC), ...(isWide ? i64.wrap : []), ...get(AT), ...loadByte(0), ...i32.xor, ...lookUp(0)],
    ...[...get(CRC), ...crc.constant(8), ...crc.shiftRight, ...crc.xor, ...set(CRC), ...advance(1)],
  ]

  const body = [
    ...[...i32.constant(STATE_AT), ...crc.load(0), ...set(CRC)],
    ...(foldBytes > 0 ? [...left, ...i32.constant(2 * foldBytes), ...i32.isAtLeast, ...whenTrue(foldAll)] : []),
    ...block(loop([...left, ...i32.constant(WORD_BYTES), ...i32.isLess, ...branchIf(1), ...takeWord, ...branch(0)])),
    ...block(loop([...get(AT), ...get(END), ...i32.isAtLeast, ...branchIf(1), ...takeByte, ...branch(0)])),
    ...[...i32.constant(STATE_AT), ...get(CRC), ...crc.store(0)],
    END_OF_BLOCK,
  ]
  const locals = [3, 2, I32, 1, I64, 1, isWide ? I64 : I32]
  const code = [...locals, ...body]
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 2, I32, I32, 0]), // the type of `run`
    ...section(3, [1, 0]),
    ...section(5, [1, 0, MEMORY_PAGES]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('run'), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ])
}

// ---- Instructions ----

const I32 = 0x7f
const I64 = 0x7e
const END_OF_BLOCK = 0x0b
const NO_RESULT = 0x40

const integers32 = {
  constant: (value: number) => [0x41, ...signed(value)],
  load: (offset: number) => [0x28, 2, ...unsigned(offset)],
  store: (offset: number) => [0x36, 2, ...unsigned(offset)],
  add: [0x6a],
  subtract: [0x6b],
  and: [0x71],
  xor: [0x73],
  shiftLeft: [0x74],
  shiftRight: [0x76],
  isLess: [0x49],
  isAtLeast: [0x4f],
}

const integers64 = {
  constant: (value: number) => [0x42, ...signed(value)],
  load: (offset: number) => [0x29, 3, ...unsigned(offset)],
  store: (offset: number) => [0x37, 3, ...unsigned(offset)],
  xor: [0x85],
  shiftRight: [0x88],
  /** From 32 bits, and to them. */
  extend: [0xad],
  wrap: [0xa7],
}

const vector = {
  load: (offset: number) => [0xfd, 0x00, 4, ...unsigned(offset)],
  store: (offset: number) => [0xfd, 0x0b, 4, ...unsigned(offset)],
  xor: [0xfd, 0x51],
}

function get(local: number): number[] {
  return [0x20, local]
}

function set(local: number): number[] {
  return [0x21, local]
}

function loadByte(offset: number): number[] {
  return [0x2d, 0, ...unsigned(offset)]
}

function block(body: number[]): number[] {
  return [0x02, NO_RESULT, ...body, END_OF_BLOCK]
}

function loop(body: number[]): number[] {
  return [0x03, NO_RESULT, ...body, END_OF_BLOCK]
}

function whenTrue(body: number[]): number[] {
  return [0x04, NO_RESULT, ...body, END_OF_BLOCK]
}

/** Out of so many blocks; to the beginning of a loop. */
function branch(depth: number): number[] {
  return [0x0c, depth]
}

function branchIf(depth: number): number[] {
  return [0x0d, depth]
}

// ---- The format ----

function section(id: number, content: number[]): number[] {
  return [id, ...unsigned(content.length), ...content]
}

function name(text: string): number[] {
  return [text.length, ...Buffer.from(text, 'latin1')]
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]
}

function signed(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)]
}
