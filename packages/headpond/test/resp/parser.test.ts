import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitArguments } from '#src/config/quoting.ts'
import { ParseState, parsed, RequestParser } from '#src/resp/parser.ts'
import { Request } from '#src/resp/request.ts'
import { encodeCommand } from '../raw-client.ts'
import { chooseSeed, SeededRandom } from '../seeded-random.ts'
import { malformed, SAMPLES } from './malformed.ts'

const LIMITS = { bulkBytesMax: 512 * 2 ** 20, authenticated: true }

/** What a stream of requests amounts to. */
interface Reading {
  readonly requests: string[][]
  /** Why the stream cannot be understood; empty when it can. */
  error: string
  /** Bytes of the last, incomplete request. */
  restBytes: number
}

/** Reads a stream that arrives in pieces as a connection does: what was not consumed comes again, with more behind. */
function readInPieces(pieces: readonly Buffer[], limits = LIMITS): Reading {
  const parser = new RequestParser()
  const request = new Request()
  const state = new ParseState()
  const reading: Reading = { requests: [], error: '', restBytes: 0 }
  let carry = Buffer.alloc(0)
  for (const piece of pieces) {
    // Bytes around the chunk must not matter: the buffer is larger than what is in it.
    const chunk = Buffer.concat([Buffer.from('\n*$'), carry, piece, Buffer.from('\r\n*1\r\n')])
    const end = 3 + carry.length + piece.length
    let at = 3
    while (at < end) {
      const next = parser.parse(chunk, at, end, request, state, limits)
      if (next === parsed.BROKEN) {
        reading.error = parser.error
        return reading
      }
      if (next === parsed.INCOMPLETE) break
      assert.ok(next > at && next <= end, 'parse goes forward, within the chunk')
      if (request.count > 0) reading.requests.push(argumentsOf(request))
      at = next
    }
    carry = Buffer.from(chunk.subarray(at, end))
  }
  reading.restBytes = carry.length
  return reading
}

function argumentsOf(request: Request): string[] {
  return Array.from({ length: request.count }, (_, index) => request.latin1(index))
}

/** The same in the plainest way: whole input, strings, no resumption. Counts beyond what is there are only incomplete. */
function readPlainly(bytes: Buffer): Reading {
  const text = bytes.toString('latin1')
  const reading: Reading = { requests: [], error: '', restBytes: 0 }
  const broken = (error: string) => {
    reading.error = `Protocol error: ${error}`
    return reading
  }
  let at = 0
  /** The number on the header line at `at`, NaN when it is none, undefined when the line has no end yet. */
  const header = (sizeMax: number): number | undefined => {
    const lineEnd = text.indexOf('\r', at)
    if (lineEnd < 0 || lineEnd + 2 > text.length || lineEnd - at > 65536) {
      return text.length - at > 65536 ? Number.POSITIVE_INFINITY : undefined
    }
    const line = text.slice(at + 1, lineEnd)
    const isInteger = /^(0|-?[1-9]\d{0,18})$/.test(line) && BigInt(line) >= -(2n ** 63n)
    const value = isInteger && Number(line) <= sizeMax ? Number(line) : Number.NaN
    at = lineEnd + 2
    return value
  }
  while (at < text.length) {
    reading.restBytes = text.length - at
    if (text[at] !== '*') {
      const lineEnd = text.indexOf('\n', at)
      const nulAt = text.indexOf('\0', at)
      if (lineEnd < 0 || (nulAt >= 0 && nulAt < lineEnd)) {
        return text.length - at > 65536 ? broken('too big inline request') : reading
      }
      const words = splitArguments(bytes.subarray(at, text[lineEnd - 1] === '\r' ? Math.max(at, lineEnd - 1) : lineEnd))
      if (words === undefined) return broken('unbalanced quotes in request')
      if (words.length > 0) reading.requests.push(words.map((word) => Buffer.from(word).toString('latin1')))
      at = lineEnd + 1
      continue
    }
    const count = header(2 ** 31 - 1)
    if (count === undefined) return reading
    if (count === Number.POSITIVE_INFINITY) return broken('too big mbulk count string')
    if (Number.isNaN(count)) return broken('invalid multibulk length')
    const args: string[] = []
    for (let index = 0; index < count; index++) {
      if (at >= text.length) return reading
      if (text[at] !== '$') return broken(`expected '$', got '${text[at]}'`)
      const size = header(LIMITS.bulkBytesMax)
      if (size === undefined) return reading
      if (size === Number.POSITIVE_INFINITY) return broken('too big bulk count string')
      if (!(size >= 0)) return broken('invalid bulk length')
      if (text.length - at < size + 2) return reading
      args.push(text.slice(at, at + size))
      at += size + 2
    }
    if (args.length > 0) reading.requests.push(args)
    reading.restBytes = 0
  }
  reading.restBytes = text.length - at
  return reading
}

/** An incomplete rest may turn out to be broken a few bytes later or earlier, but never into another request. */
function assertSameReading(actual: Reading, expected: Reading, sample: Buffer, how: string): void {
  const shown = `${how}: ${JSON.stringify(sample.subarray(0, 300).toString('latin1'))}`
  assert.deepEqual(actual.requests, expected.requests, shown)
  assert.equal(actual.error, expected.error, shown)
  if (actual.error === '') assert.equal(actual.restBytes, expected.restBytes, shown)
}

test('every sample reads the same, cut anywhere into two and byte by byte', () => {
  for (const sample of SAMPLES) {
    const expected = readPlainly(sample)
    assertSameReading(readInPieces([sample]), expected, sample, 'whole')
    // Cuts of long samples: at both ends, which is where their structure is.
    for (let cut = 1; cut < sample.length; cut = cut === 200 ? Math.max(201, sample.length - 200) : cut + 1) {
      const pieces = [sample.subarray(0, cut), sample.subarray(cut)]
      assertSameReading(readInPieces(pieces), expected, sample, `cut at ${cut}`)
    }
    if (sample.length > 1000) continue
    const bytes = Array.from(sample, (byte) => Buffer.of(byte))
    assertSameReading(readInPieces(bytes), expected, sample, 'byte by byte')
  }
})

test('mutated samples and noise read as the plain reading says, however they are cut', () => {
  const random = new SeededRandom(chooseSeed())
  for (let round = 0; round < 30_000; round++) {
    const sample = malformed(random)
    if (sample.length > 1000 && !random.once(20)) continue
    const pieces: Buffer[] = []
    for (let at = 0; at < sample.length; ) {
      const end = Math.min(sample.length, at + 1 + random.below(random.once(2) ? 4 : sample.length))
      pieces.push(sample.subarray(at, end))
      at = end
    }
    assertSameReading(readInPieces(pieces), readPlainly(sample), sample, `SEED=${random.seed}, round ${round}`)
  }
})

test('requests of many connections, all cut, do not mix', () => {
  const random = new SeededRandom(chooseSeed())
  const parser = new RequestParser()
  const request = new Request()
  const connections = Array.from({ length: 30 }, () => ({
    state: new ParseState(),
    bytes: Buffer.alloc(0) as Buffer,
    end: 0,
    args: [''],
  }))
  let completeCount = 0
  for (let round = 0; round < 8000; round++) {
    const connection = connections[random.below(connections.length)]
    const { state, bytes } = connection
    if (connection.end === bytes.length) {
      const count = 1 + random.below(random.below(4) === 0 ? 3000 : 40)
      connection.args = Array.from({ length: count }, (_, index) => `${index}${'.'.repeat(random.below(5))}`)
      connection.bytes = encodeCommand(connection.args)
      connection.end = 0
      continue
    }
    connection.end = Math.min(bytes.length, connection.end + 1 + random.below(8000))
    const next = parser.parse(bytes, 0, connection.end, request, state, LIMITS)
    assert.equal(next, connection.end === bytes.length ? bytes.length : parsed.INCOMPLETE)
    if (next === parsed.INCOMPLETE) continue
    assert.deepEqual(argumentsOf(request), connection.args, `SEED=${random.seed}, round ${round}`)
    completeCount++
  }
  assert.ok(completeCount > 500)
})

test('a header claims no memory', () => {
  const parser = new RequestParser()
  const request = new Request()
  const state = new ParseState()
  const sample = Buffer.from('*2147483647\r\n$4\r\nMSET\r\n$536870912\r\n')
  assert.equal(parser.parse(sample, 0, sample.length, request, state, LIMITS), parsed.INCOMPLETE)
  assert.ok(request.places.length + state.places.length < 10_000)
  assert.equal(state.expectedBytes, sample.length + 536870912 + 2)
})

test('strangers get ten arguments and 16 KB', () => {
  const strangers = { ...LIMITS, authenticated: false }
  const read = (text: string) => readInPieces([Buffer.from(text)], strangers)
  assert.equal(read('*10\r\n').error, '')
  assert.equal(read('*11\r\n').error, 'Protocol error: unauthenticated multibulk length')
  assert.equal(read('*1\r\n$16384\r\n').error, '')
  assert.equal(read('*1\r\n$16385\r\n').error, 'Protocol error: unauthenticated bulk length')
  assert.equal(read('a b c d e f g h i j k l\r\n').requests[0].length, 12)
})

test('a request of a million arguments in small pieces costs no more for each piece than the piece', () => {
  const argumentCount = 1_000_000
  const whole = encodeCommand(['MSET', ...Array.from({ length: argumentCount - 1 }, () => 'x')])
  const parser = new RequestParser()
  const request = new Request()
  const state = new ParseState()
  let next: number = parsed.INCOMPLETE
  // 100,000 resumptions: were each to copy what is known already, this would be hours of work.
  for (let end = 70; next === parsed.INCOMPLETE; end = Math.min(end + 70, whole.length)) {
    next = parser.parse(whole, 0, end, request, state, LIMITS)
  }
  assert.equal(next, whole.length)
  assert.equal(request.count, argumentCount)
  assert.equal(request.text(argumentCount - 1), 'x')
  request.release()
  assert.ok(request.places.length < 10_000, 'the room of a giant request is given back')
})
