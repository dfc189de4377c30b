/**
 * Lets groups commit their offsets to a broker whose process is killed at a random moment, starts it again, and looks
 * whether each offset is there that was acknowledged, or a later one; again and again.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTopics } from '../../kafka/groups/group-client.ts'
import { WireClient } from '../../kafka/wire-client.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { ServerProcess } from '../../server-process.ts'
import { performanceNowMs } from '../operations.ts'
import { GroupWorker } from './group-worker.ts'

export interface GroupCrashResult {
  readonly index: number
  readonly seed: number
  readonly ackedCount: number
}

export const TOPIC = 'orders'
const PARTITION_COUNT = 3
const WORKERS = 8
const CRASHES_PER_DIRECTORY = 10
const LOAD_MS_MAX = 500
const ALL_KEPT = { atMs: Number.MAX_VALUE, isEverythingKept: true }

export async function crashGroupsRepeatedly(options: {
  count: number
  seed: number
  crashesPerDirectory?: number
  onResult?: (result: GroupCrashResult) => void
}): Promise<GroupCrashResult[]> {
  const { count, seed, crashesPerDirectory = CRASHES_PER_DIRECTORY, onResult } = options
  const results: GroupCrashResult[] = []
  for (let life = 0; results.length < count; life++) {
    const lifeSeed = (seed + life * 7919) >>> 0
    const random = new SeededRandom(lifeSeed)
    const base = mkdtempSync(join(tmpdir(), 'headpond-group-crash-'))
    const settings = ['--dir', base, ...chooseGroupSettings(random)]
    const workers = makeGroupWorkers(random)
    const ackedCount = () => workers.reduce((sum, worker) => sum + worker.ackedCount, 0)
    let server: ServerProcess | null = null
    try {
      server = await ServerProcess.startIn(base, ...settings)
      await onGroupBroker(server.kafkaAddress, (wire) => createTopics(wire, [TOPIC]))
      for (let crash = 0; crash < crashesPerDirectory && results.length < count; crash++) {
        const ackedBefore = ackedCount()
        const clients = await Promise.all(workers.map(() => WireClient.connect(server!.kafkaAddress)))
        const work = Promise.all(workers.map((worker, index) => worker.work(clients[index])))
        work.catch(() => {}) // told below
        const endMs = performanceNowMs() + random.below(LOAD_MS_MAX)
        while (performanceNowMs() < endMs) await new Promise((resolve) => setTimeout(resolve, 2))
        await server.stop('SIGKILL')
        await work
        server = await ServerProcess.startIn(base, ...settings)
        await onGroupBroker(server.kafkaAddress, async (wire) => {
          for (const worker of workers) await worker.verify(wire, ALL_KEPT, true)
        })
        const result = { index: results.length, seed: lifeSeed, ackedCount: ackedCount() - ackedBefore }
        results.push(result)
        onResult?.(result)
      }
      await server.stop('SIGKILL')
      rmSync(base, { recursive: true, force: true })
    } catch (error) {
      const problem = (error as Error).message
      throw new Error(`crash ${results.length + 1}, seed ${lifeSeed}, files kept in ${base}: ${problem}`, {
        cause: error,
      })
    } finally {
      await server?.stop('SIGKILL')
    }
  }
  return results
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
