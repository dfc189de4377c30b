import type { DecodedBatch } from '../log/records/batch.ts'
import { controlTypeOf } from '../log/records/control-record.ts'
import type { LogRecord } from '../log/records/record.ts'

/**
 * Which batches of a read belong to transactions that were aborted: they come with all others, and a list of who has aborted
 * from where comes with them. For those who read records (clients, tools); the broker passes both on. To be asked of each
 * batch, in their order.
 */
export class AbortedTransactions {
  readonly #upcoming: { readonly producerId: number; readonly firstOffset: number }[]
  readonly #producers = new Set<number>()

  /** @param transactions null: the reader wants them all */
  constructor(transactions: readonly { readonly producerId: number; readonly firstOffset: number }[] | null) {
    this.#upcoming = [...(transactions ?? [])].sort((a, b) => a.firstOffset - b.firstOffset)
  }

  /** The records of a batch that a consumer gets to see. */
  readable(batch: DecodedBatch): readonly LogRecord[] {
    // Before a marker counts, too: a read may begin with the marker of a transaction whose records came with the last one.
    while (this.#upcoming.length > 0 && this.#upcoming[0].firstOffset <= batch.lastOffset) {
      this.#producers.add(this.#upcoming[0].producerId)
      this.#upcoming.shift()
    }
    if (batch.isControl) {
      // After its marker, the producer's batches are another transaction's.
      if (controlTypeOf(batch.records[0]?.key ?? null) === 'ABORT') this.#producers.delete(batch.producerId)
      return []
    }
    return batch.isTransactional && this.#producers.has(batch.producerId) ? [] : batch.records
  }
}
