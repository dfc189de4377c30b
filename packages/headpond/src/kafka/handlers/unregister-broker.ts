import { api, type RequestContext } from '../api.ts'
import { requireOnCluster } from '../authorizer/authorization.ts'
import { ERROR } from '../errors.ts'
import {
  type UnregisterBrokerRequest,
  type UnregisterBrokerResponse,
  unregisterBrokerRequest,
  unregisterBrokerResponse,
} from '../schemas/unregister-broker.ts'

export const unregisterBroker = api(unregisterBrokerRequest, unregisterBrokerResponse, [0, 0], handle)

/** Kafka's only broker does what it is told, and is out of its own cluster until it is started again. */
function handle({ brokerId }: UnregisterBrokerRequest, context: RequestContext): UnregisterBrokerResponse {
  requireOnCluster(context, 'alter')
  if (brokerId === context.broker.nodeId) {
    const errorMessage = `Broker ID ${brokerId} is the whole cluster, and cannot be unregistered`
    return { errorCode: ERROR.INVALID_REQUEST, errorMessage }
  }
  const errorMessage = `Broker ID ${brokerId} is not currently registered`
  return { errorCode: ERROR.BROKER_ID_NOT_REGISTERED, errorMessage }
}
