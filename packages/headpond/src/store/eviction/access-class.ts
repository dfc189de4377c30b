/** Accesses to a key are counted up to here, in six bits. */
export const USES_MAX = 63

export const CLASS_COUNT = 9

/**
 * By how often a key was used since it was new, its class: what has been seen of keys is told apart by this. Used for the
 * first time, once more, twice, three times, 4 to 7, 8 to 15, 16 to 31, 32 to 62, and more.
 */
export const CLASS_OF_USES = Uint8Array.from({ length: USES_MAX + 1 }, (_, uses) => {
  if (uses <= 3) return uses
  return uses === USES_MAX ? CLASS_COUNT - 1 : 33 - Math.clz32(uses)
})
