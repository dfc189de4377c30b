import { byteText } from '../../security/configured-users.ts'
import { ITERATIONS_MAX, ITERATIONS_MIN, keysOf, type ScramMechanism } from '../../security/scram.ts'
import type { ScramChange } from '../../security/scram-credentials.ts'
import { isUserName } from '../../security/user-directory.ts'
import { api, type RequestContext } from '../api.ts'
import { requireOnCluster } from '../authorizer/authorization.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import {
  type AlterUserScramCredentialsRequest,
  type AlterUserScramCredentialsResponse,
  alterUserScramCredentialsRequest,
  alterUserScramCredentialsResponse,
} from '../schemas/alter-user-scram-credentials.ts'
import { mechanismOfType } from '../security/scram-type.ts'

export const alterUserScramCredentials = api(
  alterUserScramCredentialsRequest,
  alterUserScramCredentialsResponse,
  [0, 0],
  handle,
  {
    refuse({ deletions, upsertions }, { code: errorCode, message: errorMessage }) {
      const users = new Set([...deletions, ...upsertions].map(({ name }) => name))
      return { results: [...users].map((user) => ({ user, errorCode, errorMessage })) }
    },
  },
)

interface Problem {
  readonly error: ErrorName
  readonly message: string
}

type Deletion = AlterUserScramCredentialsRequest['deletions'][number]
type Upsertion = AlterUserScramCredentialsRequest['upsertions'][number]

function handle(
  { deletions, upsertions }: AlterUserScramCredentialsRequest,
  context: RequestContext,
): AlterUserScramCredentialsResponse {
  requireOnCluster(context, 'alter')
  const { broker } = context
  const { scram } = broker.authentication
  const problems = new Map<string, Problem | null>()
  const changes: ScramChange[] = []
  const consider = (each: Deletion | Upsertion, problem: Problem | null, change: () => ScramChange) => {
    const { name } = each
    const found = problems.get(name) ?? (problems.has(name) ? TWICE : problem)
    problems.set(name, found)
    if (found === null) changes.push(change())
  }
  for (const each of deletions) {
    const mechanism = mechanismOfType(each.mechanism)!
    const problem =
      problemOf(each) ?? (scram.has(each.name, mechanism) ? null : refuse('RESOURCE_NOT_FOUND', DELETED_NONE))
    consider(each, problem, () => ({ name: each.name, mechanism, credential: null }))
  }
  for (const each of upsertions) {
    consider(each, problemOf(each) ?? problemOfCredential(each), () => credentialOf(each))
  }
  // A user that comes twice, even with two mechanisms, is not changed at all.
  const wanted = changes.filter(({ name }) => problems.get(name) === null)
  let failure: Problem | null = null
  try {
    if (wanted.length > 0) scram.change(wanted)
  } catch (error) {
    broker.log.error({ err: error }, 'credentials of SCRAM cannot be written')
    failure = refuse('KAFKA_STORAGE_ERROR', 'The credentials could not be written to disk')
  }
  return {
    results: [...problems].map(([user, own]) => {
      const problem = own ?? failure
      return { user, errorCode: ERROR[problem?.error ?? 'NONE'], errorMessage: problem?.message ?? null }
    }),
  }
}

const DELETED_NONE = 'Attempt to delete a user credential that does not exist'

function refuse(error: ErrorName, message: string): Problem {
  return { error, message }
}

const TWICE = refuse('DUPLICATE_RESOURCE', 'A user credential cannot be altered twice in the same request')

function problemOf({ name, mechanism }: Deletion | Upsertion): Problem | null {
  if (name === '') return refuse('UNACCEPTABLE_CREDENTIAL', 'Username must not be empty')
  if (mechanismOfType(mechanism) === undefined) return refuse('UNSUPPORTED_SASL_MECHANISM', 'Unknown SCRAM mechanism')
  return null
}

function problemOfCredential({ name, iterations }: Upsertion): Problem | null {
  if (iterations < ITERATIONS_MIN) return refuse('UNACCEPTABLE_CREDENTIAL', 'Too few iterations')
  if (iterations > ITERATIONS_MAX) return refuse('UNACCEPTABLE_CREDENTIAL', 'Too many iterations')
  // Such a name could never be one of the directory, where those with blanks mean something else.
  if (!isUserName(byteText(name))) return refuse('UNACCEPTABLE_CREDENTIAL', 'Username must not contain blanks')
  return null
}

/** The password comes salted: neither it nor this is kept. */
function credentialOf({ name, mechanism: type, iterations, salt, saltedPassword }: Upsertion): ScramChange {
  const mechanism = mechanismOfType(type) as ScramMechanism
  return { name, mechanism, credential: { salt: Buffer.from(salt), iterations, ...keysOf(mechanism, saltedPassword) } }
}
