import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Manifest, ManifestError } from '#src/persistence/aof/manifest.ts'

const parse = (text: string) => Manifest.parse(Buffer.from(text))

test('a manifest is read and written as Redis has it', () => {
  const text =
    'file appendonly.aof.2.base.rdb seq 2 type b\n' +
    'file appendonly.aof.1.base.rdb seq 1 type h\n' +
    'file appendonly.aof.3.incr.aof seq 3 type i\n' +
    'file "with space.4.incr.aof" seq 4 type i\n'
  const manifest = parse(`# a comment\n${text}`)
  assert.equal(manifest.format(), text)
  assert.deepEqual(
    manifest.live.map(({ name }) => name),
    ['appendonly.aof.2.base.rdb', 'appendonly.aof.3.incr.aof', 'with space.4.incr.aof'],
  )
  assert.deepEqual(manifest.nextBase('appendonly.aof', true), { name: 'appendonly.aof.3.base.rdb', sequence: 3 })
  assert.deepEqual(manifest.nextIncrement('appendonly.aof'), { name: 'appendonly.aof.5.incr.aof', sequence: 5 })
  // What a later version adds is passed over.
  assert.equal(parse('file a.1.base.rdb seq 1 type b startoffset 7\n').base?.name, 'a.1.base.rdb')
})

test('a rewrite makes history of what it replaces', () => {
  const manifest = parse(
    'file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\nfile a.2.incr.aof seq 2 type i\n',
  )
  manifest.replaceBase(manifest.nextBase('a', false), manifest.increments.slice(-1))
  assert.equal(
    manifest.format(),
    'file a.2.base.aof seq 2 type b\nfile a.1.incr.aof seq 1 type h\nfile a.1.base.rdb seq 1 type h\nfile a.2.incr.aof seq 2 type i\n',
  )
})

test('what is no manifest is refused with its line', () => {
  const cases: [string, RegExp, number][] = [
    ['', /Found an empty AOF manifest/, 1],
    ['# only a comment\n', /Found an empty AOF manifest/, 1],
    ['file a seq 1\n', /Invalid AOF manifest file format/, 1],
    ['file a seq 1 type b\nfile "a seq 1 type i\n', /Invalid AOF manifest file format/, 2],
    ['file a seq 0 type b\n', /Invalid AOF manifest file format/, 1],
    ['file a seq x type b\n', /Invalid AOF manifest file format/, 1],
    ['file ../a seq 1 type b\n', /just a filename/, 1],
    ['file a seq 1 type x\n', /Unknown AOF file type/, 1],
    ['file a seq 1 type b\nfile b seq 2 type b\n', /Found duplicate base file information/, 2],
    ['file a seq 2 type i\nfile b seq 2 type i\n', /Found a non-monotonic sequence number/, 2],
    [`file ${'a'.repeat(2000)} seq 1 type b\n`, /too long/, 1],
  ]
  for (const [text, problem, line] of cases) {
    assert.throws(
      () => parse(text),
      (error) => error instanceof ManifestError && problem.test(error.message) && error.line === line,
      text,
    )
  }
})
