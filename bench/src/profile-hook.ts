// Put into Headpond's process by `node --import`: profiles exactly the stretch between two messages of the benchmark,
// without start, warm-up and filling, and whether or not the server ends well.

import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'

export type HookRequest = { kind: 'begin'; heap: boolean } | { kind: 'end'; path: string }
export type HookReply =
  | { kind: 'begun' }
  | { kind: 'ended'; collections: Collection[] }
  | { kind: 'failed'; message: string }

export interface Collection {
  type: 'scavenge' | 'mark-sweep' | 'incremental' | 'weak callbacks' | 'other'
  durationMs: number
}

const cpuIntervalUs = 200
const heapIntervalBytes = 8192

const session = new Session()
const collections: Collection[] = []
const observer = new PerformanceObserver((list) => note(list.getEntries()))
let heap = false

async function answer(request: HookRequest): Promise<HookReply> {
  if (request.kind === 'begin') {
    heap = request.heap
    session.connect()
    if (heap) {
      // Garbage that dies young is what a hot path is asked about: keep samples of collected objects too.
      await session.post('HeapProfiler.startSampling', {
        samplingInterval: heapIntervalBytes,
        includeObjectsCollectedByMajorGC: true,
        includeObjectsCollectedByMinorGC: true,
      })
    } else {
      await session.post('Profiler.enable')
      await session.post('Profiler.setSamplingInterval', { interval: cpuIntervalUs })
      await session.post('Profiler.start')
    }
    observer.observe({ entryTypes: ['gc'] })
    return { kind: 'begun' }
  }
  const { profile } = heap ? await session.post('HeapProfiler.stopSampling') : await session.post('Profiler.stop')
  note(observer.takeRecords())
  observer.disconnect()
  session.disconnect()
  writeFileSync(request.path, JSON.stringify(profile))
  return { kind: 'ended', collections: collections.splice(0) }
}

function note(entries: readonly PerformanceEntry[]): void {
  for (const entry of entries) {
    // @types/node of 20 leave out what a 'gc' entry always has.
    const { detail } = entry as PerformanceEntry & { detail: { kind: number } }
    collections.push({ type: typeOf(detail.kind), durationMs: entry.duration })
  }
}

/** `perf_hooks.constants.NODE_PERFORMANCE_GC_*`. */
function typeOf(kind: number): Collection['type'] {
  switch (kind) {
    case 1:
      return 'scavenge'
    case 4:
      return 'mark-sweep'
    case 8:
      return 'incremental'
    case 16:
      return 'weak callbacks'
    default:
      return 'other'
  }
}

process.on('message', (request: HookRequest) => {
  answer(request)
    .catch((error: Error): HookReply => ({ kind: 'failed', message: error.message }))
    .then((reply) => process.send?.(reply))
})
// Listening must not keep a server alive that has closed everything else.
process.channel?.unref()
