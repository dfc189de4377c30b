/** `npm run crash`: see its usage. */
import { parseArgs } from 'node:util'
import { type CrashResult, crashRepeatedly, type Policy } from './crash-run.ts'
import { crashGroupsRepeatedly } from './groups/group-crash-run.ts'
import { losePowerOfGroups } from './groups/group-power-loss.ts'
import { crashLogsRepeatedly, losePowerOfLogs } from './log/log-crash-run.ts'
import { losePower } from './power-loss.ts'
import { crashTransactionsRepeatedly } from './transactions/transaction-crash-run.ts'

const USAGE = `Usage: npm run crash -- [options]

Kills a server's process again and again while it works for many clients, and looks whether everything is there that
should be; then does the same for what a loss of power may leave of its files. First for the store, then for the logs; then
for groups that commit offsets, and for a consumer and producer with transactions, whose process is killed too: what it
writes is there once.

  --count <n>         kills (200)
  --power-losses <n>  disks after a loss of power (as many)
  --seed <n>          repeats a run: the same settings, load and moments
  --policy <policy>   only this value of appendfsync: always, everysec or no
  --only <which>      store, logs, groups or transactions
`
const STATES_PER_LOAD = 50
const POWER_LOAD_MS = 4000

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    'power-losses': { type: 'string' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
    policy: { type: 'string' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

function write(text: string): void {
  process.stdout.write(`${text}\n`)
}

async function kills(count: number, seed: number, policies: readonly Policy[]): Promise<void> {
  const startedAtMs = performance.now()
  const results = await crashRepeatedly({
    count,
    seed,
    policies,
    onResult({ index, policy, ackedCount, lostCount, unacknowledgedCount, hadSnapshot }) {
      write(
        `kill ${String(index + 1).padStart(3)} ${policy.padEnd(8)} acknowledged ${String(ackedCount).padStart(5)}, lost ` +
          `${lostCount}, kept unacknowledged ${unacknowledgedCount}${hadSnapshot ? ', during a snapshot' : ''}`,
      )
    },
  })
  for (const policy of policies) {
    const of = results.filter((result) => result.policy === policy)
    const sum = (value: (result: CrashResult) => number) => of.reduce((total, each) => total + value(each), 0)
    write(
      `appendfsync ${policy}: ${of.length} kills, ${sum(({ hadSnapshot }) => (hadSnapshot ? 1 : 0))} of them during a ` +
        `snapshot or rewrite; ${sum(({ ackedCount }) => ackedCount)} operations acknowledged, ` +
        `${sum(({ lostCount }) => lostCount)} of them lost; ` +
        `${sum(({ unacknowledgedCount }) => unacknowledgedCount)} kept that were not acknowledged yet`,
    )
  }
  write(`${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`)
}

async function powerLosses(count: number, seed: number, policy: Policy): Promise<void> {
  const all: { lostCount: number; lostMs: number }[] = []
  let eventCount = 0
  for (let load = 0; all.length < count; load++) {
    const stateCount = Math.min(STATES_PER_LOAD, count - all.length)
    const run = await losePower({ policy, seed: (seed + load) >>> 0, loadMs: POWER_LOAD_MS, stateCount })
    all.push(...run.results)
    eventCount += run.eventCount
  }
  const worstMs = Math.max(0, ...all.map(({ lostMs }) => lostMs))
  write(
    `appendfsync ${policy}: ${all.length} losses of power in ${eventCount} steps to the disk; acknowledged and lost in ` +
      `${all.filter(({ lostCount }) => lostCount > 0).length} of them, at most what was acknowledged in ${worstMs.toFixed(0)} ms`,
  )
}

async function main(): Promise<void> {
  if (values.help) return void process.stdout.write(USAGE)
  const count = Number(values.count)
  const powerLossCount = Number(values['power-losses'] ?? count)
  const seed = Number(values.seed)
  write(`${count} kills and ${powerLossCount} losses of power, --seed ${seed}`)
  const isWanted = (which: string) => values.only === undefined || values.only === which
  if (isWanted('store')) await crashStore(count, powerLossCount, seed)
  if (isWanted('logs')) await crashLogs(count, powerLossCount, seed)
  if (isWanted('groups')) await crashGroups(count, powerLossCount, seed)
  if (isWanted('transactions')) await crashTransactions(count, seed)
}

async function crashStore(count: number, powerLossCount: number, seed: number): Promise<void> {
  const policies: Policy[] = values.policy === undefined ? ['always', 'everysec', 'no'] : [values.policy as Policy]
  if (count > 0) await kills(count, seed, policies)
  for (const policy of policies) {
    if (powerLossCount > 0) await powerLosses(Math.ceil(powerLossCount / policies.length), seed, policy)
  }
}

async function crashLogs(count: number, powerLossCount: number, seed: number): Promise<void> {
  const startedAtMs = performance.now()
  const results = await crashLogsRepeatedly({
    count,
    seed,
    onResult({ index, ackedCount, unacknowledgedCount }) {
      write(
        `kill ${String(index + 1).padStart(3)} logs     acknowledged ${String(ackedCount).padStart(5)}, lost 0, ` +
          `kept unacknowledged ${unacknowledgedCount}`,
      )
    },
  })
  const ackedCount = results.reduce((sum, each) => sum + each.ackedCount, 0)
  write(`logs: ${results.length} kills; ${ackedCount} records acknowledged, none lost, none twice, none elsewhere`)
  let stateCount = 0
  let eventCount = 0
  for (let load = 0; stateCount < powerLossCount; load++) {
    const count = Math.min(STATES_PER_LOAD, powerLossCount - stateCount)
    const run = await losePowerOfLogs({ seed: (seed + load) >>> 0, loadMs: POWER_LOAD_MS, stateCount: count })
    stateCount += run.stateCount
    eventCount += run.eventCount
  }
  write(`logs: ${stateCount} losses of power in ${eventCount} steps to the disk; nothing lost that was synced`)
  write(`${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`)
}

async function crashGroups(count: number, powerLossCount: number, seed: number): Promise<void> {
  const startedAtMs = performance.now()
  const results = await crashGroupsRepeatedly({
    count,
    seed,
    onResult({ index, ackedCount }) {
      write(`kill ${String(index + 1).padStart(3)} groups   acknowledged ${String(ackedCount).padStart(5)}, lost 0`)
    },
  })
  const ackedCount = results.reduce((sum, each) => sum + each.ackedCount, 0)
  write(`groups: ${results.length} kills; ${ackedCount} offsets acknowledged, none lost, none went back`)
  let stateCount = 0
  let eventCount = 0
  for (let load = 0; stateCount < powerLossCount; load++) {
    const run = await losePowerOfGroups({
      seed: (seed + load) >>> 0,
      loadMs: POWER_LOAD_MS,
      stateCount: Math.min(STATES_PER_LOAD, powerLossCount - stateCount),
      isSynced: (seed + load) % 3 > 0,
    })
    stateCount += run.stateCount
    eventCount += run.eventCount
  }
  write(
    `groups: ${stateCount} losses of power in ${eventCount} steps to the disk; no offset lost that was synced, none that never was`,
  )
  write(`${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`)
}

async function crashTransactions(count: number, seed: number): Promise<void> {
  const startedAtMs = performance.now()
  const results = await crashTransactionsRepeatedly({
    count,
    seed,
    onResult({ index, seed: lifeSeed, kind, serverKills, moverKills, returns, abandoned }) {
      write(
        `life ${String(index + 1).padStart(3)} transactions (${kind}), seed ${lifeSeed}: broker killed ${serverKills} times, processor ` +
          `${moverKills} times, ${returns} came back after another had taken over, ${abandoned} left a transaction open`,
      )
    },
  })
  const sum = (value: (result: (typeof results)[number]) => number) =>
    results.reduce((total, each) => total + value(each), 0)
  write(
    `transactions: ${results.length} lives with ${sum(({ serverKills }) => serverKills)} kills of the broker and ` +
      `${sum(({ moverKills }) => moverKills)} of the processor; ${sum(({ recordCount }) => recordCount)} records moved exactly once`,
  )
  write(`${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
