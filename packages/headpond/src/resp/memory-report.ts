import { EXPIRY_BYTES, HEADER_BYTES } from '../store/record.ts'
import type { RespEngine } from './engine.ts'

/** What INFO, MEMORY STATS and MEMORY DOCTOR tell of memory. All counts are bytes. */
export interface MemoryUse {
  /** Accounted, not measured: what this server has allocated for data, tables and buffers. */
  readonly usedBytes: number
  /** Buffers of clients. */
  readonly clientBytes: number
  /** What of `usedBytes` is not the keys and values themselves. */
  readonly overheadBytes: number
  readonly datasetBytes: number
}

export interface DatabaseUse {
  readonly index: number
  readonly keyTableBytes: number
  readonly expiryBytes: number
}

/** O(clients + databases). The JS heap is not in it: it is the process's, which may hold several servers. */
export function memoryUse(engine: RespEngine): MemoryUse {
  const { heap, databases } = engine.store
  const clientBytes = clientBufferBytes(engine)
  const directoryBytes = databases.reduce((sum, { dict }) => sum + dict.directoryBytes, 0)
  const trackingBytes = engine.tracking.table.sizeBytes
  const evictionBytes = engine.store.eviction.sizeBytes
  const usedBytes = heap.usedBytes + heap.overheadBytes + directoryBytes + clientBytes + trackingBytes + evictionBytes
  const tableBytes = databaseUses(engine).reduce((sum, use) => sum + use.keyTableBytes + use.expiryBytes, 0)
  const overheadBytes = heap.overheadBytes + clientBytes + tableBytes + trackingBytes + evictionBytes
  return { usedBytes, clientBytes, overheadBytes, datasetBytes: Math.max(0, usedBytes - overheadBytes) }
}

/** By database that has keys, what their table and their expiries take. */
function databaseUses(engine: RespEngine): DatabaseUse[] {
  return engine.store.databases
    .filter((database) => database.count > 0)
    .map(({ index, count, dict, expires }) => ({
      index,
      keyTableBytes: dict.sizeBytes + count * HEADER_BYTES,
      expiryBytes: expires.sizeBytes + expires.count * EXPIRY_BYTES,
    }))
}

function clientBufferBytes(engine: RespEngine): number {
  let bytes = 0
  for (const client of engine.clients.values()) {
    const { connection, transaction } = client
    client.countedBytes = transaction === null ? 0 : transaction.queuedBytes
    if (connection !== null) client.countedBytes += connection.inputBufferBytes + connection.unsentBytes
    bytes += client.countedBytes
  }
  return bytes
}

/** `memoryUse` beside what the process holds. */
export interface MemoryReport extends MemoryUse {
  readonly startupBytes: number
  readonly peakBytes: number
  /** Of the heap: in live blocks; of pages that hold any; ever touched. */
  readonly allocatedBytes: number
  readonly activeBytes: number
  readonly residentBytes: number
  /** Resident memory of the process. */
  readonly rssBytes: number
  readonly databases: readonly DatabaseUse[]
}

export function memoryReport(engine: RespEngine): MemoryReport {
  const use = memoryUse(engine)
  const { heap } = engine.store
  const { statistics } = engine
  statistics.usedBytesPeak = Math.max(statistics.usedBytesPeak, use.usedBytes)
  return {
    ...use,
    startupBytes: engine.startupBytes,
    peakBytes: statistics.usedBytesPeak,
    allocatedBytes: heap.usedBytes,
    activeBytes: heap.activeBytes,
    residentBytes: heap.residentBytes,
    rssBytes: process.memoryUsage.rss(),
    databases: databaseUses(engine),
  }
}

export function ratio(numerator: number, denominator: number): number {
  return denominator === 0 ? 0 : numerator / denominator
}

/** The dataset's share of what was allocated since the start, in percent. */
export function datasetPercent(report: MemoryReport): number {
  return Math.min(100, 100 * ratio(report.datasetBytes, report.usedBytes - report.startupBytes))
}
