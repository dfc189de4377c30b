import * as listpack from './listpack.ts'
import type { Quicklist } from './quicklist.ts'
import { Text } from './text.ts'

const EMPTY = new Uint8Array(0)

/**
 * A place in a list, be it a single listpack or a quicklist: for walking, and to name an element to a Quicklist. Valid
 * until the next write to the list. One cursor can be opened again and again.
 */
export class ListCursor {
  /** What holds the element; an arena, mostly. */
  bytes: Uint8Array = EMPTY
  /** Where the listpack begins in `bytes`, or a plain element. */
  at = 0
  /** The element itself, in a listpack. */
  entry = listpack.NONE
  isPlain = false
  plainEnd = 0
  /** The node's place in the quicklist. */
  node = 0
  #quicklist: Quicklist | null = null
  readonly #text = new Text()

  openListpack(bytes: Uint8Array, at: number): void {
    this.#quicklist = null
    this.bytes = bytes
    this.at = at
    this.isPlain = false
    this.entry = listpack.NONE
  }

  openQuicklist(quicklist: Quicklist): void {
    this.#quicklist = quicklist
    this.entry = listpack.NONE
  }

  get count(): number {
    return this.#quicklist === null ? listpack.count(this.bytes, this.at) : this.#quicklist.count
  }

  /** Goes to the element with this index (from the end when negative); false when there is none. */
  toIndex(index: number): boolean {
    const quicklist = this.#quicklist
    if (quicklist === null) {
      this.entry = listpack.seek(this.bytes, this.at, index)
      return this.entry !== listpack.NONE
    }
    const wanted = index < 0 ? index + quicklist.count : index
    if (wanted < 0 || wanted >= quicklist.count) return false
    quicklist.enter(this, quicklist.nodeAt(wanted))
    if (!this.isPlain) this.entry = listpack.seek(this.bytes, this.at, wanted - quicklist.foundIndex)
    return true
  }

  /** Goes to the first or the last element of a list that is not empty. hot: once for each LPOP or RPOP. */
  toEnd(atTail: boolean): void {
    const quicklist = this.#quicklist
    if (quicklist !== null) quicklist.enter(this, atTail ? quicklist.nodeCount - 1 : 0)
    if (!this.isPlain) {
      this.entry = atTail ? listpack.last(this.bytes, this.at) : listpack.first(this.bytes, this.at)
    }
  }

  /** Goes to the next element; false at the tail, where the cursor stays. hot: for each element of a walk. */
  next(): boolean {
    if (!this.isPlain) {
      const following = listpack.next(this.bytes, this.entry)
      if (following !== listpack.NONE) {
        this.entry = following
        return true
      }
    }
    return this.toNextNode()
  }

  /** Goes to the first element of the node behind this one; false at the last one, where the cursor stays. */
  toNextNode(): boolean {
    const quicklist = this.#quicklist
    if (quicklist === null || this.node + 1 === quicklist.nodeCount) return false
    quicklist.enter(this, this.node + 1)
    if (!this.isPlain) this.entry = listpack.first(this.bytes, this.at)
    return true
  }

  previous(): boolean {
    if (!this.isPlain) {
      const before = listpack.previous(this.bytes, this.at, this.entry)
      if (before !== listpack.NONE) {
        this.entry = before
        return true
      }
    }
    const quicklist = this.#quicklist
    if (quicklist === null || this.node === 0) return false
    quicklist.enter(this, this.node - 1)
    if (!this.isPlain) this.entry = listpack.last(this.bytes, this.at)
    return true
  }

  // ---- The element ----

  /** Where the element's text lies: in a Text that is filled again for each element. hot: for each element sent. */
  read(): Text {
    if (this.isPlain) this.#text.set(this.bytes, this.at, this.plainEnd)
    else listpack.locate(this.bytes, this.entry, this.#text)
    return this.#text
  }

  /** The element's text, copied. */
  toBytes(): Buffer {
    if (this.isPlain) return Buffer.from(this.bytes.subarray(this.at, this.plainEnd))
    return listpack.text(this.bytes, this.entry)
  }

  equals(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.isPlain) return listpack.equals(this.bytes, this.entry, bytes, start, end)
    if (this.plainEnd - this.at !== end - start) return false
    return Buffer.compare(this.bytes.subarray(this.at, this.plainEnd), bytes.subarray(start, end)) === 0
  }

  // ---- The element's place in its listpack ----

  get offset(): number {
    return this.entry - this.at
  }

  get offsetBehind(): number {
    return this.entry + listpack.bytesOf(this.bytes, this.entry) - this.at
  }

  get isFirstOfNode(): boolean {
    return this.offset === listpack.HEADER_BYTES
  }

  get isLastOfNode(): boolean {
    return this.at + this.offsetBehind === listpack.endOf(this.bytes, this.at)
  }
}
