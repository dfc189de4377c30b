import { globMatch } from '../bytes/glob.ts'
import type { Client } from './client.ts'

interface Pattern {
  readonly bytes: Buffer
  readonly clients: Set<Client>
}

/**
 * Who listens to what. Channels and patterns are bytes; here they are strings of one character for each byte (latin1),
 * which maps can have as keys.
 */
export class PubSub {
  readonly channels = new Map<string, Set<Client>>()
  readonly patterns = new Map<string, Pattern>()
  /** The channels of SSUBSCRIBE: names of their own, which a cluster would keep with the keys of their slot. */
  readonly shardChannels = new Map<string, Set<Client>>()

  /** Whether anybody listens to any channel, or pattern of channels. */
  get hasSubscribers(): boolean {
    return this.channels.size + this.patterns.size > 0
  }

  subscribe(client: Client, channel: string): void {
    if (client.channels.has(channel)) return
    client.channels.add(channel)
    addTo(this.channels, channel, client)
    client.updateSpecial()
  }

  unsubscribe(client: Client, channel: string): void {
    if (!client.channels.delete(channel)) return
    removeFrom(this.channels, channel, client)
    client.updateSpecial()
  }

  subscribePattern(client: Client, text: string): void {
    if (client.patterns.has(text)) return
    client.patterns.add(text)
    const pattern = this.patterns.get(text)
    if (pattern === undefined) this.patterns.set(text, { bytes: latin1(text), clients: new Set([client]) })
    else pattern.clients.add(client)
    client.updateSpecial()
  }

  unsubscribePattern(client: Client, text: string): void {
    if (!client.patterns.delete(text)) return
    const pattern = this.patterns.get(text)
    pattern?.clients.delete(client)
    if (pattern?.clients.size === 0) this.patterns.delete(text)
    client.updateSpecial()
  }

  subscribeShard(client: Client, channel: string): void {
    if (client.shardChannels.has(channel)) return
    client.shardChannels.add(channel)
    addTo(this.shardChannels, channel, client)
    client.updateSpecial()
  }

  unsubscribeShard(client: Client, channel: string): void {
    if (!client.shardChannels.delete(channel)) return
    removeFrom(this.shardChannels, channel, client)
    client.updateSpecial()
  }

  unsubscribeAll(client: Client): void {
    if (!client.isSubscribed) return
    for (const channel of client.channels) this.unsubscribe(client, channel)
    for (const pattern of client.patterns) this.unsubscribePattern(client, pattern)
    for (const channel of client.shardChannels) this.unsubscribeShard(client, channel)
  }

  /**
   * Sends a message to everyone who listens to a channel or to a pattern of it; a client that does both gets it twice.
   * Returns how many times it was sent. O(n + m) for n receivers and m patterns; encoded once for each protocol.
   */
  publish(channel: string, payload: Uint8Array): number {
    let count = 0
    const subscribers = this.channels.get(channel)
    if (subscribers !== undefined) count += deliver(subscribers, `${bulk('message')}${bulk(channel)}`, 3, payload)
    if (this.patterns.size === 0) return count
    const name = latin1(channel)
    for (const [text, { bytes, clients }] of this.patterns) {
      if (!globMatch(bytes, 0, bytes.length, name, 0, name.length, false)) continue
      count += deliver(clients, `${bulk('pmessage')}${bulk(text)}${bulk(channel)}`, 4, payload)
    }
    return count
  }

  publishShard(channel: string, payload: Uint8Array): number {
    const subscribers = this.shardChannels.get(channel)
    if (subscribers === undefined) return 0
    return deliver(subscribers, `${bulk('smessage')}${bulk(channel)}`, 3, payload)
  }
}

const PUSH_MARKER = 0x3e
const CR = 0x0d
const LF = 0x0a

/** Sends a message that consists of encoded strings and a payload. Returns the number of clients. */
function deliver(clients: ReadonlySet<Client>, strings: string, count: number, payload: Uint8Array): number {
  const receiverCount = clients.size
  const asArray = encode(strings, count, payload)
  let asPush: Buffer | null = null
  for (const client of clients) {
    if (client.protocol === 2) {
      client.push(asArray)
    } else {
      asPush ??= withMarker(asArray, PUSH_MARKER)
      client.push(asPush)
    }
  }
  return receiverCount
}

function encode(strings: string, count: number, payload: Uint8Array): Buffer {
  const head = `*${count}\r\n${strings}$${payload.length}\r\n`
  const message = Buffer.allocUnsafe(head.length + payload.length + 2)
  const payloadAt = message.write(head, 0, 'latin1')
  message.set(payload, payloadAt)
  message[message.length - 2] = CR
  message[message.length - 1] = LF
  return message
}

/** RESP2 and RESP3 differ in the first byte alone. */
function withMarker(message: Buffer, marker: number): Buffer {
  const copy = Buffer.from(message)
  copy[0] = marker
  return copy
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function addTo(channels: Map<string, Set<Client>>, channel: string, client: Client): void {
  const clients = channels.get(channel)
  if (clients === undefined) channels.set(channel, new Set([client]))
  else clients.add(client)
}

function removeFrom(channels: Map<string, Set<Client>>, channel: string, client: Client): void {
  const clients = channels.get(channel)
  clients?.delete(client)
  if (clients?.size === 0) channels.delete(channel)
}
