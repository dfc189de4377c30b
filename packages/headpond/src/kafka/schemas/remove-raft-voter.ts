import { int16, int32, string, uuid } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

export const removeRaftVoterRequest = message(
  { name: 'RemoveRaftVoterRequest', apiKey: 81, versions: '0', flexible: '0+' },
  {
    clusterId: string('0+', { nullable: '0+' }),
    voterId: int32('0+'),
    voterDirectoryId: uuid('0+'),
  },
)

export type RemoveRaftVoterRequest = Decoded<typeof removeRaftVoterRequest>

export const removeRaftVoterResponse = message(
  { name: 'RemoveRaftVoterResponse', apiKey: 81, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
  },
)

export type RemoveRaftVoterResponse = Encodable<typeof removeRaftVoterResponse>
