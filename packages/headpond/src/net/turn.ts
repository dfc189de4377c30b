// A turn of the event loop, for all connections of the process: who waits for the next one, and what leaves at its end.
//
// Connections wait in line for two reasons.
// - Others connect. Node accepts one connection in each turn, and a turn ends when everybody who is in has been answered: of fifty
//   clients that come with long pipelines, the last one would wait for forty turns of ten milliseconds each. So while connections
//   keep coming, what is read waits, and a turn takes a moment only. **(measured)**: `MSET` in pipelines of 100 from 50 new
//   connections, the longest wait: 150 ms without, 30 with.
// - A pipeline takes long: of slow commands, or of a server that has just started, whose code V8 has not compiled yet. Then the
//   rest of it waits, and so do other long pipelines, so that whoever asks for little is answered in between.

import { performance } from 'node:perf_hooks'
import { endOutputTurn } from './output-buffer.ts'

/** What a turn does of the work in line while connections keep coming: they must not hold up everybody for ever. */
const ACCEPTING_MS = 0.5
/** What it does of it when pipelines take long. A pipeline is cut when it has taken so long by itself. */
export const LONG_TURN_MS = 2
/** A longer list is not kept for the next turn. */
const SPARE_LIST_MAX = 1024

export interface InLine {
  /** Answers what has been read, and reads on. */
  goOn(): void
}

export interface WithOutbox {
  flushOutbox(): void
}

let isAccepting = false
/** In the turn that is under way. */
let hasAccepted = false
let isLong = false
let isEndScheduled = false
let line: InLine[] = []
/**
 * Connections with messages to send at the end of this turn: one callback for all, since a message may go to many. The list
 * and the one before take turns, so that none is made.
 */
let withOutbox: (WithOutbox | null)[] = []
let withOutboxCount = 0
let spareList: (WithOutbox | null)[] = []
let isFlushing = false

/** Says that a connection has been accepted. */
export function connectionAccepted(): void {
  hasAccepted = true
  isAccepting = true
  scheduleEnd()
}

/** Whether what is read now has to wait in line. @param isPipeline there is more of it than was read */
export function mustWait(isPipeline: boolean): boolean {
  return isAccepting || (isLong && isPipeline)
}

/** Puts a connection in line; it is not to be read meanwhile. */
export function waitInLine(connection: InLine): void {
  line.push(connection)
  scheduleEnd()
}

/** Says that a pipeline was cut since it takes long. */
export function turnIsLong(): void {
  isLong = true
  scheduleEnd()
}

/** Flushes an outbox at the end of this turn. hot: once for each read of a socket. */
export function flushAtEnd(connection: WithOutbox): void {
  withOutbox[withOutboxCount++] = connection
  if (withOutboxCount === 1) setImmediate(flushOutboxes)
}

/** Sends what waits for the end of the turn. */
export function flushOutboxes(): void {
  const due = withOutbox
  const count = withOutboxCount
  if (count === 0) return
  withOutbox = spareList
  withOutboxCount = 0
  spareList = []
  const isNested = isFlushing
  isFlushing = true
  for (let index = 0; index < count; index++) {
    due[index]!.flushOutbox()
    due[index] = null
  }
  if (count <= SPARE_LIST_MAX) spareList = due
  isFlushing = isNested
  // What was sent may have led to more, and whoever is called by what is sent here may send: replies stay until all have left.
  if (withOutboxCount === 0 && !isNested) endOutputTurn()
}

function scheduleEnd(): void {
  if (isEndScheduled) return
  isEndScheduled = true
  setImmediate(endTurn)
}

function endTurn(): void {
  const budgetMs = hasAccepted ? ACCEPTING_MS : isLong ? LONG_TURN_MS : Infinity
  isEndScheduled = false
  isAccepting = hasAccepted
  hasAccepted = false
  isLong = false
  const startMs = performance.now()
  const waiting = line
  line = []
  let count = 0
  while (count < waiting.length) {
    waiting[count++].goOn()
    if (isLong || performance.now() - startMs >= budgetMs) break
  }
  // Who was cut again stands behind those who have not been served.
  if (count < waiting.length) line = waiting.slice(count).concat(line)
  // Replies leave at the end of a turn, and this is the end of one.
  flushOutboxes()
  if (isAccepting || isLong || line.length > 0) scheduleEnd()
}
