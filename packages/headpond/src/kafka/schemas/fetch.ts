import { array, int8, int16, int32, int64, records, string, struct, uuid } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Starting in Version 2, the requester must be able to handle Kafka Log Message format version 1.
 * Version 3 adds MaxBytes.  Starting in version 3, the partition ordering in the request is now relevant.
 *   Partitions will be processed in the order they appear in the request.
 * Version 4 adds IsolationLevel.  Starting in version 4, the requestor must be able to handle Kafka log message
 *   format version 2.
 * Version 5 adds LogStartOffset to indicate the earliest available offset of partition data that can be consumed.
 * Version 7 adds incremental fetch request support.
 * Version 9 adds CurrentLeaderEpoch, as described in KIP-320.
 * Version 10 indicates that we can use the ZStd compression algorithm, as described in KIP-110.
 * Version 12 adds flexible versions support as well as epoch validation through the `LastFetchedEpoch` field
 * Version 13 replaces topic names with topic IDs (KIP-516). May return UNKNOWN_TOPIC_ID error code.
 * Version 15 adds the ReplicaState which includes new field ReplicaEpoch and the ReplicaId. Also, deprecate the
 *   old ReplicaId field and set its default value to -1. (KIP-903)
 * Version 17 adds directory id support from KIP-853
 * Version 18 adds high-watermark from KIP-1166
 */
export const fetchRequest = message(
  { name: 'FetchRequest', apiKey: 1, versions: '0-18', flexible: '12+' },
  {
    clusterId: string('12+', { nullable: '12+', default: null, tag: 0 }),
    replicaId: int32('0-14', { default: -1 }),
    replicaState: struct(
      '15+',
      {
        replicaId: int32('15+', { default: -1 }),
        replicaEpoch: int64('15+', { default: -1 }),
      },
      { tag: 1 },
    ),
    maxWaitMs: int32('0+'),
    minBytes: int32('0+'),
    maxBytes: int32('3+', { default: 2147483647 }),
    isolationLevel: int8('4+', { default: 0 }),
    sessionId: int32('7+', { default: 0 }),
    sessionEpoch: int32('7+', { default: -1 }),
    topics: array('0+', {
      topic: string('0-12'),
      topicId: uuid('13+'),
      partitions: array('0+', {
        partition: int32('0+'),
        currentLeaderEpoch: int32('9+', { default: -1 }),
        fetchOffset: int64('0+'),
        lastFetchedEpoch: int32('12+', { default: -1 }),
        logStartOffset: int64('5+', { default: -1 }),
        partitionMaxBytes: int32('0+'),
        replicaDirectoryId: uuid('17+', { tag: 0 }),
        highWatermark: int64('18+', { default: 2 ** 63, tag: 1 }),
      }),
    }),
    forgottenTopicsData: array('7+', {
      topic: string('7-12'),
      topicId: uuid('13+'),
      partitions: array('7+', 'int32'),
    }),
    rackId: string('11+', { default: '' }),
  },
)

export type FetchRequest = Decoded<typeof fetchRequest>

/**
 * Version 4 adds features for transactional consumption.
 * Version 5 adds LogStartOffset to indicate the earliest available offset of partition data that can be consumed.
 * Starting in version 6, we may return KAFKA_STORAGE_ERROR as an error code.
 * Version 7 adds incremental fetch request support.
 * Version 10 indicates that the response data can use the ZStd compression algorithm, as described in KIP-110.
 * Version 12 adds support for flexible versions, epoch detection through the `TruncationOffset` field, and leader
 *   discovery through the `CurrentLeader` field
 * Version 13 replaces the topic name field with topic ID (KIP-516).
 * Version 16 adds the 'NodeEndpoints' field (KIP-951).
 * Version 17 no changes to the response (KIP-853).
 * Version 18 no changes to the response (KIP-1166)
 */
export const fetchResponse = message(
  { name: 'FetchResponse', apiKey: 1, versions: '0-18', flexible: '12+' },
  {
    throttleTimeMs: int32('1+', { default: 0 }),
    errorCode: int16('7+'),
    sessionId: int32('7+', { default: 0 }),
    responses: array('0+', {
      topic: string('0-12'),
      topicId: uuid('13+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
        highWatermark: int64('0+'),
        lastStableOffset: int64('4+', { default: -1 }),
        logStartOffset: int64('5+', { default: -1 }),
        divergingEpoch: struct(
          '12+',
          {
            epoch: int32('12+', { default: -1 }),
            endOffset: int64('12+', { default: -1 }),
          },
          { tag: 0 },
        ),
        currentLeader: struct(
          '12+',
          {
            leaderId: int32('12+', { default: -1 }),
            leaderEpoch: int32('12+', { default: -1 }),
          },
          { tag: 1 },
        ),
        snapshotId: struct(
          '12+',
          {
            endOffset: int64('0+', { default: -1 }),
            epoch: int32('0+', { default: -1 }),
          },
          { tag: 2 },
        ),
        abortedTransactions: array(
          '4+',
          {
            producerId: int64('4+'),
            firstOffset: int64('4+'),
          },
          { nullable: '4+' },
        ),
        preferredReadReplica: int32('11+', { default: -1 }),
        records: records('0+', { nullable: '0+' }),
      }),
    }),
    nodeEndpoints: array(
      '16+',
      {
        nodeId: int32('16+'),
        host: string('16+'),
        port: int32('16+'),
        rack: string('16+', { nullable: '16+', default: null }),
      },
      { tag: 0 },
    ),
  },
)

export type FetchResponse = Encodable<typeof fetchResponse>
