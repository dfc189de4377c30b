import { assert } from '../bytes/assert.ts'
import { MurmurHash64 } from '../bytes/murmur-hash.ts'
import type { Handle } from '../memory/heap.ts'
import type { Database } from './database.ts'
import { encoding, NEVER, type as types } from './record.ts'
import { growString, stringArray, stringStart, writableArray } from './string.ts'

/**
 * HyperLogLogs: how many different elements were seen, within 0.81 %, in 12 KB at most. Each is a string value, byte for
 * byte as Redis makes it (hyperloglog.c), so that GET, SET, DUMP and replicas can carry it.
 *
 *   0      4          5        8             16
 *   | HYLL | encoding | unused | cachedCount | registers
 *
 *   cachedCount   little-endian; its highest bit tells that the registers have changed since
 *   dense         16384 registers of 6 bits, the first in the lowest bits of the first byte
 *   sparse        runs of equal registers:
 *                   00llllll            l + 1 registers that are 0
 *                   01llllll llllllll   the same, up to 16384 of them
 *                   1vvvvvll            l + 1 registers that are v + 1
 *
 * An element's hash names a register (14 bits) and a value for it: the position of the first bit set in the other 50.
 * A register keeps the highest value seen. The estimate is that of Otmar Ertl, "New cardinality estimation algorithms
 * for HyperLogLog sketches" (2017), computed in the order that Redis computes it, so that rounding is the same too.
 */
const REGISTER_COUNT = 16384
const INDEX_BITS = 14
const HASH_BITS = 50
const REGISTER_BITS = 6
const REGISTER_MAX = 63

const ENCODING_AT = 4
const CACHED_COUNT_AT = 8
const STALE_AT = 15
const REGISTERS_AT = 16
const DENSE_BYTES = REGISTERS_AT + (REGISTER_COUNT * REGISTER_BITS) / 8
assert(DENSE_BYTES === 12304, 'this layout is a format that other programs read')

const DENSE = 0
const SPARSE = 1

const ZERO_RUN_MAX = 64
const LONG_ZERO_RUN_MAX = 16384
const VALUE_RUN_MAX = 4
/** The highest register value that a sparse run can tell. */
const SPARSE_VALUE_MAX = 32
/** How many runs from the changed one's predecessor on are looked at for runs to join. */
const JOINED_RUNS_MAX = 5

const HASH_SEED = 0xadc83b19
const ALPHA = 0.7213475204444817

const hasher = new MurmurHash64()

/** What setting registers did. A value whose runs do not add up to all registers is corrupted. */
export type Outcome = 'raised' | 'unchanged' | 'corrupted'

/** The highest value of each register, over several HyperLogLogs. */
export class MergedRegisters {
  readonly values = new Uint8Array(REGISTER_COUNT)
  hasDense = false

  /** The estimate for everything seen by any of them. */
  count(): bigint {
    const histogram = newHistogram()
    for (const value of this.values) histogram[value]++
    return estimate(histogram)
  }
}

/**
 * One HyperLogLog, opened for one command: valid until something else writes to its key. Changes announce nothing, and
 * are preceded by `prepareToWrite`.
 */
export class HyperLogLog {
  readonly #database: Database
  /** Another one when the record had to move. */
  handle: Handle
  /** The value is #bytes[#start, #end). */
  #bytes!: Uint8Array
  #start = 0
  #end = 0

  private constructor(database: Database, handle: Handle) {
    this.#database = database
    this.handle = handle
    this.#locate()
  }

  /** Null when the value is no HyperLogLog. */
  static open(database: Database, handle: Handle): HyperLogLog | null {
    if (database.records.type(handle) !== types.STRING) return null
    const opened = new HyperLogLog(database, handle)
    return opened.#isValid() ? opened : null
  }

  /** Called before anything is changed, and by PFCOUNT, which keeps its answer: the string is raw from then on. */
  prepareToWrite(): void {
    this.handle = growString(this.#database, this.handle, 0)
    this.#locate()
    this.#makeWritable()
  }

  /** Makes an empty one, under a key that does not exist. */
  static create(database: Database, bytes: Uint8Array, start: number, end: number): HyperLogLog {
    const value = Buffer.alloc(REGISTERS_AT + 2)
    value.write('HYLL')
    value[ENCODING_AT] = SPARSE
    writeZeroRun(value, REGISTERS_AT, REGISTER_COUNT)
    return new HyperLogLog(database, database.putRawString(bytes, start, end, value, NEVER))
  }

  #locate(): void {
    const { store, records } = this.#database
    this.#bytes = stringArray(store, this.handle)
    this.#start = stringStart(store, this.handle)
    this.#end = this.#start + records.valueSize(this.handle)
  }

  #isValid(): boolean {
    const bytes = this.#bytes
    const start = this.#start
    const size = this.#end - start
    if (size < REGISTERS_AT) return false
    if (bytes[start] !== 0x48 || bytes[start + 1] !== 0x59 || bytes[start + 2] !== 0x4c || bytes[start + 3] !== 0x4c) {
      return false
    }
    return bytes[start + ENCODING_AT] === DENSE ? size === DENSE_BYTES : bytes[start + ENCODING_AT] === SPARSE
  }

  get isDense(): boolean {
    return this.#bytes[this.#start + ENCODING_AT] === DENSE
  }

  // ---- Counting ----

  /** The estimate that the value keeps from the last time, or undefined when it has changed since. O(1). */
  get cachedCount(): bigint | undefined {
    if ((this.#bytes[this.#start + STALE_AT] & 0x80) !== 0) return undefined
    return viewOf(this.#bytes).getBigInt64(this.#start + CACHED_COUNT_AT, true)
  }

  /** Estimates how many different elements were seen, and keeps the answer. Undefined: the value is corrupted. O(registers). */
  count(): bigint | undefined {
    const histogram = newHistogram()
    let registerCount = 0
    this.#forEachRun((value, length) => {
      histogram[value] += length
      registerCount += length
    })
    if (registerCount !== REGISTER_COUNT) return undefined
    const count = estimate(histogram)
    viewOf(this.#bytes).setBigInt64(this.#start + CACHED_COUNT_AT, count, true)
    return count
  }

  /** Raises `merged` to this one's registers. False: the value is corrupted. O(registers). */
  mergeInto(merged: MergedRegisters): boolean {
    if (this.isDense) merged.hasDense = true
    return this.#raise(merged.values)
  }

  #raise(registers: Uint8Array): boolean {
    let index = 0
    this.#forEachRun((value, length) => {
      const end = Math.min(index + length, REGISTER_COUNT)
      if (value > 0) for (let at = index; at < end; at++) if (registers[at] < value) registers[at] = value
      index += length
    })
    return index === REGISTER_COUNT
  }

  /** Every register of a dense value is a run of its own. */
  #forEachRun(visit: (value: number, length: number) => void): void {
    const bytes = this.#bytes
    const end = this.#end
    if (this.isDense) {
      // Four registers in three bytes.
      for (let at = this.#start + REGISTERS_AT; at < end; at += 3) {
        const four = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16)
        visit(four & REGISTER_MAX, 1)
        visit((four >>> 6) & REGISTER_MAX, 1)
        visit((four >>> 12) & REGISTER_MAX, 1)
        visit(four >>> 18, 1)
      }
      return
    }
    for (let at = this.#start + REGISTERS_AT; at < end; at += runBytes(bytes[at])) {
      visit(runValue(bytes[at]), runLength(bytes, at, end))
    }
  }

  // ---- Adding ----

  /**
   * Adds the element bytes[start, end). O(1) when dense, O(value size) when sparse.
   * @param sparseBytesMax how long a sparse value may become before it turns dense
   * hot: once for each element of PFADD.
   */
  add(bytes: Uint8Array, start: number, end: number, sparseBytesMax: number): Outcome {
    hasher.hash(bytes, start, end, HASH_SEED, 0)
    return this.set(registerOf(hasher), registerValueOf(hasher), sparseBytesMax)
  }

  /** Raises a register to `value`, if it is lower. As `add` for cost and parameters. */
  set(index: number, value: number, sparseBytesMax: number): Outcome {
    if (this.isDense) return this.#setDense(index, value)
    if (value > SPARSE_VALUE_MAX) return this.#promote(index, value)
    return this.#setSparse(index, value, sparseBytesMax)
  }

  /** Raises every register to those of others. O(registers * value size) while sparse. */
  setAll({ values }: MergedRegisters, sparseBytesMax: number): void {
    for (let index = 0; index < REGISTER_COUNT; index++) {
      if (values[index] > 0) this.set(index, values[index], sparseBytesMax)
    }
  }

  /** Notes that the registers have changed. */
  invalidateCount(): void {
    this.#bytes[this.#start + STALE_AT] |= 0x80
  }

  #setDense(index: number, value: number): Outcome {
    const start = this.#start + REGISTERS_AT
    if (getRegister(this.#bytes, start, index) >= value) return 'unchanged'
    setRegister(this.#bytes, start, index, value)
    return 'raised'
  }

  #promote(index: number, value: number): Outcome {
    return this.toDense() ? this.#setDense(index, value) : 'corrupted'
  }

  /** Makes the value dense. False, with nothing changed, when it is corrupted. O(registers). */
  toDense(): boolean {
    if (this.isDense) return true
    const database = this.#database
    const { records } = database
    const registers = new Uint8Array(REGISTER_COUNT)
    if (!this.#raise(registers)) return false
    this.handle = growString(database, this.handle, DENSE_BYTES)
    if (records.valueSize(this.handle) > DENSE_BYTES) this.#shrinkTo(DENSE_BYTES)
    this.#locate()
    const bytes = this.#bytes
    const start = this.#start
    bytes[start + ENCODING_AT] = DENSE
    bytes.fill(0, start + REGISTERS_AT, start + DENSE_BYTES)
    for (let index = 0; index < REGISTER_COUNT; index++) {
      if (registers[index] > 0) setRegister(bytes, start + REGISTERS_AT, index, registers[index])
    }
    return true
  }

  /**
   * Finds the run that holds the register, and cuts it into up to three: what is before, the register, what is after.
   * Which runs come of it is part of the format, in that Redis makes the same ones.
   */
  #setSparse(index: number, value: number, sparseBytesMax: number): Outcome {
    const bytes = this.#bytes
    const first = this.#start + REGISTERS_AT
    let at = first
    let previousAt = first
    let runStart = 0
    for (;;) {
      if (at >= this.#end || at + runBytes(bytes[at]) > this.#end) return 'corrupted'
      const length = runLength(bytes, at, this.#end)
      if (index < runStart + length) break
      runStart += length
      previousAt = at
      at += runBytes(bytes[at])
    }
    const oldValue = runValue(bytes[at])
    if (oldValue >= value) return 'unchanged'
    const beforeCount = index - runStart
    const afterCount = runStart + runLength(bytes, at, this.#end) - 1 - index

    let size = writeRun(pieces, 0, oldValue, beforeCount)
    size = writeRun(pieces, size, value, 1)
    size = writeRun(pieces, size, oldValue, afterCount)
    const addedBytes = size - runBytes(bytes[at])
    const valueBytes = this.#end - this.#start
    if (addedBytes > 0 && valueBytes + addedBytes > sparseBytesMax) return this.#promote(index, value)
    const offset = at - this.#start
    const previousOffset = previousAt - this.#start
    this.#replace(offset, offset + runBytes(bytes[at]), size)
    this.#joinRuns(previousOffset)
    this.invalidateCount()
    return 'raised'
  }

  /** Puts `size` bytes of `pieces` in the place of those from offset `from` to `to`. */
  #replace(from: number, to: number, size: number): void {
    const oldSize = this.#end - this.#start
    const newSize = oldSize - (to - from) + size
    if (newSize > oldSize) this.handle = growString(this.#database, this.handle, newSize)
    this.#locate()
    const start = this.#start
    this.#bytes.copyWithin(start + from + size, start + to, start + oldSize)
    for (let index = 0; index < size; index++) this.#bytes[start + from + index] = pieces[index]
    if (newSize < oldSize) this.#shrinkTo(newSize)
  }

  /** Joins neighbours of equal value, where one run can hold both. */
  #joinRuns(fromOffset: number): void {
    const bytes = this.#bytes
    let at = this.#start + fromOffset
    for (let left = JOINED_RUNS_MAX; left > 0 && at < this.#end; left--) {
      const next = at + 1
      if (isZeroRun(bytes[at])) {
        at += runBytes(bytes[at])
      } else if (next < this.#end && !isZeroRun(bytes[next]) && runValue(bytes[at]) === runValue(bytes[next])) {
        const length = runLength(bytes, at, this.#end) + runLength(bytes, next, this.#end)
        if (length > VALUE_RUN_MAX) {
          at = next
          continue
        }
        writeRun(bytes, at, runValue(bytes[at]), length)
        bytes.copyWithin(next, next + 1, this.#end)
        this.#shrinkTo(this.#end - this.#start - 1)
      } else {
        at = next
      }
    }
  }

  #shrinkTo(sizeBytes: number): void {
    this.#database.records.setValueSize(this.handle, sizeBytes)
    this.#end = this.#start + sizeBytes
  }

  /** A socket may still be reading a large value: then the writing goes to a copy. */
  #makeWritable(): void {
    const { store, records } = this.#database
    if (records.encoding(this.handle) === encoding.LARGE) this.#bytes = writableArray(store, this.handle)
  }

  // ---- For those who look inside ----

  /** Every register of a dense value. */
  registers(): Uint8Array {
    const registers = new Uint8Array(REGISTER_COUNT)
    this.#raise(registers)
    return registers
  }

  /** The runs of a sparse value in the words of PFDEBUG DECODE: z and Z for zeros, v for a value and how often. */
  describeRuns(): string {
    const words: string[] = []
    for (let at = this.#start + REGISTERS_AT; at < this.#end; at += runBytes(this.#bytes[at])) {
      const length = runLength(this.#bytes, at, this.#end)
      const value = runValue(this.#bytes[at])
      if (value > 0) words.push(`v:${value},${length}`)
      else words.push(`${runBytes(this.#bytes[at]) === 2 ? 'Z' : 'z'}:${length}`)
    }
    return words.join(' ')
  }
}

/** What a run becomes when a register is set in the middle of it: at most two long runs of zeros around a value. */
const pieces = new Uint8Array(5)

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset)
}

/** The register that an element with this hash concerns. */
function registerOf(hash: MurmurHash64): number {
  return hash.low & (REGISTER_COUNT - 1)
}

/** The value that an element with this hash gives to its register: 1 to 51. */
function registerValueOf(hash: MurmurHash64): number {
  const restLow = (hash.low >>> INDEX_BITS) | (hash.high << (32 - INDEX_BITS))
  // A bit behind the last one makes the search end.
  const restHigh = (hash.high >>> INDEX_BITS) | (1 << (HASH_BITS - 32))
  return 1 + (restLow !== 0 ? trailingZeros(restLow) : 32 + trailingZeros(restHigh))
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word)
}

// ---- Dense registers ----

function getRegister(bytes: Uint8Array, start: number, index: number): number {
  const bit = index * REGISTER_BITS
  const at = start + (bit >>> 3)
  const shift = bit & 7
  const pair = shift > 2 ? bytes[at] | (bytes[at + 1] << 8) : bytes[at]
  return (pair >>> shift) & REGISTER_MAX
}

function setRegister(bytes: Uint8Array, start: number, index: number, value: number): void {
  const bit = index * REGISTER_BITS
  const at = start + (bit >>> 3)
  const shift = bit & 7
  bytes[at] = (bytes[at] & ~(REGISTER_MAX << shift)) | (value << shift)
  if (shift > 2) bytes[at + 1] = (bytes[at + 1] & ~(REGISTER_MAX >>> (8 - shift))) | (value >>> (8 - shift))
}

// ---- Sparse runs, by their first byte ----

function isZeroRun(byte: number): boolean {
  return byte < 0x80
}

function runBytes(byte: number): number {
  return (byte & 0xc0) === 0x40 ? 2 : 1
}

/** The value of every register in the run. */
function runValue(byte: number): number {
  return isZeroRun(byte) ? 0 : ((byte >>> 2) & 0x1f) + 1
}

/** How many registers a run has. Behind a value that is cut off there is a zero byte for Redis. */
function runLength(bytes: Uint8Array, at: number, end: number): number {
  const byte = bytes[at]
  if (!isZeroRun(byte)) return (byte & 0x03) + 1
  if (runBytes(byte) === 1) return (byte & 0x3f) + 1
  return (((byte & 0x3f) << 8) | (at + 1 < end ? bytes[at + 1] : 0)) + 1
}

/** Writes a run of up to as many registers as one run can have; none for 0. Returns where the next one goes. */
function writeRun(bytes: Uint8Array, at: number, value: number, length: number): number {
  if (length === 0) return at
  if (value === 0) return writeZeroRun(bytes, at, length)
  bytes[at] = 0x80 | ((value - 1) << 2) | (length - 1)
  return at + 1
}

function writeZeroRun(bytes: Uint8Array, at: number, length: number): number {
  assert(length <= LONG_ZERO_RUN_MAX, 'writeZeroRun: more registers than there are')
  if (length <= ZERO_RUN_MAX) {
    bytes[at] = length - 1
    return at + 1
  }
  bytes[at] = 0x40 | ((length - 1) >>> 8)
  bytes[at + 1] = length - 1
  return at + 2
}

// ---- The estimate ----

/** How many registers have each value. */
function newHistogram(): Float64Array {
  return new Float64Array(REGISTER_MAX + 1)
}

function estimate(histogram: Float64Array): bigint {
  const m = REGISTER_COUNT
  let z = m * tau((m - histogram[HASH_BITS + 1]) / m)
  for (let value = HASH_BITS; value >= 1; value--) {
    z += histogram[value]
    z *= 0.5
  }
  z += m * sigma(histogram[0] / m)
  const count = Math.round((ALPHA * m * m) / z)
  // What C makes of a number that does not fit. Only damaged registers lead there.
  return count < 2 ** 63 ? BigInt(count) : -(2n ** 63n)
}

function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY
  let x = share
  let y = 1
  let z = x
  for (;;) {
    const before = z
    x *= x
    z += x * y
    y += y
    if (z === before) return z
  }
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0
  let x = share
  let y = 1
  let z = 1 - x
  for (;;) {
    const before = z
    x = Math.sqrt(x)
    y *= 0.5
    z -= (1 - x) ** 2 * y
    if (z === before) return z / 3
  }
}

// ---- Self-test ----

const TESTED_ROUNDS = 100
/** Redis goes on to ten million elements, which holds up everybody for seconds. */
const TESTED_ELEMENTS_MAX = 100_000
/** Standard error is 1.04 / sqrt(m); six times that is never seen. */
const TESTED_ERROR_MAX = (6 * 1.04) / Math.sqrt(REGISTER_COUNT)

/** Tries registers and estimates against what they should be. Null when all is well, else what is not. */
export function selfTest(random: () => number): string | null {
  const dense = new Uint8Array(DENSE_BYTES - REGISTERS_AT)
  const values = new Uint8Array(REGISTER_COUNT)
  for (let round = 0; round < TESTED_ROUNDS; round++) {
    for (let index = 0; index < REGISTER_COUNT; index++) {
      values[index] = Math.floor(random() * (REGISTER_MAX + 1))
      setRegister(dense, 0, index, values[index])
    }
    for (let index = 0; index < REGISTER_COUNT; index++) {
      const value = getRegister(dense, 0, index)
      if (value !== values[index]) {
        return `TESTFAILED Register ${index} should be ${values[index]} but is ${value}`
      }
    }
  }
  return testEstimates(random)
}

function testEstimates(random: () => number): string | null {
  const merged = new MergedRegisters()
  const element = Buffer.alloc(8)
  const seed = Math.floor(random() * 2 ** 32)
  let checkedAt = 1
  for (let count = 1; count <= TESTED_ELEMENTS_MAX; count++) {
    element.writeUInt32LE((seed ^ count) >>> 0)
    element.writeUInt32LE(count, 4)
    hasher.hash(element, 0, 8, HASH_SEED, 0)
    const index = registerOf(hasher)
    merged.values[index] = Math.max(merged.values[index], registerValueOf(hasher))
    if (count !== checkedAt) continue
    const error = Math.abs(Number(merged.count()) - count)
    if (error > Math.ceil(count * TESTED_ERROR_MAX)) return `TESTFAILED Too big error. card:${count} abserr:${error}`
    checkedAt *= 10
  }
  return null
}
