import { array, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 is the same as version 0.
 * Version 2 enables flexible versions.
 */
export const alterReplicaLogDirsRequest = message(
  { name: 'AlterReplicaLogDirsRequest', apiKey: 34, versions: '0-2', flexible: '2+' },
  {
    dirs: array('0+', {
      path: string('0+'),
      topics: array('0+', {
        name: string('0+'),
        partitions: array('0+', 'int32'),
      }),
    }),
  },
)

export type AlterReplicaLogDirsRequest = Decoded<typeof alterReplicaLogDirsRequest>

/**
 * Starting in version 1, on quota violation brokers send out responses before throttling.
 * Version 2 enables flexible versions.
 */
export const alterReplicaLogDirsResponse = message(
  { name: 'AlterReplicaLogDirsResponse', apiKey: 34, versions: '0-2', flexible: '2+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    results: array('0+', {
      topicName: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
      }),
    }),
  },
)

export type AlterReplicaLogDirsResponse = Encodable<typeof alterReplicaLogDirsResponse>
