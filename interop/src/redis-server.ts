/** A redis-server of the test's own, on a free port, with nothing on disk. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from 'headpond/test/free-port.ts'
import { RawClient } from 'headpond/test/raw-client.ts'

export class RedisServer {
  readonly port: number
  readonly version: string
  readonly #process: ChildProcess
  /** Where it keeps its files. */
  readonly directory: string

  private constructor(process: ChildProcess, port: number, version: string, directory: string) {
    this.#process = process
    this.port = port
    this.version = version
    this.directory = directory
  }

  static async start(...args: string[]): Promise<RedisServer> {
    const directory = mkdtempSync(join(tmpdir(), 'headpond-interop-'))
    const port = await freePort()
    const defaults = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--enable-debug-command', 'yes']
    const child = spawn('redis-server', [...defaults, ...args], { cwd: directory })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    for (let attempt = 0; ; attempt++) {
      if (child.exitCode !== null || attempt === 500) {
        child.kill('SIGKILL')
        rmSync(directory, { recursive: true, force: true })
        throw new Error(`redis-server did not start:\n${output}`)
      }
      if (/ready to accept connections/i.test(output)) break
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const version = /Redis version=([^,]+)/.exec(output)?.[1] ?? 'unknown'
    return new RedisServer(child, port, version, directory)
  }

  connect(): Promise<RawClient> {
    return RawClient.connect(this.port)
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGKILL') // it has nothing to keep
      await once(this.#process, 'exit')
    }
    rmSync(this.directory, { recursive: true, force: true })
  }
}
