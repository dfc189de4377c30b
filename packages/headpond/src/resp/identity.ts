import { randomBytes } from 'node:crypto'

/** The ids by which other programs tell one run of a server, and one history of its data, from another. */
export class Identity {
  readonly runId = newId()
  #replicationId = newId()

  get replicationId(): string {
    return this.#replicationId
  }

  /** From now on nobody may take this server's data for a continuation of what it had before. */
  changeReplicationId(): void {
    this.#replicationId = newId()
  }
}

function newId(): string {
  return randomBytes(20).toString('hex')
}
