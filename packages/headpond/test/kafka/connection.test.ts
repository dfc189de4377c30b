import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERROR } from '#src/kafka/errors.ts'
import { apiVersionsRequest, apiVersionsResponse } from '#src/kafka/schemas/api-versions.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { startBroker } from './test-broker.ts'

test('a version of ApiVersions that is too new is answered in version 0, with the versions there are', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  const frame = client.encode(apiVersionsRequest, 3, { clientSoftwareName: 'x', clientSoftwareVersion: '1' }, 7)
  frame.writeInt16BE(99, 6)
  client.sendBytes(frame)
  const answer = await client.receive(apiVersionsResponse, 0, 7)
  assert.deepEqual(answer.apiKeys, [{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
  assert.equal(answer.errorCode, ERROR.UNSUPPORTED_VERSION)
  const again = await client.call(apiVersionsRequest, apiVersionsResponse, 4, {
    clientSoftwareName: 'x',
    clientSoftwareVersion: '1',
  })
  assert.equal(again.errorCode, ERROR.NONE)
})

test('requests of one connection are answered in their order', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  const versions = [0, 4, 9, 13, 1]
  const ids = versions.map((version) => client.send(metadataRequest, version, topicsNamed(`t${version}`)))
  for (const [index, version] of versions.entries()) {
    const answer = await client.receive(metadataResponse, version, ids[index])
    assert.deepEqual(
      answer.topics.map(({ name }) => name),
      [`t${version}`],
    )
  }
})

function topicsNamed(...names: string[]) {
  return {
    topics: names.map((name) => ({ name, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' })),
    includeTopicAuthorizedOperations: false,
  }
}
