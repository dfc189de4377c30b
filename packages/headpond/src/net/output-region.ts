/** Replies begin at multiples of this in a region, so that those of the next turn begin where those of this one did. */
export const LINE_BYTES = 64
/** Views for a line, one for sizes that are the same in their last bits: of values and of nil, say. */
const VIEWS_PER_LINE = 4

/**
 * Memory that replies are encoded in. Those that wait for the end of the turn (see turn.ts) stay where they are, and are given to the
 * system as views that are made once for their place and size. So a single request, which is what most clients send, makes no
 * object on its way out. **(measured)**: a copy of its own, two views and a list for it were a seventh of what a `GET` of 20
 * bytes costs outside of the system, and more of longer values: copies that are made and left are memory to be found and collected.
 */
export class OutputRegion {
  readonly bytes: Buffer
  /** Somebody needs what waited in this turn for longer: it must not be written over. */
  isLent = false
  #views: (Buffer | null)[] | null = null

  constructor(sizeBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(sizeBytes)
  }

  /** What lies there. `at` is the beginning of a line. */
  view(at: number, sizeBytes: number): Buffer {
    const views = (this.#views ??= this.#noViews())
    const index = (at / LINE_BYTES) * VIEWS_PER_LINE + (sizeBytes % VIEWS_PER_LINE)
    const view = views[index]
    if (view !== null && view.length === sizeBytes) return view
    return (views[index] = this.bytes.subarray(at, at + sizeBytes))
  }

  #noViews(): null[] {
    return new Array<null>(Math.ceil(this.bytes.length / LINE_BYTES) * VIEWS_PER_LINE).fill(null)
  }
}
