import { api, type RequestContext } from '../api.ts'
import { mayOnCluster } from '../authorizer/authorization.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import {
  type DescribeUserScramCredentialsRequest,
  type DescribeUserScramCredentialsResponse,
  describeUserScramCredentialsRequest,
  describeUserScramCredentialsResponse,
} from '../schemas/describe-user-scram-credentials.ts'
import { typeOfMechanism } from '../security/scram-type.ts'

export const describeUserScramCredentials = api(
  describeUserScramCredentialsRequest,
  describeUserScramCredentialsResponse,
  [0, 0],
  handle,
  {
    refuse: (_, { code, message }) => ({ errorCode: code, errorMessage: message, results: [] }),
  },
)

/** Kafka names nobody, and says nothing beside the error. */
function refuseAll(users: readonly unknown[]): DescribeUserScramCredentialsResponse {
  const refusal = { errorCode: ERROR.CLUSTER_AUTHORIZATION_FAILED, errorMessage: null }
  return { ...refusal, results: users.map(() => ({ ...refusal, user: '', credentialInfos: [] })) }
}

type Result = DescribeUserScramCredentialsResponse['results'][number]

async function handle(
  { users }: DescribeUserScramCredentialsRequest,
  context: RequestContext,
): Promise<DescribeUserScramCredentialsResponse> {
  if (!mayOnCluster(context, 'describe')) return refuseAll(users ?? [])
  const { broker } = context
  const { scram } = broker.authentication
  await scram.settled()
  const wanted = users === null || users.length === 0 ? scram.names() : users.map(({ name }) => name)
  const results = [...new Set(wanted)].map((user): Result => {
    if (wanted.filter((each) => each === user).length > 1) {
      const message = `Cannot describe SCRAM credentials for the same user twice in a single request: ${user}`
      return refuse(user, 'DUPLICATE_RESOURCE', message)
    }
    const infos = scram.describe(user)
    if (infos.length === 0) {
      const message = `Attempt to describe a user credential that does not exist: ${user}`
      return refuse(user, 'RESOURCE_NOT_FOUND', message)
    }
    const credentialInfos = infos.map(({ mechanism, iterations }) => ({
      mechanism: typeOfMechanism(mechanism),
      iterations,
    }))
    return { user, errorCode: ERROR.NONE, errorMessage: null, credentialInfos }
  })
  return { errorCode: ERROR.NONE, errorMessage: null, results }
}

function refuse(user: string, error: ErrorName, errorMessage: string): Result {
  return { user, errorCode: ERROR[error], errorMessage, credentialInfos: [] }
}
