/**
 * The table of all directives. A row feeds the configuration file, flags, environment variables, CONFIG GET, SET and
 * REWRITE, `--help`, and the static type of the settings: `maxmemory-samples` is `settings.maxmemorySamples`, a number.
 *
 * Names, types, ranges and defaults are Redis 7.0's, with what Redis 7.2 to 8 and Valkey 8 added; what is Headpond's
 * own stands in the section "Headpond". To add a directive, add a row. When Headpond begins to act on one, take away
 * its `acting: false` (or its section's, and mark the others).
 */

import { checkProcTitle } from './proc-title.ts'
import { checkHostname, checkName } from './text-checks.ts'
import {
  addresses,
  bool,
  INT_MAX,
  INT_MIN,
  integer,
  keyspaceEvents,
  LONG_MAX,
  master,
  memory,
  memoryOrPercent,
  namedOneOf,
  octal,
  oneOf,
  oomScores,
  optionalText,
  outputBufferLimits,
  percentiles,
  port,
  savePoints,
  shutdownOptions,
  statements,
  text,
  UINT_MAX,
  ULONG_MAX,
  type ValueType,
} from './value-types.ts'

/**
 * Whether a value changes what Headpond does: `true`; `false` for a part that is not there yet; `'never'` where that
 * which it tunes does not exist in this design (jemalloc, forked children, I/O threads).
 */
export type Acting = boolean | 'never'

interface Row {
  readonly name: string
  readonly aliases?: readonly string[]
  // biome-ignore lint/suspicious/noExplicitAny: rows of all value types stand in one table
  readonly type: ValueType<any>
  /** As it would stand in a configuration file; lists are cut at each space. */
  readonly default: string
  readonly summary: string
  /** Takes effect at start only: CONFIG SET refuses it. */
  readonly startOnly?: true
  /** CONFIG SET refuses it unless `enable-protected-configs` allows it: a way out of the data directory. */
  readonly guarded?: true
  /** A secret: its value is never repeated in a message. */
  readonly secret?: true
  /** For tests of servers: CONFIG GET shows it only when asked by its full name, `--help` does not. */
  readonly hidden?: true
  /** Lives in files and flags alone, and is no parameter of CONFIG GET and SET. */
  readonly fileOnly?: true
  /** Names a file whose content counts: CONFIG SET of the same name is a change too. */
  readonly namesFile?: true
  readonly acting?: Acting
}

interface Section {
  readonly title: string
  /** For all rows of the section that do not say otherwise. */
  readonly acting?: Acting
  readonly rows: readonly Row[]
}

const protectedAction = oneOf(['no', 'yes', 'local'])
const portOrNone = integer(0, 65535, { unit: 'port' })
const seconds = integer(0, INT_MAX, { unit: 'seconds' })
const count = integer(0, LONG_MAX)

/** The section of what is no directive of Redis. */
export const OWN_SECTION = 'Headpond'

/** Each row is two lines at most: a table is read down its columns. */
// biome-ignore format: one row, one place
const sections = [
  { title: OWN_SECTION, acting: false, rows: [
    { name: 'ephemeral', type: bool, default: 'no', startOnly: true, acting: true,
      summary: 'Keep nothing on disk' },
    { name: 'memcached-port', type: port, default: '11211', startOnly: true, acting: true,
      summary: 'Port of the memcached protocol' },
    { name: 'memcached-max-item-size', type: memory(1024, 2 ** 30), default: '1mb', startOnly: true, acting: true,
      summary: 'Largest item of the memcached protocol, key and header included' },
    { name: 'memcached-unixsocket', type: optionalText({ placeholder: '<path>' }), default: '', startOnly: true,
      acting: true, summary: 'Unix socket of the memcached protocol' },
    { name: 'kafka-port', type: port, default: '9092', startOnly: true, acting: true,
      summary: 'Port of the Kafka protocol' },
    { name: 'kafka-advertised-host', type: optionalText({ placeholder: '<host>[:<port>]' }), default: '',
      startOnly: true, acting: true, summary: 'Host that Kafka clients are told to connect to, and the port if it is another' },
    { name: 'http-port', type: port, default: '8080', startOnly: true, summary: 'Port of metrics, health and console' },
    { name: 'busy-poll-us', type: integer(0, 1000, { unit: 'microseconds' }), default: '50', acting: true,
      summary: 'Time to stay awake for the next request; 0: sleep at once' },
    { name: 'log-format', type: oneOf(['auto', 'json', 'pretty']), default: 'auto', startOnly: true, acting: true,
      summary: 'Log lines: JSON, or pretty; auto is pretty on a terminal' },
  ] },

  { title: 'Network', rows: [
    { name: 'bind', type: addresses, default: '127.0.0.1 -::1', summary: 'Addresses to listen on; * is all of them' },
    { name: 'port', type: port, default: '6379', summary: 'Port of the Redis protocol' },
    { name: 'protected-mode', type: bool, default: 'yes',
      summary: 'Refuse clients from other machines while no password is set' },
    { name: 'tcp-backlog', type: integer(0, INT_MAX), default: '511', startOnly: true,
      summary: 'Connections that may wait to be accepted' },
    { name: 'unixsocket', type: optionalText({ placeholder: '<path>' }), default: '', startOnly: true,
      summary: 'Unix socket to listen on as well' },
    { name: 'unixsocketperm', type: octal, default: '0', startOnly: true, summary: 'Permissions of the Unix socket' },
    { name: 'timeout', type: seconds, default: '0', summary: 'Close clients idle for this long; 0: never' },
    { name: 'tcp-keepalive', type: seconds, default: '300', summary: 'Time between keep-alive probes; 0: none' },
    { name: 'bind-source-addr', type: optionalText({ placeholder: '<address>' }), default: '', acting: false,
      summary: 'Address that outgoing connections come from' },
    { name: 'socket-mark-id', type: integer(0, UINT_MAX), default: '0', startOnly: true, acting: 'never',
      summary: "Mark of the listening sockets for the system's packet filter" },
    { name: 'max-new-connections-per-cycle', type: integer(1, 1000), default: '10', acting: 'never',
      summary: 'Connections accepted in one turn' },
    { name: 'max-new-tls-connections-per-cycle', type: integer(1, 1000), default: '1', acting: 'never',
      summary: 'TLS connections accepted in one turn' },
  ] },

  { title: 'General', rows: [
    { name: 'include', type: statements('<path>', 1, 1), default: '', fileOnly: true,
      summary: 'Read another file here; * and ? match several' },
    { name: 'databases', type: integer(1, INT_MAX), default: '16', startOnly: true, summary: 'Number of databases' },
    { name: 'hz', type: integer(0, INT_MAX, { clamp: [1, 500] }), default: '10',
      summary: 'How often a second background work runs' },
    { name: 'dynamic-hz', type: bool, default: 'yes', summary: 'Raise hz when many clients are connected' },
    { name: 'loglevel', type: oneOf(['debug', 'verbose', 'notice', 'warning'], { nothing: 'warning' }),
      default: 'notice', summary: 'Least level of what is logged' },
    { name: 'logfile', type: text({ placeholder: '<path>' }), default: '', startOnly: true,
      summary: 'Log to this file instead of standard output' },
    { name: 'daemonize', type: bool, default: 'no', startOnly: true, summary: 'Run in the background' },
    // The service manager listens on a datagram socket in the file system, as syslog does: Node has none of that kind.
    { name: 'supervised', type: oneOf(['upstart', 'systemd', 'auto', 'no']), default: 'no', startOnly: true,
      acting: false, summary: 'Tell the service manager when ready' },
    { name: 'pidfile', type: optionalText({ placeholder: '<path>' }), default: '', startOnly: true,
      summary: 'File to write the process id to' },
    { name: 'shutdown-timeout', type: seconds, default: '10', acting: false,
      summary: 'How long a shutdown waits for replicas' },
    { name: 'shutdown-on-sigint', type: shutdownOptions, default: 'default',
      summary: 'What SIGINT does beside stopping' },
    { name: 'shutdown-on-sigterm', type: shutdownOptions, default: 'default',
      summary: 'What SIGTERM does beside stopping' },
    { name: 'syslog-enabled', type: bool, default: 'no', startOnly: true, acting: false, summary: 'Log to syslog as well' },
    { name: 'syslog-ident', type: text(), default: 'redis', startOnly: true, acting: false, summary: 'Name in syslog' },
    { name: 'syslog-facility', startOnly: true, acting: false, default: 'local0', summary: 'Facility in syslog',
      type: oneOf(['user', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7']) },
    { name: 'set-proc-title', type: bool, default: 'yes', startOnly: true,
      summary: 'Show address and mode in the process list' },
    { name: 'proc-title-template', type: text({ check: checkProcTitle }), default: '{title} {listen-addr} {server-mode}',
      summary: 'What the process list shows' },
    { name: 'oom-score-adj', type: oneOf(['no', 'yes', 'relative', 'absolute']), default: 'no',
      summary: "Adjust the kernel's out-of-memory score" },
    { name: 'oom-score-adj-values', type: oomScores, default: '0 200 800', summary: 'Scores of master, replica, child' },
    // The C library's rules for locales are not those of JavaScript's Intl.
    { name: 'locale-collate', type: text(), default: '', acting: false, summary: 'Locale that SORT ALPHA compares by' },
    { name: 'always-show-logo', type: bool, default: 'no', startOnly: true, acting: 'never',
      summary: 'Show the logo in logs too' },
    { name: 'ignore-warnings', type: text(), default: '', acting: 'never', summary: 'Warnings of the system check to skip' },
    { name: 'crash-log-enabled', type: bool, default: 'yes', acting: 'never', summary: 'Log a report after a crash' },
    { name: 'crash-memcheck-enabled', type: bool, default: 'yes', acting: 'never', summary: 'Test memory after a crash' },
    { name: 'loadmodule', type: statements('<path> [argument ...]', 1), default: '', fileOnly: true, acting: false,
      summary: 'Load a module' },
    { name: 'extended-redis-compatibility', type: bool, default: 'no', acting: 'never',
      summary: 'Call itself Redis in more places' },
    { name: 'availability-zone', type: optionalText(), default: '',
      summary: 'Zone that clients are told this server is in' },
  ] },

  { title: 'Clients and limits', rows: [
    { name: 'maxclients', type: integer(1, UINT_MAX), default: '10000', summary: 'Most clients connected at once' },
    { name: 'client-query-buffer-limit', type: memory(1024 ** 2, LONG_MAX), default: '1gb',
      summary: 'Most bytes of unfinished requests from a client' },
    { name: 'client-output-buffer-limit', type: outputBufferLimits,
      default: 'normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60',
      summary: 'Close clients that leave more than this unread' },
    { name: 'proto-max-bulk-len', type: memory(1024 ** 2, LONG_MAX), default: '512mb',
      summary: 'Most bytes of one argument' },
    { name: 'maxmemory-clients', type: memoryOrPercent, default: '0',
      summary: 'Most memory for all client buffers together; 0: no limit' },
    { name: 'tracking-table-max-keys', type: count, default: '1000000',
      summary: 'Keys remembered for client-side caching; 0: no limit' },
    { name: 'client-default-resp', type: integer(2, 3), default: '2', startOnly: true, hidden: true,
      summary: 'Protocol version before HELLO' },
  ] },

  { title: 'Memory and eviction', rows: [
    { name: 'maxmemory', type: memory(0, ULONG_MAX), default: '0', summary: 'Most memory for data; 0: no limit' },
    { name: 'maxmemory-policy', default: 'noeviction',
      summary: 'What gives way when memory is full: allkeys-adaptive is the best for a cache',
      type: namedOneOf('<policy>', ['volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl', 'volatile-adaptive', 'allkeys-lru',
        'allkeys-lfu', 'allkeys-random', 'allkeys-fifo', 'allkeys-adaptive', 'noeviction']) },
    { name: 'maxmemory-samples', type: integer(1, INT_MAX), default: '5', summary: 'Keys compared to choose one to evict' },
    { name: 'maxmemory-eviction-tenacity', type: integer(0, 100), default: '10',
      summary: 'How long one turn of eviction may last' },
    { name: 'lfu-log-factor', type: integer(0, INT_MAX), default: '10', summary: 'How slowly access counters grow' },
    { name: 'lfu-decay-time', type: integer(0, INT_MAX, { unit: 'minutes' }), default: '1',
      summary: 'How fast access counters fall' },
    { name: 'active-expire-effort', type: integer(1, 10), default: '1', acting: true,
      summary: 'Effort to remove expired keys that nobody asks for' },
    { name: 'lazyfree-lazy-eviction', type: bool, default: 'no', summary: 'Free evicted values in the background' },
    { name: 'lazyfree-lazy-expire', type: bool, default: 'no', summary: 'Free expired values in the background' },
    { name: 'lazyfree-lazy-server-del', type: bool, default: 'no', summary: 'Free overwritten values in the background' },
    { name: 'lazyfree-lazy-user-del', type: bool, default: 'no', summary: 'DEL works as UNLINK' },
    { name: 'lazyfree-lazy-user-flush', type: bool, default: 'no', summary: 'FLUSHALL and FLUSHDB are ASYNC' },
    { name: 'activerehashing', type: bool, default: 'yes', acting: 'never', summary: 'Move tables on while idle' },
  ] },

  { title: 'Data types', rows: [
    { name: 'hash-max-listpack-entries', aliases: ['hash-max-ziplist-entries'], type: count, default: '512',
      summary: 'Most fields of a hash in packed form' },
    { name: 'hash-max-listpack-value', aliases: ['hash-max-ziplist-value'], type: memory(0, LONG_MAX), default: '64',
      summary: 'Longest field or value of a hash in packed form' },
    { name: 'list-max-listpack-size', aliases: ['list-max-ziplist-size'], type: integer(INT_MIN, INT_MAX),
      default: '-2', summary: 'Elements in a node of a list; -1 to -5: 4 to 64 kb' },
    { name: 'list-compress-depth', type: integer(0, INT_MAX), default: '0', acting: 'never',
      summary: 'Nodes at both ends of a list left uncompressed: here all are' },
    { name: 'set-max-intset-entries', type: count, default: '512', summary: 'Most members of a set of integers, packed' },
    { name: 'set-max-listpack-entries', type: count, default: '128', summary: 'Most members of a set in packed form' },
    { name: 'set-max-listpack-value', type: count, default: '64', summary: 'Longest member of a set in packed form' },
    { name: 'zset-max-listpack-entries', aliases: ['zset-max-ziplist-entries'], type: count, default: '128',
      summary: 'Most members of a sorted set in packed form' },
    { name: 'zset-max-listpack-value', aliases: ['zset-max-ziplist-value'], type: memory(0, LONG_MAX), default: '64',
      summary: 'Longest member of a sorted set in packed form' },
    { name: 'hll-sparse-max-bytes', type: memory(0, LONG_MAX), default: '3000',
      summary: 'Largest sparse form of a HyperLogLog' },
    { name: 'stream-node-max-bytes', type: memory(0, LONG_MAX), default: '4096',
      summary: 'Largest node of a stream; 0: no limit' },
    { name: 'stream-node-max-entries', type: count, default: '100', summary: 'Most entries in a node of a stream; 0: no limit' },
  ] },

  { title: 'Persistence', rows: [
    { name: 'dir', type: text({ placeholder: '<path>' }), default: './headpond-data', guarded: true,
      summary: 'Directory of all data files' },
    { name: 'save', type: savePoints, default: '3600 1 300 100 60 10000',
      summary: 'Take a snapshot after so many seconds with so many changes' },
    { name: 'dbfilename', default: 'dump.rdb', guarded: true, summary: 'Name of the snapshot',
      type: text({ placeholder: '<name>', check: (name) => checkName(name, 'dbfilename', 'a filename', true) }) },
    { name: 'rdbcompression', type: bool, default: 'yes', summary: 'Compress texts in the snapshot' },
    { name: 'rdbchecksum', type: bool, default: 'yes', startOnly: true, summary: 'End the snapshot with a checksum' },
    { name: 'rdb-save-incremental-fsync', type: bool, default: 'yes', summary: 'Sync a snapshot in small steps' },
    { name: 'rdb-del-sync-files', acting: 'never', type: bool, default: 'no', summary: 'Delete snapshots that only replication needed' },
    { name: 'rdb-version-check', type: oneOf(['strict', 'relaxed']), default: 'strict',
      summary: 'Refuse snapshots of unknown versions' },
    { name: 'stop-writes-on-bgsave-error', type: bool, default: 'yes', summary: 'Refuse writes while snapshots fail' },
    { name: 'appendonly', type: bool, default: 'no', summary: 'Log each write to the append-only file' },
    { name: 'appendfsync', type: oneOf(['everysec', 'always', 'no']), default: 'everysec',
      summary: 'When a logged write must be on disk' },
    { name: 'appendfilename', default: 'appendonly.aof', startOnly: true, summary: 'Name of the append-only files',
      type: text({ placeholder: '<name>', check: (name) => checkName(name, 'appendfilename', 'a filename', false) }) },
    { name: 'appenddirname', default: 'appendonlydir', startOnly: true, summary: 'Directory of the append-only files',
      type: text({ placeholder: '<name>', check: (name) => checkName(name, 'appenddirname', 'a dirname', false) }) },
    { name: 'no-appendfsync-on-rewrite', type: bool, default: 'no', summary: 'Do not sync while a rewrite runs' },
    { name: 'auto-aof-rewrite-percentage', type: integer(0, INT_MAX, { unit: 'percent' }), default: '100',
      summary: 'Growth that starts a rewrite; 0: never' },
    { name: 'auto-aof-rewrite-min-size', type: memory(0, LONG_MAX), default: '64mb', summary: 'Least size for a rewrite' },
    { name: 'aof-load-truncated', type: bool, default: 'yes', summary: 'Start although the last write is cut short' },
    { name: 'aof-use-rdb-preamble', type: bool, default: 'yes', summary: 'Begin the append-only file with a snapshot' },
    { name: 'aof-timestamp-enabled', type: bool, default: 'no', summary: 'Note the time in the append-only file' },
    { name: 'aof-rewrite-incremental-fsync', type: bool, default: 'yes', summary: 'Sync a rewrite in small steps' },
    { name: 'aof-disable-auto-gc', type: bool, default: 'no', summary: 'Keep append-only files that are no longer needed' },
    { name: 'sanitize-dump-payload', acting: 'never', type: oneOf(['no', 'yes', 'clients']), default: 'no',
      summary: 'Check snapshots and RESTORE in depth: they always are' },
  ] },

  { title: 'Replication', acting: false, rows: [
    { name: 'replicaof', aliases: ['slaveof'], type: master, default: 'no one', startOnly: true,
      summary: 'Be a replica of this server' },
    { name: 'masterauth', aliases: ['primaryauth'], type: optionalText({ placeholder: '<password>' }), default: '',
      secret: true, summary: 'Password for the master' },
    { name: 'masteruser', aliases: ['primaryuser'], type: optionalText({ placeholder: '<user>' }), default: '',
      summary: 'User name for the master' },
    { name: 'replica-serve-stale-data', aliases: ['slave-serve-stale-data'], type: bool, default: 'yes',
      summary: 'Answer reads while the master is away' },
    { name: 'replica-read-only', aliases: ['slave-read-only'], type: bool, default: 'yes',
      summary: 'Refuse writes on a replica' },
    { name: 'replica-priority', aliases: ['slave-priority'], type: integer(0, INT_MAX), default: '100',
      summary: 'Lower is promoted first; 0: never' },
    { name: 'replica-announced', type: bool, default: 'yes', summary: 'Let Sentinel report this replica' },
    { name: 'replica-announce-ip', aliases: ['slave-announce-ip'], type: optionalText({ placeholder: '<address>' }),
      default: '', summary: 'Address that the master is told' },
    { name: 'replica-announce-port', aliases: ['slave-announce-port'], type: portOrNone, default: '0',
      summary: 'Port that the master is told' },
    { name: 'replica-ignore-maxmemory', aliases: ['slave-ignore-maxmemory'], type: bool, default: 'yes',
      summary: 'Leave eviction to the master' },
    { name: 'replica-ignore-disk-write-errors', type: bool, default: 'no', summary: 'Go on although writing to disk fails' },
    { name: 'replica-lazy-flush', aliases: ['slave-lazy-flush'], type: bool, default: 'no',
      summary: 'Flush in the background before a full sync' },
    { name: 'replica-full-sync-buffer-limit', type: memory(0, ULONG_MAX), default: '0',
      summary: 'Most bytes a replica keeps during a full sync' },
    { name: 'repl-backlog-size', type: memory(1, LONG_MAX, { clampMin: 16 * 1024 }), default: '1mb',
      summary: 'Bytes kept for replicas that come back' },
    { name: 'repl-backlog-ttl', type: integer(0, LONG_MAX, { unit: 'seconds' }), default: '3600',
      summary: 'How long they are kept without a replica; 0: always' },
    { name: 'repl-timeout', type: integer(1, INT_MAX, { unit: 'seconds' }), default: '60',
      summary: 'Silence after which a link is given up' },
    { name: 'repl-ping-replica-period', aliases: ['repl-ping-slave-period'], default: '10',
      type: integer(1, INT_MAX, { unit: 'seconds' }), summary: 'Time between pings to replicas' },
    { name: 'repl-diskless-sync', type: bool, default: 'yes', summary: 'Send snapshots without a file' },
    { name: 'repl-diskless-sync-delay', type: seconds, default: '5', summary: 'Wait for more replicas before sending' },
    { name: 'repl-diskless-sync-max-replicas', type: integer(0, INT_MAX), default: '0',
      summary: 'Start at once when so many wait; 0: never' },
    { name: 'repl-diskless-load', type: oneOf(['disabled', 'on-empty-db', 'swapdb']), default: 'disabled',
      summary: 'Load a snapshot from the socket' },
    { name: 'repl-disable-tcp-nodelay', type: bool, default: 'no', summary: 'Fewer, larger packets to replicas' },
    { name: 'dual-channel-replication-enabled', type: bool, default: 'no', summary: 'Full sync over a second connection' },
    { name: 'min-replicas-to-write', aliases: ['min-slaves-to-write'], type: integer(0, INT_MAX), default: '0',
      acting: true, summary: 'Refuse writes with fewer replicas than this' },
    { name: 'min-replicas-max-lag', aliases: ['min-slaves-max-lag'], type: seconds, default: '10',
      acting: true, summary: 'Silence after which a replica no longer counts' },
    { name: 'propagation-error-behavior', type: oneOf(['ignore', 'panic', 'panic-on-replicas']), default: 'ignore',
      summary: 'What a failing replicated command does' },
    { name: 'import-mode', type: bool, default: 'no', acting: true,
      summary: 'Leave expiry and eviction to the server that data is moved from' },
  ] },

  { title: 'Cluster', acting: false, rows: [
    { name: 'cluster-enabled', type: bool, default: 'no', startOnly: true, summary: 'Be a node of a cluster' },
    { name: 'cluster-config-file', type: text({ placeholder: '<path>' }), default: 'nodes.conf', startOnly: true,
      summary: 'File that the node keeps its state in' },
    { name: 'cluster-node-timeout', type: integer(0, LONG_MAX, { unit: 'ms' }), default: '15000',
      summary: 'Silence after which a node counts as failed' },
    { name: 'cluster-port', type: portOrNone, default: '0', startOnly: true, summary: 'Bus port; 0: port + 10000' },
    { name: 'cluster-announce-ip', type: optionalText({ placeholder: '<address>' }), default: '',
      summary: 'Address that other nodes are told' },
    { name: 'cluster-announce-port', type: portOrNone, default: '0', summary: 'Port that other nodes are told' },
    { name: 'cluster-announce-tls-port', type: portOrNone, default: '0', summary: 'TLS port that other nodes are told' },
    { name: 'cluster-announce-bus-port', type: portOrNone, default: '0', summary: 'Bus port that other nodes are told' },
    { name: 'cluster-announce-hostname', type: optionalText({ placeholder: '<host>', check: checkHostname }), default: '',
      summary: 'Host name that clients are told' },
    { name: 'cluster-announce-human-nodename', type: optionalText(), default: '', summary: 'Name of the node in logs' },
    { name: 'cluster-preferred-endpoint-type', type: oneOf(['ip', 'hostname', 'unknown-endpoint']), default: 'ip',
      summary: 'What clients are told to connect to' },
    { name: 'cluster-require-full-coverage', type: bool, default: 'yes', summary: 'Stop when a slot has no owner' },
    { name: 'cluster-allow-reads-when-down', type: bool, default: 'no', summary: 'Answer reads while the cluster is down' },
    { name: 'cluster-allow-pubsubshard-when-down', type: bool, default: 'yes',
      summary: 'Deliver shard messages while the cluster is down' },
    { name: 'cluster-allow-replica-migration', type: bool, default: 'yes', summary: 'Replicas move to masters without one' },
    { name: 'cluster-migration-barrier', type: integer(0, INT_MAX), default: '1', summary: 'Replicas that a master keeps' },
    { name: 'cluster-replica-no-failover', aliases: ['cluster-slave-no-failover'], type: bool, default: 'no',
      summary: 'Never promote this replica by itself' },
    { name: 'cluster-replica-validity-factor', aliases: ['cluster-slave-validity-factor'], type: integer(0, INT_MAX),
      default: '10', summary: 'How old data of a promoted replica may be' },
    { name: 'cluster-manual-failover-timeout', type: integer(1, LONG_MAX, { unit: 'ms' }), default: '5000',
      summary: 'How long a manual failover may take' },
    { name: 'cluster-link-sendbuf-limit', type: memory(0, ULONG_MAX), default: '0',
      summary: 'Most unsent bytes to another node; 0: no limit' },
    { name: 'cluster-ping-interval', type: integer(0, LONG_MAX, { unit: 'ms' }), default: '1000', hidden: true,
      summary: 'Time between pings to other nodes' },
    { name: 'cluster-slot-stats-enabled', type: bool, default: 'no', summary: 'Count work for each slot' },
  ] },

  { title: 'Security', rows: [
    { name: 'requirepass', type: optionalText({ placeholder: '<password>' }), default: '', secret: true,
      summary: 'Password of the default user' },
    { name: 'user', type: statements('<name> [rule ...]', 1), default: '', fileOnly: true, secret: true,
      summary: 'A user and what it may do' },
    { name: 'aclfile', type: text({ placeholder: '<path>' }), default: '', startOnly: true,
      summary: 'File of users' },
    { name: 'acllog-max-len', type: count, default: '128', summary: 'Entries in ACL LOG' },
    { name: 'acl-pubsub-default', type: oneOf(['allchannels', 'resetchannels']), default: 'resetchannels',
      summary: 'Channels of a new user' },
    { name: 'rename-command', type: statements('<command> <name>', 2, 2), default: '', fileOnly: true,
      summary: 'Give a command another name, or "" for none' },
    { name: 'enable-protected-configs', type: protectedAction, default: 'no', startOnly: true,
      summary: 'Who may change dir and dbfilename by CONFIG SET' },
    { name: 'enable-debug-command', type: protectedAction, default: 'no', startOnly: true,
      summary: 'Who may use DEBUG' },
    { name: 'enable-module-command', type: protectedAction, default: 'no', startOnly: true,
      summary: 'Who may use MODULE' },
    { name: 'hide-user-data-from-log', type: bool, default: 'yes', acting: 'never',
      summary: 'Keep keys and values out of the log: they never stand there' },
  ] },

  { title: 'TLS', rows: [
    { name: 'tls-port', type: port, default: '0', summary: 'Port of the Redis protocol over TLS' },
    { name: 'tls-cert-file', type: optionalText({ placeholder: '<path>' }), default: '', namesFile: true,
      summary: 'Certificate, with those that lead to an authority' },
    { name: 'tls-key-file', type: optionalText({ placeholder: '<path>' }), default: '', namesFile: true,
      summary: 'Private key' },
    { name: 'tls-key-file-pass', type: optionalText({ placeholder: '<password>' }), default: '', secret: true,
      summary: 'Password of the private key' },
    { name: 'tls-client-cert-file', type: optionalText({ placeholder: '<path>' }), default: '', namesFile: true, acting: false,
      summary: 'Certificate for outgoing connections' },
    { name: 'tls-client-key-file', type: optionalText({ placeholder: '<path>' }), default: '', namesFile: true, acting: false,
      summary: 'Private key for outgoing connections' },
    { name: 'tls-client-key-file-pass', type: optionalText({ placeholder: '<password>' }), default: '', secret: true, acting: false,
      summary: 'Password of that key' },
    { name: 'tls-ca-cert-file', type: optionalText({ placeholder: '<path>' }), default: '', namesFile: true,
      summary: 'Trusted authorities' },
    { name: 'tls-ca-cert-dir', type: optionalText({ placeholder: '<path>' }), default: '', namesFile: true,
      summary: 'Directory of trusted authorities' },
    { name: 'tls-dh-params-file', type: optionalText({ placeholder: '<path>' }), default: '', namesFile: true,
      summary: 'Diffie-Hellman parameters' },
    { name: 'tls-auth-clients', type: oneOf(['no', 'yes', 'optional']), default: 'yes',
      summary: 'Whether clients must show a certificate' },
    { name: 'tls-replication', type: bool, default: 'no', acting: false, summary: 'Replicate over TLS' },
    { name: 'tls-cluster', type: bool, default: 'no', acting: false, summary: 'Cluster bus over TLS' },
    { name: 'tls-protocols', type: optionalText(), default: '', summary: 'Versions, such as "TLSv1.2 TLSv1.3"' },
    { name: 'tls-ciphers', type: optionalText(), default: '', summary: 'Ciphers up to TLS 1.2' },
    { name: 'tls-ciphersuites', type: optionalText(), default: '', summary: 'Cipher suites of TLS 1.3' },
    { name: 'tls-prefer-server-ciphers', type: bool, default: 'no', summary: "The server's order of ciphers counts" },
    { name: 'tls-session-caching', type: bool, default: 'yes', summary: 'Resume sessions' },
    { name: 'tls-session-cache-size', type: integer(0, INT_MAX), default: '20480', acting: 'never',
      summary: 'Sessions kept; clients keep them here' },
    { name: 'tls-session-cache-timeout', type: seconds, default: '300', summary: 'How long a session is kept' },
  ] },

  { title: 'Watching', rows: [
    { name: 'slowlog-log-slower-than', aliases: ['commandlog-execution-slower-than'], default: '10000',
      type: integer(-1, LONG_MAX, { unit: 'microseconds' }), summary: 'Log slower commands; 0: all, -1: none' },
    { name: 'slowlog-max-len', aliases: ['commandlog-slow-execution-max-len'], type: count, default: '128',
      summary: 'Entries in the slow log' },
    { name: 'commandlog-request-larger-than', type: integer(-1, LONG_MAX, { unit: 'bytes' }), default: '1048576',
      summary: 'Log larger requests; -1: none' },
    { name: 'commandlog-large-request-max-len', type: count, default: '128',
      summary: 'Entries in the log of large requests' },
    { name: 'commandlog-reply-larger-than', type: integer(-1, LONG_MAX, { unit: 'bytes' }), default: '1048576',
      summary: 'Log larger replies; -1: none' },
    { name: 'commandlog-large-reply-max-len', type: count, default: '128',
      summary: 'Entries in the log of large replies' },
    { name: 'latency-monitor-threshold', type: integer(0, LONG_MAX, { unit: 'ms' }), default: '0',
      summary: 'Note events that take longer; 0: none' },
    { name: 'latency-tracking', type: bool, default: 'yes', summary: 'Keep a histogram for each command' },
    { name: 'latency-tracking-info-percentiles', type: percentiles, default: '50 99 99.9',
      summary: 'Percentiles in INFO latencystats' },
    { name: 'notify-keyspace-events', type: keyspaceEvents, default: '', summary: 'Events published as messages' },
  ] },

  { title: 'Scripting', rows: [
    { name: 'busy-reply-threshold', aliases: ['lua-time-limit'], type: integer(0, LONG_MAX, { unit: 'ms' }),
      default: '5000', summary: 'Answer BUSY when a script runs longer' },
    { name: 'lua-enable-insecure-api', aliases: ['lua-enable-deprecated-api'], type: bool, default: 'no',
      acting: false, summary: 'Functions of Lua that scripts should not use' },
  ] },

  { title: 'Accepted without effect', acting: 'never', rows: [
    { name: 'io-threads', type: integer(1, 128), default: '1', startOnly: true, summary: 'I/O threads' },
    { name: 'io-threads-do-reads', type: bool, default: 'no', startOnly: true, summary: 'I/O threads read too' },
    { name: 'events-per-io-thread', type: integer(0, INT_MAX), default: '2', hidden: true, summary: 'Load of an I/O thread' },
    { name: 'prefetch-batch-max-size', type: integer(0, 128), default: '16', summary: 'Keys prefetched together' },
    { name: 'lookahead', type: integer(1, INT_MAX), default: '16', summary: 'Commands parsed ahead' },
    { name: 'server_cpulist', aliases: ['server-cpulist'], type: optionalText({ placeholder: '<cpus>' }), default: '',
      startOnly: true, summary: 'Processors of the server' },
    { name: 'bio_cpulist', aliases: ['bio-cpulist'], type: optionalText({ placeholder: '<cpus>' }), default: '',
      startOnly: true, summary: 'Processors of background threads' },
    { name: 'aof_rewrite_cpulist', aliases: ['aof-rewrite-cpulist'], type: optionalText({ placeholder: '<cpus>' }),
      default: '', startOnly: true, summary: 'Processors of rewrites' },
    { name: 'bgsave_cpulist', aliases: ['bgsave-cpulist'], type: optionalText({ placeholder: '<cpus>' }), default: '',
      startOnly: true, summary: 'Processors of snapshots' },
    { name: 'disable-thp', type: bool, default: 'yes', startOnly: true, summary: 'No transparent huge pages' },
    { name: 'jemalloc-bg-thread', type: bool, default: 'yes', summary: "jemalloc's background thread" },
    { name: 'activedefrag', type: bool, default: 'no', summary: "Defragment jemalloc's memory" },
    { name: 'active-defrag-ignore-bytes', type: memory(1, LONG_MAX), default: '100mb', summary: 'Waste that is let be' },
    { name: 'active-defrag-threshold-lower', type: integer(0, 1000), default: '10', summary: 'Waste that starts it' },
    { name: 'active-defrag-threshold-upper', type: integer(0, 1000), default: '100', summary: 'Waste for full effort' },
    { name: 'active-defrag-cycle-min', type: integer(1, 99), default: '1', summary: 'Least share of the processor' },
    { name: 'active-defrag-cycle-max', type: integer(1, 99), default: '25', summary: 'Largest share of the processor' },
    { name: 'active-defrag-cycle-us', type: integer(0, 100000), default: '500', summary: 'Length of one turn' },
    { name: 'active-defrag-max-scan-fields', type: integer(1, LONG_MAX), default: '1000', summary: 'Large keys wait' },
  ] },

  { title: 'Server tests', acting: false, rows: [
    { name: 'rdb-key-save-delay', type: integer(INT_MIN, INT_MAX), default: '0', hidden: true, acting: true,
      summary: 'Sleep after each key saved, in microseconds' },
    { name: 'key-load-delay', type: integer(INT_MIN, INT_MAX), default: '0', hidden: true, acting: true,
      summary: 'Sleep after each key loaded, in microseconds' },
    { name: 'loading-process-events-interval-bytes', type: integer(1024, INT_MAX), default: '2097152', hidden: true, acting: 'never',
      summary: 'Bytes loaded between two turns of the event loop' },
    { name: 'watchdog-period', type: integer(0, INT_MAX, { unit: 'ms' }), default: '0', hidden: true,
      summary: 'Log where a slow turn of the event loop is' },
    { name: 'use-exit-on-panic', type: bool, default: 'no', hidden: true, acting: 'never',
      summary: 'Exit instead of aborting' },
  ] },
] as const satisfies readonly Section[]

/** The words of a name in camelCase: `tls-ca-cert-dir` is `tlsCaCertDir`. */
type CamelCase<Name extends string> = Name extends `${infer Head}${'-' | '_'}${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

type AnyRow = (typeof sections)[number]['rows'][number]

/** The directives' own names, aliases left out. */
export type DirectiveName = AnyRow['name']

// biome-ignore lint/suspicious/noExplicitAny: as Row
type ValueOf<R extends { type: ValueType<any> }> = R['type'] extends ValueType<infer V> ? V : never

/** The value of the directive `Name`: `SettingOf<'maxclients'>` is number. */
export type SettingOf<Name extends DirectiveName> = ValueOf<Extract<AnyRow, { readonly name: Name }>>

/** All values, under the directives' names in camelCase. */
export type Settings = { readonly [R in AnyRow as CamelCase<R['name']>]: ValueOf<R> }

/** A row with all that it leaves unsaid. */
export interface Directive {
  readonly name: DirectiveName
  /** Where its value stands in `Settings`. */
  readonly key: keyof Settings
  readonly aliases: readonly string[]
  readonly type: ValueType<unknown>
  readonly default: string
  readonly defaultValue: unknown
  readonly summary: string
  readonly section: string
  readonly acting: Acting
  readonly startOnly: boolean
  readonly guarded: boolean
  readonly secret: boolean
  readonly hidden: boolean
  readonly fileOnly: boolean
  readonly namesFile: boolean
}

/** All directives, in the order of the table. */
export const directives: readonly Directive[] = sections.flatMap((section: Section) =>
  section.rows.map((row) => complete(row, section)),
)

const byName: ReadonlyMap<string, Directive> = new Map(
  directives.flatMap((directive) => [directive.name, ...directive.aliases].map((name) => [name, directive] as const)),
)

/** The directive of this name or alias, in any case of letters. */
export function findDirective(name: string): Directive | undefined {
  return byName.get(name.toLowerCase())
}

/** All names by which directives can be called, aliases too. */
export const directiveNames: readonly string[] = [...byName.keys()]

/** Broker settings of Kafka stand in no table: whatever begins with this is kept as it is. */
export const KAFKA_PREFIX = 'kafka.'

function complete(row: Row, section: Section): Directive {
  return {
    name: row.name as DirectiveName,
    key: row.name.replace(/[-_](.)/g, (_, letter: string) => letter.toUpperCase()) as keyof Settings,
    aliases: row.aliases ?? [],
    type: row.type,
    default: row.default,
    defaultValue: defaultValueOf(row),
    summary: row.summary,
    section: section.title,
    acting: row.acting ?? section.acting ?? true,
    startOnly: row.startOnly ?? false,
    guarded: row.guarded ?? false,
    secret: row.secret ?? false,
    hidden: row.hidden ?? false,
    fileOnly: row.fileOnly ?? false,
    namesFile: row.namesFile ?? false,
  }
}

function defaultValueOf(row: Row): unknown {
  if (row.fileOnly) return []
  const parsed = row.type.parse(row.type.isList ? row.default.split(' ') : [row.default], undefined, false)
  if ('problem' in parsed) throw new Error(`The default of ${row.name} is not a value of its type: ${parsed.problem}`)
  return parsed.value
}
