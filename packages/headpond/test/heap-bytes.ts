/**
 * How many bytes of garbage one call of `call(i)` leaves, once it is compiled: for the functions that are marked hot.
 *
 * Rounds are short enough not to fill the young generation, whose collection would hide what a round left; the best of
 * them counts, because the compiler's own allocations disturb the others. Needs `--expose-gc`, which `npm test` gives.
 */
export function heapBytesPerCall(call: (i: number) => void, callsPerRound = 20_000): number {
  if (globalThis.gc === undefined) throw new Error('heapBytesPerCall needs node --expose-gc: run it through npm test')
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 20; round++) {
    globalThis.gc()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < callsPerRound; i++) call(i)
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / callsPerRound)
  }
  return least
}
