/** A broker of Apache Kafka of the test's own: one node, without ZooKeeper, on free ports of the loopback. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, isListening } from 'headpond/test/free-port.ts'

const JAVA_OPTIONS = [
  ...['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
]
const START_TIMEOUT_MS = 90_000
const CLUSTER_ID = 'aGVhZHBvbmQtaW50ZXJvcA'

export class KafkaBroker {
  readonly port: number
  /** Its log directory. */
  readonly logs: string
  readonly #base: string
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, port: number, base: string) {
    this.#process = process
    this.port = port
    this.#base = base
    this.logs = join(base, 'logs')
  }

  static async start(classPath: string, settings: Record<string, string> = {}): Promise<KafkaBroker> {
    const base = mkdtempSync(join(tmpdir(), 'headpond-kafka-'))
    const [port, controllerPort] = [await freePort(), await freePort()]
    const logs = join(base, 'logs')
    mkdirSync(logs)
    const properties = {
      'process.roles': 'broker,controller',
      'node.id': '1',
      'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      'log.dirs': logs,
      'offsets.topic.replication.factor': '1',
      'offsets.topic.num.partitions': '1',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'transaction.state.log.num.partitions': '1',
      'group.initial.rebalance.delay.ms': '0',
      ...settings,
    }
    const file = join(base, 'server.properties')
    writeFileSync(file, Object.entries(properties).map(([name, value]) => `${name}=${value}\n`).join('')) // biome-ignore format: one line
    const format = runJava(classPath, 'kafka.tools.StorageTool', ['format', '-t', CLUSTER_ID, '-c', file])
    if (format.exitCode !== 0) throw new Error(`kafka-storage failed:\n${format.output}`)
    const child = spawn('java', [...JAVA_OPTIONS, '-cp', classPath, 'kafka.Kafka', file], { cwd: base })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    const broker = new KafkaBroker(child, port, base)
    const deadlineMs = performance.now() + START_TIMEOUT_MS
    while (!(await isListening(port))) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      if (child.exitCode === null && performance.now() < deadlineMs) continue
      await broker.stop()
      throw new Error(`Kafka did not start:\n${output}`)
    }
    return broker
  }

  /** Ends it in order; its directory stays until `remove`. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGTERM')
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 30_000)
    await once(this.#process, 'exit')
    clearTimeout(timer)
  }

  remove(): void {
    rmSync(this.#base, { recursive: true, force: true })
  }
}

/** A program of Kafka's, to its end. */
export function runJava(
  classPath: string,
  main: string,
  args: readonly string[],
): { exitCode: number | null; output: string } {
  const options = { encoding: 'utf8', maxBuffer: 2 ** 28 } as const
  const { status, stdout, stderr } = spawnSync('java', [...JAVA_OPTIONS, '-cp', classPath, main, ...args], options)
  return { exitCode: status, output: `${stdout}${stderr}` }
}
