/**
 * An offset for each partition of a directory, as text in Kafka's form: a version, the number of entries, and a line
 * `topic partition offset` for each.
 */
import { readFileSync } from 'node:fs'
import { isMissing, replaceFile } from './files.ts'

const VERSION = 0

export interface PartitionOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export function writeCheckpoint(path: string, offsets: Iterable<PartitionOffset>): void {
  const lines: string[] = []
  for (const { topic, partition, offset } of offsets) lines.push(`${topic} ${partition} ${offset}\n`)
  replaceFile(path, `${VERSION}\n${lines.length}\n${lines.join('')}`, true)
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
