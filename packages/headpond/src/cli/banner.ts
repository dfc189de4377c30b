import type { Server } from '../server/server.ts'
import { HEADPOND_VERSION } from '../server/version.ts'

/** What a person sees at the start: what runs where, and what is not kept. */
export function bannerText(server: Server, readyMs: number): string {
  const lines = Object.entries(server.addresses).map(([protocol, address]) => `${protocol.padEnd(8)} ${address}`)
  return [
    '',
    `   ~  ~~ ~    Headpond ${HEADPOND_VERSION}   ready in ${readyMs} ms   pid ${process.pid}`,
    ...lines.map((line, index) => `${index % 2 === 0 ? ' ~~~ ~~~~ ~ ' : '   ~~ ~ ~~~ '}  ${line}`),
    '              data     in memory only: nothing is kept when the server stops',
    '',
    '',
  ].join('\n')
}
