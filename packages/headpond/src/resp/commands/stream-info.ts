import { NONE } from '../../memory/heap.ts'
import { byName, type Consumer, type ConsumerGroup, NEVER_ACTIVE } from '../../store/consumer-group.ts'
import { radixTreeNodeCount } from '../../store/radix-tree-size.ts'
import { type Stream, UNKNOWN } from '../../store/stream.ts'
import { StreamId } from '../../store/stream-id.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key } from '../command.ts'
import { errors, wrongSubcommandForm } from '../errors.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { openStream } from '../stream-arguments.ts'
import { replyEdge, replyEntries, replyId } from '../stream-reply.ts'

const FULL_COUNT_DEFAULT = 10
const FIRST = StreamId.min()
const LAST = StreamId.max()

/** The stream that is asked about; null, with the error written, when there is none. */
function openAsked(client: Client, request: Request, reply: Reply): Stream | null {
  const { database } = client
  const handle = database.read(request.chunk, request.start(2), request.end(2))
  if (handle !== NONE) return openStream(database, handle, reply)
  reply.error(errors.NO_KEY)
  return null
}

function replyName(reply: Reply, name: string): void {
  reply.bulkBytes(Buffer.from(name, 'latin1'))
}

function replyCounter(reply: Reply, count: number | null): void {
  if (count === null) reply.nil()
  else reply.integer(count)
}

// ---- STREAM ----

function infoStream(client: Client, request: Request, reply: Reply): void {
  const { count } = request
  let countMax = FULL_COUNT_DEFAULT
  const isFull = count > 3
  const stream = openAsked(client, request, reply)
  if (stream === null) return
  if (isFull) {
    const isForm = count === 4 || (count === 6 && request.is(4, 'COUNT'))
    if (!isForm || !request.is(3, 'FULL')) return reply.error(wrongSubcommandForm('XINFO', request.text(1)))
    if (count === 6) {
      countMax = request.integer(5)
      if (Number.isNaN(countMax)) return reply.error(errors.NOT_AN_INTEGER)
      if (countMax < 0) countMax = FULL_COUNT_DEFAULT
      if (countMax === 0) countMax = Number.POSITIVE_INFINITY
    }
  }
  reply.map(isFull ? 9 : 10)
  reply.bulkText('length')
  reply.integer(stream.length)
  reply.bulkText('radix-tree-keys')
  reply.integer(stream.nodes.count)
  reply.bulkText('radix-tree-nodes')
  reply.integer(radixTreeNodeCount(stream.nodes))
  reply.bulkText('last-generated-id')
  replyId(reply, stream.lastId)
  reply.bulkText('max-deleted-entry-id')
  replyId(reply, stream.maxDeletedId)
  reply.bulkText('entries-added')
  reply.integer(stream.entriesAdded)
  reply.bulkText('recorded-first-entry-id')
  replyId(reply, stream.firstId)
  if (!isFull) {
    reply.bulkText('groups')
    reply.integer(stream.groups.size)
    reply.bulkText('first-entry')
    replyEdge(reply, stream, false)
    reply.bulkText('last-entry')
    replyEdge(reply, stream, true)
    return
  }
  reply.bulkText('entries')
  replyEntries(reply, stream, FIRST, LAST, countMax, false)
  reply.bulkText('groups')
  reply.array(stream.groups.size)
  for (const group of byName(stream.groups)) replyFullGroup(reply, stream, group, countMax)
}

function replyFullGroup(reply: Reply, stream: Stream, group: ConsumerGroup, countMax: number): void {
  const { pending } = group
  const id = new StreamId()
  reply.map(7)
  reply.bulkText('name')
  replyName(reply, group.name)
  reply.bulkText('last-delivered-id')
  replyId(reply, group.lastId)
  reply.bulkText('entries-read')
  replyCounter(reply, group.entriesRead === UNKNOWN ? null : group.entriesRead)
  reply.bulkText('lag')
  replyCounter(reply, stream.lag(group))
  reply.bulkText('pel-count')
  reply.integer(pending.count)
  reply.bulkText('pending')
  let left = Math.min(pending.count, countMax)
  reply.array(left)
  for (pending.toFirst(); left > 0; left--) {
    reply.array(4)
    replyId(reply, pending.readId(id))
    replyName(reply, group.owner?.name ?? '')
    reply.integer(group.deliveredAtMs)
    reply.integer(group.deliveryCount)
    pending.next()
  }
  reply.bulkText('consumers')
  reply.array(group.consumers.size)
  for (const consumer of byName(group.consumers)) replyFullConsumer(reply, group, consumer, countMax)
}

function replyFullConsumer(reply: Reply, group: ConsumerGroup, consumer: Consumer, countMax: number): void {
  const { pending } = consumer
  const id = new StreamId()
  reply.map(5)
  reply.bulkText('name')
  replyName(reply, consumer.name)
  reply.bulkText('seen-time')
  reply.integer(consumer.seenAtMs)
  reply.bulkText('active-time')
  reply.integer(consumer.activeAtMs)
  reply.bulkText('pel-count')
  reply.integer(pending.count)
  reply.bulkText('pending')
  let left = Math.min(pending.count, countMax)
  reply.array(left)
  for (pending.toFirst(); left > 0; left--) {
    group.pending.find(pending.readId(id))
    reply.array(3)
    replyId(reply, id)
    reply.integer(group.deliveredAtMs)
    reply.integer(group.deliveryCount)
    pending.next()
  }
}

// ---- GROUPS, CONSUMERS ----

function infoGroups(client: Client, request: Request, reply: Reply): void {
  const stream = openAsked(client, request, reply)
  if (stream === null) return
  reply.array(stream.groups.size)
  for (const group of byName(stream.groups)) {
    reply.map(6)
    reply.bulkText('name')
    replyName(reply, group.name)
    reply.bulkText('consumers')
    reply.integer(group.consumers.size)
    reply.bulkText('pending')
    reply.integer(group.pending.count)
    reply.bulkText('last-delivered-id')
    replyId(reply, group.lastId)
    reply.bulkText('entries-read')
    replyCounter(reply, group.entriesRead === UNKNOWN ? null : group.entriesRead)
    reply.bulkText('lag')
    replyCounter(reply, stream.lag(group))
  }
}

function infoConsumers(client: Client, request: Request, reply: Reply): void {
  const stream = openAsked(client, request, reply)
  if (stream === null) return
  const name = request.latin1(3)
  const group = stream.groups.get(name)
  if (group === undefined) {
    return reply.errorOfBytes(`NOGROUP No such consumer group '${name}' for key name '${request.quoted(2)}'`)
  }
  const { nowMs } = client.database.store
  reply.array(group.consumers.size)
  for (const consumer of byName(group.consumers)) {
    reply.map(4)
    reply.bulkText('name')
    replyName(reply, consumer.name)
    reply.bulkText('pending')
    reply.integer(consumer.pending.count)
    reply.bulkText('idle')
    reply.integer(Math.max(nowMs - consumer.seenAtMs, 0))
    reply.bulkText('inactive')
    reply.integer(consumer.activeAtMs === NEVER_ACTIVE ? -1 : Math.max(nowMs - consumer.activeAtMs, 0))
  }
}

const HELP = [
  'CONSUMERS <key> <groupname>',
  '    Show consumers of <groupname>.',
  'GROUPS <key>',
  '    Show the stream consumer groups.',
  'STREAM <key> [FULL [COUNT <count>]',
  '    Show information about the stream.',
]

const common = { acl: ['stream'], group: 'stream', since: '5.0.0', complexity: 'O(1)' } as const

export const streamInfoCommands: readonly CommandSpec[] = [
  {
    ...common,
    name: 'XINFO',
    arity: -2,
    flags: [],
    acl: [],
    complexity: 'Depends on subcommand.',
    summary: 'Tells about a stream, its groups and their consumers.',
    subcommands: [
      {
        ...common,
        name: 'STREAM',
        arity: -3,
        flags: ['readonly'],
        keys: [key(2, 'RO', 'ACCESS')],
        summary: 'Tells about a stream.',
        args: 'key [FULL full{[COUNT count]}]',
        history: [
          ['6.0.0', 'Added the `FULL` modifier.'],
          [
            '7.0.0',
            'Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` fields',
          ],
        ],
        handler: infoStream,
      },
      {
        ...common,
        name: 'GROUPS',
        arity: 3,
        flags: ['readonly'],
        keys: [key(2, 'RO', 'ACCESS')],
        summary: 'Tells about the groups of a stream.',
        args: 'key',
        history: [['7.0.0', 'Added the `entries-read` and `lag` fields']],
        handler: infoGroups,
      },
      {
        ...common,
        name: 'CONSUMERS',
        arity: 4,
        flags: ['readonly'],
        keys: [key(2, 'RO', 'ACCESS')],
        summary: 'Tells about the consumers of a group.',
        args: 'key groupname',
        tips: ['nondeterministic_output'],
        handler: infoConsumers,
      },
      helpSubcommand('XINFO', common, HELP),
    ],
  },
]
