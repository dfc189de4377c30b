import { createHash } from 'node:crypto'
import { machine, release, totalmem, type } from 'node:os'
import type { AppendOnly } from '../persistence/aof/append-only.ts'
import type { Loading } from '../persistence/loading.ts'
import type { Command } from './command.ts'
import type { RespEngine } from './engine.ts'
import { datasetPercent, memoryReport, ratio } from './memory-report.ts'
import { REDIS_VERSION } from './version.ts'

/** A line `name:value` of INFO. */
type Field = readonly [name: string, value: string | number]
type Section = (engine: RespEngine) => Field[]

/** In the order in which INFO shows them. */
const sections: Readonly<Record<string, Section>> = {
  Server: serverSection,
  Clients: clientsSection,
  Memory: memorySection,
  Persistence: persistenceSection,
  Stats: statsSection,
  Replication: replicationSection,
  CPU: cpuSection,
  Modules: () => [],
  Commandstats: commandSection,
  Errorstats: errorSection,
  Latencystats: latencySection,
  Cluster: () => [['cluster_enabled', 0]],
  Keyspace: keyspaceSection,
}

const sectionNames = Object.keys(sections).map((name) => name.toLowerCase())
const defaultNames = sectionNames.filter((name) => name !== 'commandstats' && name !== 'latencystats')

/** INFO of the sections named (in lower case), of the default ones when none is named. Unknown names give nothing. */
export function infoText(engine: RespEngine, names: readonly string[]): string {
  const wanted = new Set(
    (names.length === 0 ? ['default'] : names).flatMap((name) => {
      if (name === 'default') return defaultNames
      if (name === 'all' || name === 'everything') return sectionNames
      return name === 'module_list' ? ['modules'] : [name]
    }),
  )
  return Object.entries(sections)
    .filter(([title]) => wanted.has(title.toLowerCase()))
    .map(([title, section]) => {
      const lines = section(engine).map(([name, value]) => `${name}:${value}\r\n`)
      return `# ${title}\r\n${lines.join('')}`
    })
    .join('\r\n')
}

function serverSection(engine: RespEngine): Field[] {
  const { settings, config, clock, identity } = engine
  const uptimeSeconds = Math.max(0, Math.floor((clock.nowMs() - engine.startedAtMs) / 1000))
  return [
    ['redis_version', REDIS_VERSION],
    ['headpond_version', engine.host.version],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_build_id', createHash('sha1').update(engine.host.version).digest('hex').slice(0, 16)],
    ['redis_mode', 'standalone'],
    ['os', `${type()} ${release()} ${machine()}`],
    ['arch_bits', 64],
    ['monotonic_clock', 'POSIX clock_gettime'],
    ['multiplexing_api', 'libuv'],
    ['atomicvar_api', 'none'],
    ['gcc_version', '0.0.0'],
    ['node_version', process.versions.node],
    ['process_id', process.pid],
    ['process_supervised', 'no'],
    ['run_id', identity.runId],
    ['tcp_port', config.get([settings.port === 0 ? 'tls-port' : 'port'])[0][1]],
    ['server_time_usec', clock.nowUs()],
    ['uptime_in_seconds', uptimeSeconds],
    ['uptime_in_days', Math.floor(uptimeSeconds / 86_400)],
    ['hz', engine.effectiveHz],
    ['configured_hz', settings.hz],
    ['lru_clock', engine.store.accessClock],
    ['executable', process.argv[1] ?? process.execPath],
    ['config_file', config.file ?? ''],
    ['io_threads_active', 0],
    ...(settings.availabilityZone === '' ? [] : [['availability_zone', settings.availabilityZone] as const]),
  ]
}

function clientsSection(engine: RespEngine): Field[] {
  const { pause } = engine
  const clients = [...engine.clients.values()]
  const connections = clients.flatMap(({ connection }) => (connection === null ? [] : [connection]))
  return [
    ['connected_clients', clients.length],
    ['cluster_connections', 0],
    ['maxclients', engine.settings.maxclients],
    ['client_recent_max_input_buffer', maximum(connections.map((connection) => connection.inputBufferBytes))],
    ['client_recent_max_output_buffer', maximum(connections.map((connection) => connection.unsentBytes))],
    ['blocked_clients', engine.waiting.count + pause.heldCount],
    ['tracking_clients', engine.tracking.clientCount],
    ['pubsub_clients', clients.filter((client) => client.isSubscribed).length],
    ['watching_clients', engine.watches.clientCount],
    ['clients_in_timeout_table', clients.filter(({ blocked }) => blocked !== null && blocked.timer !== null).length],
    ['total_watched_keys', engine.watches.keyCount],
    ['total_blocking_keys', engine.blocking.keyCount],
    ['total_blocking_keys_on_nokey', engine.blocking.keyCountOnMissing],
    ['paused_reason', pause.isOn ? 'client_pause' : 'none'],
    ['paused_actions', pause.scope ?? 'none'],
    ['paused_timeout_milliseconds', pause.remainingMs],
  ]
}

function maximum(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
}

function memorySection(engine: RespEngine): Field[] {
  const report = memoryReport(engine)
  const { settings, store, scripts } = engine
  scripts.collect()
  const { usedBytes, rssBytes, peakBytes, allocatedBytes, activeBytes, residentBytes } = report
  const systemBytes = totalmem()
  return [
    ...withHuman('used_memory', usedBytes),
    ...withHuman('used_memory_rss', rssBytes),
    ...withHuman('used_memory_peak', peakBytes),
    ['used_memory_peak_perc', `${(100 * ratio(usedBytes, peakBytes)).toFixed(2)}%`],
    ['used_memory_overhead', report.overheadBytes],
    ['used_memory_startup', report.startupBytes],
    ['used_memory_dataset', report.datasetBytes],
    ['used_memory_dataset_perc', `${datasetPercent(report).toFixed(2)}%`],
    ['used_memory_js_heap', process.memoryUsage().heapUsed],
    ['allocator_allocated', allocatedBytes],
    ['allocator_active', activeBytes],
    ['allocator_resident', residentBytes],
    ...withHuman('total_system_memory', systemBytes),
    ['used_memory_vm_eval', scripts.vmBytes],
    ...withHuman('used_memory_lua', scripts.vmBytes),
    ['used_memory_scripts_eval', scripts.cacheBytes],
    ['number_of_cached_scripts', scripts.count],
    ['number_of_functions', scripts.libraries.functionCount],
    ['number_of_libraries', scripts.libraries.libraryCount],
    ['used_memory_vm_functions', scripts.libraries.vmBytes],
    ...withHuman('used_memory_vm_total', scripts.vmBytes + scripts.libraries.vmBytes),
    ['used_memory_functions', scripts.libraries.memoryBytes],
    ...withHuman('used_memory_scripts', scripts.cacheBytes + scripts.libraries.memoryBytes),
    ...withHuman('maxmemory', settings.maxmemory),
    ['maxmemory_policy', settings.maxmemoryPolicy],
    ['allocator_frag_ratio', ratio(activeBytes, allocatedBytes).toFixed(2)],
    ['allocator_frag_bytes', activeBytes - allocatedBytes],
    ['allocator_rss_ratio', ratio(residentBytes, activeBytes).toFixed(2)],
    ['allocator_rss_bytes', residentBytes - activeBytes],
    ['rss_overhead_ratio', ratio(rssBytes, residentBytes).toFixed(2)],
    ['rss_overhead_bytes', rssBytes - residentBytes],
    ['mem_fragmentation_ratio', ratio(rssBytes, usedBytes).toFixed(2)],
    ['mem_fragmentation_bytes', rssBytes - usedBytes],
    ['mem_not_counted_for_evict', engine.memoryLimit.notCountedBytes()],
    ['mem_eviction_tables', store.eviction.sizeBytes],
    ['mem_replication_backlog', 0],
    ['mem_total_replication_buffers', 0],
    ['mem_clients_slaves', 0],
    ['mem_clients_normal', report.clientBytes],
    ['mem_tracking_table', engine.tracking.table.sizeBytes],
    ['mem_cluster_links', 0],
    ['mem_aof_buffer', 0],
    ['mem_allocator', 'headpond'],
    ['active_defrag_running', 0],
    ['lazyfree_pending_objects', store.lazyFree.pendingObjectCount],
    ['lazyfreed_objects', store.lazyFree.freedObjectCount],
  ]
}

function persistenceSection(engine: RespEngine): Field[] {
  const { rdb, aof, snapshots, loading } = engine.persistence
  const { active } = snapshots
  const nowMs = engine.clock.nowMs()
  const savedCount = active?.snapshot.savedCount ?? 0
  const savingCount = active?.snapshot.keyCount ?? 0
  return [
    ['loading', loading.isActive ? 1 : 0],
    ['async_loading', 0],
    ['current_cow_peak', 0],
    ['current_cow_size', 0],
    ['current_cow_size_age', 0],
    ['current_fork_perc', (100 * ratio(savedCount, savingCount)).toFixed(2)],
    ['current_save_keys_processed', savedCount],
    ['current_save_keys_total', savingCount],
    ['rdb_changes_since_last_save', rdb.changesSinceSave],
    ['rdb_bgsave_in_progress', rdb.isSaving ? 1 : 0],
    ['rdb_last_save_time', Math.floor(rdb.lastSaveAtMs / 1000)],
    ['rdb_last_bgsave_status', rdb.lastStatus],
    ['rdb_last_bgsave_time_sec', rdb.lastDurationSeconds],
    [
      'rdb_current_bgsave_time_sec',
      active !== null && rdb.isSaving ? Math.floor((nowMs - active.startedAtMs) / 1000) : -1,
    ],
    ['rdb_saves', rdb.saveCount],
    ['rdb_last_cow_size', 0],
    ['rdb_last_load_keys_expired', rdb.lastExpiredCount],
    ['rdb_last_load_keys_loaded', rdb.lastLoadedCount],
    ['aof_enabled', aof.state === 'off' ? 0 : 1],
    ['aof_rewrite_in_progress', aof.isRewriting ? 1 : 0],
    ['aof_rewrite_scheduled', aof.isRewriteScheduled ? 1 : 0],
    ['aof_last_rewrite_time_sec', aof.lastRewriteSeconds],
    [
      'aof_current_rewrite_time_sec',
      active !== null && aof.isRewriting ? Math.floor((nowMs - active.startedAtMs) / 1000) : -1,
    ],
    ['aof_last_bgrewrite_status', aof.lastRewriteStatus],
    ['aof_rewrites', aof.rewriteCount],
    ['aof_rewrites_consecutive_failures', aof.failureCount],
    ['aof_last_write_status', aof.writer.problem === null ? 'ok' : 'err'],
    ['aof_last_cow_size', 0],
    ['module_fork_in_progress', 0],
    ['module_fork_last_cow_size', 0],
    ...(aof.state === 'off' ? [] : appendOnlyFields(aof)),
    ...(loading.isActive ? loadingFields(loading, nowMs) : []),
  ]
}

function appendOnlyFields(aof: AppendOnly): Field[] {
  return [
    ['aof_current_size', aof.sizeBytes],
    ['aof_base_size', aof.rewriteBaseBytes],
    ['aof_pending_rewrite', aof.isRewriteScheduled ? 1 : 0],
    ['aof_buffer_length', aof.writer.pendingBytes],
    ['aof_pending_bio_fsync', aof.writer.isSyncing ? 1 : 0],
    ['aof_delayed_fsync', aof.writer.delayedSyncCount],
  ]
}

function loadingFields(loading: Loading, nowMs: number): Field[] {
  return [
    ['loading_start_time', Math.floor(loading.startedAtMs / 1000)],
    ['loading_total_bytes', loading.totalBytes],
    ['loading_rdb_used_mem', loading.writerUsedBytes],
    ['loading_loaded_bytes', loading.loadedBytes],
    ['loading_loaded_perc', loading.percent.toFixed(2)],
    ['loading_eta_seconds', loading.secondsLeft(nowMs)],
  ]
}

function statsSection(engine: RespEngine): Field[] {
  const { statistics, store, pubsub, tracking } = engine
  const denials = engine.acl.log.counts
  return [
    ['total_connections_received', engine.connectionCount],
    ['total_commands_processed', engine.commandCount],
    ['instantaneous_ops_per_sec', Math.round(statistics.commandRate.perSecond)],
    ['total_net_input_bytes', statistics.inputBytes],
    ['total_net_output_bytes', statistics.outputBytes],
    ['total_net_repl_input_bytes', 0],
    ['total_net_repl_output_bytes', 0],
    ['instantaneous_input_kbps', (statistics.inputRate.perSecond / 1024).toFixed(2)],
    ['instantaneous_output_kbps', (statistics.outputRate.perSecond / 1024).toFixed(2)],
    ['instantaneous_input_repl_kbps', '0.00'],
    ['instantaneous_output_repl_kbps', '0.00'],
    ['rejected_connections', engine.refusedCount],
    ['sync_full', 0],
    ['sync_partial_ok', 0],
    ['sync_partial_err', 0],
    ['expired_subkeys', store.expiredFieldCount],
    ['expired_keys', store.expiredCount],
    ['expired_stale_perc', '0.00'],
    ['expired_time_cap_reached_count', store.activeExpiry.cutShortCount],
    ['expire_cycle_cpu_milliseconds', Math.floor(statistics.backgroundUs / 1000)],
    ['evicted_keys', store.eviction.evictedCount],
    ['evicted_clients', engine.clientEviction.evictedCount],
    ['total_eviction_exceeded_time', engine.memoryLimit.exceededMs],
    ['current_eviction_exceeded_time', engine.memoryLimit.currentlyExceededMs],
    ['keyspace_hits', store.hitCount],
    ['keyspace_misses', store.missCount],
    ['pubsub_channels', pubsub.channels.size],
    ['pubsub_patterns', pubsub.patterns.size],
    ['pubsubshard_channels', pubsub.shardChannels.size],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['migrate_cached_sockets', 0],
    ['slave_expires_tracked_keys', 0],
    ['active_defrag_hits', 0],
    ['active_defrag_misses', 0],
    ['active_defrag_key_hits', 0],
    ['active_defrag_key_misses', 0],
    ['total_active_defrag_time', 0],
    ['current_active_defrag_time', 0],
    ['tracking_total_keys', tracking.table.keyCount],
    ['tracking_total_items', tracking.table.itemCount],
    ['tracking_total_prefixes', tracking.prefixCount],
    ['unexpected_error_replies', 0],
    ['total_error_replies', statistics.errors.total],
    ['dump_payload_sanitizations', 0],
    ['total_reads_processed', statistics.readCount],
    ['total_writes_processed', engine.outgoing.writeCount],
    ['io_threaded_reads_processed', 0],
    ['io_threaded_writes_processed', 0],
    ['reply_buffer_shrinks', 0],
    ['reply_buffer_expands', 0],
    ['client_query_buffer_limit_disconnections', engine.inputOverflowCount],
    ['client_output_buffer_limit_disconnections', engine.outputOverflowCount],
    ['acl_access_denied_auth', denials.auth],
    ['acl_access_denied_cmd', denials.command],
    ['acl_access_denied_key', denials.key],
    ['acl_access_denied_channel', denials.channel],
  ]
}

function replicationSection(engine: RespEngine): Field[] {
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
    ['master_failover_state', 'no-failover'],
    ['master_replid', engine.identity.replicationId],
    ['master_replid2', '0'.repeat(40)],
    ['master_repl_offset', 0],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 0],
    ['repl_backlog_size', engine.settings.replBacklogSize],
    ['repl_backlog_first_byte_offset', 0],
    ['repl_backlog_histlen', 0],
  ]
}

function cpuSection(): Field[] {
  const whole = process.cpuUsage()
  const fields: Field[] = [
    ['used_cpu_sys', seconds(whole.system)],
    ['used_cpu_user', seconds(whole.user)],
    ['used_cpu_sys_children', seconds(0)],
    ['used_cpu_user_children', seconds(0)],
  ]
  // Node tells the time of a single thread since version 23.9; Redis too leaves these out where the system has none.
  const { threadCpuUsage } = process as { threadCpuUsage?: () => { system: number; user: number } }
  if (threadCpuUsage === undefined) return fields
  const mainThread = threadCpuUsage.call(process)
  return [
    ...fields,
    ['used_cpu_sys_main_thread', seconds(mainThread.system)],
    ['used_cpu_user_main_thread', seconds(mainThread.user)],
  ]
}

function seconds(microseconds: number): string {
  return (microseconds / 1e6).toFixed(6)
}

function commandSection(engine: RespEngine): Field[] {
  return engine.table
    .withSubcommands()
    .filter((command) => command.callCount + command.rejectedCount + command.failedCount > 0)
    .map((command) => {
      const { callCount, totalUs, rejectedCount, failedCount } = command
      const usPerCall = ratio(totalUs, callCount).toFixed(2)
      return [
        `cmdstat_${command.fullName}`,
        `calls=${callCount},usec=${totalUs},usec_per_call=${usPerCall},rejected_calls=${rejectedCount},failed_calls=${failedCount}`,
      ]
    })
}

function errorSection(engine: RespEngine): Field[] {
  return [...engine.statistics.errors.byCode].map(([code, count]) => [`errorstat_${code}`, `count=${count}`])
}

function latencySection(engine: RespEngine): Field[] {
  const { latencyTracking, latencyTrackingInfoPercentiles } = engine.settings
  if (!latencyTracking) return []
  const percentiles = (command: Command) =>
    latencyTrackingInfoPercentiles
      .map((percent) => `p${percent}=${command.latency.percentileUs(percent).toFixed(3)}`)
      .join(',')
  return engine.table
    .withSubcommands()
    .filter((command) => command.timedCount > 0 && command.latency.count > 0)
    .map((command) => [`latency_percentiles_usec_${command.fullName}`, percentiles(command)])
}

function keyspaceSection(engine: RespEngine): Field[] {
  return engine.store.databases
    .filter((database) => database.count > 0)
    .map(({ index, count, expires, fieldExpires }) => [
      `db${index}`,
      `keys=${count},expires=${expires.count},avg_ttl=${expires.averageTtlMs(engine.clock.nowMs())},` +
        `subexpiry=${fieldExpires.count}`,
    ])
}

function withHuman(name: string, sizeBytes: number): Field[] {
  return [
    [name, sizeBytes],
    [`${name}_human`, human(sizeBytes)],
  ]
}

/** As Redis shortens sizes: 1023B, 1.00K, 23.54G. */
function human(sizeBytes: number): string {
  let value = sizeBytes
  for (const unit of ['B', 'K', 'M', 'G', 'T']) {
    if (value < 1024) return unit === 'B' ? `${value}B` : `${value.toFixed(2)}${unit}`
    value /= 1024
  }
  return `${value.toFixed(2)}P`
}
