/**
 * What clients receive whose invalidation messages go to another connection, as text: the same on Headpond and on
 * redis-server. Ids of clients are replaced by their names.
 */
import type { RawClient } from '../raw-client.ts'

export async function playRedirection(connect: () => Promise<RawClient>): Promise<string> {
  const lines: string[] = []
  const clients = new Map<string, RawClient>()
  const ids = new Map<string, string>()
  const named = (text: string) =>
    [...ids].reduce((result, [name, id]) => result.replace(new RegExp(`:${id}$|(?<=redir=)${id}\\b`, 'gm'), name), text)

  const open = async (name: string, protocol: number) => {
    // Ids are to be larger than all other numbers that are shown.
    let client = await connect()
    let id = (await client.call('CLIENT', 'ID')).slice(1)
    for (; Number(id) < 10; id = (await client.call('CLIENT', 'ID')).slice(1)) {
      client.close()
      client = await connect()
    }
    clients.set(name, client)
    ids.set(name, id)
    await client.call('HELLO', String(protocol))
  }
  /** Runs a command; afterwards every client has had the time to receive what it causes. */
  const run = async (name: string, ...args: string[]) => {
    lines.push(`${name}> ${args.join(' ')}`)
    const client = clients.get(name)!
    const shown = (await client.call(...args.map((arg) => ids.get(arg) ?? arg))).split('\n')
    const received: string[] = []
    for (const [other, each] of clients) {
      // A reply that comes after the messages shows that none is missing. In subscriber mode PING answers a pair.
      each.send('PING', 'done')
      for (;;) {
        const reply = await each.next()
        if (reply.endsWith('$ "done"')) break
        if (other === name) shown.push(...reply.split('\n'))
        else received.push(`${other}<`, ...reply.split('\n'))
      }
    }
    lines.push(...[...shown, ...received].map((line) => named(line)))
  }
  /** The fields of CLIENT LIST that tell of tracking. */
  const describe = async (name: string) => {
    const text = await clients.get('writer')!.call('CLIENT', 'LIST', 'ID', ids.get(name)!)
    lines.push(named(`${name}: ${/flags=\w+/.exec(text)?.[0]} ${/redir=-?\d+/.exec(text)?.[0]}`))
  }

  try {
    for (const [name, protocol] of [
      ['old', 2],
      ['new', 3],
      ['oldListener', 2],
      ['newListener', 3],
      ['writer', 2],
    ] as const) {
      await open(name, protocol)
    }
    lines.push('# RESP2 to RESP2: a message of pub/sub, once the receiver has subscribed to anything')
    await run('old', 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', 'oldListener')
    await run('old', 'CLIENT', 'GETREDIR')
    await run('old', 'CLIENT', 'TRACKINGINFO')
    await describe('old')
    await run('old', 'GET', 'k')
    await run('writer', 'SET', 'k', '1')
    await run('oldListener', 'SUBSCRIBE', '__redis__:invalidate')
    await run('old', 'MGET', 'k', 'l')
    await run('writer', 'MSET', 'k', '2', 'l', '2')
    await run('old', 'GET', 'k')
    await run('old', 'SET', 'k', '3')
    await run('writer', 'FLUSHALL')
    lines.push('# RESP2 to RESP3: a push')
    await run('old', 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', 'newListener')
    await run('old', 'GET', 'k')
    await run('writer', 'SET', 'k', '1')
    lines.push('# RESP3 to RESP2')
    await run('new', 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', 'oldListener', 'NOLOOP')
    await run('new', 'GET', 'k')
    await run('new', 'SET', 'k', '2')
    await run('new', 'GET', 'k')
    await run('writer', 'SET', 'k', '3')
    lines.push('# Two clients to one: it hears of a key as often as it was read')
    await run('old', 'GET', 'k')
    await run('new', 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', 'newListener')
    await run('new', 'GET', 'k')
    await run('writer', 'SET', 'k', '4')
    lines.push('# To itself')
    await run('new', 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', 'new')
    await run('new', 'GET', 'k')
    await run('new', 'SET', 'k', '5')
    lines.push('# Broadcasting')
    await run('new', 'CLIENT', 'TRACKING', 'OFF')
    await run('new', 'CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'user:', 'REDIRECT', 'newListener')
    await describe('new')
    await run('writer', 'MSET', 'user:1', '1', 'k', '1', 'user:2', '2')
    lines.push('# The receiver goes: RESP3 is told with the next message, RESP2 can only ask')
    const receiver = clients.get('newListener')!
    clients.delete('newListener')
    await run('writer', 'CLIENT', 'KILL', 'ID', 'newListener')
    await receiver.untilClosed()
    await run('old', 'GET', 'k')
    await run('writer', 'MSET', 'k', '1', 'user:1', '2')
    await describe('old')
    await describe('new')
    await run('new', 'CLIENT', 'TRACKINGINFO')
    await run('old', 'CLIENT', 'TRACKINGINFO')
    await run('writer', 'MSET', 'k', '2', 'user:1', '3')
    await run('new', 'CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'item:')
    await run('new', 'CLIENT', 'TRACKINGINFO')
    await run('writer', 'MSET', 'user:1', '4', 'item:1', '1')
    return `${lines.join('\n')}\n`
  } finally {
    for (const client of clients.values()) client.close()
  }
}
