import type { Handle } from '../memory/heap.ts'
import { itemState } from '../store/item.ts'
import { NEVER, type as types } from '../store/record.ts'
import type { MemcachedEngine } from './engine.ts'
import { CLASSES_END } from './item-classes.ts'
import { keyText } from './log-streams.ts'
import { parseFraction } from './numbers.ts'
import type { Session } from './session.ts'
import { MEMCACHED_VERSION } from './settings.ts'
import { answer, hasWords, noteNoreply, type TextContext, type TextHandler } from './text-command.ts'
import { lines } from './text-reply.ts'

/**
 * Commands for those who run the server. What tunes parts of memcached that are not here (slabs, segments of the LRU, the
 * crawler's pace) is checked and answered as there, and has no effect.
 */

const VERBOSITY_MAX = 2
const MEGABYTE = 2 ** 20
const MEMORY_MEGABYTES_MIN = 8
const MEMORY_MEGABYTES_MAX = 1_000_000_000

/** Slots of the key table that a dump looks at in one turn, and what it lets its reader leave unread. */
const DUMP_SLOTS_PER_TURN = 2000
const DUMP_UNREAD_BYTES_MAX = 2 ** 20
const DUMP_PAUSE_MS = 10

function text(context: TextContext, message: string): number {
  context.reply.text(message)
  return context.line.next
}

function version(context: TextContext): number {
  return text(context, `VERSION ${MEMCACHED_VERSION}`)
}

function quit(context: TextContext, session: Session): number {
  session.closesAfterReply = true
  return context.line.next
}

function shutdown(context: TextContext, session: Session): number {
  const { line, engine } = context
  if (!engine.options.hasShutdown) return text(context, 'ERROR: shutdown not enabled')
  if (line.count === 1 || (line.count === 2 && line.is(1, 'graceful'))) {
    session.closesAfterReply = true
    session.endsServer = true
    return line.next
  }
  return text(context, 'CLIENT_ERROR invalid shutdown mode')
}

/** The certificates of TLS are read again; clients that are connected keep what they have. */
function refreshCertificates(context: TextContext): number {
  const { engine } = context
  noteNoreply(context)
  if (!engine.host.isEncrypted()) return text(context, 'Error TLS not enabled')
  const problem = engine.host.refreshCertificates()
  return problem === undefined ? answer(context, lines.OK) : text(context, `Error ${problem.replace(/\s+/g, ' ')}`)
}

function verbosity(context: TextContext): number {
  const { line, engine } = context
  if (!hasWords(context, 2, 3)) return line.next
  noteNoreply(context)
  const level = line.uint32(1)
  if (Number.isNaN(level)) return answer(context, lines.BAD_FORMAT)
  engine.verbosity = Math.min(level, VERBOSITY_MAX)
  return answer(context, lines.OK)
}

function memoryLimit(context: TextContext): number {
  const { line, engine } = context
  if (!hasWords(context, 2, 3)) return line.next
  noteNoreply(context)
  const megabytes = line.uint32(1)
  if (Number.isNaN(megabytes)) return answer(context, lines.ERROR)
  if (megabytes < MEMORY_MEGABYTES_MIN) {
    return text(context, 'MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m')
  }
  if (megabytes > MEMORY_MEGABYTES_MAX) {
    return text(context, 'MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes')
  }
  const refusal = engine.host.config.set([['maxmemory', String(megabytes * MEGABYTE)]], { isLocalClient: true })
  if (refusal !== undefined) return text(context, 'MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust')
  return answer(context, lines.OK)
}

function watch(context: TextContext, session: Session): number {
  const { line, engine } = context
  noteNoreply(context)
  context.reply.isSilent = false
  if (!engine.options.hasWatch) return text(context, 'CLIENT_ERROR watch commands not allowed')
  if (context.reply.out.pendingBytes > 0) return text(context, 'ERROR cannot pipeline other commands before watch')
  const names = Array.from({ length: line.count - 1 }, (_, index) => line.text(index + 1))
  return text(context, engine.streams.add(session, names))
}

// ---- lru_crawler ----

function lruCrawler(context: TextContext, session: Session): number {
  const { line, engine } = context
  if (line.count === 2 && (line.is(1, 'enable') || line.is(1, 'disable'))) {
    const isEnabled = line.is(1, 'enable')
    // The one that runs cannot be started again; stopping what has stopped is fine.
    if (isEnabled && engine.isCrawlerOn) return text(context, 'ERROR failed to start lru crawler thread')
    engine.isCrawlerOn = isEnabled
    return answer(context, lines.OK)
  }
  if (line.count !== 3) return answer(context, lines.ERROR)
  if (line.is(1, 'crawl') || line.is(1, 'metadump')) {
    if (!engine.isCrawlerOn) return text(context, 'CLIENT_ERROR lru crawler disabled')
    const isDump = line.is(1, 'metadump')
    if (isDump && !engine.options.hasDump) return text(context, 'ERROR metadump not allowed')
    if (isDump && context.reply.out.pendingBytes > 0) {
      return text(context, 'ERROR cannot pipeline other commands before metadump')
    }
    const classes = classesOf(line.text(2))
    if (classes === undefined) return text(context, 'BADCLASS invalid class id')
    if (isDump) dump(engine, session, classes)
    else {
      engine.store.finishBackground() // what is due goes now
      return answer(context, lines.OK)
    }
    return line.next
  }
  if (line.is(1, 'tocrawl') || line.is(1, 'sleep')) {
    const value = line.uint32(2)
    if (Number.isNaN(value)) return answer(context, lines.BAD_FORMAT)
    if (line.is(1, 'sleep') && value > 1_000_000) {
      return text(context, 'CLIENT_ERROR sleep must be one second or less')
    }
    return answer(context, lines.OK)
  }
  return answer(context, lines.ERROR)
}

/** The size classes that a list names: null for all of them, undefined for a list that is none. */
function classesOf(list: string): ReadonlySet<number> | null | undefined {
  if (list === 'all' || list === 'hash') return null
  const classes = list.split(',').map(Number)
  const areValid = classes.every((sizeClass) => Number.isInteger(sizeClass) && sizeClass > 0 && sizeClass < CLASSES_END)
  return areValid ? new Set(classes) : undefined
}

/** Sends a line for each string, in slices, so that nobody else waits; the session's next command waits until the end. */
function dump(engine: MemcachedEngine, session: Session, classes: ReadonlySet<number> | null): void {
  session.isBusy = true
  let cursor = 0
  const step = () => {
    if (session.isGone) return
    if (session.connection.unsentBytes > DUMP_UNREAD_BYTES_MAX) {
      setTimeout(step, DUMP_PAUSE_MS).unref()
      return
    }
    const { store, items } = engine
    store.setNow(engine.host.clock.nowMs())
    let slice = ''
    cursor = items.database.dict.scan(cursor, DUMP_SLOTS_PER_TURN, (handle) => {
      if (store.records.type(handle) !== types.STRING) return
      if (classes === null || classes.has(items.classOf(handle))) slice += dumpLine(engine, handle)
    })
    if (cursor === 0) slice += 'END\r\n'
    if (slice !== '') engine.push(session, Buffer.from(slice, 'latin1'))
    if (cursor === 0) engine.resume(session)
    else setImmediate(step)
  }
  setImmediate(step)
}

function dumpLine(engine: MemcachedEngine, handle: Handle): string {
  const { store, items } = engine
  const { records } = store
  const key = records.keyCopy(handle)
  const expireAtMs = records.expireAtMs(handle)
  const facts = [
    `key=${keyText(key, 0, key.length)}`,
    `exp=${expireAtMs === NEVER ? -1 : Math.ceil(expireAtMs / 1000)}`,
    `la=${store.nowSeconds - items.idleSeconds(handle)}`,
    `cas=${items.givenCasOf(handle)}`,
    `fetch=${(items.stateOf(handle) & itemState.FETCHED) === 0 ? 'no' : 'yes'}`,
    `cls=${items.classOf(handle)}`,
    `size=${items.memoryOf(handle)}`,
  ]
  return `${facts.join(' ')}\n`
}

// ---- lru, slabs ----

function lru(context: TextContext): number {
  const { line, engine } = context
  if (!hasWords(context, 2, Number.POSITIVE_INFINITY)) return line.next
  noteNoreply(context)
  if (line.is(1, 'tune') && line.count >= 6) {
    const [hot, warm] = [line.uint32(2), line.uint32(3)]
    const [hotFactor, warmFactor] = [parseFraction(line.text(4)), parseFraction(line.text(5))]
    if ([hot, warm, hotFactor, warmFactor].some(Number.isNaN)) return answer(context, lines.ERROR)
    if (hot + warm > 80) return text(context, 'ERROR hot and warm pcts must not exceed 80')
    if (hotFactor <= 0 || warmFactor <= 0) {
      return text(context, 'ERROR hot/warm age factors must be greater than 0')
    }
    return answer(context, lines.OK)
  }
  if (!engine.options.hasMaintainer) return answer(context, lines.ERROR)
  if (line.is(1, 'mode') && line.count >= 3 && (line.is(2, 'flat') || line.is(2, 'segmented'))) {
    return answer(context, lines.OK)
  }
  const isTemporaryTtl = line.is(1, 'temp_ttl') && line.count >= 3 && !Number.isNaN(line.int32(2))
  return answer(context, isTemporaryTtl ? lines.OK : lines.ERROR)
}

function slabs(context: TextContext): number {
  const { line, engine } = context
  if (line.count === 4 && line.is(1, 'reassign')) {
    if (!engine.options.hasReassign) return text(context, 'CLIENT_ERROR slab reassignment disabled')
    const [source, target] = [line.int32(2), line.int32(3)]
    if (Number.isNaN(source) || Number.isNaN(target)) return answer(context, lines.BAD_FORMAT)
    if (source === target) return text(context, 'SAME src and dst class are identical')
    const isClass = (sizeClass: number) => sizeClass >= 0 && sizeClass < CLASSES_END
    if (!isClass(source) || !isClass(target)) return text(context, 'BADCLASS invalid src or dst class id')
    // Pages serve another class by themselves as soon as they are empty.
    return text(context, 'NOSPARE source class has no spare pages')
  }
  if (line.count >= 3 && line.is(1, 'automove')) {
    noteNoreply(context)
    if (line.is(2, 'ratio')) {
      const isRatio = line.count >= 4 && !Number.isNaN(parseFraction(line.text(3)))
      return answer(context, isRatio ? lines.OK : lines.ERROR)
    }
    const level = line.uint32(2)
    if (Number.isNaN(level)) return answer(context, lines.BAD_FORMAT)
    return answer(context, level <= 2 ? lines.OK : lines.ERROR)
  }
  return answer(context, lines.ERROR)
}

/** Moves time, as memcached's own debug builds do. For tests, and only where debugging is allowed. */
function debugTime(context: TextContext, session: Session): number {
  const { line, engine } = context
  const { host } = engine
  const allowed = host.config.settings.enableDebugCommand
  if (allowed !== 'yes' && !(allowed === 'local' && session.isLocal)) return answer(context, lines.ERROR)
  if (line.count < 2) return answer(context, lines.ERROR)
  if (line.is(1, 'p')) host.pauseTime()
  else if (line.is(1, 'r')) host.resumeTime()
  else {
    const seconds = Number(line.text(1))
    if (!Number.isSafeInteger(seconds) || seconds < 0) return answer(context, lines.ERROR)
    host.advance(seconds * 1000)
  }
  return answer(context, lines.OK)
}

export const administrationCommands: readonly (readonly [name: string, handler: TextHandler])[] = [
  ['version', version],
  ['quit', quit],
  ['shutdown', shutdown],
  ['refresh_certs', refreshCertificates],
  ['verbosity', verbosity],
  ['cache_memlimit', memoryLimit],
  ['watch', watch],
  ['debugtime', debugTime],
  ['lru_crawler', lruCrawler],
  ['lru', lru],
  ['slabs', slabs],
]
