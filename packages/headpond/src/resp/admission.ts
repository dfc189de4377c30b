import { createHash, timingSafeEqual } from 'node:crypto'
import type { Client } from './client.ts'
import type { RespEngine } from './engine.ts'

/** Who may connect, and as whom. */

const DENIED =
  "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n"
const TOO_MANY = '-ERR max number of clients reached\r\n'

/** Why a new connection is turned away, as the error to send it; null when it is welcome. */
export function refusalOf(engine: RespEngine, isLoopback: boolean): string | null {
  if (engine.clients.size >= engine.settings.maxclients) return TOO_MANY
  if (engine.settings.protectedMode && !engine.requiresPassword && !isLoopback) return DENIED
  return null
}

/** Makes a client the user that it claims to be, if the password is right. */
export function authenticate(client: Client, userName: string, password: Uint8Array): boolean {
  const { settings, requiresPassword } = client.engine
  if (userName !== 'default') return false
  if (requiresPassword && !isSameSecret(password, Buffer.from(settings.requirepass))) return false
  client.userName = userName
  client.isAuthenticated = true
  client.updateSpecial()
  return true
}

/** Back to what the client was when it connected. */
export function resetAuthentication(client: Client): void {
  client.userName = 'default'
  client.isAuthenticated = client.connection === null || !client.engine.requiresPassword
  client.updateSpecial()
}

/** Takes the same time for every wrong guess: digests are compared, which have one length and tell nothing. */
function isSameSecret(given: Uint8Array, secret: Uint8Array): boolean {
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()
  return timingSafeEqual(digest(given), digest(secret))
}
