/**
 * Lets groups commit their offsets while every step to the disk is recorded, then looks at many moments of that time: whatever
 * a loss of power may have left at that moment, a broker must start with it, and know of each group what it once knew: where
 * the log is synced with each batch all that was acknowledged, else what reached the disk.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTopics } from '../../kafka/groups/group-client.ts'
import { WireClient } from '../../kafka/wire-client.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { ServerProcess } from '../../server-process.ts'
import { chooseMoments, DiskRecord } from '../disk-states.ts'
import type { LogBounds } from '../log/log-bounds.ts'
import { performanceNowMs } from '../operations.ts'
import { chooseGroupSettings, makeGroupWorkers, onGroupBroker, TOPIC } from './group-crash-run.ts'
import type { GroupWorker } from './group-worker.ts'

const RECORDER = new URL('../disk-recorder.js', import.meta.url).href

/** Returns how many steps to the disk were recorded, and in how many of the disks that they may have left groups were looked at. */
export async function losePowerOfGroups(options: {
  seed: number
  loadMs: number
  stateCount: number
  /** Whether `log.flush.interval.messages` is 1. */
  isSynced: boolean
}): Promise<{ eventCount: number; stateCount: number; ackedCount: number }> {
  const { seed, loadMs, stateCount, isSynced } = options
  const random = new SeededRandom(seed)
  const base = mkdtempSync(join(tmpdir(), 'headpond-group-power-'))
  const [directory, shadows] = [join(base, 'data'), join(base, 'record')]
  mkdirSync(directory)
  const settings = chooseGroupSettings(random)
  if (isSynced) settings.push('--kafka.log.flush.interval.messages', '1')
  const workers = makeGroupWorkers(random)
  let message = ''
  try {
    const startedAtMs = await recordLoad(directory, shadows, settings, workers, loadMs)
    const record = new DiskRecord(shadows)
    for (const atMs of chooseMoments(record.events, startedAtMs, stateCount, random)) {
      const state = join(base, 'state')
      mkdirSync(state)
      const story = record.writeState(directory, state, atMs, random)
      message = `at ${atMs.toFixed(3)}: ${story.join('; ')}`
      // Twice: what was repaired the first time is well the second time.
      for (let round = 0; round < 2; round++) {
        await verifyState(state, settings, workers, { atMs, isEverythingKept: isSynced })
      }
      rmSync(state, { recursive: true })
    }
    rmSync(base, { recursive: true })
    const ackedCount = workers.reduce((sum, worker) => sum + worker.ackedCount, 0)
    return { eventCount: record.events.length, stateCount, ackedCount }
  } catch (error) {
    const problem = (error as Error).message
    throw new Error(`seed ${seed}, files kept in ${base}: ${problem}\n${message}`, { cause: error })
  }
}

/** Returns when the work began. */
async function recordLoad(
  directory: string,
  shadows: string,
  settings: readonly string[],
  workers: readonly GroupWorker[],
  loadMs: number,
): Promise<number> {
  const env = { RECORDED_DIRECTORY: directory, RECORDED_TO: shadows }
  const server = await ServerProcess.startWith(RECORDER, env, directory, '--dir', directory, ...settings)
  try {
    await onGroupBroker(server.kafkaAddress, (wire) => createTopics(wire, [TOPIC]))
    const startedAtMs = performanceNowMs()
    const clients = await Promise.all(workers.map(() => WireClient.connect(server.kafkaAddress)))
    const work = Promise.all(workers.map((worker, index) => worker.work(clients[index])))
    work.catch(() => {}) // told below
    await Promise.race([work, new Promise((resolve) => setTimeout(resolve, loadMs))])
    await server.stop('SIGKILL')
    await work
    return startedAtMs
  } finally {
    await server.stop('SIGKILL')
  }
}

async function verifyState(
  state: string,
  settings: readonly string[],
  workers: readonly GroupWorker[],
  bounds: LogBounds,
): Promise<void> {
  const server = await ServerProcess.startIn(state, '--dir', state, ...settings)
  try {
    await onGroupBroker(server.kafkaAddress, async (wire) => {
      for (const worker of workers) await worker.verify(wire, bounds, false)
    })
  } finally {
    await server.stop('SIGKILL')
  }
}
