/**
 * Apache Kafka itself: its jars come from Maven Central once, by Maven, into the user's cache. Where Java, Maven or the network is
 * missing, tests say so and are skipped.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory } from './cache-directory.ts'

export const KAFKA_VERSIONS = ['3.9.1', '4.2.0'] as const
/** What of its jars, with all that they need. */
const PARTS = {
  broker: ['kafka_2.13', 'kafka-tools'],
  clients: ['kafka-clients'],
  streams: ['kafka-streams'],
  connect: ['connect-runtime', 'connect-file'],
} as const
type Part = keyof typeof PARTS

const DOWNLOAD_TIMEOUT_MS = 300_000
/** Kafka 4 asks for it. */
const JAVA_VERSION_MIN = 17

/** Its class path, or why it cannot be had. */
export function kafkaClassPath(version: string, part: Part = 'broker'): { classPath: string } | { reason: string } {
  const java = javaVersion()
  if (java === null || java < JAVA_VERSION_MIN) {
    return { reason: `Java ${JAVA_VERSION_MIN} or newer is not installed (apt-get install default-jre-headless)` }
  }
  const target = join(cacheDirectory('apache-kafka'), part === 'broker' ? version : `${version}-${part}`)
  if (!existsSync(target)) {
    const reason = fetchJars(version, part, target)
    if (reason !== null) return { reason }
  }
  return { classPath: join(target, '*') }
}

function javaVersion(): number | null {
  const { error, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  if (error !== undefined) return null
  return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0)
}

function fetchJars(version: string, part: Part, target: string): string | null {
  if (spawnSync('mvn', ['-version'], { stdio: 'ignore' }).error !== undefined) {
    return 'Maven is not installed (apt-get install maven)'
  }
  console.error(`Getting Apache Kafka ${version} (${part}) from Maven Central into ${target}, once for all runs`)
  const unfinished = mkdtempSync(`${target}-`)
  try {
    const project = join(unfinished, 'pom.xml')
    writeFileSync(project, projectOf(version, part))
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

function projectOf(version: string, part: Part): string {
  const dependencies = [
    ...PARTS[part].map((artifact) => ['org.apache.kafka', artifact, version]),
    ['com.fasterxml.jackson.core', 'jackson-databind', '2.19.2'],
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
