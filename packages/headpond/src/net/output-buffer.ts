import type { LargeValues } from '../memory/large-values.ts'
import { LINE_BYTES, OutputRegion } from './output-region.ts'

/**
 * Where replies are encoded: one buffer for all connections of a server, since commands run one at a time. What was
 * encoded is handed to the sink at the end of a batch of requests, or when there is too much of it.
 *
 * A sink mostly writes at once, and the same bytes are used again; or it writes at the end of the turn, and they are used again in the
 * next one. When the peer is slow and the sink must keep what it was given, the buffer goes on behind it, and is left to the
 * sink and replaced when it is used up.
 */
export interface OutputSink {
  /** Sends bytes in order. Returns true when the bytes may be overwritten now, false while the sink still needs them. */
  write(bytes: Uint8Array): boolean
  /** Sends what lies in a region at the end of this turn; it stays until then. False, with nothing done, when `write` is to be called. */
  writeLater?(region: OutputRegion, at: number, sizeBytes: number): boolean
}

/** What is handed over at once, unless a single value is larger. */
const BATCH_BYTES = 65536
/** Room for that, and for what waits for the end of a turn. */
const REGION_BYTES = BATCH_BYTES + 128 * 1024
/** A region with less room than this is replaced: too little could wait in it. */
const ROOM_BYTES_MIN = REGION_BYTES / 2

/** Those of which something waits for the end of this turn, up to the count. */
const waiting: OutputBuffer[] = []
let waitingCount = 0

/** The turn is over, and nobody refers to what waited for its end. */
export function endOutputTurn(): void {
  let count = 0
  for (let index = 0; index < waitingCount; index++) {
    if (!waiting[index].endTurn()) waiting[count++] = waiting[index]
  }
  waitingCount = count
}

export class OutputBuffer {
  u8: Buffer
  /** The next byte to write. Encoders write up to `end`, having called `makeRoom` when that is too near. */
  at = 0
  end: number
  #region: OutputRegion
  /** What lies before is not used again: a sink has it. */
  #base = 0
  /** Of what is encoded. From `#base` to here lies what waits for the end of the turn. */
  #start = 0
  #isWaiting = false
  #sink: OutputSink | null = null
  /** Bytes handed to sinks since the start. */
  sentBytes = 0
  /** How often something was handed to a sink. */
  flushCount = 0

  constructor(sizeBytes = REGION_BYTES) {
    this.#region = new OutputRegion(sizeBytes)
    this.u8 = this.#region.bytes
    this.end = Math.min(sizeBytes, BATCH_BYTES)
  }

  /** Directs what follows to a sink; what was encoded for another before must have been flushed. */
  attach(sink: OutputSink): void {
    this.#sink = sink
  }

  get sink(): OutputSink | null {
    return this.#sink
  }

  /** What is larger is better passed through than copied. */
  get copiedBytesMax(): number {
    return Math.min(this.u8.length, BATCH_BYTES)
  }

  /** Bytes encoded and not yet flushed. */
  get pendingBytes(): number {
    return this.at - this.#start
  }

  /** Bytes encoded since the start. hot: twice for each command. */
  get encodedBytes(): number {
    return this.sentBytes + this.at - this.#start
  }

  /** Makes sure of `sizeBytes` behind `at`. */
  makeRoom(sizeBytes: number): void {
    if (this.end - this.at >= sizeBytes) return
    this.flush()
    if (this.u8.length - this.at < sizeBytes) this.#replace(Math.max(REGION_BYTES, sizeBytes))
    this.end = Math.max(this.end, this.at + sizeBytes)
  }

  /** Hands everything encoded so far to the sink. hot: once for each batch of requests. */
  flush(): void {
    const start = this.#start
    const { at } = this
    if (at === start) return
    const sink = this.#sink!
    this.flushCount++
    this.sentBytes += at - start
    const next = (at + LINE_BYTES - 1) & -LINE_BYTES
    if (next + BATCH_BYTES <= this.u8.length && sink.writeLater?.(this.#region, start, at - start)) {
      this.#begin(next)
      if (this.#isWaiting) return
      this.#isWaiting = true
      waiting[waitingCount++] = this
    } else if (sink.write(this.u8.subarray(start, at))) {
      // One that was made for a large reply is not kept.
      if (this.u8.length > REGION_BYTES) this.#replace(REGION_BYTES)
      else this.#begin(start)
    } else {
      this.#leave(next)
    }
  }

  /** Sends a buffer as it is, behind what was encoded. The caller leaves it unchanged from now on. */
  passThrough(bytes: Uint8Array): void {
    this.#pass(bytes)
  }

  /** Sends the bytes from `start` to `end` of a large value, which is lent until the peer's system has them. */
  passLarge(values: LargeValues, index: number, start: number, end: number): void {
    const isLentAlready = values.isLent(index)
    const isTaken = this.#pass(values.lend(index).subarray(start, end))
    if (isTaken && !isLentAlready) values.takeBack(index)
  }

  #pass(bytes: Uint8Array): boolean {
    this.flush()
    this.sentBytes += bytes.length
    return this.#sink!.write(bytes)
  }

  /** Takes back what was encoded since `position` (a value of `at`), if it was not flushed meanwhile. */
  rewind(position: number): boolean {
    if (position < this.#start || position > this.at) return false
    this.at = position
    return true
  }

  /** What waited has left: its bytes are used again, unless somebody still needs them. False while something is encoded behind it. */
  endTurn(): boolean {
    if (this.at !== this.#start) return false
    this.#isWaiting = false
    if (this.#region.isLent) this.#leave(this.at)
    else this.#begin(this.#base)
    return true
  }

  #begin(at: number): void {
    this.#start = at
    this.at = at
    this.end = Math.min(at + BATCH_BYTES, this.u8.length)
  }

  /** Goes on behind what a sink has. */
  #leave(next: number): void {
    if (this.u8.length - next < ROOM_BYTES_MIN) return this.#replace(REGION_BYTES)
    this.#region.isLent = false
    this.#base = next
    this.#begin(next)
  }

  #replace(sizeBytes: number): void {
    this.#region = new OutputRegion(sizeBytes)
    this.u8 = this.#region.bytes
    this.#base = 0
    this.#begin(0)
  }
}
