import { api, type RequestContext } from '../api.ts'
import { OPERATIONS_NOT_ASKED } from '../authorized-operations.ts'
import { authorizedOperationsOfCluster } from '../authorizer/authorization.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import {
  type DescribeClusterRequest,
  type DescribeClusterResponse,
  describeClusterRequest,
  describeClusterResponse,
} from '../schemas/describe-cluster.ts'

/** Which of a cluster's two kinds of nodes a client wants to hear of. */
const ENDPOINT_TYPE = { brokers: 1, controllers: 2 } as const

export const describeCluster = api(describeClusterRequest, describeClusterResponse, [0, 2], handle)

function handle(request: DescribeClusterRequest, context: RequestContext): DescribeClusterResponse {
  const { broker, session } = context
  const { endpointType, includeClusterAuthorizedOperations } = request
  if (endpointType === ENDPOINT_TYPE.controllers) {
    const wanted = 'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER'
    return refuse('MISMATCHED_ENDPOINT_TYPE', wanted, endpointType)
  }
  if (endpointType !== ENDPOINT_TYPE.brokers) {
    return refuse('UNSUPPORTED_ENDPOINT_TYPE', `Unsupported endpoint type ${endpointType}`, endpointType)
  }
  const { host, port } = broker.endpointFor(session)
  return {
    errorCode: ERROR.NONE,
    clusterId: broker.logs.clusterId,
    controllerId: broker.nodeId,
    brokers: [{ brokerId: broker.nodeId, host, port, rack: broker.rack, isFenced: false }],
    clusterAuthorizedOperations: includeClusterAuthorizedOperations
      ? authorizedOperationsOfCluster(context)
      : OPERATIONS_NOT_ASKED,
  }
}

function refuse(error: ErrorName, errorMessage: string, endpointType: number): DescribeClusterResponse {
  return { errorCode: ERROR[error], errorMessage, endpointType, clusterId: '', brokers: [] }
}
