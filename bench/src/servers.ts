// Starts and stops the two servers that are compared, and reads from the kernel what they cost. Needs Linux's /proc.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from 'headpond/test/free-port.ts'
import { Client } from './client.ts'

export type Role = 'headpond' | 'redis'

export interface ServerSpec {
  readonly role: Role
  /** Program and arguments; "{port}" is replaced when a server starts. */
  readonly command: readonly string[]
  readonly version: string
}

const repositoryRoot = resolve(fileURLToPath(import.meta.url), '../../..')
const run = promisify(execFile)

const startTimeoutMs = 15_000
const stopTimeoutMs = 10_000
/** USER_HZ: fixed at 100 in what Linux shows to programs, whatever the kernel's own tick. */
const msPerCpuTick = 10

const live = new Set<ChildProcess>()
const directories = new Set<string>()
// Whatever ends the benchmark, no server that it started outlives it, and no file.
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL')
  for (const directory of directories) removeDirectory(directory)
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

/** Reads `template` as a shell would (quotes, no expansion), with {node} filled in by the binary and its flags. */
export async function specFor(
  role: Role,
  template: string,
  node: string,
  nodeFlags: readonly string[] = [],
): Promise<ServerSpec> {
  const command = splitWords(template).flatMap((word) => (word === '{node}' ? [node, ...nodeFlags] : [word]))
  if (!command.some((word) => word.includes('{port}'))) command.push('--port', '{port}')
  return { role, command, version: await versionOf(command) }
}

export async function nodeVersion(node: string): Promise<string> {
  const { stdout } = await run(node, ['--version'])
  return stdout.trim()
}

/** Whether the program of a command can be run at all. */
export async function isInstalled(program: string): Promise<boolean> {
  return run(program, ['--version']).then(
    () => true,
    () => false,
  )
}

export class ServerProcess {
  readonly spec: ServerSpec
  readonly port: number
  readonly child: ChildProcess
  /** From spawn to the first PONG. */
  readonly startMs: number
  readonly client: Client
  readonly #directory: string

  /** With a `channel`, the server's process can be sent messages, for a module that `--import` put into it. */
  static async start(spec: ServerSpec, { channel = false, timeoutMs = startTimeoutMs } = {}): Promise<ServerProcess> {
    const directory = mkdtempSync(join(tmpdir(), 'headpond-bench-'))
    directories.add(directory)
    const port = await freePort()
    const command = spec.command.map((word) => locate(word.replaceAll('{port}', String(port))))
    const logPath = join(directory, 'log')
    const log = openSync(logPath, 'w')
    // A working directory of its own: whatever a server writes by default goes away with it.
    const workingDirectory = join(directory, 'cwd')
    mkdirSync(workingDirectory)

    const spawnedAtMs = performance.now()
    const child = spawn(command[0], command.slice(1), {
      cwd: workingDirectory,
      stdio: channel ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
    })
    live.add(child)
    let failure: string | undefined
    child.once('error', (error) => {
      failure = error.message
    })
    child.once('exit', (code, signal) => {
      live.delete(child)
      failure ??= `it ended with ${signal ?? `code ${code}`}`
    })
    closeSync(log)

    while (!(await answersPing(port))) {
      if (performance.now() - spawnedAtMs > timeoutMs) failure ??= `no PONG within ${timeoutMs} ms`
      if (failure !== undefined) {
        child.kill('SIGKILL')
        const output = readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
        removeDirectory(directory)
        throw new Error(`${spec.role} did not start: ${failure}\n  command: ${command.join(' ')}\n${output}`)
      }
    }
    const startMs = performance.now() - spawnedAtMs
    return new ServerProcess(spec, port, child, startMs, await Client.connect(port), directory)
  }

  private constructor(
    spec: ServerSpec,
    port: number,
    child: ChildProcess,
    startMs: number,
    client: Client,
    directory: string,
  ) {
    this.spec = spec
    this.port = port
    this.child = child
    this.startMs = startMs
    this.client = client
    this.#directory = directory
  }

  get role(): Role {
    return this.spec.role
  }

  /** Resident memory as the kernel counts it. */
  rssBytes(): number {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.child.pid}/status`, 'latin1'))
    if (!match) throw new Error(`no VmRSS for ${this.role}: has it ended?`)
    return Number(match[1]) * 1024
  }

  /** CPU time of all threads since the start, in steps of 10 ms. */
  cpuMs(): { user: number; system: number } {
    const stat = readFileSync(`/proc/${this.child.pid}/stat`, 'latin1')
    // The second field, the program's name, may hold spaces: count from behind its closing parenthesis.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { user: Number(fields[11]) * msPerCpuTick, system: Number(fields[12]) * msPerCpuTick }
  }

  /** The first thread, in Node the one that runs JavaScript: its time on a CPU, and its time ready to run without one. */
  mainThreadMs(): { running: number; runnable: number } {
    const [runningNs, runnableNs] = readFileSync(`/proc/${this.child.pid}/schedstat`, 'latin1').split(' ')
    return { running: Number(runningNs) / 1e6, runnable: Number(runnableNs) / 1e6 }
  }

  /** SIGTERM, and SIGKILL for a server that does not heed it. */
  async stop(): Promise<void> {
    this.client.close()
    if (live.has(this.child)) {
      const ended = new Promise((resolve) => this.child.once('exit', resolve))
      this.child.kill('SIGTERM')
      const timer = setTimeout(() => this.child.kill('SIGKILL'), stopTimeoutMs)
      await ended
      clearTimeout(timer)
    }
    removeDirectory(this.#directory)
  }
}

/** Starts one server of each spec, hands them over, and stops them whatever happens. */
export async function withServers<T>(
  specs: readonly ServerSpec[],
  use: (servers: readonly ServerProcess[]) => Promise<T>,
): Promise<T> {
  const servers: ServerProcess[] = []
  try {
    for (const spec of specs) servers.push(await ServerProcess.start(spec))
    return await use(servers)
  } finally {
    for (const server of servers) await server.stop()
  }
}

function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true })
  directories.delete(directory)
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
    const finish = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => socket.write('*1\r\n$4\r\nPING\r\n'))
    socket.once('data', (data) => finish(data.toString('latin1') === '+PONG\r\n'))
    socket.once('error', () => finish(false))
    socket.once('close', () => finish(false))
  })
}

/** A path inside the repository works from anywhere: the servers run in directories of their own. */
function locate(word: string): string {
  return isScript(word) && !isAbsolute(word) ? join(repositoryRoot, word) : word
}

/** A JavaScript file, but neither a flag nor a URL such as the one behind `--import`. */
function isScript(word: string): boolean {
  return /^[^-:][^:]*\.m?js$/.test(word)
}

async function versionOf(command: readonly string[]): Promise<string> {
  const script = command.find(isScript)
  try {
    const args = script === undefined ? ['--version'] : [locate(script), '--version']
    const { stdout } = await run(command[0], args, { timeout: 5000 })
    return stdout.trim().split('\n')[0]
  } catch {
    return 'unknown'
  }
}

function splitWords(text: string): string[] {
  const words: string[] = []
  for (const match of text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)) words.push(match[1] ?? match[2] ?? match[3])
  return words
}
