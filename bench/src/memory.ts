// What a key costs in memory: 16-byte keys, small values, with and without a time to live, in a fresh server each.

import { setTimeout as sleep } from 'node:timers/promises'
import { load } from './loader.ts'
import { lineMatches, type RespOptions } from './options.ts'
import { type Metric, noSamples, type Report } from './report.ts'
import { ServerProcess, type ServerSpec } from './servers.ts'

interface Case {
  name: string
  keyCount: number
  valueBytes: number
  ttl: boolean
}

const cases: readonly Case[] = [1_000_000, 10_000_000].flatMap((keyCount) =>
  [20, 100].flatMap((valueBytes) =>
    [false, true].map((ttl) => ({
      name: `${keyCount / 1_000_000}M ${valueBytes}B${ttl ? ' ttl' : ''}`,
      keyCount,
      valueBytes,
      ttl,
    })),
  ),
)

const bar = { on: 'ratio', atMost: 0.75 } as const
const rssGrowth: Metric = {
  suite: 'memory',
  name: 'growth of resident memory',
  unit: 'bytes/key',
  precision: 1,
  bar,
  note: 'VmRSS after loading, less VmRSS of the empty server after as many writes to a single key',
}
const accounted: Metric = { suite: 'memory', name: 'growth of used_memory', unit: 'bytes/key', precision: 1, bar }
const rssTotal: Metric = {
  suite: 'memory',
  name: 'whole resident memory',
  unit: 'MiB',
  precision: 0,
  note: 'the process with everything in it',
}

const settleTimeoutMs = 20_000

export async function measureMemory(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  const wanted = cases.filter(
    ({ name, keyCount }) => lineMatches(name, options.lineWords) && !(options.quick && keyCount > 1_000_000),
  )
  for (const each of wanted) {
    const samples = { rss: noSamples(), accounted: noSamples(), total: noSamples() }
    // Figures of 10 M keys vary by less than a percent: two runs show the spread.
    const runCount = each.keyCount > 1_000_000 || options.quick ? Math.min(2, options.pairCount) : options.pairCount
    for (let i = 0; i < runCount; i++) {
      for (const spec of specs) {
        const result = await measureCase(spec, each)
        samples.rss[spec.role].push(result.rssBytesPerKey)
        samples.accounted[spec.role].push(result.accountedBytesPerKey)
        samples.total[spec.role].push(result.rssBytes / 2 ** 20)
      }
    }
    report.add(rssGrowth, each.name, samples.rss)
    report.add(accounted, each.name, samples.accounted)
    report.add(rssTotal, each.name, samples.total)
    progress(`${each.name}: ${report.progress(each.name)}`)
  }
}

async function measureCase(spec: ServerSpec, { keyCount, valueBytes, ttl }: Case) {
  const server = await ServerProcess.start(spec)
  try {
    const setOptions = ttl ? ['EX', '86400'] : []
    const plan = { port: server.port, valueBytes, setOptions }
    // What the same traffic costs without any keys (compiled code, buffers, young generation) is not theirs.
    await load({ ...plan, keyCount: 1_000_000, sameKey: true })
    await server.client.run('DEL', 'key:000000000000')
    const before = await settled(server)
    await load({ ...plan, keyCount })
    const after = await settled(server)

    const size = Number(await server.client.run('DBSIZE'))
    if (size !== keyCount) throw new Error(`${spec.role} holds ${size} keys after ${keyCount} were set`)
    return {
      rssBytesPerKey: (after.rssBytes - before.rssBytes) / keyCount,
      accountedBytesPerKey: (after.usedBytes - before.usedBytes) / keyCount,
      rssBytes: after.rssBytes,
    }
  } finally {
    await server.stop()
  }
}

/** Waits until growing tables and buffers have come to rest: while a table moves, there are two of it. */
export async function settled(server: ServerProcess): Promise<{ rssBytes: number; usedBytes: number }> {
  const read = async () => ({
    usedBytes: await server.client.infoNumber('memory', 'used_memory'),
    rssBytes: server.rssBytes(),
  })
  const giveUpAtMs = performance.now() + settleTimeoutMs
  let last = await read()
  for (;;) {
    await sleep(500)
    const now = await read()
    const changed = Math.abs(now.usedBytes - last.usedBytes) + Math.abs(now.rssBytes - last.rssBytes)
    if (changed < 256 * 1024 || performance.now() > giveUpAtMs) return now
    last = now
  }
}
