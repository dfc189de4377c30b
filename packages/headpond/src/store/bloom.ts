import { MurmurHash64 } from '../bytes/murmur-hash.ts'
import { BLOCK_BYTES_MAX, byteAt, type Handle, type Heap, NONE } from '../memory/heap.ts'
import type { Database } from './database.ts'
import { encoding, kindOf, type as types } from './record.ts'
import type { Store } from './store.ts'
import type { Structure } from './structures.ts'
import type { TypeOperations } from './types.ts'

/**
 * Bloom filters: sets that remember only bits of their items. What was added is always found; something else is found
 * with a probability that was chosen beforehand. Sizes, hashes and growth are RedisBloom's, so that filters go to and
 * from it (BF.SCANDUMP, DUMP).
 *
 * A filter is layers of bits. An item sets `hashCount` bits of a layer: those at a, a + b, a + 2b ... (64-bit, modulo
 * the layer's bits), a and b being two hashes of the item. When the last layer has taken as many items as it is made
 * for, the next one is `expansion` times as large and half as likely to err: so the errors of all layers together stay
 * below twice those of the first, which is made for half of what was asked.
 */
export const DEFAULT_ERROR_RATE = 0.01
export const DEFAULT_CAPACITY = 100
export const DEFAULT_EXPANSION = 2

/** As RedisBloom keeps them in its files. Those it has beside are of filters from before version 1.1. */
const bloomOption = {
  /** As many bits as it takes, rather than the next power of two. */
  EXACT_SIZE: 1,
  HASHES_64: 4,
  NON_SCALING: 8,
} as const

const TIGHTENING = 0.5
/** RedisBloom's figures, to their last digit: the size of every layer follows from them. */
// biome-ignore lint/suspicious/noApproximativeNumericConstant: one digit more would give some filters another hash
const LN_2 = 0.693147180559945
const LN_2_SQUARED = 0.480453013918201
const SEED_LOW = 0x5bd1e995
const SEED_HIGH = 0xc6a4a793 | 0

/** Beyond this size, 16 GiB, positions of bits would not be computed exactly. */
const LAYER_BYTES_MAX = 2 ** 34
/** What RedisBloom counts for a filter and for each layer beside its bits. */
const FILTER_OVERHEAD_BYTES = 32
const LAYER_OVERHEAD_BYTES = 64

/** What a layer is made for, and what it holds. */
export interface LayerFigures {
  readonly capacity: number
  readonly errorRate: number
  readonly bitsPerItem: number
  readonly hashCount: number
  readonly sizeBytes: number
  /** Where positions are cut: at this power of two, or at all bits when it is 0. */
  readonly bitsPowerOfTwo: number
  itemCount: number
}

interface Layer extends LayerFigures {
  readonly modulus: number
  /** The bits, in a block of the heap or in a large value. */
  readonly block: Handle
  readonly large: number
}

/** A filter as its settings and the figures of its layers, with no bits. */
export interface FilterFigures {
  readonly options: number
  readonly expansion: number
  readonly layers: readonly LayerFigures[]
}

const hasher = new MurmurHash64()

export type AddOutcome = 'added' | 'present' | 'full' | 'no memory'

export class BloomFilter implements Structure {
  readonly options: number
  readonly expansion: number
  readonly #heap: Heap
  readonly #layers: Layer[] = []
  itemCount = 0
  /** The hashes of the item in question. */
  #aLow = 0
  #aHigh = 0
  #bLow = 0
  #bHigh = 0

  private constructor(heap: Heap, options: number, expansion: number) {
    this.#heap = heap
    this.options = options
    this.expansion = expansion
  }

  /** An empty filter of one layer, or null when there is no memory for it. O(size). */
  static create(
    heap: Heap,
    errorRate: number,
    capacity: number,
    expansion: number,
    isScaling: boolean,
  ): BloomFilter | null {
    const options = bloomOption.EXACT_SIZE | bloomOption.HASHES_64 | (isScaling ? 0 : bloomOption.NON_SCALING)
    const filter = new BloomFilter(heap, options, expansion)
    return filter.#addLayer(figuresFor(capacity, isScaling ? errorRate * TIGHTENING : errorRate)) ? filter : null
  }

  /** A filter with these layers, all bits clear, or null when there is no memory for it. O(size). */
  static ofFigures(heap: Heap, { options, expansion, layers }: FilterFigures): BloomFilter | null {
    const filter = new BloomFilter(heap, options, expansion)
    for (const figures of layers) {
      if (filter.#addLayer(figures)) {
        filter.itemCount += figures.itemCount
        continue
      }
      filter.free()
      return null
    }
    return filter
  }

  /** A filter of its own with the same contents. O(size). */
  copy(): BloomFilter {
    const copy = BloomFilter.ofFigures(this.#heap, this)
    if (copy === null) throw new RangeError('out of memory: a Bloom filter cannot be copied')
    for (const [index, layer] of this.#layers.entries()) {
      const start = this.#startOf(layer)
      copy.write(index, 0, this.#bytesOf(layer), start, start + layer.sizeBytes)
    }
    return copy
  }

  get layers(): readonly LayerFigures[] {
    return this.#layers
  }

  get isScaling(): boolean {
    return (this.options & bloomOption.NON_SCALING) === 0
  }

  /** How many items it takes before the next layer. */
  get capacity(): number {
    return this.#layers.reduce((sum, layer) => sum + layer.capacity, 0)
  }

  get sizeBytes(): number {
    return this.#layers.reduce((sum, { sizeBytes }) => sum + LAYER_OVERHEAD_BYTES + sizeBytes, FILTER_OVERHEAD_BYTES)
  }

  // ---- Items ----

  /** Whether an item was added, as far as one can tell. O(layers * hashes). hot: once for each item of BF.EXISTS. */
  has(bytes: Uint8Array, start: number, end: number): boolean {
    this.#hash(bytes, start, end)
    return this.#hasHashed()
  }

  /** Adds an item that is not found. O(layers * hashes); O(size) when it takes a new layer. hot: as `has`. */
  add(bytes: Uint8Array, start: number, end: number): AddOutcome {
    this.#hash(bytes, start, end)
    if (this.#hasHashed()) return 'present'
    let last = this.#layers[this.#layers.length - 1]
    if (last.itemCount >= last.capacity) {
      if (!this.isScaling) return 'full'
      const figures = figuresFor(last.capacity * this.expansion, last.errorRate * TIGHTENING)
      if (!this.#addLayer(figures)) return 'no memory'
      last = this.#layers[this.#layers.length - 1]
    }
    this.#probe(last, true)
    last.itemCount++
    this.itemCount++
    return 'added'
  }

  #hash(bytes: Uint8Array, start: number, end: number): void {
    hasher.hash(bytes, start, end, SEED_LOW, SEED_HIGH)
    this.#aLow = hasher.low
    this.#aHigh = hasher.high
    hasher.hash(bytes, start, end, this.#aLow, this.#aHigh)
    this.#bLow = hasher.low
    this.#bHigh = hasher.high
  }

  /** Most items are in the last layers, which are the largest. */
  #hasHashed(): boolean {
    for (let index = this.#layers.length - 1; index >= 0; index--) {
      if (this.#probe(this.#layers[index], false)) return true
    }
    return false
  }

  /** Whether all bits of the hashed item are set; or sets them. */
  #probe(layer: Layer, sets: boolean): boolean {
    const { modulus, hashCount } = layer
    const bytes = sets ? this.#writableBytesOf(layer) : this.#bytesOf(layer)
    const start = this.#startOf(layer)
    const stepLow = this.#bLow >>> 0
    const stepHigh = this.#bHigh >>> 0
    let low = this.#aLow >>> 0
    let high = this.#aHigh >>> 0
    for (let index = 0; index < hashCount; index++) {
      const bit = remainder64(high, low, modulus)
      const at = start + Math.floor(bit / 8)
      const mask = 1 << (bit % 8)
      if (sets) bytes[at] |= mask
      else if ((bytes[at] & mask) === 0) return false
      const sum = low + stepLow
      low = sum >>> 0
      high = (high + stepHigh + (sum > 0xffffffff ? 1 : 0)) >>> 0
    }
    return true
  }

  // ---- Layers and their bits ----

  #addLayer(figures: LayerFigures): boolean {
    const { capacity, errorRate, bitsPerItem, hashCount, sizeBytes, bitsPowerOfTwo, itemCount } = figures
    if (!(errorRate > 0) || !(sizeBytes <= LAYER_BYTES_MAX)) return false
    let block: Handle = NONE
    let large = 0
    if (sizeBytes <= BLOCK_BYTES_MAX) {
      block = this.#heap.allocate(sizeBytes)
      this.#heap.arenaOf(block).u8.fill(0, byteAt(block), byteAt(block) + sizeBytes)
    } else {
      try {
        large = this.#heap.large.add(Buffer.alloc(sizeBytes))
      } catch (error) {
        if (error instanceof RangeError) return false
        throw error
      }
    }
    const modulus = bitsPowerOfTwo > 0 ? 2 ** bitsPowerOfTwo : sizeBytes * 8
    const rest = { capacity, errorRate, bitsPerItem, hashCount, sizeBytes, bitsPowerOfTwo, itemCount }
    this.#layers.push({ ...rest, modulus, block, large })
    return true
  }

  #bytesOf({ block, large }: Layer): Uint8Array {
    return block === NONE ? this.#heap.large.get(large) : this.#heap.arenaOf(block).u8
  }

  #writableBytesOf({ block, large }: Layer): Uint8Array {
    return block === NONE ? this.#heap.large.writable(large) : this.#heap.arenaOf(block).u8
  }

  #startOf({ block }: Layer): number {
    return block === NONE ? 0 : byteAt(block)
  }

  /** The bits of a layer: a view, valid until the next write. */
  bits(index: number): Uint8Array {
    const layer = this.#layers[index]
    const start = this.#startOf(layer)
    return this.#bytesOf(layer).subarray(start, start + layer.sizeBytes)
  }

  /** Puts bytes[start, end) in the place of a layer's bits, from byte `at` on. */
  write(index: number, at: number, bytes: Uint8Array, start: number, end: number): void {
    const layer = this.#layers[index]
    this.#writableBytesOf(layer).set(bytes.subarray(start, end), this.#startOf(layer) + at)
  }

  /** Gives all memory back. O(layers), of which there are some hundred at most: each halves the error rate. */
  free(): void {
    for (const { block, large } of this.#layers) {
      if (block === NONE) this.#heap.large.free(large)
      else this.#heap.free(block)
    }
    this.#layers.length = 0
  }
}

function figuresFor(capacity: number, errorRate: number): LayerFigures {
  const bitsPerItem = Math.abs(Math.log(errorRate) / LN_2_SQUARED)
  const bits = Math.max(Math.floor(capacity * bitsPerItem), 1)
  return {
    capacity,
    errorRate,
    bitsPerItem,
    hashCount: hashCountOf(bitsPerItem),
    sizeBytes: Math.ceil(bits / 64) * 8,
    bitsPowerOfTwo: 0,
    itemCount: 0,
  }
}

function hashCountOf(bitsPerItem: number): number {
  return Math.ceil(LN_2 * bitsPerItem)
}

/** Whether figures that came from elsewhere agree with each other, and with what this implementation computes. */
export function isPlausible({ options, layers }: FilterFigures): boolean {
  const known = bloomOption.EXACT_SIZE | bloomOption.HASHES_64 | bloomOption.NON_SCALING
  if ((options & ~known) !== 0 || (options & bloomOption.HASHES_64) === 0 || layers.length === 0) return false
  return layers.every(({ errorRate, bitsPerItem, hashCount, sizeBytes, bitsPowerOfTwo }) => {
    if (!(errorRate > 0 && errorRate < 1) || hashCount !== hashCountOf(bitsPerItem)) return false
    return sizeBytes > 0 && (bitsPowerOfTwo === 0 || (bitsPowerOfTwo < 53 && sizeBytes * 8 >= 2 ** bitsPowerOfTwo))
  })
}

/** (high * 2^32 + low) modulo `modulus`, which is at most 2^37: by long division in 16-bit digits, all exact. */
function remainder64(high: number, low: number, modulus: number): number {
  const first = remainder(high, modulus)
  if (modulus <= 2 ** 21) return remainder(first * 2 ** 32 + low, modulus)
  return remainder(remainder(first * 65536 + (low >>> 16), modulus) * 65536 + (low & 0xffff), modulus)
}

/** value % modulus for integers below 2^53. Division is several times faster than the operator, which is a call. */
function remainder(value: number, modulus: number): number {
  const rest = value - Math.floor(value / modulus) * modulus
  if (rest < 0) return rest + modulus
  return rest >= modulus ? rest - modulus : rest
}

// ---- Filters as values ----

const BLOOM_FILTER = kindOf(types.BLOOM_FILTER, encoding.BLOOM_LAYERS)

/** The filter of a record of this type. */
export function bloomFilterOf(store: Store, handle: Handle): BloomFilter {
  return store.structures.of<BloomFilter>(store.records, handle)
}

/** Stores a filter in place of whatever the key held. Announces nothing. */
export function putBloomFilter(
  database: Database,
  bytes: Uint8Array,
  start: number,
  end: number,
  filter: BloomFilter,
  expireAtMs: number,
): Handle {
  const handle = database.put(bytes, start, end, BLOOM_FILTER, 4, 4, expireAtMs)
  database.records.setValueWord(handle, 0, database.store.structures.add(filter))
  return handle
}

export const bloomOperations: TypeOperations = {
  inlineBytes: () => 4,
  release(store, handle) {
    bloomFilterOf(store, handle).free()
    store.structures.free(store.records.valueWord(handle, 0))
  },
  cloneReferred(store, handle) {
    store.records.setValueWord(handle, 0, store.structures.add(bloomFilterOf(store, handle).copy()))
  },
  encodingName: () => 'raw',
  referredBytes: (store, handle) => bloomFilterOf(store, handle).sizeBytes,
  digest(store, handle, digest) {
    const filter = bloomFilterOf(store, handle)
    for (const [index, layer] of filter.layers.entries()) {
      digest.append(Buffer.from(`${layer.capacity} ${layer.errorRate} ${layer.itemCount}`))
      digest.append(filter.bits(index))
    }
  },
}
