// Apache Kafka's own broker beside ours: one node with its controller, from the jars of Maven Central.

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { BrokerSpec } from './broker-process.ts'

const run = promisify(execFile)
const RESULTS = fileURLToPath(new URL('../../results/', import.meta.url))
/** What Kafka's own start script gives its broker. */
const HEAP = ['-Xmx1G', '-Xms1G', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-XX:InitiatingHeapOccupancyPercent=35']
/** A directory is formatted for a cluster before its first start. */
const CLUSTER_ID = 'AAAAAAAAQACAAAAAAAAAAQ'

/**
 * The broker of this version. Its jars are fetched with Maven once; a directory that holds them already may be named in
 * place of a version.
 */
export async function apacheKafkaSpec(versionOrDirectory: string): Promise<BrokerSpec> {
  const libraries = existsSync(versionOrDirectory) ? versionOrDirectory : await fetchLibraries(versionOrDirectory)
  const jar = readdirSync(libraries).find((name) => /^kafka_2\.13-.*\.jar$/.test(name))
  if (jar === undefined) throw new Error(`${libraries} has no kafka_2.13-*.jar`)
  const java = ['java', '-cp', `${libraries}/*`, ...HEAP, '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn']
  return {
    name: `Apache Kafka ${/kafka_2\.13-(.*)\.jar/.exec(jar)![1]}`,
    async command(port, directory) {
      const properties = join(directory, 'server.properties')
      const isFormatted = existsSync(properties)
      const controllerPort = await freePort()
      const settings = {
        'process.roles': 'broker,controller',
        'node.id': '1',
        'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
        'controller.listener.names': 'CONTROLLER',
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'log.dirs': join(directory, 'kafka-logs'),
        'offsets.topic.replication.factor': '1',
        'transaction.state.log.replication.factor': '1',
        'transaction.state.log.min.isr': '1',
        'group.initial.rebalance.delay.ms': '0',
      }
      const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
      writeFileSync(properties, lines.join(''))
      if (!isFormatted) {
        const [program, ...args] = java
        await run(program, [...args, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', properties])
      }
      return [...java, 'kafka.Kafka', properties]
    },
  }
}

async function fetchLibraries(version: string): Promise<string> {
  const directory = join(RESULTS, `apache-kafka-${version}`)
  const libraries = join(directory, 'libs')
  if (existsSync(libraries)) return libraries
  mkdirSync(directory, { recursive: true })
  const dependencies = [
    ['org.apache.kafka', 'kafka_2.13', version],
    ['org.slf4j', 'slf4j-simple', '1.7.36'],
  ].map(
    ([group, artifact, of]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${of}</version></dependency>`,
  )
  writeFileSync(
    join(directory, 'pom.xml'),
    `<project><modelVersion>4.0.0</modelVersion><groupId>bench</groupId><artifactId>bench</artifactId><version>1</version>
<dependencies>${dependencies.join('')}</dependencies></project>\n`,
  )
  const goal = ['-q', '-f', join(directory, 'pom.xml'), 'dependency:copy-dependencies']
  try {
    await run('mvn', [...goal, `-DoutputDirectory=${libraries}.part`])
  } catch (error) {
    throw new Error(`Apache Kafka ${version} cannot be fetched with mvn: ${(error as Error).message}`)
  }
  await run('mv', [`${libraries}.part`, libraries])
  return libraries
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const { port } = probe.address() as { port: number }
  await new Promise((resolve) => probe.close(resolve))
  return port
}
