import type { MemcachedHost } from '../memcached/engine.ts'
import type { User } from '../security/user.ts'
import { hostOf } from './endpoint.ts'
import type { Server } from './server.ts'
import { HEADPOND_VERSION } from './version.ts'

/**
 * What a user must be allowed to do with every key to use memcached's protocol, which does all of it: its commands are
 * not checked one by one.
 */
const NEEDED_COMMANDS = ['get', 'set', 'append', 'incrby', 'decrby', 'del', 'expire', 'persist', 'flushdb'] as const

/** The server as memcached's side of it sees it. */
export function memcachedHost(server: Server): MemcachedHost {
  const { store, config, clock, log, resp, persistence } = server
  const { users } = resp.acl
  const allows = (user: User | undefined) =>
    user?.isEnabled === true &&
    (user.isUnrestricted ||
      user.selectors.some(
        (selector) =>
          selector.allowsAllKeys &&
          NEEDED_COMMANDS.every((name) => selector.allowsCommand(resp.table.byName(name)!.id)),
      ))
  // Whoever is told of changes already is told first.
  const { onChanged, onDeleted } = users
  users.onChanged = (user) => {
    onChanged(user)
    server.memcached.userChanged(user.name)
    if (user === users.default) server.memcached.updateAuthentication()
  }
  users.onDeleted = (user) => {
    onDeleted(user)
    server.memcached.userChanged(user.name)
  }
  return {
    store,
    config,
    clock,
    log,
    version: HEADPOND_VERSION,
    shutdown: () => void server.shutdown('default', true),
    makeRoom: () =>
      persistence.writeRefusal === null && (config.settings.maxmemory === 0 || resp.memoryLimit.makeRoom()),
    audience: {
      changed: (chunk, start, end) => {
        if (resp.propagates) resp.propagation.changedElsewhere(store.databases[0], chunk, start, end)
      },
      flushed: () => {
        if (resp.propagates) resp.propagation.flushedElsewhere(0)
      },
    },
    requestsRun: () => {
      if (resp.blocking.hasReady) resp.blocking.serve()
    },
    requiresAuthentication: () => resp.acl.requiresPassword || !allows(users.default),
    authenticate: (name, password) => {
      const user = users.authenticate(Buffer.from(name).toString('latin1'), Buffer.from(password))
      return user !== null && allows(user)
    },
    allows: (name) => allows(users.get(Buffer.from(name).toString('latin1'))),
    advance: (durationMs) => server.advance(durationMs),
    pauseTime: () => clock.pause(),
    resumeTime: () => clock.resume(),
    port: () => server.memcachedPort,
    listening: () => listeningTexts(server),
    refreshCertificates: () => server.listeners.refreshCertificates(),
    isEncrypted: () => server.listeners.isMemcachedEncrypted,
  }
}

/** Addresses as `stats conns` writes them. */
function listeningTexts({ config, listeners }: Server): string[] {
  const { memcachedUnixsocket, bind } = config.settings
  const places = [
    ...(listeners.memcached.port === 0
      ? []
      : bind.map((address) => ({ host: hostOf(address.replace(/^-/, '')), port: listeners.memcached.port }))),
    ...listeners.memcachedListening,
  ]
  return [
    ...(memcachedUnixsocket === '' ? [] : [`unix:${memcachedUnixsocket}`]),
    ...places.map(({ host, port }) => `tcp${host.includes(':') ? `6:[${host}]` : `:${host}`}:${port}`),
  ]
}
