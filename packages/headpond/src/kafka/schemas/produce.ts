import { array, int16, int32, int64, records, string, struct, uuid } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Versions 0-2 were removed in Apache Kafka 4.0, version 3 is the new baseline. Due to a bug in librdkafka, these
 *   versions have to be included in the api versions response (see KAFKA-18659), but are rejected otherwise. See
 *   `ApiKeys.PRODUCE_API_VERSIONS_RESPONSE_MIN_VERSION` for more details.
 * Version 3 adds the transactional ID, which is used for authorization when attempting to write transactional
 *   data.  Version 3 also adds support for Kafka Message Format v2.
 * Starting in version 7, records can be produced using ZStandard compression.  See KIP-110.
 * Starting in Version 8, response has RecordErrors and ErrorMessage. See KIP-467.
 * Version 11 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * Version 12 is the same as version 11 (KIP-890). Note when produce requests are used in transaction, if
 *   transaction V2 (KIP_890 part 2) is enabled, the produce request will also include the function for a
 *   AddPartitionsToTxn call. If V2 is disabled, the client can't use produce request version higher than 11 within
 *   a transaction.
 * Version 13 replaces topic names with topic IDs (KIP-516). May return UNKNOWN_TOPIC_ID error code.
 */
export const produceRequest = message(
  { name: 'ProduceRequest', apiKey: 0, versions: '0-13', flexible: '9+' },
  {
    transactionalId: string('3+', { nullable: '3+', default: null }),
    acks: int16('0+'),
    timeoutMs: int32('0+'),
    topicData: array('0+', {
      name: string('0-12'),
      topicId: uuid('13+'),
      partitionData: array('0+', {
        index: int32('0+'),
        records: records('0+', { nullable: '0+' }),
      }),
    }),
  },
)

export type ProduceRequest = Decoded<typeof produceRequest>

/**
 * Versions 0-2 were removed in Apache Kafka 4.0, version 3 is the new baseline. Due to a bug in librdkafka, these
 *   versions have to be included in the api versions response (see KAFKA-18659), but are rejected otherwise. See
 *   `ApiKeys.PRODUCE_API_VERSIONS_RESPONSE_MIN_VERSION` for more details.
 * Version 1 added the throttle time.
 * Version 2 added the log append time.
 * Version 4 added KAFKA_STORAGE_ERROR as a possible error code.
 * Version 5 added LogStartOffset to filter out spurious OutOfOrderSequenceExceptions on the client.
 * Version 8 added RecordErrors and ErrorMessage to include information about records that cause the whole batch to
 *   be dropped.  See KIP-467 for details.
 * Version 10 adds 'CurrentLeader' and 'NodeEndpoints' as tagged fields (KIP-951)
 * Version 11 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * Version 13 replaces topic names with topic IDs (KIP-516). May return UNKNOWN_TOPIC_ID error code.
 */
export const produceResponse = message(
  { name: 'ProduceResponse', apiKey: 0, versions: '0-13', flexible: '9+' },
  {
    responses: array('0+', {
      name: string('0-12'),
      topicId: uuid('13+'),
      partitionResponses: array('0+', {
        index: int32('0+'),
        errorCode: int16('0+'),
        baseOffset: int64('0+'),
        logAppendTimeMs: int64('2+', { default: -1 }),
        logStartOffset: int64('5+', { default: -1 }),
        recordErrors: array('8+', {
          batchIndex: int32('8+'),
          batchIndexErrorMessage: string('8+', { nullable: '8+', default: null }),
        }),
        errorMessage: string('8+', { nullable: '8+', default: null }),
        currentLeader: struct(
          '10+',
          {
            leaderId: int32('10+', { default: -1 }),
            leaderEpoch: int32('10+', { default: -1 }),
          },
          { tag: 0 },
        ),
      }),
    }),
    throttleTimeMs: int32('1+', { default: 0 }),
    nodeEndpoints: array(
      '10+',
      {
        nodeId: int32('10+'),
        host: string('10+'),
        port: int32('10+'),
        rack: string('10+', { nullable: '10+', default: null }),
      },
      { tag: 0 },
    ),
  },
)

export type ProduceResponse = Encodable<typeof produceResponse>
