import type { ErrorName } from '../errors.ts'

/** Clients from before PRODUCER_FENCED know an invalid epoch only (KIP-588). */
export function inWordsOf(version: number, firstToKnow: number, error: ErrorName | null): ErrorName | null {
  return error === 'PRODUCER_FENCED' && version < firstToKnow ? 'INVALID_PRODUCER_EPOCH' : error
}
