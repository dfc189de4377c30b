import { performance } from 'node:perf_hooks'
import { assert } from '../bytes/assert.ts'
import type { Dict } from '../memory/dict.ts'
import type { Handle } from '../memory/heap.ts'
import type { Database } from '../store/database.ts'
import type { FreeJob } from '../store/lazy-free.ts'
import { EPOCH_COUNT } from '../store/record.ts'
import type { SnapshotGuard } from '../store/snapshot-guard.ts'
import type { Store } from '../store/store.ts'
import { finishParts, type ValueParts } from './rdb/objects/value-parts.ts'
import type { SnapshotEncoder } from './snapshot-encoder.ts'

/**
 * A snapshot without fork: the state of one moment, while writers go on.
 *
 * It walks the dict of each database in the order of the hashes, in slices, and hands every record that is older than the
 * snapshot to the encoder. A record that is about to change and has not been saved yet is saved first (see
 * store/snapshot-guard.ts). A large value is written in parts over several slices; records that must be saved meanwhile
 * are written aside and follow it. Once it has been begun, it may change: it is watched, element by element (see
 * rdb/objects/value-parts.ts). Large values that are about to change while another one is being written are begun too, and
 * have their turn after it.
 *
 * Where the bytes go is the target's affair. When it is behind, the walk waits, so that little is buffered; what is saved
 * before a change cannot wait, and beyond PENDING_BYTES_HARD_MAX the target is made to write it at once, holding up
 * everybody: a disk slower than the writers is felt by them rather than by the memory.
 */

/**
 * How long a slice may hold up commands: as long as they took since the one before, within these bounds. Beside nobody it is
 * short, since whoever comes then waits for a whole one.
 */
const SLICE_MS_MIN = 0.3
const SLICE_MS_MAX = 1
/**
 * After slices for so long the walk rests: a thread that never sleeps has used up its share, and waits behind each thread
 * that wakes (those that write the file, V8's, the kernel's) for a tick of 4 ms where cores are scarce. **(measured)**: with 5
 * million keys on two idle cores the longest pause was 4.5 ms instead of 8.5, for a snapshot of 3.4 s instead of 2.5.
 */
const STRETCH_MS_MAX = 3
const REST_MS = 1
/**
 * Slots of a dict that are walked between two looks at the time: few at first, since the code of the first snapshot is not
 * compiled yet, and fewer again when they take long.
 */
const SLOTS_PER_STEP_MIN = 4
const SLOTS_PER_STEP_MAX = 64
/** So many encoded bytes leave for the target at once. */
const CHUNK_BYTES = 64 * 1024
/** The walk waits while so much is on its way to the target. */
const PENDING_BYTES_MAX = 2 ** 20
const PENDING_BYTES_HARD_MAX = 4 * 2 ** 20

export interface SnapshotTarget {
  /** Room for the bytes that `write` is to take over. */
  room(sizeBytes: number): Uint8Array
  /** Takes bytes over. Never throws: an error is for `finish` to tell. */
  write(bytes: Uint8Array): void
  /** Bytes taken but not yet written. */
  readonly pendingBytes: number
  /** Has failed: going on is useless. */
  readonly hasFailed: boolean
  /** Calls back once, soon, when something was written. */
  whenWritten(callback: () => void): void
  /** Writes before it returns, until at most so much is pending. */
  writeNow(pendingBytesMax: number): void
  /** All bytes have been given. Resolves when they are safe; rejects if they cannot be. */
  finish(): Promise<void>
  /** The same before it returns, for a snapshot that is saved in one go; throws if they cannot be safe. */
  finishNow?(): void
  /** Gives up, and leaves nothing behind. */
  discard(): void
}

export interface SnapshotOptions {
  /** What FLUSHALL does: end the snapshot, which nobody needs any more, or keep the keys until it is complete. */
  readonly whenFlushed: 'abort' | 'keep'
  /** Sleeps so long after each key: `rdb-key-save-delay`, for tests. */
  readonly keyDelayUs?: () => number
}

interface LargeValue {
  /** The number of its database. */
  readonly database: number
  readonly handle: Handle
  readonly parts: ValueParts
  /** Whether the record counts as saved already: then it may change, and its handle may be another's. */
  readonly isSaved: boolean
}

/** A database's keys as they were in the moment of the snapshot: the dict, whichever database has it now. */
interface Source {
  readonly index: number
  readonly dict: Dict
  /** Frees the dict, which no database has any more. */
  freeJob: FreeJob | null
}

export class SnapshotAborted extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'SnapshotAborted'
  }
}

export class Snapshot implements SnapshotGuard {
  readonly #store: Store
  readonly #encoder: SnapshotEncoder
  readonly #target: SnapshotTarget
  readonly #options: SnapshotOptions
  readonly #sources: Source[]
  #current = 0
  /** Beyond 31 bits later: told so at once, V8 need not compile everything anew then. */
  #cursor = 0.5
  /** The large value that is half written, and those that wait for their turn because they were about to change. */
  #large: LargeValue | null = null
  readonly #begun: LargeValue[] = []
  /** A step met a second large value, which has to wait. */
  #isPostponed = false
  #phase: 'walking' | 'finishing' | 'ended' = 'walking'
  #isSavedNow = false
  #error: Error | null = null
  #isWaiting = false
  /** When the last slice was over; 0 when the walk has waited for the target or rested since. */
  #sliceEndMs = 0
  #stretchStartMs = 0
  #slotsPerStep = SLOTS_PER_STEP_MIN
  #delayUs = 0
  /** What a step has found; an array that is emptied gives its room away, so this one is not. */
  readonly #found: Handle[] = []
  #foundCount = 0
  readonly #gather = (handle: Handle) => (this.#found[this.#foundCount++] = handle)
  #touched = 0

  /** Keys in the moment of the snapshot, and those saved so far. */
  readonly keyCount: number
  savedCount = 0
  /** Of those, keys that were saved ahead of the walk because they were about to change. */
  savedAheadCount = 0
  /** Bytes written so far. */
  writtenBytes = 0
  /** Resolves when everything is safe in the target; rejects with its error, or with SnapshotAborted. */
  readonly done: Promise<void>
  #resolve!: () => void
  #reject!: (error: Error) => void

  /** Takes the snapshot of this moment: there must be no other one in progress. Then `run` or `saveNow` saves it. */
  constructor(store: Store, encoder: SnapshotEncoder, target: SnapshotTarget, options: SnapshotOptions) {
    assert(store.guard === null, 'snapshot: another one is in progress')
    this.#store = store
    this.#encoder = encoder
    this.#target = target
    this.#options = options
    this.#cursor = 0
    this.keyCount = store.keyCount
    this.#sources = store.databases
      .filter(({ count }) => count > 0)
      .map(({ index, dict }) => ({ index, dict, freeJob: null }))
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.done.catch(() => {}) // whoever cares listens
    beginEpoch(store)
    store.guard = this
    encoder.begin(
      store.databases
        .filter(({ count }) => count > 0)
        .map(({ index, count, expires }) => ({ index, keyCount: count, expiringCount: expires.count })),
    )
  }

  /** Saves in slices, from the event loop. */
  run(): this {
    setImmediate(this.#turn)
    return this
  }

  /** Walks on to the end, however long it takes: the store is needed no more. The target finishes by itself. */
  walkNow(): void {
    this.#slotsPerStep = SLOTS_PER_STEP_MAX
    while (this.#phase === 'walking') {
      if (this.#target.hasFailed) return this.#fail()
      this.step()
      this.#emit(CHUNK_BYTES)
      if (this.#target.pendingBytes > PENDING_BYTES_MAX) this.#target.writeNow(0)
    }
  }

  /** Instead of `run`: saves everything before it returns. Throws what `done` would reject with. */
  saveNow(): void {
    this.#isSavedNow = true
    this.walkNow()
    if (this.#error !== null) throw this.#error
  }

  /** Ends the snapshot; what was written is discarded. */
  abort(reason: string): void {
    if (this.#phase === 'ended') return
    this.#end()
    this.#failed(new SnapshotAborted(reason))
  }

  /** Does a bounded piece of work: `run` does one after the other. */
  step(): void {
    if (this.#large !== null) {
      if (!this.#large.parts.writeNext()) this.#completeLarge()
      return
    }
    const source = this.#sources[this.#current]
    if (source === undefined) return this.#complete()
    this.#isPostponed = false
    this.#foundCount = 0
    const cursor = source.dict.scan(this.#cursor, this.#slotsPerStep, this.#gather)
    this.#touchFound()
    for (let index = 0; index < this.#foundCount; index++) this.#saveFromWalk(this.#found[index])
    // What was postponed is found by walking the same stretch again: all others there have been saved.
    if (this.#isPostponed) return
    this.#cursor = cursor
    if (cursor !== 0) return
    this.#current++
    this.#releaseSource(source)
  }

  get isRunning(): boolean {
    return this.#phase !== 'ended'
  }

  // ---- The walk ----

  readonly #turn = (): void => {
    if (this.#phase !== 'walking') return
    this.#isWaiting = false
    if (this.#target.hasFailed) return this.#fail()
    const startMs = performance.now()
    if (this.#sliceEndMs === 0) this.#stretchStartMs = startMs
    const sinceMs = this.#sliceEndMs === 0 ? 0 : startMs - this.#sliceEndMs
    const endMs = startMs + Math.max(SLICE_MS_MIN, Math.min(SLICE_MS_MAX, sinceMs))
    this.#sliceEndMs = 0
    let nowMs = startMs
    do {
      if (this.#target.pendingBytes > PENDING_BYTES_MAX) return this.#wait()
      this.step()
      this.#encoder.seal()
      this.#emit(CHUNK_BYTES)
      const stepStartMs = nowMs
      nowMs = performance.now()
      this.#paceSteps(nowMs - stepStartMs)
    } while (this.#phase === 'walking' && this.#delayUs < 1000 && nowMs < endMs)
    if (this.#phase !== 'walking') return
    this.#sliceEndMs = nowMs
    if (this.#delayUs >= 1000) {
      setTimeout(this.#turn, this.#delayUs / 1000)
      this.#delayUs = 0
    } else if (nowMs - this.#stretchStartMs > STRETCH_MS_MAX) {
      setTimeout(this.#turn, REST_MS)
      this.#sliceEndMs = 0
    } else setImmediate(this.#turn)
  }

  #paceSteps(stepMs: number): void {
    const slots = stepMs > SLICE_MS_MIN / 2 ? this.#slotsPerStep >> 1 : this.#slotsPerStep << 1
    this.#slotsPerStep = Math.max(SLOTS_PER_STEP_MIN, Math.min(SLOTS_PER_STEP_MAX, slots))
  }

  #wait(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#target.whenWritten(this.#turn)
  }

  /** A target that fails tells why when it is asked to finish. */
  #fail(): void {
    this.#end()
    this.#phase = 'finishing'
    this.#finishTarget()
  }

  #failed(error: Error): void {
    this.#phase = 'ended'
    this.#error = error
    this.#target.discard()
    this.#reject(error)
  }

  /**
   * Reads a word of each record, so that the processor fetches them side by side: they lie all over the heap, and one
   * after the other each would be waited for.
   */
  #touchFound(): void {
    const { records } = this.#store
    for (let index = 0; index < this.#foundCount; index++) this.#touched ^= records.kind(this.#found[index])
  }

  #saveFromWalk(handle: Handle): void {
    const { records } = this.#store
    if (records.isOfEpoch(handle)) return
    if (this.#large !== null) {
      this.#isPostponed = true
      return
    }
    const database = this.#sources[this.#current].index
    const parts = this.#encoder.record(database, handle, false)
    const isSaved = parts === null || parts.watch()
    if (isSaved) this.#saved(handle)
    if (parts !== null) this.#large = { database, handle, parts, isSaved }
  }

  #saved(handle: Handle): void {
    this.#store.records.setEpoch(handle)
    this.savedCount++
    if (this.#options.keyDelayUs !== undefined) this.#delayUs += Math.max(0, this.#options.keyDelayUs())
  }

  #completeLarge(): void {
    const { handle, parts, isSaved } = this.#large!
    parts.unwatch()
    if (!isSaved) this.#saved(handle)
    this.#encoder.join()
    this.#large = this.#begun.shift() ?? null
    if (this.#large !== null) this.#encoder.goOn(this.#large.database, this.#large.parts)
  }

  #complete(): void {
    this.#encoder.end()
    this.#emit(1)
    unfinished.delete(this.#store)
    this.#end()
    this.#phase = 'finishing'
    this.#finishTarget()
  }

  #finishTarget(): void {
    if (this.#isSavedNow && this.#target.finishNow !== undefined) {
      try {
        this.#target.finishNow()
        this.#succeeded()
      } catch (error) {
        this.#failed(error as Error)
      }
      return
    }
    this.#target.finish().then(
      () => this.#succeeded(),
      (error: Error) => this.#failed(error),
    )
  }

  #succeeded(): void {
    this.#phase = 'ended'
    this.#resolve()
  }

  /** From here on nothing of the store is needed. */
  #end(): void {
    this.#phase = 'ended'
    this.#large?.parts.unwatch()
    for (const { parts } of this.#begun) parts.unwatch()
    this.#large = null
    this.#begun.length = 0
    if (this.#store.guard === this) this.#store.guard = null
    for (const source of this.#sources) this.#releaseSource(source)
    this.#current = this.#sources.length
  }

  #releaseSource(source: Source): void {
    if (source.freeJob === null) return
    this.#store.lazyFree.add(source.freeJob)
    source.freeJob = null
  }

  /** Lets the encoded bytes leave, once there are so many. */
  #emit(leastBytes: number): void {
    const { main } = this.#encoder
    if (main.length < leastBytes) return
    const bytes = this.#target.room(main.length)
    this.#encoder.leave(bytes)
    this.writtenBytes += bytes.length
    this.#target.write(bytes)
  }

  // ---- Changes of what is not saved yet ----

  save(database: Database, handle: Handle): void {
    if (this.#large?.isSaved === false && this.#large.handle === handle) {
      finishParts(this.#large.parts)
      this.#completeLarge()
    } else {
      const { dict } = database
      const source = this.#sources.find((each) => each.dict === dict)
      assert(source !== undefined, 'snapshot: a record of an unknown database')
      this.#begin(source.index, handle)
      this.#store.records.setEpoch(handle)
      this.savedCount++
    }
    this.savedAheadCount++
    this.#emit(CHUNK_BYTES)
    // Only as much as has come: all of it at once would hold up everybody for many milliseconds.
    this.#target.writeNow(PENDING_BYTES_HARD_MAX)
  }

  /** Saves a record that is about to change; a large one from now on beside its changes. */
  #begin(database: number, handle: Handle): void {
    const parts = this.#encoder.record(database, handle, this.#large !== null)
    if (parts === null) return
    if (!parts.watch()) finishParts(parts)
    const large = { database, handle, parts, isSaved: true }
    if (this.#large === null) this.#large = large
    else this.#begun.push(large)
  }

  keepFlushed(dict: Dict, job: FreeJob): boolean {
    const source = this.#sources.find((each) => each.dict === dict)
    if (source === undefined || this.#sources.indexOf(source) < this.#current) return false
    source.freeJob = job
    return true
  }

  freeDeleted(): boolean {
    const keepsDeleted = () => this.#large?.parts.isDeleted || this.#begun.some(({ parts }) => parts.isDeleted)
    if (!keepsDeleted()) return false
    while (keepsDeleted()) {
      finishParts(this.#large!.parts)
      this.#completeLarge()
      this.#emit(CHUNK_BYTES)
      this.#target.writeNow(PENDING_BYTES_HARD_MAX)
    }
    return true
  }

  keepsFlushedAll(): boolean {
    if (this.#options.whenFlushed === 'keep') return true
    this.abort('all keys were deleted')
    return false
  }
}

/** Snapshots since the last one that was completed, and so left every record with its epoch. */
const unfinished = new WeakMap<Store, number>()

/**
 * Makes all records old. Those that an aborted snapshot left behind keep their epoch, which must not come around again:
 * before it could, every record is given the current one.
 */
function beginEpoch(store: Store): void {
  const { records } = store
  const count = (unfinished.get(store) ?? 0) + 1
  if (count >= EPOCH_COUNT - 1) {
    const setEpoch = (handle: Handle) => records.setEpoch(handle)
    for (const { dict } of store.databases) dict.forEach(setEpoch)
    unfinished.set(store, 1)
  } else unfinished.set(store, count)
  records.epoch += 1
}
