import type { RdbLoader } from './loader.ts'

/** How long loading may hold up others at a stretch: clients that ask meanwhile are told to wait. */
const TURN_MS = 5

/** Where the bytes of a file come from. */
export interface ByteSource {
  /** Fills bytes from `at` on as far as it goes. Returns how many bytes there were; 0 at the end. */
  read(bytes: Uint8Array, at: number): Promise<number>
  /** As `read`, before it returns. */
  readNow(bytes: Uint8Array, at: number): number
}

/**
 * Loads from a file, letting others have their turn. `onTurn` hears of progress, and ends the load by answering false.
 * `keyDelayUs` (`key-load-delay`) makes it slow, for tests: so long for each key.
 */
export async function loadRdb(
  loader: RdbLoader,
  source: ByteSource,
  onTurn: () => boolean,
  keyDelayUs: () => number = () => 0,
): Promise<void> {
  let turnEndMs = performance.now() + TURN_MS
  for (;;) {
    const loadedCount = loader.loadedCount
    const state = loader.run(() => keyDelayUs() > 0 || performance.now() >= turnEndMs)
    if (!onTurn() || state === 'done') return
    const delayMs = (keyDelayUs() * (loader.loadedCount - loadedCount)) / 1000
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
    if (state === 'bytes') {
      const { bytes, at } = loader.room()
      loader.filled(await source.read(bytes, at))
    } else {
      await new Promise((resolve) => setImmediate(resolve))
    }
    turnEndMs = performance.now() + TURN_MS
  }
}

/** Loads from a file before it returns. */
export function loadRdbNow(loader: RdbLoader, source: ByteSource): void {
  while (loader.run(() => false) !== 'done') {
    const { bytes, at } = loader.room()
    loader.filled(source.readNow(bytes, at))
  }
}
