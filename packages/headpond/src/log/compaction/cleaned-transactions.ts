import type { AbortedTransaction } from '../transaction-index.ts'

interface OpenAborted {
  readonly transaction: AbortedTransaction
  /** Whether any of its batches was met: then its marker must stay for those who read them. */
  hasData: boolean
}

/**
 * What a walk over the batches of a log knows of transactions: which data was aborted, and which markers have nothing left
 * in front of them. Batches are shown in the order of their offsets.
 */
export class CleanedTransactions {
  /** By first offset, descending: the next to begin is the last. */
  #toCome: AbortedTransaction[] = []
  readonly #openAborted = new Map<number, OpenAborted>()
  readonly #openCommitted = new Set<number>()
  readonly #onAbortedKept: (transaction: AbortedTransaction) => void

  /** `onAbortedKept` is told of aborted transactions whose marker stays. */
  constructor(onAbortedKept: (transaction: AbortedTransaction) => void) {
    this.#onAbortedKept = onAbortedKept
  }

  /** Those of a part of the log that is about to be walked; some may be known from the part before. */
  add(transactions: readonly AbortedTransaction[]): void {
    this.#toCome = [...this.#toCome, ...transactions].sort((a, b) => b.firstOffset - a.firstOffset)
  }

  /** A batch of data. True when it was aborted: nobody who reads committed data ever sees it. */
  onData(producerId: number, isTransactional: boolean, lastOffset: number): boolean {
    this.#begin(lastOffset)
    if (!isTransactional) return false
    const aborted = this.#openAborted.get(producerId)
    if (aborted === undefined) {
      this.#openCommitted.add(producerId)
      return false
    }
    aborted.hasData = true
    return true
  }

  /** A marker. True when no data of its transaction is left: it may go, once its time has come. */
  onMarker(producerId: number, type: 'COMMIT' | 'ABORT', lastOffset: number): boolean {
    this.#begin(lastOffset)
    if (type === 'COMMIT') return !this.#openCommitted.delete(producerId)
    const aborted = this.#openAborted.get(producerId)
    this.#openAborted.delete(producerId)
    if (aborted === undefined || !aborted.hasData) return true
    this.#onAbortedKept(aborted.transaction)
    return false
  }

  #begin(upToOffset: number): void {
    for (;;) {
      const next = this.#toCome.at(-1)
      if (next === undefined || next.firstOffset > upToOffset) return
      this.#toCome.pop()
      if (!this.#openAborted.has(next.producerId)) {
        this.#openAborted.set(next.producerId, { transaction: next, hasData: false })
      }
    }
  }
}
