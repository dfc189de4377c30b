// What this machine can do at best: one thread that computes the CRC-32C of each batch and writes the bytes to a file, with
// nobody to receive them from and nobody to answer.

import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from 'headpond/src/log/crc32c.ts'
import { makeBatch } from './load.ts'

/** As much as goes to the file in one write. */
const WRITE_BYTES = 2 ** 20
export interface Baseline {
  readonly bytesPerSecond: number
}

export function measureBaseline(directory: string, batchBytes: number, seconds: number): Baseline {
  const { batch } = makeBatch(100, batchBytes, 'none')
  const batchesPerWrite = Math.max(1, Math.floor(WRITE_BYTES / batch.length))
  const bytes = Buffer.concat(Array.from({ length: batchesPerWrite }, () => batch))
  const path = join(directory, 'baseline')
  const file = openSync(path, 'w')
  let writtenBytes = 0
  let checksum = 0
  const startedAtMs = performance.now()
  try {
    while (performance.now() - startedAtMs < seconds * 1000) {
      for (let batchAt = 0; batchAt < bytes.length; batchAt += batch.length) {
        checksum ^= crc32c(bytes, batchAt + 21, batchAt + batch.length)
      }
      writtenBytes += writeSync(file, bytes)
    }
  } finally {
    closeSync(file)
    rmSync(path)
  }
  // Used, so that no compiler leaves it out.
  if (Number.isNaN(checksum)) throw new Error('a checksum is a number')
  return { bytesPerSecond: writtenBytes / ((performance.now() - startedAtMs) / 1000) }
}
