/**
 * What BF.SCANDUMP gives first: a Bloom filter without its bits, in the layout of RedisBloom (sb.c), little-endian.
 *
 *   0       8        12        16          20
 *   | items | layers | options | expansion | layers of 53 bytes:
 *
 *   0           8      16      24          32            40       44         52
 *   | sizeBytes | bits | items | errorRate | bitsPerItem | hashes | capacity | bitsPowerOfTwo |
 */

import { assert } from '../bytes/assert.ts'
import { type FilterFigures, isPlausible, type LayerFigures } from './bloom.ts'

const LAYER_COUNT_AT = 0 + 8
const OPTIONS_AT = LAYER_COUNT_AT + 4
const EXPANSION_AT = OPTIONS_AT + 4
const LAYERS_AT = EXPANSION_AT + 4
assert(LAYERS_AT === 20, 'this layout is a format that other programs read')

const BITS_AT = 0 + 8
const ITEM_COUNT_AT = BITS_AT + 8
const ERROR_RATE_AT = ITEM_COUNT_AT + 8
const BITS_PER_ITEM_AT = ERROR_RATE_AT + 8
const HASH_COUNT_AT = BITS_PER_ITEM_AT + 8
const CAPACITY_AT = HASH_COUNT_AT + 4
const BITS_POWER_OF_TWO_AT = CAPACITY_AT + 8
const LAYER_BYTES = BITS_POWER_OF_TWO_AT + 1
assert(LAYER_BYTES === 53, 'this layout is a format that other programs read')

export function writeFilterHeader({ options, expansion, layers }: FilterFigures): Buffer {
  const header = Buffer.alloc(LAYERS_AT + layers.length * LAYER_BYTES)
  header.writeBigUInt64LE(BigInt(itemCountOf(layers)))
  header.writeUInt32LE(layers.length, LAYER_COUNT_AT)
  header.writeUInt32LE(options, OPTIONS_AT)
  header.writeUInt32LE(expansion, EXPANSION_AT)
  for (const [index, layer] of layers.entries()) {
    const at = LAYERS_AT + index * LAYER_BYTES
    header.writeBigUInt64LE(BigInt(layer.sizeBytes), at)
    header.writeBigUInt64LE(BigInt(layer.sizeBytes * 8), at + BITS_AT)
    header.writeBigUInt64LE(BigInt(layer.itemCount), at + ITEM_COUNT_AT)
    header.writeDoubleLE(layer.errorRate, at + ERROR_RATE_AT)
    header.writeDoubleLE(layer.bitsPerItem, at + BITS_PER_ITEM_AT)
    header.writeUInt32LE(layer.hashCount, at + HASH_COUNT_AT)
    header.writeBigUInt64LE(BigInt(layer.capacity), at + CAPACITY_AT)
    header[at + BITS_POWER_OF_TWO_AT] = layer.bitsPowerOfTwo
  }
  return header
}

/** Null when the bytes cannot be a header, or contradict themselves. */
export function readFilterHeader(bytes: Uint8Array): FilterFigures | null {
  const header = Buffer.from(bytes)
  if (header.length < LAYERS_AT) return null
  const layerCount = header.readUInt32LE(LAYER_COUNT_AT)
  if (header.length !== LAYERS_AT + layerCount * LAYER_BYTES) return null
  const layers: LayerFigures[] = []
  for (let at = LAYERS_AT; at < header.length; at += LAYER_BYTES) {
    const sizeBytes = Number(header.readBigUInt64LE(at))
    if (header.readBigUInt64LE(at + BITS_AT) !== BigInt(sizeBytes) * 8n) return null
    layers.push({
      sizeBytes,
      capacity: Number(header.readBigUInt64LE(at + CAPACITY_AT)),
      errorRate: header.readDoubleLE(at + ERROR_RATE_AT),
      bitsPerItem: header.readDoubleLE(at + BITS_PER_ITEM_AT),
      hashCount: header.readUInt32LE(at + HASH_COUNT_AT),
      bitsPowerOfTwo: header[at + BITS_POWER_OF_TWO_AT],
      itemCount: Number(header.readBigUInt64LE(at + ITEM_COUNT_AT)),
    })
  }
  const figures = { options: header.readUInt32LE(OPTIONS_AT), expansion: header.readUInt32LE(EXPANSION_AT), layers }
  if (header.readBigUInt64LE(0) !== BigInt(itemCountOf(layers)) || !isPlausible(figures)) return null
  return figures
}

function itemCountOf(layers: readonly LayerFigures[]): number {
  return layers.reduce((sum, layer) => sum + layer.itemCount, 0)
}
