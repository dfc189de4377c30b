/**
 * Kafka clients of other languages. Each is a program that reads what to do, a line of JSON each, and answers with a line:
 * java/KafkaClients.java, java/StreamsApps.java, python/kafka_clients.py, go/main.go. What is not there is skipped, with the reason.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cacheDirectory } from './cache-directory.ts'
import { kafkaClassPath } from './distribution.ts'

export type ForeignCodec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** What a client can be asked. The last of a topic to `consume` is END: nobody waits for what does not come. */
export interface ForeignCommands {
  version: { args: Record<string, never>; done: string }
  produce: {
    args: {
      topic: string
      codec: ForeignCodec
      values: readonly string[]
      idempotent?: boolean
      transactional_id?: string
      outcome?: 'commit' | 'abort'
    }
    done: null
  }
  /** Topics with one partition, from their beginning. */
  consume: {
    args: { topics: readonly string[]; isolation: 'read_committed' | 'read_uncommitted' }
    done: Record<string, string[]>
  }
  /** As a member of a group; commits, and leaves. */
  group: { args: { group: string; topic: string; protocol: GroupProtocol; count: number }; done: string[] }
  /** From one topic to another in capitals, exactly once. */
  transform: {
    args: {
      group: string
      source: string
      target: string
      transactional_id: string
      count: number
      protocol?: GroupProtocol
    }
    done: null
  }
  /** The official client's alone: two producers with the same id. */
  fence: { args: { topic: string; transactional_id: string }; done: string }
  admin: { args: Record<string, never>; done: Record<string, unknown> }
  /** Of Kafka Streams: one application at a time, whose state is known when it is told. */
  start: { args: { app: string; state_dir: string }; done: string }
  stop: { args: Record<string, never>; done: string }
}
export type GroupProtocol = 'classic' | 'consumer'

interface Answer {
  readonly done?: unknown
  readonly error?: string
}

export const END = 'END'
const ANSWER_TIMEOUT_MS = 60_000
const INSTALL_TIMEOUT_MS = 300_000
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const PYTHON_PACKAGES = {
  aiokafka: '0.14.0',
  'kafka-python': '3.0.12',
  'confluent-kafka': '2.16.1',
  // The codecs of the first two.
  cramjam: '2.14.0',
  lz4: '4.4.5',
  'python-snappy': '0.7.3',
  zstandard: '0.25.0',
}

interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A client's program while it runs. */
export class ForeignClient {
  readonly #child
  readonly #answers: AsyncIterator<string>
  #errors = ''

  constructor({ program, args, env = {} }: Command) {
    this.#child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()))
    this.#child.stdin.on('error', () => {}) // it has ended: the missing answer tells
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** One at a time. */
  async call<C extends keyof ForeignCommands>(
    server: { readonly urls: { readonly kafka: string } },
    command: C,
    args: ForeignCommands[C]['args'],
  ): Promise<ForeignCommands[C]['done']> {
    this.#child.stdin.write(`${JSON.stringify({ command, bootstrap: server.urls.kafka, ...args })}\n`)
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), ANSWER_TIMEOUT_MS)
    const { value, done } = await this.#answers.next()
    clearTimeout(timer)
    if (done) throw new Error(`${command}: the client ended, or was silent for too long:\n${this.#errors}`)
    const answer = JSON.parse(value) as Answer
    if (answer.error !== undefined) throw new Error(`${command}: ${answer.error}\n${this.#errors}`)
    return answer.done as ForeignCommands[C]['done']
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}

/** How a client is started, or why it cannot be. */
export type ForeignProgram = Command | { readonly reason: string }

export function javaClient(version: string): ForeignProgram {
  const jars = kafkaClassPath(version, 'clients')
  return 'reason' in jars ? jars : javaProgram('KafkaClients', jars.classPath)
}

/** A program of our own in Java, compiled once. */
export function javaProgram(name: string, classPath: string, args: readonly string[] = []): ForeignProgram {
  const source = join(ROOT, 'java', `${name}.java`)
  const directory = join(cacheDirectory('java'), digestOf(readFileSync(source, 'utf8') + classPath))
  if (!existsSync(directory)) {
    if (spawnSync('javac', ['-version'], { stdio: 'ignore' }).error !== undefined) {
      return { reason: 'no Java compiler is installed (apt-get install default-jdk-headless)' }
    }
    const reason = fill(directory, `Compiling ${name}.java`, (unfinished) =>
      spawnSync('javac', ['-nowarn', '-cp', classPath, '-d', unfinished, source], { encoding: 'utf8' }),
    )
    if (reason !== null) throw new Error(reason)
  }
  const flags = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  return {
    program: 'java',
    args: [
      ...[...flags, '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'],
      ...['-cp', `${classPath}:${directory}`, name, ...args],
    ],
  }
}

export type PythonLibrary = 'aiokafka' | 'kafka-python' | 'confluent-kafka'

export function pythonClient(library: PythonLibrary): ForeignProgram {
  const wanted = Object.entries(PYTHON_PACKAGES).map(([name, version]) => `${name}==${version}`)
  const directory = join(cacheDirectory('python'), digestOf(wanted.join(' ')))
  if (!existsSync(directory)) {
    if (spawnSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' }).status !== 0) {
      return { reason: 'Python with pip is not installed (apt-get install python3-pip)' }
    }
    const reason = fill(directory, `Getting ${wanted.join(', ')} from PyPI`, (unfinished) => {
      const args = ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', '--target', unfinished, ...wanted]
      return spawnSync('python3', args, { encoding: 'utf8', timeout: INSTALL_TIMEOUT_MS })
    })
    if (reason !== null) return { reason: `Python's clients cannot be had: ${reason}` }
  }
  return {
    program: 'python3',
    args: [join(ROOT, 'python', 'kafka_clients.py'), library],
    env: { PYTHONPATH: directory, PYTHONDONTWRITEBYTECODE: '1' },
  }
}

export type GoLibrary = 'franz-go' | 'sarama' | 'kafka-go'

export function goClient(library: GoLibrary): ForeignProgram {
  const sources = join(ROOT, 'go')
  const program = goProgram()
  if (program === null) return { reason: 'Go is not installed (https://go.dev/dl)' }
  const text = readdirSync(sources)
    .sort()
    .map((name) => readFileSync(join(sources, name), 'utf8'))
  const directory = join(cacheDirectory('go'), digestOf(text.join('\n')))
  if (!existsSync(directory)) {
    const reason = fill(directory, "Compiling Go's clients", (unfinished) =>
      spawnSync(program, ['build', '-o', join(unfinished, 'clients'), '.'], {
        cwd: sources,
        // The version that is installed, or none.
        env: { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly -buildvcs=false' },
        encoding: 'utf8',
        timeout: INSTALL_TIMEOUT_MS,
      }),
    )
    if (reason !== null) return { reason: `Go's clients cannot be had: ${reason}` }
  }
  return { program: join(directory, 'clients'), args: [library] }
}

function goProgram(): string | null {
  const places = ['go', '/usr/local/go/bin/go']
  return places.find((place) => spawnSync(place, ['version'], { stdio: 'ignore' }).error === undefined) ?? null
}

/** Makes a directory that is there when it is complete. Several tests may do so at the same time: the first one counts. */
function fill(
  directory: string,
  told: string,
  make: (unfinished: string) => { status: number | null; error?: Error; stdout: string; stderr: string },
): string | null {
  console.error(`${told}, once for all runs`)
  const unfinished = mkdtempSync(`${directory}-`)
  try {
    const { status, error, stdout, stderr } = make(unfinished)
    if (status !== 0) return error?.message ?? `${stdout}${stderr}`.trim().split('\n').slice(-2).join(' ').slice(0, 300)
    if (!existsSync(directory)) renameSync(unfinished, directory)
    return null
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
