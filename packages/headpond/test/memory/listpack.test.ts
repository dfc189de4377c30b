import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import * as listpack from '#src/memory/listpack.ts'

/** Not at the beginning of the array: an offset that is forgotten somewhere shows. */
const AT = 5

const numbers = [0, 127, 128, -1, 4095, 4096, -4096, -4097, 32767, 32768, -32768, -32769, 8388607, 8388608, -8388608]
const edgeTexts = [
  '',
  '-',
  '0',
  '-0',
  '00',
  '007',
  '1',
  '12:',
  '9007199254740991',
  '9007199254740993',
  '-9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775808',
  '2147483647',
  '2147483648',
  '-2147483648',
  'a'.repeat(63),
  'a'.repeat(64),
  'a'.repeat(125),
  'a'.repeat(126),
  'a'.repeat(127),
  'a'.repeat(4095),
  'a'.repeat(4096),
  'a'.repeat(16377),
  'a'.repeat(16378),
  'a'.repeat(16379),
  ...numbers.map(String),
] // prettier-ignore

const element = fc.oneof(
  fc.constantFrom(...edgeTexts).map((text) => Buffer.from(text)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => Buffer.from(String(value))),
  fc.integer({ min: -10000, max: 10000 }).map((value) => Buffer.from(String(value))),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
)

function empty(): Uint8Array {
  const u8 = new Uint8Array(2 ** 20).fill(0xee)
  listpack.initialize(u8, AT)
  return u8
}

function check(u8: Uint8Array, model: readonly Buffer[]): void {
  const end = AT + listpack.totalBytes(u8, AT)
  assert.ok(listpack.isValid(u8, AT, end))
  assert.equal(listpack.count(u8, AT), model.length)
  const forward: Buffer[] = []
  for (let entry = listpack.first(u8, AT); entry !== listpack.NONE; entry = listpack.next(u8, entry)) {
    forward.push(listpack.text(u8, entry))
  }
  assert.deepEqual(forward, model)
  const backward: Buffer[] = []
  for (let entry = listpack.last(u8, AT); entry !== listpack.NONE; entry = listpack.previous(u8, AT, entry)) {
    backward.push(listpack.text(u8, entry))
  }
  assert.deepEqual(backward.reverse(), model)
  assert.deepEqual([...u8.subarray(0, AT)], [0xee, 0xee, 0xee, 0xee, 0xee])
}

test('the bytes are those of redis-server', () => {
  // The value in the DUMP of a hash with these fields and values.
  const u8 = empty()
  for (const text of ['a', '1', 'name', '-5000', 'big', '9223372036854775807', 'x', '70000']) {
    listpack.append(u8, AT, Buffer.from(text), 0, text.length)
  }
  const bytes = Buffer.from(u8.subarray(AT, AT + listpack.totalBytes(u8, AT)))
  assert.equal(
    bytes.toString('hex'),
    '2d0000000800' +
      '816102' +
      '0101' +
      '846e616d6505' +
      'f178ec03' +
      '8362696704' +
      'f4ffffffffffffff7f09' +
      '817802' +
      'f2701101' +
      '04' +
      'ff',
  ) // prettier-ignore
})

test('any sequence of edits gives what an array gives', () => {
  const edit = fc.record({
    kind: fc.constantFrom('insert', 'append', 'replace', 'remove', 'insertInteger', 'replaceInteger'),
    where: fc.nat(),
    count: fc.integer({ min: 1, max: 3 }),
    value: element,
    number: fc.oneof(fc.constantFrom(...numbers), fc.maxSafeInteger()),
  })
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 30 }), (edits) => {
      const u8 = empty()
      const model: Buffer[] = []
      for (const { kind, where, count, value, number } of edits) {
        const index = where % (model.length + 1)
        const isEnd = index === model.length
        const entry = isEnd ? listpack.endOf(u8, AT) : listpack.seek(u8, AT, index)
        const sizeBefore = listpack.totalBytes(u8, AT)
        if (kind === 'append') {
          listpack.append(u8, AT, value, 0, value.length)
          model.push(value)
          assert.equal(listpack.totalBytes(u8, AT), sizeBefore + listpack.entryBytes(value, 0, value.length))
        } else if (kind === 'insert') {
          listpack.insert(u8, AT, entry, value, 0, value.length)
          model.splice(index, 0, value)
        } else if (kind === 'insertInteger') {
          listpack.insertInteger(u8, AT, entry, number)
          model.splice(index, 0, Buffer.from(String(number)))
          assert.equal(listpack.totalBytes(u8, AT), sizeBefore + listpack.integerEntryBytes(number))
        } else if (!isEnd && kind === 'replace') {
          listpack.replace(u8, AT, entry, value, 0, value.length)
          model[index] = value
        } else if (!isEnd && kind === 'replaceInteger') {
          listpack.replaceInteger(u8, AT, entry, number)
          model[index] = Buffer.from(String(number))
        } else if (kind === 'remove') {
          listpack.remove(u8, AT, entry, count)
          model.splice(index, count)
        }
        check(u8, model)
      }
    }),
    { numRuns: 200 },
  )
})

test('elements are found by their text, by index and from behind', () => {
  fc.assert(
    fc.property(fc.array(element, { minLength: 1, maxLength: 20 }), element, (model, stranger) => {
      const u8 = empty()
      for (const value of model) listpack.append(u8, AT, value, 0, value.length)
      for (const wanted of [...model, stranger]) {
        const padded = Buffer.concat([Buffer.from('1'), wanted, Buffer.from('1')])
        for (const skip of [0, 1]) {
          const index = model.findIndex((value, at) => at % (skip + 1) === 0 && value.equals(wanted))
          const found = listpack.find(u8, listpack.first(u8, AT), padded, 1, padded.length - 1, skip)
          assert.equal(found, index < 0 ? listpack.NONE : listpack.seek(u8, AT, index))
        }
      }
      for (let index = 0; index < model.length; index++) {
        const entry = listpack.seek(u8, AT, index)
        assert.deepEqual(listpack.text(u8, entry), model[index])
        assert.equal(listpack.seek(u8, AT, index - model.length), entry)
        assert.ok(listpack.equals(u8, entry, model[index], 0, model[index].length))
        assert.equal(listpack.textLength(u8, entry), model[index].length)
      }
      assert.equal(listpack.seek(u8, AT, model.length), listpack.NONE)
      assert.equal(listpack.seek(u8, AT, -model.length - 1), listpack.NONE)
    }),
    { numRuns: 200 },
  )
})

test('integers beyond 2^53 are exact as BigInt, and NaN as numbers', () => {
  const u8 = empty()
  const texts = ['9007199254740991', '9007199254740992', '-9223372036854775808', '5', 'five']
  for (const text of texts) listpack.append(u8, AT, Buffer.from(text), 0, text.length)
  const entries = texts.map((_, index) => listpack.seek(u8, AT, index))
  assert.deepEqual(
    entries.map((entry) => listpack.integer(u8, entry)),
    [9007199254740991, Number.NaN, Number.NaN, 5, Number.NaN],
  )
  assert.deepEqual(
    entries.map((entry) => listpack.bigInteger(u8, entry)),
    [9007199254740991n, 9007199254740992n, -9223372036854775808n, 5n, undefined],
  )
})

test('from 65535 elements on the count is found by walking', () => {
  const u8 = empty()
  for (let n = 0; n < 65540; n++) listpack.appendInteger(u8, AT, n % 100)
  assert.equal(listpack.count(u8, AT), 65540)
  assert.equal(listpack.integer(u8, listpack.seek(u8, AT, 65539)), 39)
  assert.equal(listpack.seek(u8, AT, 65540), listpack.NONE)
  listpack.remove(u8, AT, listpack.seek(u8, AT, 0), 65000)
  assert.equal(listpack.count(u8, AT), 540)
})

test('damaged bytes are recognised, whatever they are', () => {
  fc.assert(
    fc.property(
      fc.array(element, { maxLength: 8 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (model, where, flip) => {
        const u8 = empty()
        for (const value of model) listpack.append(u8, AT, value, 0, value.length)
        const size = listpack.totalBytes(u8, AT)
        assert.ok(!listpack.isValid(u8, AT, AT + size - 1))
        const damaged = Buffer.from(u8.subarray(AT, AT + size))
        damaged[where % size] ^= flip
        // Other content is fine; what must not happen is that a walk leaves the bytes.
        if (!listpack.isValid(damaged, 0, size)) return
        for (let entry = listpack.first(damaged, 0); entry !== listpack.NONE; entry = listpack.next(damaged, entry)) {
          assert.ok(entry < size - 1)
          listpack.text(damaged, entry)
        }
      },
    ),
    { numRuns: 500 },
  )
})
