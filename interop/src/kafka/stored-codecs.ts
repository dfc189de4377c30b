import type { HeadpondServer } from 'headpond'
import { parseAddress } from 'headpond/src/kafka/client/address.ts'
import { KafkaClient } from 'headpond/src/kafka/client/client.ts'
import { fetchRequest, fetchResponse } from 'headpond/src/kafka/schemas/fetch.ts'
import { sizeBytesOf } from 'headpond/src/log/record-batch.ts'
import { readBatchHeader } from 'headpond/src/log/records/batch.ts'

const NO_ID = 'A'.repeat(22)

/**
 * librdkafka sends as it is what its codec makes larger: a few short records, which leave before all the others when the broker's
 * first answer comes while it flushes.
 */
export const WORTH_COMPRESSING = 20

/**
 * The codecs of the batches of a topic with one partition, as they are stored: what clients really have sent. Those with fewer
 * than `recordsMin` records are left out.
 */
export async function storedCodecs(
  server: HeadpondServer,
  topic: string,
  recordsMin = 1,
): Promise<(string | undefined)[]> {
  const client = await KafkaClient.connect({ bootstrap: [parseAddress(server.urls.kafka)!] })
  try {
    const answer = await client.call(
      await client.leaderOf(topic, 0),
      { request: fetchRequest, response: fetchResponse },
      {
        maxWaitMs: 0,
        minBytes: 0,
        isolationLevel: 0,
        topics: [{ topic, topicId: NO_ID, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 2 ** 26 }] }],
        forgottenTopicsData: [],
      },
      { versionMax: 12 },
    )
    const bytes = answer.responses[0].partitions[0].records ?? Buffer.alloc(0)
    const codecs: (string | undefined)[] = []
    for (let at = 0; at < bytes.length; at += sizeBytesOf(bytes, at)) {
      const { codec, recordCount } = readBatchHeader(bytes, at)
      if (recordCount >= recordsMin) codecs.push(codec)
    }
    return codecs
  } finally {
    client.close()
  }
}
