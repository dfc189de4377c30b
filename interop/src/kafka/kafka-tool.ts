import { kafkaClassPath } from './distribution.ts'
import { Program, runProgram } from './program.ts'

const JAVA_FLAGS = [
  ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
]
const jars = kafkaClassPath('4.2.0')

/** Why Apache Kafka's tools cannot be had here; false when they can. */
export const skipTools: string | false = 'reason' in jars ? jars.reason : false

/** Runs a tool of Apache Kafka's to its end: `org.apache.kafka.tools.TopicCommand`. Rejects when it fails. */
export function runTool(tool: string, args: readonly string[], input = ''): Promise<string> {
  return runProgram('java', argsOf(tool, args), { input })
}

export function startTool(tool: string, args: readonly string[]): Program {
  return new Program('java', argsOf(tool, args))
}

function argsOf(tool: string, args: readonly string[]): string[] {
  if ('reason' in jars) throw new Error(jars.reason)
  return [...JAVA_FLAGS, '-cp', jars.classPath, tool, ...args]
}
