const WINDOW_BYTES = 2 ** 20

/** The part of a file of commands that is in memory: it moves on as they are done, and grows for one that is larger. */
export class CommandWindow {
  bytes = new Uint8Array(WINDOW_BYTES)
  /** Of bytes[0, end), what lies before `at` is done. */
  at = 0
  end = 0
  /** Where in the file the window begins. */
  startByte: number

  constructor(startByte: number) {
    this.startByte = startByte
  }

  /** Where in the file `at` is. */
  get atByte(): number {
    return this.startByte + this.at
  }

  /**
   * Brings more of the file behind what is left, which moves to the front. False at the end of the file.
   * @param read fills bytes[at, ...) from a byte of the file on, and tells how many there were
   */
  fill(read: (bytes: Uint8Array, at: number, fromByte: number) => number): boolean {
    const leftBytes = this.end - this.at
    const target = leftBytes * 2 > this.bytes.length ? new Uint8Array(this.bytes.length * 2) : this.bytes
    target.set(this.bytes.subarray(this.at, this.end))
    this.bytes = target
    this.startByte += this.at
    this.at = 0
    const readBytes = read(target, leftBytes, this.startByte + leftBytes)
    this.end = leftBytes + readBytes
    return readBytes > 0
  }
}
