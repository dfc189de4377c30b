/**
 * A list value: written as the nodes of a quicklist, read in every layout that lists have had.
 *
 *   LIST              count, strings
 *   LIST_ZIPLIST      a ziplist, as a string
 *   LIST_QUICKLIST    count, ziplists
 *   LIST_QUICKLIST_2  count, each node: container (1 plain, 2 packed), an element or a listpack
 */

import * as listpack from '../../../memory/listpack.ts'
import { Quicklist } from '../../../memory/quicklist.ts'
import {
  createListOf,
  createListOfNodes,
  eachListNode,
  type ListNode,
  listNodeCount,
  quicklistOf,
} from '../../../store/list.ts'
import type { RdbReader, RdbWriter } from '../encoding.ts'
import { RDB_TYPE } from '../object-type.ts'
import { RdbEmptyValue, RdbError } from '../rdb-error.ts'
import { readZiplist } from '../ziplist.ts'
import { NodeParts } from './node-parts.ts'
import type { ObjectFormat, ObjectReader, PutObject } from './object-format.ts'

/** Nodes are 8 KB, most of them: what takes longest is to compress them. */
const NODES_PER_PART = 4

const CONTAINER_PLAIN = 1
const CONTAINER_PACKED = 2

export const listFormat: ObjectFormat = {
  rdbType: () => RDB_TYPE.LIST_QUICKLIST_2,
  write(writer, store, handle) {
    const nodeCount = listNodeCount(store, handle)
    writer.writeLength(nodeCount)
    if (nodeCount > NODES_PER_PART) return new ListParts(writer, quicklistOf(store, handle))
    eachListNode(store, handle, (isPlain, bytes, start, end) => writeNode(writer, isPlain, bytes, start, end))
    return null
  },
}

function writeNode(writer: RdbWriter, isPlain: boolean, bytes: Uint8Array, start: number, end: number): void {
  writer.writeLength(isPlain ? CONTAINER_PLAIN : CONTAINER_PACKED)
  writer.writeString(bytes, start, end)
}

class ListParts extends NodeParts {
  readonly #quicklist: Quicklist
  /** Two words for each node. */
  readonly #row: Uint32Array

  constructor(writer: RdbWriter, quicklist: Quicklist) {
    super(writer, quicklist, quicklist.nodeCount)
    this.#quicklist = quicklist
    this.#row = quicklist.row()
  }

  writeNext(): boolean {
    return this.writeNodes(NODES_PER_PART)
  }

  protected partAt(node: number): number {
    return Quicklist.partOf(this.#row[node * 2], this.#row[node * 2 + 1])
  }

  protected show(node: number, visit: (bytes: Uint8Array, start: number, end: number) => void): void {
    this.#quicklist.showNode(this.#row[node * 2], this.#row[node * 2 + 1], (_, bytes, start, end) =>
      visit(bytes, start, end),
    )
  }

  protected write(node: number, bytes: Uint8Array, start: number, end: number): void {
    writeNode(this.writer, Quicklist.isPlain(this.#row[node * 2 + 1]), bytes, start, end)
  }
}

export const readListQuicklist2: ObjectReader = (reader) => {
  const nodes: ListNode[] = []
  const nodeCount = reader.readCount()
  for (let index = 0; index < nodeCount; index++) {
    const node = readListNode(reader)
    if (node !== null) nodes.push(node)
  }
  if (nodes.length === 0) throw new RdbEmptyValue('a list without elements', reader.at)
  return (database, key, keyStart, keyEnd, expireAtMs) =>
    createListOfNodes(database, key, keyStart, keyEnd, expireAtMs, nodes)
}

/** A node of a quicklist; null: it is empty. */
export function readListNode(reader: RdbReader): ListNode | null {
  const container = reader.readLength()
  const bytes = reader.readString()
  if (container === CONTAINER_PLAIN) {
    // Only what is large stands alone.
    if (bytes.length === 0) throw new RdbError('a node of a list without content', reader.at)
    return { isPlain: true, bytes }
  }
  if (container !== CONTAINER_PACKED) throw new RdbError(`unknown container of a list ${container}`, reader.at)
  if (!listpack.isValid(bytes, 0, bytes.length)) throw new RdbError('a listpack is damaged', reader.at)
  return listpack.first(bytes, 0) === listpack.NONE ? null : { isPlain: false, bytes }
}

export const readListQuicklist: ObjectReader = (reader) => {
  const elements: Uint8Array[] = []
  const nodeCount = reader.readCount()
  for (let index = 0; index < nodeCount; index++) {
    for (const element of readZiplist(reader.readString(), reader.at)) elements.push(element)
  }
  return putElements(elements, reader)
}

export const readListZiplist: ObjectReader = (reader) =>
  putElements(readZiplist(reader.readString(), reader.at), reader)

export const readList: ObjectReader = (reader) => {
  const elements: Uint8Array[] = []
  const count = reader.readCount()
  for (let index = 0; index < count; index++) elements.push(reader.readString())
  return putElements(elements, reader)
}

function putElements(elements: readonly Uint8Array[], reader: RdbReader): PutObject {
  if (elements.length === 0) throw new RdbEmptyValue('a list without elements', reader.at)
  return (database, key, keyStart, keyEnd, expireAtMs) =>
    createListOf(database, key, keyStart, keyEnd, expireAtMs, elements)
}
