// Apache Kafka's own broker beside ours: one node with its controller, from the jars of Maven Central.

import { execFile } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from 'headpond/test/free-port.ts'
import { KAFKA_VERSIONS, kafkaClassPath } from 'headpond-interop/src/kafka/distribution.ts'
import type { BrokerSpec } from './broker-process.ts'

const run = promisify(execFile)
/** What Kafka's own start script gives its broker. */
const HEAP = ['-Xmx1G', '-Xms1G', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-XX:InitiatingHeapOccupancyPercent=35']
/** A directory is formatted for a cluster before its first start. */
const CLUSTER_ID = 'AAAAAAAAQACAAAAAAAAAAQ'

/**
 * The broker of this version, and the tools that come with it. The jars are fetched with Maven once; a directory that holds
 * them already may be named in place of a version.
 */
export function apacheKafka(versionOrDirectory: string): { spec: BrokerSpec; classPath: string } {
  const classPath = classPathOf(versionOrDirectory)
  const jar = readdirSync(dirname(classPath)).find((name) => /^kafka_2\.13-.*\.jar$/.test(name))
  if (jar === undefined) throw new Error(`${dirname(classPath)} has no kafka_2.13-*.jar`)
  const java = ['java', '-cp', classPath, ...HEAP, '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn']
  const spec: BrokerSpec = {
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
  return { spec, classPath }
}

function classPathOf(versionOrDirectory: string): string {
  if (existsSync(versionOrDirectory)) return join(versionOrDirectory, '*')
  const version = KAFKA_VERSIONS.find((each) => each === versionOrDirectory)
  if (version === undefined) throw new Error(`there are Apache Kafka ${KAFKA_VERSIONS.join(' and ')}`)
  const jars = kafkaClassPath(version)
  if ('reason' in jars) throw new Error(jars.reason)
  return jars.classPath
}
