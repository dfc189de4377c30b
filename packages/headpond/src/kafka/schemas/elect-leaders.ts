import { array, int8, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/** Version 1 implements multiple leader election types, as described by KIP-460. */
export const electLeadersRequest = message(
  { name: 'ElectLeadersRequest', apiKey: 43, versions: '0-2', flexible: '2+' },
  {
    electionType: int8('1+'),
    topicPartitions: array(
      '0+',
      {
        topic: string('0+'),
        partitions: array('0+', 'int32'),
      },
      { nullable: '0+' },
    ),
    timeoutMs: int32('0+', { default: 60000 }),
  },
)

export type ElectLeadersRequest = Decoded<typeof electLeadersRequest>

/** Version 1 adds a top-level error code. */
export const electLeadersResponse = message(
  { name: 'ElectLeadersResponse', apiKey: 43, versions: '0-2', flexible: '2+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('1+'),
    replicaElectionResults: array('0+', {
      topic: string('0+'),
      partitionResult: array('0+', {
        partitionId: int32('0+'),
        errorCode: int16('0+'),
        errorMessage: string('0+', { nullable: '0+' }),
      }),
    }),
  },
)

export type ElectLeadersResponse = Encodable<typeof electLeadersResponse>
