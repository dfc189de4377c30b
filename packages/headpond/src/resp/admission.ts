import type { Client } from './client.ts'
import type { RespEngine } from './engine.ts'

/** Who may connect, and as whom. */

const DENIED =
  "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n"
const TOO_MANY = '-ERR max number of clients reached\r\n'

/** Why a new connection is turned away, as the error to send it; null when it is welcome. */
export function refusalOf(engine: RespEngine, isLoopback: boolean): string | null {
  if (engine.clients.size >= engine.settings.maxclients) return TOO_MANY
  if (engine.settings.protectedMode && engine.acl.users.default.credentials.acceptsAny && !isLoopback) return DENIED
  return null
}

/**
 * Makes a client the user that it claims to be, if the password is right. `object` is the command that asks for it, for
 * the log of refusals. Names have one character for each byte.
 */
export function authenticate(client: Client, userName: string, password: Uint8Array, object: string): boolean {
  const { acl } = client.engine
  const user = acl.users.authenticate(userName, password)
  if (user === null) {
    acl.authenticationFailed(client, userName, object)
    return false
  }
  client.user = user
  client.isAuthenticated = true
  client.updateSpecial()
  return true
}

/** Back to what the client was when it connected. */
export function resetAuthentication(client: Client): void {
  const { acl } = client.engine
  client.user = acl.users.default
  client.isAuthenticated = client.connection === null || !acl.requiresPassword
  client.updateSpecial()
}
