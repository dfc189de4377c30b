import { bytesEqual, compareBytes } from '../bytes/ascii.ts'
import { copyBytes } from '../bytes/copy.ts'
import { BLOCK_BYTES_MAX, byteAt, doubleAt, type Handle, type Heap, wordAt } from './heap.ts'

/**
 * An element of a large sorted set: one block, found through a dict by its member and through a tree by its score.
 *
 *   0       8            12
 *   | score | memberSize | member ...
 *
 * A member too long for a block lies in a large value, whose index then stands in the member's place.
 * A 16-byte member takes a block of 32 bytes.
 */
const SIZE_WORD = 2
const MEMBER_WORD = 3
const HEADER_BYTES = 12
const INLINE_MEMBER_BYTES_MAX = BLOCK_BYTES_MAX - HEADER_BYTES

/** Makes an element of the member bytes[start, end). O(member size). */
export function createElement(heap: Heap, score: number, bytes: Uint8Array, start: number, end: number): Handle {
  const memberSize = end - start
  const isLong = memberSize > INLINE_MEMBER_BYTES_MAX
  const handle = heap.allocate(isLong ? HEADER_BYTES + 4 : HEADER_BYTES + memberSize)
  const arena = heap.arenaOf(handle)
  arena.f64[doubleAt(handle)] = score
  arena.u32[wordAt(handle) + SIZE_WORD] = memberSize
  if (isLong) arena.u32[wordAt(handle) + MEMBER_WORD] = heap.large.add(new Uint8Array(bytes.subarray(start, end)))
  else copyBytes(bytes, start, end, arena.u8, byteAt(handle) + HEADER_BYTES)
  return handle
}

/** O(1). */
export function freeElement(heap: Heap, handle: Handle): void {
  const words = heap.arenaOf(handle).u32
  const word = wordAt(handle)
  if (words[word + SIZE_WORD] > INLINE_MEMBER_BYTES_MAX) heap.large.free(words[word + MEMBER_WORD])
  heap.free(handle)
}

export function elementScore(heap: Heap, handle: Handle): number {
  return heap.arenaOf(handle).f64[doubleAt(handle)]
}

/** For an element that is in no tree at the moment. */
export function setElementScore(heap: Heap, handle: Handle, score: number): void {
  heap.arenaOf(handle).f64[doubleAt(handle)] = score
}

export function memberSize(heap: Heap, handle: Handle): number {
  return heap.arenaOf(handle).u32[wordAt(handle) + SIZE_WORD]
}

/** The array that holds the member; it begins there at `memberStart`. */
export function memberArray(heap: Heap, handle: Handle): Uint8Array {
  const arena = heap.arenaOf(handle)
  const word = wordAt(handle)
  if (arena.u32[word + SIZE_WORD] <= INLINE_MEMBER_BYTES_MAX) return arena.u8
  return heap.large.get(arena.u32[word + MEMBER_WORD])
}

export function memberStart(heap: Heap, handle: Handle): number {
  const isLong = heap.arenaOf(handle).u32[wordAt(handle) + SIZE_WORD] > INLINE_MEMBER_BYTES_MAX
  return isLong ? 0 : byteAt(handle) + HEADER_BYTES
}

/** Where a member's bytes are. */
export interface MemberPlace {
  bytes: Uint8Array
  start: number
  end: number
}

/** Finds the bytes of a member. hot: for each element of a walk. */
export function locateMember(heap: Heap, handle: Handle, place: MemberPlace): void {
  const arena = heap.arenaOf(handle)
  const size = arena.u32[wordAt(handle) + SIZE_WORD]
  if (size <= INLINE_MEMBER_BYTES_MAX) {
    place.bytes = arena.u8
    place.start = byteAt(handle) + HEADER_BYTES
  } else {
    place.bytes = heap.large.get(arena.u32[wordAt(handle) + MEMBER_WORD])
    place.start = 0
  }
  place.end = place.start + size
}

/** hot: for each lookup that finds its hash. */
export function memberEquals(heap: Heap, handle: Handle, bytes: Uint8Array, start: number, end: number): boolean {
  const arena = heap.arenaOf(handle)
  const size = arena.u32[wordAt(handle) + SIZE_WORD]
  if (size !== end - start) return false
  if (size > INLINE_MEMBER_BYTES_MAX) return bytesEqual(memberArray(heap, handle), 0, size, bytes, start, end)
  const at = byteAt(handle) + HEADER_BYTES
  return bytesEqual(arena.u8, at, at + size, bytes, start, end)
}

/**
 * Whether the member comes before (below 0), at or behind bytes[start, end), in the order of bytes.
 * hot: O(log n) times for each change among elements of one score.
 */
export function compareMember(heap: Heap, handle: Handle, bytes: Uint8Array, start: number, end: number): number {
  const arena = heap.arenaOf(handle)
  const size = arena.u32[wordAt(handle) + SIZE_WORD]
  if (size > INLINE_MEMBER_BYTES_MAX) return compareBytes(memberArray(heap, handle), 0, size, bytes, start, end)
  const at = byteAt(handle) + HEADER_BYTES
  return compareBytes(arena.u8, at, at + size, bytes, start, end)
}

/** Bytes of memory that an element takes. */
export function elementBytes(heap: Heap, handle: Handle): number {
  const size = memberSize(heap, handle)
  return heap.blockBytes(handle) + (size > INLINE_MEMBER_BYTES_MAX ? size : 0)
}
