// A broker in a process of its own: its start, its end, and what it costs.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTopicsRequest, createTopicsResponse } from 'headpond/src/kafka/schemas/create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from 'headpond/src/kafka/schemas/delete-topics.ts'
import { metadataRequest, metadataResponse } from 'headpond/src/kafka/schemas/metadata.ts'
import { freePort } from 'headpond/test/free-port.ts'
import { WireConnection } from './wire.ts'

const EXECUTABLE = fileURLToPath(new URL('../../../packages/headpond/dist/bin/headpond.js', import.meta.url))
const BARE_BROKER = fileURLToPath(new URL('./bare-broker.js', import.meta.url))
const GROUPS_AT_ONCE = ['--kafka.group.initial.rebalance.delay.ms', '0']
const MS_PER_CPU_TICK = 10
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 30_000
const CREATE_TOPICS_VERSION = 5
const DELETE_TOPICS_VERSION = 4
const METADATA_VERSION = 9

/** The name of the contestant that does nothing but receive, check, write and answer. */
export const NODE_ALONE = 'Node alone'

/** How a kind of broker is started. */
export interface BrokerSpec {
  readonly name: string
  /** The command that listens on this port and keeps its data in this directory; called before each start. */
  readonly command: (port: number, directory: string) => Promise<readonly string[]> | readonly string[]
}

/** With defaults, except that it listens to nothing else, and that new groups do not wait for more members, as in the other broker. */
export function headpondSpec(node: string, extra: readonly string[] = []): BrokerSpec {
  return {
    name: 'Headpond',
    command: (port, directory) => {
      const ports = ['--port', '0', '--memcached-port', '0', '--http-port', '0', '--kafka-port', String(port)]
      return [
        node,
        EXECUTABLE,
        ...ports,
        '--dir',
        directory,
        '--appendonly',
        'no',
        '--save',
        '',
        ...GROUPS_AT_ONCE,
        ...extra,
      ]
    },
  }
}

/** What Node alone can do: see `bare-broker.ts`. */
export function bareSpec(node: string): BrokerSpec {
  const command = (port: number, directory: string) => [
    node,
    '-C',
    'headpond-repository',
    BARE_BROKER,
    String(port),
    directory,
  ]
  return { name: NODE_ALONE, command }
}

const live = new Set<ChildProcess>()
const directories = new Set<string>()
// Whatever ends the benchmark, no server that it started outlives it, and no file.
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL')
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-bench-'))
  directories.add(directory)
  return directory
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  directories.delete(directory)
}

export class BrokerProcess {
  readonly name: string
  readonly port: number
  /** From the start of the process to its first answer. */
  readonly startMs: number
  readonly #child: ChildProcess

  private constructor(name: string, port: number, startMs: number, child: ChildProcess) {
    this.name = name
    this.port = port
    this.startMs = startMs
    this.#child = child
  }

  static async start({ name, command }: BrokerSpec, directory: string): Promise<BrokerProcess> {
    const port = await freePort()
    const [program, ...args] = await command(port, directory)
    const logPath = join(directory, 'output')
    const log = openSync(logPath, 'w')
    // Preparations are over.
    const startedAtMs = performance.now()
    const child = spawn(program, args, { stdio: ['ignore', log, log], cwd: directory })
    closeSync(log)
    live.add(child)
    child.once('exit', () => live.delete(child))
    while (!(await answers(port))) {
      if (child.exitCode !== null || performance.now() - startedAtMs > START_TIMEOUT_MS) {
        child.kill('SIGKILL')
        const output = readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
        throw new Error(`${name} did not start: ${program} ${args.join(' ')}\n${output}`)
      }
    }
    return new BrokerProcess(name, port, performance.now() - startedAtMs, child)
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

  async createTopic(
    name: string,
    partitionCount: number,
    config: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const connection = await WireConnection.connect(this.port)
    try {
      const configs = Object.entries(config).map(([key, value]) => ({ name: key, value }))
      const topic = { name, numPartitions: partitionCount, replicationFactor: 1, assignments: [], configs }
      const answer = await connection.call(createTopicsRequest, createTopicsResponse, CREATE_TOPICS_VERSION, {
        topics: [topic],
        timeoutMs: START_TIMEOUT_MS,
      })
      const [{ errorCode, errorMessage }] = answer.topics
      if (errorCode !== 0) throw new Error(`CreateTopics: error ${errorCode}, ${errorMessage}`)
      // The answer may come before the partitions have their leader.
      while (!(await hasLeaders(connection, name, partitionCount)))
        await new Promise((resolve) => setTimeout(resolve, 20))
    } finally {
      connection.close()
    }
  }

  async deleteTopic(name: string): Promise<void> {
    const connection = await WireConnection.connect(this.port)
    try {
      const asked = { topicNames: [name], topics: [], timeoutMs: START_TIMEOUT_MS }
      const { responses } = await connection.call(
        deleteTopicsRequest,
        deleteTopicsResponse,
        DELETE_TOPICS_VERSION,
        asked,
      )
      if (responses[0].errorCode !== 0) throw new Error(`DeleteTopics: error ${responses[0].errorCode}`)
    } finally {
      connection.close()
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
    clearTimeout(timer)
  }
}

async function hasLeaders(connection: WireConnection, name: string, partitionCount: number): Promise<boolean> {
  const asked = {
    topics: [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAA', name }],
    allowAutoTopicCreation: false,
    includeTopicAuthorizedOperations: false,
  }
  const { topics } = await connection.call(metadataRequest, metadataResponse, METADATA_VERSION, asked)
  const { errorCode, partitions } = topics[0]
  return errorCode === 0 && partitions.length === partitionCount && partitions.every((each) => each.leaderId >= 0)
}

/** Whether a broker answers at this port. */
async function answers(port: number): Promise<boolean> {
  const probe = connect(port, '127.0.0.1')
  try {
    await once(probe, 'connect')
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 5))
    return false
  } finally {
    probe.destroy()
  }
  const connection = await WireConnection.connect(port)
  try {
    const asked = { topics: [], allowAutoTopicCreation: false, includeTopicAuthorizedOperations: false }
    const { brokers } = await connection.call(metadataRequest, metadataResponse, METADATA_VERSION, asked)
    return brokers.length > 0
  } catch {
    return false
  } finally {
    connection.close()
  }
}
