import { RdbError } from '../../persistence/rdb/rdb-error.ts'
import type { SnapshotTransfer } from '../../resp/replication-link.ts'
import type { Progress } from './progress.ts'
import type { ImportTarget } from './target.ts'

/** How long reading may hold up what is on its way. */
const TURN_MS = 5

/** Reads a snapshot into the target. False when it was stopped. Rejects with RdbError for a snapshot that cannot be read. */
export async function loadSnapshot(
  source: SnapshotTransfer,
  target: ImportTarget,
  progress: Progress,
  stop: AbortSignal,
): Promise<boolean> {
  const loader = target.openLoader(source.totalBytes)
  progress.begin()
  for (;;) {
    const turnEndMs = performance.now() + TURN_MS
    const state = loader.run(() => performance.now() >= turnEndMs)
    await target.takeLoaded(loader)
    progress.show(loader.atByte, source.totalBytes, loader.loadedCount)
    if (state === 'done') break
    if (stop.aborted) return false
    if (state === 'bytes') {
      const { bytes, at } = loader.room()
      loader.filled(await source.read(bytes, at))
    } else {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await readToEnd(source)
  if (stop.aborted) return false
  await target.finishLoad(loader)
  const expired = loader.expiredCount === 0 ? '' : `; ${loader.expiredCount} had expired`
  const functions = loader.functionCount === 0 ? '' : `, ${loader.functionCount} libraries of functions`
  progress.tell(
    `imported ${loader.loadedCount.toLocaleString('en')} keys${functions} into ${target.name} in ${progress.elapsedSeconds} s${expired}`,
  )
  return true
}

/** Behind the snapshot there is nothing but its end. */
async function readToEnd(source: SnapshotTransfer): Promise<void> {
  const bytes = new Uint8Array(1)
  if ((await source.read(bytes, 0)) > 0) throw new RdbError('bytes behind the end of the snapshot', 0)
}
