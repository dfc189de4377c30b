import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import type { Hono } from 'hono'

const KEEP_ALIVE_MS = 65_000

export interface HttpListener {
  readonly url: string
  /** Takes no new connections, and resolves when the requests in hand are answered. */
  close(): Promise<void>
}

/** Serves an application on the loopback address; port 0 is any free one. Rejects when the port is taken. */
export async function listenHttp(app: Hono, port: number): Promise<HttpListener> {
  const server = serve({ fetch: app.fetch, port, hostname: process.env['HOST'] ?? '127.0.0.1' }) as Server
  // Longer than clients keep theirs: closed by us at the moment of a request, a connection would cost that request.
  server.keepAliveTimeout = KEEP_ALIVE_MS
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `http://${host}:${address.port}`,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      await closed
    },
  }
}
