import type { Command } from './command.ts'
import type { Request } from './request.ts'

/** The commands queued since MULTI. */
export class Transaction {
  readonly commands: Command[] = []
  readonly requests: Request[] = []
  queuedBytes = 0
  /** A command could not be queued: EXEC will refuse. */
  isAborted = false

  queue(command: Command, request: Request): void {
    const copy = request.copy()
    this.commands.push(command)
    this.requests.push(copy)
    this.queuedBytes += copy.chunk.length
  }
}
