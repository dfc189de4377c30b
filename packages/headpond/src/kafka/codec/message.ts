import { ByteReader, MalformedMessage } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { type Codec, compile } from './compiler.ts'
import type { DecodedFields, EncodableFields, Fields } from './declaration.ts'
import { includesVersion, parseVersions, type VersionRange } from './versions.ts'

export interface MessageHead {
  /** As in Kafka's definitions. */
  readonly name: string
  /** Absent for what is no request or response: records of internal topics, the consumers' own protocol. */
  readonly apiKey?: number
  readonly versions: string
  /** The first version with lengths of variable size and tagged fields; absent where there is none. */
  readonly flexible?: string
}

/** A message in all its versions. Encoder and decoder of a version are compiled when it is first used. */
export class Message<D, E> {
  readonly name: string
  readonly apiKey: number
  readonly versions: VersionRange
  readonly fields: Fields
  readonly #flexible: VersionRange
  readonly #codecs: Codec<D, E>[] = []

  constructor(head: MessageHead, fields: Fields) {
    this.name = head.name
    this.apiKey = head.apiKey ?? -1
    this.versions = parseVersions(head.versions)
    this.#flexible = parseVersions(head.flexible ?? 'none')
    this.fields = fields
  }

  isFlexible(version: number): boolean {
    return includesVersion(this.#flexible, version)
  }

  /** Throws MalformedMessage. What follows the message is left unread. */
  decode(reader: ByteReader, version: number): D {
    return this.#codec(version).decode(reader)
  }

  /** Throws Error where the value has null and this version has no null: that is never right. */
  encode(writer: ByteWriter, value: E, version: number): void {
    this.#codec(version).encode(writer, value)
  }

  /** A record of an internal topic: its version, then its fields. */
  encodeRecord(value: E, version: number): Buffer {
    const writer = new ByteWriter(256)
    writer.int16(version)
    this.encode(writer, value, version)
    return writer.take()
  }

  /** The opposite of `encodeRecord`. Throws MalformedMessage, also for a version that is not known. */
  decodeRecord(bytes: Uint8Array): D {
    const reader = new ByteReader().open(bytes)
    const version = reader.int16()
    if (!includesVersion(this.versions, version)) throw new MalformedMessage(`${this.name} has no version ${version}`)
    return this.decode(reader, version)
  }

  #codec(version: number): Codec<D, E> {
    return (this.#codecs[version] ??= this.#compile(version))
  }

  #compile(version: number): Codec<D, E> {
    if (!includesVersion(this.versions, version)) throw new Error(`${this.name} has no version ${version}`)
    return compile(this.fields, version, this.isFlexible(version))
  }
}

export function message<const F extends Fields>(
  head: MessageHead,
  fields: F,
): Message<DecodedFields<F>, EncodableFields<F>> {
  return new Message(head, fields)
}

/** What decoding gives. */
export type Decoded<M> = M extends Message<infer D, unknown> ? D : never
/** What can be encoded. */
export type Encodable<M> = M extends Message<unknown, infer E> ? E : never
