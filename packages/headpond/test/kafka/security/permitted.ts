import type { KafkaClient } from '#src/kafka/client/client.ts'
import { KafkaClientError } from '#src/kafka/client/kafka-client-error.ts'
import {
  describeUserScramCredentialsRequest,
  describeUserScramCredentialsResponse,
} from '#src/kafka/schemas/describe-user-scram-credentials.ts'

const EXCHANGE = { request: describeUserScramCredentialsRequest, response: describeUserScramCredentialsResponse }

/** Asks for what needs a permission on the cluster. */
export async function askForCluster(client: KafkaClient): Promise<'permitted' | string> {
  try {
    const { errorCode } = await client.call('any', EXCHANGE, { users: null })
    return errorCode === 0 ? 'permitted' : `error ${errorCode}`
  } catch (error) {
    if (!(error instanceof KafkaClientError)) throw error
    return error.message
  }
}
