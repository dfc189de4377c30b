// What this machine can do at best: one thread that computes the CRC-32C of each batch and writes the bytes to a file, with
// nobody to receive them from and nobody to answer.

import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from 'headpond/src/log/crc32c.ts'
import { makeBatch } from './load.ts'

/** As much as goes to the file in one write. */
const WRITE_BYTES = 2 ** 20
/** The bytes come from memory, as they do in a broker, not out of the processor's cache. */
const SOURCE_BYTES = 64 * 2 ** 20
export interface Baseline {
  readonly bytesPerSecond: number
  /** The same by the time of its processor, which others on the machine do not change. */
  readonly bytesPerCpuSecond: number
}

/** @param sizeBytes how much is written, to within one write */
export function measureBaseline(directory: string, batchBytes: number, sizeBytes: number): Baseline {
  const { batch } = makeBatch(100, batchBytes, 'none')
  const writeBytes = Math.max(1, Math.floor(WRITE_BYTES / batch.length)) * batch.length
  const bytes = Buffer.alloc(Math.floor(SOURCE_BYTES / writeBytes) * writeBytes)
  for (let at = 0; at < bytes.length; at += batch.length) bytes.set(batch, at)
  const path = join(directory, 'baseline')
  const file = openSync(path, 'w')
  let writtenBytes = 0
  let checksum = 0
  let at = 0
  const startedAtMs = performance.now()
  const cpuBefore = process.cpuUsage()
  try {
    while (writtenBytes < sizeBytes) {
      for (const end = at + writeBytes; at < end; at += batch.length) {
        checksum ^= crc32c(bytes, at + 21, at + batch.length)
      }
      writtenBytes += writeSync(file, bytes, at - writeBytes, writeBytes)
      if (at === bytes.length) at = 0
    }
  } finally {
    closeSync(file)
    rmSync(path)
  }
  // Used, so that no compiler leaves it out.
  if (Number.isNaN(checksum)) throw new Error('a checksum is a number')
  const { user, system } = process.cpuUsage(cpuBefore)
  return {
    bytesPerSecond: writtenBytes / ((performance.now() - startedAtMs) / 1000),
    bytesPerCpuSecond: writtenBytes / ((user + system) / 1e6),
  }
}
