/**
 * The longest common subsequence of two texts: the most bytes that both have in the same order, not necessarily side by
 * side. `ohmytext` and `mynewtext` share `mytext`.
 *
 * The classic table: cell (i, j) is the length for the first i bytes of `a` and the first j of `b`.
 *
 *   cell(i, j) = cell(i-1, j-1) + 1                  if a[i-1] = b[j-1]
 *                max(cell(i-1, j), cell(i, j-1))     otherwise
 *
 * Redis keeps all cells, 4 bytes each. The lengths need only the row above, and the way back through the table needs one
 * bit of each cell: did the maximum come from above? So we take 1/32 of the memory, and walk the same way: among
 * several longest subsequences, the one that Redis answers.
 */

/** A run of bytes that both texts have: a[aStart, aStart + length) and b[bStart, bStart + length). */
export interface LcsMatch {
  readonly aStart: number
  readonly bStart: number
  readonly length: number
}

export interface LcsResult {
  readonly length: number
  readonly sequence: Uint8Array
  /** The runs of at least `minMatchLength` bytes, from the end of the texts to their start, as LCS IDX lists them. */
  readonly matches: readonly LcsMatch[]
}

/**
 * The size of the table that Redis would allocate, which it compares with `proto-max-bulk-len` ("Insufficient memory,
 * transient memory for LCS exceeds proto-max-bulk-len"). Ask before calling: the time grows with it as well.
 */
export function lcsTableSizeBytes(aLength: number, bLength: number): number {
  return (aLength + 1) * (bLength + 1) * Uint32Array.BYTES_PER_ELEMENT
}

/** The length of the longest common subsequence of two texts. O(a * b) time, O(b) memory. */
export function lcsLength(a: Uint8Array, b: Uint8Array): number {
  return fillTable(a, b, undefined)
}

/**
 * The longest common subsequence of two texts with its length and the runs that make it up; `minMatchLength` leaves out
 * shorter runs from `matches` alone. O(a * b) time, a bit for each pair of bytes as memory. Source: Redis's LCS command.
 */
export function longestCommonSubsequence(a: Uint8Array, b: Uint8Array, minMatchLength = 0): LcsResult {
  const cameFromAbove = new Uint8Array(Math.ceil((a.length * b.length) / 8))
  const length = fillTable(a, b, cameFromAbove)

  const sequence = new Uint8Array(length)
  const matches: LcsMatch[] = []
  let left = length
  let runLength = 0
  let i = a.length
  let j = b.length
  while (i > 0 && j > 0) {
    const same = a[i - 1] === b[j - 1]
    if (same) {
      i--
      j--
      sequence[--left] = a[i]
      runLength++
    }
    // A run ends at a mismatch, and at the start of either text.
    if (runLength > 0 && (!same || i === 0 || j === 0)) {
      if (runLength >= minMatchLength) matches.push({ aStart: i, bStart: j, length: runLength })
      runLength = 0
    }
    if (!same) {
      if (isBitSet(cameFromAbove, (i - 1) * b.length + j - 1)) i--
      else j--
    }
  }
  return { length, sequence, matches }
}

/** Computes the table row by row, notes in `cameFromAbove` what the way back asks for, and returns the last cell. */
function fillTable(a: Uint8Array, b: Uint8Array, cameFromAbove: Uint8Array | undefined): number {
  const row = new Uint32Array(b.length + 1)
  let bit = 0
  for (let i = 0; i < a.length; i++) {
    const aByte = a[i]
    let diagonal = 0 // the row above, one to the left, which `row` no longer holds
    for (let j = 0; j < b.length; j++, bit++) {
      const above = row[j + 1]
      const before = row[j]
      if (aByte === b[j]) {
        row[j + 1] = diagonal + 1
      } else if (above > before) {
        if (cameFromAbove !== undefined) setBit(cameFromAbove, bit)
      } else {
        row[j + 1] = before
      }
      diagonal = above
    }
  }
  return row[b.length]
}

// Not `index >> 3`: two texts of 64 KiB have more than 2^31 pairs.
function setBit(bits: Uint8Array, index: number): void {
  bits[Math.floor(index / 8)] |= 1 << (index % 8)
}

function isBitSet(bits: Uint8Array, index: number): boolean {
  return (bits[Math.floor(index / 8)] & (1 << (index % 8))) !== 0
}
