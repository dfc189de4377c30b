import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ERROR } from '#src/kafka/errors.ts'
import { alterReplicaLogDirsRequest, alterReplicaLogDirsResponse } from '#src/kafka/schemas/alter-replica-log-dirs.ts'
import { describeLogDirsRequest, describeLogDirsResponse } from '#src/kafka/schemas/describe-log-dirs.ts'
import { startBroker } from '../test-broker.ts'

for (const ephemeral of [true, false]) {
  test(`a log may be wanted in the directory that it is in (${ephemeral ? 'in memory' : 'on disk'})`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'headpond-dirs-'))
    const { connect } = await startBroker(t, { ephemeral, dir, kafka: { topics: { orders: 2 } } })
    t.after(() => rmSync(dir, { recursive: true, force: true }))
    const client = await connect()
    const { results } = await client.call(describeLogDirsRequest, describeLogDirsResponse, 4, { topics: null })
    const [{ logDir, topics }] = results
    assert.deepEqual(
      topics.map(({ name }) => name),
      ['orders'],
    )
    const move = async (path: string, name: string, partitions: number[]) => {
      const body = { dirs: [{ path, topics: [{ name, partitions }] }] }
      const answer = await client.call(alterReplicaLogDirsRequest, alterReplicaLogDirsResponse, 2, body)
      return answer.results.flatMap((topic) => topic.partitions.map(({ errorCode }) => errorCode))
    }
    assert.deepEqual(await move(logDir, 'orders', [0, 1, 2]), [0, 0, ERROR.UNKNOWN_TOPIC_OR_PARTITION])
    assert.deepEqual(await move(logDir, 'strange', [0]), [ERROR.UNKNOWN_TOPIC_OR_PARTITION])
    assert.deepEqual(await move(`${logDir}/`, 'orders', [0]), [ERROR.LOG_DIR_NOT_FOUND])
  })
}
