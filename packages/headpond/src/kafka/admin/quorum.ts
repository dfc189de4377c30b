/** Who takes part in deciding: this broker, for good. What would change that is answered as Kafka does where the voters are fixed. */

import type { RequestContext } from '../api.ts'
import { mayOnCluster, REFUSED } from '../authorizer/authorization.ts'
import { ZERO_UUID } from '../codec/byte-reader.ts'
import { ERROR, type ErrorName } from '../errors.ts'

/** By which the nodes of a cluster would find its controllers. */
export const CONTROLLER_LISTENER = 'CONTROLLER'

interface Voter {
  readonly clusterId: string | null
  readonly voterId: number
  readonly voterDirectoryId: string
}

interface VoterRefusal {
  readonly errorCode: number
  readonly errorMessage: string
}

export function problemOfVoter(
  what: 'Add' | 'Remove',
  { clusterId, voterId, voterDirectoryId }: Voter,
  context: RequestContext,
): VoterRefusal | null {
  const { logs } = context.broker
  if (!mayOnCluster(context, 'alter')) return refuse(REFUSED.cluster.error, REFUSED.cluster.message)
  if (clusterId !== null && clusterId !== logs.clusterId) {
    const message = `The given id "${clusterId}" doesn't match the cluster id "${logs.clusterId}"`
    return refuse('INCONSISTENT_CLUSTER_ID', message)
  }
  const isVoter = voterId >= 0 && voterDirectoryId !== ZERO_UUID
  return isVoter ? null : refuse('INVALID_REQUEST', `${what} voter request didn't include a valid voter`)
}

export function unsupportedVoters(what: 'adding' | 'removing'): VoterRefusal {
  const message = `Cluster doesn't support ${what} voter because the kraft.version feature is 0`
  return refuse('UNSUPPORTED_VERSION', message)
}

function refuse(error: ErrorName, errorMessage: string): VoterRefusal {
  return { errorCode: ERROR[error], errorMessage }
}
