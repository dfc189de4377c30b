/**
 * What a directory knows beside its partitions: the topics, the producer ids given out, how often it was found unclean. A
 * journal, `catalog.journal`: a line for each change, so that creating a topic costs the same however many there are, and
 * people can read it:
 *
 *   <CRC-32C of the JSON, 8 hex digits> <JSON of an entry>
 *
 * A torn last line is cut off; the journal is written anew at a start when it is mostly history.
 */
import { closeSync, fsync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32c } from './crc32c.ts'
import { isMissing, replaceFile, syncPath } from './files.ts'

export interface CatalogTopic {
  readonly name: string
  readonly id: string
  readonly partitionCount: number
  readonly config: Readonly<Record<string, string>>
  readonly isInternal: boolean
  /** The leader epoch of its partitions is `uncleanStartCount` less this. */
  readonly epochBase: number
}

export type CatalogEntry =
  | ({ readonly type: 'topic' } & CatalogTopic)
  | { readonly type: 'partitions'; readonly id: string; readonly partitionCount: number }
  | { readonly type: 'config'; readonly id: string; readonly config: Readonly<Record<string, string>> }
  | { readonly type: 'deleted'; readonly id: string }
  /** All producer ids below may be in use. */
  | { readonly type: 'producer-ids'; readonly end: number }
  | { readonly type: 'unclean-start'; readonly count: number }

/** So many lines of history are no reason to write a journal anew. */
const HISTORY_LINES_MIN = 1000

export class Catalog {
  readonly #path: string | null
  #fd = -1
  #pending: string[] = []
  #isSyncing = false
  #isUnsynced = false
  #waits: ((error: Error | null) => void)[] = []
  readonly #topics = new Map<string, CatalogTopic>()
  producerIdEnd = 0
  uncleanStartCount = 0

  /** Null: nothing is kept. */
  constructor(path: string | null) {
    this.#path = path
  }

  /** By id. */
  get topics(): ReadonlyMap<string, CatalogTopic> {
    return this.#topics
  }

  get hasPending(): boolean {
    return this.#pending.length > 0
  }

  /**
   * Reads the journal. `isNew`: there was none. `lostBytes`: what was torn or damaged at its end. Throws the system's errors.
   */
  open(): { isNew: boolean; lostBytes: number } {
    if (this.#path === null) return { isNew: true, lostBytes: 0 }
    let bytes: Buffer | null = null
    try {
      bytes = readFileSync(this.#path)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    const { lineCount, end } = this.#replay(bytes ?? Buffer.alloc(0))
    const lostBytes = (bytes?.length ?? 0) - end
    if (lineCount > HISTORY_LINES_MIN && lineCount > 2 * (this.#topics.size + 2)) this.#rewrite()
    this.#fd = openSync(this.#path, 'a+', 0o644)
    if (lostBytes > 0) ftruncateSync(this.#fd, end)
    if (bytes === null) syncPath(dirname(this.#path))
    return { isNew: bytes === null, lostBytes }
  }

  #replay(bytes: Buffer): { lineCount: number; end: number } {
    let lineCount = 0
    let start = 0
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      const entry = parseLine(bytes, start, end)
      if (entry === null) break
      this.#apply(entry)
      lineCount++
      start = end + 1
    }
    return { lineCount, end: start }
  }

  #rewrite(): void {
    const entries: CatalogEntry[] = [
      { type: 'unclean-start', count: this.uncleanStartCount },
      { type: 'producer-ids', end: this.producerIdEnd },
      ...[...this.#topics.values()].map((topic) => ({ type: 'topic' as const, ...topic })),
    ]
    replaceFile(this.#path as string, entries.map(formatLine).join(''), true)
    syncPath(dirname(this.#path as string))
  }

  /** In force at once, on the disk with `write`. */
  append(entry: CatalogEntry): void {
    this.#apply(entry)
    if (this.#path !== null) this.#pending.push(formatLine(entry))
  }

  #apply(entry: CatalogEntry): void {
    switch (entry.type) {
      case 'topic': {
        const { type: _, ...topic } = entry
        this.#topics.set(topic.id, topic)
        break
      }
      case 'partitions':
      case 'config': {
        const { type: _, ...change } = entry
        const topic = this.#topics.get(entry.id)
        if (topic !== undefined) this.#topics.set(entry.id, { ...topic, ...change })
        break
      }
      case 'deleted':
        this.#topics.delete(entry.id)
        break
      case 'producer-ids':
        this.producerIdEnd = entry.end
        break
      case 'unclean-start':
        this.uncleanStartCount = entry.count
    }
  }

  /** Writes what was appended, and calls when it is safe on the disk. */
  write(done: (error: Error | null) => void): void {
    try {
      this.#writePending()
    } catch (error) {
      return done(error as Error)
    }
    this.#waits.push(done)
    this.#sync()
  }

  /** As `write`, at once. Throws the system's errors. */
  writeSync(): void {
    this.#writePending()
    if (this.#path !== null) syncPath(this.#path)
  }

  #writePending(): void {
    if (this.#pending.length === 0) return
    const bytes = Buffer.from(this.#pending.join(''))
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
    this.#pending = []
    this.#isUnsynced = true
  }

  #sync(): void {
    if (this.#isSyncing) return
    const waits = this.#waits
    this.#waits = []
    if (!this.#isUnsynced || this.#fd < 0) {
      for (const done of waits) done(null)
      return
    }
    this.#isSyncing = true
    this.#isUnsynced = false
    fsync(this.#fd, (error) => {
      this.#isSyncing = false
      for (const done of waits) done(error)
      if (this.#waits.length > 0) this.#sync()
    })
  }

  close(): void {
    if (this.#fd < 0) return
    this.writeSync()
    closeSync(this.#fd)
    this.#fd = -1
  }
}

const CRC_DIGITS = 8

function formatLine(entry: CatalogEntry): string {
  const json = JSON.stringify(entry)
  const bytes = Buffer.from(json)
  return `${crc32c(bytes, 0, bytes.length).toString(16).padStart(CRC_DIGITS, '0')} ${json}\n`
}

function parseLine(bytes: Buffer, start: number, end: number): CatalogEntry | null {
  const jsonAt = start + CRC_DIGITS + 1
  if (jsonAt > end) return null
  const crc = Number.parseInt(bytes.toString('latin1', start, start + CRC_DIGITS), 16)
  if (crc !== crc32c(bytes, jsonAt, end)) return null
  return JSON.parse(bytes.toString('utf8', jsonAt, end)) as CatalogEntry
}
