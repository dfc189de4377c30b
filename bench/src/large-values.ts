// Large collections that change while a snapshot is taken: the longest wait of other clients.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CollectionType, collectionTypes } from './collections.ts'
import { collection } from './fixtures.ts'
import { lineMatches, type RespOptions } from './options.ts'
import { onDisk } from './persistence.ts'
import { type Metric, noSamples, type Report } from './report.ts'
import { ServerProcess, type ServerSpec } from './servers.ts'
import { Worker } from './worker.ts'

const pauseMs = {
  suite: 'large-values',
  name: 'longest pause',
  unit: 'ms',
  precision: 2,
  bar: { on: 'ratio', atMost: 1 },
  note: 'of a GET every millisecond, while one collection of a million elements is changed during a snapshot',
} as const satisfies Metric

const ELEMENT_COUNT = 1_000_000
const KEY = 'large'
/** V8 has compiled what a snapshot needs by then. */
const SNAPSHOTS_BEFORE = 2

export async function measureLargeValues(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  for (const type of collectionTypes) {
    const line = `${type} 1M`
    if (!lineMatches(line, options.lineWords)) continue
    const samples = noSamples()
    for (let pair = 0; pair < Math.min(options.pairCount, 3); pair++) {
      for (const spec of specs) samples[spec.role].push(await longestPauseMs(spec, type))
    }
    report.add(pauseMs, line, samples)
    progress(`${line}: ${report.progress(line)}`)
  }
}

async function longestPauseMs(spec: ServerSpec, type: CollectionType): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-bench-data-'))
  const prober = new Worker()
  try {
    const server = await ServerProcess.start(onDisk(spec, directory))
    try {
      await collection(type, { type, key: KEY, elementCount: ELEMENT_COUNT }).load(server.port)
      for (let count = 0; count < SNAPSHOTS_BEFORE; count++) await snapshotWithChanges(server, type)
      await prober.ask({ kind: 'probe-begin', port: server.port }, 'probing')
      await snapshotWithChanges(server, type)
      const { result } = await prober.ask({ kind: 'probe-end' }, 'probed')
      return result.maxMs
    } finally {
      await server.stop()
    }
  } finally {
    prober.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function snapshotWithChanges({ client }: ServerProcess, type: CollectionType): Promise<void> {
  await client.run('BGSAVE')
  for (let count = 0; ; count++) {
    await client.run(...change(type, count))
    if (count % 16 !== 0) continue
    if ((await client.infoNumber('persistence', 'rdb_bgsave_in_progress')) === 0) return
  }
}

/** Changes what is there, so that the collection stays as large as it is. */
function change(type: CollectionType, count: number): string[] {
  const index = (count * 7919) % ELEMENT_COUNT
  const element = `element:${String(index).padStart(12, '0')}`
  switch (type) {
    case 'hash':
      return ['HSET', KEY, element, `value ${count}`]
    case 'list':
      return ['LSET', KEY, String(index), element]
    case 'set':
      return count % 2 === 0 ? ['SREM', KEY, element] : ['SADD', KEY, element]
    case 'zset':
      return ['ZADD', KEY, String(count), element]
    case 'stream':
      return ['XADD', KEY, '*', 'field', element]
  }
}
