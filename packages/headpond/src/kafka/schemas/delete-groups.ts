import { array, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

export const deleteGroupsRequest = message(
  { name: 'DeleteGroupsRequest', apiKey: 42, versions: '0-2', flexible: '2+' },
  {
    groupsNames: array('0+', 'string'),
  },
)

export type DeleteGroupsRequest = Decoded<typeof deleteGroupsRequest>

export const deleteGroupsResponse = message(
  { name: 'DeleteGroupsResponse', apiKey: 42, versions: '0-2', flexible: '2+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    results: array('0+', {
      groupId: string('0+'),
      errorCode: int16('0+'),
    }),
  },
)

export type DeleteGroupsResponse = Encodable<typeof deleteGroupsResponse>
