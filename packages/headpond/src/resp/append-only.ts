import type { Client } from './client.ts'
import type { RespEngine } from './engine.ts'
import { EngineReplay } from './replay.ts'
import type { Reply } from './reply.ts'

/** The append-only file as clients meet it: switched on and off by CONFIG SET, and waited for by WAITAOF. */
export function connectAppendOnly(engine: RespEngine): void {
  const { persistence, config } = engine
  persistence.aof.connect({
    feed: engine.propagation,
    gate: engine.host.gate,
    openReplay: () => new EngineReplay(engine),
  })
  config.onChange('appendonly', (isOn) => {
    if (persistence.isEphemeral) return isOn ? 'this server keeps nothing on disk' : undefined
    if (persistence.loading.isActive) return 'the data is being loaded'
    if (isOn) return persistence.aof.enable(engine.isInExec)
    persistence.aof.disable()
    return undefined
  })
  config.onChange('aof-disable-auto-gc', (isDisabled) => {
    if (!isDisabled) persistence.aof.deleteHistory()
    return undefined
  })
}

interface Waiter {
  readonly client: Client
  /** Up to here the feed of changes has to be on the disk. */
  readonly offset: number
}

/** Clients that wait until what they wrote is on the disk. */
export class SyncWaiters {
  readonly #engine: RespEngine
  readonly #waiters = new Set<Waiter>()

  constructor(engine: RespEngine) {
    this.#engine = engine
    engine.persistence.aof.onSynced = () => this.#serve()
  }

  isSynced(client: Client): boolean {
    const { aof } = this.#engine.persistence
    return aof.state === 'on' && aof.writer.syncedOffset >= client.propagationOffset
  }

  /** Lets a client wait until what it has written is on the disk; without replicas, more than that never comes. */
  wait(client: Client, timeoutMs: number, onTimeout: (reply: Reply) => void): void {
    const waiter = { client, offset: client.propagationOffset }
    this.#waiters.add(waiter)
    this.#engine.waiting.begin(client, timeoutMs, { onTimeout, cancel: () => void this.#waiters.delete(waiter) })
  }

  #serve(): void {
    const { syncedOffset } = this.#engine.persistence.aof.writer
    for (const { client, offset } of this.#waiters) {
      if (offset <= syncedOffset) this.#engine.waiting.end(client, (reply) => writeAcknowledgements(reply, true))
    }
  }
}

/** How many have it on their disk: this server, and replicas. */
export function writeAcknowledgements(reply: Reply, isSynced: boolean): void {
  reply.array(2)
  reply.integer(isSynced ? 1 : 0)
  reply.integer(0)
}
