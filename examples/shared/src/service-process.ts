import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Environment } from './environment.ts'

/** A service in a process of its own, as `runService` makes it. */
export class ServiceProcess {
  readonly #child: ChildProcess
  readonly url: string

  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    this.url = url
  }

  /** Resolves when the service is ready; rejects when it ends before. `quiet` keeps its log to itself. */
  static async start(
    file: URL,
    env: Environment,
    { args = [], isQuiet = false }: { args?: readonly string[]; isQuiet?: boolean } = {},
  ): Promise<ServiceProcess> {
    const output = isQuiet ? 'ignore' : 'inherit'
    const child = fork(file, args, {
      env: { ...process.env, ...env },
      execArgv: [],
      stdio: ['ignore', output, 'inherit', 'ipc'],
    })
    const outcome = await new Promise<{ url?: string }>((resolve, reject) => {
      child.once('message', (message) => resolve(message as { url?: string }))
      child.once('error', reject)
      child.once('exit', (code, signal) => reject(new Error(`${file.pathname} ended (${signal ?? code})`)))
    })
    return new ServiceProcess(child, outcome.url ?? '')
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Sends a signal, and resolves to the exit code (null after a signal that kills) once the process is gone. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal)
    return this.ended()
  }

  /** Resolves when the process is gone, for whatever reason. */
  async ended(): Promise<number | null> {
    if (!this.hasEnded) await once(this.#child, 'exit')
    return this.#child.exitCode
  }
}
