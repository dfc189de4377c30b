import type { Refusal } from '../admin/partition-plan.ts'
import { api, type RequestContext } from '../api.ts'
import { may, REFUSED } from '../authorizer/authorization.ts'
import { ERROR } from '../errors.ts'
import {
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../schemas/find-coordinator.ts'

const KEY_OF_GROUP = 0
const KEY_OF_TRANSACTION = 1

/** The first version that asks for several at once. */
const BATCHED_VERSION = 4

export const findCoordinator = api(findCoordinatorRequest, findCoordinatorResponse, [0, 6], handle)

const NOBODY = { nodeId: -1, host: '', port: -1 }

async function handle(request: FindCoordinatorRequest, context: RequestContext): Promise<FindCoordinatorResponse> {
  const { version, broker, session } = context
  const { keyType } = request
  const keys = version >= BATCHED_VERSION ? request.coordinatorKeys : [request.key]
  const refusals = keys.map((key) => refuse(keyType, key, context))
  // Where the groups or transactions are kept is there before anybody is told who leads it.
  if (refusals.includes(null)) {
    if (keyType === KEY_OF_GROUP) broker.groups.prepare()
    if (keyType === KEY_OF_TRANSACTION) broker.transactions.prepare()
    await broker.logs.written()
  }
  const found = { nodeId: broker.nodeId, ...broker.endpointFor(session) }
  const coordinators = keys.map((key, index) => {
    const refusal = refusals[index]
    const node = refusal === null ? found : NOBODY
    return { key, ...node, errorCode: ERROR[refusal?.error ?? 'NONE'], errorMessage: '' }
  })
  const refusal = refusals.find((each) => each !== null)
  return {
    errorCode: ERROR[refusal?.error ?? 'NONE'],
    errorMessage: refusal?.message ?? 'NONE',
    ...(refusal === undefined ? found : NOBODY),
    coordinators,
  }
}

function refuse(keyType: number, key: string, context: RequestContext): Refusal | null {
  switch (keyType) {
    case KEY_OF_GROUP:
      return may(context, 'describe', 'group', key) ? null : REFUSED.group
    case KEY_OF_TRANSACTION:
      return may(context, 'describe', 'transactionalId', key) ? null : REFUSED.transactionalId
  }
  return { error: 'INVALID_REQUEST', message: `There are no coordinators for keys of type ${keyType}.` }
}
