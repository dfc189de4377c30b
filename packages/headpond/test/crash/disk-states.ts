/**
 * What a disk may hold after a loss of power, from a record of what was done to it. Safe is only what a completed sync
 * covers: of a file the bytes that were written before the sync began, of a directory the names that were changed before it
 * began. Of everything later, anything may be there: a file may end at any byte between what is safe and what was written,
 * and of the changes of names any may have reached the disk without the others.
 */
import { copyFileSync, mkdirSync, readFileSync, truncateSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { SeededRandom } from '../seeded-random.ts'

export type DiskEvent = { readonly atMs: number } & (
  | { readonly kind: 'exists'; readonly path: string; readonly inode: number; readonly sizeBytes: number }
  | { readonly kind: 'create'; readonly path: string; readonly inode: number }
  | { readonly kind: 'write'; readonly inode: number; readonly sizeBytes: number }
  | { readonly kind: 'truncate'; readonly inode: number; readonly sizeBytes: number }
  | { readonly kind: 'make directory'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'sync'; readonly inode: number; readonly sync: number }
  | { readonly kind: 'sync directory'; readonly path: string; readonly sync: number }
  | { readonly kind: 'synced'; readonly sync: number }
)

export class DiskRecord {
  readonly #shadows: string
  readonly events: readonly DiskEvent[]

  constructor(shadows: string) {
    this.#shadows = shadows
    const lines = readFileSync(join(shadows, 'journal'), 'utf8').split('\n')
    // A kill may have cut the last one.
    this.events = lines.slice(0, -1).map((line) => JSON.parse(line) as DiskEvent)
  }

  /** The longest that a sync took. */
  get slowestSyncMs(): number {
    const begunAtMs = new Map<number, number>()
    let slowestMs = 0
    for (const event of this.events) {
      if (event.kind === 'sync' || event.kind === 'sync directory') begunAtMs.set(event.sync, event.atMs)
      else if (event.kind === 'synced') slowestMs = Math.max(slowestMs, event.atMs - begunAtMs.get(event.sync)!)
    }
    return slowestMs
  }

  /** Makes a directory as a loss of power may leave it, one way of many. Returns what was lost, for messages. */
  writeState(root: string, to: string, atMs: number, random: SeededRandom): string[] {
    const events = this.events.filter((event) => event.atMs <= atMs)
    const story: string[] = []
    // Everything may be lost that can be, or nothing, or anything between.
    const mode = random.pick(['nothing', 'everything', 'some', 'some'] as const)
    const survives = () => (mode === 'nothing' ? true : mode === 'everything' ? false : random.once(2))
    const files = new Map<string, number>()
    const directories = new Set<string>([root])
    for (const { event, isSafe } of namesOf(events)) {
      if (!isSafe && !survives()) {
        story.push(`not done: ${JSON.stringify(event)}`)
        continue
      }
      if (event.kind === 'make directory') directories.add(event.path)
      else if (event.kind === 'remove') files.delete(event.path)
      else if (event.kind === 'rename') {
        const inode = files.get(event.from) ?? inodeAt(events, event.from, event.atMs)
        files.delete(event.from)
        if (inode !== undefined) files.set(event.to, inode)
      } else if (event.inode === 0) directories.add(event.path)
      else files.set(event.path, event.inode)
    }
    for (const directory of directories) {
      if (isWithin(directories, directory, root)) mkdirSync(join(to, relative(root, directory)), { recursive: true })
    }
    for (const [path, inode] of files) {
      if (!isWithin(directories, dirname(path), root)) continue
      const { safeBytes, writtenBytes } = sizesOf(events, inode)
      const sizeBytes =
        mode === 'nothing' ? writtenBytes : mode === 'everything' ? safeBytes : between(safeBytes, writtenBytes, random)
      const target = join(to, relative(root, path))
      copyFileSync(join(this.#shadows, String(inode)), target)
      truncateSync(target, sizeBytes)
      if (sizeBytes < writtenBytes) story.push(`${path}: ${sizeBytes} of ${writtenBytes} bytes, ${safeBytes} were safe`)
    }
    return story
  }
}

function between(from: number, to: number, random: SeededRandom): number {
  return random.once(4) ? from : from + random.below(to - from + 1)
}

type NameEvent = Extract<DiskEvent, { kind: 'exists' | 'create' | 'make directory' | 'rename' | 'remove' }>

/** The changes of names, in order, and whether a sync of their directory covers them. */
function namesOf(events: readonly DiskEvent[]): { event: NameEvent; isSafe: boolean }[] {
  const completed = completedSyncs(events)
  const all: { event: NameEvent; isSafe: boolean }[] = []
  for (const event of events) {
    switch (event.kind) {
      case 'exists':
        all.push({ event, isSafe: true })
        break
      case 'create':
      case 'make directory':
      case 'rename':
      case 'remove':
        all.push({ event, isSafe: false })
        break
      case 'sync directory':
        if (!completed.has(event.sync)) break
        for (const name of all) {
          const path = name.event.kind === 'rename' ? name.event.to : name.event.path
          if (dirname(path) === event.path) name.isSafe = true
        }
        break
      default:
    }
  }
  return all
}

function completedSyncs(events: readonly DiskEvent[]): Set<number> {
  return new Set(events.flatMap((event) => (event.kind === 'synced' ? [event.sync] : [])))
}

function sizesOf(events: readonly DiskEvent[], inode: number): { safeBytes: number; writtenBytes: number } {
  const completed = completedSyncs(events)
  let safeBytes = 0
  let writtenBytes = 0
  for (const event of events) {
    if (!('inode' in event) || event.inode !== inode) continue
    if (event.kind === 'exists') {
      safeBytes = event.sizeBytes
      writtenBytes = event.sizeBytes
    } else if (event.kind === 'write') writtenBytes = Math.max(writtenBytes, event.sizeBytes)
    else if (event.kind === 'truncate') {
      writtenBytes = event.sizeBytes
      safeBytes = Math.min(safeBytes, event.sizeBytes)
    } else if (event.kind === 'sync' && completed.has(event.sync)) safeBytes = writtenBytes
  }
  return { safeBytes, writtenBytes }
}

/** The file that a name stood for at a moment, as the program saw it. */
function inodeAt(events: readonly DiskEvent[], path: string, atMs: number): number | undefined {
  const files = new Map<string, number>()
  for (const event of events) {
    if (event.atMs >= atMs) break
    if (event.kind === 'create' || event.kind === 'exists') files.set(event.path, event.inode)
    else if (event.kind === 'remove') files.delete(event.path)
    else if (event.kind === 'rename') {
      const inode = files.get(event.from)
      files.delete(event.from)
      if (inode !== undefined) files.set(event.to, inode)
    }
  }
  return files.get(path)
}

function isWithin(directories: ReadonlySet<string>, path: string, root: string): boolean {
  for (let at = path; at !== root; at = dirname(at)) if (!directories.has(at)) return false
  return true
}

/** Half of them anywhere, half right after something that changes more than the length of a file. */
export function chooseMoments(
  events: readonly DiskEvent[],
  fromMs: number,
  count: number,
  random: SeededRandom,
): number[] {
  const last = events.at(-1)!.atMs
  const turns = events.filter(
    ({ kind, atMs }) => atMs > fromMs && kind !== 'write' && kind !== 'sync' && kind !== 'synced',
  )
  return Array.from({ length: count }, (_, index) => {
    if (index % 2 === 0 || turns.length === 0) return fromMs + (random.below(1_000_000) / 1_000_000) * (last - fromMs)
    return random.pick(turns).atMs
  })
}
