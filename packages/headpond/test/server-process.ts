/** The executable in a process of its own, as its users run it: for what must be seen from outside (memory, signals). */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { RawClient } from './raw-client.ts'

/** Seen from the compiled file. */
export const EXECUTABLE = fileURLToPath(new URL('../dist/bin/headpond.js', import.meta.url))

const START_TIMEOUT_MS = 20_000
const PORTS = ['--port', 'auto', '--memcached-port', '0']

export class ServerProcess {
  readonly child: ChildProcess
  readonly port: number
  /** The line that tells that the server is ready. */
  readonly readyLine: Readonly<Record<string, unknown>>

  private constructor(child: ChildProcess, readyLine: Record<string, unknown>) {
    this.child = child
    this.readyLine = readyLine
    this.port = Number(String(readyLine['redis']).split(':').at(-1))
  }

  /** Where its Kafka clients connect to. */
  get kafkaAddress(): string {
    return String(this.readyLine['kafka'])
  }

  /** A server that keeps nothing. */
  static start(...args: string[]): Promise<ServerProcess> {
    return ServerProcess.#launch([...PORTS, '--ephemeral', ...args])
  }

  /** A server that keeps what it keeps by default, started in a directory. Its arguments may begin with a file. */
  static startIn(directory: string, ...args: string[]): Promise<ServerProcess> {
    return ServerProcess.#launch([...args, ...PORTS], { cwd: directory })
  }

  /** As `startIn`, with a module in its process that is loaded before everything else. */
  static startWith(
    module: string,
    env: Record<string, string>,
    cwd: string,
    ...args: string[]
  ): Promise<ServerProcess> {
    const nodeArgs = ['--import', module]
    return ServerProcess.#launch([...args, ...PORTS], { cwd, env: { ...process.env, ...env }, nodeArgs })
  }

  static async #launch(
    args: readonly string[],
    { cwd, env, nodeArgs = [] }: { cwd?: string; env?: NodeJS.ProcessEnv; nodeArgs?: readonly string[] } = {},
  ): Promise<ServerProcess> {
    const stdio = ['ignore', 'pipe', 'inherit'] as const
    const child = spawn(process.execPath, [...nodeArgs, EXECUTABLE, ...args], { cwd, env, stdio: [...stdio] })
    let output = ''
    const ready = new Promise<Record<string, unknown>>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not ready in ${START_TIMEOUT_MS} ms:\n${output}`)),
        START_TIMEOUT_MS,
      )
      child.once('exit', () => reject(new Error(`it ended:\n${output}`)))
      child.stdout.on('data', (chunk) => {
        output += chunk
        const line = output
          .split('\n')
          .find((text) => text.includes('"msg":"Ready to accept connections"') && text.endsWith('}'))
        if (line === undefined) return
        clearTimeout(timer)
        resolve(JSON.parse(line))
      })
    })
    try {
      return new ServerProcess(child, await ready)
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
  }

  connect(): Promise<RawClient> {
    return RawClient.connect(this.port)
  }

  /** Resident memory as the kernel counts it; undefined where there is no /proc. */
  rssBytes(): number | undefined {
    try {
      const status = readFileSync(`/proc/${this.child.pid}/status`, 'latin1')
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
    } catch {
      return undefined
    }
  }

  /** Sends a signal and gives the exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill(signal)
      const timer = setTimeout(() => this.child.kill('SIGKILL'), 10_000)
      await once(this.child, 'exit')
      clearTimeout(timer)
    }
    return this.child.exitCode
  }
}
