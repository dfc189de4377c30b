import type { Client } from './client.ts'
import { memoryOf } from './client-memory.ts'
import type { Request } from './request.ts'

/** Output is counted in pieces of this size, as Redis's reply blocks are. */
const REPLY_BLOCK_BYTES = 16384

/**
 * One client as CLIENT LIST shows it, in the fields of Redis 7.2, with the totals of Valkey 8. Replies are encoded in a
 * buffer that all clients share, so the size of a client's own (`rbs`, `rbp`) is 0.
 *
 * @param request the command that the client runs at this moment, if it does
 */
export function describeClient(client: Client, nowMs: number, request: Request | null = null): string {
  const { connection, transaction, tracker } = client
  const { inputBytes, inputFreeBytes, argumentBytes, queuedBytes, totalBytes, bufferedBytes, outputBytes } = memoryOf(
    client,
    request,
  )
  const fields: readonly [name: string, value: string | number][] = [
    ['id', client.id],
    ['addr', connection?.remoteAddress ?? 'local:0'],
    ['laddr', connection?.localAddress ?? 'local:0'],
    ['fd', connection?.fileDescriptor ?? -1],
    ['name', client.name],
    ['age', wholeSeconds(nowMs - client.createdAtMs)],
    ['idle', wholeSeconds(nowMs - client.lastInteractionMs)],
    ['flags', flagsOf(client)],
    ['db', client.database.index],
    ['sub', client.channels.size],
    ['psub', client.patterns.size],
    ['ssub', client.shardChannels.size],
    ['multi', transaction?.count ?? -1],
    ['qbuf', inputBytes],
    ['qbuf-free', inputFreeBytes],
    ['argv-mem', argumentBytes],
    ['multi-mem', queuedBytes],
    ['rbs', 0],
    ['rbp', 0],
    ['obl', bufferedBytes],
    ['oll', Math.ceil(outputBytes / REPLY_BLOCK_BYTES)],
    ['omem', outputBytes],
    ['tot-mem', totalBytes],
    ['events', eventsOf(client, bufferedBytes)],
    ['cmd', client.lastCommand?.fullName ?? 'NULL'],
    ['user', Buffer.from(client.userName, 'latin1').toString()],
    ['redir', tracker?.isOn ? tracker.redirectId : -1],
    ['resp', client.protocol],
    ['lib-name', client.libraryName],
    ['lib-ver', client.libraryVersion],
    ['tot-net-in', connection?.receivedBytes ?? 0],
    ['tot-net-out', connection?.sentBytes ?? 0],
    ['tot-cmds', client.commandCount],
  ]
  return fields.map(([name, value]) => `${name}=${value}`).join(' ')
}

export type ClientType = 'normal' | 'master' | 'replica' | 'pubsub'

export function typeOf(client: Client): ClientType {
  return client.isSubscribed ? 'pubsub' : 'normal'
}

function flagsOf(client: Client): string {
  let flags = ''
  if (client.isMonitor) flags += 'O'
  if (client.isSubscribed) flags += 'P'
  if (client.transaction !== null) flags += 'x'
  if (client.blocked !== null || client.isHeld) flags += 'b'
  if (client.tracker?.isOn) flags += 't'
  if (client.tracker?.isRedirectBroken) flags += 'R'
  if (client.tracker?.mode === 'broadcast') flags += 'B'
  if (client.isWatchBroken) flags += 'd'
  if (client.closesAfterReply) flags += 'c'
  if (client.connection?.remoteAddress.startsWith('/')) flags += 'U'
  if (client.isNoEvict) flags += 'e'
  if (client.isNoTouch) flags += 'T'
  if (client.isImportSource) flags += 'I'
  return flags === '' ? 'N' : flags
}

function eventsOf(client: Client, outputBytes: number): string {
  return `${client.connection?.isReadingStopped ? '' : 'r'}${outputBytes > 0 ? 'w' : ''}`
}

function wholeSeconds(durationMs: number): number {
  return Math.floor(Math.max(0, durationMs) / 1000)
}

/** Why a client cannot be called this, as the error to send; null when it can. Names appear in lists, unquoted. */
export function clientNameProblem(name: string): string | null {
  return isPlain(name) ? null : 'ERR Client names cannot contain spaces, newlines or special characters.'
}

/** Printable ASCII without spaces. */
export function isPlain(text: string): boolean {
  return /^[!-~]*$/.test(text)
}
