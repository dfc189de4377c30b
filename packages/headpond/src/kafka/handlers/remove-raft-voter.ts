import { problemOfVoter, unsupportedVoters } from '../admin/quorum.ts'
import { api, type RequestContext } from '../api.ts'
import {
  type RemoveRaftVoterRequest,
  type RemoveRaftVoterResponse,
  removeRaftVoterRequest,
  removeRaftVoterResponse,
} from '../schemas/remove-raft-voter.ts'

export const removeRaftVoter = api(removeRaftVoterRequest, removeRaftVoterResponse, [0, 0], handle)

function handle(request: RemoveRaftVoterRequest, context: RequestContext): RemoveRaftVoterResponse {
  return problemOfVoter('Remove', request, context) ?? unsupportedVoters('removing')
}
