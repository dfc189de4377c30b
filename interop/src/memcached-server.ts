/** A memcached of the test's own, on a free port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from 'headpond/test/free-port.ts'

const START_TIMEOUT_MS = 10_000

export class MemcachedServer {
  readonly port: number
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, port: number) {
    this.#process = process
    this.port = port
  }

  static async start(...args: string[]): Promise<MemcachedServer> {
    const port = await freePort()
    // As root it wants to be told whom to become.
    const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
    const child = spawn('memcached', ['-l', '127.0.0.1', '-p', String(port), '-t', '1', ...user, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const startedAtMs = performance.now()
    while (!(await answers(port))) {
      if (child.exitCode !== null || performance.now() - startedAtMs > START_TIMEOUT_MS) {
        child.kill('SIGKILL')
        throw new Error('memcached did not start')
      }
      await sleep(10)
    }
    return new MemcachedServer(child, port)
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGKILL') // it has nothing to keep
    await once(this.#process, 'exit')
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
