/**
 * Turns the declaration of a message into an encoder and a decoder for one version: functions of straight code, as one
 * would write them by hand, so that V8 sees objects of one shape and calls that it can inline. They are made of
 * declarations alone, never of anything that comes from outside.
 *
 * A loop over the declaration at each message would need no generated code; on a Fetch of many partitions it takes
 * several times as long, since each field is then another closure and another property name.
 */
import { type ByteReader, ZERO_UUID } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { Field, Fields, Kind } from './declaration.ts'
import { includesVersion, NO_VERSIONS, parseVersions } from './versions.ts'

export interface Codec<D, E> {
  decode(reader: ByteReader): D
  encode(writer: ByteWriter, value: E): void
}

/** What kinds are called when they have a length of variable size in flexible versions. */
const COMPACT: Partial<Record<Kind, string>> = {
  string: 'compactString',
  bytes: 'compactBytes',
  records: 'compactRecords',
}

const KIND_BYTES_MIN: Record<Kind, number> = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  int64Exact: 8,
  float64: 8,
  uuid: 16,
  string: 2,
  bytes: 4,
  records: 4,
}

export function compile<D, E>(fields: Fields, version: number, isFlexible: boolean): Codec<D, E> {
  const compiler = new Compiler(version, isFlexible)
  const decode = compiler.decoder(fields)
  const encode = compiler.encoder(fields)
  return new Function(`${compiler.source}\nreturn { decode: ${decode}, encode: ${encode} }`)() as Codec<D, E>
}

class Compiler {
  readonly #version: number
  readonly #isFlexible: boolean
  readonly #functions: string[] = []
  #variableCount = 0

  constructor(version: number, isFlexible: boolean) {
    this.#version = version
    this.#isFlexible = isFlexible
  }

  get source(): string {
    return `'use strict'\n${this.#functions.join('\n')}`
  }

  // ---- Decoding ----

  /** The name of a function that reads a structure. */
  decoder(fields: Fields): string {
    const values = Object.entries(fields).map(([name, field]) => ({ name, field, variable: this.#variable() }))
    const lines: string[] = []
    for (const { field, variable } of values) {
      if (this.#has(field) && !this.#isTagged(field)) lines.push(...this.#read(field, variable))
      else lines.push(`let ${variable} = ${this.#defaultText(field)}`)
    }
    if (this.#isFlexible) {
      const tagged = values.filter(({ field }) => this.#isTagged(field))
      lines.push(...(tagged.length === 0 ? ['r.skipTags()'] : this.#readTags(tagged)))
    }
    lines.push(`return { ${values.map(({ name, variable }) => `${name}: ${variable}`).join(', ')} }`)
    return this.#define('decode', 'r', lines)
  }

  #readTags(tagged: readonly { field: Field; variable: string }[]): string[] {
    const cases = tagged.map(({ field, variable }) => {
      const value = this.#variable()
      return `case ${field.tag}: { ${this.#read(field, value).join('\n')}\n${variable} = ${value}; r.endTag(end); break }`
    })
    return [
      'for (let count = r.uvarint(); count > 0; count--) {',
      'const tag = r.uvarint(); const end = r.tagEnd(r.uvarint())',
      `switch (tag) { ${cases.join('\n')} }`,
      'r.at = end',
      '}',
    ]
  }

  /** Lines that declare a variable and read a field into it. */
  #read(field: Field, variable: string): string[] {
    const isNullable = this.#isNullable(field)
    if (field.kind === 'struct') {
      const decode = this.decoder(field.fields!)
      return [`let ${variable} = ${isNullable ? `r.isPresent() ? ${decode}(r) : null` : `${decode}(r)`}`]
    }
    if (field.kind !== 'array') return [`let ${variable} = r.${this.#method(field.kind, isNullable)}()`]
    const read =
      field.element === undefined ? `${this.decoder(field.fields!)}(r)` : `r.${this.#method(field.element, false)}()`
    const count = `${variable}Count`
    return [
      `const ${count} = r.${this.#isFlexible ? 'compactArrayLength' : 'arrayLength'}(${this.#elementBytesMin(field)})`,
      // Null where there is no null is refused as the decoder of texts refuses it.
      `let ${variable} = ${isNullable ? `${count} < 0 ? null : []` : `${count} < 0 ? r.refuseNull() : []`}`,
      `for (let index = 0; index < ${count}; index++) ${variable}.push(${read})`,
    ]
  }

  #elementBytesMin(field: Field): number {
    return field.element === undefined ? this.#structBytesMin(field.fields!) : this.#kindBytesMin(field.element)
  }

  #structBytesMin(fields: Fields): number {
    let sizeBytes = this.#isFlexible ? 1 : 0
    for (const field of Object.values(fields)) {
      if (!this.#has(field) || this.#isTagged(field)) continue
      if (field.kind === 'array') sizeBytes += this.#isFlexible ? 1 : 4
      else if (field.kind === 'struct') sizeBytes += this.#isNullable(field) ? 1 : this.#structBytesMin(field.fields!)
      else sizeBytes += this.#kindBytesMin(field.kind)
    }
    return sizeBytes
  }

  #kindBytesMin(kind: Kind): number {
    return this.#isFlexible && COMPACT[kind] !== undefined ? 1 : KIND_BYTES_MIN[kind]
  }

  // ---- Encoding ----

  encoder(fields: Fields): string {
    const lines: string[] = []
    const tagged: { field: Field; value: string }[] = []
    for (const [name, field] of Object.entries(fields)) {
      if (!this.#has(field)) continue
      const value = this.#variable()
      lines.push(`const ${value} = v.${name} === undefined ? ${this.#defaultText(field)} : v.${name}`)
      if (this.#isTagged(field)) tagged.push({ field, value })
      else lines.push(...this.#write(field, value, name))
    }
    if (this.#isFlexible) lines.push(...this.#writeTags(tagged))
    return this.#define('encode', 'w, v', lines)
  }

  #writeTags(tagged: readonly { field: Field; value: string }[]): string[] {
    if (tagged.length === 0) return ['w.uvarint(0)']
    // Tags ascend on the wire.
    const ordered = tagged.toSorted((a, b) => a.field.tag! - b.field.tag!)
    const present = ordered.map(({ field, value }) => ({
      field,
      value,
      isPresent: this.#variable(),
      test: `!(${this.#isDefaultText(field, value)})`,
    }))
    return [
      ...present.map(({ isPresent, test }) => `const ${isPresent} = ${test}`),
      `w.uvarint(${present.map(({ isPresent }) => `(${isPresent} ? 1 : 0)`).join(' + ')})`,
      ...present.map(({ field, value, isPresent }) => {
        const write = this.#write(field, value, `tag ${field.tag}`).join('\n')
        return `if (${isPresent}) { const start = w.beginTag(${field.tag})\n${write}\nw.endTag(start) }`
      }),
    ]
  }

  #write(field: Field, value: string, name: string): string[] {
    const isNullable = this.#isNullable(field)
    const refusal = isNullable
      ? []
      : [`if (${value} === null) throw new Error('${name} is null in version ${this.#version}')`]
    if (field.kind === 'struct') {
      const encode = this.encoder(field.fields!)
      if (!isNullable) return [...refusal, `${encode}(w, ${value})`]
      return [`w.isPresent(${value} !== null)`, `if (${value} !== null) ${encode}(w, ${value})`]
    }
    if (field.kind !== 'array') return [...refusal, `w.${this.#method(field.kind, isNullable)}(${value})`]
    const length = this.#isFlexible ? 'compactArrayLength' : 'arrayLength'
    const write =
      field.element === undefined
        ? `${this.encoder(field.fields!)}(w, ${value}[index])`
        : `w.${this.#method(field.element, false)}(${value}[index])`
    return [
      ...refusal,
      `w.${length}(${value} === null ? -1 : ${value}.length)`,
      `if (${value} !== null) for (let index = 0; index < ${value}.length; index++) ${write}`,
    ]
  }

  // ---- Both ----

  #method(kind: Kind, isNullable: boolean): string {
    const method = this.#isFlexible ? (COMPACT[kind] ?? kind) : kind
    return isNullable ? `${method}OrNull` : method
  }

  #has(field: Field): boolean {
    return includesVersion(parseVersions(field.versions), this.#version)
  }

  #isTagged(field: Field): boolean {
    return (
      this.#isFlexible &&
      field.tag !== undefined &&
      this.#has(field) &&
      includesVersion(parseVersions(field.tagged ?? field.versions), this.#version)
    )
  }

  #isNullable(field: Field): boolean {
    return includesVersion(field.nullable === undefined ? NO_VERSIONS : parseVersions(field.nullable), this.#version)
  }

  /** An expression for the value of a field that is not there. */
  #defaultText(field: Field): string {
    if (field.default === null) return 'null'
    if (field.kind === 'array') return '[]'
    if (field.kind === 'bytes' || field.kind === 'records') return 'Buffer.alloc(0)'
    if (field.kind === 'struct') {
      const values = Object.entries(field.fields!).map(([name, each]) => `${name}: ${this.#defaultText(each)}`)
      return `{ ${values.join(', ')} }`
    }
    if (field.kind === 'int64Exact') return `${field.default ?? 0n}n`
    return JSON.stringify(field.default ?? KIND_DEFAULTS[field.kind])
  }

  #isDefaultText(field: Field, value: string): string {
    if (field.default === null) return `${value} === null`
    if (field.kind === 'array' || field.kind === 'bytes' || field.kind === 'records') {
      return `${value} !== null && ${value}.length === 0`
    }
    if (field.kind !== 'struct') return `${value} === ${this.#defaultText(field)}`
    const tests = Object.entries(field.fields!).map(
      ([name, each]) => `(${value}.${name} === undefined || ${this.#isDefaultText(each, `${value}.${name}`)})`,
    )
    return tests.join(' && ')
  }

  #variable(): string {
    return `$${this.#variableCount++}`
  }

  #define(purpose: string, parameters: string, lines: readonly string[]): string {
    const name = `${purpose}${this.#functions.length}`
    this.#functions.push(`function ${name}(${parameters}) {\n${lines.join('\n')}\n}`)
    return name
  }
}

const KIND_DEFAULTS: Partial<Record<Kind, unknown>> = {
  bool: false,
  int8: 0,
  int16: 0,
  uint16: 0,
  int32: 0,
  uint32: 0,
  int64: 0,
  float64: 0,
  uuid: ZERO_UUID,
  string: '',
}
