import { array, bool, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

const addPartitionsToTxnTopic = {
  name: string('0+'),
  partitions: array('0+', 'int32'),
}

const addPartitionsToTxnPartitionResult = {
  partitionIndex: int32('0+'),
  partitionErrorCode: int16('0+'),
}

const addPartitionsToTxnTopicResult = {
  name: string('0+'),
  resultsByPartition: array('0+', addPartitionsToTxnPartitionResult),
}

/**
 * Version 2 adds the support for new error code PRODUCER_FENCED.
 * Version 4 adds VerifyOnly field to check if partitions are already in transaction and adds support to batch
 *   multiple transactions.
 * Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * Versions 3 and below will be exclusively used by clients and versions 4 and above will be used by brokers.
 */
export const addPartitionsToTxnRequest = message(
  { name: 'AddPartitionsToTxnRequest', apiKey: 24, versions: '0-5', flexible: '3+' },
  {
    transactions: array('4+', {
      transactionalId: string('4+'),
      producerId: int64('4+'),
      producerEpoch: int16('4+'),
      verifyOnly: bool('4+', { default: false }),
      topics: array('4+', addPartitionsToTxnTopic),
    }),
    v3AndBelowTransactionalId: string('0-3'),
    v3AndBelowProducerId: int64('0-3'),
    v3AndBelowProducerEpoch: int16('0-3'),
    v3AndBelowTopics: array('0-3', addPartitionsToTxnTopic),
  },
)

export type AddPartitionsToTxnRequest = Decoded<typeof addPartitionsToTxnRequest>

/**
 * Version 2 adds the support for new error code PRODUCER_FENCED.
 * Version 4 adds support to batch multiple transactions and a top level error code.
 * Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 */
export const addPartitionsToTxnResponse = message(
  { name: 'AddPartitionsToTxnResponse', apiKey: 24, versions: '0-5', flexible: '3+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('4+'),
    resultsByTransaction: array('4+', {
      transactionalId: string('4+'),
      topicResults: array('4+', addPartitionsToTxnTopicResult),
    }),
    resultsByTopicV3AndBelow: array('0-3', addPartitionsToTxnTopicResult),
  },
)

export type AddPartitionsToTxnResponse = Encodable<typeof addPartitionsToTxnResponse>
