/**
 * Kafka's own message definitions (definitions/), and an encoder that goes by them word for word. It shares nothing with the
 * server's codec, which is compared with it.
 */
import { existsSync, readFileSync } from 'node:fs'

/** Seen from the compiled file. */
const FOLDER = new URL('../../test/kafka/definitions/', import.meta.url)

interface JsonField {
  name: string
  type: string
  versions?: string
  nullableVersions?: string
  taggedVersions?: string
  tag?: number
  default?: string | number | boolean | null
  fields?: JsonField[]
}

interface JsonMessage {
  apiKey?: number
  name: string
  validVersions: string
  flexibleVersions?: string
  fields: JsonField[]
  commonStructs?: JsonField[]
}

/** A field as it is in one version. */
export interface DefinedField {
  readonly name: string
  /** Without the brackets of an array. */
  readonly type: string
  readonly isArray: boolean
  readonly isNullable: boolean
  /** Undefined where it stands in line. */
  readonly tag: number | undefined
  readonly default: unknown
  /** Null: no structure. */
  readonly fields: readonly DefinedField[] | null
}

export interface Definition {
  readonly apiKey: number | undefined
  readonly minVersion: number
  readonly maxVersion: number
  isFlexible(version: number): boolean
  fieldsIn(version: number): readonly DefinedField[]
}

/** The definition with the older versions counts as far as it goes; the newer one for what came since. */
export function definitionOf(name: string): Definition {
  const sets = ['base', '4.2']
    .map((set) => load(new URL(`${set}/${name}.json`, FOLDER)))
    .filter((each) => each !== null)
  if (sets.length === 0) throw new Error(`there is no definition of ${name}`)
  const maxOf = (json: JsonMessage) => rangeOf(json.validVersions)[1]
  const ofVersion = (version: number) => sets.find((json) => version <= maxOf(json))!
  const [newest] = sets.slice(-1)
  return {
    apiKey: newest.apiKey,
    minVersion: rangeOf(sets[0].validVersions)[0],
    maxVersion: Math.max(...sets.map(maxOf)),
    isFlexible: (version) => isIn(version, newest.flexibleVersions),
    fieldsIn: (version) => {
      const json = ofVersion(version)
      return fieldsIn(json.fields, version, json.commonStructs ?? [])
    },
  }
}

function load(url: URL): JsonMessage | null {
  if (!existsSync(url)) return null
  // A `//` inside a text is no comment.
  const text = readFileSync(url, 'utf8').replace(/("(?:[^"\\]|\\.)*")|\/\/.*$/gm, (_, quoted?: string) => quoted ?? '')
  return JSON.parse(text) as JsonMessage
}

function fieldsIn(fields: readonly JsonField[], version: number, common: readonly JsonField[]): DefinedField[] {
  return fields
    .filter((field) => isIn(version, field.versions ?? field.taggedVersions))
    .map((field) => {
      const isArray = field.type.startsWith('[]')
      const type = isArray ? field.type.slice(2) : field.type
      const structure = field.fields ?? common.find(({ name }) => name === type)?.fields
      return {
        name: field.name[0].toLowerCase() + field.name.slice(1),
        type: structure === undefined ? type : 'struct',
        isArray,
        isNullable: isIn(version, field.nullableVersions),
        tag: isIn(version, field.taggedVersions) ? field.tag : undefined,
        default: defaultOf(field, isArray ? 'array' : type),
        fields: structure === undefined ? null : fieldsIn(structure, version, common),
      }
    })
}

function defaultOf({ default: value }: JsonField, type: string): unknown {
  if (value === 'null' || value === null) return null
  if (type === 'array') return []
  if (type === 'bool') return String(value ?? false) === 'true'
  if (type === 'string') return value ?? ''
  if (type === 'uuid') return 'AAAAAAAAAAAAAAAAAAAAAA'
  if (type === 'bytes' || type === 'records') return Buffer.alloc(0)
  if (/^u?int|^float/.test(type)) return Number(value ?? 0)
  return undefined
}

function rangeOf(text: string): [min: number, max: number] {
  const [min, max] = text.endsWith('+')
    ? [text.slice(0, -1), 'Infinity']
    : text.includes('-')
      ? text.split('-')
      : [text, text]
  return [Number(min), Number(max)]
}

function isIn(version: number, range: string | undefined): boolean {
  if (range === undefined || range === 'none') return false
  const [min, max] = rangeOf(range)
  return version >= min && version <= max
}

/** The bytes of a message's body, by its definition alone. Every field that the version has must be there. */
export function encodeAsDefined(definition: Definition, version: number, value: object): Buffer {
  const isFlexible = definition.isFlexible(version)
  return Buffer.concat(encodeFields(definition.fieldsIn(version), value, isFlexible))
}

function encodeFields(fields: readonly DefinedField[], value: object, isFlexible: boolean): Buffer[] {
  const fieldValue = ({ name }: DefinedField) => (value as Record<string, unknown>)[name]
  const inline = fields.filter(({ tag }) => tag === undefined)
  const parts = inline.flatMap((field) => encodeField(field, fieldValue(field), isFlexible))
  if (!isFlexible) return parts
  const tagged = fields
    .filter((field) => field.tag !== undefined && !isDefault(field, fieldValue(field)))
    .sort((a, b) => a.tag! - b.tag!)
    .map((field) => ({ tag: field.tag!, bytes: Buffer.concat(encodeField(field, fieldValue(field), isFlexible)) }))
  return [
    ...parts,
    uvarint(tagged.length),
    ...tagged.flatMap(({ tag, bytes }) => [uvarint(tag), uvarint(bytes.length), bytes]),
  ]
}

function isDefault(field: DefinedField, value: unknown): boolean {
  if (value === null || field.default === null) return value === field.default
  if (field.isArray || value instanceof Uint8Array) return (value as { length: number }).length === 0
  if (field.fields === null)
    return Number.isNaN(value) ? false : value === field.default || String(value) === String(field.default)
  return field.fields.every((each) => isDefault(each, (value as Record<string, unknown>)[each.name]))
}

function encodeField(field: DefinedField, value: unknown, isFlexible: boolean): Buffer[] {
  if (field.isArray) {
    if (value === null) return [length(null, isFlexible, 4)]
    const elements = value as unknown[]
    return [
      length(elements.length, isFlexible, 4),
      ...elements.flatMap((element) => encodeOne(field, element, isFlexible, false)),
    ]
  }
  return encodeOne(field, value, isFlexible, field.isNullable)
}

function encodeOne({ type, fields }: DefinedField, value: unknown, isFlexible: boolean, isNullable: boolean): Buffer[] {
  const number = (sizeBytes: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(typeof value === 'bigint' ? value : BigInt(value as number))
    return [bytes.subarray(8 - sizeBytes)]
  }
  switch (type) {
    case 'struct': {
      if (!isNullable) return encodeFields(fields!, value as object, isFlexible)
      if (value === null) return [Buffer.from([0xff])]
      return [Buffer.from([1]), ...encodeFields(fields!, value as object, isFlexible)]
    }
    case 'bool':
      return [Buffer.from([value ? 1 : 0])]
    case 'int8':
      return number(1)
    case 'int16':
    case 'uint16':
      return number(2)
    case 'int32':
    case 'uint32':
      return number(4)
    case 'int64':
      return number(8)
    case 'float64': {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleBE(value as number)
      return [bytes]
    }
    case 'uuid':
      return [Buffer.from(value as string, 'base64url')]
    case 'string':
    case 'bytes':
    case 'records': {
      const lengthBytes = type === 'string' ? 2 : 4
      if (value === null) return [length(null, isFlexible, lengthBytes)]
      const bytes = Buffer.from(value as string)
      return [length(bytes.length, isFlexible, lengthBytes), bytes]
    }
    default:
      throw new Error(`no such type: ${type}`)
  }
}

function length(count: number | null, isFlexible: boolean, sizeBytes: number): Buffer {
  if (isFlexible) return uvarint(count === null ? 0 : count + 1)
  const bytes = Buffer.alloc(sizeBytes)
  bytes.writeIntBE(count ?? -1, 0, sizeBytes)
  return bytes
}

function uvarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}
