import { globMatch } from '../../bytes/glob.ts'
import type { Client } from '../client.ts'
import { type CommandFlag, type CommandSpec, key, keyRange } from '../command.ts'
import { wrongSubcommandForm } from '../errors.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

// ---- Listening ----

/**
 * One of the three ways to listen: to channels, to patterns, to shard channels. Each name is confirmed with how many
 * the client listens to afterwards; shard channels are counted by themselves.
 */
interface Way {
  readonly subscribed: string
  readonly unsubscribed: string
  names(client: Client): ReadonlySet<string>
  count(client: Client): number
  add(client: Client, name: string): void
  remove(client: Client, name: string): void
}

const channels: Way = {
  subscribed: 'subscribe',
  unsubscribed: 'unsubscribe',
  names: (client) => client.channels,
  count: (client) => client.subscriptionCount,
  add: (client, name) => client.engine.pubsub.subscribe(client, name),
  remove: (client, name) => client.engine.pubsub.unsubscribe(client, name),
}

const patterns: Way = {
  subscribed: 'psubscribe',
  unsubscribed: 'punsubscribe',
  names: (client) => client.patterns,
  count: (client) => client.subscriptionCount,
  add: (client, name) => client.engine.pubsub.subscribePattern(client, name),
  remove: (client, name) => client.engine.pubsub.unsubscribePattern(client, name),
}

const shardChannels: Way = {
  subscribed: 'ssubscribe',
  unsubscribed: 'sunsubscribe',
  names: (client) => client.shardChannels,
  count: (client) => client.shardChannels.size,
  add: (client, name) => client.engine.pubsub.subscribeShard(client, name),
  remove: (client, name) => client.engine.pubsub.unsubscribeShard(client, name),
}

function subscribeBy(way: Way, client: Client, request: Request, reply: Reply): void {
  client.engine.outgoing.writePush(client, () => {
    for (let index = 1; index < request.count; index++) {
      const name = request.latin1(index)
      way.add(client, name)
      confirm(way.subscribed, name, way.count(client), reply)
    }
  })
}

/** Without names: from everything, and when that is nothing, one confirmation without a name. */
function unsubscribeBy(way: Way, client: Client, request: Request, reply: Reply): void {
  const given = Array.from({ length: request.count - 1 }, (_, index) => request.latin1(index + 1))
  const names = request.count > 1 ? given : [...way.names(client)]
  client.engine.outgoing.writePush(client, () => {
    if (names.length === 0) confirm(way.unsubscribed, null, way.count(client), reply)
    for (const name of names) {
      way.remove(client, name)
      confirm(way.unsubscribed, name, way.count(client), reply)
    }
  })
}

function confirm(event: string, name: string | null, count: number, reply: Reply): void {
  reply.push(3)
  reply.bulkText(event)
  if (name === null) reply.nil()
  else reply.bulkBytes(Buffer.from(name, 'latin1'))
  reply.integer(count)
}

function subscribe(client: Client, request: Request, reply: Reply): void {
  subscribeBy(channels, client, request, reply)
}

function unsubscribe(client: Client, request: Request, reply: Reply): void {
  unsubscribeBy(channels, client, request, reply)
}

function psubscribe(client: Client, request: Request, reply: Reply): void {
  subscribeBy(patterns, client, request, reply)
}

function punsubscribe(client: Client, request: Request, reply: Reply): void {
  unsubscribeBy(patterns, client, request, reply)
}

function ssubscribe(client: Client, request: Request, reply: Reply): void {
  // SUBSCRIBE and PSUBSCRIBE are allowed in a transaction, because they always were.
  if (client.deniesBlocking) return reply.error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
  subscribeBy(shardChannels, client, request, reply)
}

function sunsubscribe(client: Client, request: Request, reply: Reply): void {
  unsubscribeBy(shardChannels, client, request, reply)
}

// ---- Sending ----

function publish(client: Client, request: Request, reply: Reply): void {
  const { pubsub } = client.engine
  const count = pubsub.hasSubscribers ? pubsub.publish(request.latin1(1), request.view(2)) : 0
  reply.integer(count)
}

function spublish(client: Client, request: Request, reply: Reply): void {
  const { pubsub } = client.engine
  const count = pubsub.shardChannels.size > 0 ? pubsub.publishShard(request.latin1(1), request.view(2)) : 0
  reply.integer(count)
}

// ---- Telling who listens ----

function listActive(active: ReadonlyMap<string, unknown>, request: Request, reply: Reply): void {
  if (request.count > 3) return reply.error(wrongSubcommandForm('PUBSUB', request.text(1)))
  const pattern = request.count === 3 ? request.view(2) : null
  let names = [...active.keys()]
  if (pattern !== null) {
    let bytes = Buffer.alloc(1024)
    names = names.filter((name) => {
      if (name.length > bytes.length) bytes = Buffer.alloc(name.length * 2)
      bytes.write(name, 'latin1')
      return globMatch(pattern, 0, pattern.length, bytes, 0, name.length, false)
    })
  }
  reply.array(names.length)
  for (const name of names) reply.bulkBytes(Buffer.from(name, 'latin1'))
}

function listCounts(active: ReadonlyMap<string, ReadonlySet<Client>>, request: Request, reply: Reply): void {
  reply.array((request.count - 2) * 2)
  for (let index = 2; index < request.count; index++) {
    reply.bulk(request.chunk, request.start(index), request.end(index))
    reply.integer(active.get(request.latin1(index))?.size ?? 0)
  }
}

function activeChannels(client: Client, request: Request, reply: Reply): void {
  listActive(client.engine.pubsub.channels, request, reply)
}

function activeShardChannels(client: Client, request: Request, reply: Reply): void {
  listActive(client.engine.pubsub.shardChannels, request, reply)
}

function channelCounts(client: Client, request: Request, reply: Reply): void {
  listCounts(client.engine.pubsub.channels, request, reply)
}

function shardChannelCounts(client: Client, request: Request, reply: Reply): void {
  listCounts(client.engine.pubsub.shardChannels, request, reply)
}

function patternCount(client: Client, _request: Request, reply: Reply): void {
  reply.integer(client.engine.pubsub.patterns.size)
}

const HELP = [
  'CHANNELS [<pattern>]',
  "    Return the currently active channels matching a <pattern> (default: '*').",
  'NUMPAT',
  '    Return number of subscriptions to patterns.',
  'NUMSUB [<channel> ...]',
  '    Return the number of subscribers for the specified channels, excluding',
  '    pattern subscriptions(default: no channels).',
  'SHARDCHANNELS [<pattern>]',
  "    Return the currently active shard level channels matching a <pattern> (default: '*').",
  'SHARDNUMSUB [<shardchannel> ...]',
  '    Return the number of subscribers for the specified shard level channel(s)',
]

const LISTENING: readonly CommandFlag[] = ['pubsub', 'noscript', 'loading', 'stale']
const SENDING: readonly CommandFlag[] = ['pubsub', 'loading', 'stale', 'fast', 'may_replicate']
const TELLING: readonly CommandFlag[] = ['pubsub', 'loading', 'stale']
// The category @pubsub follows from the flag of that name.
const shared = { acl: [], group: 'pubsub' } as const

export const pubsubCommands: readonly CommandSpec[] = [
  {
    ...shared,
    name: 'SUBSCRIBE',
    arity: -2,
    flags: LISTENING,
    since: '2.0.0',
    complexity: 'O(N) where N is the number of channels to subscribe to.',
    summary: 'Listens to channels.',
    args: 'channel...',
    handler: subscribe,
  },
  {
    ...shared,
    name: 'UNSUBSCRIBE',
    arity: -1,
    flags: LISTENING,
    since: '2.0.0',
    complexity: 'O(N) where N is the number of clients already subscribed to a channel.',
    summary: 'Stops listening to channels, or to all of them.',
    args: '[channel...]',
    handler: unsubscribe,
  },
  {
    ...shared,
    name: 'PSUBSCRIBE',
    arity: -2,
    flags: LISTENING,
    since: '2.0.0',
    complexity: 'O(N) where N is the number of patterns the client is already subscribed to.',
    summary: 'Listens to the channels that match patterns.',
    args: 'pattern{pattern}...',
    handler: psubscribe,
  },
  {
    ...shared,
    name: 'PUNSUBSCRIBE',
    arity: -1,
    flags: LISTENING,
    since: '2.0.0',
    complexity:
      'O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total patterns subscribed in the system (by any client).',
    summary: 'Stops listening to patterns, or to all of them.',
    args: '[pattern...]',
    handler: punsubscribe,
  },
  {
    ...shared,
    name: 'SSUBSCRIBE',
    arity: -2,
    flags: LISTENING,
    keys: [keyRange(1, -1, 1, 'not_key')],
    since: '7.0.0',
    complexity: 'O(N) where N is the number of shard channels to subscribe to.',
    summary: 'Listens to shard channels.',
    args: 'shardchannel...',
    handler: ssubscribe,
  },
  {
    ...shared,
    name: 'SUNSUBSCRIBE',
    arity: -1,
    flags: LISTENING,
    keys: [keyRange(1, -1, 1, 'not_key')],
    since: '7.0.0',
    complexity: 'O(N) where N is the number of clients already subscribed to a shard channel.',
    summary: 'Stops listening to shard channels, or to all of them.',
    args: '[shardchannel...]',
    handler: sunsubscribe,
  },
  {
    ...shared,
    name: 'PUBLISH',
    arity: 3,
    flags: SENDING,
    since: '2.0.0',
    complexity:
      'O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).',
    summary: 'Sends a message to a channel, and tells how many received it.',
    args: 'channel message',
    handler: publish,
  },
  {
    ...shared,
    name: 'SPUBLISH',
    arity: 3,
    flags: SENDING,
    keys: [key(1, 'not_key')],
    since: '7.0.0',
    complexity: 'O(N) where N is the number of clients subscribed to the receiving shard channel.',
    summary: 'Sends a message to a shard channel, and tells how many received it.',
    args: 'shardchannel message',
    handler: spublish,
  },
  {
    ...shared,
    name: 'PUBSUB',
    arity: -2,
    flags: [],
    since: '2.8.0',
    complexity: 'Depends on subcommand.',
    summary: 'Tells about channels and who listens to them.',
    subcommands: [
      {
        ...shared,
        name: 'CHANNELS',
        arity: -2,
        flags: TELLING,
        since: '2.8.0',
        complexity:
          'O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)',
        summary: 'Lists the channels that somebody listens to.',
        args: '[pattern]',
        handler: activeChannels,
      },
      {
        ...shared,
        name: 'NUMSUB',
        arity: -2,
        flags: TELLING,
        since: '2.8.0',
        complexity: 'O(N) for the NUMSUB subcommand, where N is the number of requested channels',
        summary: 'How many listen to each of these channels.',
        args: '[channel...]',
        handler: channelCounts,
      },
      helpSubcommand('PUBSUB', { ...shared, since: '6.2.0' }, HELP),
      {
        ...shared,
        name: 'SHARDCHANNELS',
        arity: -2,
        flags: TELLING,
        since: '7.0.0',
        complexity:
          'O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).',
        summary: 'Lists the shard channels that somebody listens to.',
        args: '[pattern]',
        handler: activeShardChannels,
      },
      {
        ...shared,
        name: 'SHARDNUMSUB',
        arity: -2,
        flags: TELLING,
        since: '7.0.0',
        complexity: 'O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels',
        summary: 'How many listen to each of these shard channels.',
        args: '[shardchannel...]',
        handler: shardChannelCounts,
      },
      {
        ...shared,
        name: 'NUMPAT',
        arity: 2,
        flags: TELLING,
        since: '2.8.0',
        complexity: 'O(1)',
        summary: 'How many patterns somebody listens to.',
        handler: patternCount,
      },
    ],
  },
]
