import { errorNameOf } from '#src/kafka/errors.ts'
import { addOffsetsToTxnRequest, addOffsetsToTxnResponse } from '#src/kafka/schemas/add-offsets-to-txn.ts'
import { addPartitionsToTxnRequest, addPartitionsToTxnResponse } from '#src/kafka/schemas/add-partitions-to-txn.ts'
import { endTxnRequest, endTxnResponse } from '#src/kafka/schemas/end-txn.ts'
import { initProducerIdRequest, initProducerIdResponse } from '#src/kafka/schemas/init-producer-id.ts'
import { txnOffsetCommitRequest, txnOffsetCommitResponse } from '#src/kafka/schemas/txn-offset-commit.ts'
import { batchOf, errorOf, type LogClient } from '../data/log-server.ts'

const TIMEOUT_MS = 60_000

/** A producer with transactions that says each thing when it is told to. */
export class TransactionalProducer {
  readonly #client: LogClient
  readonly transactionalId: string
  producerId = -1
  producerEpoch = -1
  /** By topic and partition: the next number. */
  readonly #sequences = new Map<string, number>()

  constructor(client: LogClient, transactionalId = 'mover') {
    this.#client = client
    this.transactionalId = transactionalId
  }

  async begin(version = 5, current = { producerId: -1, producerEpoch: -1 }, timeoutMs = TIMEOUT_MS): Promise<string> {
    const { transactionalId } = this
    const asked = { transactionalId, transactionTimeoutMs: timeoutMs, ...current }
    const answer = await this.#client.wire.call(initProducerIdRequest, initProducerIdResponse, version, asked)
    if (answer.errorCode !== 0) return errorNameOf(answer.errorCode)
    this.producerId = answer.producerId
    this.producerEpoch = answer.producerEpoch
    this.#sequences.clear()
    return 'NONE'
  }

  async add(topic: string, partitions: number[] = [0], version = 3): Promise<string> {
    const answer = await this.#client.wire.call(addPartitionsToTxnRequest, addPartitionsToTxnResponse, version, {
      transactions: [],
      v3AndBelowTransactionalId: this.transactionalId,
      v3AndBelowProducerId: this.producerId,
      v3AndBelowProducerEpoch: this.producerEpoch,
      v3AndBelowTopics: [{ name: topic, partitions }],
    })
    const [{ resultsByPartition }] = answer.resultsByTopicV3AndBelow
    return resultsByPartition.map(({ partitionErrorCode }) => errorNameOf(partitionErrorCode)).join(' ')
  }

  /** Its offset, or the error. */
  async send(topic: string, value: string | string[], version = 11, partition = 0): Promise<number | string> {
    const { transactionalId, producerId, producerEpoch } = this
    const place = `${topic}-${partition}`
    const baseSequence = this.#sequences.get(place) ?? 0
    const values = [value].flat()
    const batch = batchOf(values, { producerId, producerEpoch, baseSequence, isTransactional: true })
    const answer = await this.#client.produce(topic, batch, { version, transactionalId, partition })
    if (answer.errorCode !== 0) return errorOf(answer)
    this.#sequences.set(place, baseSequence + values.length)
    return answer.baseOffset
  }

  async addOffsets(groupId: string): Promise<string> {
    const { transactionalId, producerId, producerEpoch } = this
    const asked = { transactionalId, producerId, producerEpoch, groupId }
    return errorOf(await this.#client.wire.call(addOffsetsToTxnRequest, addOffsetsToTxnResponse, 4, asked))
  }

  async commitOffset(groupId: string, topic: string, offset: bigint, version = 4, index = 0): Promise<string> {
    const { transactionalId, producerId, producerEpoch } = this
    const partition = { partitionIndex: index, committedOffset: offset, committedMetadata: '' }
    const answer = await this.#client.wire.call(txnOffsetCommitRequest, txnOffsetCommitResponse, version, {
      ...{ transactionalId, groupId, producerId, producerEpoch },
      topics: [{ name: topic, partitions: [partition] }],
    })
    return errorOf(answer.topics[0].partitions[0])
  }

  async end(committed: boolean, version = 4): Promise<string> {
    const { transactionalId, producerId, producerEpoch } = this
    const asked = { transactionalId, producerId, producerEpoch, committed }
    const answer = await this.#client.wire.call(endTxnRequest, endTxnResponse, version, asked)
    if (version >= 5 && answer.errorCode === 0) {
      // Each transaction has an epoch of its own, in which the numbers begin anew.
      this.producerId = answer.producerId
      this.producerEpoch = answer.producerEpoch
      this.#sequences.clear()
    }
    return errorOf(answer)
  }
}
