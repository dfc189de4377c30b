import { array, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 4 adds the StatesFilter field (KIP-518).
 * Version 5 adds the TypesFilter field (KIP-848).
 */
export const listGroupsRequest = message(
  { name: 'ListGroupsRequest', apiKey: 16, versions: '0-5', flexible: '3+' },
  {
    statesFilter: array('4+', 'string'),
    typesFilter: array('5+', 'string'),
  },
)

export type ListGroupsRequest = Decoded<typeof listGroupsRequest>

/**
 * Version 1 adds the throttle time.
 * Version 4 adds the GroupState field (KIP-518).
 * Version 5 adds the GroupType field (KIP-848).
 */
export const listGroupsResponse = message(
  { name: 'ListGroupsResponse', apiKey: 16, versions: '0-5', flexible: '3+' },
  {
    throttleTimeMs: int32('1+', { default: 0 }),
    errorCode: int16('0+'),
    groups: array('0+', {
      groupId: string('0+'),
      protocolType: string('0+'),
      groupState: string('4+'),
      groupType: string('5+'),
    }),
  },
)

export type ListGroupsResponse = Encodable<typeof listGroupsResponse>
