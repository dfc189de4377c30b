/**
 * Where replies are encoded: one buffer for all connections of a server, since commands run one at a time. What was
 * encoded is handed to the sink at the end of a batch of requests, or when the buffer is full.
 *
 * A sink mostly writes at once, and the same bytes are used again. When the peer is slow and the sink must keep what
 * it was given, the buffer goes on behind it, and is left to the sink and replaced when it is used up.
 */
export interface OutputSink {
  /** Sends bytes in order. Returns true when the bytes may be overwritten now, false while the sink still needs them. */
  write(bytes: Uint8Array): boolean
  /** The same for bytes[start, end) without a view of them, when the sink copies them. False, with nothing done, when `write` is to be called. */
  writeCopy?(bytes: Uint8Array, start: number, end: number): boolean
}

const REGION_BYTES = 65536
/** A region with less room than this is replaced rather than filled with splinters. */
const ROOM_BYTES_MIN = 4096

export class OutputBuffer {
  u8: Buffer
  /** The next byte to write. Encoders write up to `end`, having called `makeRoom` when that is too near. */
  at = 0
  end: number
  #start = 0
  #sink: OutputSink | null = null
  /** Bytes handed to sinks since the start. */
  sentBytes = 0
  /** How often something was handed to a sink. */
  flushCount = 0

  constructor(sizeBytes = REGION_BYTES) {
    this.u8 = Buffer.allocUnsafeSlow(sizeBytes)
    this.end = sizeBytes
  }

  /** Directs what follows to a sink; what was encoded for another before must have been flushed. */
  attach(sink: OutputSink): void {
    this.#sink = sink
  }

  get sink(): OutputSink | null {
    return this.#sink
  }

  /** Bytes encoded and not yet flushed. */
  get pendingBytes(): number {
    return this.at - this.#start
  }

  /** Makes sure of `sizeBytes` behind `at`. */
  makeRoom(sizeBytes: number): void {
    if (this.end - this.at >= sizeBytes) return
    this.flush()
    if (this.end - this.at >= sizeBytes) return
    this.#replace(Math.max(REGION_BYTES, sizeBytes))
  }

  /** Hands everything encoded so far to the sink. */
  flush(): void {
    const start = this.#start
    if (this.at === start) return
    const sink = this.#sink!
    this.flushCount++
    this.sentBytes += this.at - start
    if (sink.writeCopy?.(this.u8, start, this.at) || sink.write(this.u8.subarray(start, this.at))) {
      this.at = start
    } else {
      this.#start = this.at
      if (this.end - this.at < ROOM_BYTES_MIN) this.#replace(REGION_BYTES)
    }
  }

  /** Sends a buffer as it is, behind what was encoded. The caller leaves it unchanged from now on. */
  passThrough(bytes: Uint8Array): void {
    this.flush()
    this.sentBytes += bytes.length
    this.#sink!.write(bytes)
  }

  /** Takes back what was encoded since `position` (a value of `at`), if it was not flushed meanwhile. */
  rewind(position: number): boolean {
    if (position < this.#start || position > this.at) return false
    this.at = position
    return true
  }

  #replace(sizeBytes: number): void {
    this.u8 = Buffer.allocUnsafeSlow(sizeBytes)
    this.#start = 0
    this.at = 0
    this.end = sizeBytes
  }
}
