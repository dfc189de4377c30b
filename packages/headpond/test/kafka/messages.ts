/** Every message that is declared, and values for it. */
import { readdirSync } from 'node:fs'
import fc from 'fast-check'
import type { Fields } from '#src/kafka/codec/declaration.ts'
import { Message } from '#src/kafka/codec/message.ts'
import type { DefinedField } from './definitions.ts'

export type AnyMessage = Message<Record<string, unknown>, object>

/** Seen from the compiled file. */
const SCHEMAS = new URL('../../dist/kafka/schemas/', import.meta.url)

export const messages: readonly AnyMessage[] = (
  await Promise.all(
    readdirSync(SCHEMAS)
      .filter((file) => file.endsWith('.js'))
      .map((file) => import(new URL(file, SCHEMAS).href) as Promise<Record<string, unknown>>),
  )
).flatMap((module) => Object.values(module).filter((value): value is AnyMessage => value instanceof Message))

export function versionsOf(message: AnyMessage): number[] {
  const { min, max } = message.versions
  return Array.from({ length: max - min + 1 }, (_, index) => min + index)
}

/** Fields that are declared as bigints: Kafka's definitions do not tell them apart. */
export function exactNamesOf(fields: Fields): Set<string> {
  const names = new Set<string>()
  for (const [name, field] of Object.entries(fields)) {
    if (field.kind === 'int64Exact') names.add(name)
    if (field.fields !== undefined) for (const inner of exactNamesOf(field.fields)) names.add(inner)
  }
  return names
}

/** Any value that fields may have in one version, edges first. */
export function valuesOf(
  fields: readonly DefinedField[],
  exactNames: ReadonlySet<string>,
): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(Object.fromEntries(fields.map((field) => [field.name, fieldValue(field, exactNames)])), {
    noNullPrototype: true,
  })
}

function fieldValue(field: DefinedField, exactNames: ReadonlySet<string>): fc.Arbitrary<unknown> {
  const one =
    field.type === 'struct' ? valuesOf(field.fields!, exactNames) : scalar(field.type, exactNames.has(field.name))
  const value = field.isArray ? fc.array(one, { maxLength: 3 }) : one
  return field.isNullable ? fc.option(value, { nil: null, freq: 3 }) : value
}

function scalar(type: string, isExact: boolean): fc.Arbitrary<unknown> {
  switch (type) {
    case 'bool':
      return fc.boolean()
    case 'int8':
      return fc.integer({ min: -128, max: 127 })
    case 'int16':
      return fc.integer({ min: -0x8000, max: 0x7fff })
    case 'uint16':
      return fc.integer({ min: 0, max: 0xffff })
    case 'int32':
      return fc.integer()
    case 'uint32':
      return fc.integer({ min: 0, max: 0xffffffff })
    case 'int64':
      return isExact ? fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) : fc.maxSafeInteger()
    case 'float64':
      return fc.double()
    case 'uuid':
      return fc
        .oneof(fc.constant(new Uint8Array(16)), fc.uint8Array({ minLength: 16, maxLength: 16 }))
        .map((bytes) => Buffer.from(bytes).toString('base64url'))
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 40 })
    default:
      return fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
  }
}
