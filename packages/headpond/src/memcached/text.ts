import { administrationCommands } from './administration.ts'
import { authenticateText } from './authentication.ts'
import type { MemcachedEngine } from './engine.ts'
import { type Items, mode } from './items.ts'
import { isTooLong, Line } from './line.ts'
import { metaCommands } from './meta.ts'
import { MetaFlags } from './meta-flags.ts'
import type { Session } from './session.ts'
import { statsCommand } from './stats.ts'
import { get, goOnGetting, storageCommands, update } from './storage-commands.ts'
import { INCOMPLETE, type TextContext, type TextHandler } from './text-command.ts'
import { lines, type TextReply } from './text-reply.ts'

/**
 * The text protocol: lines of words, some with a block of data behind them.
 *
 * What a command answers, to what it objects and in which order, is memcached's (proto_text.c of 1.6); what it does to
 * items is in items.ts.
 */
export class TextProtocol {
  readonly #context: TextContext
  readonly #commands: ReadonlyMap<string, TextHandler>

  constructor(engine: MemcachedEngine, items: Items, reply: TextReply) {
    this.#context = { engine, items, reply, line: new Line(), flags: new MetaFlags() }
    this.#commands = new Map([
      ...storageCommands,
      ...metaCommands,
      ...administrationCommands,
      ['stats', statsCommand] as const,
    ])
  }

  /** Lets go of the chunk. */
  release(): void {
    this.#context.line.release()
    this.#context.flags.release()
  }

  /**
   * Runs the command at `at`. Returns where the next one begins, or INCOMPLETE.
   * hot: once for each command.
   */
  step(session: Session, chunk: Uint8Array, at: number, end: number): number {
    const context = this.#context
    const { line, reply, engine } = context
    if (!hasLineEnd(session, chunk, at, end) || !line.read(chunk, at, end)) {
      if (isTooLong(chunk, at, end)) session.endWithError()
      session.unendedBytes = end - at
      return INCOMPLETE
    }
    reply.isSilent = false
    if (session.interrupted !== null) return goOnGetting(context, session)
    if (!session.isAuthenticated) return this.#authenticate(session, at, end)
    if (engine.verbosity > 1) engine.showCommand(session, chunk, at, line.next)
    let next: number
    if (line.count > 1 && line.is(0, 'get')) next = get(context, session, false)
    else if (line.is(0, 'set')) next = update(context, session, end, mode.SET)
    else next = this.#other(session, end)
    if (next === INCOMPLETE) this.#wait(session, at)
    return next
  }

  #authenticate(session: Session, at: number, end: number): number {
    const next = authenticateText(session, this.#context, end)
    if (next === INCOMPLETE) this.#wait(session, at)
    return next
  }

  /** The data of a command has not come whole: nothing is looked at before it has. */
  #wait(session: Session, at: number): void {
    session.neededBytes = this.#context.engine.neededEnd - at
    session.connection.expectInput(session.neededBytes)
  }

  #other(session: Session, end: number): number {
    const { line, reply } = this.#context
    const handler = line.count === 0 ? undefined : this.#commands.get(line.text(0))
    if (handler !== undefined) return handler(this.#context, session, end)
    if (line.count > 0 && line.text(line.count - 1).startsWith('HTTP/')) {
      // A browser that was sent here by somebody else is not to be talked with.
      session.endWithError()
    } else {
      reply.line(lines.ERROR)
    }
    return line.next
  }
}

/** Whether the line at `at` may have ended. Of one that comes in many parts, each byte is looked at once. */
function hasLineEnd(session: Session, chunk: Uint8Array, at: number, end: number): boolean {
  const { unendedBytes } = session
  if (unendedBytes === 0) return true
  const lineEnd = chunk.indexOf(LF, at + unendedBytes)
  if (lineEnd < 0 || lineEnd >= end) return false
  session.unendedBytes = 0
  return true
}

const LF = 0x0a
