import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { WorkerReply, WorkerRequest } from './pause-workers.ts'

/** A child process that answers one request at a time. */
export class Worker {
  readonly #child: ChildProcess = fork(fileURLToPath(new URL('./pause-workers.js', import.meta.url)))

  ask<Kind extends WorkerReply['kind']>(
    request: WorkerRequest,
    expected: Kind,
  ): Promise<Extract<WorkerReply, { kind: Kind }>> {
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error('a process of the benchmark ended unexpectedly'))
      this.#child.once('exit', onExit)
      this.#child.once('message', (reply: WorkerReply) => {
        this.#child.off('exit', onExit)
        if (reply.kind === expected) resolve(reply as Extract<WorkerReply, { kind: Kind }>)
        else reject(new Error(reply.kind === 'failed' ? reply.message : `unexpected answer "${reply.kind}"`))
      })
      this.#child.send(request)
    })
  }

  /** The child ends by itself when its channel closes. */
  close(): void {
    if (this.#child.connected) this.#child.disconnect()
  }
}
