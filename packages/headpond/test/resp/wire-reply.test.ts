import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ReplyProtocolError, WireDecoder, type WireReply } from '#src/resp/wire-reply.ts'

/** A reply, as bytes and as what they mean. */
interface Sample {
  readonly bytes: Buffer
  readonly reply: WireReply
}

const line = fc
  .string({ unit: fc.constantFrom('a', ' ', '-', '"', 'é'), maxLength: 8 })
  .map((text) => Buffer.from(text))
const anyBytes = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes))
const frame = (head: string, ...parts: Uint8Array[]) => Buffer.concat([Buffer.from(head), ...parts])
const ofLine = (marker: string, kind: 'status' | 'error' | 'integer' | 'double' | 'big-number') => (bytes: Buffer) => ({
  bytes: frame(marker, bytes, Buffer.from('\r\n')),
  reply: { kind, bytes },
})
const number = fc.bigInt().map((value) => Buffer.from(String(value)))
const sized = (marker: string, bytes: Buffer) => frame(`${marker}${bytes.length}\r\n`, bytes, Buffer.from('\r\n'))

const scalar: fc.Arbitrary<Sample> = fc.oneof(
  line.map(ofLine('+', 'status')),
  line.map(ofLine('-', 'error')),
  number.map(ofLine(':', 'integer')),
  number.map(ofLine('(', 'big-number')),
  fc.double().map((value) => ofLine(',', 'double')(Buffer.from(String(value)))),
  fc
    .boolean()
    .map((value) => ({ bytes: Buffer.from(value ? '#t\r\n' : '#f\r\n'), reply: { kind: 'boolean', value } as const })),
  fc
    .constantFrom('_\r\n', '$-1\r\n', '*-1\r\n')
    .map((text) => ({ bytes: Buffer.from(text), reply: { kind: 'nil' } as const })),
  anyBytes.map((bytes) => ({ bytes: sized('$', bytes), reply: { kind: 'bulk', bytes } as const })),
  anyBytes.map((bytes) => ({ bytes: sized('!', bytes), reply: { kind: 'error', bytes } as const })),
  anyBytes.map((bytes) => ({
    bytes: sized('=', Buffer.concat([Buffer.from('txt:'), bytes])),
    reply: { kind: 'verbatim', format: 'txt', bytes } as const,
  })),
)

const { sample } = fc.letrec<{ sample: Sample; aggregate: Sample }>((tie) => ({
  sample: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('aggregate')),
  aggregate: fc
    .record({
      kind: fc.constantFrom('array', 'set', 'push', 'map'),
      items: fc.array(tie('sample'), { maxLength: 4 }),
      attribute: fc.option(tie('sample')),
    })
    .map(({ kind, items, attribute }) => {
      const isMap = kind === 'map'
      const held = isMap ? items.slice(0, items.length - (items.length % 2)) : items
      const marker = { array: '*', set: '~', push: '>', map: '%' }[kind]
      const before = attribute === null ? [] : [Buffer.from('|1\r\n+name\r\n'), attribute.bytes]
      const head = Buffer.from(`${marker}${isMap ? held.length / 2 : held.length}\r\n`)
      return {
        bytes: Buffer.concat([...before, head, ...held.map((item) => item.bytes)]),
        reply: { kind: kind as 'array', items: held.map((item) => item.reply) },
      }
    }),
}))

function decode(chunks: readonly Buffer[]): WireReply[] {
  const decoder = new WireDecoder()
  const replies: WireReply[] = []
  for (const chunk of chunks) decoder.push(chunk, (reply) => replies.push(reply))
  return replies
}

test('replies are what they were, wherever the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(sample, { minLength: 1, maxLength: 4 }), fc.array(fc.nat()), (samples, cuts) => {
      const bytes = Buffer.concat(samples.map((each) => each.bytes))
      const expected = samples.map((each) => each.reply)
      assert.deepEqual(decode([bytes]), expected)
      const places = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length]
      const pieces = places.slice(1).map((place, index) => bytes.subarray(places[index], place))
      assert.deepEqual(decode(pieces), expected)
      assert.deepEqual(decode(Array.from(bytes, (byte) => Buffer.from([byte]))), expected, 'byte by byte')
    }),
  )
})

test('what is no RESP is refused, and nothing else is thrown', () => {
  for (const text of [
    'hello\r\n',
    'HTTP/1.1 400 Bad Request\r\n',
    '$x\r\n',
    '*1e3\r\n',
    '$3\r\nabcd\r\n',
    '$99999999999999999999\r\n',
  ]) {
    assert.throws(() => decode([Buffer.from(text)]), ReplyProtocolError, text)
  }
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (chunks) => {
      try {
        decode(chunks.map((chunk) => Buffer.from(chunk)))
      } catch (error) {
        assert.ok(error instanceof ReplyProtocolError, String(error))
      }
    }),
  )
})

test('a reply of many items that comes in small pieces is read once', () => {
  const itemCount = 100_000
  const bytes = Buffer.from(`*${itemCount}\r\n${'$3\r\nabc\r\n'.repeat(itemCount)}`)
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 100) pieces.push(bytes.subarray(at, at + 100))
  const [reply, ...others] = decode(pieces)
  assert.equal(others.length, 0)
  assert.ok(reply.kind === 'array' && reply.items.length === itemCount)
})
