import { CONTROLLER_LISTENER, problemOfVoter, unsupportedVoters } from '../admin/quorum.ts'
import { api, type RequestContext } from '../api.ts'
import { ERROR } from '../errors.ts'
import {
  type AddRaftVoterRequest,
  type AddRaftVoterResponse,
  addRaftVoterRequest,
  addRaftVoterResponse,
} from '../schemas/add-raft-voter.ts'

export const addRaftVoter = api(addRaftVoterRequest, addRaftVoterResponse, [0, 1], handle)

function handle(request: AddRaftVoterRequest, context: RequestContext): AddRaftVoterResponse {
  const problem = problemOfVoter('Add', request, context)
  if (problem !== null) return problem
  const endpoints = request.listeners.map(({ name, host, port }) => ({ name: name.toUpperCase(), host, port }))
  if (!endpoints.some(({ name }) => name === CONTROLLER_LISTENER)) {
    const shown = endpoints.map(({ name, host, port }) => `ListenerName(${name})=${host}/<unresolved>:${port}`)
    const errorMessage =
      `Add voter request didn't include the endpoint (Endpoints(endpoints={${shown.join(', ')}})) ` +
      `for the default listener ListenerName(${CONTROLLER_LISTENER})`
    return { errorCode: ERROR.INVALID_REQUEST, errorMessage }
  }
  return unsupportedVoters('adding')
}
