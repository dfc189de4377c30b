/**
 * A Bloom filter: the value of a module, as RedisBloom writes it in its encoding version 4.
 *
 *   module id                       64-bit length: 'MBbloom--' in 6 bits for each character, the version in 10
 *   items, layers, options, expansion
 *   each layer: capacity, error rate, hashes... (see `write`), bits, items
 *   end
 *
 * In front of each field stands what it is, so that a server without the module can skip it.
 */

import { BloomFilter, bloomFilterOf, isPlausible, type LayerFigures, putBloomFilter } from '../../../store/bloom.ts'
import type { RdbReader, RdbWriter } from '../encoding.ts'
import { encodeModuleId, MODULE_FIELD, readModuleId } from '../module-fields.ts'
import { RDB_TYPE } from '../object-type.ts'
import { RdbError } from '../rdb-error.ts'
import type { ObjectFormat, ObjectReader } from './object-format.ts'

const NAME = 'MBbloom--'
const VERSION = 4
const MODULE_ID = encodeModuleId(NAME, VERSION)
/** Each layer takes so many bytes at least. */
const LAYER_BYTES_MIN = 30

export const bloomFormat: ObjectFormat = {
  rdbType: () => RDB_TYPE.MODULE_2,
  write(writer, store, handle) {
    const filter = bloomFilterOf(store, handle)
    writer.writeBytes(MODULE_ID)
    writeUnsigned(writer, filter.itemCount)
    writeUnsigned(writer, filter.layers.length)
    writeUnsigned(writer, filter.options)
    writeUnsigned(writer, filter.expansion)
    for (const [index, layer] of filter.layers.entries()) {
      writeUnsigned(writer, layer.capacity)
      writeDouble(writer, layer.errorRate)
      writeUnsigned(writer, layer.hashCount)
      writeDouble(writer, layer.bitsPerItem)
      writeUnsigned(writer, layer.sizeBytes * 8)
      writeUnsigned(writer, layer.bitsPowerOfTwo)
      writer.writeLength(MODULE_FIELD.STRING)
      writer.writeString(filter.bits(index))
      writeUnsigned(writer, layer.itemCount)
    }
    writer.writeLength(MODULE_FIELD.END)
    return null
  },
}

export const readBloomFilter: ObjectReader = (reader) => {
  const { name, version } = readModuleId(reader)
  if (name !== NAME) throw new RdbError(`a value of an unknown module: its type is '${name}'`, reader.at)
  if (version !== VERSION) throw new RdbError(`a Bloom filter in the unknown encoding ${version}`, reader.at)
  const itemCount = readUnsigned(reader)
  const layerCount = readUnsigned(reader)
  const options = readUnsigned(reader)
  const expansion = readUnsigned(reader)
  if (layerCount * LAYER_BYTES_MIN > reader.left) throw new RdbError('more layers than there are bytes', reader.at)
  const layers: LayerFigures[] = []
  const bits: Uint8Array[] = []
  for (let index = 0; index < layerCount; index++) {
    const capacity = readUnsigned(reader)
    const errorRate = readDouble(reader)
    const hashCount = readUnsigned(reader)
    const bitsPerItem = readDouble(reader)
    const bitCount = readUnsigned(reader)
    const bitsPowerOfTwo = readUnsigned(reader)
    expect(reader, MODULE_FIELD.STRING)
    const layerBits = reader.readString()
    const sizeBytes = layerBits.length
    if (bitCount !== sizeBytes * 8) throw new RdbError('a layer without all of its bits', reader.at)
    bits.push(layerBits)
    const layerItemCount = readUnsigned(reader)
    layers.push({ capacity, errorRate, bitsPerItem, hashCount, sizeBytes, bitsPowerOfTwo, itemCount: layerItemCount })
  }
  expect(reader, MODULE_FIELD.END)
  const figures = { options, expansion, layers }
  if (!isPlausible(figures) || layers.reduce((sum, layer) => sum + layer.itemCount, 0) !== itemCount) {
    throw new RdbError('figures of a Bloom filter that contradict each other', reader.at)
  }
  return (database, key, keyStart, keyEnd, expireAtMs) => {
    const filter = BloomFilter.ofFigures(database.store.heap, figures)
    if (filter === null) throw new RangeError('out of memory: a Bloom filter cannot be restored')
    for (const [index, layerBits] of bits.entries()) filter.write(index, 0, layerBits, 0, layerBits.length)
    return putBloomFilter(database, key, keyStart, keyEnd, filter, expireAtMs)
  }
}

function writeUnsigned(writer: RdbWriter, value: number): void {
  writer.writeLength(MODULE_FIELD.UNSIGNED)
  writer.writeLength(value)
}

function writeDouble(writer: RdbWriter, value: number): void {
  writer.writeLength(MODULE_FIELD.DOUBLE)
  writer.writeDouble(value)
}

function readUnsigned(reader: RdbReader): number {
  expect(reader, MODULE_FIELD.UNSIGNED)
  return reader.readLength()
}

function readDouble(reader: RdbReader): number {
  expect(reader, MODULE_FIELD.DOUBLE)
  return reader.readDouble()
}

function expect(reader: RdbReader, opcode: number): void {
  const found = reader.readLength()
  if (found !== opcode) throw new RdbError(`expected a field of kind ${opcode}, found ${found}`, reader.at)
}
