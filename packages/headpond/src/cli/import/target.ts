import type { RdbLoader } from '../../persistence/rdb/loader.ts'
import type { WireReply } from '../../resp/wire-reply.ts'

/** Where imported data goes. */
export interface ImportTarget {
  /** For messages. */
  readonly name: string
  /** Keys that are there. */
  keyCount(): Promise<number>
  /** Deletes all keys and functions. */
  clear(): Promise<void>
  /** What reads a snapshot. */
  openLoader(totalBytes: number | undefined): RdbLoader
  /** Takes over what the loader has read. Rejects with ImportError. */
  takeLoaded(loader: RdbLoader): Promise<void>
  /** The snapshot is complete: makes it safe. Rejects with ImportError. */
  finishLoad(loader: RdbLoader): Promise<void>
  /** Passes on commands that end at an offset of their stream; resolves when there is room for more. */
  send(bytes: Uint8Array, commandCount: number, endOffset: number): Promise<void>
  /** Resolves when everything that was sent has been answered. Rejects with ImportError when that cannot be any more. */
  settle(): Promise<void>
  readonly answers: Answers
  /** Lets go of it; what is there is safe. */
  close(): Promise<void>
}

/** Replies to the commands that were passed on: how far they have come, and which were refused. */
export class Answers {
  readonly #waiting: { leftCount: number; readonly endOffset: number }[] = []
  #waiters: (() => void)[] = []
  /** Up to here in the stream everything has been answered. */
  offset = 0
  commandCount = 0
  refusedCount = 0
  onRefused: (error: string) => void = () => {}

  get isSettled(): boolean {
    return this.#waiting.length === 0
  }

  /** Another stream begins, at this offset. */
  begin(offset: number): void {
    this.offset = offset
  }

  expect(commandCount: number, endOffset: number): void {
    if (commandCount > 0) this.#waiting.push({ leftCount: commandCount, endOffset })
    else if (this.isSettled) this.offset = endOffset
  }

  /** A reply came. */
  take(reply: WireReply): void {
    this.commandCount++
    const error = errorOf(reply)
    if (error !== null) {
      this.refusedCount++
      this.onRefused(error)
    }
    const first = this.#waiting[0]
    if (--first.leftCount > 0) return
    this.offset = first.endOffset
    this.#waiting.shift()
    if (!this.isSettled) return
    for (const wake of this.#waiters.splice(0)) wake()
  }

  settled(): Promise<void> {
    if (this.isSettled) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }
}

/** The text of an error, which may be among the replies of a transaction. */
function errorOf(reply: WireReply): string | null {
  if (reply.kind === 'error') return reply.bytes.toString()
  if (reply.kind !== 'array') return null
  for (const item of reply.items) if (item.kind === 'error') return item.bytes.toString()
  return null
}
