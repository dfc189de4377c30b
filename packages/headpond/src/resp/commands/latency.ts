import type { Client } from '../client.ts'
import type { Command, CommandSpec } from '../command.ts'
import { helpSubcommand } from '../help.ts'
import { latencyAdvice, latencyGraph } from '../latency-report.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

function latest(client: Client, _request: Request, reply: Reply): void {
  const { events } = client.engine.latencyMonitor
  reply.array(events.size)
  for (const [name, { samples, maxMs }] of events) {
    const last = samples[samples.length - 1]
    reply.array(4)
    reply.bulkText(name)
    reply.integer(last.atSeconds)
    reply.integer(last.latencyMs)
    reply.integer(maxMs)
  }
}

function history(client: Client, request: Request, reply: Reply): void {
  const samples = client.engine.latencyMonitor.events.get(request.text(2))?.samples ?? []
  reply.array(samples.length)
  for (const { atSeconds, latencyMs } of samples) {
    reply.array(2)
    reply.integer(atSeconds)
    reply.integer(latencyMs)
  }
}

function graph(client: Client, request: Request, reply: Reply): void {
  const name = request.text(2)
  const event = client.engine.latencyMonitor.events.get(name)
  if (event === undefined) return reply.errorOfBytes(`ERR No samples available for event '${request.quoted(2)}'`)
  reply.verbatim('txt', latencyGraph(name, event, client.engine.clock.nowMs()))
}

function doctor(client: Client, _request: Request, reply: Reply): void {
  reply.verbatim('txt', latencyAdvice(client.engine.latencyMonitor))
}

function reset(client: Client, request: Request, reply: Reply): void {
  const names = Array.from({ length: request.count - 2 }, (_, index) => request.text(index + 2))
  reply.integer(client.engine.latencyMonitor.reset(names))
}

function histogram(client: Client, request: Request, reply: Reply): void {
  const { table } = client.engine
  const named = Array.from({ length: request.count - 2 }, (_, index) => table.byCall(request.text(index + 2)))
  const chosen =
    request.count === 2
      ? table.withSubcommands()
      : named.flatMap((command) => (command === undefined ? [] : [command, ...(command.subcommands?.values() ?? [])]))
  const commands = chosen.filter((command) => command.timedCount > 0 && command.latency.count > 0)
  reply.map(commands.length)
  for (const command of commands) replyHistogram(reply, command)
}

function replyHistogram(reply: Reply, command: Command): void {
  reply.bulkText(command.fullName)
  reply.map(2)
  reply.bulkText('calls')
  reply.integer(command.callCount)
  reply.bulkText('histogram_usec')
  const bounds = command.latency.cumulative()
  // Fast commands within pipelines are timed now and then: the sample stands for all calls.
  const scale = command.callCount / command.latency.count
  reply.map(bounds.length)
  for (const { boundUs, count } of bounds) {
    reply.integer(boundUs)
    reply.integer(Math.round(count * scale))
  }
}

const HELP = [
  'DOCTOR',
  '    Return a human readable latency analysis report.',
  'GRAPH <event>',
  '    Return an ASCII latency graph for the <event> class.',
  'HISTORY <event>',
  '    Return time-latency samples for the <event> class.',
  'LATEST',
  '    Return the latest latency samples for all events.',
  'RESET [<event> ...]',
  '    Reset latency data of one or more <event> classes.',
  '    (default: reset all data for all event classes)',
  'HISTOGRAM [COMMAND ...]',
  '    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.',
  '    If no commands are specified then all histograms are replied.',
]

const ADMIN = ['admin', 'noscript', 'loading', 'stale'] as const
const TIPS = ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'] as const

export const latencyCommands: readonly CommandSpec[] = [
  {
    name: 'LATENCY',
    arity: -2,
    flags: [],
    acl: [],
    group: 'server',
    since: '2.8.13',
    complexity: 'Depends on subcommand.',
    summary: 'What took long, and how long commands take.',
    subcommands: [
      {
        name: 'LATEST',
        arity: 2,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.8.13',
        complexity: 'O(1)',
        summary: 'Answers the latest spike of each event.',
        tips: TIPS,
        handler: latest,
      },
      {
        name: 'HISTORY',
        arity: 3,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.8.13',
        complexity: 'O(1)',
        summary: 'Answers the spikes of an event.',
        args: 'event',
        tips: TIPS,
        handler: history,
      },
      {
        name: 'GRAPH',
        arity: 3,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.8.13',
        complexity: 'O(1)',
        summary: 'Draws the spikes of an event.',
        args: 'event',
        tips: TIPS,
        handler: graph,
      },
      {
        name: 'DOCTOR',
        arity: 2,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.8.13',
        complexity: 'O(1)',
        summary: 'Tells what the spikes may come from.',
        tips: TIPS,
        handler: doctor,
      },
      {
        name: 'RESET',
        arity: -2,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.8.13',
        complexity: 'O(1)',
        summary: 'Forgets the spikes of some or all events.',
        args: '[event...]',
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        handler: reset,
      },
      {
        name: 'HISTOGRAM',
        arity: -2,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '7.0.0',
        complexity: 'O(N) where N is the number of commands with latency information being retrieved.',
        summary: 'Answers how long commands take, as cumulative counts.',
        args: '[command...]',
        tips: TIPS,
        handler: histogram,
      },
      helpSubcommand('LATENCY', { acl: [], group: 'server', since: '2.8.13' }, HELP),
    ],
  },
]
