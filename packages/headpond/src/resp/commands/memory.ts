import { NONE } from '../../memory/heap.ts'
import { keyUsageBytes } from '../../store/memory-usage.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key } from '../command.ts'
import { errors } from '../errors.ts'
import { helpSubcommand } from '../help.ts'
import { datasetPercent, type MemoryReport, memoryReport, ratio } from '../memory-report.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

function usage(client: Client, request: Request, reply: Reply): void {
  for (let index = 3; index < request.count; index += 2) {
    if (!request.is(index, 'SAMPLES') || index + 1 >= request.count) return reply.error(errors.SYNTAX)
    // What a value takes is accounted, not sampled: the number of samples makes no difference.
    const sampleCount = request.integer(index + 1)
    if (Number.isNaN(sampleCount)) return reply.error(errors.NOT_AN_INTEGER)
    if (sampleCount < 0) return reply.error(errors.SYNTAX)
  }
  const handle = client.database.peek(request.chunk, request.start(2), request.end(2))
  if (handle === NONE) return reply.nil()
  reply.integer(keyUsageBytes(client.database, handle))
}

function stats(client: Client, _request: Request, reply: Reply): void {
  const report = memoryReport(client.engine)
  const { usedBytes, rssBytes, peakBytes, allocatedBytes, activeBytes, residentBytes } = report
  const { scripts } = client.engine
  const { keyCount } = client.engine.store
  const netBytes = Math.max(0, usedBytes - report.startupBytes)
  const before: Entry[] = [
    ['peak.allocated', peakBytes],
    ['total.allocated', usedBytes],
    ['startup.allocated', report.startupBytes],
    ['replication.backlog', 0],
    ['clients.slaves', 0],
    ['clients.normal', report.clientBytes],
    ['cluster.links', 0],
    ['aof.buffer', 0],
    ['lua.caches', scripts.cacheBytes],
    ['functions.caches', scripts.libraries.memoryBytes],
  ]
  const after: Entry[] = [
    ['overhead.total', report.overheadBytes],
    ['keys.count', keyCount],
    ['keys.bytes-per-key', keyCount === 0 ? 0 : Math.floor(netBytes / keyCount)],
    ['dataset.bytes', report.datasetBytes],
    ['dataset.percentage', { double: datasetPercent(report) }],
    ['peak.percentage', { double: 100 * ratio(usedBytes, peakBytes) }],
    ['allocator.allocated', allocatedBytes],
    ['allocator.active', activeBytes],
    ['allocator.resident', residentBytes],
    ['allocator-fragmentation.ratio', { double: ratio(activeBytes, allocatedBytes) }],
    ['allocator-fragmentation.bytes', activeBytes - allocatedBytes],
    ['allocator-rss.ratio', { double: ratio(residentBytes, activeBytes) }],
    ['allocator-rss.bytes', residentBytes - activeBytes],
    ['rss-overhead.ratio', { double: ratio(rssBytes, residentBytes) }],
    ['rss-overhead.bytes', rssBytes - residentBytes],
    ['fragmentation', { double: ratio(rssBytes, usedBytes) }],
    ['fragmentation.bytes', rssBytes - usedBytes],
  ]
  reply.map(before.length + report.databases.length + after.length)
  for (const entry of before) replyEntry(reply, entry)
  for (const { index, keyTableBytes, expiryBytes } of report.databases) {
    reply.bulkText(`db.${index}`)
    reply.map(3)
    replyEntry(reply, ['overhead.hashtable.main', keyTableBytes])
    replyEntry(reply, ['overhead.hashtable.expires', expiryBytes])
    replyEntry(reply, ['overhead.hashtable.slot-to-keys', 0])
  }
  for (const entry of after) replyEntry(reply, entry)
}

type Entry = readonly [name: string, value: number | { readonly double: number }]

function replyEntry(reply: Reply, [name, value]: Entry): void {
  reply.bulkText(name)
  if (typeof value === 'number') reply.integer(value)
  else reply.double(value.double)
}

/** Below this, ratios say nothing. */
const DOCTOR_BYTES_MIN = 5 * 2 ** 20

function doctor(client: Client, _request: Request, reply: Reply): void {
  reply.verbatim('txt', advice(memoryReport(client.engine), client.engine.clients.size))
}

function advice(report: MemoryReport, clientCount: number): string {
  const { usedBytes, peakBytes, allocatedBytes, activeBytes, clientBytes, rssBytes, residentBytes } = report
  if (usedBytes - report.startupBytes < DOCTOR_BYTES_MIN) {
    return 'This server holds too little data for its memory to be judged.\n'
  }
  const findings: string[] = []
  if (peakBytes > usedBytes * 1.5) {
    findings.push(
      'Peak: much more memory was in use in the past. It serves new data; the process keeps some of it until then.',
    )
  }
  if (activeBytes > allocatedBytes * 1.1 && activeBytes - allocatedBytes > 2 * DOCTOR_BYTES_MIN) {
    findings.push('Fragmentation: pages are held by few live values each. New values of the same sizes will fill them.')
  }
  if (rssBytes > residentBytes * 1.5 && rssBytes - residentBytes > 100 * 2 ** 20) {
    findings.push('Process: a large part of the resident memory is not data. See used_memory_js_heap and clients.')
  }
  if (clientCount > 0 && clientBytes / clientCount > 200 * 1024) {
    findings.push('Clients: their buffers hold more than 200 KB each. See CLIENT LIST for those that do not read.')
  }
  if (findings.length === 0) return 'No problem with memory was found.\n'
  return `Found:\n\n${findings.map((finding) => ` * ${finding}\n`).join('')}`
}

/** The heap gives pages back to other sizes by itself, and large values to the system: nothing waits to be purged. */
function purge(_client: Client, _request: Request, reply: Reply): void {
  reply.ok()
}

function mallocStats(client: Client, _request: Request, reply: Reply): void {
  const { heap } = client.engine.store
  const figures: [string, number][] = [
    ['live blocks and large values', heap.usedBytes],
    ['pages in use and large values', heap.activeBytes],
    ['pages touched and large values', heap.residentBytes],
    ['large values', heap.large.usedBytes],
    ['tables of the allocator', heap.overheadBytes],
  ]
  const lines = figures.map(([name, sizeBytes]) => `${`${name}:`.padEnd(32)}${sizeBytes} bytes\n`)
  reply.verbatim('txt', `Heap of size classes in pages of 64 KiB\n${lines.join('')}`)
}

const HELP = [
  'DOCTOR',
  '    Return memory problems reports.',
  'MALLOC-STATS',
  '    Return internal statistics report from the memory allocator.',
  'PURGE',
  '    Attempt to purge dirty pages for reclamation by the allocator.',
  'STATS',
  '    Return information about the memory usage of the server.',
  'USAGE <key> [SAMPLES <count>]',
  '    Return memory in bytes used by <key> and its value. Nested values are',
  '    sampled up to <count> times (default: 5, 0 means sample all).',
]

const TIPS = ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'] as const
const HEAVY = 'Depends on how much memory is allocated, could be slow'

export const memoryCommands: readonly CommandSpec[] = [
  {
    name: 'MEMORY',
    arity: -2,
    flags: [],
    acl: [],
    group: 'server',
    since: '4.0.0',
    complexity: 'Depends on subcommand.',
    summary: 'What memory is used for.',
    subcommands: [
      {
        name: 'USAGE',
        arity: -3,
        flags: ['readonly'],
        keys: [key(2, 'RO')],
        acl: [],
        group: 'server',
        since: '4.0.0',
        complexity: 'O(N) where N is the number of samples.',
        summary: 'Answers the bytes that a key and its value take.',
        args: 'key [SAMPLES count]',
        handler: usage,
      },
      {
        name: 'STATS',
        arity: 2,
        flags: [],
        acl: [],
        group: 'server',
        since: '4.0.0',
        complexity: 'O(1)',
        summary: 'Answers the figures of memory.',
        tips: TIPS,
        handler: stats,
      },
      {
        name: 'DOCTOR',
        arity: 2,
        flags: [],
        acl: [],
        group: 'server',
        since: '4.0.0',
        complexity: 'O(1)',
        summary: 'Tells what is wrong with memory.',
        tips: TIPS,
        handler: doctor,
      },
      {
        name: 'PURGE',
        arity: 2,
        flags: [],
        acl: [],
        group: 'server',
        since: '4.0.0',
        complexity: HEAVY,
        summary: 'Gives memory back to the system.',
        tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
        handler: purge,
      },
      {
        name: 'MALLOC-STATS',
        arity: 2,
        flags: [],
        acl: [],
        group: 'server',
        since: '4.0.0',
        complexity: HEAVY,
        summary: 'Answers the figures of the allocator.',
        tips: TIPS,
        handler: mallocStats,
      },
      helpSubcommand('MEMORY', { acl: [], group: 'server', since: '4.0.0' }, HELP),
    ],
  },
]
