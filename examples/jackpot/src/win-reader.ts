import { batches, groupMember, type Logger, offsetsBehind, type StringMessage } from 'headpond-examples-shared'
import type { Positions } from './positions.ts'
import { WINS_TOPIC } from './topic.ts'

const BATCH_WINS_MAX = 500

export interface WinReader {
  /** Finishes the batch in hand, and leaves the group. */
  stop(): Promise<void>
}

/**
 * Reads the wins from positions that are kept beside what was made of them, and not from those that the group has committed: so
 * the two cannot disagree. The commits only tell others how far this group is.
 * @param take makes something of a batch, and keeps its positions beside that; when it fails, so does the service
 */
export async function readWins(
  groupId: string,
  brokers: string[],
  positions: Positions,
  take: (batch: readonly StringMessage[]) => Promise<void>,
  { log, fail }: { log: Logger; fail: (error: unknown) => void },
): Promise<WinReader> {
  const consumer = groupMember(groupId, brokers)
  const offsets = [...positions].map(([partition, next]) => ({
    topic: WINS_TOPIC.name,
    partition,
    offset: BigInt(next),
  }))
  const stream = await consumer.consume({
    topics: [WINS_TOPIC.name],
    mode: 'manual',
    offsets,
    fallbackMode: 'earliest',
    autocommit: false,
  })
  const reading = (async () => {
    for await (const batch of batches(stream, BATCH_WINS_MAX)) {
      await take(batch)
      // It may fail, and the next one makes up for it.
      await consumer
        .commit({ offsets: offsetsBehind(batch) })
        .catch((error) => log.warn({ err: error }, 'not committed'))
    }
  })()
  let isStopping = false
  reading.catch((error) => {
    if (!isStopping) fail(error)
  })
  return {
    async stop() {
      isStopping = true
      stream.destroy()
      await reading.catch(() => {})
      await consumer.close(true)
    },
  }
}
