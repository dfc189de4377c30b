import { array, bool, int16, int32, string, uuid } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * In version 0, an empty array indicates "request metadata for all topics."  In version 1 and higher, an empty
 *   array indicates "request metadata for no topics," and a null array is used to indicate "request metadata for
 *   all topics."
 * Version 4 adds AllowAutoTopicCreation.
 * Starting in version 8, authorized operations can be requested for cluster and topic resource.
 * Version 10 adds topicId and allows name field to be null. However, this functionality was not implemented on the
 *   server.
 * Versions 10 and 11 should not use the topicId field or set topic name to null.
 * Version 11 deprecates IncludeClusterAuthorizedOperations field. This is now exposed by the DescribeCluster API
 *   (KIP-700).
 * Version 12 supports topic Id.
 * Version 13 supports top-level error code in the response.
 */
export const metadataRequest = message(
  { name: 'MetadataRequest', apiKey: 3, versions: '0-13', flexible: '9+' },
  {
    topics: array(
      '0+',
      {
        topicId: uuid('10+'),
        name: string('0+', { nullable: '10+' }),
      },
      { nullable: '1+' },
    ),
    allowAutoTopicCreation: bool('4+', { default: true }),
    includeClusterAuthorizedOperations: bool('8-10'),
    includeTopicAuthorizedOperations: bool('8+'),
  },
)

export type MetadataRequest = Decoded<typeof metadataRequest>

/**
 * Version 1 adds fields for the rack of each broker, the controller id, and whether or not the topic is internal.
 * Version 2 adds the cluster ID field.
 * Version 3 adds the throttle time.
 * Version 5 adds a per-partition offline_replicas field. This field specifies the list of replicas that are
 *   offline.
 * Version 7 adds the leader epoch to the partition metadata.
 * Starting in version 8, brokers can send authorized operations for topic and cluster.
 * Version 10 adds topicId.
 * Version 11 deprecates ClusterAuthorizedOperations. This is now exposed by the DescribeCluster API (KIP-700).
 * Version 12 supports topicId.
 * Version 13 supports top-level error code in the response.
 */
export const metadataResponse = message(
  { name: 'MetadataResponse', apiKey: 3, versions: '0-13', flexible: '9+' },
  {
    throttleTimeMs: int32('3+', { default: 0 }),
    brokers: array('0+', {
      nodeId: int32('0+'),
      host: string('0+'),
      port: int32('0+'),
      rack: string('1+', { nullable: '1+', default: null }),
    }),
    clusterId: string('2+', { nullable: '2+', default: null }),
    controllerId: int32('1+', { default: -1 }),
    topics: array('0+', {
      errorCode: int16('0+'),
      name: string('0+', { nullable: '12+' }),
      topicId: uuid('10+'),
      isInternal: bool('1+', { default: false }),
      partitions: array('0+', {
        errorCode: int16('0+'),
        partitionIndex: int32('0+'),
        leaderId: int32('0+'),
        leaderEpoch: int32('7+', { default: -1 }),
        replicaNodes: array('0+', 'int32'),
        isrNodes: array('0+', 'int32'),
        offlineReplicas: array('5+', 'int32'),
      }),
      topicAuthorizedOperations: int32('8+', { default: -2147483648 }),
    }),
    clusterAuthorizedOperations: int32('8-10', { default: -2147483648 }),
    errorCode: int16('13+'),
  },
)

export type MetadataResponse = Encodable<typeof metadataResponse>
