import { array, bool, int16, int32, string, uint16, uuid } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 adds the AckWhenCommitted field.
 */
export const addRaftVoterRequest = message(
  { name: 'AddRaftVoterRequest', apiKey: 80, versions: '0-1', flexible: '0+' },
  {
    clusterId: string('0+', { nullable: '0+' }),
    timeoutMs: int32('0+'),
    voterId: int32('0+'),
    voterDirectoryId: uuid('0+'),
    listeners: array('0+', {
      name: string('0+'),
      host: string('0+'),
      port: uint16('0+'),
    }),
    ackWhenCommitted: bool('1+', { default: true }),
  },
)

export type AddRaftVoterRequest = Decoded<typeof addRaftVoterRequest>

/**
 * Version 1 is the same as version 0.
 */
export const addRaftVoterResponse = message(
  { name: 'AddRaftVoterResponse', apiKey: 80, versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
  },
)

export type AddRaftVoterResponse = Encodable<typeof addRaftVoterResponse>
