/** Snapshots that a test drives by hand, in memory. */
import { BufferSource, BufferTarget } from '#src/persistence/buffer-target.ts'
import { loadRdbNow } from '#src/persistence/rdb/load.ts'
import { RdbLoader, type RdbLoadOptions } from '#src/persistence/rdb/loader.ts'
import { RdbEncoder, type RdbWriterOptions } from '#src/persistence/rdb/writer.ts'
import { Snapshot, type SnapshotOptions } from '#src/persistence/snapshot.ts'
import { DEFAULT_PACKED_LIMITS, type PackedLimits } from '#src/store/packed-limits.ts'
import { Store } from '#src/store/store.ts'

export function newStore(nowMs = 1_700_000_000_000, packedLimits: Partial<PackedLimits> = {}): Store {
  const store = new Store({
    databaseCount: 16,
    firstArenaBytes: 2 ** 18,
    random: () => 0.5,
    packedLimits: { ...DEFAULT_PACKED_LIMITS, ...packedLimits },
  })
  store.setNow(nowMs)
  return store
}

export function encoderOf(store: Store, options: Partial<RdbWriterOptions> = {}): RdbEncoder {
  return new RdbEncoder(store, {
    compresses: true,
    hasChecksum: true,
    access: 'none',
    aux: [],
    functions: [],
    ...options,
  })
}

/** Takes a snapshot of this moment; `save` brings it to its end. */
export function takeSnapshot(
  store: Store,
  options: Partial<RdbWriterOptions> = {},
  snapshotOptions: SnapshotOptions = { whenFlushed: 'abort' },
): { snapshot: Snapshot; target: BufferTarget } {
  const target = new BufferTarget()
  return { snapshot: new Snapshot(store, encoderOf(store, options), target, snapshotOptions), target }
}

/** An RDB file of what the store holds. */
export function rdbOf(store: Store, options: Partial<RdbWriterOptions> = {}): Buffer {
  const { snapshot, target } = takeSnapshot(store, options)
  snapshot.saveNow()
  return target.toBytes()
}

export function loaderFor(store: Store, options: Partial<RdbLoadOptions> = {}): RdbLoader {
  return new RdbLoader(store, {
    verifiesChecksum: true,
    allowsNewerVersion: false,
    duplicates: 'refuse',
    keepsExpired: false,
    onFunction: () => {
      throw new Error('no functions here')
    },
    warn: () => {},
    ...options,
  })
}

/** Loads a whole file. Throws RdbLoadError. */
export function loadBytes(store: Store, bytes: Uint8Array, options: Partial<RdbLoadOptions> = {}): RdbLoader {
  const loader = loaderFor(store, { totalBytes: bytes.length, ...options })
  loadRdbNow(loader, new BufferSource(bytes))
  return loader
}
