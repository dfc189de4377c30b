import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERROR } from '#src/kafka/errors.ts'
import { apiVersionsRequest, apiVersionsResponse } from '#src/kafka/schemas/api-versions.ts'
import { startBroker } from './test-broker.ts'

const SOFTWARE = { clientSoftwareName: 'wire-client', clientSoftwareVersion: '1.0' }

/**
 * The versions to tell clients of, for all that is served at all. librdkafka of before 2.11 turns features on when one
 * exact low version is in range (Produce 0 is compression), kafkajs sends its own newest whatever our oldest is, and
 * @platformatic/kafka needs recent ones.
 */
const RANGES: Record<number, [name: string, min: number, max: number]> = {
  0: ['Produce', 0, 12],
  1: ['Fetch', 4, 17],
  2: ['ListOffsets', 1, 11],
  3: ['Metadata', 0, 13],
  8: ['OffsetCommit', 2, 9],
  9: ['OffsetFetch', 1, 9],
  10: ['FindCoordinator', 0, 6],
  11: ['JoinGroup', 0, 9],
  12: ['Heartbeat', 0, 4],
  13: ['LeaveGroup', 0, 5],
  14: ['SyncGroup', 0, 5],
  15: ['DescribeGroups', 0, 6],
  16: ['ListGroups', 0, 5],
  17: ['SaslHandshake', 0, 1],
  18: ['ApiVersions', 0, 4],
  19: ['CreateTopics', 2, 7],
  20: ['DeleteTopics', 1, 6],
  21: ['DeleteRecords', 0, 2],
  22: ['InitProducerId', 0, 5],
  23: ['OffsetForLeaderEpoch', 2, 4],
  24: ['AddPartitionsToTxn', 0, 3],
  25: ['AddOffsetsToTxn', 0, 4],
  26: ['EndTxn', 0, 5],
  27: ['WriteTxnMarkers', 1, 1],
  28: ['TxnOffsetCommit', 0, 5],
  29: ['DescribeAcls', 1, 3],
  30: ['CreateAcls', 1, 3],
  31: ['DeleteAcls', 1, 3],
  32: ['DescribeConfigs', 1, 4],
  33: ['AlterConfigs', 0, 2],
  34: ['AlterReplicaLogDirs', 1, 2],
  35: ['DescribeLogDirs', 1, 4],
  36: ['SaslAuthenticate', 0, 2],
  37: ['CreatePartitions', 0, 3],
  38: ['CreateDelegationToken', 1, 3],
  39: ['RenewDelegationToken', 1, 2],
  40: ['ExpireDelegationToken', 1, 2],
  41: ['DescribeDelegationToken', 1, 3],
  42: ['DeleteGroups', 0, 2],
  43: ['ElectLeaders', 0, 2],
  44: ['IncrementalAlterConfigs', 0, 1],
  45: ['AlterPartitionReassignments', 0, 1],
  46: ['ListPartitionReassignments', 0, 0],
  47: ['OffsetDelete', 0, 0],
  48: ['DescribeClientQuotas', 0, 1],
  49: ['AlterClientQuotas', 0, 1],
  50: ['DescribeUserScramCredentials', 0, 0],
  51: ['AlterUserScramCredentials', 0, 0],
  55: ['DescribeQuorum', 0, 2],
  57: ['UpdateFeatures', 0, 2],
  60: ['DescribeCluster', 0, 2],
  61: ['DescribeProducers', 0, 0],
  64: ['UnregisterBroker', 0, 0],
  65: ['DescribeTransactions', 0, 0],
  66: ['ListTransactions', 0, 2],
  68: ['ConsumerGroupHeartbeat', 0, 1],
  69: ['ConsumerGroupDescribe', 0, 1],
  74: ['ListConfigResources', 0, 1],
  75: ['DescribeTopicPartitions', 0, 0],
  80: ['AddRaftVoter', 0, 1],
  81: ['RemoveRaftVoter', 0, 0],
}
/** What there is a client for that does without it, and what is not for clients. */
const NEEDED = [
  0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 32, 33, 35, 37, 42, 43, 44,
  45, 46, 47, 55, 57, 60, 61, 65, 66, 75,
]

test('each version of ApiVersions tells the same ranges, and of no API that clients are not meant to see', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  for (const version of [0, 1, 2, 3, 4]) {
    const answer = await client.call(apiVersionsRequest, apiVersionsResponse, version, SOFTWARE)
    assert.equal(answer.errorCode, ERROR.NONE)
    assert.equal(answer.throttleTimeMs, 0)
    const told = answer.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, minVersion, maxVersion])
    assert.deepEqual(
      told,
      answer.apiKeys.map(({ apiKey }) => [apiKey, ...(RANGES[apiKey]?.slice(1) ?? [])]),
    )
    assert.equal(new Set(told.map(([apiKey]) => apiKey)).size, told.length)
    for (const key of NEEDED)
      assert.ok(
        told.some(([apiKey]) => apiKey === key),
        `${key} is missing`,
      )
  }
})

test('no feature is told of that is not built: clients would act on it', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  const name = 'transaction.version'
  for (const version of [3, 4]) {
    const answer = await client.call(apiVersionsRequest, apiVersionsResponse, version, SOFTWARE)
    // Clients of version 3 cannot read a range that begins with 0.
    assert.deepEqual(answer.supportedFeatures, version === 3 ? [] : [{ name, minVersion: 0, maxVersion: 2 }])
    assert.deepEqual(answer.finalizedFeatures, [{ name, minVersionLevel: 2, maxVersionLevel: 2 }])
    assert.equal(answer.finalizedFeaturesEpoch, 0)
  }
})

test('a version that there is not is answered in version 0, with the versions there are', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  for (const version of [5, 99, 32767, -1]) {
    const frame = client.encode(apiVersionsRequest, 3, SOFTWARE, 7)
    frame.writeInt16BE(version, 6)
    // Nothing behind the correlation id can be understood, and nothing is.
    frame.fill(0xff, 12)
    client.sendBytes(frame)
    const answer = await client.receive(apiVersionsResponse, 0, 7)
    assert.deepEqual(answer.apiKeys, [{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
    assert.equal(answer.errorCode, ERROR.UNSUPPORTED_VERSION)
  }
  const again = await client.call(apiVersionsRequest, apiVersionsResponse, 4, SOFTWARE)
  assert.equal(again.errorCode, ERROR.NONE)
})

test('a client that calls itself what no metric could be called is refused', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  for (const name of ['', '-a', 'a-', 'a b', 'ü', 'a\n']) {
    for (const software of [
      { ...SOFTWARE, clientSoftwareName: name },
      { ...SOFTWARE, clientSoftwareVersion: name },
    ]) {
      const answer = await client.call(apiVersionsRequest, apiVersionsResponse, 3, software)
      assert.deepEqual([answer.errorCode, answer.apiKeys], [ERROR.INVALID_REQUEST, []], JSON.stringify(software))
    }
  }
  const answer = await client.call(apiVersionsRequest, apiVersionsResponse, 3, {
    clientSoftwareName: 'a',
    clientSoftwareVersion: '2.0.2-rc.1',
  })
  assert.equal(answer.errorCode, ERROR.NONE)
})
