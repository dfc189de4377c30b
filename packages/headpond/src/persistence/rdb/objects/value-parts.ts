import type { NodeWatcher } from '../../../store/structures.ts'
import type { RdbWriter } from '../encoding.ts'

/** A large form of a value, which tells who watches it what is about to change. */
export interface Watched {
  watcher: NodeWatcher | null
}

/**
 * A large value that is being written, a part of bounded size at a time.
 *
 * Unless it is watched, it must stay as it is until the end. Watched, it may change and even go: what is written is the
 * value as it was when it began to be watched. A fork gets that from the processor, which copies each page before it is
 * written to. Here the value shows each element or node before that changes, and what has not been written yet is written
 * or set aside then; so a write to a collection of millions costs the time of an element and not of the collection.
 */
export abstract class ValueParts {
  /** Where the next part goes. */
  writer: RdbWriter

  constructor(writer: RdbWriter) {
    this.writer = writer
  }

  /** Writes a part. Returns whether there is more. */
  abstract writeNext(): boolean

  /** Lets the value change from now on, until `unwatch`. False: this one cannot be watched. O(nodes) at most. */
  abstract watch(): boolean

  /** What is not written by now is not needed any more. */
  abstract unwatch(): void

  /** Whether the value was deleted meanwhile, and is only kept until `unwatch`. */
  abstract readonly isDeleted: boolean
}

/** Of a value that shows what changes. */
export abstract class WatchedParts extends ValueParts {
  readonly #structure: Watched
  #dispose: (() => void) | null = null

  constructor(writer: RdbWriter, structure: Watched) {
    super(writer)
    this.#structure = structure
  }

  watch(): boolean {
    this.#structure.watcher = this
    return true
  }

  unwatch(): void {
    this.#structure.watcher = null
    this.#dispose?.()
    this.#dispose = null
  }

  get isDeleted(): boolean {
    return this.#dispose !== null
  }

  /** See NodeWatcher. */
  outlive(dispose: () => void): void {
    this.#dispose = dispose
  }

  /** See NodeWatcher. */
  abstract changing(part: number): void
}

/** Writes all parts that are left. */
export function finishParts(parts: ValueParts | null): void {
  while (parts?.writeNext()) {}
}
