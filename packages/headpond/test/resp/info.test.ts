import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer, type HeadpondServer } from '#src/index.ts'
import type { ReplyValue } from '#src/resp/decoder.ts'
import { encodeCommand, RawClient } from '../raw-client.ts'
import { ServerProcess } from '../server-process.ts'

const MEGABYTE = 2 ** 20

function fieldsOf(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}

async function info(server: HeadpondServer, ...sections: string[]): Promise<Map<string, string>> {
  return fieldsOf(String(await server.execute('INFO', ...sections)))
}

async function infoOver(client: RawClient): Promise<Map<string, string>> {
  client.send('INFO', 'memory')
  await client.waitFor(1, 5000)
  const [reply] = client.take()
  assert(reply.marker === '$' && reply.text !== null)
  return fieldsOf(reply.text.toString())
}

/** The keys of a load in one piece: 16-byte keys. */
function load(from: number, to: number, valueBytes: number): Buffer {
  const value = Buffer.alloc(valueBytes, 'v')
  const commands: Buffer[] = []
  for (let number = from; number < to; number++) {
    commands.push(encodeCommand(['SET', `key:${String(number).padStart(12, '0')}`, value]))
  }
  return Buffer.concat(commands)
}

test('fields that have expired are counted beside the keys', async () => {
  await using server = await createServer()
  const expiredFields = async () =>
    /\r\nexpired_subkeys:(\d+)\r/.exec(String(await server.execute('INFO', 'stats')))?.[1]
  await server.execute('HSET', 'h', 'a', '1', 'b', '2', 'c', '3')
  await server.execute('HPEXPIRE', 'h', '1000', 'FIELDS', '2', 'a', 'b')
  assert.equal(await expiredFields(), '0')
  server.clock.advance('2s')
  assert.equal(await server.execute('HGET', 'h', 'a'), null)
  assert.deepEqual(await server.execute('HKEYS', 'h'), ['c'])
  assert.equal(await expiredFields(), '2')
  await server.execute('CONFIG', 'RESETSTAT')
  assert.equal(await expiredFields(), '0')
})

test('CONFIG RESETSTAT begins to count writes anew', async () => {
  await using server = await createServer()
  for (let call = 0; call < 10; call++) await server.execute('PING')
  const writes = async () => Number((await info(server, 'stats')).get('total_writes_processed'))
  assert((await writes()) >= 10)
  await server.execute('CONFIG', 'RESETSTAT')
  assert((await writes()) < 10)
})

test('used_memory grows as the resident memory of the process does, within an eighth and 8 MB', async (t) => {
  const server = await ServerProcess.start()
  try {
    if (server.rssBytes() === undefined) return t.skip('there is no /proc here')
    const client = await server.connect()
    const loadKeys = async (from: number, to: number) => {
      for (let first = from; first < to; first += 10_000) {
        client.sendBytes(load(first, first + 10_000, 100))
        await client.waitFor(10_000, 20_000)
        assert.equal(client.take().length, 10_000)
      }
    }
    // What Node itself needs for compiled code and buffers is there after the first keys.
    await loadKeys(0, 50_000)
    const before = await infoOver(client)
    const rssBefore = server.rssBytes()!
    await loadKeys(50_000, 350_000)
    const after = await infoOver(client)
    const rssGrowth = server.rssBytes()! - rssBefore
    const usedGrowth = Number(after.get('used_memory')) - Number(before.get('used_memory'))
    assert.ok(usedGrowth > 300_000 * 116, `${usedGrowth} bytes for 300,000 keys of 116 bytes`)
    assert.ok(
      Math.abs(rssGrowth - usedGrowth) < usedGrowth / 8 + 8 * MEGABYTE,
      `resident: ${rssGrowth}, accounted: ${usedGrowth}`,
    )
    const dataset = Number(after.get('used_memory_dataset'))
    const overhead = Number(after.get('used_memory_overhead'))
    assert.equal(dataset + overhead, Number(after.get('used_memory')))
    assert.ok(dataset > 350_000 * 116 && overhead > 350_000 * 20)
    const shownRss = Number(after.get('used_memory_rss'))
    assert.ok(Math.abs(shownRss - server.rssBytes()!) < 16 * MEGABYTE)
    const ratio = Number(after.get('mem_fragmentation_ratio'))
    assert.ok(Math.abs(ratio - shownRss / Number(after.get('used_memory'))) < 0.01)

    // The peak stays when the data goes.
    await client.call('FLUSHALL')
    const flushed = await infoOver(client)
    assert.ok(Number(flushed.get('used_memory')) < Number(before.get('used_memory')))
    assert.ok(Number(flushed.get('used_memory_peak')) >= Number(after.get('used_memory')))
    client.close()
  } finally {
    await server.stop()
  }
})

test('every section has the fields of Redis 7.0', async () => {
  const server = await createServer()
  try {
    const everything = await info(server, 'everything')
    for (const name of FIELDS.trim().split(/\s+/)) assert.ok(everything.has(name), `no field ${name}`)
    assert.equal(everything.get('tcp_port'), String(server.port))
    assert.equal(everything.get('process_id'), String(process.pid))
    assert.match(everything.get('redis_version')!, /^7\.4\.\d+$/)
    assert.match(everything.get('run_id')!, /^[0-9a-f]{40}$/)
    server.clock.advance('2d')
    assert.equal((await info(server, 'server')).get('uptime_in_days'), '2')
  } finally {
    await server.close()
  }
})

test('clients that subscribe, watch, wait and are paused are counted', async () => {
  await using server = await createServer()
  const client = await RawClient.connect(server.port)
  const waiting = await RawClient.connect(server.port)
  const shown = async () => {
    const fields = await info(server, 'clients')
    const names = ['pubsub_clients', 'watching_clients', 'total_watched_keys', 'total_blocking_keys']
    return [...names, 'total_blocking_keys_on_nokey'].map((name) => Number(fields.get(name)))
  }
  const paused = async () => {
    const fields = await info(server, 'clients')
    return ['paused_reason', 'paused_actions', 'paused_timeout_milliseconds'].map((name) => fields.get(name))
  }
  const turnUntilBlocked = async () => {
    while ((await info(server, 'clients')).get('blocked_clients') === '0') await turn()
  }
  try {
    assert.deepEqual(await shown(), [0, 0, 0, 0, 0])
    await client.call('XGROUP', 'CREATE', 'stream', 'group', '$', 'MKSTREAM')
    await client.call('WATCH', 'a', 'b')
    await client.call('SUBSCRIBE', 'news')
    waiting.send('BLPOP', 'c', 'd', 'e', '0')
    await turnUntilBlocked()
    assert.deepEqual(await shown(), [1, 1, 2, 3, 0])
    await server.execute('RPUSH', 'd', '1')
    await waiting.next()
    await client.call('RESET')
    waiting.send('XREADGROUP', 'GROUP', 'group', 'me', 'BLOCK', '0', 'STREAMS', 'stream', '>')
    await turnUntilBlocked()
    assert.deepEqual(await shown(), [0, 0, 0, 1, 1])

    assert.deepEqual(await paused(), ['none', 'none', '0'])
    await server.execute('CLIENT', 'PAUSE', 10000, 'WRITE')
    const [reason, actions, timeoutMs] = await paused()
    assert.deepEqual([reason, actions], ['client_pause', 'write'])
    assert(Number(timeoutMs) > 0 && Number(timeoutMs) <= 10000)
    await server.execute('CLIENT', 'UNPAUSE')
    assert.deepEqual(await paused(), ['none', 'none', '0'])
  } finally {
    client.close()
    waiting.close()
  }
})

test('clients, commands and traffic are counted, and CONFIG RESETSTAT begins anew', async () => {
  const server = await createServer()
  try {
    const client = await RawClient.connect(server.port)
    const request = encodeCommand(['SET', 'key', 'value'])
    client.sendBytes(Buffer.concat([request, request, encodeCommand(['GET', 'key']), encodeCommand(['GET', 'none'])]))
    await client.waitFor(4, 5000)
    const stats = await info(server, 'stats', 'clients')
    assert.equal(stats.get('connected_clients'), '1')
    assert.equal(stats.get('total_connections_received'), '1')
    assert.equal(stats.get('keyspace_hits'), '1')
    assert.equal(stats.get('keyspace_misses'), '1')
    assert.equal(Number(stats.get('total_net_input_bytes')), 2 * request.length + 22 + 23)
    assert.equal(stats.get('total_net_output_bytes'), String('+OK\r\n+OK\r\n$5\r\nvalue\r\n$-1\r\n'.length))

    // What a closed connection has sent still counts.
    client.close()
    while ((await info(server, 'clients')).get('connected_clients') !== '0') await turn()
    assert.equal((await info(server, 'stats')).get('total_net_input_bytes'), stats.get('total_net_input_bytes'))

    await server.execute('CONFIG', 'RESETSTAT')
    const afterReset = await info(server, 'stats')
    assert.equal(afterReset.get('total_net_input_bytes'), '0')
    assert.equal(afterReset.get('total_net_output_bytes'), '0')
    assert.equal(afterReset.get('total_connections_received'), '0')
    assert.equal(afterReset.get('keyspace_hits'), '0')
    // The reset is the first command to count.
    await server.execute('CONFIG', 'RESETSTAT')
    const calls = await info(server, 'commandstats')
    assert.match(calls.get('cmdstat_config|resetstat')!, /^calls=1,/)
    assert.equal(calls.get('cmdstat_info'), undefined, 'a command counts when it is over')
  } finally {
    await server.close()
  }
})

test('commands that are timed now and then count in full', async () => {
  const server = await createServer()
  try {
    const client = await RawClient.connect(server.port)
    client.sendBytes(Buffer.concat(Array.from({ length: 1000 }, () => encodeCommand(['INCR', 'counter']))))
    await client.waitFor(1000, 5000)
    const line = (await info(server, 'commandstats')).get('cmdstat_incr')!
    const figures = new Map(line.split(',').map((part) => part.split('=') as [string, string]))
    assert.equal(figures.get('calls'), '1000')
    assert.ok(Math.abs(Number(figures.get('usec')) / 1000 - Number(figures.get('usec_per_call'))) < 0.01)
    const histogram = (await server.execute('LATENCY', 'HISTOGRAM', 'incr')) as unknown as Record<
      string,
      HistogramReply
    >
    assert.equal(histogram['incr'].calls, 1000)
    const counts = Object.values(histogram['incr'].histogram_usec)
    assert.equal(counts.at(-1), 1000)
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    )
    client.close()
  } finally {
    await server.close()
  }
})

test('operations a second rise under load', async () => {
  const server = await createServer()
  try {
    const client = await RawClient.connect(server.port)
    const batch = Buffer.concat(Array.from({ length: 100 }, () => encodeCommand(['PING'])))
    let risen: string[] = []
    const untilMs = performance.now() + 10_000
    while (risen.length < 3 && performance.now() < untilMs) {
      client.sendBytes(batch)
      await client.waitFor(100, 5000)
      client.take()
      const stats = await info(server, 'stats')
      const names = ['instantaneous_ops_per_sec', 'instantaneous_input_kbps', 'instantaneous_output_kbps']
      risen = names.filter((name) => Number(stats.get(name)) > 0)
    }
    assert.equal(risen.length, 3, `only these: ${risen}`)
    client.close()
  } finally {
    await server.close()
  }
})

interface HistogramReply {
  readonly calls: ReplyValue
  readonly histogram_usec: Record<string, number>
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

const FIELDS = `
redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits monotonic_clock multiplexing_api
atomicvar_api gcc_version process_id process_supervised run_id tcp_port server_time_usec uptime_in_seconds
uptime_in_days hz configured_hz lru_clock executable config_file io_threads_active connected_clients cluster_connections
maxclients client_recent_max_input_buffer client_recent_max_output_buffer blocked_clients tracking_clients
clients_in_timeout_table used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak
used_memory_peak_human used_memory_peak_perc used_memory_overhead used_memory_startup used_memory_dataset
used_memory_dataset_perc allocator_allocated allocator_active allocator_resident total_system_memory
total_system_memory_human used_memory_lua used_memory_vm_eval used_memory_lua_human used_memory_scripts_eval
number_of_cached_scripts number_of_functions number_of_libraries used_memory_vm_functions used_memory_vm_total
used_memory_vm_total_human used_memory_functions used_memory_scripts used_memory_scripts_human maxmemory maxmemory_human
maxmemory_policy allocator_frag_ratio allocator_frag_bytes allocator_rss_ratio allocator_rss_bytes rss_overhead_ratio
rss_overhead_bytes mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict mem_replication_backlog
mem_total_replication_buffers mem_clients_slaves mem_clients_normal mem_cluster_links mem_aof_buffer mem_allocator
active_defrag_running lazyfree_pending_objects lazyfreed_objects loading async_loading current_cow_peak current_cow_size
current_cow_size_age current_fork_perc current_save_keys_processed current_save_keys_total rdb_changes_since_last_save
rdb_bgsave_in_progress rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec
rdb_saves rdb_last_cow_size rdb_last_load_keys_expired rdb_last_load_keys_loaded aof_enabled aof_rewrite_in_progress
aof_rewrite_scheduled aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_bgrewrite_status aof_rewrites
aof_rewrites_consecutive_failures aof_last_write_status aof_last_cow_size module_fork_in_progress
module_fork_last_cow_size total_connections_received total_commands_processed instantaneous_ops_per_sec
total_net_input_bytes total_net_output_bytes total_net_repl_input_bytes total_net_repl_output_bytes
instantaneous_input_kbps instantaneous_output_kbps instantaneous_input_repl_kbps instantaneous_output_repl_kbps
rejected_connections sync_full sync_partial_ok sync_partial_err expired_subkeys expired_keys expired_stale_perc
expired_time_cap_reached_count expire_cycle_cpu_milliseconds evicted_keys evicted_clients total_eviction_exceeded_time
current_eviction_exceeded_time keyspace_hits keyspace_misses pubsub_channels pubsub_patterns pubsubshard_channels
latest_fork_usec total_forks migrate_cached_sockets slave_expires_tracked_keys active_defrag_hits active_defrag_misses
active_defrag_key_hits active_defrag_key_misses total_active_defrag_time current_active_defrag_time tracking_total_keys
tracking_total_items tracking_total_prefixes unexpected_error_replies total_error_replies dump_payload_sanitizations
total_reads_processed total_writes_processed io_threaded_reads_processed io_threaded_writes_processed
reply_buffer_shrinks reply_buffer_expands role connected_slaves master_failover_state master_replid master_replid2
master_repl_offset second_repl_offset repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset
repl_backlog_histlen used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children cluster_enabled
`
