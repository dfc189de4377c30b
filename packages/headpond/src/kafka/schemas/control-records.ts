/** The values of control records. */
import { int32 } from '../codec/declaration.ts'
import { type Decoded, message } from '../codec/message.ts'

export const endTxnMarker = message(
  { name: 'EndTxnMarker', versions: '0' },
  {
    coordinatorEpoch: int32('0+'),
  },
)

export type EndTxnMarker = Decoded<typeof endTxnMarker>
