import { GrowingBuffer } from '../bytes/growing-buffer.ts'
import { decimalLength } from '../bytes/integer.ts'
import { appendBulk, appendCommand, appendCount, type CommandPart } from '../bytes/multibulk.ts'
import { NONE } from '../memory/heap.ts'
import { clientFlagsAnnotation } from '../persistence/client-flags.ts'
import type { Database } from '../store/database.ts'
import { clientFlags } from '../store/item.ts'
import { NEVER } from '../store/record.ts'
import { stringArray, stringStart } from '../store/string.ts'
import type { Client } from './client.ts'
import type { RespEngine } from './engine.ts'
import type { Request } from './request.ts'

/** Who repeats every change elsewhere: the append-only file. */
export interface PropagationConsumer {
  /**
   * A command that changed something, in RESP: bytes[start, end), to be run on a database. Valid during the call only.
   * What belongs together comes between MULTI and EXEC, within one turn of the event loop.
   * hot: once for each write.
   */
  append(database: number, bytes: Uint8Array, start: number, end: number): void
}

/**
 * The feed of changes: what has to be run elsewhere, on the state of a while ago, to come to the state of now.
 *
 * As in Redis (server.c, `call` and `propagatePendingCommands`): a command that changed something is fed as it came, or
 * as what its handler says that it amounts to (`Client.propagateAs`): moments for durations, the members that SPOP drew,
 * the pop for a BLPOP. A transaction or script is fed as the commands that it ran, between MULTI and EXEC if there are
 * several; so is a command together with the keys found to be expired on its way, which are fed as DEL.
 *
 * While nobody is attached, `engine.propagates` is false, and a command pays one check.
 */
export class Propagation {
  /** Bytes fed since the start. */
  offset = 0
  readonly #engine: RespEngine
  readonly #consumers: PropagationConsumer[] = []
  /** Commands that run now, one within the other: EXEC, EVAL, SET. */
  #depth = 0
  /** The depth of the command that ended last: one that ran others is itself not fed. */
  #endedDepth = 0
  /** Said by the handler of the current command. */
  #isReplaced = false
  #isForced = false
  /** What the outermost command has to feed when it is over: bytes, and of each command its database and its end. */
  #pending = new GrowingBuffer(1024)
  #pendingDatabases: number[] = []
  #pendingEnds: number[] = []

  constructor(engine: RespEngine) {
    this.#engine = engine
  }

  attach(consumer: PropagationConsumer): void {
    this.#consumers.push(consumer)
    this.#update()
  }

  detach(consumer: PropagationConsumer): void {
    const index = this.#consumers.indexOf(consumer)
    if (index >= 0) this.#consumers.splice(index, 1)
    this.#update()
  }

  #update(): void {
    const engine = this.#engine
    engine.propagates = this.#consumers.length > 0
    engine.store.onExpired = engine.propagates ? (database, key) => this.deleted(database, key) : null
    engine.store.onEvicted = engine.propagates ? (database, key) => this.evicted(database, key) : null
    engine.store.onFieldExpired = engine.propagates
      ? (database, key, field) => this.#addByItself(database, ['HDEL', key, field])
      : null
  }

  // ---- Around a command ----

  /** A command begins. Returns what `end` is to be given. hot: once for each command while somebody is attached. */
  begin(): number {
    this.#depth++
    this.#isReplaced = false
    this.#isForced = false
    return this.#engine.store.dirtyCount
  }

  /** A command is over. hot: once for each command while somebody is attached. */
  end(client: Client, request: Request, dirtyCountBefore: number): void {
    const depth = --this.#depth
    const ranOthers = this.#endedDepth > depth
    this.#endedDepth = depth
    const hasChanged = this.#engine.store.dirtyCount !== dirtyCountBefore || this.#isForced
    const isReplaced = this.#isReplaced
    this.#isReplaced = false
    this.#isForced = false
    if (hasChanged && !isReplaced && !ranOthers) {
      if (depth === 0 && this.#pendingEnds.length === 0) return this.#feedRequest(client, request)
      appendRequest(this.#pending, request)
      this.#added(client.database.index)
    }
    if (depth === 0 && this.#pendingEnds.length > 0) {
      const belongsTogether = ranOthers || !MEETING_ANY_KEYS.has(client.lastCommand!.fullName)
      this.#feedPending(belongsTogether)
      client.propagationOffset = this.offset
    }
  }

  /** A client that waited was served: what its command's handler said is fed. `begin` was called before. */
  endServed(client: Client): void {
    this.#depth--
    this.#endedDepth = this.#depth
    if (this.#depth > 0 || this.#pendingEnds.length === 0) return
    this.#feedPending()
    client.propagationOffset = this.offset
  }

  /** The machine refused memory in the middle of a command: what was done until then is fed. */
  aborted(): void {
    this.#depth = 0
    this.#endedDepth = 0
    if (this.#pendingEnds.length > 0) this.#feedPending()
  }

  // ---- What handlers say of themselves ----

  /** The command that runs is fed as this; called several times, as all of these; with no arguments, not at all. */
  replace(database: number, parts: readonly CommandPart[]): void {
    this.#isReplaced = true
    if (parts.length > 0) this.#add(database, parts)
  }

  /** The command that runs is fed though it has changed nothing. */
  force(): void {
    this.#isForced = true
  }

  /** A key went though no command said so: it expired, or was evicted. */
  deleted(database: number, key: Uint8Array): void {
    this.#addByItself(database, [this.expiredWord, key])
  }

  /** A key was deleted because memory is needed, before the command that runs next. */
  evicted(database: number, key: Uint8Array): void {
    this.#addByItself(database, [this.#engine.settings.lazyfreeLazyEviction ? 'UNLINK' : 'DEL', key])
  }

  /** How the deletion of a key that expired is called. */
  get expiredWord(): string {
    return this.#engine.settings.lazyfreeLazyExpire ? 'UNLINK' : 'DEL'
  }

  // ---- What others than commands do ----

  /** Another protocol has changed a string, or deleted a key: it is fed as what it holds now. */
  changedElsewhere(database: Database, bytes: Uint8Array, start: number, end: number): void {
    const handle = database.peek(bytes, start, end)
    const key = bytes.subarray(start, end)
    if (handle === NONE) return this.#addByItself(database.index, ['DEL', key])
    const { store } = this.#engine
    const expireAtMs = database.records.expireAtMs(handle)
    const valueStart = stringStart(store, handle)
    const value = stringArray(store, handle).subarray(valueStart, valueStart + database.records.valueSize(handle))
    const flags = clientFlags(database.records, handle)
    if (flags !== 0) this.#pending.append(clientFlagsAnnotation(flags))
    this.#addByItself(database.index, ['SET', key, value, ...(expireAtMs === NEVER ? [] : ['PXAT', expireAtMs])])
  }

  /** Others have emptied a database; -1: all of them. */
  flushedElsewhere(database: number): void {
    this.#addByItself(Math.max(0, database), [database === -1 ? 'FLUSHALL' : 'FLUSHDB'])
  }

  // ---- Feeding ----

  #addByItself(database: number, parts: readonly CommandPart[]): void {
    this.#add(database, parts)
    if (this.#depth === 0) this.#feedPending()
  }

  #add(database: number, parts: readonly CommandPart[]): void {
    appendCommand(this.#pending, parts)
    this.#added(database)
  }

  #added(database: number): void {
    this.#pendingDatabases.push(database)
    this.#pendingEnds.push(this.#pending.length)
  }

  #feedPending(belongsTogether = true): void {
    const { bytes } = this.#pending
    const ends = this.#pendingEnds
    const databases = this.#pendingDatabases
    const isUnit = belongsTogether && ends.length > 1
    if (isUnit) this.#feed(databases[0], MULTI, 0, MULTI.length)
    for (let index = 0; index < ends.length; index++) {
      this.#feed(databases[index], bytes, index === 0 ? 0 : ends[index - 1], ends[index])
    }
    if (isUnit) this.#feed(databases[ends.length - 1], EXEC, 0, EXEC.length)
    if (this.#pending.bytes.length > PENDING_BYTES_KEPT_MAX) this.#pending = new GrowingBuffer(1024)
    else this.#pending.clear()
    this.#pendingDatabases = []
    this.#pendingEnds = []
  }

  /** A command as it came. hot: once for each write; its bytes in the socket's chunk are what is fed. */
  #feedRequest(client: Client, request: Request): void {
    const database = client.database.index
    const start = receivedFrom(request)
    if (start >= 0) {
      this.#feed(database, request.chunk, start, request.end(request.count - 1) + 2)
    } else {
      appendRequest(this.#pending, request)
      this.#feed(database, this.#pending.bytes, 0, this.#pending.length)
      this.#pending.clear()
    }
    client.propagationOffset = this.offset
  }

  #feed(database: number, bytes: Uint8Array, start: number, end: number): void {
    this.offset += end - start
    const consumers = this.#consumers
    for (let index = 0; index < consumers.length; index++) consumers[index].append(database, bytes, start, end)
  }
}

/** What they find to be expired has nothing to do with each other, as what expires by itself has not. */
const MEETING_ANY_KEYS: ReadonlySet<string> = new Set(['scan', 'randomkey'])

/** Room that only a giant transaction needs. */
const PENDING_BYTES_KEPT_MAX = 2 ** 20

const MULTI = Buffer.from('*1\r\n$5\r\nMULTI\r\n')
const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n')
const STAR = 0x2a
const CR = 0x0d
const LF = 0x0a

/**
 * Where a request that came in RESP begins in its chunk, or -1 for one that came otherwise (as a line of words, from a
 * queue, from this process). The parser skips over line ends without a look, as Redis does: one that is something else
 * must not get into a file.
 * hot: once for each write.
 */
function receivedFrom(request: Request): number {
  const { chunk, count, places } = request
  if (count < 2) return -1
  const start = places[0] - decimalLength(count) - decimalLength(places[1] - places[0]) - 6
  if (start < 0 || chunk[start] !== STAR || chunk[start + decimalLength(count) + 2] !== LF) return -1
  for (let index = 0; index < count * 2; index += 2) {
    const end = places[index + 1]
    if (chunk[places[index] - 1] !== LF || chunk[end] !== CR || chunk[end + 1] !== LF) return -1
  }
  return start
}

function appendRequest(to: GrowingBuffer, request: Request): void {
  appendCount(to, request.count)
  for (let index = 0; index < request.count; index++) {
    appendBulk(to, request.chunk, request.start(index), request.end(index))
  }
}
