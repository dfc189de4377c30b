import { performance } from 'node:perf_hooks'

/** What one request takes of a turn of the event loop at a time. */
const SHARE_MS = 2
/** Appending is quick, but each partition is written at the end of the turn: so many are a few milliseconds. */
const AT_ONCE_MAX = 64

/** For a request about what may be thousands of partitions: others are to be answered in between. */
export class TurnShare {
  #endMs = performance.now() + SHARE_MS

  get isOver(): boolean {
    return performance.now() >= this.#endMs
  }

  /** Resolves in the next turn, with a share of that. */
  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#endMs = performance.now() + SHARE_MS
  }
}

/** Does something to each item, in as many turns as it takes. A few are done before this returns. */
export async function inTurns<T>(items: Iterable<T>, perform: (item: T) => void): Promise<void> {
  const share = new TurnShare()
  let left = AT_ONCE_MAX
  for (const item of items) {
    if (left === 0 || share.isOver) {
      await share.next()
      left = AT_ONCE_MAX
    }
    perform(item)
    left--
  }
}
