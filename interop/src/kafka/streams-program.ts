import { kafkaClassPath } from './distribution.ts'
import { type ForeignProgram, javaProgram } from './foreign-client.ts'

const STREAMS_VERSION = '4.2.0'

/** java/StreamsApps.java, or why it cannot run here. */
export function streamsProgram(): ForeignProgram {
  const jars = kafkaClassPath(STREAMS_VERSION, 'streams')
  return 'reason' in jars ? jars : javaProgram('StreamsApps', jars.classPath)
}
