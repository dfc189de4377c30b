/**
 * Lets a server work for many clients while every step to its disk is recorded, then looks at many moments of that time:
 * whatever a loss of power may have left on the disk at that moment, a server must start with it, and everything must be
 * there that was promised by then.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataServer } from '../persistence/aof/data-server.ts'
import { SeededRandom } from '../seeded-random.ts'
import { ServerProcess } from '../server-process.ts'
import { chooseSettings, EVERYSEC_MS, Load, makeParticipants, type Policy, readAll } from './crash-run.ts'
import { type DiskEvent, DiskRecord } from './disk-states.ts'
import { performanceNowMs } from './operations.ts'
import { type Cut, verifyOrder } from './participant.ts'

export interface PowerLossOptions {
  readonly policy: Policy
  readonly seed: number
  readonly loadMs: number
  /** How many disks are looked at. */
  readonly stateCount: number
  readonly onState?: (result: PowerLossResult) => void
}

export interface PowerLossResult {
  readonly atMs: number
  /** Acknowledged by then, and not there. */
  readonly lostCount: number
  /** How long before that moment the first of them was acknowledged. */
  readonly lostMs: number
}

/** Returns how many events were recorded, and what was found. */
export async function losePower(
  options: PowerLossOptions,
): Promise<{ eventCount: number; results: PowerLossResult[] }> {
  const { policy, seed, loadMs, stateCount } = options
  const random = new SeededRandom(seed)
  const base = mkdtempSync(join(tmpdir(), 'headpond-power-'))
  const directory = join(base, 'data')
  const shadows = join(base, 'record')
  mkdirSync(directory)
  const settings = chooseSettings(random, policy)
  const participants = makeParticipants(random)
  let message = ''
  try {
    const env = { RECORDED_DIRECTORY: directory, RECORDED_TO: shadows }
    const server = await ServerProcess.startWith(RECORDER, env, directory, '--dir', directory, ...settings)
    const startedAtMs = performanceNowMs()
    try {
      const load = new Load(server.port, participants)
      await load.start()
      await load.disturb(random, loadMs)
      await server.stop('SIGKILL')
      await load.ended()
    } finally {
      await server.stop('SIGKILL')
    }
    const record = new DiskRecord(shadows)
    const allowedMs = { always: 0, everysec: EVERYSEC_MS + record.slowestSyncMs, no: Number.POSITIVE_INFINITY }[policy]
    const results: PowerLossResult[] = []
    for (const atMs of chooseMoments(record.events, startedAtMs, stateCount, random)) {
      const state = join(base, 'state')
      mkdirSync(state)
      const story = record.writeState(directory, state, atMs, random)
      message = `at ${atMs.toFixed(3)}: ${story.join('; ')}`
      const cuts = await recover(state, settings, (keyspaces) =>
        participants.flatMap((each) => each.verify(keyspaces, { atMs, keptUntilMs: atMs - allowedMs }, false)),
      )
      verifyOrder(cuts)
      rmSync(state, { recursive: true })
      const lostAtMs = Math.min(...cuts.map(({ firstLostAckedAtMs }) => firstLostAckedAtMs))
      const result = {
        atMs,
        lostCount: cuts.reduce((sum, { lostCount }) => sum + lostCount, 0),
        lostMs: Number.isFinite(lostAtMs) ? atMs - lostAtMs : 0,
      }
      results.push(result)
      options.onState?.(result)
    }
    rmSync(base, { recursive: true })
    return { eventCount: record.events.length, results }
  } catch (error) {
    const problem = (error as Error).message
    throw new Error(`seed ${seed} (${settings.join(' ')}), files kept in ${base}: ${problem}\n${message}`, {
      cause: error,
    })
  }
}

const RECORDER = new URL('disk-recorder.js', import.meta.url).href

/** Starts with the directory twice: what was repaired the first time is well the second time. */
async function recover(
  directory: string,
  settings: readonly string[],
  verify: (keyspaces: Awaited<ReturnType<typeof readAll>>) => Cut[],
): Promise<Cut[]> {
  const usesPreamble = settings[settings.indexOf('--aof-use-rdb-preamble') + 1] === 'yes'
  for (let round = 0; ; round++) {
    const server = await DataServer.start(directory, { aofUseRdbPreamble: usesPreamble })
    try {
      const cuts = verify(await readAll(server.server.port))
      if (round === 1) return cuts
    } finally {
      await server.stop()
    }
  }
}

/** Half of them anywhere, half right after something that changes more than the length of a file. */
function chooseMoments(events: readonly DiskEvent[], fromMs: number, count: number, random: SeededRandom): number[] {
  const last = events.at(-1)!.atMs
  const turns = events.filter(({ kind }) => kind !== 'write' && kind !== 'sync' && kind !== 'synced')
  return Array.from({ length: count }, (_, index) => {
    if (index % 2 === 0) return fromMs + (random.below(1_000_000) / 1_000_000) * (last - fromMs)
    return random.pick(turns).atMs
  })
}
