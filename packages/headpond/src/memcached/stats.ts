import { type Handle, NONE } from '../memory/heap.ts'
import type { MemcachedEngine } from './engine.ts'
import { CLASSES_END, chunkBytesOf, chunksPerPageOf } from './item-classes.ts'
import type { Session } from './session.ts'
import { MEMCACHED_VERSION } from './settings.ts'
import { answer, type TextContext } from './text-command.ts'
import { lines } from './text-reply.ts'

/**
 * `stats` and its families. The names are memcached's, since monitoring looks for them; the numbers are what this server
 * has. Where memcached counts work that is not done here (slab moves, LRU crawls), the honest number is 0.
 */

/** A line of `stats`. */
export type Stat = readonly [name: string, value: string | number]

/** Beyond so many keys, families that look at items look at a sample, and scale it up. */
const SAMPLED_COUNT = 10_000
/** Items that `stats cachedump` looks at, at most, and bytes that it answers. */
const DUMPED_COUNT_MAX = 100_000
const DUMPED_BYTES_MAX = 2 * 2 ** 20
/** `stats sizes` counts items in steps of so many bytes. */
const SIZE_STEP_BYTES = 32

// ---- Families ----

function general(engine: MemcachedEngine): Stat[] {
  const { store, statistics, host, sessions, streams } = engine
  const { settings } = host.config
  const usage = process.resourceUsage()
  const nowMs = host.clock.nowMs()
  let readBytes = statistics.readBytes
  let writtenBytes = statistics.writtenBytes
  let inputBytes = 0
  for (const { connection } of sessions.values()) {
    readBytes += connection.receivedBytes
    writtenBytes += connection.sentBytes
    inputBytes += connection.inputBufferBytes
  }
  const dict = engine.items.database.dict
  return [
    ['pid', process.pid],
    ['uptime', Math.floor((nowMs - engine.startedAtMs) / 1000)],
    ['time', Math.floor(nowMs / 1000)],
    ['version', MEMCACHED_VERSION],
    ['libevent', `libuv ${process.versions.uv}`],
    ['pointer_size', 64],
    ['rusage_user', (usage.userCPUTime / 1e6).toFixed(6)],
    ['rusage_system', (usage.systemCPUTime / 1e6).toFixed(6)],
    ['max_connections', settings.maxclients],
    ['curr_connections', sessions.size],
    ['total_connections', engine.connectionCount],
    ['rejected_connections', engine.rejectedCount],
    ['connection_structures', sessions.size],
    ['response_obj_oom', 0],
    ['response_obj_count', 0],
    ['response_obj_bytes', 0],
    ['read_buf_count', sessions.size],
    ['read_buf_bytes', inputBytes],
    ['read_buf_bytes_free', 0],
    ['read_buf_oom', 0],
    ['reserved_fds', 0],
    ['cmd_get', statistics.getCount],
    ['cmd_set', statistics.setCount],
    ['cmd_flush', statistics.flushCount],
    ['cmd_touch', statistics.touchCount],
    ['cmd_meta', statistics.metaCount],
    ['get_hits', statistics.getHitCount],
    ['get_misses', statistics.getCount - statistics.getHitCount],
    ['get_expired', statistics.getExpiredCount],
    ['get_flushed', 0],
    ['delete_misses', statistics.deleteMissCount],
    ['delete_hits', statistics.deleteHitCount],
    ['incr_misses', statistics.incrMissCount],
    ['incr_hits', statistics.incrHitCount],
    ['decr_misses', statistics.decrMissCount],
    ['decr_hits', statistics.decrHitCount],
    ['cas_misses', statistics.casMissCount],
    ['cas_hits', statistics.casHitCount],
    ['cas_badval', statistics.casBadCount],
    ['touch_hits', statistics.touchHitCount],
    ['touch_misses', statistics.touchCount - statistics.touchHitCount],
    ['store_too_large', statistics.tooLargeCount],
    ['store_no_memory', statistics.noMemoryCount],
    ['auth_cmds', statistics.authCount],
    ['auth_errors', statistics.authErrorCount],
    ...(settings.timeout === 0 ? [] : [['idle_kicks', engine.idleKickCount] satisfies Stat]),
    ['bytes_read', readBytes],
    ['bytes_written', writtenBytes],
    ['limit_maxbytes', settings.maxmemory],
    ['accepting_conns', sessions.size < settings.maxclients ? 1 : 0],
    ['listen_disabled_num', 0],
    ['time_in_listen_disabled_us', 0],
    ['threads', 1],
    ['conn_yields', engine.yieldCount],
    ['hash_power_level', Math.max(0, Math.ceil(Math.log2(Math.max(1, dict.sizeBytes / 8))))],
    ['hash_bytes', dict.sizeBytes],
    ['hash_is_expanding', 0],
    ['slab_reassign_rescues', 0],
    ['slab_reassign_chunk_rescues', 0],
    ['slab_reassign_evictions_nomem', 0],
    ['slab_reassign_inline_reclaim', 0],
    ['slab_reassign_busy_items', 0],
    ['slab_reassign_busy_deletes', 0],
    ['slab_reassign_running', 0],
    ['slabs_moved', 0],
    ['lru_crawler_running', 0],
    ['lru_crawler_starts', 0],
    ['lru_maintainer_juggles', 0],
    ['malloc_fails', 0],
    ['log_worker_dropped', 0],
    ['log_worker_written', streams.sentCount],
    ['log_watcher_skipped', streams.skippedCount],
    ['log_watcher_sent', streams.sentCount],
    ['log_watchers', streams.listenerCount],
    ['unexpected_napi_ids', 0],
    ['round_robin_fallback', 0],
    ['bytes', store.heap.usedBytes],
    ['curr_items', engine.items.database.count],
    ['total_items', statistics.itemCount],
    ['slab_global_page_pool', 0],
    ['expired_unfetched', engine.removals.total('expiredUnfetchedCount')],
    ['evicted_unfetched', engine.removals.total('evictedUnfetchedCount')],
    ['evicted_active', 0],
    ['evictions', engine.removals.total('evictedCount')],
    ['reclaimed', engine.removals.total('expiredCount')],
    ['crawler_reclaimed', engine.removals.total('crawledCount')],
    ['crawler_items_checked', 0],
    ['lrutail_reflocked', 0],
    ['moves_to_cold', 0],
    ['moves_to_warm', 0],
    ['moves_within_lru', 0],
    ['direct_reclaims', 0],
    ['lru_bumps_dropped', 0],
  ]
}

function settingsOf(engine: MemcachedEngine): Stat[] {
  const { options, host, prefixes } = engine
  const { settings } = host.config
  const shown = (name: string, value: string | number): Stat => [name, options.shown[name] ?? value]
  const yes = (isSo: boolean) => (isSo ? 'yes' : 'no')
  return [
    ['maxbytes', settings.maxmemory],
    ['maxconns', settings.maxclients],
    ['tcpport', host.port()],
    ['udpport', 0],
    shown('inter', settings.bind.join(',') || 'NULL'),
    ['verbosity', engine.verbosity],
    ['oldest', 0],
    ['evictions', settings.maxmemoryPolicy === 'noeviction' && settings.maxmemory > 0 ? 'off' : 'on'],
    ['domain_socket', settings.memcachedUnixsocket === '' ? 'NULL' : settings.memcachedUnixsocket],
    ['umask', settings.unixsocketperm === 0 ? '700' : settings.unixsocketperm.toString(8)],
    ['shutdown_command', yes(options.hasShutdown)],
    shown('growth_factor', '1.25'),
    shown('chunk_size', 48),
    shown('num_threads', 1),
    shown('num_threads_per_udp', 0),
    ['stat_key_prefix', options.prefixDelimiter],
    ['detail_enabled', yes(prefixes.isOn)],
    shown('reqs_per_event', 20),
    ['cas_enabled', yes(options.hasCas)],
    ['tcp_backlog', settings.tcpBacklog],
    ['binding_protocol', options.sasl ? 'binary' : options.protocol === 'auto' ? 'auto-negotiate' : options.protocol],
    ['auth_enabled_sasl', yes(options.sasl)],
    ['auth_enabled_ascii', yes(engine.users !== null && !options.sasl)],
    ['item_size_max', settings.memcachedMaxItemSize],
    ['maxconns_fast', 'yes'],
    shown('hashpower_init', 0),
    ['slab_reassign', 'no'],
    shown('slab_automove', 0),
    shown('slab_automove_ratio', '0.80'),
    shown('slab_automove_window', 30),
    shown('slab_chunk_max', 524288),
    ['lru_crawler', yes(engine.isCrawlerOn)],
    shown('lru_crawler_sleep', 100),
    shown('lru_crawler_tocrawl', 0),
    shown('tail_repair_time', 0),
    ['flush_enabled', yes(options.hasFlush)],
    ['dump_enabled', yes(options.hasDump)],
    shown('hash_algorithm', 'siphash'),
    ['lru_maintainer_thread', 'no'],
    shown('lru_segmented', 'no'),
    shown('hot_lru_pct', 20),
    shown('warm_lru_pct', 40),
    shown('hot_max_factor', '0.20'),
    shown('warm_max_factor', '2.00'),
    shown('temp_lru', 'no'),
    shown('temporary_ttl', 61),
    ['idle_timeout', settings.timeout],
    shown('watcher_logbuf_size', 262144),
    shown('worker_logbuf_size', 65536),
    shown('read_buf_mem_limit', 0),
    ['track_sizes', yes(options.tracksSizes)],
    ['inline_ascii_response', 'no'],
    ['ssl_enabled', yes(host.isEncrypted())],
    ...Object.entries(options.shown).filter(([name]) => name.startsWith('ssl_') || name === 'memory_file'),
    ['maxmemory_policy', settings.maxmemoryPolicy],
    ['headpond_version', host.version],
  ]
}

/** What was seen of some items, or of all. */
interface ClassSample {
  count: number
  oldestSeconds: number
  itemBytes: number
}

function sampleClasses(engine: MemcachedEngine): Map<number, ClassSample> {
  const { items, store } = engine
  const samples = new Map<number, ClassSample>()
  const visit = (handle: Handle) => {
    const sizeClass = items.classOf(handle)
    const sample = samples.get(sizeClass) ?? { count: 0, oldestSeconds: 0, itemBytes: 0 }
    sample.count++
    sample.oldestSeconds = Math.max(sample.oldestSeconds, items.idleSeconds(handle))
    sample.itemBytes += items.sizeOf(handle)
    samples.set(sizeClass, sample)
  }
  const { dict, count } = items.database
  if (count <= SAMPLED_COUNT) {
    dict.forEach(visit)
    return samples
  }
  for (let picked = 0; picked < SAMPLED_COUNT; picked++) visit(dict.random(store.random))
  const scale = count / SAMPLED_COUNT
  for (const sample of samples.values()) {
    sample.count = Math.round(sample.count * scale)
    sample.itemBytes = Math.round(sample.itemBytes * scale)
  }
  return samples
}

function itemStats(engine: MemcachedEngine): Stat[] {
  return [...sampleClasses(engine)]
    .sort(([first], [second]) => first - second)
    .flatMap(([sizeClass, sample]): Stat[] => {
      const stat = (name: string, value: number): Stat => [`items:${sizeClass}:${name}`, value]
      const removals = engine.removals.of(sizeClass)
      return [
        stat('number', sample.count),
        stat('age', sample.oldestSeconds),
        stat('mem_requested', sample.itemBytes),
        stat('evicted', removals.evictedCount),
        stat('evicted_nonzero', removals.evictedExpiringCount),
        stat('evicted_time', removals.evictedIdleSeconds),
        stat('outofmemory', 0),
        stat('tailrepairs', 0),
        stat('reclaimed', removals.expiredCount),
        stat('expired_unfetched', removals.expiredUnfetchedCount),
        stat('evicted_unfetched', removals.evictedUnfetchedCount),
        stat('evicted_active', 0),
        stat('crawler_reclaimed', removals.crawledCount),
        ...UNUSED_ITEM_COUNTERS.map((name) => stat(name, 0)),
      ]
    })
}

/** What memcached counts of each class and what does not happen here, or not by class. */
const UNUSED_ITEM_COUNTERS = ['crawler_items_checked', 'lrutail_reflocked']

/** What items of each class take, counted in memcached's own chunks; what is taken in truth is `total_malloced`. */
function slabStats(engine: MemcachedEngine): Stat[] {
  const samples = sampleClasses(engine)
  // Memory that a class has had stays its own in memcached, though it has no items any more.
  const classes = [...new Set([...samples.keys(), ...engine.removals.classes])].sort((first, second) => first - second)
  return [
    ...classes.flatMap((number): Stat[] => {
      const count = samples.get(number)?.count ?? 0
      const perPage = chunksPerPageOf(number)
      const pageCount = Math.max(1, Math.ceil(count / perPage))
      return [
        [`${number}:chunk_size`, chunkBytesOf(number)],
        [`${number}:chunks_per_page`, perPage],
        [`${number}:total_pages`, pageCount],
        [`${number}:total_chunks`, pageCount * perPage],
        [`${number}:used_chunks`, count],
        [`${number}:free_chunks`, pageCount * perPage - count],
        [`${number}:free_chunks_end`, 0],
      ]
    }),
    ['active_slabs', classes.length],
    ['total_malloced', engine.store.heap.activeBytes],
  ]
}

function sizeStats(engine: MemcachedEngine): Stat[] {
  if (!engine.tracksSizes) return [['sizes_status', 'disabled']]
  const { items, store } = engine
  const counts = new Map<number, number>()
  const visit = (handle: Handle) => {
    const size = items.sizeOf(handle)
    const step = Math.ceil(size / SIZE_STEP_BYTES) * SIZE_STEP_BYTES
    counts.set(step, (counts.get(step) ?? 0) + 1)
  }
  const { dict, count } = items.database
  const isSampled = count > SAMPLED_COUNT
  if (!isSampled) dict.forEach(visit)
  else for (let picked = 0; picked < SAMPLED_COUNT; picked++) visit(dict.random(store.random))
  const scale = isSampled ? count / SAMPLED_COUNT : 1
  return [...counts]
    .sort(([first], [second]) => first - second)
    .map(([size, sizeCount]): Stat => [String(size), Math.round(sizeCount * scale)])
}

function connectionStats(engine: MemcachedEngine): Stat[] {
  const nowMs = engine.host.clock.nowMs()
  const listeners = engine.host.listening().flatMap((address, index): Stat[] => [
    [`${index + 1}:addr`, address],
    [`${index + 1}:state`, 'conn_listening'],
    [`${index + 1}:secs_since_last_cmd`, Math.floor((nowMs - engine.startedAtMs) / 1000)],
  ])
  const sessions = [...engine.sessions.values()].flatMap((session): Stat[] => {
    const { id, connection, lastCommandAtMs } = session
    const address = (text: string) => (text.startsWith('/') ? `unix:${text.replace(/:0$/, '')}` : `tcp:${text}`)
    return [
      [`${id}:addr`, address(connection.remoteAddress)],
      [`${id}:listen_addr`, address(connection.localAddress)],
      [`${id}:state`, stateOf(session)],
      [`${id}:secs_since_last_cmd`, Math.floor((nowMs - lastCommandAtMs) / 1000)],
    ]
  })
  return [...listeners, ...sessions]
}

function stateOf({ watched, isBusy, neededBytes, swallowBytes }: Session): string {
  if (watched !== null) return 'conn_watch'
  if (isBusy) return 'conn_io_queue'
  if (swallowBytes > 0) return 'conn_swallow'
  return neededBytes > 0 ? 'conn_nread' : 'conn_parse_cmd'
}

/** What is not shown while the part of memcached that it speaks of is turned off. */
const CRAWLER_STATS = ['lru_crawler_running', 'lru_crawler_starts']
const MAINTAINER_STATS = [
  'lru_maintainer_juggles',
  'evicted_active',
  'moves_to_cold',
  'moves_to_warm',
  'moves_within_lru',
  'direct_reclaims',
  'lru_bumps_dropped',
]

function shownStats(engine: MemcachedEngine): Stat[] {
  const hidden = [
    ...(engine.isCrawlerOn ? [] : CRAWLER_STATS),
    ...(engine.options.hasMaintainer ? [] : MAINTAINER_STATS),
  ]
  return general(engine).filter(([name]) => !hidden.includes(name))
}

/** Whether a family is one of the text protocol alone. */
export function isOfTextOnly(family: string): boolean {
  return family === 'conns' || family === 'extstore'
}

/** Whether END follows the lines of a family: it does not where `stats` is a switch. */
export function hasEnd(family: string): boolean {
  return family !== 'sizes_enable' && family !== 'sizes_disable'
}

/** A family of statistics by its name; undefined when there is none. '' is the general one. */
export function statsOf(engine: MemcachedEngine, family: string): Stat[] | undefined {
  switch (family) {
    case '':
      return shownStats(engine)
    case 'settings':
      return settingsOf(engine)
    case 'items':
      return itemStats(engine)
    case 'slabs':
      return slabStats(engine)
    case 'sizes':
      return sizeStats(engine)
    case 'sizes_enable':
      if (!engine.options.hasCas) {
        return [
          ['sizes_status', 'error'],
          ['sizes_error', 'cas_support_disabled'],
        ]
      }
      engine.tracksSizes = true
      return [['sizes_status', 'enabled']]
    case 'sizes_disable':
      engine.tracksSizes = false
      return [['sizes_status', 'disabled']]
    case 'extstore': // no storage beside memory
      return []
    case 'conns':
      return connectionStats(engine)
    default:
      return undefined
  }
}

// ---- The command of the text protocol ----

export function statsCommand(context: TextContext, _session: Session): number {
  const { line, engine, reply } = context
  const family = line.count > 1 ? line.text(1) : ''
  switch (family) {
    case 'reset':
      engine.resetStatistics()
      return answer(context, lines.RESET)
    case 'detail':
      return detail(context)
    case 'cachedump':
      return cacheDump(context)
  }
  const stats = statsOf(engine, family)
  if (stats === undefined) return answer(context, lines.ERROR)
  for (const [name, value] of stats) reply.text(`STAT ${name} ${value}`)
  return hasEnd(family) ? answer(context, lines.END) : line.next
}

function detail(context: TextContext): number {
  const { line, engine, reply } = context
  switch (line.count > 2 ? line.text(2) : '') {
    case 'on':
    case 'off':
      engine.setDetail(line.is(2, 'on'))
      return answer(context, lines.OK)
    case 'dump':
      for (const text of engine.prefixes.lines()) reply.text(text)
      return answer(context, lines.END)
    default:
      reply.text('CLIENT_ERROR usage: stats detail on|off|dump')
      return line.next
  }
}

/** `stats cachedump <class> <count>`: some keys of a class, with the size of their values and their expiry. */
function cacheDump(context: TextContext): number {
  const { line, engine, reply, items } = context
  if (!engine.options.hasDump) {
    reply.text('CLIENT_ERROR stats cachedump not allowed')
    return line.next
  }
  if (line.count < 4) {
    reply.text('CLIENT_ERROR bad command line')
    return line.next
  }
  const sizeClass = line.uint32(2)
  const limit = line.uint32(3)
  if (Number.isNaN(sizeClass) || Number.isNaN(limit)) return answer(context, lines.BAD_FORMAT)
  if (sizeClass >= CLASSES_END) {
    reply.text('CLIENT_ERROR Illegal slab id')
    return line.next
  }
  const { store, database } = items
  const { records } = store
  const countMax = limit === 0 ? Number.POSITIVE_INFINITY : limit
  let count = 0
  let visitedCount = 0
  let dumpedBytes = 0
  let cursor = 0
  do {
    cursor = database.dict.scan(cursor, 1000, (handle) => {
      visitedCount++
      if (handle === NONE || count >= countMax || items.classOf(handle) !== sizeClass) return
      const key = records.keyCopy(handle).toString('latin1')
      const expireAtSeconds = Math.ceil(records.expireAtMs(handle) / 1000)
      const text = `ITEM ${key} [${records.valueSize(handle)} b; ${expireAtSeconds} s]`
      count++
      dumpedBytes += text.length
      reply.text(text)
    })
  } while (cursor !== 0 && count < countMax && visitedCount < DUMPED_COUNT_MAX && dumpedBytes < DUMPED_BYTES_MAX)
  return answer(context, lines.END)
}
