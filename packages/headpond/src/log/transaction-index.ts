/**
 * The aborted transactions whose end lies in a segment, in memory and as the file `<base offset>.txnindex`. Entries, in the
 * order of their ends:
 *
 *   int16 version (0) | int64 producerId | int64 firstOffset | int64 lastOffset (the marker's) | int64 lastStableOffset
 *
 * The last stable offset is that after the abort: a reader that does not go beyond it need not look further.
 */
import { readInt16, readInt64, writeInt64 } from './record-batch.ts'

const ABORTED_TRANSACTION_BYTES = 34
const VERSION = 0

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  readonly lastOffset: number
  readonly lastStableOffset: number
}

export function encodeAbortedTransaction(transaction: AbortedTransaction): Buffer {
  const bytes = Buffer.alloc(ABORTED_TRANSACTION_BYTES)
  bytes.writeInt16BE(VERSION, 0)
  writeInt64(bytes, 2, transaction.producerId)
  writeInt64(bytes, 10, transaction.firstOffset)
  writeInt64(bytes, 18, transaction.lastOffset)
  writeInt64(bytes, 26, transaction.lastStableOffset)
  return bytes
}

/** Null when these are no entries of this version. */
export function decodeAbortedTransactions(bytes: Buffer): AbortedTransaction[] | null {
  if (bytes.length % ABORTED_TRANSACTION_BYTES !== 0) return null
  const transactions: AbortedTransaction[] = []
  for (let at = 0; at < bytes.length; at += ABORTED_TRANSACTION_BYTES) {
    if (readInt16(bytes, at) !== VERSION) return null
    transactions.push({
      producerId: readInt64(bytes, at + 2),
      firstOffset: readInt64(bytes, at + 10),
      lastOffset: readInt64(bytes, at + 18),
      lastStableOffset: readInt64(bytes, at + 26),
    })
  }
  return transactions
}
