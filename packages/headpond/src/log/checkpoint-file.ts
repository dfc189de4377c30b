/**
 * An offset for each partition of a directory, as text in Kafka's form: a version, the number of entries, and a line
 * `topic partition offset` for each.
 */
import { readFileSync } from 'node:fs'
import { isMissing, replaceFileSoon } from './files.ts'

const VERSION = 0

export interface PartitionOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export class CheckpointFile {
  readonly path: string
  /** What is to be written next. */
  #content: string | null = null
  #run: Promise<void> | null = null

  constructor(path: string) {
    this.path = path
  }

  /** Resolves when these offsets, or newer ones, are safe on the disk. Rejects with the system's errors. */
  write(offsets: Iterable<PartitionOffset>): Promise<void> {
    const lines: string[] = []
    for (const { topic, partition, offset } of offsets) lines.push(`${topic} ${partition} ${offset}\n`)
    this.#content = `${VERSION}\n${lines.length}\n${lines.join('')}`
    this.#run ??= this.#writeAll().finally(() => {
      this.#run = null
    })
    return this.#run
  }

  async #writeAll(): Promise<void> {
    while (this.#content !== null) {
      const content = this.#content
      this.#content = null
      await replaceFileSoon(this.path, content)
    }
  }
}

/** By `topic-partition`. None when the file is not there; null when it is damaged. */
export function readCheckpoint(path: string): Map<string, number> | null {
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch (error) {
    if (isMissing(error)) return new Map()
    throw error
  }
  const [version, count, ...lines] = text.split('\n')
  const offsets = new Map<string, number>()
  if (version !== String(VERSION)) return null
  for (const line of lines) {
    if (line === '') continue
    const [topic, partition, offset] = line.split(' ')
    if (offset === undefined || !Number.isSafeInteger(Number(offset))) return null
    offsets.set(`${topic}-${partition}`, Number(offset))
  }
  return offsets.size === Number(count) ? offsets : null
}
