import { array, bool, int8, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

export const alterConfigsRequest = message(
  { name: 'AlterConfigsRequest', apiKey: 33, versions: '0-2', flexible: '2+' },
  {
    resources: array('0+', {
      resourceType: int8('0+'),
      resourceName: string('0+'),
      configs: array('0+', {
        name: string('0+'),
        value: string('0+', { nullable: '0+' }),
      }),
    }),
    validateOnly: bool('0+'),
  },
)

export type AlterConfigsRequest = Decoded<typeof alterConfigsRequest>

export const alterConfigsResponse = message(
  { name: 'AlterConfigsResponse', apiKey: 33, versions: '0-2', flexible: '2+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    responses: array('0+', {
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
      resourceType: int8('0+'),
      resourceName: string('0+'),
    }),
  },
)

export type AlterConfigsResponse = Encodable<typeof alterConfigsResponse>
