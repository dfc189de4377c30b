import { api, type RequestContext } from '../api.ts'
import { requireOnCluster } from '../authorizer/authorization.ts'
import { ERROR, type ErrorName, type KafkaError } from '../errors.ts'
import {
  type ElectLeadersRequest,
  type ElectLeadersResponse,
  electLeadersRequest,
  electLeadersResponse,
} from '../schemas/elect-leaders.ts'

export const electLeaders = api(electLeadersRequest, electLeadersResponse, [0, 2], handle, { refuse })

const ELECTION_TYPE = { preferred: 0, unclean: 1 } as const

/** Every partition is led by the only broker there is: no election is ever needed. */
function handle({ electionType, topicPartitions }: ElectLeadersRequest, context: RequestContext): ElectLeadersResponse {
  requireOnCluster(context, 'alter')
  const { broker } = context
  const isKnownType = electionType === ELECTION_TYPE.preferred || electionType === ELECTION_TYPE.unclean
  // Asked for all, Kafka names the topics, and of their partitions those that had an election.
  const wanted = topicPartitions ?? [...broker.logs.topics.keys()].map((topic) => ({ topic, partitions: [] }))
  const replicaElectionResults = wanted.map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map((partitionId) => {
      if (!isKnownType) return outcome(partitionId, 'INVALID_REQUEST', `Unknown election type ${electionType}`)
      const known = broker.logs.topics.get(topic)
      if (known === undefined) return outcome(partitionId, 'UNKNOWN_TOPIC_OR_PARTITION', `No such topic as ${topic}`)
      if (known.partitions[partitionId] === undefined) {
        return outcome(partitionId, 'UNKNOWN_TOPIC_OR_PARTITION', `No such partition as ${topic}-${partitionId}`)
      }
      return outcome(partitionId, 'ELECTION_NOT_NEEDED', 'Leader election not needed for topic partition.')
    }),
  }))
  return { errorCode: isKnownType ? ERROR.NONE : ERROR.INVALID_REQUEST, replicaElectionResults }
}

function outcome(partitionId: number, error: ErrorName, errorMessage: string) {
  return { partitionId, errorCode: ERROR[error], errorMessage }
}

function refuse(
  { topicPartitions }: ElectLeadersRequest,
  { code, errorName, message }: KafkaError,
): ElectLeadersResponse {
  const replicaElectionResults = (topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map((partitionId) => outcome(partitionId, errorName, message)),
  }))
  return { errorCode: code, replicaElectionResults }
}
