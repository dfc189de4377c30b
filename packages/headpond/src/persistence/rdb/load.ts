import type { FileSource } from '../file-source.ts'
import type { RdbLoader } from './loader.ts'

/** How long loading may hold up others at a stretch: clients that ask meanwhile are told to wait. */
const TURN_MS = 5

/** Loads from a file, letting others have their turn. `onTurn` hears of progress; what it throws ends the load. */
export async function loadRdb(loader: RdbLoader, source: FileSource, onTurn: () => void = () => {}): Promise<void> {
  let turnEndMs = performance.now() + TURN_MS
  for (;;) {
    const state = loader.run(() => performance.now() >= turnEndMs)
    if (state === 'done') return onTurn()
    if (state === 'bytes') {
      const { bytes, at } = loader.room()
      loader.filled(await source.read(bytes, at))
    } else {
      onTurn()
      await new Promise((resolve) => setImmediate(resolve))
    }
    turnEndMs = performance.now() + TURN_MS
  }
}

/** Loads from a file before it returns. */
export function loadRdbNow(loader: RdbLoader, source: FileSource): void {
  while (loader.run(() => false) !== 'done') {
    const { bytes, at } = loader.room()
    loader.filled(source.readNow(bytes, at))
  }
}
