import type { Settings } from '../config/directives.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import type { RespEngine } from './engine.ts'

/** Why a command may not run now, as the error to answer; null when it may. */
export type Restriction = (client: Client, command: Command) => string | null

/**
 * What keeps commands of every client from running for a while: data is being loaded, the disk is full, a pause. One
 * check of dispatch stands for all of them.
 */
export class Restrictions {
  /** The one check. */
  isOn = false
  #all: readonly Restriction[] = []

  set(restriction: Restriction, isOn: boolean): void {
    const others = this.#all.filter((each) => each !== restriction)
    this.#all = isOn ? [...others, restriction] : others
    this.isOn = this.#all.length > 0
  }

  /** The first error there is for a command. */
  refusal(client: Client, command: Command): string | null {
    for (const restriction of this.#all) {
      const error = restriction(client, command)
      if (error !== null) return error
    }
    return null
  }
}

/** Whether a command may change data, an EXEC by what is queued for it. */
export function mayWrite(client: Client, command: Command): boolean {
  if (command.fullName === 'exec') return client.transaction?.hasWrites === true
  return command.isWrite
}

export const LOADING = 'LOADING Redis is loading the dataset in memory'

/** While data is loaded most commands have to wait; while it cannot be saved nothing may be written. */
export function restrictByPersistence(engine: RespEngine): void {
  const { persistence, restrictions } = engine
  const whileLoading: Restriction = (_client, command) => (command.isAllowedInLoading ? null : LOADING)
  const whileFailing: Restriction = (client, command) =>
    mayWrite(client, command) || command.fullName === 'ping' ? persistence.writeRefusal : null
  persistence.onStatus = () => {
    restrictions.set(whileLoading, persistence.loading.isActive)
    restrictions.set(whileFailing, persistence.writeRefusal !== null)
  }
  for (const name of ['save', 'stop-writes-on-bgsave-error'] as const) {
    engine.config.onChange(name, () => {
      persistence.onStatus()
      return undefined
    })
  }
}

/** Why no client may write, as the error to answer: with `min-replicas-to-write` there must be replicas, and there are none. */
export function replicasRefusal({ minReplicasToWrite, minReplicasMaxLag }: Settings): string | null {
  return minReplicasToWrite > 0 && minReplicasMaxLag > 0 ? 'NOREPLICAS Not enough good replicas to write.' : null
}

export function restrictByReplicas({ config, settings, restrictions }: RespEngine): void {
  const withoutReplicas: Restriction = (client, command) =>
    mayWrite(client, command) && !client.isReplaying ? replicasRefusal(settings) : null
  const update = () => {
    restrictions.set(withoutReplicas, replicasRefusal(settings) !== null)
    return undefined
  }
  update()
  for (const name of ['min-replicas-to-write', 'min-replicas-max-lag'] as const) config.onChange(name, update)
}
