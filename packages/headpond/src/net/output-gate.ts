/**
 * Holds back what is to be sent while something that it tells of is not yet where it has to be: in the append-only file,
 * or on the disk. Everything waits, answers to readers too: they may have seen what is not safe yet.
 *
 * Who closes the gate takes a `mark` when it begins to write, and releases up to it when that is done; what came
 * meanwhile waits for the next time. What is held leaves in the order in which it came.
 */
export interface HeldOutput {
  /** Sends bytes that were held. */
  release(bytes: Uint8Array): void
}

export class OutputGate {
  /** The one check that an output pays. */
  isClosed = false
  #outputs: HeldOutput[] = []
  #bytes: Uint8Array[] = []
  #releasedCount = 0
  #closings = 0

  close(): void {
    this.isClosed = true
    this.#closings++
  }

  /** Keeps bytes, which nobody changes any more, until they are released. */
  hold(output: HeldOutput, bytes: Uint8Array): void {
    this.#outputs.push(output)
    this.#bytes.push(bytes)
  }

  /** Everything held so far, for `release`. */
  mark(): number {
    return this.#releasedCount + this.#outputs.length
  }

  release(mark: number): void {
    const count = mark - this.#releasedCount
    if (count <= 0) return
    // Taken out first: who gets an answer may ask for more at once.
    const outputs = this.#outputs
    const bytes = this.#bytes
    this.#outputs = outputs.slice(count)
    this.#bytes = bytes.slice(count)
    this.#releasedCount = mark
    for (let index = 0; index < count; index++) outputs[index].release(bytes[index])
  }

  /** Releases everything, and holds nothing from now on. */
  open(): void {
    const closings = this.#closings
    while (this.#outputs.length > 0 && this.#closings === closings) this.release(this.mark())
    if (this.#closings === closings) this.isClosed = false
  }
}
