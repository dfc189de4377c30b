import { api, type RequestContext } from '../api.ts'
import { ERROR } from '../errors.ts'
import {
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../schemas/find-coordinator.ts'

const KEY_OF_GROUP = 0
const KEY_OF_TRANSACTION = 1

export const findCoordinator = api(findCoordinatorRequest, findCoordinatorResponse, [0, 6], handle)

async function handle(request: FindCoordinatorRequest, context: RequestContext): Promise<FindCoordinatorResponse> {
  const { version, broker, session } = context
  const { keyType } = request
  const keys = version >= 4 ? request.coordinatorKeys : [request.key]
  // Where the groups or transactions are kept is there before anybody is told who leads it.
  if (keyType === KEY_OF_GROUP) broker.groups.prepare()
  if (keyType === KEY_OF_TRANSACTION) broker.transactions.prepare()
  await broker.logs.written()
  const isKnown = keyType === KEY_OF_GROUP || keyType === KEY_OF_TRANSACTION
  const { host, port } = isKnown ? broker.endpointFor(session) : { host: '', port: -1 }
  const nodeId = isKnown ? broker.nodeId : -1
  const errorCode = isKnown ? ERROR.NONE : ERROR.INVALID_REQUEST
  return {
    errorCode,
    errorMessage: isKnown ? 'NONE' : `There are no coordinators for keys of type ${keyType}.`,
    nodeId,
    host,
    port,
    coordinators: keys.map((key) => ({ key, nodeId, host, port, errorCode, errorMessage: '' })),
  }
}
