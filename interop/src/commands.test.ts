/**
 * COMMAND INFO and COMMAND DOCS of every command that both have: clients choose by them how to route, retry and hint.
 * Summaries and histories are our own.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { RawClient, type RawReply } from 'headpond/test/raw-client.ts'
import { RedisServer } from './redis-server.ts'

/** A reply without its types: maps as objects, sets sorted. */
type Plain = string | null | Plain[] | { [key: string]: Plain }

function plain(reply: RawReply): Plain {
  switch (reply.marker) {
    case '%': {
      const items = (reply.items ?? []).map(plain)
      return Object.fromEntries(
        Array.from({ length: items.length / 2 }, (_, index) => [String(items[index * 2]), items[index * 2 + 1]]),
      )
    }
    case '~':
      return (reply.items ?? []).map(plain).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    case '*':
    case '>':
    case '|':
      return reply.items?.map(plain) ?? null
    default:
      return reply.text?.toString() ?? null
  }
}

async function ask(port: number, ...args: string[]): Promise<Plain> {
  const client = await RawClient.connect(port)
  try {
    await client.call('HELLO', '3')
    client.send(...args)
    await client.waitFor(1, 10_000)
    return plain(client.take()[0])
  } finally {
    client.close()
  }
}

/** By name, with subcommands beside the commands that contain them. */
function infoByName(commands: Plain): Map<string, Plain> {
  const byName = new Map<string, Plain>()
  for (const command of commands as Plain[][]) {
    const [name, ...rest] = command
    const subcommands = rest.pop()!
    byName.set(String(name), rest)
    for (const [subcommand, info] of infoByName(subcommands)) byName.set(subcommand, info)
  }
  return byName
}

/** Arguments without those that came after 7.0. */
function withoutNewer(args: readonly Argument[]): Plain[] {
  return args
    .filter(({ since }) => since === undefined || Number.parseFloat(since) <= 7)
    .map((each) => (each.arguments === undefined ? each : { ...each, arguments: withoutNewer(each.arguments) }))
}

type Argument = { [key: string]: Plain } & { since?: string; arguments?: Argument[] }

function docsByName(docs: Plain): Map<string, Plain> {
  const byName = new Map<string, Plain>()
  for (const [name, { summary: _summary, history: _history, subcommands, ...rest }] of Object.entries(
    docs as Record<string, Record<string, Plain>>,
  )) {
    const args = rest.arguments === undefined ? {} : { arguments: withoutNewer(rest.arguments as Argument[]) }
    byName.set(name, { ...rest, ...args })
    for (const [subcommand, each] of docsByName(subcommands ?? {})) byName.set(subcommand, each)
  }
  return byName
}

/** Commands that have learned something since 7.0, by name. */
const NEWER = new Set(['zrank', 'zrevrank', 'hscan', 'client|kill', 'set', 'bgsave'])

test('COMMAND INFO and DOCS tell the same of every command', async (t) => {
  const redis = await RedisServer.start()
  const headpond = await createServer()
  try {
    for (const [args, byName] of [
      [['COMMAND'], infoByName],
      [['COMMAND', 'DOCS'], docsByName],
    ] as const) {
      const expected = byName(await ask(redis.port, ...args))
      const actual = byName(await ask(headpond.port, ...args))
      let comparedCount = 0
      for (const [name, ours] of actual) {
        if (NEWER.has(name) || !expected.has(name)) continue
        assert.deepEqual(ours, expected.get(name), `${args.join(' ')}: ${name}`)
        comparedCount++
      }
      t.diagnostic(`${args.join(' ')}: ${comparedCount} of ${expected.size} commands and subcommands compared`)
      assert.ok(comparedCount > 100)
    }
  } finally {
    await headpond.close()
    await redis.stop()
  }
})
