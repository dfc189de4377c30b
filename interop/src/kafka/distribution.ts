/**
 * Apache Kafka itself: its jars come from Maven Central once, by Maven, into the user's cache. Where Java, Maven or the network is
 * missing, tests say so and are skipped.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory } from './cache-directory.ts'

export const KAFKA_VERSIONS = ['3.9.1', '4.2.0'] as const
export type KafkaVersion = (typeof KAFKA_VERSIONS)[number]

const DOWNLOAD_TIMEOUT_MS = 300_000
/** Kafka 4 asks for it. */
const JAVA_VERSION_MIN = 17

/** Its class path, or why it cannot be had. */
export function kafkaClassPath(version: KafkaVersion): { classPath: string } | { reason: string } {
  const java = javaVersion()
  if (java === null || java < JAVA_VERSION_MIN) {
    return { reason: `Java ${JAVA_VERSION_MIN} or newer is not installed (apt-get install default-jre-headless)` }
  }
  const target = join(cacheDirectory('apache-kafka'), version)
  if (!existsSync(target)) {
    const reason = fetchJars(version, target)
    if (reason !== null) return { reason }
  }
  return { classPath: join(target, '*') }
}

function javaVersion(): number | null {
  const { error, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  if (error !== undefined) return null
  return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0)
}

function fetchJars(version: KafkaVersion, target: string): string | null {
  if (spawnSync('mvn', ['-version'], { stdio: 'ignore' }).error !== undefined) {
    return 'Maven is not installed (apt-get install maven)'
  }
  console.error(`Getting Apache Kafka ${version} from Maven Central into ${target}, once for all runs`)
  const unfinished = mkdtempSync(`${target}-`)
  try {
    const project = join(unfinished, 'pom.xml')
    writeFileSync(project, projectOf(version))
    const args = ['-q', '-B', '-f', project, 'dependency:copy-dependencies', `-DoutputDirectory=${unfinished}`]
    const done = spawnSync('mvn', args, { encoding: 'utf8', timeout: DOWNLOAD_TIMEOUT_MS, maxBuffer: 2 ** 26 })
    if (done.status !== 0) {
      const output = `${done.stdout}${done.stderr}`
      const reason = output.split('\n').find((line) => line.includes('ERROR')) ?? done.error?.message ?? 'mvn failed'
      return `Apache Kafka ${version} cannot be had: ${reason.slice(0, 200)}`
    }
    // Several tests may fetch the same at the same time: the first one counts.
    if (!existsSync(target)) renameSync(unfinished, target)
    return null
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
}

function projectOf(version: KafkaVersion): string {
  const dependencies = [
    ['org.apache.kafka', 'kafka_2.13', version],
    ['org.apache.kafka', 'kafka-tools', version],
    ['org.slf4j', 'slf4j-simple', '1.7.36'],
  ].map(
    ([group, artifact, number]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${number}</version></dependency>`,
  )
  return `<project><modelVersion>4.0.0</modelVersion><groupId>headpond</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>
${dependencies.join('\n')}
</dependencies></project>
`
}
