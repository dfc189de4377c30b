import type { ClientQuotas } from './client-quotas.ts'
import type { QuotaKey } from './quota-keys.ts'

/** The limit that holds for a client, and who shares it. */
export interface ClientLimit {
  readonly limit: number
  /** The same for all clients that are counted together. */
  readonly sharedBy: string
}

type Names = readonly (readonly [type: string, name: string | null])[]
/** Who is counted together: this user's clients of this name, all of the user, or all of that name. */
type Sharing = 'user-and-client' | 'user' | 'client'

/**
 * What of a kind a client may do: the first that is set of
 *
 *   (user, client id), (user, default), user, (default, client id), (default, default), default user, client id, default client id
 *
 * A default gives each who has nothing of his own that much for himself.
 */
export function clientLimit(quotas: ClientQuotas, key: QuotaKey, user: string, clientId: string): ClientLimit | null {
  // A client without a name counts as none: only what is set for users holds for it.
  const levels =
    clientId === '' ? levelsOf(user, clientId).filter(([sharing]) => sharing === 'user') : levelsOf(user, clientId)
  for (const [sharing, names] of levels) {
    const limit = quotas.limitOf(names, key)
    if (limit === undefined) continue
    const sharedBy = JSON.stringify([sharing === 'client' ? null : user, sharing === 'user' ? null : clientId])
    return { limit, sharedBy }
  }
  return null
}

function levelsOf(user: string, clientId: string): readonly (readonly [Sharing, Names])[] {
  const both = (userName: string | null, clientName: string | null): Names => [
    ['user', userName],
    ['client-id', clientName],
  ]
  return [
    ['user-and-client', both(user, clientId)],
    ['user-and-client', both(user, null)],
    ['user', [['user', user]]],
    ['user-and-client', both(null, clientId)],
    ['user-and-client', both(null, null)],
    ['user', [['user', null]]],
    ['client', [['client-id', clientId]]],
    ['client', [['client-id', null]]],
  ]
}
