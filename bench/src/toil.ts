// What a snapshot does to the machine, without the snapshot: a core that is busy, and a file that is written and synced piece by piece.
// Beside it, an idle server shows what the machine itself makes clients wait.

import { open, rm } from 'node:fs/promises'

export interface ToilPlan {
  /** A file to write, which is removed in the end. */
  path: string
  sizeBytes: number
  seconds: number
}

const PIECE_BYTES = 64 * 1024
/** Redis syncs so often, with `rdb-save-incremental-fsync`. */
const SYNC_EVERY_BYTES = 4 * 2 ** 20
/** As a slice of a snapshot. */
const BUSY_MS = 0.3

export async function toil({ path, sizeBytes, seconds }: ToilPlan): Promise<void> {
  const file = await open(path, 'w')
  const piece = Buffer.alloc(PIECE_BYTES, 'x')
  let writtenBytes = 0
  let writing: Promise<unknown> | null = null
  let failure: Error | null = null
  try {
    const startMs = performance.now()
    for (;;) {
      const nowMs = performance.now()
      const share = (nowMs - startMs) / 1000 / seconds
      if (share >= 1 || failure !== null) break
      if (writing === null && writtenBytes < share * sizeBytes) {
        const at = writtenBytes
        writtenBytes += PIECE_BYTES
        const isSynced = writtenBytes % SYNC_EVERY_BYTES === 0
        writing = file
          .write(piece, 0, PIECE_BYTES, at)
          .then(() => (isSynced ? file.datasync() : undefined))
          .catch((error: Error) => {
            failure = error
          })
          .finally(() => {
            writing = null
          })
      }
      while (performance.now() - nowMs < BUSY_MS);
      await new Promise((resolve) => setImmediate(resolve))
    }
    await writing
    if (failure !== null) throw failure
  } finally {
    await file.close()
    await rm(path)
  }
}
