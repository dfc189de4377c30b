/**
 * Apache Kafka itself, from Maven Central: its jars are fetched once and kept (`cacheDirectory`). Java must be there; where
 * it is not, or the network is not, tests say so and are skipped.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { cacheDirectory } from './cache-directory.ts'
import { type Jar, KAFKA_JARS } from './jars.ts'

export type KafkaVersion = keyof typeof KAFKA_JARS
export const KAFKA_VERSIONS = Object.keys(KAFKA_JARS) as KafkaVersion[]

const REPOSITORY = 'https://repo1.maven.org/maven2'
const PARALLEL_DOWNLOADS = 6
const DOWNLOAD_TIMEOUT_MS = 60_000
/** Kafka 4 asks for it. */
const JAVA_VERSION_MIN = 17

/** Its class path, or why it cannot be had. */
export async function kafkaClassPath(version: KafkaVersion): Promise<{ classPath: string } | { reason: string }> {
  const java = javaVersion()
  if (java === null || java < JAVA_VERSION_MIN) {
    return { reason: `Java ${JAVA_VERSION_MIN} or newer is not installed (apt-get install default-jre-headless)` }
  }
  const directory = cacheDirectory(`kafka-${version}`)
  const missing = KAFKA_JARS[version].filter(([path, , sizeBytes]) => {
    const file = join(directory, basename(path))
    return !existsSync(file) || statSync(file).size !== sizeBytes
  })
  try {
    await Promise.all(
      Array.from({ length: PARALLEL_DOWNLOADS }, async () => {
        for (let jar = missing.pop(); jar !== undefined; jar = missing.pop()) await download(jar, directory)
      }),
    )
  } catch (error) {
    return { reason: `Apache Kafka ${version} cannot be fetched from ${REPOSITORY}: ${(error as Error).message}` }
  }
  return { classPath: join(directory, '*') }
}

function javaVersion(): number | null {
  const { error, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  if (error !== undefined) return null
  return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0)
}

async function download([path, sha256]: Jar, directory: string): Promise<void> {
  const answer = await fetch(`${REPOSITORY}/${path}`, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) })
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status}`)
  const bytes = Buffer.from(await answer.arrayBuffer())
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) throw new Error(`${path} is not what it should be`)
  const target = join(directory, basename(path))
  // Several tests may fetch the same at the same time.
  writeFileSync(`${target}.${process.pid}`, bytes)
  renameSync(`${target}.${process.pid}`, target)
}
