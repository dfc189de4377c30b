import type { RdbWriter } from '../encoding.ts'
import { type Watched, WatchedParts } from './value-parts.ts'

/**
 * The nodes of a list or stream, in their order, which a file keeps. Which there were is noted at the beginning: one that
 * is about to change before it has been written is copied.
 */
export abstract class NodeParts extends WatchedParts {
  readonly #nodeCount: number
  #nextNode = 0
  /** The places of nodes that may yet have to be copied, by what a watcher is told of them; made for the first of them. */
  #places: Map<number, number> | null = null
  readonly #copies = new Map<number, Uint8Array>()

  constructor(writer: RdbWriter, structure: Watched, nodeCount: number) {
    super(writer, structure)
    this.#nodeCount = nodeCount
  }

  /** What a watcher is told of a node. */
  protected abstract partAt(node: number): number

  /** Shows the bytes of a node as they are now. */
  protected abstract show(node: number, visit: (bytes: Uint8Array, start: number, end: number) => void): void

  /** Writes a node of these bytes. */
  protected abstract write(node: number, bytes: Uint8Array, start: number, end: number): void

  /** Writes some nodes. Returns whether there are more. */
  protected writeNodes(count: number): boolean {
    const end = Math.min(this.#nextNode + count, this.#nodeCount)
    for (; this.#nextNode < end; this.#nextNode++) {
      const node = this.#nextNode
      const copy = this.#copies.get(node)
      if (copy === undefined) this.show(node, (bytes, start, stop) => this.write(node, bytes, start, stop))
      else this.write(node, copy, 0, copy.length)
      this.#copies.delete(node)
    }
    return end < this.#nodeCount
  }

  changing(part: number): void {
    this.#places ??= this.#placesLeft()
    const node = this.#places.get(part)
    if (node === undefined) return
    this.#places.delete(part)
    if (node < this.#nextNode) return
    this.show(node, (bytes, start, end) => this.#copies.set(node, bytes.slice(start, end)))
  }

  #placesLeft(): Map<number, number> {
    const places = new Map<number, number>()
    for (let node = this.#nextNode; node < this.#nodeCount; node++) places.set(this.partAt(node), node)
    return places
  }
}
