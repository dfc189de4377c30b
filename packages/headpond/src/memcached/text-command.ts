import type { MemcachedEngine } from './engine.ts'
import type { Items } from './items.ts'
import { type Line, WORDS_MAX } from './line.ts'
import type { MetaFlags } from './meta-flags.ts'
import type { Session } from './session.ts'
import { KEY_BYTES_MAX } from './settings.ts'
import { lines, type TextReply } from './text-reply.ts'

/** What the commands of the text protocol share. */

/** What a command is given. */
export interface TextContext {
  readonly engine: MemcachedEngine
  readonly items: Items
  readonly reply: TextReply
  readonly line: Line
  /** Those of the meta command that runs. */
  readonly flags: MetaFlags
}

/**
 * Runs the command of `context.line`. Returns where the next one begins, or INCOMPLETE when data is still to come: then
 * nothing has happened yet.
 */
export type TextHandler = (context: TextContext, session: Session, end: number) => number

export const INCOMPLETE = -1

/** Values are at most so long: what C's `int` has left beside CRLF. */
export const VALUE_BYTES_MAX = 2 ** 31 - 1 - 2

const CR = 0x0d
const LF = 0x0a

/** An answer that ends the command, its data not being read. */
export function answer(context: TextContext, bytes: Buffer): number {
  context.reply.line(bytes)
  return context.line.next
}

/** An answer to a command whose data, of `sizeBytes` and CRLF, is passed over. */
export function refuseData(context: TextContext, session: Session, bytes: Buffer, sizeBytes: number): number {
  session.swallowBytes = sizeBytes + 2
  return answer(context, bytes)
}

/** Whether the data of a command has come whole; if not, how far it must go is noted. */
export function hasData(context: TextContext, sizeBytes: number, end: number): boolean {
  const dataEnd = context.line.next + sizeBytes + 2
  if (dataEnd <= end) return true
  context.engine.neededEnd = dataEnd
  return false
}

/** Whether the data of a command ends as it must. */
export function isTerminated(context: TextContext, sizeBytes: number): boolean {
  const { chunk, next } = context.line
  return chunk[next + sizeBytes] === CR && chunk[next + sizeBytes + 1] === LF
}

/** Notes when a command wants no answer: its last word says so. */
export function noteNoreply(context: TextContext): boolean {
  const { line, reply } = context
  const isSilent = line.count > 0 && line.is(Math.min(line.count, WORDS_MAX) - 1, 'noreply')
  reply.isSilent = isSilent
  return isSilent
}

export function hasLongKey(line: Line, index = 1): boolean {
  return line.size(index) > KEY_BYTES_MAX
}

/** Whether the number of words is one of two; one that is not has been answered. */
export function hasWords(context: TextContext, least: number, most: number): boolean {
  const { line, reply } = context
  if (line.count >= least && line.count <= most) return true
  reply.line(lines.ERROR)
  return false
}
