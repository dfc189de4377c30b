import { memory } from '../../config/value-types.ts'
import { type Handle, NONE } from '../../memory/heap.ts'
import { DataDirectoryError } from '../../persistence/data-directory-error.ts'
import { dumpObject } from '../../persistence/rdb/objects.ts'
import type { Database } from '../../store/database.ts'
import { Digest, storeDigest, valueDigest } from '../../store/digest.ts'
import { encoding, NEVER, type as types } from '../../store/record.ts'
import { typeOperations } from '../../store/types.ts'
import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import { errors, wrongSubcommandForm } from '../errors.ts'
import { replyHelp } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

type Handler = (client: Client, request: Request, reply: Reply) => void

/** DEBUG's subcommands have no rows of their own in the command table, as in Redis: by name, their arguments and handler. */
const subcommands: Readonly<Record<string, { min: number; max: number; run: Handler }>> = {
  HELP: { min: 2, max: 2, run: help },
  SLEEP: { min: 3, max: 3, run: sleep },
  ERROR: { min: 3, max: 3, run: error },
  LOG: { min: 3, max: 3, run: log },
  OBJECT: { min: 3, max: 4, run: object },
  SDSLEN: { min: 3, max: 3, run: stringSizes },
  DIGEST: { min: 2, max: 2, run: digest },
  'DIGEST-VALUE': { min: 2, max: Number.POSITIVE_INFINITY, run: digestValue },
  PROTOCOL: { min: 3, max: 3, run: protocol },
  POPULATE: { min: 3, max: 5, run: populate },
  RELOAD: { min: 2, max: Number.POSITIVE_INFINITY, run: reload },
  LOADAOF: { min: 2, max: 2, run: loadAof },
  'AOF-FLUSH-SLEEP': { min: 3, max: 3, run: aofFlushSleep },
  'CONFIG-REWRITE-FORCE-ALL': { min: 2, max: 2, run: rewriteWholeConfig },
  HTSTATS: { min: 3, max: 4, run: tableStatistics },
  'HTSTATS-KEY': { min: 3, max: 4, run: keyTableStatistics },
  'SET-ACTIVE-EXPIRE': { min: 3, max: 3, run: setActiveExpire },
  'SET-SKIP-CHECKSUM-VALIDATION': { min: 3, max: 3, run: skipChecksums },
  'PAUSE-CRON': { min: 3, max: 3, run: pauseCron },
  'SET-DISABLE-DENY-SCRIPTS': { min: 3, max: 3, run: setDisableDenyScripts },
  'CHANGE-REPL-ID': { min: 2, max: 2, run: changeReplicationId },
  'QUICKLIST-PACKED-THRESHOLD': { min: 3, max: 3, run: packedThreshold },
  REPLYBUFFER: { min: 3, max: 4, run: replyBuffer },
  'CLIENT-EVICTION': {
    min: 2,
    max: 2,
    run: (_client, _request, reply) => reply.error('ERR maxmemory-clients is disabled.'),
  },
}

function debug(client: Client, request: Request, reply: Reply): void {
  client.propagateAs() // whatever it does, it does here alone
  const allowed = client.engine.settings.enableDebugCommand
  if (allowed === 'no' || (allowed === 'local' && !client.isLocal)) {
    return reply.error(
      'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a ' +
        'local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
    )
  }
  const subcommand = subcommands[request.text(1).toUpperCase()]
  if (subcommand === undefined || request.count < subcommand.min || request.count > subcommand.max) {
    return unknown(request, reply)
  }
  subcommand.run(client, request, reply)
}

function unknown(request: Request, reply: Reply): void {
  reply.errorOfBytes(wrongSubcommandForm('DEBUG', request.quoted(1)))
}

/** Holds up the whole server, which is what it is for. */
function sleep(_client: Client, request: Request, reply: Reply): void {
  const seconds = Number.parseFloat(request.text(2))
  if (seconds > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000)
  reply.ok()
}

/** Each write to the append-only file takes so long: for tests of what must not happen before it. */
function aofFlushSleep({ engine }: Client, request: Request, reply: Reply): void {
  engine.persistence.aof.writer.sleepBeforeWriteMs = Math.max(0, Number.parseInt(request.text(2), 10) || 0) / 1000
  reply.ok()
}

function log(client: Client, request: Request, reply: Reply): void {
  client.engine.log.warn(`DEBUG LOG: ${request.text(2)}`)
  reply.ok()
}

/** A reply like any other: it counts as no error. */
function error(_client: Client, request: Request, reply: Reply): void {
  reply.raw(Buffer.from(`-${request.latin1(2).replace(/[\r\n]/g, ' ')}\r\n`, 'latin1'))
}

// ---- Values ----

/** The key that is named, even one that has expired and is still there. */
function find(database: Database, request: Request): Handle {
  const { store } = database
  const { keepsExpired } = store
  store.keepsExpired = true
  const handle = database.peek(request.chunk, request.start(2), request.end(2))
  store.keepsExpired = keepsExpired
  return handle
}

function object(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const { store, records } = database
  const handle = find(database, request)
  if (handle === NONE) return reply.error(errors.NO_KEY)
  const serializedBytes = dumpObject(store, handle, client.engine.settings.rdbcompression).length - PAYLOAD_FRAME_BYTES
  const access = records.access(handle)
  reply.simple(
    `Value at:0x${(handle * 16).toString(16).padStart(12, '0')} refcount:1 ` +
      `encoding:${typeOperations[records.type(handle)].encodingName(store, handle)} ` +
      `serializedlength:${serializedBytes} lru:${access} lru_seconds_idle:${store.idleSeconds(handle) ?? 0}`,
  )
}

/** What a payload has around the value: type, version and checksum. */
const PAYLOAD_FRAME_BYTES = 11

function stringSizes(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const { store, records } = database
  const handle = find(database, request)
  if (handle === NONE) return reply.error(errors.NO_KEY)
  const isText = records.type(handle) === types.STRING
  if (!isText || typeOperations[types.STRING].encodingName(store, handle) === 'int') {
    return reply.error('ERR Not an sds encoded string.')
  }
  const keySize = records.keySize(handle)
  const valueSize = records.valueSize(handle)
  const isLarge = records.encoding(handle) === encoding.LARGE
  const valueBytes = isLarge ? typeOperations[types.STRING].referredBytes(store, handle) : valueSize
  reply.simple(
    `key_sds_len:${keySize}, key_sds_avail:0, key_zmalloc: ${keySize}, ` +
      `val_sds_len:${valueSize}, val_sds_avail:${valueBytes - valueSize}, val_zmalloc: ${valueBytes}`,
  )
}

function digest(client: Client, _request: Request, reply: Reply): void {
  reply.simple(storeDigest(client.engine.store).toString())
}

function digestValue(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  reply.array(request.count - 2)
  for (let index = 2; index < request.count; index++) {
    const handle = database.peek(request.chunk, request.start(index), request.end(index))
    reply.simple((handle === NONE ? new Digest() : valueDigest(database, handle)).toString())
  }
}

function populate(client: Client, request: Request, reply: Reply): void {
  const count = request.integer(2)
  const prefix = request.count > 3 ? request.latin1(3) : 'key'
  const size = request.count > 4 ? request.integer(4) : 0
  if (!(count >= 0) || !(size >= 0)) return reply.error(errors.NEGATIVE)
  const { database } = client
  for (let number = 0; number < count; number++) {
    const key = Buffer.from(`${prefix}:${number}`, 'latin1')
    if (database.peek(key, 0, key.length) !== NONE) continue
    const text = Buffer.from(`value:${number}`)
    const value = size > 0 ? Buffer.alloc(size) : text
    text.copy(value)
    database.putString(key, 0, key.length, value, 0, value.length, NEVER)
  }
  reply.ok()
}

/** Saves a snapshot and loads it. */
function reload(client: Client, request: Request, reply: Reply): void {
  const options = { saves: true, flushes: true, merges: false }
  for (let index = 2; index < request.count; index++) {
    if (request.is(index, 'NOSAVE')) options.saves = false
    else if (request.is(index, 'NOFLUSH')) options.flushes = false
    else if (request.is(index, 'MERGE')) options.merges = true
    else return reply.error('ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.')
  }
  const { persistence, log } = client.engine
  const problem = persistence.reload(options)
  if (problem === 'not saved') return reply.error(errors.UNSPECIFIED)
  if (problem === 'not loaded') return reply.error('ERR Error trying to load the RDB dump, check server logs.')
  log.warn('DB reloaded by DEBUG RELOAD')
  reply.ok()
}

/** Loads the append-only file in place of what is there. */
function loadAof(client: Client, _request: Request, reply: Reply): void {
  const { persistence, log } = client.engine
  if (persistence.isEphemeral) return reply.error(errors.NOTHING_ON_DISK)
  try {
    if (!persistence.aof.reload()) return reply.error('ERR There is no append-only file')
  } catch (error) {
    if (!(error instanceof DataDirectoryError)) throw error
    log.error({ err: error }, 'DEBUG LOADAOF could not load')
    return reply.error('ERR Error trying to load the append-only file, check server logs.')
  }
  log.warn('Append Only File loaded by DEBUG LOADAOF')
  reply.ok()
}

function rewriteWholeConfig(client: Client, _request: Request, reply: Reply): void {
  const refusal = client.engine.config.rewrite(true)
  if (refusal === undefined) reply.ok()
  else reply.error(refusal)
}

// ---- Tables ----

function tableStatistics(client: Client, request: Request, reply: Reply): void {
  const index = request.integer(2)
  if (Number.isNaN(index)) return reply.error(errors.NOT_AN_INTEGER)
  const database = client.engine.store.databases[index]
  if (database === undefined) return reply.error('ERR Out of range database')
  const { dict, expires } = database
  reply.verbatim(
    'txt',
    `[Dictionary HT]\n${tableText(dict.slotCount, dict.count)}[Expires HT]\n${tableText(expires.count, expires.count)}`,
  )
}

function tableText(slotCount: number, count: number): string {
  const title = 'Hash table 0 stats (main hash table):\n'
  if (count === 0) return `${title}No stats available for empty dictionaries\n`
  return `${title} table size: ${slotCount}\n number of elements: ${count}\n`
}

/** No value is kept in a hash table of its own. */
function keyTableStatistics(client: Client, request: Request, reply: Reply): void {
  const handle = find(client.database, request)
  if (handle === NONE) return reply.error(errors.NO_KEY)
  reply.error('ERR The value stored at the specified key is not represented using an hash table')
}

// ---- Replies of every type ----

const PROTOCOL_TYPES: Readonly<Record<string, (reply: Reply) => void>> = {
  string: (reply) => reply.bulkText('Hello World'),
  integer: (reply) => reply.integer(12345),
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: the number that Redis answers
  double: (reply) => reply.double(3.141),
  bignum: (reply) => {
    const digits = '1234567999999999999999999999999999999'
    if (reply.protocol === 2) reply.bulkText(digits)
    else reply.raw(Buffer.from(`(${digits}\r\n`))
  },
  null: (reply) => reply.nil(),
  array: (reply) => {
    reply.array(3)
    for (let item = 0; item < 3; item++) reply.integer(item)
  },
  set: (reply) => {
    reply.set(3)
    for (let item = 0; item < 3; item++) reply.integer(item)
  },
  map: (reply) => {
    reply.map(3)
    for (let item = 0; item < 3; item++) {
      reply.integer(item)
      reply.boolean(item === 1)
    }
  },
  attrib: (reply) => {
    if (reply.protocol === 3) {
      reply.raw(Buffer.from('|1\r\n'))
      reply.bulkText('key-popularity')
      reply.array(2)
      reply.bulkText('key:123')
      reply.integer(90)
    }
    reply.bulkText('Some real reply following the attribute')
  },
  push: (reply) => {
    if (reply.protocol === 2) return reply.error('ERR RESP2 is not supported by this command')
    reply.push(2)
    reply.bulkText('server-cpu-usage')
    reply.integer(42)
    reply.bulkText('Some real reply following the push reply')
  },
  verbatim: (reply) => reply.verbatim('txt', 'This is a verbatim\nstring'),
  true: (reply) => reply.boolean(true),
  false: (reply) => reply.boolean(false),
}

function protocol(_client: Client, request: Request, reply: Reply): void {
  const write = PROTOCOL_TYPES[request.text(2).toLowerCase()]
  if (write !== undefined) return write(reply)
  const names = Object.keys(PROTOCOL_TYPES).join('|')
  reply.error(`ERR Wrong protocol type name. Please use one of the following: ${names}`)
}

// ---- Switches ----

function isOn(request: Request): boolean {
  return (Number.parseInt(request.text(2), 10) || 0) !== 0
}

function setActiveExpire(client: Client, request: Request, reply: Reply): void {
  client.engine.store.activeExpiry.isEnabled = isOn(request)
  reply.ok()
}

function pauseCron(client: Client, request: Request, reply: Reply): void {
  client.engine.isCronPaused = isOn(request)
  reply.ok()
}

function skipChecksums(client: Client, request: Request, reply: Reply): void {
  client.engine.persistence.rdb.verifiesChecksums = !isOn(request)
  reply.ok()
}

function setDisableDenyScripts(client: Client, request: Request, reply: Reply): void {
  client.engine.scripts.runner.caller.allowsEveryCommand = isOn(request)
  reply.ok()
}

function changeReplicationId(client: Client, _request: Request, reply: Reply): void {
  client.engine.log.info('Changing replication IDs after receiving change-repl-id')
  client.engine.identity.changeReplicationId()
  reply.ok()
}

/** Checked and accepted: what it tunes in Redis's lists does not exist here. */
function packedThreshold(_client: Client, request: Request, reply: Reply): void {
  const parsed = PACKED_THRESHOLD.parse([request.text(2)], 0, false)
  if ('value' in parsed) return reply.ok()
  reply.error('ERR argument must be a memory value bigger than 1 and smaller than 4gb')
}
const PACKED_THRESHOLD = memory(0, 2 ** 32)

/** Accepted: replies of all clients share one buffer, which neither grows nor shrinks with one of them. */
function replyBuffer(_client: Client, request: Request, reply: Reply): void {
  const isKnown = request.is(2, 'PEAK-RESET-TIME') || request.is(2, 'RESIZING')
  if (!isKnown || request.count !== 4) return unknown(request, reply)
  reply.ok()
}

function help(_client: Client, _request: Request, reply: Reply): void {
  replyHelp(reply, 'DEBUG', [
    'CHANGE-REPL-ID',
    '    Change the replication IDs of the instance.',
    '    Dangerous: should be used only for testing the replication subsystem.',
    'CLIENT-EVICTION',
    '    Show low level client eviction pools info (maxmemory-clients).',
    'CONFIG-REWRITE-FORCE-ALL',
    '    Like CONFIG REWRITE but writes all configuration options, including',
    '    keywords not listed in original configuration file or default values.',
    'DIGEST',
    '    Output a hex signature representing the current DB content.',
    'DIGEST-VALUE <key> [<key> ...]',
    '    Output a hex signature of the values of all the specified keys.',
    'ERROR <string>',
    '    Return a Redis protocol error with <string> as message. Useful for clients',
    '    unit tests to simulate Redis errors.',
    'HTSTATS <dbid>',
    '    Return hash table statistics of the specified Redis database.',
    'HTSTATS-KEY <key>',
    "    Like HTSTATS but for the hash table stored at <key>'s value.",
    'AOF-FLUSH-SLEEP <microsec>',
    '    Server will sleep before flushing the AOF, this is used for testing.',
    'LOADAOF',
    '    Flush the AOF buffers on disk and reload the AOF in memory.',
    'LOG <message>',
    '    Write <message> to the server log.',
    'OBJECT <key>',
    '    Show low level info about `key` and associated value.',
    'PAUSE-CRON <0|1>',
    '    Stop periodic cron job processing.',
    'POPULATE <count> [<prefix>] [<size>]',
    '    Create <count> string keys named key:<num>. If <prefix> is specified then',
    "    it is used instead of the 'key' prefix.",
    'PROTOCOL <type>',
    '    Reply with a test value of the specified type. <type> can be: string,',
    '    integer, double, bignum, null, array, set, map, attrib, push, verbatim,',
    '    true, false.',
    'QUICKLIST-PACKED-THRESHOLD <size>',
    '    Accepted for compatibility.',
    'RELOAD',
    '    Write every value as a snapshot would, and read it back into an empty store.',
    'REPLYBUFFER PEAK-RESET-TIME|RESIZING <value>',
    '    Accepted for compatibility.',
    'SDSLEN <key>',
    '    Show the sizes of `key` and its string value.',
    'SET-ACTIVE-EXPIRE <0|1>',
    '    Setting it to 0 disables expiring keys in background when they are not',
    '    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the',
    '    default.',
    'SET-DISABLE-DENY-SCRIPTS <0|1>',
    '    Setting it to 1 lets scripts run commands that are refused to them.',
    'SET-SKIP-CHECKSUM-VALIDATION <0|1>',
    "    Enables or disables checksum checks for RDB files and RESTORE's payload.",
    'SLEEP <seconds>',
    '    Stop the server for <seconds>. Decimals allowed.',
  ])
}

export const debugCommands: readonly CommandSpec[] = [
  {
    name: 'DEBUG',
    arity: -2,
    flags: ['admin', 'noscript', 'loading', 'stale', 'protected'],
    acl: [],
    group: 'server',
    since: '1.0.0',
    complexity: 'Depends on subcommand.',
    summary: 'What tests of servers and clients need.',
    docFlags: ['syscmd'],
    handler: debug,
  },
]
