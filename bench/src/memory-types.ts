// What an element of each collection type costs in memory, by the size of the collection: five million small elements in all
// (a first look: one million), in a fresh server each. What a server comes to take besides, some 2 MB, is less than a fiftieth of that.

import { type CollectionType, collectionTypes, fillCommands } from './collections.ts'
import { loadCommands } from './loader.ts'
import { settled } from './memory.ts'
import { lineMatches, type RespOptions } from './options.ts'
import { type Metric, noSamples, type Report } from './report.ts'
import { ServerProcess, type ServerSpec } from './servers.ts'

interface Case {
  name: string
  type: CollectionType
  elementCount: number
}

const sizes = [
  { label: '10', elementCount: 10 },
  { label: '1k', elementCount: 1000 },
  { label: '1M', elementCount: 1_000_000 },
]

const cases: readonly Case[] = collectionTypes.flatMap((type) =>
  sizes.map(({ label, elementCount }) => ({ name: `${type} ${label}`, type, elementCount })),
)

const bar = { on: 'ratio', atMost: 1 } as const
const rssGrowth: Metric = {
  suite: 'memory-types',
  name: 'growth of resident memory',
  unit: 'bytes/element',
  precision: 1,
  bar,
  note: 'elements, fields and values of 20 bytes; with the share of the key, and less what the same writes cost without growth',
}
const accounted: Metric = {
  suite: 'memory-types',
  name: 'growth of used_memory',
  unit: 'bytes/element',
  precision: 1,
  bar,
}

export async function measureMemoryOfTypes(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  const wanted = cases.filter(({ name }) => lineMatches(name, options.lineWords))
  const elementCountInAll = options.quick ? 1_000_000 : 5_000_000
  for (const each of wanted) {
    const samples = { rss: noSamples(), accounted: noSamples() }
    // These figures vary little: two runs show the spread.
    const runCount = options.quick ? 1 : Math.min(2, options.pairCount)
    let known = true
    for (let i = 0; i < runCount && known; i++) {
      for (const spec of specs) {
        const result = await measureCase(spec, each, elementCountInAll)
        known &&= result !== undefined
        if (result === undefined) break
        samples.rss[spec.role].push(result.rssBytes / elementCountInAll)
        samples.accounted[spec.role].push(result.usedBytes / elementCountInAll)
      }
    }
    if (known) {
      report.add(rssGrowth, each.name, samples.rss)
      report.add(accounted, each.name, samples.accounted)
    } else {
      for (const metric of [rssGrowth, accounted]) report.missing(metric, each.name, 'not there yet')
    }
    progress(`${each.name}: ${report.progress(each.name)}`)
  }
}

/** What both measures of memory grew by; undefined when the server lacks the type. */
async function measureCase(
  spec: ServerSpec,
  { type, elementCount }: Case,
  elementCountInAll: number,
): Promise<{ rssBytes: number; usedBytes: number } | undefined> {
  const server = await ServerProcess.start(spec)
  try {
    // Compiled code, buffers and the young generation are not the elements'.
    await loadCommands(server.port, warmUpCommands(type, Math.min(elementCount, 1000), elementCountInAll))
    const before = await settled(server)
    await loadCommands(server.port, manyCollections(type, elementCount, elementCountInAll))
    const after = await settled(server)
    const keyCount = elementCountInAll / elementCount
    const size = Number(await server.client.run('DBSIZE'))
    if (size !== keyCount) throw new Error(`${spec.role} holds ${size} keys after ${keyCount} were filled`)
    return { rssBytes: after.rssBytes - before.rssBytes, usedBytes: after.usedBytes - before.usedBytes }
  } catch (error) {
    if (/unknown command/.test((error as Error).message)) return undefined
    throw error
  } finally {
    await server.stop()
  }
}

function* manyCollections(type: CollectionType, elementCount: number, elementCountInAll: number): Generator<string[]> {
  for (let i = 0; i < elementCountInAll / elementCount; i++) {
    yield* fillCommands({ type, key: `key:${String(i).padStart(12, '0')}`, elementCount })
  }
}

/** As many writes to one key that is deleted whenever it is full. */
function* warmUpCommands(type: CollectionType, elementCount: number, elementCountInAll: number): Generator<string[]> {
  for (let i = 0; i < elementCountInAll / elementCount; i++) {
    yield* fillCommands({ type, key: 'key:000000000000', elementCount })
    yield ['DEL', 'key:000000000000']
  }
}
