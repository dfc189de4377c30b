import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { lcsLength, lcsTableSizeBytes, longestCommonSubsequence } from '#src/bytes/lcs.ts'

/** The answer as LCS and LCS IDX WITHMATCHLEN show it: positions are of first and last byte. */
function lcs(a: string, b: string, minMatchLength?: number): { text: string; matches: string[] } {
  const { sequence, matches } = longestCommonSubsequence(Buffer.from(a), Buffer.from(b), minMatchLength)
  return {
    text: Buffer.from(sequence).toString(),
    matches: matches.map((m) => `${m.aStart}-${m.aStart + m.length - 1} ${m.bStart}-${m.bStart + m.length - 1}`),
  }
}

/** By definition, exponential: the longer of what is left when one byte is dropped from either side. */
function naiveLength(a: string, b: string): number {
  if (a === '' || b === '') return 0
  if (a[0] === b[0]) return 1 + naiveLength(a.slice(1), b.slice(1))
  return Math.max(naiveLength(a.slice(1), b), naiveLength(a, b.slice(1)))
}

test('the example of the documentation, with its ranges from the end', () => {
  assert.deepEqual(lcs('ohmytext', 'mynewtext'), { text: 'mytext', matches: ['4-7 5-8', '2-3 0-1'] })
  assert.deepEqual(lcs('ohmytext', 'mynewtext', 4), { text: 'mytext', matches: ['4-7 5-8'] })
  assert.deepEqual(lcs('ohmytext', 'mynewtext', 5), { text: 'mytext', matches: [] })
})

test('of several answers it gives the one that redis-server 7.0.15 gives', () => {
  assert.deepEqual(lcs('ab', 'ba'), { text: 'b', matches: ['1-1 0-0'] })
  assert.deepEqual(lcs('abcab', 'bcabc'), { text: 'bcab', matches: ['1-4 0-3'] })
  assert.deepEqual(lcs('abacbdab', 'bdcaba'), { text: 'bdab', matches: ['6-7 3-4', '4-5 0-1'] })
})

test('nothing in common, or nothing at all', () => {
  for (const [a, b] of [
    ['abc', 'xyz'],
    ['', 'abc'],
    ['abc', ''],
    ['', ''],
  ]) {
    assert.deepEqual(lcs(a, b), { text: '', matches: [] })
    assert.equal(lcsLength(Buffer.from(a), Buffer.from(b)), 0)
  }
})

test('the table of Redis has four bytes for each pair, and one row and column more', () => {
  assert.equal(lcsTableSizeBytes(0, 0), 4)
  assert.equal(lcsTableSizeBytes(99, 9), 4000)
  assert.equal(lcsTableSizeBytes(2 ** 26 - 1, 2 ** 26 - 1), 2 ** 54) // no overflow
})

test('the sequence is as long as can be, and is in both texts where the ranges say', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 9 }).map((letters) => letters.join(''))
  fc.assert(
    fc.property(text, text, (a, b) => {
      const { length, sequence, matches } = longestCommonSubsequence(Buffer.from(a), Buffer.from(b))
      assert.equal(length, naiveLength(a, b))
      assert.equal(length, lcsLength(Buffer.from(a), Buffer.from(b)))
      const ranges = matches.toReversed()
      const parts = (text: string, start: (range: (typeof ranges)[0]) => number) =>
        ranges.map((range) => text.slice(start(range), start(range) + range.length)).join('')
      assert.equal(
        parts(a, (range) => range.aStart),
        Buffer.from(sequence).toString(),
      )
      assert.equal(
        parts(b, (range) => range.bStart),
        Buffer.from(sequence).toString(),
      )
      for (let i = 1; i < ranges.length; i++) {
        assert.ok(ranges[i].aStart >= ranges[i - 1].aStart + ranges[i - 1].length)
        assert.ok(ranges[i].bStart >= ranges[i - 1].bStart + ranges[i - 1].length)
      }
    }),
    { numRuns: 1000 },
  )
})
