import { assert } from '../../../bytes/assert.ts'
import type { Handle } from '../../../memory/heap.ts'
import type { StructureWatcher } from '../../../store/structures.ts'
import type { RdbWriter } from '../encoding.ts'
import { ELEMENTS_PER_PART } from './object-format.ts'
import { finishParts, type ValueParts, type Watched, WatchedParts } from './value-parts.ts'

/**
 * The elements of a hash, set or sorted set, in the order in which a walk goes through them. In a file their order means
 * nothing: one that is about to change before the walk has reached it is written at once.
 */
export abstract class ElementParts extends WatchedParts implements StructureWatcher {
  #unwrittenCount: number
  /** Elements that the walk must pass over: those written ahead of it, and those that came later. */
  readonly #skipped = new Set<Handle>()

  constructor(writer: RdbWriter, structure: Watched, count: number) {
    super(writer, structure)
    this.#unwrittenCount = count
  }

  /** Writes an element, wherever it stands. */
  protected abstract write(element: Handle): void

  /** Whether an element stands where the walk has been. */
  protected abstract isPassed(element: Handle): boolean

  /** The walk has come to an element. */
  protected visit(element: Handle): void {
    if (this.#skipped.size > 0 && this.#skipped.has(element)) return
    this.#unwrittenCount--
    this.write(element)
  }

  /** The walk is over. */
  protected checkComplete(): void {
    assert(this.#unwrittenCount === 0, 'snapshot: a collection was not written as it was')
  }

  changing(element: Handle): void {
    if (this.#skipped.has(element)) return
    this.#writeAhead(element)
    // Even where the walk has been: another score may move it to where the walk is yet to come.
    this.#skipped.add(element)
  }

  removing(element: Handle): void {
    if (!this.#skipped.delete(element)) this.#writeAhead(element)
  }

  added(element: Handle): void {
    if (!this.isPassed(element)) this.#skipped.add(element)
  }

  #writeAhead(element: Handle): void {
    if (this.isPassed(element)) return
    this.#unwrittenCount--
    this.write(element)
  }
}

/** A table of elements, as hashes and sets have them. */
interface ElementTable {
  readonly count: number
  watcher: StructureWatcher | null
  scan(cursor: number, countHint: number, visit: (element: Handle) => void): number
  hashOf(element: Handle): number
}

/** Writes every element: at once (null) when there are few, else in parts. */
export function writeElements(
  writer: RdbWriter,
  table: ElementTable,
  write: (writer: RdbWriter, element: Handle) => void,
): ValueParts | null {
  const parts = new TableParts(writer, table, write)
  if (table.count > ELEMENTS_PER_PART) return parts
  finishParts(parts)
  return null
}

/** In the order of the hashes, in which a table is walked. */
class TableParts extends ElementParts {
  readonly #table: ElementTable
  readonly #write: (writer: RdbWriter, element: Handle) => void
  readonly #visit = (element: Handle): void => this.visit(element)
  #cursor = 0
  #isAtEnd = false

  constructor(writer: RdbWriter, table: ElementTable, write: (writer: RdbWriter, element: Handle) => void) {
    super(writer, table, table.count)
    this.#table = table
    this.#write = write
  }

  writeNext(): boolean {
    this.#cursor = this.#table.scan(this.#cursor, ELEMENTS_PER_PART, this.#visit)
    this.#isAtEnd = this.#cursor === 0
    if (this.#isAtEnd) this.checkComplete()
    return !this.#isAtEnd
  }

  protected write(element: Handle): void {
    this.#write(this.writer, element)
  }

  protected isPassed(element: Handle): boolean {
    return this.#isAtEnd || this.#table.hashOf(element) >>> 0 < this.#cursor
  }
}
