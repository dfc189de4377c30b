import { parseInteger } from '../../bytes/integer.ts'
import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { type Handle, NONE } from '../../memory/heap.ts'
import {
  type BitIntegerType,
  type BitOperation,
  type BitSource,
  bitAt,
  combineBits,
  countBits,
  findBit,
  fitBitInteger,
  type OverflowRule,
  readBitInteger,
  setBitAt,
  writeBitInteger,
} from '../../store/bitmap.ts'
import { NEVER, type as types } from '../../store/record.ts'
import { growString, stringArray, stringBytes, stringStart, writableArray } from '../../store/string.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, type KeyPlace, key, keyRange } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

const BAD_OFFSET = 'ERR bit offset is not an integer or out of range'
const BAD_BIT = 'ERR bit is not an integer or out of range'
const BAD_TYPE = 'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.'

// ---- Single bits ----

function setbit(client: Client, request: Request, reply: Reply): void {
  const bit = parseBitOffset(client, request, 2)
  if (Number.isNaN(bit)) return reply.error(BAD_OFFSET)
  const value = request.integer(3)
  if (value !== 0 && value !== 1) return reply.error(BAD_BIT)
  const { database } = client
  const found = database.write(request.chunk, request.start(1), request.end(1))
  if (found !== NONE && database.records.type(found) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  const sizeBefore = found === NONE ? 0 : database.records.valueSize(found)
  const handle = prepareToWrite(client, request, found, bit)
  const sizeAfter = database.records.valueSize(handle)
  const start = stringStart(database.store, handle)
  const before = bitAt(stringArray(database.store, handle), start, start + sizeAfter, bit)
  if (before !== value) setBitAt(writableArray(database.store, handle), start, bit, value)
  if (before !== value || sizeAfter !== sizeBefore) {
    database.changed(KEYSPACE_EVENTS.string, 'setbit', request.chunk, request.start(1), request.end(1))
  }
  reply.integer(before)
}

function getbit(client: Client, request: Request, reply: Reply): void {
  const bit = parseBitOffset(client, request, 2)
  if (Number.isNaN(bit)) return reply.error(BAD_OFFSET)
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(0)
  if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  const start = stringStart(database.store, handle)
  const end = start + database.records.valueSize(handle)
  reply.integer(bitAt(stringArray(database.store, handle), start, end, bit))
}

/**
 * A bit offset, or NaN when it is none or beyond the longest string. With `unitBits`, '#3' is the place of the fourth
 * integer of that size.
 */
function parseBitOffset(client: Client, request: Request, index: number, unitBits = 0): number {
  let start = request.start(index)
  let scale = 1
  if (unitBits > 0 && request.size(index) > 0 && request.chunk[start] === 0x23) {
    start++
    scale = unitBits
  }
  const offset = parseInteger(request.chunk, start, request.end(index)) * scale
  return offset >= 0 && offset / 8 < client.engine.settings.protoMaxBulkLen ? offset : Number.NaN
}

/**
 * The string of the key, created or lengthened so that it holds a bit. Announces nothing.
 * @param handle what `Database.write` has found
 */
function prepareToWrite({ database }: Client, request: Request, handle: Handle, lastBit: number): Handle {
  const sizeBytes = Math.floor(lastBit / 8) + 1
  if (handle !== NONE) return growString(database, handle, sizeBytes)
  return database.putRawString(request.chunk, request.start(1), request.end(1), Buffer.alloc(sizeBytes), NEVER)
}

// ---- Ranges of bits ----

interface BitRange {
  firstBit: number
  lastBit: number
}

function bitcount(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(0)
  if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  const { bytes, start, end } = stringBytes(database.store, handle)
  let range: BitRange = { firstBit: 0, lastBit: (end - start) * 8 - 1 }
  if (request.count !== 2) {
    if (request.count !== 4 && request.count !== 5) return reply.error(errors.SYNTAX)
    const first = request.integer(2)
    const last = request.integer(3)
    if (Number.isNaN(first) || Number.isNaN(last)) return reply.error(errors.NOT_AN_INTEGER)
    if (first < 0 && last < 0 && first > last) return reply.integer(0)
    const unitBits = parseUnit(request, 4)
    if (unitBits === 0) return reply.error(errors.SYNTAX)
    range = clampRange(first, last, unitBits, end - start)
  }
  reply.integer(range.firstBit > range.lastBit ? 0 : countBits(bytes, start, range.firstBit, range.lastBit))
}

function bitpos(client: Client, request: Request, reply: Reply): void {
  const value = request.integer(2)
  if (Number.isNaN(value)) return reply.error(errors.NOT_AN_INTEGER)
  if (value !== 0 && value !== 1) return reply.error('ERR The bit argument must be 1 or 0.')
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(value === 1 ? -1 : 0)
  if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  const { bytes, start, end } = stringBytes(database.store, handle)
  const size = end - start
  let range: BitRange = { firstBit: 0, lastBit: size * 8 - 1 }
  const hasEnd = request.count >= 5
  if (request.count !== 3) {
    if (request.count > 6) return reply.error(errors.SYNTAX)
    const first = request.integer(3)
    if (Number.isNaN(first)) return reply.error(errors.NOT_AN_INTEGER)
    const unitBits = parseUnit(request, 5)
    if (unitBits === 0) return reply.error(errors.SYNTAX)
    const last = hasEnd ? request.integer(4) : size - 1
    if (Number.isNaN(last)) return reply.error(errors.NOT_AN_INTEGER)
    range = clampRange(first, last, unitBits, size)
  }
  if (range.firstBit > range.lastBit) return reply.integer(-1)
  const found = findBit(bytes, start, range.firstBit, range.lastBit, value)
  // Behind a string there are zeros, as far as the range has no end.
  reply.integer(found === -1 && value === 0 && !hasEnd ? size * 8 : found)
}

/** How many bits the units of a range have: 8 for BYTE or nothing, 1 for BIT, 0 for a syntax error. */
function parseUnit(request: Request, index: number): number {
  if (index >= request.count || request.is(index, 'BYTE')) return 8
  return request.is(index, 'BIT') ? 1 : 0
}

/** Bits from unit `first` to unit `last`, where negative ones count from the end. Empty when firstBit > lastBit. */
function clampRange(first: number, last: number, unitBits: number, sizeBytes: number): BitRange {
  const unitCount = (sizeBytes * 8) / unitBits
  const from = Math.max(first < 0 ? unitCount + first : first, 0)
  const to = Math.min(Math.max(last < 0 ? unitCount + last : last, 0), unitCount - 1)
  return { firstBit: from * unitBits, lastBit: to * unitBits + unitBits - 1 }
}

// ---- Whole strings ----

const OPERATIONS: readonly BitOperation[] = ['and', 'or', 'xor', 'not', 'diff', 'diff1', 'andor', 'one']

function bitop(client: Client, request: Request, reply: Reply): void {
  const operation = OPERATIONS.find((each) => request.is(1, each.toUpperCase()))
  if (operation === undefined) return reply.error(errors.SYNTAX)
  if (operation === 'not' && request.count !== 4) {
    return reply.error('ERR BITOP NOT must be called with a single source key.')
  }
  if ((operation === 'diff' || operation === 'diff1' || operation === 'andor') && request.count < 5) {
    return reply.error(`ERR BITOP ${operation.toUpperCase()} must be called with at least two source keys.`)
  }
  const { database } = client
  const { chunk } = request
  const sources: BitSource[] = []
  for (let index = 3; index < request.count; index++) {
    const handle = database.read(chunk, request.start(index), request.end(index))
    if (handle === NONE) sources.push({ bytes: chunk, start: 0, end: 0 })
    else if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
    else sources.push(stringBytes(database.store, handle))
  }
  const result = combineBits(operation, sources)
  const start = request.start(2)
  const end = request.end(2)
  if (result.length > 0) {
    database.putRawString(chunk, start, end, result, NEVER)
    database.changed(KEYSPACE_EVENTS.string, 'set', chunk, start, end)
  } else {
    const handle = database.write(chunk, start, end)
    if (handle !== NONE) database.delete(handle, chunk, start, end)
  }
  reply.integer(result.length)
}

// ---- Integers in bits ----

interface FieldOperation {
  readonly name: 'get' | 'set' | 'incrby'
  readonly type: BitIntegerType
  readonly offset: number
  readonly operand: bigint
  readonly overflow: OverflowRule
}

function bitfield(client: Client, request: Request, reply: Reply): void {
  const operations = parseFieldOperations(client, request, reply)
  if (operations === null) return
  if (operations.every((operation) => operation.name === 'get')) return readFields(client, request, reply, operations)
  writeFields(client, request, reply, operations)
}

function bitfieldRo(client: Client, request: Request, reply: Reply): void {
  const operations = parseFieldOperations(client, request, reply)
  if (operations === null) return
  if (operations.some((operation) => operation.name !== 'get')) {
    return reply.error('ERR BITFIELD_RO only supports the GET subcommand')
  }
  readFields(client, request, reply, operations)
}

/** The operations of a BITFIELD, or null when one is refused (and the error is written). */
function parseFieldOperations(client: Client, request: Request, reply: Reply): FieldOperation[] | null {
  const operations: FieldOperation[] = []
  let overflow: OverflowRule = 'wrap'
  const refuse = (error: string) => {
    reply.error(error)
    return null
  }
  for (let index = 2; index < request.count; ) {
    const argumentCount = request.count - index - 1
    if (request.is(index, 'OVERFLOW') && argumentCount >= 1) {
      if (request.is(index + 1, 'WRAP')) overflow = 'wrap'
      else if (request.is(index + 1, 'SAT')) overflow = 'saturate'
      else if (request.is(index + 1, 'FAIL')) overflow = 'fail'
      else return refuse('ERR Invalid OVERFLOW type specified')
      index += 2
      continue
    }
    let name: FieldOperation['name']
    if (request.is(index, 'GET') && argumentCount >= 2) name = 'get'
    else if (request.is(index, 'SET') && argumentCount >= 3) name = 'set'
    else if (request.is(index, 'INCRBY') && argumentCount >= 3) name = 'incrby'
    else return refuse(errors.SYNTAX)
    const type = parseFieldType(request, index + 1)
    if (type === null) return refuse(BAD_TYPE)
    const offset = parseBitOffset(client, request, index + 2, type.bits)
    if (Number.isNaN(offset)) return refuse(BAD_OFFSET)
    const operand = name === 'get' ? 0n : request.bigInteger(index + 3)
    if (operand === undefined) return refuse(errors.NOT_AN_INTEGER)
    operations.push({ name, type, offset, operand, overflow })
    index += name === 'get' ? 3 : 4
  }
  return operations
}

/** 'i16', 'u8': up to i64 and u63. */
function parseFieldType(request: Request, index: number): BitIntegerType | null {
  const letter = request.chunk[request.start(index)]
  const isSigned = letter === 0x69
  if (request.size(index) === 0 || (!isSigned && letter !== 0x75)) return null
  const bits = parseInteger(request.chunk, request.start(index) + 1, request.end(index))
  return bits >= 1 && bits <= (isSigned ? 64 : 63) ? { isSigned, bits } : null
}

function readFields({ database }: Client, request: Request, reply: Reply, operations: readonly FieldOperation[]): void {
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle !== NONE && database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  const { bytes, start, end } =
    handle === NONE ? { bytes: request.chunk, start: 0, end: 0 } : stringBytes(database.store, handle)
  reply.array(operations.length)
  for (const { offset, type } of operations) reply.bigInteger(readBitInteger(bytes, start, end, offset, type))
}

function writeFields(client: Client, request: Request, reply: Reply, operations: readonly FieldOperation[]): void {
  const { database } = client
  const found = database.write(request.chunk, request.start(1), request.end(1))
  if (found !== NONE && database.records.type(found) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  const sizeBefore = found === NONE ? 0 : database.records.valueSize(found)
  const written = operations.filter((operation) => operation.name !== 'get')
  const lastBit = written.reduce((max, { offset, type }) => Math.max(max, offset + type.bits - 1), 0)
  const handle = prepareToWrite(client, request, found, lastBit)
  const bytes = writableArray(database.store, handle)
  const start = stringStart(database.store, handle)
  const size = database.records.valueSize(handle)
  let hasChanged = false
  reply.array(operations.length)
  for (const { name, type, offset, operand, overflow } of operations) {
    const before = readBitInteger(bytes, start, start + size, offset, type)
    if (name === 'get') {
      reply.bigInteger(before)
      continue
    }
    const after = fitBitInteger(wanted(name, type, before, operand), type, overflow)
    if (after === null) {
      reply.nil()
      continue
    }
    reply.bigInteger(name === 'set' ? before : after)
    writeBitInteger(bytes, start, start + size, offset, type.bits, after)
    if (after !== before || size !== sizeBefore) hasChanged = true
  }
  if (hasChanged) {
    database.changed(KEYSPACE_EVENTS.string, 'setbit', request.chunk, request.start(1), request.end(1))
  }
}

/** What an operation would write if there were no limit. A negative operand of SET is a large unsigned one, as in C. */
function wanted(name: 'set' | 'incrby', type: BitIntegerType, before: bigint, operand: bigint): bigint {
  if (name === 'incrby') return before + operand
  return type.isSigned ? operand : BigInt.asUintN(64, operand)
}

const common = { acl: ['bitmap'], group: 'bitmap' } as const
const FIELD_COMPLEXITY = 'O(1) for each subcommand specified'

/** Nothing is changed by GET alone. */
function findKeyOfBitfield(request: Request, first: number): KeyPlace[] {
  let readsOnly = true
  for (let index = first + 2; index < request.count && readsOnly; index++) {
    if (request.is(index, 'GET') && index + 2 < request.count) index += 2
    else if (request.is(index, 'OVERFLOW') && index + 1 < request.count) index += 1
    else readsOnly = false
  }
  return [{ index: first + 1, flags: readsOnly ? ['RO', 'ACCESS'] : ['RW', 'ACCESS', 'UPDATE'] }]
}

export const bitmapCommands: readonly CommandSpec[] = [
  {
    ...common,
    name: 'SETBIT',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    since: '2.2.0',
    complexity: 'O(1)',
    summary: 'Sets or clears one bit of a string and answers with what it was.',
    args: 'key offset value:integer',
    handler: setbit,
  },
  {
    ...common,
    name: 'GETBIT',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.2.0',
    complexity: 'O(1)',
    summary: 'One bit of a string.',
    args: 'key offset',
    handler: getbit,
  },
  {
    ...common,
    name: 'BITCOUNT',
    arity: -2,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.6.0',
    complexity: 'O(N)',
    summary: 'How many bits of a string, or of a part of it, are set.',
    args: 'key [index{start end [index_unit(BYTE | BIT)@7.0.0]}]',
    handler: bitcount,
  },
  {
    ...common,
    name: 'BITPOS',
    arity: -3,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.8.7',
    complexity: 'O(N)',
    summary: 'Where in a string the first set or clear bit is.',
    args: 'key bit:integer [index{start [end_index{end [index_unit(BYTE | BIT)@7.0.0]}]}]',
    handler: bitpos,
  },
  {
    ...common,
    name: 'BITOP',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: [key(2, 'OW', 'UPDATE'), keyRange(3, -1, 1, 'RO', 'ACCESS')],
    since: '2.6.0',
    complexity: 'O(N)',
    summary: 'Combines strings bit by bit and stores the result.',
    args: 'operation destkey#0 key#1...',
    handler: bitop,
  },
  {
    ...common,
    name: 'BITFIELD',
    arity: -2,
    flags: ['write', 'denyoom'],
    keys: [
      {
        ...key(1, 'RW', 'ACCESS', 'UPDATE', 'variable_flags'),
        notes: 'This command allows both access and modification of the key',
      },
    ],
    findKeys: findKeyOfBitfield,
    since: '3.2.0',
    complexity: FIELD_COMPLEXITY,
    summary: 'Reads, sets and increments integers of any width within a string.',
    args: 'key [operation(GET encoding_offset{encoding offset} | write{[OVERFLOW wrap_sat_fail(WRAP | SAT | FAIL)] write_operation(SET encoding_offset_value{encoding offset value:integer} | INCRBY encoding_offset_increment{encoding offset increment})})...]',
    handler: bitfield,
  },
  {
    ...common,
    name: 'BITFIELD_RO',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '6.0.0',
    complexity: FIELD_COMPLEXITY,
    summary: 'Reads integers of any width within a string.',
    args: 'key [GET encoding_offset{encoding offset}+...]',
    handler: bitfieldRo,
  },
]
