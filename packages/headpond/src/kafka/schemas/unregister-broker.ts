import { int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

export const unregisterBrokerRequest = message(
  { name: 'UnregisterBrokerRequest', apiKey: 64, versions: '0', flexible: '0+' },
  {
    brokerId: int32('0+'),
  },
)

export type UnregisterBrokerRequest = Decoded<typeof unregisterBrokerRequest>

export const unregisterBrokerResponse = message(
  { name: 'UnregisterBrokerResponse', apiKey: 64, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
  },
)

export type UnregisterBrokerResponse = Encodable<typeof unregisterBrokerResponse>
