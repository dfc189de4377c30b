/**
 * Places on the earth as scores of sorted sets, as Redis has it (geohash.c, geohash_helper.c), so that results are its own
 * to the last digit that is shown.
 *
 * Longitude and latitude are each cut into 2^26 steps; the bits of the two numbers take turns, the longitude's first:
 *
 *   | longitude 25 | latitude 25 | longitude 24 | latitude 24 | ... | longitude 0 | latitude 0 |      52 bits
 *
 * Places that share the first 2n bits lie in one cell of the grid with 2^n columns and rows. Their scores are one range:
 * a search looks through the ranges of the cell around its centre and the eight beside it.
 */
const LONGITUDE_MAX = 180
/** Where the square map of the world (EPSG:3857) ends. */
const LATITUDE_MAX = 85.05112878

const STEPS_MAX = 26
const HALF_STEPS = 13
const HALF = 2 ** HALF_STEPS
const SCORE_BITS = 2 * STEPS_MAX

const EARTH_RADIUS_M = 6372797.560856
/** Half of the equator, on that map. */
const MAP_HALF_WIDTH_M = 20037726.37
const RADIANS = Math.PI / 180

export interface Position {
  longitude: number
  latitude: number
}

// ---- Scores ----

export function encodePosition(longitude: number, latitude: number): number {
  return interleave(stepOf(longitude, LONGITUDE_MAX, STEPS_MAX), stepOf(latitude, LATITUDE_MAX, STEPS_MAX))
}

/** The middle of the smallest cell that a score stands for. hot: once for each place that a search looks at. */
export function decodePosition(score: number, position: Position): void {
  let column: number
  let row: number
  if (score >= 0 && score < 2 ** SCORE_BITS) {
    const high = Math.floor(score / 2 ** STEPS_MAX)
    const low = Math.floor(score) - high * 2 ** STEPS_MAX
    column = gather(high >>> 1) * HALF + gather(low >>> 1)
    row = gather(high) * HALF + gather(low)
  } else {
    // No score of a place, but a sorted set may hold it: whatever its 64 bits mean.
    const bits = BigInt.asUintN(64, Number.isFinite(score) ? BigInt(Math.trunc(score)) : 2n ** 63n)
    column = gatherBig(bits >> 1n)
    row = gatherBig(bits)
  }
  position.longitude = middleOf(column, LONGITUDE_MAX)
  position.latitude = middleOf(row, LATITUDE_MAX)
}

/** Whether a position can be a place: poles cannot. */
export function isPosition(longitude: number, latitude: number): boolean {
  return Math.abs(longitude) <= LONGITUDE_MAX && Math.abs(latitude) <= LATITUDE_MAX
}

const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz'
const GEOHASH_LENGTH = 11

/** The geohash of a place, as the world knows it: there, latitudes reach to the poles. The last digit is always 0. */
export function geohashOf(score: number): string {
  const position = { longitude: 0, latitude: 0 }
  decodePosition(score, position)
  const { longitude, latitude } = position
  if (!isPosition(longitude, latitude)) return '0'.repeat(GEOHASH_LENGTH)
  const bits = interleave(stepOf(longitude, 180, STEPS_MAX), stepOf(latitude, 90, STEPS_MAX))
  let text = ''
  for (let digit = 1; digit < GEOHASH_LENGTH; digit++) {
    text += ALPHABET[Math.floor(bits / 2 ** (SCORE_BITS - 5 * digit)) % 32]
  }
  return `${text}0`
}

function stepOf(degrees: number, degreesMax: number, steps: number): number {
  return Math.floor(((degrees + degreesMax) / (2 * degreesMax)) * 2 ** steps)
}

function startOf(step: number, degreesMax: number, steps: number): number {
  return -degreesMax + (step / 2 ** steps) * (2 * degreesMax)
}

/** The last step, that of the greatest degree alone, has its middle beyond. */
function middleOf(step: number, degreesMax: number): number {
  const middle = (startOf(step, degreesMax, STEPS_MAX) + startOf(step + 1, degreesMax, STEPS_MAX)) / 2
  return Math.max(-degreesMax, Math.min(degreesMax, middle))
}

/** The last degree of longitude or latitude gives a step of 27 bits: halves of 14 then, which still fit 32 bits. */
function interleave(column: number, row: number): number {
  const high = spread(Math.floor(column / HALF)) * 2 + spread(Math.floor(row / HALF))
  const low = spread(column % HALF) * 2 + spread(row % HALF)
  return high * 2 ** STEPS_MAX + low
}

/** Puts a zero before each of up to 16 bits. */
function spread(bits: number): number {
  let spreadBits = bits
  spreadBits = (spreadBits | (spreadBits << 8)) & 0x00ff00ff
  spreadBits = (spreadBits | (spreadBits << 4)) & 0x0f0f0f0f
  spreadBits = (spreadBits | (spreadBits << 2)) & 0x33333333
  return (spreadBits | (spreadBits << 1)) & 0x55555555
}

/** Every second bit, from the last on. */
function gather(bits: number): number {
  let gathered = bits & 0x55555555
  gathered = (gathered | (gathered >>> 1)) & 0x33333333
  gathered = (gathered | (gathered >>> 2)) & 0x0f0f0f0f
  gathered = (gathered | (gathered >>> 4)) & 0x00ff00ff
  return (gathered | (gathered >>> 8)) & 0xffff
}

function gatherBig(bits: bigint): number {
  return gather(Number(bits >> 32n) | 0) * 2 ** 16 + gather(Number(bits & 0xffffffffn) | 0)
}

// ---- Distances ----

/** In metres, along a great circle (the haversine formula). */
export function distanceM(longitude1: number, latitude1: number, longitude2: number, latitude2: number): number {
  const radians1 = latitude1 * RADIANS
  const radians2 = latitude2 * RADIANS
  const u = Math.sin((radians2 - radians1) / 2)
  const v = Math.sin((longitude2 * RADIANS - longitude1 * RADIANS) / 2)
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(u * u + Math.cos(radians1) * Math.cos(radians2) * v * v))
}

// ---- Searches ----

/** What a search asks for: a circle, or a box whose sides are parallel to the grid. */
export interface Shape {
  longitude: number
  latitude: number
  kind: 'circle' | 'box'
  /** Of a circle, in the unit asked for; width and height of a box. */
  radius: number
  width: number
  height: number
  metresPerUnit: number
}

/** The distance of a place from the centre in metres, or NaN when it is outside of the shape. */
export function distanceWithin(shape: Shape, position: Position): number {
  const { longitude, latitude, metresPerUnit } = shape
  if (shape.kind === 'box') {
    const across = distanceM(position.longitude, position.latitude, longitude, position.latitude)
    const along = distanceM(position.longitude, position.latitude, position.longitude, latitude)
    if (across > (shape.width * metresPerUnit) / 2 || along > (shape.height * metresPerUnit) / 2) return Number.NaN
  }
  const distance = distanceM(longitude, latitude, position.longitude, position.latitude)
  return shape.kind === 'circle' && distance > shape.radius * metresPerUnit ? Number.NaN : distance
}

export interface ScoreRange {
  readonly first: number
  /** The score behind the last. */
  readonly end: number
}

/** A cell of the grid with 2^steps columns and rows. */
interface Cell {
  readonly column: number
  readonly row: number
}

/** Neighbours as [columns to the east, rows to the north], the centre first: the order in which places are found. */
const NEIGHBOURS: readonly (readonly [number, number])[] = [
  [0, 0],
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
  [1, 1],
  [-1, 1],
  [1, -1],
  [-1, -1],
]

/** The ranges of scores in which all places of a shape lie, and others that do not. */
export function rangesAround(shape: Shape): ScoreRange[] {
  const bounds = boundsOf(shape)
  let steps = stepsFor(shape)
  let centre = cellAt(shape, steps)
  if (steps > 1 && !reaches(centre, steps, bounds)) {
    steps--
    centre = cellAt(shape, steps)
  }
  const isSouthNeedless = steps >= 2 && startOf(centre.row, LATITUDE_MAX, steps) < bounds.south
  const isNorthNeedless = steps >= 2 && startOf(centre.row + 1, LATITUDE_MAX, steps) > bounds.north
  const isWestNeedless = steps >= 2 && startOf(centre.column, LONGITUDE_MAX, steps) < bounds.west
  const isEastNeedless = steps >= 2 && startOf(centre.column + 1, LONGITUDE_MAX, steps) > bounds.east
  const size = 2 ** (SCORE_BITS - 2 * steps)
  const ranges: ScoreRange[] = []
  for (const [east, north] of NEIGHBOURS) {
    if (north < 0 ? isSouthNeedless : north > 0 && isNorthNeedless) continue
    if (east < 0 ? isWestNeedless : east > 0 && isEastNeedless) continue
    const cell = neighbour(centre, east, north, steps)
    const first = interleave(cell.column, cell.row) * size
    // In a coarse grid, which has two columns and rows, the neighbours on both sides are the same.
    if (ranges.length > 1 && ranges[ranges.length - 1].first === first) continue
    ranges.push({ first, end: first + size })
  }
  return ranges
}

interface Bounds {
  readonly west: number
  readonly east: number
  readonly south: number
  readonly north: number
}

function boundsOf(shape: Shape): Bounds {
  const { longitude, latitude, metresPerUnit } = shape
  const halfHeightM = metresPerUnit * (shape.kind === 'circle' ? shape.radius : shape.height / 2)
  const halfWidthM = metresPerUnit * (shape.kind === 'circle' ? shape.radius : shape.width / 2)
  const latitudes = halfHeightM / EARTH_RADIUS_M / RADIANS
  // The side that is nearer to a pole spans more degrees of longitude.
  const farLatitude = latitude < 0 ? latitude - latitudes : latitude + latitudes
  const longitudes = halfWidthM / EARTH_RADIUS_M / Math.cos(farLatitude * RADIANS) / RADIANS
  return {
    west: longitude - longitudes,
    east: longitude + longitudes,
    south: latitude - latitudes,
    north: latitude + latitudes,
  }
}

/** How fine a grid may be whose cell around the centre covers the shape together with its neighbours. */
function stepsFor(shape: Shape): number {
  const { latitude, width, height } = shape
  const radius =
    shape.kind === 'circle' ? shape.radius : Math.sqrt((width / 2) * (width / 2) + (height / 2) * (height / 2))
  let rangeM = radius * shape.metresPerUnit
  if (rangeM === 0) return STEPS_MAX
  let steps = 1
  for (; rangeM < MAP_HALF_WIDTH_M; rangeM *= 2) steps++
  steps -= 2
  // Towards the poles cells are narrower.
  if (Math.abs(latitude) > 66) steps--
  if (Math.abs(latitude) > 80) steps--
  return Math.min(Math.max(steps, 1), STEPS_MAX)
}

function cellAt(shape: Shape, steps: number): Cell {
  return {
    column: stepOf(shape.longitude, LONGITUDE_MAX, steps),
    row: stepOf(shape.latitude, LATITUDE_MAX, steps),
  }
}

/** The world is round: beyond the last column and row come the first. */
function neighbour(cell: Cell, east: number, north: number, steps: number): Cell {
  const count = 2 ** steps
  return {
    column: east === 0 ? cell.column : (cell.column + east + count) % count,
    row: north === 0 ? cell.row : (cell.row + north + count) % count,
  }
}

/** Whether the neighbours of a cell reach as far as the bounds on every side. */
function reaches(centre: Cell, steps: number, bounds: Bounds): boolean {
  const north = neighbour(centre, 0, 1, steps)
  const south = neighbour(centre, 0, -1, steps)
  const east = neighbour(centre, 1, 0, steps)
  const west = neighbour(centre, -1, 0, steps)
  return (
    startOf(north.row + 1, LATITUDE_MAX, steps) >= bounds.north &&
    startOf(south.row, LATITUDE_MAX, steps) <= bounds.south &&
    startOf(east.column + 1, LONGITUDE_MAX, steps) >= bounds.east &&
    startOf(west.column, LONGITUDE_MAX, steps) <= bounds.west
  )
}
