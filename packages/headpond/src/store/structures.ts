import { assert } from '../bytes/assert.ts'
import type { Handle } from '../memory/heap.ts'
import type { Records } from './record.ts'

/**
 * The large forms of values: objects whose contents lie in the heap. A record holds the index that `add` returns as the
 * only word of its value.
 */
export interface Structure {
  /** Bytes in the heap that it takes, for MEMORY USAGE. */
  readonly sizeBytes: number
}

/**
 * Who has read a part of a large value and needs the rest of it as it is now: a snapshot. The value shows it the parts
 * that are about to change, each by a number that no other part has at the same time. Of the nodes of a list or a stream
 * it is enough to know which are about to change or go.
 */
export interface NodeWatcher {
  /** A part is about to change in place; a node also when it is about to go. */
  changing(part: number): void
  /** The whole value is about to go. The watcher calls `dispose`, which frees it, when it needs it no more. */
  outlive(dispose: () => void): void
}

/** Of the elements of a table. */
export interface StructureWatcher extends NodeWatcher {
  /** A part is about to go. */
  removing(part: number): void
  /** A part has come; the number may be that of one that went. */
  added(part: number): void
}

export class Structures {
  #all: (Structure | null)[] = []
  #free: number[] = []

  get count(): number {
    return this.#all.length - this.#free.length
  }

  add(structure: Structure): number {
    const index = this.#free.pop() ?? this.#all.length
    this.#all[index] = structure
    return index
  }

  /** The structure of a record in a large encoding: which class it is follows from type and encoding. */
  of<T extends Structure>(records: Records, handle: Handle): T {
    return this.#all[records.valueWord(handle, 0)] as T
  }

  /** Gives the index back; what the structure holds in the heap is for the caller to free. */
  free(index: number): void {
    assert(this.#all[index] != null, 'free: not a live structure')
    this.#all[index] = null
    this.#free.push(index)
  }

  /** Forgets all: the whole heap is being reset. */
  reset(): void {
    this.#all = []
    this.#free = []
  }
}
