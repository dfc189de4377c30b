/**
 * A broker of Apache Kafka of the test's own: one node that is its own controller, on free ports, in a new directory. Its
 * jars come from Maven Central once, into the user's cache; without Java, Maven or the network there is none.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, isListening } from 'headpond/test/free-port.ts'
import { WireClient } from 'headpond/test/kafka/wire-client.ts'
import { kafkaClassPath } from './distribution.ts'

/** Of the versions there are, that of today. */
export const KAFKA_VERSION = '4.2.0'

const jars = kafkaClassPath(KAFKA_VERSION)

/** Why there cannot be one here; null when there can. */
export function kafkaProblem(): string | null {
  return 'reason' in jars ? jars.reason : null
}

function classPath(): string {
  if ('reason' in jars) throw new Error(jars.reason)
  return jars.classPath
}

/** With this feature of 4.1, Kafka sets min.insync.replicas for all brokers by itself. */
const FEATURES = ['--feature', 'eligible.leader.replicas.version=0']
const START_TIMEOUT_MS = 120_000

export class ApacheKafka {
  readonly port: number
  /** Of the listener SASL_PLAINTEXT, whose users the settings name. */
  readonly saslPort: number
  readonly #process: ChildProcess
  readonly #directory: string

  private constructor(process: ChildProcess, port: number, saslPort: number, directory: string) {
    this.#process = process
    this.port = port
    this.saslPort = saslPort
    this.#directory = directory
  }

  /** @param settings lines of its server.properties */
  static async start(settings: readonly string[] = []): Promise<ApacheKafka> {
    const directory = mkdtempSync(join(tmpdir(), 'headpond-kafka-'))
    const [port, saslPort, controllerPort] = [await freePort(), await freePort(), await freePort()]
    const hasSasl = settings.some(isAboutSasl)
    const properties = join(directory, 'server.properties')
    const lines = [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
      'controller.listener.names=CONTROLLER',
      ...listenerLines(port, hasSasl ? saslPort : null, controllerPort),
      `log.dirs=${join(directory, 'logs')}`,
      'offsets.topic.replication.factor=1',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'group.initial.rebalance.delay.ms=0',
      ...settings,
    ]
    writeFileSync(properties, `${lines.join('\n')}\n`)
    const java = (...args: string[]) => [
      ...['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
      ...['-cp', classPath(), ...args],
    ]
    const clusterId = randomBytes(16).toString('base64url').replace(/^-/, '0')
    const format = java('kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties, ...FEATURES)
    const formatted = spawnSync('java', format, { encoding: 'utf8' })
    let output = `${formatted.stdout}${formatted.stderr}`
    const child = spawn('java', java('kafka.Kafka', properties), { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    const kafka = new ApacheKafka(child, port, saslPort, directory)
    const giveUpAtMs = Date.now() + START_TIMEOUT_MS
    for (;;) {
      // Its listeners open one after the other.
      if ((await isListening(port)) && (!hasSasl || (await isListening(saslPort)))) return kafka
      if (child.exitCode !== null || Date.now() > giveUpAtMs) {
        await kafka.stop()
        throw new Error(`Apache Kafka did not start:\n${output}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  connect(): Promise<WireClient> {
    return WireClient.connect(this.port)
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGKILL') // it has nothing to keep
      await once(this.#process, 'exit')
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

function isAboutSasl(setting: string): boolean {
  return setting.includes('sasl_plaintext')
}

/** @param saslPort null: there is no such listener */
function listenerLines(port: number, saslPort: number | null, controllerPort: number): string[] {
  const sasl = saslPort === null ? '' : `,SASL_PLAINTEXT://127.0.0.1:${saslPort}`
  return [`listeners=PLAINTEXT://127.0.0.1:${port}${sasl},CONTROLLER://127.0.0.1:${controllerPort}`]
}
