/**
 * How messages are declared: once, as data, for all their versions. The static types of what is decoded and of what can
 * be encoded are inferred from the declaration; encoder and decoder are compiled from it (`compiler.ts`).
 *
 *   export const heartbeatRequest = message({ name: 'HeartbeatRequest', apiKey: 12, versions: '0-4', flexible: '4+' }, {
 *     groupId: string('0+'),
 *     generationId: int32('0+'),
 *     groupInstanceId: string('3+', { nullable: '3+', default: null }),
 *   })
 *   export type HeartbeatRequest = Decoded<typeof heartbeatRequest>
 *
 * A field's first argument are the versions that have it. Decoded, every field is there: with its default (else 0, false,
 * '', [], the zero uuid) where the version has none. To encode, fields that have a default, a tag or a last version may
 * be left out; what a version has no field for is not written.
 */
import type { RecordsInput } from './byte-writer.ts'

interface Values {
  bool: { decoded: boolean; encodable: boolean }
  int8: { decoded: number; encodable: number }
  int16: { decoded: number; encodable: number }
  uint16: { decoded: number; encodable: number }
  int32: { decoded: number; encodable: number }
  uint32: { decoded: number; encodable: number }
  /** A number: exact up to 2^53, which is more than any offset or time. */
  int64: { decoded: number; encodable: number }
  /** A bigint, for what clients must get back to the last bit. */
  int64Exact: { decoded: bigint; encodable: bigint }
  float64: { decoded: number; encodable: number }
  /** 22 characters of base64url, as people see it. */
  uuid: { decoded: string; encodable: string }
  string: { decoded: string; encodable: string }
  /** Decoded as a copy. */
  bytes: { decoded: Buffer; encodable: Uint8Array }
  /** Decoded as a view of the message, encoded without a copy: see ByteReader and ByteWriter. */
  records: { decoded: Buffer; encodable: RecordsInput }
}

export type Kind = keyof Values

declare const decodedType: unique symbol
declare const encodableType: unique symbol
declare const optionality: unique symbol

export interface Field<D = unknown, E = unknown, IsOptional extends boolean = boolean> {
  readonly kind: Kind | 'struct' | 'array'
  readonly versions: string
  readonly nullable?: string
  /** Undefined: the default of the kind. */
  readonly default?: unknown
  /** The field stands among the tagged ones, in these versions. */
  readonly tag?: number
  readonly tagged?: string
  /** Of a structure, or of an array of structures. */
  readonly fields?: Fields
  /** Of an array of something else. */
  readonly element?: Kind
  readonly [decodedType]?: D
  readonly [encodableType]?: E
  readonly [optionality]?: IsOptional
}

export interface Fields {
  readonly [name: string]: Field
}

interface Options<V> {
  readonly nullable?: string
  readonly default?: V | null
  readonly tag?: number
  /** The versions in which it is tagged; by default all that have it. */
  readonly tagged?: string
}

type OrNull<O> = O extends { nullable: string } ? null : never

type IsOptional<V, O> = O extends { default: unknown } | { tag: number } ? true : V extends `${number}+` ? false : true

type OptionalNames<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<unknown, unknown, infer I> ? (I extends true ? K : never) : never
}[keyof F]

type Simplified<T> = { [K in keyof T]: T[K] } & {}

export type DecodedFields<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<infer D, unknown, boolean> ? D : never
}

export type EncodableFields<F extends Fields> = Simplified<
  {
    readonly [K in Exclude<keyof F, OptionalNames<F>>]: F[K] extends Field<unknown, infer E, boolean> ? E : never
  } & {
    readonly [K in OptionalNames<F>]?: (F[K] extends Field<unknown, infer E, boolean> ? E : never) | undefined
  }
>

function scalar<K extends Kind>(kind: K) {
  return <const V extends string, const O extends Options<Values[K]['encodable']> = Record<never, never>>(
    versions: V,
    options?: O,
  ): Field<Values[K]['decoded'] | OrNull<O>, Values[K]['encodable'] | OrNull<O>, IsOptional<V, O>> => ({
    kind,
    versions,
    ...options,
  })
}

export const bool = scalar('bool')
export const int8 = scalar('int8')
export const int16 = scalar('int16')
export const uint16 = scalar('uint16')
export const int32 = scalar('int32')
export const uint32 = scalar('uint32')
export const int64 = scalar('int64')
export const int64Exact = scalar('int64Exact')
export const float64 = scalar('float64')
export const uuid = scalar('uuid')
export const string = scalar('string')
export const bytes = scalar('bytes')
export const records = scalar('records')

/** One structure; where it may be null, only flexible versions have it. */
export function struct<const V extends string, F extends Fields, const O extends Options<never> = Record<never, never>>(
  versions: V,
  fields: F,
  options?: O,
): Field<DecodedFields<F> | OrNull<O>, EncodableFields<F> | OrNull<O>, IsOptional<V, O>> {
  return { kind: 'struct', versions, fields, ...options }
}

/** An array of structures, or of a kind: `array('0+', 'int32')`. */
export function array<const V extends string, F extends Fields, const O extends Options<never> = Record<never, never>>(
  versions: V,
  element: F,
  options?: O,
): Field<DecodedFields<F>[] | OrNull<O>, readonly EncodableFields<F>[] | OrNull<O>, IsOptional<V, O>>
export function array<const V extends string, K extends Kind, const O extends Options<never> = Record<never, never>>(
  versions: V,
  element: K,
  options?: O,
): Field<Values[K]['decoded'][] | OrNull<O>, readonly Values[K]['encodable'][] | OrNull<O>, IsOptional<V, O>>
export function array(versions: string, element: Fields | Kind, options?: Options<never>): Field {
  return typeof element === 'string'
    ? { kind: 'array', versions, element, ...options }
    : { kind: 'array', versions, fields: element, ...options }
}
