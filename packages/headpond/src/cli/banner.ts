import { isAbsolute, relative } from 'node:path'
import type { Settings } from '../config/directives.ts'
import type { Server } from '../server/server.ts'
import { HEADPOND_VERSION } from '../server/version.ts'

/** What a person sees at the start: what runs where, and what is not kept. */
export function bannerText(server: Server, readyMs: number): string {
  const lines = Object.entries(server.addresses).map(([protocol, address]) => `${protocol.padEnd(8)} ${address}`)
  return [
    '',
    `   ~  ~~ ~    Headpond ${HEADPOND_VERSION}   ready in ${readyMs} ms   pid ${process.pid}`,
    ...lines.map((line, index) => `${index % 2 === 0 ? ' ~~~ ~~~~ ~ ' : '   ~~ ~ ~~~ '}  ${line}`),
    `              data     ${dataText(server.config.settings)}`,
    '',
    '',
  ].join('\n')
}

/** Where data is kept, and how much of it a crash may cost. */
function dataText(settings: Settings): string {
  const { dir, appendonly, appendfsync, save, ephemeral } = settings
  if (ephemeral) return 'in memory only: nothing is kept when the server stops'
  const place = shortPath(dir)
  if (!appendonly) return save.length > 0 ? `snapshots in ${place}` : `in memory; SAVE keeps it in ${place}`
  return `${place}, ${SYNCED[appendfsync]}`
}

const SYNCED = {
  always: 'each write on disk before its reply',
  everysec: 'each write kept, on disk within a second',
  no: 'each write kept, on disk when the system decides',
} as const

function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path)
  return fromHere.startsWith('..') || isAbsolute(fromHere) ? path : `./${fromHere}`
}
