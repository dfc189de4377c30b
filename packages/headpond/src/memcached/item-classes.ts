/**
 * The size classes that memcached sorts items into with its default flags. Memory is managed otherwise here; but tools that
 * watch memcached or list its items go by these numbers (`stats items`, `stats slabs`, `stats cachedump <class>`, `cls=` of a
 * dump), so items are shown in the class that they would have there.
 */
const SMALLEST_BYTES = 96
const LARGEST_BYTES = 512 * 1024
const GROWTH_FACTOR = 1.25
const ALIGNMENT_BYTES = 8
const PAGE_BYTES = 2 ** 20

/** By class, the size of its chunks; there is no class 0. */
const chunkSizes = buildSizes()

function buildSizes(): readonly number[] {
  const sizes = [0]
  for (let size = SMALLEST_BYTES; size < LARGEST_BYTES / GROWTH_FACTOR; ) {
    const aligned = Math.ceil(size / ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    sizes.push(aligned)
    size = Math.floor(aligned * GROWTH_FACTOR)
  }
  sizes.push(LARGEST_BYTES)
  return sizes
}

/** Classes that may be named, used or not. */
export const CLASSES_END = 64

/** The class of an item of a size. O(log classes). */
export function itemClassOf(sizeBytes: number): number {
  let low = 1
  let high = chunkSizes.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (chunkSizes[middle] < sizeBytes) low = middle + 1
    else high = middle
  }
  return low
}

export function chunkBytesOf(itemClass: number): number {
  return chunkSizes[itemClass]
}

export function chunksPerPageOf(itemClass: number): number {
  return Math.floor(PAGE_BYTES / chunkSizes[itemClass])
}
