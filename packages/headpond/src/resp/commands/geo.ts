import { NONE } from '../../memory/heap.ts'
import { Bound } from '../../memory/ordered-tree.ts'
import {
  decodePosition,
  distanceM,
  distanceWithin,
  encodePosition,
  geohashOf,
  isPosition,
  type Position,
  rangesAround,
  type Shape,
} from '../../store/geo.ts'
import { SortedSet } from '../../store/sorted-set.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import { Request } from '../request.ts'
import { readSortedSet, storeResult, WRONG } from '../sorted-set-access.ts'
import { zadd } from './sorted-set.ts'

// ---- Arguments ----

/** Reads longitude and latitude from two arguments; false when they are none: an error has been written then. */
function readPosition(request: Request, index: number, position: Position, reply: Reply): boolean {
  const longitude = request.double(index)
  const latitude = request.double(index + 1)
  if (Number.isNaN(longitude) || Number.isNaN(latitude)) {
    reply.error(errors.NOT_A_FLOAT)
    return false
  }
  if (!isPosition(longitude, latitude)) {
    reply.error(`ERR invalid longitude,latitude pair ${sixDecimals(longitude)},${sixDecimals(latitude)}`)
    return false
  }
  position.longitude = longitude
  position.latitude = latitude
  return true
}

/** As C's printf writes `%f`. */
function sixDecimals(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Object.is(value, -0)) return '-0.000000'
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`
}

const METRES_PER_UNIT = { M: 1, KM: 1000, FT: 0.3048, MI: 1609.34 } as const

/** What a unit's name stands for, or NaN: an error has been written then. */
function readUnit(request: Request, index: number, reply: Reply): number {
  for (const [name, metres] of Object.entries(METRES_PER_UNIT)) {
    if (request.is(index, name)) return metres
  }
  reply.error('ERR unsupported unit provided. please use M, KM, FT, MI')
  return Number.NaN
}

/** Reads a radius and its unit. */
function readRadius(request: Request, index: number, shape: Shape, reply: Reply): boolean {
  const radius = request.double(index)
  if (Number.isNaN(radius)) reply.error('ERR need numeric radius')
  else if (radius < 0) reply.error('ERR radius cannot be negative')
  else {
    shape.kind = 'circle'
    shape.radius = radius
    shape.metresPerUnit = readUnit(request, index + 1, reply)
    return !Number.isNaN(shape.metresPerUnit)
  }
  return false
}

/** Reads width, height and their unit. */
function readBox(request: Request, index: number, shape: Shape, reply: Reply): boolean {
  const width = request.double(index)
  const height = request.double(index + 1)
  if (Number.isNaN(width)) reply.error('ERR need numeric width')
  else if (Number.isNaN(height)) reply.error('ERR need numeric height')
  else if (width < 0 || height < 0) reply.error('ERR height or width cannot be negative')
  else {
    shape.kind = 'box'
    shape.width = width
    shape.height = height
    shape.metresPerUnit = readUnit(request, index + 2, reply)
    return !Number.isNaN(shape.metresPerUnit)
  }
  return false
}

/** Reads the position of a member. */
function readMember(sortedSet: SortedSet, request: Request, index: number, position: Position, reply: Reply): boolean {
  if (sortedSet.find(request.chunk, request.start(index), request.end(index))) {
    decodePosition(sortedSet.score, position)
    return true
  }
  reply.error('ERR could not decode requested zset member')
  return false
}

// ---- Replies ----

function writeDistance(reply: Reply, distance: number): void {
  reply.bulkText(distance.toFixed(4))
}

function writePosition(reply: Reply, position: Position): void {
  reply.array(2)
  reply.doubleText(seventeenDecimals(position.longitude))
  reply.doubleText(seventeenDecimals(position.latitude))
}

function seventeenDecimals(degrees: number): string {
  return degrees.toFixed(17).replace(/\.?0+$/, '')
}

// ---- Adding and asking ----

/** A place is a member of a sorted set: ZADD does the work, and its event is published. */
function geoadd(client: Client, request: Request, reply: Reply): void {
  let isNew = false
  let isExisting = false
  let first = 2
  for (; first < request.count; first++) {
    if (request.is(first, 'NX')) isNew = true
    else if (request.is(first, 'XX')) isExisting = true
    else if (!request.is(first, 'CH')) break
  }
  if ((request.count - first) % 3 !== 0 || (isNew && isExisting)) return reply.error(errors.SYNTAX)
  const args: (string | Uint8Array)[] = ['zadd']
  for (let index = 1; index < first; index++) args.push(request.view(index))
  const position = { longitude: 0, latitude: 0 }
  for (let index = first; index < request.count; index += 3) {
    if (!readPosition(request, index, position, reply)) return
    args.push(String(encodePosition(position.longitude, position.latitude)), request.view(index + 2))
  }
  const dirtyCount = client.database.store.dirtyCount
  zadd(client, Request.of(args), reply)
  if (client.database.store.dirtyCount !== dirtyCount) client.propagateAs(...args)
}

function geopos(client: Client, request: Request, reply: Reply): void {
  const position = { longitude: 0, latitude: 0 }
  eachMember(client, request, reply, (score) => {
    if (score === null) return reply.nilArray()
    decodePosition(score, position)
    writePosition(reply, position)
  })
}

function geohash(client: Client, request: Request, reply: Reply): void {
  eachMember(client, request, reply, (score) => {
    if (score === null) reply.nil()
    else reply.bulkText(geohashOf(score))
  })
}

/** Writes an array with an item for each member that is asked for; its score is null when it is missing. */
function eachMember(client: Client, request: Request, reply: Reply, write: (score: number | null) => void): void {
  const handle = readSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  const sortedSet = handle === NONE ? null : new SortedSet(client.database, handle)
  reply.array(request.count - 2)
  for (let index = 2; index < request.count; index++) {
    const isThere = sortedSet?.find(request.chunk, request.start(index), request.end(index))
    write(sortedSet !== null && isThere ? sortedSet.score : null)
  }
}

function geodist(client: Client, request: Request, reply: Reply): void {
  if (request.count > 5) return reply.error(errors.SYNTAX)
  const metresPerUnit = request.count === 5 ? readUnit(request, 4, reply) : 1
  if (Number.isNaN(metresPerUnit)) return
  const handle = readSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  if (handle === NONE) return reply.nil()
  const sortedSet = new SortedSet(client.database, handle)
  const from = { longitude: 0, latitude: 0 }
  const to = { longitude: 0, latitude: 0 }
  if (!sortedSet.find(request.chunk, request.start(2), request.end(2))) return reply.nil()
  decodePosition(sortedSet.score, from)
  if (!sortedSet.find(request.chunk, request.start(3), request.end(3))) return reply.nil()
  decodePosition(sortedSet.score, to)
  writeDistance(reply, distanceM(from.longitude, from.latitude, to.longitude, to.latitude) / metresPerUnit)
}

// ---- Searching ----

interface SearchForm {
  /** The centre of GEORADIUS and of GEORADIUSBYMEMBER stands at a fixed place; that of GEOSEARCH is an option. */
  readonly centre: 'position' | 'member' | 'option'
  /** GEORADIUS takes STORE and STOREDIST with a key; GEOSEARCHSTORE has its key as argument 1. */
  readonly stores: 'by option' | 'always' | 'never'
}

function searchCommand(form: SearchForm): (client: Client, request: Request, reply: Reply) => void {
  return (client, request, reply) => search(client, request, reply, form)
}

interface Place extends Position {
  distanceM: number
  readonly score: number
  readonly member: Buffer
}

interface SearchOptions {
  withDistance: boolean
  withHash: boolean
  withPosition: boolean
  order: 'as found' | 'nearest first' | 'farthest first'
  /** 0: all. */
  count: number
  /** The first that are found will do. */
  any: boolean
  /** Argument that names the key to store at; 0: none. */
  storeIndex: number
  storesDistance: boolean
}

function search(client: Client, request: Request, reply: Reply, form: SearchForm): void {
  const keyIndex = form.stores === 'always' ? 2 : 1
  const handle = readSortedSet(client, request, keyIndex, reply)
  if (handle === WRONG) return
  const sortedSet = handle === NONE ? null : new SortedSet(client.database, handle)
  const shape: Shape = {
    longitude: 0,
    latitude: 0,
    kind: 'circle',
    radius: 0,
    width: 0,
    height: 0,
    metresPerUnit: 1,
  }
  const optionsIndex = readCentre(request, reply, form, sortedSet, shape)
  if (optionsIndex === 0) return
  const options = readOptions(request, reply, form, optionsIndex, sortedSet, shape)
  if (options === null) return

  const places = sortedSet === null ? [] : findPlaces(sortedSet, shape, options.any ? options.count : 0)
  // To return the nearest few, they must be put in order; with ANY the first found will do.
  if (options.count > 0 && options.order === 'as found' && !options.any) options.order = 'nearest first'
  if (options.order === 'nearest first') places.sort((first, second) => first.distanceM - second.distanceM)
  if (options.order === 'farthest first') places.sort((first, second) => second.distanceM - first.distanceM)
  if (options.count > 0 && places.length > options.count) places.length = options.count
  if (options.storeIndex > 0) storePlaces(client, request, reply, form, places, shape, options)
  else writePlaces(reply, places, shape, options)
}

/** Reads what stands at fixed places, and returns where the options begin; 0: an error has been written. */
function readCentre(
  request: Request,
  reply: Reply,
  form: SearchForm,
  sortedSet: SortedSet | null,
  shape: Shape,
): number {
  if (form.centre === 'position') {
    return readPosition(request, 2, shape, reply) && readRadius(request, 4, shape, reply) ? 6 : 0
  }
  if (form.centre === 'member') {
    // Of a missing key, only the options are read: they decide what the reply looks like.
    if (sortedSet === null) return 5
    return readMember(sortedSet, request, 2, shape, reply) && readRadius(request, 3, shape, reply) ? 5 : 0
  }
  return form.stores === 'always' ? 3 : 2
}

/** Null: an error has been written. */
function readOptions(
  request: Request,
  reply: Reply,
  form: SearchForm,
  first: number,
  sortedSet: SortedSet | null,
  shape: Shape,
): SearchOptions | null {
  const options: SearchOptions = {
    withDistance: false,
    withHash: false,
    withPosition: false,
    order: 'as found',
    count: 0,
    any: false,
    storeIndex: form.stores === 'always' ? 1 : 0,
    storesDistance: false,
  }
  const refuse = (error: string) => {
    reply.error(error)
    return null
  }
  const isSearch = form.centre === 'option'
  let centre: 'none' | 'member' | 'position' = 'none'
  let outline: 'none' | 'circle' | 'box' = 'none'
  for (let index = first; index < request.count; index++) {
    const following = request.count - index - 1
    if (request.is(index, 'WITHDIST')) options.withDistance = true
    else if (request.is(index, 'WITHHASH')) options.withHash = true
    else if (request.is(index, 'WITHCOORD')) options.withPosition = true
    else if (request.is(index, 'ANY')) options.any = true
    else if (request.is(index, 'ASC')) options.order = 'nearest first'
    else if (request.is(index, 'DESC')) options.order = 'farthest first'
    else if (request.is(index, 'COUNT') && following >= 1) {
      options.count = request.integer(++index)
      if (Number.isNaN(options.count)) return refuse(errors.NOT_AN_INTEGER)
      if (options.count <= 0) return refuse('ERR COUNT must be > 0')
    } else if (form.stores === 'by option' && following >= 1 && request.is(index, 'STORE')) {
      options.storeIndex = ++index
      options.storesDistance = false
    } else if (form.stores === 'by option' && following >= 1 && request.is(index, 'STOREDIST')) {
      options.storeIndex = ++index
      options.storesDistance = true
    } else if (form.stores === 'always' && request.is(index, 'STOREDIST')) {
      options.storesDistance = true
    } else if (isSearch && following >= 1 && centre !== 'position' && request.is(index, 'FROMMEMBER')) {
      centre = 'member'
      index++
      if (sortedSet !== null && !readMember(sortedSet, request, index, shape, reply)) return null
    } else if (isSearch && following >= 2 && centre !== 'member' && request.is(index, 'FROMLONLAT')) {
      centre = 'position'
      if (!readPosition(request, index + 1, shape, reply)) return null
      index += 2
    } else if (isSearch && following >= 2 && outline !== 'box' && request.is(index, 'BYRADIUS')) {
      outline = 'circle'
      if (!readRadius(request, index + 1, shape, reply)) return null
      index += 2
    } else if (isSearch && following >= 3 && outline !== 'circle' && request.is(index, 'BYBOX')) {
      outline = 'box'
      if (!readBox(request, index + 1, shape, reply)) return null
      index += 3
    } else {
      return refuse(errors.SYNTAX)
    }
  }
  if (options.storeIndex > 0 && (options.withDistance || options.withHash || options.withPosition)) {
    const what = form.stores === 'always' ? 'GEOSEARCHSTORE' : 'STORE option in GEORADIUS'
    return refuse(`ERR ${what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`)
  }
  if (isSearch && centre === 'none') {
    return refuse(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${request.text(0)}`)
  }
  if (isSearch && outline === 'none') {
    return refuse(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${request.text(0)}`)
  }
  if (options.any && options.count === 0) return refuse('ERR the ANY argument requires COUNT argument')
  return options
}

/** The places within a shape, in the order in which they are found; at most `limit` unless that is 0. */
function findPlaces(sortedSet: SortedSet, shape: Shape, limit: number): Place[] {
  const places: Place[] = []
  const position = { longitude: 0, latitude: 0 }
  const bound = new Bound()
  for (const range of rangesAround(shape)) {
    const first = sortedSet.countBefore(bound.byScore(range.first, false))
    if (first === sortedSet.count) continue
    sortedSet.seek(first)
    do {
      if (sortedSet.score >= range.end) break
      decodePosition(sortedSet.score, position)
      const distance = distanceWithin(shape, position)
      if (Number.isNaN(distance)) continue
      const { bytes, start, end, score } = sortedSet
      places.push({ ...position, distanceM: distance, score, member: Buffer.from(bytes.subarray(start, end)) })
      if (places.length === limit) return places
    } while (sortedSet.next())
  }
  return places
}

function writePlaces(reply: Reply, places: readonly Place[], shape: Shape, options: SearchOptions): void {
  const { withDistance, withHash, withPosition } = options
  const itemCount = 1 + Number(withDistance) + Number(withHash) + Number(withPosition)
  reply.array(places.length)
  for (const place of places) {
    if (itemCount > 1) reply.array(itemCount)
    reply.bulkBytes(place.member)
    if (withDistance) writeDistance(reply, place.distanceM / shape.metresPerUnit)
    if (withHash) reply.integer(place.score)
    if (withPosition) writePosition(reply, place)
  }
}

function storePlaces(
  client: Client,
  request: Request,
  reply: Reply,
  form: SearchForm,
  places: readonly Place[],
  shape: Shape,
  options: SearchOptions,
): void {
  const result = SortedSet.temporary(client.database)
  for (const { member, score, distanceM: distance } of places) {
    if (result.find(member, 0, member.length)) continue
    result.add(options.storesDistance ? distance / shape.metresPerUnit : score, member, 0, member.length)
  }
  const event = form.centre === 'option' ? 'geosearchstore' : 'georadiusstore'
  storeResult(client, result, event, request, options.storeIndex, reply)
}

export const geoCommands: readonly CommandSpec[] = [
  {
    name: 'GEOADD',
    arity: -5,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'RW', 'UPDATE')],
    acl: ['geo'],
    group: 'geo',
    since: '3.2.0',
    complexity: 'O(log(N)) for each item added, where N is the number of elements in the sorted set.',
    summary: 'Adds places to a geospatial index, or moves them.',
    args: 'key [condition(NX | XX)@6.2.0] [change=CH@6.2.0] longitude_latitude_member{longitude:double latitude:double member}...',
    history: [['6.2.0', 'Added the `CH`, `NX` and `XX` options.']],
    handler: geoadd,
  },
  {
    name: 'GEODIST',
    arity: -4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['geo'],
    group: 'geo',
    since: '3.2.0',
    complexity: 'O(log(N))',
    summary: 'The distance between two places.',
    args: 'key member1 member2 [unit(M | KM | FT | MI)]',
    handler: geodist,
  },
  {
    name: 'GEOHASH',
    arity: -2,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['geo'],
    group: 'geo',
    since: '3.2.0',
    complexity: 'O(log(N)) for each member requested, where N is the number of elements in the sorted set.',
    summary: 'The geohashes of places.',
    args: 'key member...',
    handler: geohash,
  },
  {
    name: 'GEOPOS',
    arity: -2,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['geo'],
    group: 'geo',
    since: '3.2.0',
    complexity: 'O(N) where N is the number of members requested.',
    summary: 'The longitudes and latitudes of places.',
    args: 'key member...',
    handler: geopos,
  },
  {
    name: 'GEORADIUS',
    arity: -6,
    flags: ['write', 'denyoom'],
    keys: [
      key(1, 'RO', 'ACCESS'),
      { begin: { keyword: 'STORE', startFrom: 6 }, find: { lastKey: 0, step: 1, limit: 0 }, flags: ['OW', 'UPDATE'] },
      {
        begin: { keyword: 'STOREDIST', startFrom: 6 },
        find: { lastKey: 0, step: 1, limit: 0 },
        flags: ['OW', 'UPDATE'],
      },
    ],
    acl: ['geo'],
    group: 'geo',
    since: '3.2.0',
    complexity:
      'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.',
    summary: 'Places within a distance of a point.',
    args: 'key longitude:double latitude:double radius:double unit(M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] [count{COUNT count [ANY@6.2.0]}] [order(ASC | DESC)] [STORE key#1] [STOREDIST key#2]',
    history: [
      ['6.2.0', 'Added the `ANY` option for `COUNT`.'],
      ['7.0.0', 'Added support for uppercase unit names.'],
    ],
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument',
    handler: searchCommand({ centre: 'position', stores: 'by option' }),
  },
  {
    name: 'GEORADIUS_RO',
    arity: -6,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['geo'],
    group: 'geo',
    since: '3.2.10',
    complexity:
      'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.',
    summary: 'Places within a distance of a point, without storing them.',
    args: 'key longitude:double latitude:double radius:double unit(M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] [count{COUNT count [ANY@6.2.0]}] [order(ASC | DESC)]',
    history: [['6.2.0', 'Added the `ANY` option for `COUNT`.']],
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`GEOSEARCH` with the `BYRADIUS` argument',
    handler: searchCommand({ centre: 'position', stores: 'never' }),
  },
  {
    name: 'GEORADIUSBYMEMBER',
    arity: -5,
    flags: ['write', 'denyoom'],
    keys: [
      key(1, 'RO', 'ACCESS'),
      { begin: { keyword: 'STORE', startFrom: 5 }, find: { lastKey: 0, step: 1, limit: 0 }, flags: ['OW', 'UPDATE'] },
      {
        begin: { keyword: 'STOREDIST', startFrom: 5 },
        find: { lastKey: 0, step: 1, limit: 0 },
        flags: ['OW', 'UPDATE'],
      },
    ],
    acl: ['geo'],
    group: 'geo',
    since: '3.2.0',
    complexity:
      'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.',
    summary: 'Places within a distance of a place.',
    args: 'key member radius:double unit(M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] [count{COUNT count [ANY]}] [order(ASC | DESC)] [STORE key#1] [STOREDIST key#2]',
    history: [['7.0.0', 'Added support for uppercase unit names.']],
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments',
    handler: searchCommand({ centre: 'member', stores: 'by option' }),
  },
  {
    name: 'GEORADIUSBYMEMBER_RO',
    arity: -5,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['geo'],
    group: 'geo',
    since: '3.2.10',
    complexity:
      'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.',
    summary: 'Places within a distance of a place, without storing them.',
    args: 'key member radius:double unit(M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] [count{COUNT count [ANY]}] [order(ASC | DESC)]',
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments',
    handler: searchCommand({ centre: 'member', stores: 'never' }),
  },
  {
    name: 'GEOSEARCH',
    arity: -7,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['geo'],
    group: 'geo',
    since: '6.2.0',
    complexity:
      'O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape',
    summary: 'Places within a circle or a box.',
    args: 'key from(FROMMEMBER member | FROMLONLAT longitude_latitude{longitude:double latitude:double}) by(circle{BYRADIUS radius:double unit(M | KM | FT | MI)} | box{BYBOX width:double height:double unit(M | KM | FT | MI)}) [order(ASC | DESC)] [count{COUNT count [ANY]}] [WITHCOORD] [WITHDIST] [WITHHASH]',
    history: [['7.0.0', 'Added support for uppercase unit names.']],
    handler: searchCommand({ centre: 'option', stores: 'never' }),
  },
  {
    name: 'GEOSEARCHSTORE',
    arity: -8,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'OW', 'UPDATE'), key(2, 'RO', 'ACCESS')],
    acl: ['geo'],
    group: 'geo',
    since: '6.2.0',
    complexity:
      'O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape',
    summary: 'Stores the places within a circle or a box as a sorted set.',
    args: 'destination#0 source#1 from(FROMMEMBER member | FROMLONLAT longitude_latitude{longitude:double latitude:double}) by(circle{BYRADIUS radius:double unit(M | KM | FT | MI)} | box{BYBOX width:double height:double unit(M | KM | FT | MI)}) [order(ASC | DESC)] [count{COUNT count [ANY]}] [STOREDIST]',
    history: [['7.0.0', 'Added support for uppercase unit names.']],
    handler: searchCommand({ centre: 'option', stores: 'always' }),
  },
]
