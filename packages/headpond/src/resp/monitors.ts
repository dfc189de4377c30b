import { quoteBytes } from '../config/quoting.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import { redactedArguments } from './redaction.ts'
import type { Request } from './request.ts'

/** The clients that watch every command (MONITOR). */
export class Monitors {
  readonly #clients = new Set<Client>()

  get count(): number {
    return this.#clients.size
  }

  add(client: Client): void {
    client.isMonitor = true
    client.updateSpecial()
    this.#clients.add(client)
  }

  remove(client: Client): void {
    if (!this.#clients.delete(client)) return
    client.isMonitor = false
    client.updateSpecial()
  }

  /** Shows a command that has just run, in the form that redis-cli and others parse. */
  show(client: Client, command: Command, request: Request, nowUs: number): void {
    const time = `${Math.floor(nowUs / 1e6)}.${String(nowUs % 1e6).padStart(6, '0')}`
    const args = redactedArguments(command, request).map(quoteBytes).join(' ')
    const line = Buffer.from(`+${time} [${client.database.index} ${addressOf(client)}] ${args}\r\n`)
    for (const monitor of this.#clients) monitor.push(line)
  }
}

function addressOf(client: Client): string {
  if (client.scriptOf !== null) return 'lua'
  if (client.connection === null) return 'local'
  const { remoteAddress } = client.connection
  return remoteAddress.startsWith('/') ? `unix:${remoteAddress.replace(/:0$/, '')}` : remoteAddress
}
