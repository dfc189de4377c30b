import { CommandParser, parsedAof } from '../persistence/aof/command-parser.ts'
import { Request } from './request.ts'

/** What of a stream is complete, to be passed on. */
export interface ReplicatedCommands {
  /** The commands as they stand in the stream. */
  readonly bytes: Buffer
  readonly commandCount: number
  /** Where in the stream they end, counted from where it began. */
  readonly endOffset: number
  /** The server wants to know how far we are. */
  readonly asksForAcknowledgement: boolean
}

export class ReplicationStreamError extends Error {
  override readonly name = 'ReplicationStreamError'
}

const WINDOW_BYTES = 2 ** 17

/**
 * Cuts the stream of changes into commands. A transaction is passed on when its EXEC is there: so whoever goes on after a
 * lost connection never has a half of one. What server and replica say to each other is left out.
 */
export class ReplicationStream {
  readonly #parser = new CommandParser()
  readonly #command = new Request()
  #window = Buffer.allocUnsafe(WINDOW_BYTES)
  /** Of window[0, end), what lies before `at` is parsed; from `passedTo` on, nothing is passed on. */
  #at = 0
  #end = 0
  #passedTo = 0
  #passedOffset: number
  /** In a transaction: its commands so far. */
  #openCount = 0
  #isInTransaction = false

  constructor(startOffset: number) {
    this.#passedOffset = startOffset
  }

  /** Up to here everything was passed on: where to go on after a lost connection. */
  get offset(): number {
    return this.#passedOffset
  }

  /** Takes more bytes of the stream, and gives what is complete now. Throws ReplicationStreamError. */
  push(bytes: Uint8Array): ReplicatedCommands {
    this.#append(bytes)
    const pieces: Buffer[] = []
    let commandCount = 0
    let asksForAcknowledgement = false
    /** window[from, passedTo) is to be passed on. */
    let from = this.#passedTo
    const takeTo = (to: number) => {
      if (to > from) pieces.push(this.#window.subarray(from, to))
    }
    for (;;) {
      const start = this.#at
      const command = this.#command
      const next = this.#parser.parse(this.#window, start, this.#end, command)
      if (next === parsedAof.INCOMPLETE) break
      if (next === parsedAof.BROKEN) throw new ReplicationStreamError(this.#parser.problem)
      if (command.count === 0) throw new ReplicationStreamError('an annotation')
      this.#at = next
      const asks = command.is(0, 'REPLCONF')
      const isForUs = asks || command.is(0, 'PING')
      if (command.is(0, 'MULTI')) {
        this.#isInTransaction = true
        this.#openCount = 0
      } else if (isForUs && !this.#isInTransaction) {
        takeTo(start)
        from = next
        if (asks) asksForAcknowledgement = true
      }
      if (command.is(0, 'EXEC')) this.#isInTransaction = false
      if (!isForUs) this.#openCount++
      if (this.#isInTransaction) continue
      commandCount += this.#openCount
      this.#openCount = 0
      this.#passedOffset += next - this.#passedTo
      this.#passedTo = next
    }
    takeTo(this.#passedTo)
    // A copy: the window is used again.
    return { bytes: Buffer.concat(pieces), commandCount, endOffset: this.#passedOffset, asksForAcknowledgement }
  }

  /** Puts bytes behind those of the window, which grows for a command or a transaction larger than it. */
  #append(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#window.length) {
      const left = this.#end - this.#passedTo
      const neededBytes = left + bytes.length
      const target = neededBytes * 2 > this.#window.length ? Buffer.allocUnsafe(neededBytes * 2) : this.#window
      target.set(this.#window.subarray(this.#passedTo, this.#end))
      this.#window = target
      this.#at -= this.#passedTo
      this.#end = left
      this.#passedTo = 0
    }
    this.#window.set(bytes, this.#end)
    this.#end += bytes.length
  }
}
