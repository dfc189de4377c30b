// What more of something costs: producers, consumer groups, gigabytes of log.

import { findCoordinatorRequest, findCoordinatorResponse } from 'headpond/src/kafka/schemas/find-coordinator.ts'
import { heartbeatRequest, heartbeatResponse } from 'headpond/src/kafka/schemas/heartbeat.ts'
import { joinGroupRequest, joinGroupResponse } from 'headpond/src/kafka/schemas/join-group.ts'
import { listOffsetsRequest, listOffsetsResponse } from 'headpond/src/kafka/schemas/list-offsets.ts'
import { offsetCommitRequest, offsetCommitResponse } from 'headpond/src/kafka/schemas/offset-commit.ts'
import { syncGroupRequest, syncGroupResponse } from 'headpond/src/kafka/schemas/sync-group.ts'
import { BrokerProcess, makeDirectory, removeDirectory } from './broker-process.ts'
import { type Bench, measureLoad, runLoad, wants, withBroker } from './suites.ts'
import { dropFromCache } from './tool-suites.ts'
import { WireConnection } from './wire.ts'

const MB = 1e6
const GB = 1e9

/** Connections that each have five requests under way, for one of twelve partitions in turn. */
export async function measureProducers({ options, specs, memory, add }: Bench): Promise<void> {
  for (const connectionCount of [1, 10, 100]) {
    const line = `${connectionCount} producers 1024B acks=all`
    if (!wants(options, line)) continue
    for (const spec of specs) {
      await withBroker(spec, async (broker) => {
        await broker.createTopic('bench', 12)
        const { result, cpuSeconds } = await measureLoad(broker, memory, {
          ...{ partitionCount: 12, partitionsPerRequest: 1, recordBytes: 1024, batchBytes: 16_384, codec: 'none' },
          ...{ acks: -1, connectionCount, inFlightCount: 5, seconds: options.quick ? 1 : 2 },
        })
        add({
          suite: 'producers',
          line,
          broker: spec.name,
          figures: {
            'MB/s': result.batchBytes / result.seconds / MB,
            'CPU s/GB': cpuSeconds / (result.batchBytes / GB),
            'p50 ms': result.p50Ms,
            'p99 ms': result.p99Ms,
            'RSS MB': broker.rssBytes() / MB,
          },
        })
      })
    }
  }
}

const GROUP_CONNECTION_COUNT = 10
const COMMITS_PER_GROUP = 20

/** Groups of one member: they join, commit and beat, over ten connections. */
export async function measureGroups({ options, specs, add }: Bench): Promise<void> {
  for (const groupCount of [10, 1000]) {
    const line = `${groupCount} groups`
    if (!wants(options, line)) continue
    for (const spec of specs) {
      await withBroker(spec, async (broker) => {
        await broker.createTopic('bench', 1)
        const rssBefore = broker.rssBytes()
        const connections = await Promise.all(
          Array.from({ length: GROUP_CONNECTION_COUNT }, () => WireConnection.connect(broker.port)),
        )
        const groups = Array.from({ length: groupCount }, (_, index) => `group-${index}`)
        const members = new Map<string, { memberId: string; generationId: number }>()
        const all = async (each: (group: string, connection: WireConnection) => Promise<void>) => {
          const startedAtMs = performance.now()
          const share = async (connection: WireConnection, first: number) => {
            for (let index = first; index < groupCount; index += connections.length)
              await each(groups[index], connection)
          }
          await Promise.all(connections.map(share))
          return performance.now() - startedAtMs
        }
        await all((group, connection) => untilCoordinated(connection, group))
        const joinMs = await all(async (group, connection) => {
          members.set(group, await join(connection, group))
        })
        let commitMs = 0
        for (let round = 0; round < COMMITS_PER_GROUP; round++) {
          commitMs += await all(async (group, connection) => {
            refuse('OffsetCommit', await commit(connection, group, round, members.get(group)))
          })
        }
        const beatMs = await all(async (groupId, connection) => {
          const asked = { groupId, groupInstanceId: null, ...members.get(groupId)! }
          refuse('Heartbeat', (await connection.call(heartbeatRequest, heartbeatResponse, 3, asked)).errorCode)
        })
        for (const connection of connections) connection.close()
        add({
          suite: 'groups',
          line,
          broker: spec.name,
          figures: {
            'joins/s': groupCount / (joinMs / 1000),
            'commits/s': (groupCount * COMMITS_PER_GROUP) / (commitMs / 1000),
            'heartbeats/s': groupCount / (beatMs / 1000),
            'RSS grown MB': (broker.rssBytes() - rssBefore) / MB,
            'RSS MB': broker.rssBytes() / MB,
          },
        })
      })
    }
  }
}

function refuse(what: string, errorCode: number): void {
  if (errorCode !== 0) throw new Error(`${what}: error ${errorCode}`)
}

/** The first groups have to wait until there is a place for their offsets. */
async function untilCoordinated(connection: WireConnection, group: string): Promise<void> {
  for (const giveUpAtMs = performance.now() + 30_000; ; ) {
    const asked = { key: group, keyType: 0, coordinatorKeys: [] }
    const found = await connection.call(findCoordinatorRequest, findCoordinatorResponse, 2, asked)
    const errorCode = found.errorCode === 0 ? await commit(connection, group, 0) : found.errorCode
    if (errorCode === 0) return
    if (performance.now() > giveUpAtMs) throw new Error(`no coordinator: error ${errorCode}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function commit(
  connection: WireConnection,
  groupId: string,
  offset: number,
  member?: { memberId: string; generationId: number },
): Promise<number> {
  const partitions = [
    { partitionIndex: 0, committedOffset: BigInt(offset), committedLeaderEpoch: -1, committedMetadata: null },
  ]
  const { topics } = await connection.call(offsetCommitRequest, offsetCommitResponse, 7, {
    groupId,
    generationIdOrMemberEpoch: member?.generationId ?? -1,
    memberId: member?.memberId ?? '',
    topics: [{ name: 'bench', topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitions }],
  })
  return topics[0].partitions[0].errorCode
}

async function join(connection: WireConnection, groupId: string): Promise<{ memberId: string; generationId: number }> {
  const protocols = [{ name: 'range', metadata: Buffer.alloc(16) }]
  const times = { sessionTimeoutMs: 45_000, rebalanceTimeoutMs: 60_000 }
  const joined = await connection.call(joinGroupRequest, joinGroupResponse, 3, {
    ...{ groupId, memberId: '', protocolType: 'consumer', protocols },
    ...times,
  })
  refuse('JoinGroup', joined.errorCode)
  const { memberId, generationId } = joined
  const assignments = [{ memberId, assignment: Buffer.alloc(16) }]
  const synced = await connection.call(syncGroupRequest, syncGroupResponse, 3, {
    ...{ groupId, memberId, generationId, assignments },
  })
  refuse('SyncGroup', synced.errorCode)
  return { memberId, generationId }
}

/** Ten gigabytes in segments of one: its first and its last gigabyte, out of no cache, and where an offset of a time is found. */
export async function measureLargeLog({ options, specs, add }: Bench): Promise<void> {
  const logBytes = options.quick ? 2 * GB : 10 * GB
  const readBytes = options.quick ? GB / 4 : GB
  const segmentBytes = options.quick ? 2 ** 28 : 2 ** 30
  for (const spec of specs) {
    const directory = makeDirectory()
    try {
      let broker = await BrokerProcess.start(spec, directory)
      await broker.createTopic('bench', 1, { 'segment.bytes': String(segmentBytes) })
      const produced = await runLoad({
        ...{ kind: 'produce', port: broker.port, topic: 'bench', partitionCount: 1, partitionsPerRequest: 1 },
        ...{ recordBytes: 1024, batchBytes: 65_536, codec: 'none', acks: 1, connectionCount: 1, inFlightCount: 5 },
        ...{ seconds: 250, bytesMax: logBytes },
      })
      await broker.stop()
      const endOffset = produced.recordCount
      let firstRate = 0
      const readsFrom = Math.floor(endOffset * (1 - readBytes / produced.batchBytes))
      for (const [name, startOffset] of [
        ['start', 0],
        ['end', readsFrom],
      ] as const) {
        const line = `${logBytes / GB} GB, its ${name}`
        if (!wants(options, line)) continue
        dropFromCache(directory)
        broker = await BrokerProcess.start(spec, directory)
        const seekMs = await timeOfSearch(broker.port)
        const result = await runLoad({
          ...{ kind: 'consume', port: broker.port, topic: 'bench', partitionCount: 1 },
          ...{ seconds: 120, startOffset, bytesMax: readBytes * 0.95 },
        })
        const rate = result.batchBytes / result.seconds
        if (startOffset === 0) firstRate = rate
        add({
          suite: 'large-log',
          line,
          broker: spec.name,
          figures: {
            'MB/s': rate / MB,
            ...(startOffset === 0 ? {} : { 'of the first rate': rate / firstRate }),
            'p50 ms': result.p50Ms,
            'p99 ms': result.p99Ms,
            'start ms': broker.startMs,
            'search by time ms': seekMs,
            'RSS MB': broker.rssBytes() / MB,
          },
        })
        await broker.stop()
      }
    } finally {
      removeDirectory(directory)
    }
  }
}

/** ListOffsets for a time of which there is nothing: every segment is looked at. */
async function timeOfSearch(port: number): Promise<number> {
  const connection = await WireConnection.connect(port)
  try {
    const startedAtMs = performance.now()
    const partitions = [{ partitionIndex: 0, timestamp: Date.now() + 3_600_000 }]
    const answer = await connection.call(listOffsetsRequest, listOffsetsResponse, 5, {
      ...{ replicaId: -1, isolationLevel: 0, timeoutMs: 0, topics: [{ name: 'bench', partitions }] },
    })
    refuse('ListOffsets', answer.topics[0].partitions[0].errorCode)
    return performance.now() - startedAtMs
  } finally {
    connection.close()
  }
}
