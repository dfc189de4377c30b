import { createConnection, isIP, type Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { getSystemErrorMap } from 'node:util'

export interface RemoteAddress {
  readonly host: string
  readonly port: number
  /** A Unix socket, instead of host and port. */
  readonly path?: string | undefined
  readonly tls?: ConnectionOptions | undefined
}

/** Why there is no connection, in the words of the C library where the cause is the system's. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError'
}

/** Connects. Rejects with RemoteError. */
export async function openSocket({ host, port, path, tls }: RemoteAddress): Promise<Socket> {
  const place = path === undefined ? { host, port } : { path }
  if (tls === undefined) return untilReady(createConnection(place), 'connect')
  const { connect } = await import('node:tls') // few need it, and it takes a while to load
  // A name goes to the server (SNI); an address must not.
  const servername = tls.servername ?? (isIP(host) === 0 ? host : '')
  return untilReady(connect({ ...place, ...tls, servername }), 'secureConnect')
}

function untilReady(socket: Socket | TLSSocket, event: 'connect' | 'secureConnect'): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let isConnected = false
    const fail = (error: Error) => {
      socket.destroy()
      reject(new RemoteError(isConnected ? `SSL_connect failed: ${error.message}` : systemWords(error)))
    }
    const close = () => fail(new Error('the server closed the connection'))
    socket.once('connect', () => (isConnected = true))
    socket.once('error', fail)
    socket.once('close', close)
    socket.once(event, () => {
      socket.off('error', fail)
      socket.off('close', close)
      resolve(socket)
    })
  })
}

/** Where the system's table has other words than the C library, or none. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  EHOSTUNREACH: 'No route to host',
  ENOTFOUND: 'Name or service not known',
  EAI_AGAIN: 'Temporary failure in name resolution',
}

/** 'Connection refused', as the C library says it. */
export function systemWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // When a name has several addresses, each has failed for a reason of its own.
  const cause = error instanceof AggregateError && error.errors.length > 0 ? error.errors.at(-1) : error
  const { code = '', errno = 0, message } = cause as NodeJS.ErrnoException
  const words = OTHER_WORDS[code] ?? getSystemErrorMap().get(errno)?.[1]
  return words === undefined ? message : words[0].toUpperCase() + words.slice(1)
}
