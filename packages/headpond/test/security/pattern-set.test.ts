import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { globMatch } from '#src/bytes/glob.ts'
import { access, PatternSet } from '#src/security/pattern-set.ts'

const { READ, WRITE } = access

function matches(set: PatternSet, name: string, needed = 0): boolean {
  // The name lies among other bytes, which must not count.
  const bytes = Buffer.from(`ab${name}ab`, 'latin1')
  return set.matches(bytes, 2, bytes.length - 2, needed)
}

test('literals, beginnings and wildcards', () => {
  const set = new PatternSet()
  for (const text of ['exact', 'user:*', 'user:1:?', 'x[0-9]', '*:end', 'back\\*slash']) set.add(text, READ | WRITE)
  for (const name of ['exact', 'user:', 'user:1', 'x5', 'a:end', 'back*slash']) assert.ok(matches(set, name), name)
  for (const name of ['', 'exac', 'exactly', 'user', 'x', 'xx', ':ends', 'backslash']) {
    assert.ok(!matches(set, name), name)
  }
})

test('one pattern has to allow all that is needed', () => {
  const set = new PatternSet()
  set.add('a*', READ)
  set.add('ab*', WRITE)
  assert.ok(matches(set, 'abc', READ) && matches(set, 'abc', WRITE) && matches(set, 'abc'))
  assert.ok(!matches(set, 'abc', READ | WRITE))
  set.add('ab*', READ)
  assert.ok(matches(set, 'abc', READ | WRITE))
  assert.ok(!matches(set, 'axc', READ | WRITE))
  set.clear()
  assert.ok(!matches(set, 'abc'))
})

test('a copy goes its own way', () => {
  const set = new PatternSet()
  set.add('a', READ)
  const copy = set.copy()
  copy.add('a', WRITE)
  copy.add('b', READ)
  assert.ok(!matches(set, 'a', WRITE) && !matches(set, 'b'))
  assert.ok(matches(copy, 'a', READ | WRITE) && matches(copy, 'b'))
})

test('many patterns answer as each of them alone would', () => {
  const piece = fc.constantFrom('a', 'b', 'ab', ':', '*', '?', '[a-b]', '\\*', '[', '\xff')
  const pattern = fc.record({
    text: fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join('')),
    allowed: fc.constantFrom(READ, WRITE, READ | WRITE),
  })
  const name = fc.array(fc.constantFrom('a', 'b', ':', '*', '\\', '\xff'), { maxLength: 6 }).map((all) => all.join(''))
  fc.assert(
    fc.property(
      fc.array(pattern, { maxLength: 40 }),
      fc.array(name, { minLength: 1, maxLength: 20 }),
      fc.constantFrom(0, READ, WRITE, READ | WRITE),
      (patterns, names, needed) => {
        const set = new PatternSet()
        const allowedBy = new Map<string, number>()
        for (const { text, allowed } of patterns) {
          set.add(text, allowed)
          allowedBy.set(text, (allowedBy.get(text) ?? 0) | allowed)
        }
        for (const each of names) {
          const bytes = Buffer.from(each, 'latin1')
          const expected = [...allowedBy].some(([text, allowed]) => {
            const glob = Buffer.from(text, 'latin1')
            return (allowed & needed) === needed && globMatch(glob, 0, glob.length, bytes, 0, bytes.length, false)
          })
          assert.equal(matches(set, each, needed), expected, `${each} against ${[...allowedBy.keys()].join(' ')}`)
        }
      },
    ),
    { numRuns: 2000 },
  )
})
