/**
 * Lets groups commit their offsets to a broker whose process is killed at a random moment, starts it again, and looks
 * whether each offset is there that was acknowledged, or a later one; again and again.
 */
import { createTopics } from '../../kafka/groups/group-client.ts'
import { WireClient } from '../../kafka/wire-client.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { ServerProcess } from '../../server-process.ts'
import { type Crash, type CrashOptions, crashRepeatedly, type Life } from '../lives.ts'
import { performanceNowMs } from '../operations.ts'
import { GroupWorker } from './group-worker.ts'

export interface GroupCrashResult {
  readonly ackedCount: number
}

export const TOPIC = 'orders'
const PARTITION_COUNT = 3
const WORKERS = 8
const LOAD_MS_MAX = 500
const ALL_KEPT = { atMs: Number.MAX_VALUE, isEverythingKept: true }

export function crashGroupsRepeatedly(options: CrashOptions<GroupCrashResult>): Promise<Crash<GroupCrashResult>[]> {
  return crashRepeatedly('group', options, beginLife)
}

function beginLife(random: SeededRandom, directory: string): Life<GroupCrashResult> {
  const settings = ['--dir', directory, ...chooseGroupSettings(random)]
  const workers = makeGroupWorkers(random)
  const ackedCount = () => workers.reduce((sum, worker) => sum + worker.ackedCount, 0)
  let server: ServerProcess | null = null
  const start = async () => {
    server = await ServerProcess.startIn(directory, ...settings)
    return server
  }
  const stop = async () => void (await server?.stop('SIGKILL'))
  return {
    stop,
    async start() {
      const { kafkaAddress } = await start()
      await onGroupBroker(kafkaAddress, (wire) => createTopics(wire, [TOPIC]))
    },
    async crash() {
      const ackedBefore = ackedCount()
      const clients = await Promise.all(workers.map(() => WireClient.connect(server!.kafkaAddress)))
      const work = Promise.all(workers.map((worker, index) => worker.work(clients[index])))
      work.catch(() => {}) // told below
      const endMs = performanceNowMs() + random.below(LOAD_MS_MAX)
      while (performanceNowMs() < endMs) await new Promise((resolve) => setTimeout(resolve, 2))
      await stop()
      await work
      const { kafkaAddress } = await start()
      await onGroupBroker(kafkaAddress, async (wire) => {
        for (const worker of workers) await worker.verify(wire, ALL_KEPT, true)
      })
      return { ackedCount: ackedCount() - ackedBefore }
    },
  }
}

export async function onGroupBroker(address: string, run: (wire: WireClient) => Promise<void>): Promise<void> {
  const wire = await WireClient.connect(address)
  try {
    await run(wire)
  } finally {
    wire.close()
  }
}

/** All but the directory. */
export function chooseGroupSettings(random: SeededRandom): string[] {
  return [
    ...['--save', '', '--appendonly', 'no', '--kafka-port', 'auto'],
    ...['--kafka.num.partitions', String(PARTITION_COUNT), '--kafka.group.initial.rebalance.delay.ms', '0'],
    ...['--kafka.offsets.topic.num.partitions', '3'],
    // Cleaning goes on while it is written to.
    ...['--kafka.offsets.topic.segment.bytes', String(random.pick([2000, 50_000, 2 ** 20]))],
    ...['--kafka.log.cleaner.backoff.ms', '20', '--kafka.log.cleaner.min.cleanable.ratio', '0.01'],
  ]
}

export function makeGroupWorkers(random: SeededRandom): GroupWorker[] {
  return Array.from({ length: WORKERS }, (_, index) => {
    const chance = new SeededRandom(random.below(2 ** 32))
    return new GroupWorker(`group-${index}`, index % 2 === 0 ? 'outside' : 'member', TOPIC, PARTITION_COUNT, chance)
  })
}
