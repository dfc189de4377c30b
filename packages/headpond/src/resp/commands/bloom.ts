import { NONE } from '../../memory/heap.ts'
import {
  BloomFilter,
  bloomFilterOf,
  DEFAULT_CAPACITY,
  DEFAULT_ERROR_RATE,
  DEFAULT_EXPANSION,
  putBloomFilter,
} from '../../store/bloom.ts'
import { readFilterHeader, writeFilterHeader } from '../../store/bloom-header.ts'
import { NEVER, type as types } from '../../store/record.ts'
import type { Client } from '../client.ts'
import { type CommandFlag, type CommandSpec, key } from '../command.ts'
import { errors, wrongArity } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

/** The texts are RedisBloom's; not all of them begin with a code. */
const NOT_FOUND = 'ERR not found'
const ITEM_EXISTS = 'ERR item exists'
const NO_MEMORY = 'ERR Insufficient memory to create filter'
const BAD_DATA = 'ERR received bad data'

const DUMPED_CHUNK_BYTES_MAX = 2 ** 24
/** The class of a change that WATCH hears of. RedisBloom publishes no events. */
const UNPUBLISHED = 0

interface FilterSettings {
  errorRate: number
  capacity: number
  expansion: number
  isScaling: boolean
}

const DEFAULTS: FilterSettings = {
  errorRate: DEFAULT_ERROR_RATE,
  capacity: DEFAULT_CAPACITY,
  expansion: DEFAULT_EXPANSION,
  isScaling: true,
}

// ---- Making filters ----

function reserve(client: Client, request: Request, reply: Reply): void {
  if (request.count > 7) return reply.error(wrongArity('bf.reserve'))
  const settings = readReserveSettings(request, reply)
  if (settings === null) return
  const { database } = client
  const handle = database.write(request.chunk, request.start(1), request.end(1))
  if (handle !== NONE) {
    return reply.error(database.records.type(handle) === types.BLOOM_FILTER ? ITEM_EXISTS : errors.WRONG_TYPE)
  }
  if (create(client, request, settings) === null) return reply.error(NO_MEMORY)
  changed(client, request)
  reply.ok()
}

/** Null when an error has been written. */
function readReserveSettings(request: Request, reply: Reply): FilterSettings | null {
  const refuse = (error: string) => {
    reply.error(error)
    return null
  }
  const errorRate = request.double(2)
  if (Number.isNaN(errorRate)) return refuse('ERR bad error rate')
  if (errorRate <= 0 || errorRate >= 1) return refuse('ERR (0 < error rate range < 1) ')
  const capacity = request.integer(3)
  if (Number.isNaN(capacity)) return refuse('ERR bad capacity')
  if (capacity <= 0) return refuse('ERR (capacity should be larger than 0)')
  const settings = { ...DEFAULTS, errorRate, capacity }
  const expansionAt = findWord(request, 'EXPANSION')
  if (findWord(request, 'NONSCALING') !== -1) settings.isScaling = false
  if (expansionAt === request.count - 1) return refuse('ERR no expansion')
  if (expansionAt !== -1) {
    if (!settings.isScaling) return refuse('Nonscaling filters cannot expand')
    settings.expansion = request.integer(expansionAt + 1)
    if (!(settings.expansion >= 0 && settings.expansion < 2 ** 32)) return refuse('ERR bad expansion')
    if (settings.expansion === 0) settings.isScaling = false
  }
  return settings
}

/** Where one of the optional words is, or -1. Like RedisBloom, anything else there is overlooked. */
function findWord(request: Request, word: string): number {
  for (let index = 4; index < request.count; index++) if (request.is(index, word)) return index
  return -1
}

/** Null: there is no memory for it. */
function create({ database }: Client, request: Request, settings: FilterSettings): BloomFilter | null {
  const { errorRate, capacity, expansion, isScaling } = settings
  const filter = BloomFilter.create(database.store.heap, errorRate, capacity, expansion, isScaling)
  if (filter !== null) putBloomFilter(database, request.chunk, request.start(1), request.end(1), filter, NEVER)
  return filter
}

function changed({ database }: Client, request: Request): void {
  database.changed(UNPUBLISHED, 'bloom', request.chunk, request.start(1), request.end(1))
}

// ---- Adding ----

function add(client: Client, request: Request, reply: Reply): void {
  insert(client, request, reply, 2, false, DEFAULTS)
}

function madd(client: Client, request: Request, reply: Reply): void {
  insert(client, request, reply, 2, true, DEFAULTS)
}

function insertWithOptions(client: Client, request: Request, reply: Reply): void {
  const settings = { ...DEFAULTS }
  let isCreated = true
  let itemsAt = -1
  for (let index = 2; index < request.count && itemsAt < 0; ) {
    const letter = letterOf(request, index, 0)
    if (letter === 'i') {
      itemsAt = index + 1
      break
    }
    if (letter === 'n') {
      if (letterOf(request, index, 2) === 'c') isCreated = false
      else settings.isScaling = false
      index++
      continue
    }
    if (letter !== 'e' && letter !== 'c') return reply.error('Unknown argument received')
    if (index + 1 === request.count) return reply.error(wrongArity('bf.insert'))
    if (letter === 'c') {
      settings.capacity = request.integer(index + 1)
      if (Number.isNaN(settings.capacity)) return reply.error('Bad capacity')
    } else if (letterOf(request, index, 1) === 'r') {
      settings.errorRate = request.double(index + 1)
      if (Number.isNaN(settings.errorRate)) return reply.error('Bad error rate')
    } else {
      settings.expansion = request.integer(index + 1)
      if (Number.isNaN(settings.expansion)) return reply.error('Bad expansion')
    }
    index += 2
  }
  if (itemsAt < 0 || itemsAt === request.count) return reply.error(wrongArity('bf.insert'))
  const { errorRate, capacity, expansion } = settings
  if (errorRate <= 0 || errorRate >= 1 || capacity < 1 || expansion < 1 || expansion >= 2 ** 32) {
    return reply.error('Bad argument received')
  }
  insert(client, request, reply, itemsAt, true, isCreated ? settings : null)
}

/** Options are told apart by single letters, as RedisBloom does: 'ERR' is as good as 'ERROR'. */
function letterOf(request: Request, index: number, at: number): string {
  return at < request.size(index) ? String.fromCharCode(request.chunk[request.start(index) + at] | 0x20) : ''
}

/**
 * Adds the items from argument `first` on. A filter that does not exist is made with `settings`, unless they are null.
 * One that is full ends the command: the array is as long as what was tried.
 */
function insert(
  client: Client,
  request: Request,
  reply: Reply,
  first: number,
  answersArray: boolean,
  settings: FilterSettings | null,
): void {
  const { database } = client
  const { chunk } = request
  const handle = database.write(chunk, request.start(1), request.end(1))
  let filter: BloomFilter | null
  if (handle === NONE) {
    if (settings === null) return reply.error(NOT_FOUND)
    filter = create(client, request, settings)
    if (filter === null) return reply.error(NO_MEMORY)
  } else {
    if (database.records.type(handle) !== types.BLOOM_FILTER) return reply.error(errors.WRONG_TYPE)
    filter = bloomFilterOf(database.store, handle)
  }
  const outcomes: ReturnType<BloomFilter['add']>[] = []
  let hasChanged = handle === NONE
  for (let index = first; index < request.count; index++) {
    const outcome = filter.add(chunk, request.start(index), request.end(index))
    outcomes.push(outcome)
    if (outcome === 'added') hasChanged = true
    if (outcome === 'full') break
  }
  if (hasChanged) changed(client, request)
  if (answersArray) reply.array(outcomes.length)
  for (const outcome of outcomes) {
    if (outcome === 'full') reply.error('ERR non scaling filter is full')
    else if (outcome === 'no memory') reply.error('ERR problem inserting into filter')
    else reply.boolean(outcome === 'added')
  }
}

// ---- Asking ----

/** The filter of a key; null when there is none, whatever else there is. */
function findFilter({ database }: Client, request: Request): BloomFilter | null {
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE || database.records.type(handle) !== types.BLOOM_FILTER) return null
  return bloomFilterOf(database.store, handle)
}

function exists(client: Client, request: Request, reply: Reply): void {
  replyPresence(findFilter(client, request), request, 2, reply)
}

function mexists(client: Client, request: Request, reply: Reply): void {
  const filter = findFilter(client, request)
  reply.array(request.count - 2)
  for (let index = 2; index < request.count; index++) replyPresence(filter, request, index, reply)
}

function replyPresence(filter: BloomFilter | null, request: Request, index: number, reply: Reply): void {
  reply.boolean(filter?.has(request.chunk, request.start(index), request.end(index)) ?? false)
}

/** The filter of a key, or null when there is none (and the error is written). */
function requireFilter({ database }: Client, request: Request, reply: Reply): BloomFilter | null {
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) reply.error(NOT_FOUND)
  else if (database.records.type(handle) === types.BLOOM_FILTER) return bloomFilterOf(database.store, handle)
  else reply.error(errors.WRONG_TYPE)
  return null
}

function card(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(0)
  if (database.records.type(handle) !== types.BLOOM_FILTER) return reply.error(errors.WRONG_TYPE)
  reply.integer(bloomFilterOf(database.store, handle).itemCount)
}

const INFO_FIELDS: readonly { readonly word: string; readonly name: string; of(filter: BloomFilter): number | null }[] =
  [
    { word: 'CAPACITY', name: 'Capacity', of: (filter) => filter.capacity },
    { word: 'SIZE', name: 'Size', of: (filter) => filter.sizeBytes },
    { word: 'FILTERS', name: 'Number of filters', of: (filter) => filter.layers.length },
    { word: 'ITEMS', name: 'Number of items inserted', of: (filter) => filter.itemCount },
    { word: 'EXPANSION', name: 'Expansion rate', of: (filter) => (filter.isScaling ? filter.expansion : null) },
  ]

function info(client: Client, request: Request, reply: Reply): void {
  if (request.count > 3) return reply.error(wrongArity('bf.info'))
  const filter = requireFilter(client, request, reply)
  if (filter === null) return
  const replyField = (value: number | null) => (value === null ? reply.nil() : reply.integer(value))
  if (request.count === 3) {
    const field = INFO_FIELDS.find(({ word }) => request.is(2, word))
    if (field === undefined) return reply.error('Invalid information value')
    reply.array(1)
    return replyField(field.of(filter))
  }
  reply.map(INFO_FIELDS.length)
  for (const field of INFO_FIELDS) {
    reply.simple(field.name)
    replyField(field.of(filter))
  }
}

// ---- Moving filters piece by piece ----

/**
 * Pieces are the header, and then the bits of all layers, one after another. An iterator is one more than how many of
 * those bits' bytes come before the next piece.
 */
function scandump(client: Client, request: Request, reply: Reply): void {
  const filter = requireFilter(client, request, reply)
  if (filter === null) return
  const iterator = request.integer(2)
  if (Number.isNaN(iterator)) return reply.error('Second argument must be numeric')
  reply.array(2)
  if (iterator === 0) {
    reply.integer(1)
    return reply.bulkBytes(writeFilterHeader(filter))
  }
  const place = findPlace(filter, iterator - 1)
  if (place === null) {
    reply.integer(0)
    return reply.bulkText('')
  }
  const bits = filter.bits(place.layer)
  const end = Math.min(place.at + DUMPED_CHUNK_BYTES_MAX, bits.length)
  reply.integer(iterator + end - place.at)
  reply.bulk(bits, place.at, end)
}

/** The iterator of a chunk is the one that came with it: where the next chunk begins. */
function loadchunk(client: Client, request: Request, reply: Reply): void {
  const iterator = request.integer(2)
  if (Number.isNaN(iterator)) return reply.error('ERR Second argument must be numeric')
  const { database } = client
  const { chunk } = request
  const handle = database.write(chunk, request.start(1), request.end(1))
  if (handle === NONE) {
    if (iterator !== 1) return reply.error(NOT_FOUND)
    const figures = readFilterHeader(request.view(3))
    if (figures === null) return reply.error(BAD_DATA)
    const filter = BloomFilter.ofFigures(database.store.heap, figures)
    if (filter === null) return reply.error(NO_MEMORY)
    putBloomFilter(database, chunk, request.start(1), request.end(1), filter, NEVER)
  } else {
    if (database.records.type(handle) !== types.BLOOM_FILTER) return reply.error(errors.WRONG_TYPE)
    const filter = bloomFilterOf(database.store, handle)
    const size = request.size(3)
    if (iterator <= 0 || iterator < size) return reply.error(BAD_DATA)
    const place = findPlace(filter, iterator - size - 1)
    if (place === null) return reply.error('ERR invalid offset - no link found')
    if (size > filter.layers[place.layer].sizeBytes - place.at) {
      return reply.error('ERR invalid chunk - Too big for current filter')
    }
    filter.write(place.layer, place.at, chunk, request.start(3), request.end(3))
  }
  changed(client, request)
  reply.ok()
}

/** The layer that holds a byte, counted over the bits of all layers, and where; null when none does. */
function findPlace({ layers }: BloomFilter, position: number): { layer: number; at: number } | null {
  if (position < 0) return null
  let at = position
  for (const [layer, { sizeBytes }] of layers.entries()) {
    if (at < sizeBytes) return { layer, at }
    at -= sizeBytes
  }
  return null
}

const common = { acl: ['bloom'], group: 'module', since: '1.0.0' } as const
const WRITES: readonly CommandFlag[] = ['write', 'denyoom']
const READS: readonly CommandFlag[] = ['readonly', 'fast']

export const bloomCommands: readonly CommandSpec[] = [
  {
    ...common,
    name: 'BF.RESERVE',
    arity: -4,
    flags: WRITES,
    keys: [key(1, 'RW', 'INSERT')],
    complexity: 'O(1)',
    summary: 'Makes an empty Bloom filter.',
    args: 'key error_rate:double capacity:integer [EXPANSION expansion:integer] [NONSCALING]',
    handler: reserve,
  },
  {
    ...common,
    name: 'BF.ADD',
    arity: 3,
    flags: WRITES,
    keys: [key(1, 'RW', 'INSERT')],
    complexity: 'O(k), where k is the number of hash functions used by the last sub-filter',
    summary: 'Adds an item to a Bloom filter, and answers whether it was new.',
    args: 'key item',
    handler: add,
  },
  {
    ...common,
    name: 'BF.MADD',
    arity: -3,
    flags: WRITES,
    keys: [key(1, 'RW', 'INSERT')],
    complexity: 'O(k * n), where k is the number of hash functions and n is the number of items',
    summary: 'Adds items to a Bloom filter, and answers which of them were new.',
    args: 'key item...',
    handler: madd,
  },
  {
    ...common,
    name: 'BF.INSERT',
    arity: -4,
    flags: WRITES,
    keys: [key(1, 'RW', 'INSERT')],
    complexity: 'O(k * n), where k is the number of hash functions and n is the number of items',
    summary: 'Adds items to a Bloom filter, which is made as told if it does not exist.',
    args: 'key [CAPACITY capacity:integer] [ERROR error:double] [EXPANSION expansion:integer] [NOCREATE] [NONSCALING] ITEMS item...',
    handler: insertWithOptions,
  },
  {
    ...common,
    name: 'BF.EXISTS',
    arity: 3,
    flags: READS,
    keys: [key(1, 'RO', 'ACCESS')],
    complexity: 'O(k), where k is the number of hash functions used by the last sub-filter',
    summary: 'Whether an item was added to a Bloom filter, as far as it can tell.',
    args: 'key item',
    handler: exists,
  },
  {
    ...common,
    name: 'BF.MEXISTS',
    arity: -3,
    flags: READS,
    keys: [key(1, 'RO', 'ACCESS')],
    complexity: 'O(k * n), where k is the number of hash functions and n is the number of items',
    summary: 'Which items were added to a Bloom filter, as far as it can tell.',
    args: 'key item...',
    handler: mexists,
  },
  {
    ...common,
    name: 'BF.INFO',
    arity: -2,
    flags: READS,
    keys: [key(1, 'RO', 'ACCESS')],
    complexity: 'O(1)',
    summary: 'Figures of a Bloom filter.',
    args: 'key [single_value(CAPACITY | SIZE | FILTERS | ITEMS | EXPANSION)]',
    handler: info,
  },
  {
    ...common,
    name: 'BF.CARD',
    arity: 2,
    flags: READS,
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.4.4',
    complexity: 'O(1)',
    summary: 'How many items were added to a Bloom filter.',
    args: 'key',
    handler: card,
  },
  {
    ...common,
    name: 'BF.SCANDUMP',
    arity: 3,
    flags: READS,
    keys: [key(1, 'RO', 'ACCESS')],
    complexity: 'O(n), where n is the capacity',
    summary: 'A Bloom filter piece by piece.',
    args: 'key iterator:integer',
    handler: scandump,
  },
  {
    ...common,
    name: 'BF.LOADCHUNK',
    arity: 4,
    flags: WRITES,
    keys: [key(1, 'RW', 'INSERT')],
    complexity: 'O(n), where n is the capacity',
    summary: 'Makes a Bloom filter again from what BF.SCANDUMP gave.',
    args: 'key iterator:integer data',
    handler: loadchunk,
  },
]
