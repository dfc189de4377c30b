/** Sequence numbers of idempotent producers: 0 to 2147483647, then 0 again. */
export const SEQUENCE_MAX = 2 ** 31 - 1
export const NO_SEQUENCE = -1

export function addToSequence(sequence: number, count: number): number {
  return sequence > SEQUENCE_MAX - count ? count - (SEQUENCE_MAX - sequence) - 1 : sequence + count
}

export function subtractFromSequence(sequence: number, count: number): number {
  return sequence < count ? SEQUENCE_MAX - (count - sequence) + 1 : sequence - count
}

/** Whether `next` may follow `last`; NO_SEQUENCE is before 0. */
export function isNextSequence(last: number, next: number): boolean {
  return next === last + 1 || (next === 0 && last === SEQUENCE_MAX)
}
