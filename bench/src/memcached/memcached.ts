// Headpond beside memcached, with one thread and with four, and beside a server that does nothing: the same load, the same items.

import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { fileURLToPath } from 'node:url'
import { freePort, isListening } from 'headpond/test/free-port.ts'
import type { MemcachedBenchOptions } from '../options.ts'
import { keyOf, type LoadRequest, type LoadResult } from './load.ts'

const EXECUTABLE = fileURLToPath(new URL('../../../packages/headpond/dist/bin/headpond.js', import.meta.url))
const BARE_NODE = fileURLToPath(new URL('./bare-node.js', import.meta.url))
const CONNECTION_COUNT = 50
const KEY_COUNT = 100_000
const MEMORY_ITEM_COUNT = 1_000_000
const MEMORY_VALUE_SIZES = [20, 100, 1000]
const MS_PER_CPU_TICK = 10
const START_TIMEOUT_MS = 15_000

interface Contestant {
  readonly name: string
  readonly command: readonly string[]
}

const live = new Set<ChildProcess>()
// Whatever ends the benchmark, no server that it started outlives it.
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL')
})

class Running {
  readonly name: string
  readonly port: number
  readonly #child: ChildProcess

  private constructor(name: string, port: number, child: ChildProcess) {
    this.name = name
    this.port = port
    this.#child = child
  }

  static async start({ name, command }: Contestant, args: readonly string[] = []): Promise<Running> {
    const port = await freePort()
    const child = spawn(command[0], [...command.slice(1), '-l', '127.0.0.1', '-p', String(port), ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    live.add(child)
    child.once('exit', () => live.delete(child))
    const startedAtMs = performance.now()
    while (!(await isListening(port))) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      if (child.exitCode !== null || performance.now() - startedAtMs > START_TIMEOUT_MS) {
        child.kill('SIGKILL')
        throw new Error(`${name} did not start: ${command.join(' ')}`)
      }
    }
    return new Running(name, port, child)
  }

  rssBytes(): number {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'latin1'))![1]) * 1024
  }

  /** CPU time of all threads since the start. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_CPU_TICK
  }

  /** Stores items of one size under the first keys. */
  async fill(count: number, valueBytes: number): Promise<void> {
    const socket = createConnection({ port: this.port, host: '127.0.0.1' })
    await once(socket, 'connect')
    const value = 'x'.repeat(valueBytes)
    for (let from = 0; from < count; from += 1000) {
      let text = ''
      for (let index = from; index < Math.min(count, from + 1000); index++) {
        text += `set ${keyOf(index)} 0 0 ${valueBytes} noreply\r\n${value}\r\n`
      }
      if (!socket.write(text)) await once(socket, 'drain')
    }
    socket.write('version\r\n')
    await once(socket, 'data')
    socket.destroy()
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }
}

/** Returns the tables as text. */
export async function measureMemcached(
  options: MemcachedBenchOptions,
  progress: (text: string) => void,
): Promise<string> {
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  const memcached = (threads: number): Contestant => ({
    name: `memcached -t ${threads}`,
    command: ['memcached', '-t', String(threads), '-m', '2048', ...user],
  })
  const headpond: Contestant = { name: 'Headpond', command: [options.node, EXECUTABLE, 'memcached', '-m', '2048'] }
  const bareNode: Contestant = { name: 'Node alone', command: [options.node, '-C', 'headpond-repository', BARE_NODE] }
  const contestants = [headpond, memcached(1), memcached(4)]
  return `${await measureSpeed(contestants, bareNode, options, progress)}\n${await measureItems([headpond, memcached(1)], progress)}`
}

/** @param bare understands single requests only */
async function measureSpeed(
  contestants: readonly Contestant[],
  bare: Contestant,
  options: MemcachedBenchOptions,
  progress: (text: string) => void,
): Promise<string> {
  const rows: string[][] = []
  const running: Running[] = []
  try {
    for (const contestant of [...contestants, bare]) running.push(await Running.start(contestant))
    const servers = running.slice(0, -1)
    for (const valueBytes of [20, 1024]) {
      for (const server of servers) await server.fill(KEY_COUNT, valueBytes)
      for (const operation of ['set', 'get'] as const) {
        for (const pipeline of [1, 16]) {
          const load = { operation, pipeline, valueBytes, keyCount: KEY_COUNT, connectionCount: CONNECTION_COUNT }
          const line = `${operation} P${pipeline} ${valueBytes}B`
          rows.push(await measureLine(line, pipeline === 1 ? running : servers, load, options))
          progress(rows.at(-1)!.join('  '))
        }
      }
    }
  } finally {
    for (const server of running) await server.stop()
  }
  const all = [...contestants, bare]
  const heads = all.map(({ name }) => `${name}: commands/s, µs CPU, p99 ms`)
  const ratios = all.slice(1).map(({ name }) => `x ${name} (CPU)`)
  return table(['line', ...heads, ...ratios], rows)
}

/** The servers take turns; what counts are the medians. */
async function measureLine(
  line: string,
  servers: readonly Running[],
  load: Omit<LoadRequest, 'port' | 'seconds'>,
  options: MemcachedBenchOptions,
): Promise<string[]> {
  const seconds = options.quick ? 0.5 : 2
  const figures = servers.map(() => ({ perSecond: [] as number[], cpuUs: [] as number[], p99Ms: [] as number[] }))
  for (let pair = 0; pair < options.pairCount; pair++) {
    for (const [index, server] of servers.entries()) {
      const cpuBeforeMs = server.cpuMs()
      const { commandCount, seconds: measured, p99Ms } = await runLoad({ ...load, port: server.port, seconds })
      // The CPU of the warm-up is the same share of all of it.
      const cpuUs = ((server.cpuMs() - cpuBeforeMs) * 1000) / (commandCount * 1.2)
      figures[index].perSecond.push(commandCount / measured)
      figures[index].cpuUs.push(cpuUs)
      figures[index].p99Ms.push(p99Ms)
    }
  }
  const medians = figures.map(({ perSecond, cpuUs, p99Ms }) => ({
    perSecond: median(perSecond),
    cpuUs: median(cpuUs),
    p99Ms: median(p99Ms),
  }))
  const [own, ...others] = medians
  const cells = medians.map(
    ({ perSecond, cpuUs, p99Ms }) => `${Math.round(perSecond / 1000)}k, ${cpuUs.toFixed(2)}, ${p99Ms.toFixed(2)}`,
  )
  const ratios = others.map(
    ({ perSecond, cpuUs }) => `${(own.perSecond / perSecond).toFixed(2)} (${(own.cpuUs / cpuUs).toFixed(2)})`,
  )
  if (load.pipeline > 1) for (const column of [cells, ratios]) column.push('') // nobody alone
  return [line, ...cells, ...ratios]
}

/** The load comes from a process of its own: it is what the machine's other core does. */
function runLoad(request: LoadRequest): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./load.js', import.meta.url)))
    child.once('error', reject)
    child.once('message', (reply: { result?: LoadResult; failure?: string }) => {
      if (reply.result === undefined) reject(new Error(reply.failure))
      else child.once('exit', () => resolve(reply.result!))
    })
    child.send(request)
  })
}

async function measureItems(contestants: readonly Contestant[], progress: (text: string) => void): Promise<string> {
  const rows: string[][] = []
  for (const valueBytes of MEMORY_VALUE_SIZES) {
    const perItem: number[] = []
    for (const contestant of contestants) {
      const server = await Running.start(contestant)
      try {
        // The way of a set is compiled, and first pages are touched, before it counts.
        await server.fill(20_000, valueBytes)
        const before = server.rssBytes()
        await server.fill(MEMORY_ITEM_COUNT + 20_000, valueBytes)
        perItem.push((server.rssBytes() - before) / MEMORY_ITEM_COUNT)
      } finally {
        await server.stop()
      }
    }
    const ratio = (perItem[0] / perItem[1]).toFixed(2)
    rows.push([`16 B key, ${valueBytes} B value`, ...perItem.map((bytes) => bytes.toFixed(1)), ratio])
    progress(rows.at(-1)!.join('  '))
  }
  const heads = contestants.map(({ name }) => `${name}: bytes of RSS`)
  return table(['item', ...heads, 'ratio'], rows)
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column].length)))
  const lineOf = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column])).join('  ')
  return [lineOf(heads), ...rows.map(lineOf), ''].map((line) => line.trimEnd()).join('\n')
}

function median(values: readonly number[]): number {
  return values.toSorted((first, second) => first - second)[values.length >> 1]
}
