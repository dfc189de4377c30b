import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteReader, MalformedMessage } from '#src/kafka/codec/byte-reader.ts'
import { ByteWriter } from '#src/kafka/codec/byte-writer.ts'
import type { Field, Fields } from '#src/kafka/codec/declaration.ts'
import { includesVersion, parseVersions } from '#src/kafka/codec/versions.ts'
import { type DefinedField, definitionOf, encodeAsDefined } from './definitions.ts'
import { type AnyMessage, exactNamesOf, messages, valuesOf, versionsOf } from './messages.ts'

test('every declaration is what Kafka defines, in every version', () => {
  assert.ok(messages.length > 100)
  for (const message of messages) {
    const definition = definitionOf(message.name)
    assert.equal(message.apiKey, definition.apiKey ?? -1, message.name)
    assert.deepEqual(message.versions, { min: definition.minVersion, max: definition.maxVersion }, message.name)
    for (const version of versionsOf(message)) {
      const place = `${message.name} of version ${version}`
      assert.equal(message.isFlexible(version), definition.isFlexible(version), place)
      assert.deepEqual(describeDeclared(message.fields, version), describeDefined(definition.fieldsIn(version)), place)
    }
  }
})

test('every message in every version is encoded as Kafka defines it, and decoded to what it was', () => {
  for (const message of messages) {
    const definition = definitionOf(message.name)
    for (const version of versionsOf(message)) {
      const values = valuesOf(definition.fieldsIn(version), exactNamesOf(message.fields))
      fc.assert(
        fc.property(values, (value) => {
          const bytes = encode(message, value, version)
          assert.equal(bytes.toString('hex'), encodeAsDefined(definition, version, value).toString('hex'))
          const reader = new ByteReader().open(bytes)
          const decoded = message.decode(reader, version)
          assert.equal(reader.leftBytes, 0)
          assert.deepEqual(decoded, withDefaults(message.fields, value))
        }),
        { numRuns: 6 },
      )
    }
  }
})

test('a message that is cut anywhere is refused, or was complete before', () => {
  for (const message of messages) {
    const definition = definitionOf(message.name)
    for (const version of versionsOf(message)) {
      const [value] = fc.sample(valuesOf(definition.fieldsIn(version), exactNamesOf(message.fields)), {
        numRuns: 1,
        seed: 7,
      })
      const bytes = encode(message, value, version)
      // Of answers, which only our own client reads, a few places will do.
      const step = message.name.endsWith('Response') ? 7 : 1
      for (let sizeBytes = 0; sizeBytes < bytes.length; sizeBytes += step) {
        assert.throws(() => message.decode(new ByteReader().open(bytes, 0, sizeBytes), version), MalformedMessage)
      }
    }
  }
})

test('a message that is damaged, or is noise, is decoded or refused, and nothing else', () => {
  for (const message of messages) {
    const definition = definitionOf(message.name)
    for (const version of versionsOf(message)) {
      const values = valuesOf(definition.fieldsIn(version), exactNamesOf(message.fields))
      const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 })
      fc.assert(
        fc.property(values, damage, (value, changes) => {
          const bytes = encode(message, value, version)
          for (const [at, byte] of changes) bytes[at % Math.max(bytes.length, 1)] = byte
          decodeOrRefuse(message, version, bytes)
        }),
        { numRuns: 6 },
      )
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => decodeOrRefuse(message, version, bytes)),
        { numRuns: 4 },
      )
    }
  }
})

test('a count is believed only as far as the bytes that are there could hold it', () => {
  const metadata = messages.find(({ name }) => name === 'MetadataRequest')!
  const bytes = Buffer.from('7fffffff00', 'hex')
  assert.throws(() => metadata.decode(new ByteReader().open(bytes), 1), /an array of 2147483647 elements/)
})

test('tagged fields that are not known are passed over, one that lies about its size is refused', () => {
  const apiVersions = messages.find(({ name }) => name === 'ApiVersionsRequest')!
  const known = encode(apiVersions, { clientSoftwareName: 'a', clientSoftwareVersion: 'b' }, 3)
  const withTags = Buffer.concat([
    known.subarray(0, -1),
    Buffer.from('02 05 03 010203 81 01 00'.replaceAll(' ', ''), 'hex'),
  ])
  assert.deepEqual(apiVersions.decode(new ByteReader().open(withTags), 3), {
    clientSoftwareName: 'a',
    clientSoftwareVersion: 'b',
  })
  const response = messages.find(({ name }) => name === 'ApiVersionsResponse')!
  const tooLong = encode(response, { errorCode: 0, apiKeys: [], finalizedFeaturesEpoch: 5 }, 3)
  const sizeAt = tooLong.length - 9
  assert.equal(tooLong[sizeAt], 8)
  const lying = Buffer.concat([tooLong, Buffer.alloc(3)])
  lying[sizeAt] = 11
  assert.throws(() => response.decode(new ByteReader().open(lying), 3), /not as long as it says/)
})

test('numbers of 64 bits beyond 2^53: the nearest double, clamped to the range; exact where every bit counts', () => {
  const writer = new ByteWriter()
  const reader = new ByteReader()
  const there = (value: number) => {
    writer.reset().int64(value)
    return writer.take().readBigInt64BE()
  }
  assert.equal(there(2 ** 63), 2n ** 63n - 1n)
  assert.equal(there(-(2 ** 63)), -(2n ** 63n))
  assert.equal(there(-1e300), -(2n ** 63n))
  assert.equal(there(Number.POSITIVE_INFINITY), 2n ** 63n - 1n)
  assert.equal(there(-1), -1n)
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64BE(value)
      assert.equal(reader.open(bytes).int64(), Number(value))
      assert.equal(reader.open(bytes).int64Exact(), value)
      writer.reset().int64Exact(value)
      assert.equal(writer.take().readBigInt64BE(), value)
    }),
  )
})

test('a message is the same wherever in it the buffer of the writer grows', () => {
  for (const message of messages) {
    const definition = definitionOf(message.name)
    const version = versionsOf(message).at(-1)!
    const values = valuesOf(definition.fieldsIn(version), exactNamesOf(message.fields))
    const [value] = fc.sample(values, { numRuns: 1, seed: 7 })
    const bytes = encode(message, value, version)
    for (let capacityBytes = 1; capacityBytes < bytes.length; capacityBytes++) {
      const writer = new ByteWriter(capacityBytes)
      message.encode(writer, value, version)
      assert.ok(writer.take().equals(bytes), `${message.name} after ${capacityBytes} bytes`)
    }
  }
})

test('large records are sent as they are, between what stands around them', () => {
  const produce = messages.find(({ name }) => name === 'ProduceRequest')!
  const large = Buffer.alloc(10_000, 1)
  const small = Buffer.from('small')
  const value = {
    acks: 1,
    timeoutMs: 5,
    topicData: [{ name: 't', partitionData: [large, small, large].map((records, index) => ({ index, records })) }],
  }
  const writer = new ByteWriter()
  produce.encode(writer, value, 8)
  const pieces = writer.takePieces()
  assert.equal(pieces.filter((piece) => piece === large).length, 2)
  assert.equal(Buffer.concat(pieces).toString('hex'), encode(produce, value, 8).toString('hex'))
  assert.equal(writer.sizeBytes, Buffer.concat(pieces).length)
  const several = {
    ...value,
    topicData: [{ name: 't', partitionData: [{ index: 0, records: [small, large, small] }] }],
  }
  const decoded = produce.decode(new ByteReader().open(encode(produce, several, 9)), 9) as unknown as typeof value
  assert.equal(
    decoded.topicData[0].partitionData[0].records.toString(),
    Buffer.concat([small, large, small]).toString(),
  )
})

test('null where a version has no null is a defect that the encoder tells', () => {
  const metadata = messages.find(({ name }) => name === 'MetadataRequest')!
  assert.throws(() => encode(metadata, { topics: null }, 0), /topics is null in version 0/)
})

function encode(message: AnyMessage, value: object, version: number): Buffer {
  const writer = new ByteWriter()
  message.encode(writer, value, version)
  return writer.take()
}

/** What the version has no field for has its default. */
function withDefaults(fields: Fields, value: object): object {
  const values = value as Record<string, unknown>
  const complete = (field: Field, given: unknown): unknown => {
    if (given === undefined) return defaultOf(field)
    if (field.fields === undefined || given === null) return given
    if (!Array.isArray(given)) return withDefaults(field.fields, given as object)
    return given.map((each) => withDefaults(field.fields!, each as object))
  }
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, complete(field, values[name])]))
}

function decodeOrRefuse(message: AnyMessage, version: number, bytes: Uint8Array): void {
  try {
    message.decode(new ByteReader().open(bytes), version)
  } catch (error) {
    assert.ok(error instanceof MalformedMessage, String(error))
  }
}

type Described = Record<string, unknown>

function describeDefined(fields: readonly DefinedField[]): Described[] {
  return fields.map(({ name, type, isArray, isNullable, tag, default: value, fields: inner }) => ({
    name,
    type: isArray ? `[]${type}` : type,
    isNullable,
    tag,
    // A structure's default is that of its fields, unless it is null.
    default: type === 'struct' && !isArray && value !== null ? undefined : value,
    fields: inner === null ? null : describeDefined(inner),
  }))
}

function describeDeclared(fields: Fields, version: number): Described[] {
  return Object.entries(fields)
    .filter(([, field]) => includesVersion(parseVersions(field.versions), version))
    .map(([name, field]) => {
      const kind = field.kind === 'array' ? `[]${field.element ?? 'struct'}` : field.kind
      const isTagged =
        field.tag !== undefined && includesVersion(parseVersions(field.tagged ?? field.versions), version)
      const value = defaultOf(field)
      return {
        name,
        type: kind.replace('int64Exact', 'int64'),
        isNullable: field.nullable !== undefined && includesVersion(parseVersions(field.nullable), version),
        tag: isTagged ? field.tag : undefined,
        default:
          field.kind === 'struct' && value !== null ? undefined : typeof value === 'bigint' ? Number(value) : value,
        fields: field.fields === undefined ? null : describeDeclared(field.fields, version),
      }
    })
}

function defaultOf(field: Field): unknown {
  if (field.default !== undefined) return field.default
  switch (field.kind) {
    case 'array':
      return []
    case 'struct':
      return Object.fromEntries(Object.entries(field.fields!).map(([name, inner]) => [name, defaultOf(inner)]))
    case 'bool':
      return false
    case 'string':
      return ''
    case 'uuid':
      return 'AAAAAAAAAAAAAAAAAAAAAA'
    case 'bytes':
    case 'records':
      return Buffer.alloc(0)
    case 'int64Exact':
      return 0n
    default:
      return 0
  }
}
